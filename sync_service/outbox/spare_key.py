"""The spare key: the store's key, kept beside the store, sealed to the centre.

When a board dies and takes the key with it, the central team can still open the card. Nobody at
the site can: it is sealed as records are. The file is ``check (8 bytes) || sealed key``; the check
tells which key is in it, to nobody who does not know that key.
"""

import logging
from hashlib import sha256
from pathlib import Path
from typing import Final

from sync_service.contract.error import UnknownKeyError
from sync_service.contract.sealing import HEADER_LENGTH, OpeningKey, SealingKey
from sync_service.outbox.database import (
    MalformedKeyError,
    OutboxError,
    StoreKey,
    naming_file_errors,
)
from sync_service.outbox.whole_file import write_whole

_CHECK_LENGTH: Final = 8

log = logging.getLogger(__name__)


def spare_key_path(store: Path) -> Path:
    """Where the spare key of a store is."""
    return store.with_name("spare-key")


def keep_spare_key(store: Path, key: StoreKey, sealing_key: SealingKey) -> None:
    """See that the spare key of a store is there, sealed to that sealing key.

    If that fails, it is said in the log, and tried again at the next start: a kiosk records
    without it.
    """
    path = spare_key_path(store)
    known = _check(key) + bytes([sealing_key.algorithm]) + sealing_key.key_id
    try:
        with naming_file_errors(path):
            held = path.read_bytes() if path.exists() else b""
            if held[: _CHECK_LENGTH + HEADER_LENGTH] != known:
                write_whole(path, _check(key) + sealing_key.seal_store_key(key.secret))
    except OutboxError as error:
        reason = {"reason": type(error).__name__, "detail": str(error)}
        log.warning("spare key not kept", extra=reason)


def open_spare_key(store: Path, opening_keys: list[OpeningKey]) -> StoreKey:
    """The key of a store, by its spare key and a private sealing key of the centre's.

    Raises:
        MalformedKeyError: there is no spare key beside the store, or the file is damaged.
        UnknownKeyError: it was sealed to none of these keys.
        ContractError: it does not open.
    """
    path = spare_key_path(store)
    try:
        sealed = path.read_bytes()[_CHECK_LENGTH:]
    except OSError as error:
        raise MalformedKeyError(f"{path}: can't be read: {error.strerror}") from None
    for opening_key in opening_keys:
        if sealed[1:HEADER_LENGTH] == opening_key.sealing_key.key_id:
            return StoreKey(opening_key.open_store_key(sealed))
    raise UnknownKeyError(
        f"{path}: sealed to the key {sealed[1:HEADER_LENGTH].hex()}, which is not here:"
        " bring its file back, sealing-….key"
    )


def _check(key: StoreKey) -> bytes:
    return sha256(b"regard/1 store key check\x00" + key.secret).digest()[:_CHECK_LENGTH]
