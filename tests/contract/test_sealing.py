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
    SealingKey,
    generate_opening_key,
    read_header,
)

LOG = bytes(range(16))
PLAIN = b"what was answered".ljust(64, b"\x00")


@pytest.fixture(scope="module")
def key():
    return OpeningKey(generate_opening_key())


@pytest.mark.parametrize("bucket", BUCKETS)
def test_what_was_sealed_opens_with_57_bytes_over_the_record(key, bucket):
    sealed = key.sealing_key.seal(bytes(bucket), LOG)
    assert len(sealed) == bucket + 57 <= MAX_SEALED_LENGTH
    assert key.open(sealed, LOG) == bytes(bucket)


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


def test_a_sealing_key_that_is_no_key_is_malformed():
    with pytest.raises(MalformedError):
        SealingKey(b"short")


def test_a_low_order_point_as_the_encapsulated_key_does_not_open(key):
    header = key.sealing_key.seal(PLAIN, LOG)[:HEADER_LENGTH]
    with pytest.raises(UnopenableError):
        key.open(header + bytes(32) + bytes(64 + 16), LOG)
