"""Rekeying: a store and the identity beside it go over to another key, whenever the power goes.

First the identity is written to open with either key; then the store is made whole under the new
one, aside, and put in its place; then the identity is written for the new key alone. So whichever
key opens the store opens the identity too, and doing it again ends what was cut short. A store is
copied rather than rekeyed where it stands: SQLCipher would write every page twice, and one page
that can't be read would leave half of it under either key.
"""

from pathlib import Path
from shutil import rmtree
from typing import Final

from sqlalchemy import Connection

from sync_service.outbox.database import (
    StoreKey,
    WrongKeyError,
    naming_file_errors,
    newest_store,
    open_store,
    replace_store,
)
from sync_service.outbox.identity import Identity

_CHUNK: Final = 256


def rekey(path: Path, key: StoreKey, new_key: StoreKey, identity_path: Path) -> None:
    """Put the store in use at ``path``, and the identity, under another key.

    When this returns, both are under it and survive a power cut, and nothing is left that a going
    over had made aside when it was cut short. Neither kiosk nor agent may run meanwhile. Stores
    that were set aside for their damage stay under the key that they have.

    Raises:
        BusyStoreError: kiosk or agent has the store open; it is under the key that it was.
        OutboxError: the store or the identity can't be used, or neither key is theirs. Whichever
            key opens the store then opens the identity too.
    """
    with naming_file_errors(path):
        try:
            open_store(path, key).dispose()
        except WrongKeyError:
            open_store(path, new_key).dispose()  # it was done before, but for the identity perhaps
        else:
            Identity.open(identity_path, key).lock(key, new_key)
            replace_store(newest_store(path), key, new_key, _copy)
        Identity.open(identity_path, new_key).lock(new_key)
        for file in (newest_store(path), identity_path):
            for remnant in file.parent.glob(f".{file.name}-*"):
                rmtree(remnant)


def _copy(old: Connection, fresh: Connection) -> None:
    """Put all that is in a store into another, which is empty."""
    tables = old.exec_driver_sql(
        "SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite%'"
        " ORDER BY rowid"
    ).scalars()
    for table in tables.all():
        rows = old.exec_driver_sql(f"SELECT * FROM {table}")
        places = ", ".join("?" * len(rows.keys()))
        for chunk in rows.partitions(_CHUNK):
            fresh.exec_driver_sql(
                f"INSERT INTO {table} ({', '.join(rows.keys())}) VALUES ({places})",
                [tuple(row) for row in chunk],
            )
