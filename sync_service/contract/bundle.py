"""Bundles: messages between a kiosk and the centre, carried by hand in a file.

A bundle is a row of parts, each ``kind (1 byte) || length (4, big-endian) || signed message``: the
very messages of the wire. A last one, the closing, is signed as they are and says what came before
it, so that a file which was cut short, altered or put together anew is known as such.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import IntEnum
from hashlib import sha256
from typing import Final, Self

from sync_service.contract.codec import Fields, decode, encode
from sync_service.contract.error import CutShortError, MalformedError
from sync_service.contract.signing import KIOSK_ID_LENGTH, Context, Envelope, SigningKey
from sync_service.contract.wire import (
    DIGEST_LENGTH,
    MAX_BATCH_LENGTH,
    MAX_MESSAGE_LENGTH,
    MAX_PUBLICATION_LENGTH,
    NONCE_LENGTH,
    VERSION,
)

_LENGTH_BYTES: Final = 4


class Part(IntEnum):
    """What a part of a bundle is. A number is never used again."""

    ENROLMENT = 1
    STATUS = 2
    BATCH = 3
    RECEIPT = 4
    STATUS_REPLY = 5
    PUBLICATION = 6
    CLOSING = 7

    @property
    def max_length(self) -> int:
        """The longest signed message of this kind, in bytes."""
        if self is Part.BATCH:
            return MAX_BATCH_LENGTH
        return MAX_PUBLICATION_LENGTH if self is Part.PUBLICATION else MAX_MESSAGE_LENGTH


@dataclass(frozen=True, slots=True)
class Closing:
    """The end of a bundle: whose it is, and what all of it must be.

    ``nonce`` is that of every request in a kiosk's bundle, and of every reply in the centre's to
    it. ``digest`` is the SHA-256 of all bytes before the closing's own part.
    """

    kiosk_id: bytes
    nonce: bytes
    digest: bytes

    def encode(self) -> bytes:
        """The payload to sign."""
        return encode({0: VERSION, 1: self.kiosk_id, 2: self.nonce, 3: self.digest})

    @classmethod
    def decode(cls, payload: bytes) -> Self:
        """Read a closing.

        Raises:
            MalformedError: not a closing.
        """
        fields = Fields(decode(payload), "closing")
        fields.integer(0, low=VERSION, high=VERSION)
        return cls(
            kiosk_id=fields.octets(1, KIOSK_ID_LENGTH),
            nonce=fields.octets(2, NONCE_LENGTH),
            digest=fields.octets(3, DIGEST_LENGTH),
        )


class BundleWriter:
    """Puts a bundle together, part by part; ``write`` is handed its bytes."""

    def __init__(self, write: Callable[[bytes], object]) -> None:
        self._write = write
        self._hash = sha256()

    def add(self, part: Part, signed: bytes) -> None:
        """Add a signed message."""
        for data in (bytes([part]) + len(signed).to_bytes(_LENGTH_BYTES, "big"), signed):
            self._write(data)
            self._hash.update(data)

    def close(self, key: SigningKey, context: Context, kiosk_id: bytes, nonce: bytes) -> None:
        """Add the closing, signed; then the bundle is whole."""
        closing = Closing(kiosk_id, nonce, self._hash.digest())
        self.add(Part.CLOSING, key.sign(context, closing.encode()))


def read_parts(read: Callable[[int], bytes]) -> Iterator[tuple[Part, bytes]]:
    """The parts of a bundle, one in memory at a time; the last is the closing.

    ``read`` gives so many bytes of it, fewer only at its end. Whether the closing fits what came
    before it is checked when it is reached; who signed it, and every other part, is not.

    Raises:
        CutShortError: it ends before its closing does.
        MalformedError: not a bundle, altered, or longer than its closing says.
    """
    everything = sha256()
    while True:
        head = read(1 + _LENGTH_BYTES)
        if len(head) <= _LENGTH_BYTES:
            raise CutShortError("the bundle ends early")
        part = _part(head[0])
        length = int.from_bytes(head[1:], "big")
        if length > part.max_length:
            raise MalformedError(f"a {part.name.lower()} of {length} bytes")
        signed = read(length)
        if len(signed) < length:
            raise CutShortError("the bundle ends early")
        if part is Part.CLOSING:
            closing = Closing.decode(Envelope.unpack(signed).payload)
            if closing.digest != everything.digest() or read(1):
                raise MalformedError("the bundle is not what its closing says")
            yield part, signed
            return
        everything.update(head + signed)
        yield part, signed


def _part(number: int) -> Part:
    try:
        return Part(number)
    except ValueError:
        raise MalformedError(f"no part of a bundle is of the kind {number}") from None
