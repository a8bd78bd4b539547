"""Sealing: one-way encryption to the central team's public key, by HPKE (RFC 9180).

A sealed record is ``algorithm (1 byte) || key id (8) || encapsulated key || ciphertext``.
What must not be swapped is bound by HPKE's ``info``: a label of this protocol, the algorithm,
the key id and the log id. The order within a log is the chain's business.
"""

from collections.abc import Container
from dataclasses import dataclass, field
from enum import IntEnum
from hashlib import sha256, shake_256
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.asymmetric.mlkem import (
    MLKEM768PrivateKey,
    MLKEM768PublicKey,
)
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.hpke import (
    AEAD,
    KDF,
    KEM,
    MLKEM768X25519PrivateKey,
    MLKEM768X25519PublicKey,
    Suite,
)

from sync_service.contract.error import MalformedError, UnknownKeyError, UnopenableError
from sync_service.contract.record import BUCKETS


class SealingAlgorithm(IntEnum):
    """How a record is sealed. A number is never used again."""

    X25519 = 1
    MLKEM768_X25519 = 2


LOG_ID_LENGTH: Final = 16
KEY_ID_LENGTH: Final = 8
STORE_KEY_LENGTH: Final = 32
HEADER_LENGTH: Final = 1 + KEY_ID_LENGTH
_OVERHEAD: Final = {
    SealingAlgorithm.X25519: 32 + 16,
    SealingAlgorithm.MLKEM768_X25519: 1120 + 16,
}
MAX_SEALED_LENGTH: Final = HEADER_LENGTH + max(_OVERHEAD.values()) + BUCKETS[-1]

_MLKEM768_PUBLIC_LENGTH: Final = 1184
_MLKEM768_SEED_LENGTH: Final = 64
_LABEL: Final = b"regard/1 record\x00"
_STORE_KEY_LABEL: Final = b"regard/1 store key\x00"
# ChaCha20 because a Pi 4's core has no AES instructions.
_SUITES: Final = {
    SealingAlgorithm.X25519: Suite(KEM.X25519, KDF.HKDF_SHA256, AEAD.CHACHA20_POLY1305),
    SealingAlgorithm.MLKEM768_X25519: Suite(
        KEM.MLKEM768_X25519, KDF.HKDF_SHA256, AEAD.CHACHA20_POLY1305
    ),
}

_PublicKey = X25519PublicKey | MLKEM768X25519PublicKey
_PrivateKey = X25519PrivateKey | MLKEM768X25519PrivateKey


@dataclass(frozen=True, slots=True)
class SealedHeader:
    """What anyone can read of a sealed record."""

    algorithm: SealingAlgorithm
    key_id: bytes


@dataclass(frozen=True, slots=True)
class SealingKey:
    """The public key that kiosks seal to. ``public`` is its raw bytes: of X25519, 32; of ML-KEM-768
    with X25519, the one's 1184 and the other's 32.
    """

    public: bytes
    algorithm: SealingAlgorithm = SealingAlgorithm.X25519
    key_id: bytes = field(init=False)
    _key: _PublicKey = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        try:
            key = _public_key(self.algorithm, self.public)
        except ValueError as error:
            raise MalformedError(f"sealing key: {error}") from None
        object.__setattr__(self, "_key", key)
        object.__setattr__(self, "key_id", _key_id(self.algorithm, self.public))

    def seal(self, padded: bytes, log_id: bytes) -> bytes:
        """Seal an encoded record of a log."""
        return self._seal(padded, _LABEL, log_id)

    def seal_store_key(self, secret: bytes) -> bytes:
        """Seal the key of a kiosk's store, to be kept beside it for the day when the board dies."""
        return self._seal(secret, _STORE_KEY_LABEL, b"")

    def _seal(self, plain: bytes, label: bytes, bound: bytes) -> bytes:
        header = bytes([self.algorithm]) + self.key_id
        suite = _SUITES[self.algorithm]
        return header + suite.encrypt(plain, self._key, info=label + header + bound)


