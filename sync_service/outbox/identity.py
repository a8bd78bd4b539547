"""The identity: the kiosk's signing key and its enrolment, in a small file beside the store.

It has a file of its own so that a damaged store does not cost the enrolment. The file is
``magic and version || nonce (12 bytes) || ciphertext``, by ChaCha20-Poly1305 under a key derived
from the store's; what stands before the nonce is authenticated with it. While the store's key is
replaced, the file holds that twice, for either key; see `rekeying`.
"""

import os
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Final, Self

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from sync_service.contract.codec import Fields, Value, decode, encode
from sync_service.contract.error import MalformedError
from sync_service.contract.signing import SigningKey, generate_signing_key
from sync_service.contract.wire import Standing
from sync_service.outbox.database import OutboxError, StoreKey, naming_file_errors
from sync_service.outbox.whole_file import write_whole

_HEADER: Final = b"regard identity\x01"
_LABEL: Final = b"regard/1 identity"
_NONCE_LENGTH: Final = 12
_PRIVATE_LENGTH: Final = 32


class DamagedIdentityError(OutboxError):
    """The file does not open: the store key is wrong, or the file is damaged or of a newer version.

    These can't be told apart. Bring the right key. If the file is lost for good, move it away: the
    kiosk then makes a new key, and has to be approved anew.
    """


class Identity:
    """Who a kiosk is: its signing key, and what it is to the collector.

    ``standing`` is what the collector last said the kiosk is; `None` before its first enrolment.
    """

    def __init__(
        self, path: Path, store_key: StoreKey, private: bytes, standing: Standing | None
    ) -> None:
        self._path = path
        self._store_key = store_key
        self._private = private
        self.signing_key = SigningKey(private)
        self.standing = standing

    @classmethod
    def open(cls, path: Path, store_key: StoreKey) -> Self:
        """The identity in a file, made with a new signing key if no file is there.

        Raises:
            DamagedIdentityError: the file does not open; it is left as it is.
            FullDiskError: no space for a new file.
            StoreUnavailableError: the file can't be read or made.
        """
        with naming_file_errors(path):
            if not path.exists():
                with suppress(FileExistsError):  # another process was quicker, and its key counts
                    cls(path, store_key, generate_signing_key(), None)._write(os.link)
            data = path.read_bytes()
        try:
            private, standing = _decrypt(data, store_key)
        except (InvalidTag, ValueError, MalformedError):
            raise DamagedIdentityError(
                f"{path}: the store's key is wrong or the file is damaged; bring the right key, or"
                " move the file away and let the kiosk be approved anew"
            ) from None
        return cls(path, store_key, private, standing)

    @property
    def kiosk_id(self) -> bytes:
        """The 16 bytes by which the collector knows this kiosk."""
        return self.signing_key.verifying_key.kiosk_id

    def note_standing(self, standing: Standing) -> None:
        """Keep what the collector says the kiosk is; when this returns, it survives a power cut.

        Raises:
            FullDiskError: no space; the file is as it was.
            StoreUnavailableError: the file can't be written; it is as it was.
        """
        if standing == self.standing:
            return
        before, self.standing = self.standing, standing
        try:
            with naming_file_errors(self._path):
                self._write(os.replace)
        except OutboxError:
            self.standing = before
            raise

    def lock(self, *store_keys: StoreKey) -> None:
        """Let the file open with each of these keys, and with no other.

        Raises:
            FullDiskError: no space; the file is as it was.
            StoreUnavailableError: the file can't be written; it is as it was.
        """
        with naming_file_errors(self._path):
            self._write(os.replace, *store_keys)

    def _write(self, put_in_place: Callable[[Path, Path], None], *store_keys: StoreKey) -> None:
        keys = store_keys or (self._store_key,)
        data = b"".join(_encrypt(self._private, self.standing, key) for key in keys)
        write_whole(self._path, data, put_in_place)


def _encrypt(private: bytes, standing: Standing | None, store_key: StoreKey) -> bytes:
    members: dict[int, Value] = {0: private}
    if standing is not None:
        members[1] = standing
    nonce = os.urandom(_NONCE_LENGTH)
    return _HEADER + nonce + _cipher(store_key).encrypt(nonce, encode(members), _HEADER)


def _decrypt(data: bytes, store_key: StoreKey) -> tuple[bytes, Standing | None]:
    for sealed in data.split(_HEADER)[1:]:
        nonce, ciphertext = sealed[:_NONCE_LENGTH], sealed[_NONCE_LENGTH:]
        with suppress(InvalidTag):
            plain = _cipher(store_key).decrypt(nonce, ciphertext, _HEADER)
            fields = Fields(decode(plain), "identity")
            standing = fields.member(1, Standing) if 1 in fields else None
            return fields.octets(0, _PRIVATE_LENGTH), standing
    raise InvalidTag


def _cipher(store_key: StoreKey) -> ChaCha20Poly1305:
    derivation = HKDF(algorithm=SHA256(), length=32, salt=None, info=_LABEL)
    return ChaCha20Poly1305(derivation.derive(store_key.secret))
