"""Renewal: a kiosk whose store is damaged goes on with a new one.

The damaged store is left as and where it is, for the central team. The new one is begun beside it,
with what can be read of the old: its logs, to be delivered as they are, its publications and its
counts. A record that stands on a page that can't be read is a hole in its log, which the centre
can name. The kiosk stays the same, for its identity is in a file of its own.
"""

import logging
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

from sqlalchemy import Connection, Engine, Row

from sync_service.outbox.database import (
    DamagedStoreError,
    StoreKey,
    WrongKeyError,
    create_store,
    following_store,
    naming_file_errors,
    newest_store,
    open_store,
    open_to_read,
    reading,
)
from sync_service.outbox.identity import DamagedIdentityError, Identity

_CHUNK: Final = 256
_WHOLE: Final = (("publication", "fact"), ("day",), ("unsure_day",))
"""Tables of which all is taken over, or nothing; those that stand together fit each other."""

log = logging.getLogger(__name__)


def open_or_renew(path: Path, key: StoreKey, identity_path: Path) -> Engine:
    """Open the store that a kiosk records into, after reading all of it; renew a damaged one.

    Only the process that records may do this: what it put into the old store is in the new one.

    Raises:
        OutboxError: the store can't be used, for another reason than that it is damaged.
    """
    try:
        return open_sound(path, key, identity_path)
    except DamagedStoreError as error:
        found = error
    with naming_file_errors(path):
        renew(path, key)
    log.error("store damaged, another begun", extra={"detail": str(found)})
    return open_store(path, key)


def open_sound(path: Path, key: StoreKey, identity_path: Path) -> Engine:
    """Open the store in use after reading all of it.

    Raises:
        DamagedStoreError: some of it can't be read.
        OutboxError: the store can't be used for another reason.
    """
    try:
        engine = open_store(path, key)
    except WrongKeyError:
        # A damaged first page looks like a wrong key; the identity says whether it is one.
        if not _fits(key, identity_path):
            raise
        raise DamagedStoreError(f"{newest_store(path)}: its first page is damaged") from None
    try:
        with reading(engine) as connection:
            found = connection.exec_driver_sql("PRAGMA quick_check(1)").scalar_one()
        if found != "ok":
            raise DamagedStoreError(f"{newest_store(path)}: damaged: {found}")
    except BaseException:
        engine.dispose()
        raise
    return engine


def renew(path: Path, key: StoreKey) -> None:
    """Begin a store after the one in use, with what can be read of that."""
    old = newest_store(path)
    create_store(following_store(path), key, lambda fresh: _take_over(old, key, fresh))


def _fits(key: StoreKey, identity_path: Path) -> bool:
    if not identity_path.exists():
        return False
    try:
        Identity.open(identity_path, key)
    except DamagedIdentityError:
        return False
    return True


def _take_over(old: Path, key: StoreKey, fresh: Connection) -> None:
    if not old.exists():  # it is gone, but for its latest changes, which nobody can read without it
        return
    engine = open_to_read(old, key)
    try:
        with suppress(DamagedStoreError, WrongKeyError):
            logs = _all(engine, "log")
            _insert(fresh, "log", logs)
            for each in logs:
                for rows in _readable(engine, each.number, each.head_seq):
                    _insert(fresh, "record", rows)
        for tables in _WHOLE:
            with suppress(DamagedStoreError, WrongKeyError):
                for table, rows in [(table, _all(engine, table)) for table in tables]:
                    _insert(fresh, table, rows)
    finally:
        engine.dispose()


def _all(engine: Engine, table: str) -> list[Row[Any]]:
    with reading(engine) as connection:
        return list(connection.exec_driver_sql(f"SELECT * FROM {table}").all())


def _readable(engine: Engine, number: int, head_seq: int) -> Iterator[list[Row[Any]]]:
    """The records of a log that can be read, past those that can't, in their order."""
    seq, step = 0, _CHUNK
    while seq < head_seq:
        try:
            with reading(engine) as connection:
                rows = connection.exec_driver_sql(
                    "SELECT * FROM record WHERE log = ? AND seq > ? ORDER BY seq LIMIT ?",
                    (number, seq, step),
                ).all()
        except DamagedStoreError:
            if step == 1:
                seq += 1
            step = 1
            continue
        if not rows:
            return
        yield list(rows)
        seq, step = rows[-1].seq, min(2 * step, _CHUNK)


def _insert(connection: Connection, table: str, rows: list[Row[Any]]) -> None:
    if rows:
        names = rows[0]._fields
        places = ", ".join("?" * len(names))
        connection.exec_driver_sql(
            f"INSERT INTO {table} ({', '.join(names)}) VALUES ({places})",
            [tuple(row) for row in rows],
        )
