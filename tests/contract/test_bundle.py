"""Bundles: what is carried by hand is read part by part, and only as it was written."""

from io import BytesIO

import pytest

from sync_service.contract.bundle import BundleWriter, Closing, Part, read_parts
from sync_service.contract.error import CutShortError, MalformedError
from sync_service.contract.signing import Context, Envelope, SigningKey

KEY = SigningKey(bytes([4] * 32))
KIOSK_ID, NONCE = KEY.verifying_key.kiosk_id, bytes(range(8))
MESSAGES = [(Part.STATUS, b"how it is"), (Part.BATCH, b"many records"), (Part.BATCH, b"")]


@pytest.fixture
def bundle():
    written = BytesIO()
    writer = BundleWriter(written.write)
    for part, message in MESSAGES:
        writer.add(part, message)
    writer.close(KEY, Context.BUNDLE, KIOSK_ID, NONCE)
    return written.getvalue()


def read(data):
    return [*read_parts(BytesIO(data).read)]


def test_the_parts_come_back_in_their_order_and_the_closing_says_whose_they_are(bundle):
    *parts, (last, signed) = read(bundle)
    assert parts == MESSAGES
    assert last is Part.CLOSING
    closing = Closing.decode(KEY.verifying_key.verify(Envelope.unpack(signed), Context.BUNDLE))
    assert (closing.kiosk_id, closing.nonce) == (KIOSK_ID, NONCE)


def test_what_ends_early_is_cut_short_wherever_it_ends(bundle):
    for end in range(len(bundle)):
        with pytest.raises(CutShortError):
            read(bundle[:end])


@pytest.mark.parametrize("added", [b"\x00", b"\x07"])
def test_nothing_may_follow_the_closing(bundle, added):
    with pytest.raises(MalformedError, match="not what its closing says"):
        read(bundle + added)


def test_parts_that_changed_places_or_are_gone_are_noticed(bundle):
    first = bytes([Part.STATUS]) + (9).to_bytes(4, "big") + b"how it is"
    assert bundle.startswith(first)
    with pytest.raises(MalformedError, match="not what its closing says"):
        read(bundle[len(first) :])


def test_a_part_larger_than_its_message_may_be_is_refused_before_it_is_read(bundle):
    asked = []

    def read_some(number):
        asked.append(number)
        return (bytes([Part.STATUS]) + b"\xff\xff\xff\xff")[:number]

    with pytest.raises(MalformedError, match="a status of 4294967295 bytes"):
        next(read_parts(read_some))
    assert asked == [5]
