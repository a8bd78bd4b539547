"""The collector's database: opened by its URL, read and written in transactions, migrated.

It is SQLite or PostgreSQL; what depends on which is here. SQLite runs with WAL and
synchronous=FULL, PostgreSQL with synchronous_commit, so that what a receipt says is held survives
a power cut.
"""

import sqlite3
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from functools import lru_cache
from pathlib import Path
from typing import Any, Final

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import URL, Connection, Dialect, Table, event, make_url
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine

from sync_service.collector.error import BusyError, SchemaError

_MIGRATIONS: Final = Path(__file__).parent / "migrations"
_CONNECTIONS: Final = 8
_CONNECT_TIMEOUT_S: Final = 10.0
_WRITING: Final = "regard_writing"
_PRIMARY_CODE: Final = 0xFF  # the rest of an SQLite error code says more of the same
_BUSY_STATES: Final[Mapping[str, str]] = {
    "40P01": "another writer holds the database",  # and waits for us: one had to give way
    "55P03": "another writer holds the database",
    "53300": "the database has no connection left",
    "57P01": "the database was shut down",
    "57P02": "the database was shut down",
    "57P03": "the database is starting up, or shutting down",
}
_MIGRATION_LOCK: Final = int.from_bytes(b"regard", "big")


def open_engine(url: str | URL, *, busy_timeout_s: float = 30.0) -> AsyncEngine:
    """The engine of a database. Nothing is opened before it is used; dispose of it at the end.

    ``url`` begins with ``sqlite+aiosqlite:`` or ``postgresql+asyncpg:``. Whoever waits longer than
    ``busy_timeout_s`` for a connection, or for another writer, gets a `BusyError`.
    """
    sqlite = make_url(url).get_backend_name() == "sqlite"
    engine = create_async_engine(
        url,
        hide_parameters=True,  # an error's text must hold nothing of a record
        pool_size=_CONNECTIONS,
        max_overflow=0,
        pool_timeout=busy_timeout_s,
        connect_args=_sqlite_arguments(busy_timeout_s)
        if sqlite
        else _postgresql_arguments(busy_timeout_s),
    )
    if sqlite:
        event.listen(engine.sync_engine, "connect", _prepare_sqlite)
        event.listen(engine.sync_engine, "begin", _begin_sqlite)
    else:
        event.listen(engine.sync_engine, "do_connect", _connect_postgresql)
    return engine


@asynccontextmanager
async def reading(engine: AsyncEngine) -> AsyncIterator[AsyncConnection]:
    """A transaction that only reads, and sees the database as it is at its first statement.

    Raises:
        BusyError: no connection came free in time, or the database is away.
    """
    options: dict[str, Any] = {}
    if engine.dialect.name == "postgresql":
        options = {"isolation_level": "REPEATABLE READ", "postgresql_readonly": True}
    async with _transaction(engine, options) as connection:
        yield connection


@asynccontextmanager
async def writing(engine: AsyncEngine) -> AsyncIterator[AsyncConnection]:
    """A transaction that writes: committed at the end, undone on any error.

    On SQLite it holds the only writer's place from its first moment. On PostgreSQL writers run
    side by side, and each statement sees what was committed before it: lock the row that a
    decision hangs on.

    Raises:
        BusyError: no connection came free, or another writer did not end, in time, or the
            database is away. If that came at the very end, all may be committed nevertheless.
    """
    async with _transaction(engine, {_WRITING: True}) as connection:
        yield connection


async def insert_columns(
    connection: AsyncConnection,
    table: Table,
    columns: Mapping[str, Sequence[object]],
    same: Mapping[str, object],
) -> None:
    """Insert many rows: ``columns`` hold what differs, one value a row, ``same`` what does not.

    This is how rows come in by the hundred: by one statement on PostgreSQL, and past all that
    SQLAlchemy does for each value, which takes longer than the database does. No value is
    converted on its way to the driver.
    """
    names = (tuple(same), tuple(columns))
    if connection.dialect.name == "postgresql":
        values = (*same.values(), *columns.values())
        statement = _insert_from_arrays(connection.dialect, table, *names)
        await connection.exec_driver_sql(statement, values)
    else:
        constant = tuple(same.values())
        rows = [constant + row for row in zip(*columns.values(), strict=True)]
        await connection.exec_driver_sql(_insert_values(table, *names), rows)


