import asyncio
from pathlib import Path

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from postgresql import Cluster
from sqlalchemy import MetaData, insert, select, text, update
from sqlalchemy.exc import DBAPIError, IntegrityError

from sync_service.collector import database, tables
from sync_service.collector.database import (
    check_begun,
    check_schema,
    insert_columns,
    migrate,
    open_engine,
    reading,
    update_columns,
    writing,
)
from sync_service.collector.error import BusyError, SchemaError

PLACE = {"code": "W06000015", "name": "Cardiff"}


MIGRATIONS = Path(database.__file__).parent / "migrations"
VERSIONS = [
    script.revision for script in ScriptDirectory(str(MIGRATIONS)).walk_revisions("base", "heads")
]


@pytest.fixture
def url(databases):
    return databases.empty()


@pytest.fixture
def engine(url, runner):
    engine = open_engine(url)
    yield engine
    runner.run(engine.dispose())


@pytest.fixture
def impatient(url, engine, runner):
    """Another engine on the same database, that does not wait."""
    engine = open_engine(url, busy_timeout_s=0.01)
    yield engine
    runner.run(engine.dispose())


@pytest.fixture
def on_postgresql(cluster, runner):
    """An engine on a PostgreSQL database."""
    name = cluster.create()
    engine = open_engine(cluster.url(name))
    yield engine
    runner.run(engine.dispose())
    cluster.drop(name)


async def places(engine):
    async with reading(engine) as connection:
        return (await connection.execute(select(tables.place.c.code))).scalars().all()


async def difference(engine):
    """What the tables in the database differ by from those of this version."""
    async with reading(engine) as connection:
        return await connection.run_sync(
            lambda connection: compare_metadata(
                MigrationContext.configure(connection), tables.metadata
            )
        )


def test_the_tables_and_the_migrations_agree(engine, runner):
    runner.run(migrate(engine))
    assert runner.run(difference(engine)) == []


def fill(connection):
    """Put a row into each table that there is; gives all that the tables hold then."""
    found = MetaData()
    found.reflect(connection)
    names = [table for table in found.sorted_tables if table.name != "alembic_version"]
    values = {str: "x", int: 1, bytes: b"x", bool: True}
    for table in names:
        # The same in every column of a type, so that references hold.
        row = {column.name: values[column.type.python_type] for column in table.columns}
        connection.execute(insert(table).values(row))
    return {table: connection.execute(select(table)).all() for table in names}


@pytest.mark.parametrize("version", VERSIONS)
def test_every_version_that_ever_was_is_brought_up_to_date_with_all_that_it_holds(
    engine, runner, version
):
    def make(connection):
        config = Config()
        config.set_main_option("script_location", str(MIGRATIONS))
        config.attributes["connection"] = connection
        command.upgrade(config, version)
        return fill(connection)

    async def make_and_migrate():
        async with writing(engine) as connection:
            before = await connection.run_sync(make)
        await migrate(engine)
        await check_schema(engine)
        async with reading(engine) as connection:
            after = {table: (await connection.execute(select(table))).all() for table in before}
        return await difference(engine), before, after

    different, before, after = runner.run(make_and_migrate())
    assert different == []
    assert {"record", "answer", "kiosk"} <= {table.name for table in before}
    for table, rows in before.items():
        assert set(rows) <= set(after[table]), table.name


def test_collectors_that_start_at_once_migrate_once(engine, url, runner):
    other = open_engine(url)

    async def both():
        await asyncio.gather(migrate(engine), migrate(other))
        await check_schema(other)
        await other.dispose()

    runner.run(both())


def test_an_empty_database_is_not_begun_by_serving(engine, runner):
    with pytest.raises(SchemaError, match="bring it back from a backup"):
        runner.run(check_begun(engine))
    runner.run(migrate(engine))
    runner.run(check_begun(engine))


def test_migrating_twice_changes_nothing(engine, runner):
    async def migrate_twice():
        await migrate(engine)
        async with writing(engine) as connection:
            await connection.execute(insert(tables.place).values(PLACE))
        await migrate(engine)
        await check_schema(engine)
        return await places(engine)

    assert runner.run(migrate_twice()) == ["W06000015"]


def test_a_database_without_the_newest_schema_says_what_to_do(engine, runner):
    with pytest.raises(SchemaError, match="regard-collector serve"):
        runner.run(check_schema(engine))


def test_a_newer_schema_is_refused_and_left_alone(engine, runner):
    async def age():
        await migrate(engine)
        async with writing(engine) as connection:
            await connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))

    runner.run(age())
    for opening in (migrate, check_schema):
        with pytest.raises(SchemaError, match="9999, which this version of Regard does not know"):
            runner.run(opening(engine))


@pytest.mark.sqlite_alone
def test_what_is_committed_is_on_the_disk_and_references_hold(engine, runner):
    async def pragmas():
        async with reading(engine) as connection:
            return [
                (await connection.exec_driver_sql(f"PRAGMA {name}")).scalar_one()
                for name in ("journal_mode", "synchronous", "foreign_keys")
            ]

    full, on = 2, 1
    assert runner.run(pragmas()) == ["wal", full, on]


def test_what_is_committed_is_on_the_disk_whatever_postgresql_was_told_before(
    on_postgresql, runner
):
    async def setting():
        name = on_postgresql.url.database
        async with writing(on_postgresql) as connection:
            await connection.execute(text(f"ALTER DATABASE {name} SET synchronous_commit = off"))
        await on_postgresql.dispose()
        async with reading(on_postgresql) as connection:
            return await connection.scalar(text("SHOW synchronous_commit"))

    assert runner.run(setting()) == "on"


