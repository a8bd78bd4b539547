"""Signatures: who said it. Every one has a context of its own and an algorithm id.

A signed message is the CBOR array ``[algorithm, payload, signature]``; the signature is over
``context || 0x00 || algorithm || payload``, so that what was signed as one kind of message can
never be shown as another.
"""

import base64
from dataclasses import dataclass, field
from enum import Enum, IntEnum
from hashlib import sha256
from typing import Final, Self

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from sync_service.contract.codec import decode, encode, is_integer
from sync_service.contract.error import MalformedError, SignatureError

KIOSK_ID_LENGTH: Final = 16
PUBLIC_LENGTH: Final = 32


class SigningAlgorithm(IntEnum):
    """How a message is signed. A number is never used again."""

    ED25519 = 1


class Context(Enum):
    """What a message is; part of what is signed."""

    BATCH = b"regard/1 batch"
    RECEIPT = b"regard/1 receipt"
    STATUS = b"regard/1 status"
    STATUS_REPLY = b"regard/1 status reply"
    ENROLMENT = b"regard/1 enrolment"
    ENROLMENT_REPLY = b"regard/1 enrolment reply"
    PUBLICATION = b"regard/1 publication"
    STATEMENT = b"regard/1 statement"
    REDACTION = b"regard/1 redaction"
    EXPIRY = b"regard/1 expiry"
    BUNDLE = b"regard/1 bundle"
    BUNDLE_REPLY = b"regard/1 bundle reply"


@dataclass(frozen=True, slots=True)
class Envelope:
    """A signed message, not yet believed."""

    algorithm: int
    payload: bytes
    signature: bytes

    @classmethod
    def unpack(cls, data: bytes) -> Self:
        """Take a signed message apart.

        Raises:
            MalformedError: not the form of a signed message.
        """
        match decode(data):
            case [algorithm, bytes(payload), bytes(signature)] if is_integer(algorithm):
                return cls(algorithm, payload, signature)
        raise MalformedError("not a signed message: [algorithm, payload, signature]")

    def pack(self) -> bytes:
        """The message's bytes."""
        return encode([self.algorithm, self.payload, self.signature])


@dataclass(frozen=True, slots=True)
class VerifyingKey:
    """A public signing key. ``public`` is its 32 raw bytes."""

    public: bytes
    _key: Ed25519PublicKey = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        try:
            key = Ed25519PublicKey.from_public_bytes(self.public)
        except ValueError as error:
            raise MalformedError(f"signing key: {error}") from None
        object.__setattr__(self, "_key", key)

    def verify(self, envelope: Envelope, context: Context) -> bytes:
        """The payload, now believed.

        Raises:
            SignatureError: not signed by this key, in this context.
        """
        if envelope.algorithm != SigningAlgorithm.ED25519:
            raise SignatureError("an unknown signing algorithm")
        try:
            self._key.verify(envelope.signature, _signed_bytes(context, envelope.payload))
        except InvalidSignature:
            raise SignatureError(f"not signed by the key of this {context.name.lower()}") from None
        return envelope.payload

    @property
    def kiosk_id(self) -> bytes:
        """The 16 bytes by which a kiosk with this key is known."""
        algorithm = bytes([SigningAlgorithm.ED25519])
        return sha256(b"regard/1 kiosk\x00" + algorithm + self.public).digest()[:KIOSK_ID_LENGTH]


class SigningKey:
    """A private signing key. ``private`` is its 32 raw bytes: guard them."""

    def __init__(self, private: bytes) -> None:
        self._key = Ed25519PrivateKey.from_private_bytes(private)
        self.verifying_key = VerifyingKey(self._key.public_key().public_bytes_raw())

    def sign(self, context: Context, payload: bytes) -> bytes:
        """The signed message's bytes."""
        signature = self._key.sign(_signed_bytes(context, payload))
        return Envelope(SigningAlgorithm.ED25519, payload, signature).pack()


def generate_signing_key() -> bytes:
    """A new private key, 32 raw bytes."""
    return Ed25519PrivateKey.generate().private_bytes_raw()


def fingerprint(kiosk_id: bytes) -> str:
    """A kiosk's id as people compare it by eye: groups of four letters and digits."""
    letters = base64.b32encode(kiosk_id).decode().rstrip("=")
    return "-".join(letters[start : start + 4] for start in range(0, len(letters), 4))


def _signed_bytes(context: Context, payload: bytes) -> bytes:
    return context.value + b"\x00" + bytes([SigningAlgorithm.ED25519]) + payload