class OpeningKey:
    """The private key of the central team. ``private`` is its 32 raw bytes: guard them.

    Of ML-KEM-768 with X25519, they are the seed from which both keys are made.
    """

    def __init__(
        self, private: bytes, algorithm: SealingAlgorithm = SealingAlgorithm.X25519
    ) -> None:
        self.private = private
        self._key, public = _private_key(algorithm, private)
        self.sealing_key = SealingKey(public, algorithm)

    def open(self, sealed: bytes, log_id: bytes) -> bytes:
        """The encoded record that was sealed.

        Raises:
            MalformedError: not the form of a sealed record.
            UnknownKeyError: sealed under another algorithm or for another key.
            UnopenableError: altered, of another log, or never sealed by our rules.
        """
        return self._open(read_header(sealed), sealed, _LABEL, log_id)

    def open_store_key(self, sealed: bytes) -> bytes:
        """The key of a kiosk's store that was sealed.

        Raises:
            MalformedError: not the form of a sealed store key.
            UnknownKeyError: sealed under another algorithm or for another key.
            UnopenableError: altered, or never sealed by our rules.
        """
        header = _read_header(sealed, (STORE_KEY_LENGTH,))
        return self._open(header, sealed, _STORE_KEY_LABEL, b"")

    def _open(self, header: SealedHeader, sealed: bytes, label: bytes, bound: bytes) -> bytes:
        if header.key_id != self.sealing_key.key_id:
            raise UnknownKeyError(f"sealed for key {header.key_id.hex()}")
        try:
            return _SUITES[header.algorithm].decrypt(
                sealed[HEADER_LENGTH:], self._key, info=label + sealed[:HEADER_LENGTH] + bound
            )
        except (InvalidTag, ValueError):
            raise UnopenableError("the seal does not open") from None


def read_header(sealed: bytes) -> SealedHeader:
    """What intake can see of a sealed record: its algorithm and key, its length being one of ours.

    Raises:
        UnknownKeyError: an algorithm unknown to this version.
        MalformedError: a length that no padded record has.
    """
    return _read_header(sealed, BUCKETS)


def _read_header(sealed: bytes, lengths: Container[int]) -> SealedHeader:
    """The header of what was so long before it was sealed."""
    try:
        algorithm = SealingAlgorithm(sealed[0])
    except (IndexError, ValueError):
        raise UnknownKeyError("an unknown sealing algorithm") from None
    if len(sealed) - HEADER_LENGTH - _OVERHEAD[algorithm] not in lengths:
        raise MalformedError(f"nothing sealed is {len(sealed)} bytes long")
    return SealedHeader(algorithm, sealed[1:HEADER_LENGTH])


def generate_opening_key() -> bytes:
    """A new private key, 32 raw bytes, for any of the algorithms."""
    return X25519PrivateKey.generate().private_bytes_raw()


def _public_key(algorithm: SealingAlgorithm, public: bytes) -> _PublicKey:
    if algorithm is SealingAlgorithm.X25519:
        return X25519PublicKey.from_public_bytes(public)
    return MLKEM768X25519PublicKey(
        MLKEM768PublicKey.from_public_bytes(public[:_MLKEM768_PUBLIC_LENGTH]),
        X25519PublicKey.from_public_bytes(public[_MLKEM768_PUBLIC_LENGTH:]),
    )


def _private_key(algorithm: SealingAlgorithm, private: bytes) -> tuple[_PrivateKey, bytes]:
    """The private key that raw bytes stand for, and its public half's raw bytes."""
    if algorithm is SealingAlgorithm.X25519:
        key = X25519PrivateKey.from_private_bytes(private)
        return key, key.public_key().public_bytes_raw()
    # As X-Wing expands its seed (draft-connolly-cfrg-xwing-kem).
    expanded = shake_256(private).digest(_MLKEM768_SEED_LENGTH + 32)
    mlkem = MLKEM768PrivateKey.from_seed_bytes(expanded[:_MLKEM768_SEED_LENGTH])
    x25519 = X25519PrivateKey.from_private_bytes(expanded[_MLKEM768_SEED_LENGTH:])
    public = mlkem.public_key().public_bytes_raw() + x25519.public_key().public_bytes_raw()
    return MLKEM768X25519PrivateKey(mlkem, x25519), public


def _key_id(algorithm: SealingAlgorithm, public: bytes) -> bytes:
    return sha256(b"regard/1 sealing key\x00" + bytes([algorithm]) + public).digest()[
        :KEY_ID_LENGTH
    ]
