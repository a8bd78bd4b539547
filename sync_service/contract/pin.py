"""The staff PIN as a stamp holds it: a slow hash, by which a kiosk checks it with no network.

It is scrypt, which both ends have in `cryptography`. So few digits are found in hours by whoever
holds the hash: the PIN keeps out a curious visitor, not a thief of the card.
"""

import secrets
from dataclasses import dataclass
from hmac import compare_digest
from typing import Final, Self

from cryptography.hazmat.primitives.kdf.scrypt import Scrypt

from sync_service.contract.error import MalformedError

PIN_DIGITS: Final = 6
PIN_COST: Final = 14
"""The binary logarithm of scrypt's work: 16 MB and some 50 ms on a laptop, more on a Pi."""

MAX_PIN_COST: Final = 17
MAX_PIN_HASH: Final = 120

_SALT_LENGTH: Final = 16
_DIGEST_LENGTH: Final = 32


@dataclass(frozen=True, slots=True)
class PinHash:
    """What a PIN is checked by. ``cost`` is the binary logarithm of the work."""

    cost: int
    salt: bytes
    digest: bytes

    @classmethod
    def of(cls, pin: str, cost: int = PIN_COST) -> Self:
        """Hash a PIN, with a new salt."""
        salt = secrets.token_bytes(_SALT_LENGTH)
        return cls(cost, salt, _derive(pin, cost, salt))

    @classmethod
    def parse(cls, text: str) -> Self:
        """The hash that `to_text` wrote.

        Raises:
            MalformedError: not such a hash.
        """
        try:
            name, cost, salt, digest = text.split(":")
            parsed = cls(int(cost), bytes.fromhex(salt), bytes.fromhex(digest))
        except ValueError:
            raise MalformedError("staff_pin is not the hash of a PIN") from None
        if (
            parsed.to_text() != text
            or not 1 <= parsed.cost <= MAX_PIN_COST
            or (len(parsed.salt), len(parsed.digest)) != (_SALT_LENGTH, _DIGEST_LENGTH)
        ):
            raise MalformedError(f"staff_pin is not the hash of a PIN by {name}")
        return parsed

    def to_text(self) -> str:
        """The hash as a stamp holds it."""
        return f"scrypt:{self.cost}:{self.salt.hex()}:{self.digest.hex()}"

    def matches(self, pin: str) -> bool:
        """Whether this is the PIN."""
        return compare_digest(_derive(pin, self.cost, self.salt), self.digest)


def new_pin() -> str:
    """A new PIN: random digits."""
    return f"{secrets.randbelow(10**PIN_DIGITS):0{PIN_DIGITS}}"


def _derive(pin: str, cost: int, salt: bytes) -> bytes:
    return Scrypt(salt=salt, length=_DIGEST_LENGTH, n=2**cost, r=8, p=1).derive(pin.encode())