def test_an_error_undoes_the_whole_transaction(engine, runner):
    async def write_wrongly():
        await migrate(engine)
        async with writing(engine) as connection:
            await connection.execute(insert(tables.place).values(PLACE))
            await connection.execute(
                insert(tables.service).values(code="x", name="X", organisation="nobody")
            )

    with pytest.raises(IntegrityError) as caught:
        runner.run(write_wrongly())
    assert "nobody" not in str(caught.value)
    assert runner.run(places(engine)) == []


def test_a_writer_that_waits_too_long_is_told_that_the_database_is_busy(engine, impatient, runner):
    async def change(connection):
        await connection.execute(update(tables.place).values(name="Caerdydd"))

    async def write_while_another_writes():
        await migrate(engine)
        async with writing(engine) as connection:
            await connection.execute(insert(tables.place).values(PLACE))
        async with writing(engine) as connection:
            await change(connection)
            assert await places(impatient) == [PLACE["code"]]  # readers wait for nobody
            async with writing(impatient) as other:
                await change(other)

    with pytest.raises(BusyError, match="another writer"):
        runner.run(write_while_another_writes())


def test_a_reader_sees_the_database_as_it_was_at_its_first_look(engine, runner):
    async def look_twice():
        await migrate(engine)
        async with reading(engine) as connection:
            before = (await connection.execute(select(tables.place))).all()
            async with writing(engine) as other:
                await other.execute(insert(tables.place).values(PLACE))
            after = (await connection.execute(select(tables.place))).all()
        return before, after, await places(engine)

    assert runner.run(look_twice()) == ([], [], [PLACE["code"]])


def test_a_reader_on_postgresql_can_not_write(on_postgresql, runner):
    async def write():
        await migrate(on_postgresql)
        async with reading(on_postgresql) as connection:
            await connection.execute(insert(tables.place).values(PLACE))

    with pytest.raises(DBAPIError, match="read-only transaction"):
        runner.run(write())
    assert runner.run(places(on_postgresql)) == []


def test_a_postgresql_that_goes_away_is_busy_until_it_is_back(runner):
    async def ask(engine):
        async with reading(engine) as connection:
            return await connection.scalar(select(1))

    with Cluster.started() as cluster:
        engine = open_engine(cluster.url("postgres"))
        assert runner.run(ask(engine)) == 1
        cluster.stop()
        for _ in range(2):
            with pytest.raises(BusyError, match=r"lost|reached|shut down"):
                runner.run(ask(engine))
        cluster.start()
        assert runner.run(ask(engine)) == 1
        runner.run(engine.dispose())


def test_a_writer_whose_connection_is_cut_has_written_nothing(on_postgresql, runner):
    async def write_and_be_cut():
        await migrate(on_postgresql)
        async with writing(on_postgresql) as connection:
            await connection.execute(insert(tables.place).values(PLACE))
            async with writing(on_postgresql) as other:
                await other.execute(
                    text(
                        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                        " WHERE state = 'idle in transaction'"
                    )
                )

    with pytest.raises(BusyError, match=r"lost|shut down"):
        runner.run(write_and_be_cut())
    assert runner.run(places(on_postgresql)) == []


def test_whoever_waits_too_long_for_a_connection_is_told_that_the_database_is_busy(
    impatient, runner
):
    async def take_all():
        async with asyncio.TaskGroup() as tasks:
            enough = asyncio.Event()

            async def hold():
                async with reading(impatient):
                    await enough.wait()

            for _ in range(impatient.pool.size()):
                tasks.create_task(hold())
            while impatient.pool.checkedout() < impatient.pool.size():
                await asyncio.sleep(0)
            try:
                async with reading(impatient):
                    pass
            finally:
                enough.set()

    with pytest.raises(ExceptionGroup) as caught:
        runner.run(take_all())
    [error] = caught.value.exceptions
    assert isinstance(error, BusyError)


def test_writers_that_lock_the_same_row_take_turns_and_none_is_lost(engine, runner):
    async def write(code):
        async with writing(engine) as connection:
            await connection.execute(select(tables.organisation).with_for_update())
            before = len((await connection.execute(select(tables.place))).all())
            await asyncio.sleep(0)
            await connection.execute(
                insert(tables.place).values(code=f"{before}-{code}", name="A place")
            )

    async def write_all():
        await migrate(engine)
        async with writing(engine) as connection:
            await connection.execute(insert(tables.organisation).values(code="x", name="X"))
        await asyncio.gather(*(write(code) for code in range(12)))
        return await places(engine)

    numbers = sorted(int(code.partition("-")[0]) for code in runner.run(write_all()))
    assert numbers == [*range(12)]


def test_rows_are_inserted_and_updated_column_by_column(engine, runner):
    codes = ["a", "b", "c"]

    async def insert_and_update():
        await migrate(engine)
        async with writing(engine) as connection:
            await insert_columns(connection, tables.place, {"code": codes}, {"name": "old"})
            changed = {"name": ["first", None, "nobody's"]}
            with pytest.raises(IntegrityError):
                async with connection.begin_nested():
                    await update_columns(connection, tables.place, changed, {"code": codes})
            changed = {"name": ["first", "third", "nobody's"]}
            await update_columns(connection, tables.place, changed, {"code": ["a", "c", "d"]})
        async with reading(engine) as connection:
            return dict((await connection.execute(select(tables.place))).all())

    assert runner.run(insert_and_update()) == {"a": "first", "b": "old", "c": "third"}
