"""The collector's database: opened by its URL, read and written in transactions, migrated.

All that depends on the kind of database is here. SQLite runs with WAL and synchronous=FULL, so
that what a receipt says is held survives a power cut.
"""

import sqlite3
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Final

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import URL, Connection, event, make_url
from sqlalchemy.exc import OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine

from sync_service.collector.error import BusyError, SchemaError

_MIGRATIONS: Final = Path(__file__).parent / "migrations"
_CONNECTIONS: Final = 8
_PRIMARY_CODE: Final = 0xFF  # the rest of an SQLite error code says more of the same
_WRITING: Final = "regard_writing"


def open_engine(url: str | URL, *, busy_timeout_s: float = 30.0) -> AsyncEngine:
    """The engine of a database. Nothing is opened before it is used; dispose of it at the end.

    Whoever waits longer than ``busy_timeout_s`` for a connection, or for another writer, gets a
    `BusyError`.
    """
    sqlite = make_url(url).get_backend_name() == "sqlite"
    engine = create_async_engine(
        url,
        hide_parameters=True,  # an error's text must hold nothing of a record
        pool_size=_CONNECTIONS,
        max_overflow=0,
        pool_timeout=busy_timeout_s,
        # Transactions are begun below, not by the driver.
        connect_args={"timeout": busy_timeout_s, "isolation_level": None} if sqlite else {},
    )
    if sqlite:
        event.listen(engine.sync_engine, "connect", _prepare_sqlite)
        event.listen(engine.sync_engine, "begin", _begin_sqlite)
    return engine


@asynccontextmanager
async def reading(engine: AsyncEngine) -> AsyncIterator[AsyncConnection]:
    """A transaction that only reads.

    Raises:
        BusyError: no connection came free in time.
    """
    async with _transaction(engine, writing=False) as connection:
        yield connection


@asynccontextmanager
async def writing(engine: AsyncEngine) -> AsyncIterator[AsyncConnection]:
    """A transaction that writes: committed at the end, undone on any error.

    On SQLite it holds the only writer's place from its first moment.

    Raises:
        BusyError: no connection came free, or another writer did not end, in time.
    """
    async with _transaction(engine, writing=True) as connection:
        yield connection


@asynccontextmanager
async def _transaction(engine: AsyncEngine, *, writing: bool) -> AsyncIterator[AsyncConnection]:
    try:
        async with engine.execution_options(**{_WRITING: writing}).begin() as connection:
            yield connection
    except PoolTimeoutError:
        raise BusyError("no database connection came free in time") from None
    except OperationalError as error:
        code = getattr(error.orig, "sqlite_errorcode", sqlite3.SQLITE_OK)
        if code & _PRIMARY_CODE == sqlite3.SQLITE_BUSY:
            raise BusyError("another writer holds the database") from None
        raise


async def migrate(engine: AsyncEngine) -> None:
    """Bring the database to the newest schema, an empty one too, in one transaction.

    Raises:
        SchemaError: the database was made by a newer version of Regard.
    """
    async with writing(engine) as connection:
        await connection.run_sync(_migrate)


async def check_schema(engine: AsyncEngine) -> None:
    """See that the database answers and is at the newest schema.

    Raises:
        SchemaError: it is not.
    """
    async with reading(engine) as connection:
        await connection.run_sync(_check_schema)


def _prepare_sqlite(connection: Any, _: object) -> None:
    cursor = connection.cursor()
    for pragma in ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON"):
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
    config = _config(connection)
    _refuse_newer(connection, ScriptDirectory.from_config(config))
    command.upgrade(config, "head")


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