async def update_columns(
    connection: AsyncConnection,
    table: Table,
    columns: Mapping[str, Sequence[object]],
    keys: Mapping[str, Sequence[object]],
) -> None:
    """Update many rows as `insert_columns` inserts them; ``keys`` are the columns to find them by.

    A row that is not there is passed over.
    """
    names = (tuple(columns), tuple(keys))
    values = (*columns.values(), *keys.values())
    if connection.dialect.name == "postgresql":
        statement = _update_from_arrays(connection.dialect, table, *names)
        await connection.exec_driver_sql(statement, values)
    else:
        await connection.exec_driver_sql(
            _update_values(table, *names), list(zip(*values, strict=True))
        )


async def delete_columns(
    connection: AsyncConnection, table: Table, keys: Mapping[str, Sequence[object]]
) -> None:
    """Delete many rows as `update_columns` updates them; ``keys`` are what to find them by."""
    names = tuple(keys)
    if connection.dialect.name == "postgresql":
        statement = _delete_from_arrays(connection.dialect, table, names)
        await connection.exec_driver_sql(statement, tuple(keys.values()))
    else:
        rows = list(zip(*keys.values(), strict=True))
        await connection.exec_driver_sql(_delete_values(table, names), rows)


@lru_cache(maxsize=64)
def _insert_from_arrays(
    dialect: Dialect, table: Table, same: tuple[str, ...], columns: tuple[str, ...]
) -> str:
    numbered = _numbered(dialect, table, same + columns)
    arrays = ", ".join(f"{each}[]" for each in numbered[len(same) :])
    return (
        f"INSERT INTO {table.name} ({', '.join(same + columns)})"
        f" SELECT {', '.join([*numbered[: len(same)], 'differing.*'])}"
        f" FROM unnest({arrays}) AS differing"
    )


@lru_cache(maxsize=64)
def _insert_values(table: Table, same: tuple[str, ...], columns: tuple[str, ...]) -> str:
    names = same + columns
    return f"INSERT INTO {table.name} ({', '.join(names)}) VALUES ({', '.join('?' * len(names))})"


@lru_cache(maxsize=64)
def _update_from_arrays(
    dialect: Dialect, table: Table, columns: tuple[str, ...], keys: tuple[str, ...]
) -> str:
    arrays = ", ".join(f"{each}[]" for each in _numbered(dialect, table, columns + keys))
    changes = ", ".join(f"{name} = differing.{name}" for name in columns)
    which = " AND ".join(f"{table.name}.{name} = differing.{name}" for name in keys)
    return (
        f"UPDATE {table.name} SET {changes}"
        f" FROM unnest({arrays}) AS differing ({', '.join(columns + keys)}) WHERE {which}"
    )


@lru_cache(maxsize=64)
def _update_values(table: Table, columns: tuple[str, ...], keys: tuple[str, ...]) -> str:
    changes = ", ".join(f"{name} = ?" for name in columns)
    which = " AND ".join(f"{name} = ?" for name in keys)
    return f"UPDATE {table.name} SET {changes} WHERE {which}"


@lru_cache(maxsize=64)
def _delete_from_arrays(dialect: Dialect, table: Table, keys: tuple[str, ...]) -> str:
    arrays = ", ".join(f"{each}[]" for each in _numbered(dialect, table, keys))
    which = " AND ".join(f"{table.name}.{name} = differing.{name}" for name in keys)
    return (
        f"DELETE FROM {table.name} USING unnest({arrays}) AS differing ({', '.join(keys)})"
        f" WHERE {which}"
    )


@lru_cache(maxsize=64)
def _delete_values(table: Table, keys: tuple[str, ...]) -> str:
    return f"DELETE FROM {table.name} WHERE {' AND '.join(f'{name} = ?' for name in keys)}"


def _numbered(dialect: Dialect, table: Table, names: Sequence[str]) -> list[str]:
    """Parameters of PostgreSQL's, each cast to the type of a column."""
    types = [table.c[name].type.compile(dialect) for name in names]
    return [f"${number}::{kind}" for number, kind in enumerate(types, start=1)]


@asynccontextmanager
async def _transaction(
    engine: AsyncEngine, options: Mapping[str, Any]
) -> AsyncIterator[AsyncConnection]:
    try:
        async with engine.connect() as connection:
            await connection.execution_options(**options)
            async with connection.begin():
                yield connection
    except PoolTimeoutError:
        raise BusyError("no database connection came free in time") from None
    except DBAPIError as error:
        if (busy := _why_busy(error)) is not None:
            raise BusyError(busy) from None
        raise


