"""The centre's private keys, each a file of its own that only its owner may read.

No key is ever in the database. A host needs only the files that it works with: intake signs with
the receipt key, opening needs the sealing keys and the record-id secret, whoever publishes the
publishing key. The first public publishing key, a file too, is what all of them check publications
by; later ones follow from it by the publications that hand over to them.

A key that replaces another is a further file, numbered in their order: `receipt-2.key`. Which one
is in force is not said here, but by the newest keys publication.
"""

import os
import re
import secrets
from enum import Enum
from pathlib import Path
from typing import Final, Self

from sync_service.collector.error import KeyFileError
from sync_service.contract.publication import Keys
from sync_service.contract.sealing import OpeningKey, SealingAlgorithm, generate_opening_key
from sync_service.contract.signing import SigningKey, VerifyingKey, generate_signing_key

PUBLISHING_PUBLIC_FILE: Final = "publishing.pub"
RECORD_ID_FILE: Final = "record-id.key"

_LENGTH: Final = 32


class Signs(Enum):
    """What a key of the centre signs."""

    RECEIPTS = "receipt"
    PUBLICATIONS = "publishing"


class Keyring:
    """The key files in a folder. Every method raises `KeyFileError` for one that it can't use."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    @classmethod
    def make(cls, folder: Path, algorithm: SealingAlgorithm = SealingAlgorithm.X25519) -> Self:
        """Make all keys in a new folder; ``algorithm`` is the sealing key's."""
        folder.mkdir(mode=0o700)
        keyring = cls(folder)
        keyring.add_opening_key(algorithm)
        keyring.add_signing_key(Signs.RECEIPTS)
        publishing_key = keyring.add_signing_key(Signs.PUBLICATIONS)
        keyring._write(PUBLISHING_PUBLIC_FILE, publishing_key.verifying_key.public)
        keyring._write(RECORD_ID_FILE, secrets.token_bytes(_LENGTH))
        return keyring

    def signing_keys(self, signs: Signs) -> list[SigningKey]:
        """The private keys that ever signed these, and those that shall, oldest first."""
        names = [name for _, name in self._numbered(signs)]
        return [SigningKey(self._read(name)) for name in names or [f"{signs.value}.key"]]

    def publishing_keys(self) -> tuple[VerifyingKey, ...]:
        """The public publishing keys to check publications by: all others follow from them."""
        return (VerifyingKey(self._read(PUBLISHING_PUBLIC_FILE)),)

    def record_id_secret(self) -> bytes:
        """What the ids of exported records are derived by."""
        return self._read(RECORD_ID_FILE)

    def opening_keys(self) -> list[OpeningKey]:
        """The private sealing keys, old and new."""
        names = sorted(path.name for path in self._folder.glob("sealing-*.key"))
        if not names:
            raise KeyFileError(
                f"{self._folder}: there is no sealing key (sealing-*.key) here to open records with"
            )
        return [self._read_opening_key(name) for name in names]

    def public_keys(self, opening_key: OpeningKey) -> Keys:
        """What kiosks are told: a sealing key, and the newest that sign for the centre."""
        return Keys(
            sealing=opening_key.sealing_key,
            receipt=self.signing_keys(Signs.RECEIPTS)[-1].verifying_key,
            publishing=self.signing_keys(Signs.PUBLICATIONS)[-1].verifying_key,
        )

    def add_signing_key(self, signs: Signs) -> SigningKey:
        """Make one more key to sign these with; the file's name has its number."""
        number = max((number for number, _ in self._numbered(signs)), default=0) + 1
        private = generate_signing_key()
        self._write(f"{signs.value}.key" if number == 1 else f"{signs.value}-{number}.key", private)
        return SigningKey(private)

    def add_opening_key(self, algorithm: SealingAlgorithm = SealingAlgorithm.X25519) -> OpeningKey:
        """Make one more sealing key; the file's name says its id."""
        key = OpeningKey(generate_opening_key(), algorithm)
        self.keep_opening_key(key)
        return key

    def keep_opening_key(self, key: OpeningKey) -> Path | None:
        """Keep a sealing key as a file; None if it is here already."""
        name = f"sealing-{key.sealing_key.key_id.hex()}.key"
        try:
            self._write(name, bytes([key.sealing_key.algorithm]) + key.private)
        except FileExistsError:
            self._read_opening_key(name)
            return None
        return self._folder / name

    def _numbered(self, signs: Signs) -> list[tuple[int, str]]:
        """The names of the key files for this purpose, each with its number before it."""
        form = re.compile(rf"{signs.value}(?:-([0-9]{{1,9}}))?\.key")
        found = (form.fullmatch(path.name) for path in self._folder.glob(f"{signs.value}*.key"))
        return sorted((int(match[1] or 1), match[0]) for match in found if match)

    def _read_opening_key(self, name: str) -> OpeningKey:
        algorithm, *private = self._read(name, 1 + _LENGTH)
        try:
            return OpeningKey(bytes(private), SealingAlgorithm(algorithm))
        except ValueError:
            raise KeyFileError(
                f"{self._folder / name}: of an algorithm that this version doesn't know"
            ) from None

    def _read(self, name: str, length: int = _LENGTH) -> bytes:
        path = self._folder / name
        try:
            key = bytes.fromhex(path.read_text(encoding="ascii"))
        except OSError as error:
            raise KeyFileError(f"{path}: can't be read: {error.strerror}") from None
        except ValueError:
            key = b""
        if len(key) != length:
            raise KeyFileError(f"{path}: damaged; it should hold {2 * length} hexadecimal digits")
        return key

    def _write(self, name: str, key: bytes) -> None:
        write_private(self._folder / name, f"{key.hex()}\n".encode())


def write_private(path: Path, content: bytes) -> None:
    """Write a new file that only its owner may read, all the way to the disk.

    Raises:
        FileExistsError: there is such a file already.
    """
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
