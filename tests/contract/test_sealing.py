"""Sealing: only the private key opens, and nothing that is bound can be swapped."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sync_service.contract.error import (
    ContractError,
    MalformedError,
    UnknownKeyError,
    UnopenableError,
)
from sync_service.contract.record import BUCKETS
from sync_service.contract.sealing import (
    HEADER_LENGTH,
    MAX_SEALED_LENGTH,
    OpeningKey,
    SealingAlgorithm,
    SealingKey,
    generate_opening_key,
    read_header,
)

LOG = bytes(range(16))
PLAIN = b"what was answered".ljust(64, b"\x00")


OVERHEADS = {SealingAlgorithm.X25519: 57, SealingAlgorithm.MLKEM768_X25519: 1145}


@pytest.fixture(scope="module", params=SealingAlgorithm, ids=lambda each: each.name)
def key(request):
    return OpeningKey(generate_opening_key(), request.param)


@pytest.mark.parametrize("bucket", BUCKETS)
def test_what_was_sealed_opens_with_as_many_bytes_over_the_record(key, bucket):
    sealed = key.sealing_key.seal(bytes(bucket), LOG)
    assert len(sealed) == bucket + OVERHEADS[key.sealing_key.algorithm] <= MAX_SEALED_LENGTH
    assert key.open(sealed, LOG) == bytes(bucket)


def test_one_secret_is_another_key_in_each_algorithm():
    one, other = (OpeningKey(bytes(range(32)), algorithm) for algorithm in SealingAlgorithm)
    sealed = one.sealing_key.seal(PLAIN, LOG)
    with pytest.raises(UnknownKeyError):
        other.open(sealed, LOG)


def test_a_key_of_both_is_made_of_its_seed_as_x_wing_makes_it():
    """By the first test vector of draft-connolly-cfrg-xwing-kem: the public key of a seed."""
    seed = bytes.fromhex("7f9c2ba4e88f827d616045507605853ed73b8093f6efbc88eb1a6eacfa66ef26")
    public = OpeningKey(seed, SealingAlgorithm.MLKEM768_X25519).sealing_key.public
    assert public[:20].hex() == "e2236b35a8c24b39b10aa1323a96a919a2ced884"
    assert len(public) == 1216


def test_the_same_record_never_seals_to_the_same_bytes(key):
    assert key.sealing_key.seal(PLAIN, LOG) != key.sealing_key.seal(PLAIN, LOG)


def test_another_key_opens_nothing(key):
    sealed = key.sealing_key.seal(PLAIN, LOG)
    with pytest.raises(UnknownKeyError):
        OpeningKey(generate_opening_key()).open(sealed, LOG)


def test_a_record_of_one_log_does_not_open_in_another(key):
    sealed = key.sealing_key.seal(PLAIN, LOG)
    with pytest.raises(UnopenableError):
        key.open(sealed, bytes(16))


def test_every_flipped_bit_is_noticed(key):
    sealed = key.sealing_key.seal(PLAIN, LOG)
    for position in range(len(sealed)):
        altered = bytearray(sealed)
        altered[position] ^= 1
        with pytest.raises(ContractError):
            key.open(bytes(altered), LOG)


def test_anyone_can_read_the_key_id_and_nothing_more(key):
    sealed = key.sealing_key.seal(PLAIN, LOG)
    assert read_header(sealed).key_id == key.sealing_key.key_id
    assert PLAIN[:17] not in sealed


@given(st.binary(max_size=300))
def test_any_bytes_are_refused_by_name(data):
    key = OpeningKey(bytes(range(32)))
    with pytest.raises((MalformedError, UnknownKeyError, UnopenableError)):
        key.open(data, LOG)


def test_a_length_no_padded_record_has_is_malformed(key):
    with pytest.raises(MalformedError, match="bytes long"):
        read_header(key.sealing_key.seal(PLAIN, LOG)[:-1])


@pytest.mark.parametrize("algorithm", SealingAlgorithm)
@pytest.mark.parametrize("public", [b"short", bytes(31), bytes(1215), bytes(1217), b"\xff" * 1216])
def test_a_sealing_key_that_is_no_key_is_malformed(algorithm, public):
    with pytest.raises(MalformedError):
        SealingKey(public, algorithm)


def test_a_low_order_point_as_the_encapsulated_key_does_not_open(key):
    header = key.sealing_key.seal(PLAIN, LOG)[:HEADER_LENGTH]
    rest = len(key.sealing_key.seal(PLAIN, LOG)) - HEADER_LENGTH
    with pytest.raises(UnopenableError):
        key.open(header + bytes(rest), LOG)