def _why_busy(error: DBAPIError) -> str | None:
    """Why the database did not serve us, if it may do so a little later."""
    code = getattr(error.orig, "sqlite_errorcode", sqlite3.SQLITE_OK)
    if code & _PRIMARY_CODE == sqlite3.SQLITE_BUSY:
        return "another writer holds the database"
    if error.connection_invalidated:
        return "the connection to the database was lost"
    return _BUSY_STATES.get(getattr(error.orig, "sqlstate", None) or "")


async def forget_deleted(engine: AsyncEngine) -> None:
    """Let nothing of what was deleted linger in SQLite's journal; PostgreSQL sees to it itself.

    Where readers stand in the way, it is gone when the journal is next begun anew.
    """
    if engine.dialect.name == "sqlite":
        async with engine.connect() as connection:
            # Past what would begin a transaction, in which this can't be done.
            driver = (await connection.get_raw_connection()).driver_connection
            assert driver is not None
            await driver.execute("PRAGMA wal_checkpoint(TRUNCATE)")


async def migrate(engine: AsyncEngine) -> None:
    """Bring the database to the newest schema, an empty one too, in one transaction.

    Raises:
        SchemaError: the database was made by a newer version of Regard.
    """
    async with writing(engine) as connection:
        await connection.run_sync(_migrate)


async def check_begun(engine: AsyncEngine) -> None:
    """See that there is a collector in the database, of whatever version.

    Raises:
        SchemaError: it is empty.
    """
    async with reading(engine) as connection:
        await connection.run_sync(_check_begun)


async def check_schema(engine: AsyncEngine) -> None:
    """See that the database answers and is at the newest schema.

    Raises:
        SchemaError: it is not.
    """
    async with reading(engine) as connection:
        await connection.run_sync(_check_schema)


def _sqlite_arguments(busy_timeout_s: float) -> dict[str, Any]:
    # Transactions are begun below, not by the driver.
    return {"timeout": busy_timeout_s, "isolation_level": None}


def _postgresql_arguments(busy_timeout_s: float) -> dict[str, Any]:
    return {
        "timeout": _CONNECT_TIMEOUT_S,
        "server_settings": {
            "application_name": "regard-collector",
            "lock_timeout": f"{busy_timeout_s * 1000:.0f}",
            "synchronous_commit": "on",  # whatever the server's own default is
        },
    }


def _connect_postgresql(
    dialect: Dialect, _: object, arguments: Sequence[Any], options: Mapping[str, Any]
) -> Any:
    try:
        return dialect.connect(*arguments, **options)
    except OSError as error:
        raise BusyError(f"the database can't be reached: {error}") from None


def _prepare_sqlite(connection: Any, _: object) -> None:
    cursor = connection.cursor()
    for pragma in ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON", "secure_delete=ON"):
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()


def _begin_sqlite(connection: Connection) -> None:
    writing = connection.get_execution_options().get(_WRITING, False)
    # A transaction that begins by reading and then writes can fail with "locked" at any moment.
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writing else "BEGIN")


def _config(connection: Connection) -> Config:
    config = Config()
    config.set_main_option("script_location", str(_MIGRATIONS).replace("%", "%%"))
    config.attributes["connection"] = connection
    return config


def _migrate(connection: Connection) -> None:
    if connection.dialect.name == "postgresql":  # two collectors may be started at once
        connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({_MIGRATION_LOCK})")
    config = _config(connection)
    _refuse_newer(connection, ScriptDirectory.from_config(config))
    command.upgrade(config, "head")


def _check_begun(connection: Connection) -> None:
    if MigrationContext.configure(connection).get_current_revision() is None:
        raise SchemaError("the database is empty; bring it back from a backup")


def _check_schema(connection: Connection) -> None:
    script = ScriptDirectory.from_config(_config(connection))
    if _refuse_newer(connection, script) != script.get_current_head():
        raise SchemaError(
            "the database is of an older version of Regard:"
            " start `regard-collector serve` once, which brings it up to date"
        )


def _refuse_newer(connection: Connection, script: ScriptDirectory) -> str | None:
    current = MigrationContext.configure(connection).get_current_revision()
    if current is not None and current not in {known.revision for known in script.walk_revisions()}:
        raise SchemaError(
            f"the database has the schema {current}, which this version of Regard does not know:"
            " install the newer version that made it"
        )
    return current
