"""Signatures hold for one key, one context and the very bytes."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sync_service.contract.error import MalformedError, SignatureError
from sync_service.contract.signing import (
    Context,
    Envelope,
    SigningKey,
    VerifyingKey,
    fingerprint,
    generate_signing_key,
)

KEY = SigningKey(bytes(range(32)))


@given(st.binary(max_size=100), st.sampled_from(Context))
def test_a_signed_payload_is_believed(payload, context):
    envelope = Envelope.unpack(KEY.sign(context, payload))
    assert KEY.verifying_key.verify(envelope, context) == payload


@pytest.mark.parametrize("other", [c for c in Context if c is not Context.RECEIPT])
def test_what_was_signed_as_one_kind_of_message_is_never_another(other):
    envelope = Envelope.unpack(KEY.sign(Context.RECEIPT, b"payload"))
    with pytest.raises(SignatureError):
        KEY.verifying_key.verify(envelope, other)


def test_no_context_begins_with_another_and_the_byte_after_it():
    for one in Context:
        for other in Context:
            assert one is other or not other.value.startswith(one.value + b"\x00")


def test_another_key_is_not_believed():
    envelope = Envelope.unpack(SigningKey(generate_signing_key()).sign(Context.BATCH, b"payload"))
    with pytest.raises(SignatureError):
        KEY.verifying_key.verify(envelope, Context.BATCH)


def test_an_altered_payload_signature_or_algorithm_is_not_believed():
    envelope = Envelope.unpack(KEY.sign(Context.BATCH, b"payload"))
    for altered in (
        Envelope(envelope.algorithm, b"payloae", envelope.signature),
        Envelope(envelope.algorithm, envelope.payload, bytes(64)),
        Envelope(envelope.algorithm, envelope.payload, b""),
        Envelope(2, envelope.payload, envelope.signature),
    ):
        with pytest.raises(SignatureError):
            KEY.verifying_key.verify(altered, Context.BATCH)


@given(st.binary(max_size=120))
def test_any_bytes_give_an_envelope_or_the_named_error(data):
    try:
        envelope = Envelope.unpack(data)
    except MalformedError:
        return
    assert envelope.pack() == data


def test_a_public_key_of_the_wrong_length_is_malformed():
    with pytest.raises(MalformedError):
        VerifyingKey(b"short")


def test_a_fingerprint_is_groups_of_four_that_people_can_compare():
    text = fingerprint(KEY.verifying_key.kiosk_id)
    assert [len(group) for group in text.split("-")] == [4, 4, 4, 4, 4, 4, 2]
    assert text.isupper()
