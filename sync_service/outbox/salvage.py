"""Salvage: what the store of a dead kiosk still holds, read from a copy of its files.

The files are never written to, whatever state they are in. What can be read of a damaged store is
found as a kiosk finds it that goes on with another one.
"""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from sqlalchemy import Engine

from sync_service.contract.error import ContractError
from sync_service.contract.sealing import OpeningKey
from sync_service.contract.signing import SigningKey
from sync_service.contract.wire import MAX_BATCH_RECORDS
from sync_service.outbox.database import DamagedStoreError, OutboxError, StoreKey, open_store
from sync_service.outbox.identity import DamagedIdentityError, Identity
from sync_service.outbox.outbox import MAX_RUN_LENGTH, Outbox, Run
from sync_service.outbox.renewal import open_sound, renew
from sync_service.outbox.spare_key import open_spare_key
from sync_service.outbox.state import State

_STORE: Final = "store.db"
_IDENTITY: Final = "identity"
_LABEL: Final = b"regard/1 salvage identity"


class SalvageError(OutboxError):
    """Nothing can be read of a store; the message says why, and what to bring."""


@dataclass(frozen=True, slots=True)
class Salvage:
    """What is left of a kiosk.

    ``signing_key`` is the kiosk's own if its identity was read, else one that follows from the
    store's key: a kiosk that has lost its identity. ``damaged``: not all of the store can be read.
    ``stamp_id`` is `None` if the store can't say under which stamp it was.
    """

    outbox: Outbox
    signing_key: SigningKey
    has_identity: bool
    stamp_id: bytes | None
    damaged: bool

    def runs(self) -> Iterator[Run]:
        """All that was not delivered, one batch's worth after the other."""
        run = None
        while True:
            run = self.outbox.next_run(MAX_BATCH_RECORDS, MAX_RUN_LENGTH, None, after=run)
            if run is None:
                return
            yield run


@contextmanager
def salvaged(store: Path, opening_keys: list[OpeningKey]) -> Iterator[Salvage]:
    """What is left of the kiosk whose store is that file, until the end of the block.

    Its identity and its spare key must lie beside it, and its latest changes (``-wal``), as they
    do on the card.

    Raises:
        SalvageError: nothing can be read.
    """
    with TemporaryDirectory(prefix="regard-salvage-") as folder:
        copy = Path(folder, _STORE)
        try:
            key = open_spare_key(store, opening_keys)
            _copy(store, copy)
            engine, damaged = _open(copy, key)
            try:
                own = _identity(copy.with_name(_IDENTITY), key)
                yield Salvage(
                    outbox=Outbox(engine),
                    signing_key=own or SigningKey(_derived(key)),
                    has_identity=own is not None,
                    stamp_id=State(engine).stamp_id,
                    damaged=damaged,
                )
            finally:
                engine.dispose()
        except (OutboxError, ContractError) as error:
            raise SalvageError(str(error).replace(str(copy), str(store))) from None


def _copy(store: Path, copy: Path) -> None:
    """Copy a store, its latest changes, and the kiosk's identity."""
    try:
        shutil.copyfile(store, copy)
        for name, there in ((f"{store.name}-wal", f"{_STORE}-wal"), (_IDENTITY, _IDENTITY)):
            with suppress(FileNotFoundError):
                shutil.copyfile(store.with_name(name), copy.with_name(there))
    except OSError as error:
        raise SalvageError(f"{error.filename}: {error.strerror}") from None


def _open(copy: Path, key: StoreKey) -> tuple[Engine, bool]:
    """What can be read of a store, and whether that is not all of it."""
    try:
        return open_sound(copy, key, copy.with_name(_IDENTITY)), False
    except DamagedStoreError:
        renew(copy, key)
    return open_store(copy, key), True


def _identity(path: Path, key: StoreKey) -> SigningKey | None:
    """The kiosk's own signing key, if its file is there and sound."""
    if not path.exists():
        return None
    try:
        return Identity.open(path, key).signing_key
    except DamagedIdentityError:
        return None


def _derived(key: StoreKey) -> bytes:
    """A private key for who has lost the kiosk's own: the same at each try, so it can be approved.

    Whoever has the store's key has the kiosk's own from its file, so nothing is given away by it.
    """
    return HKDF(algorithm=SHA256(), length=32, salt=None, info=_LABEL).derive(key.secret)
