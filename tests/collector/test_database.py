import asyncio

import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from sqlalchemy import insert, select, text
from sqlalchemy.exc import IntegrityError

from sync_service.collector import tables
from sync_service.collector.database import (
    check_schema,
    migrate,
    open_engine,
    reading,
    writing,
)
from sync_service.collector.error import BusyError, SchemaError

PLACE = {"code": "W06000015", "name": "Cardiff"}


@pytest.fixture
def engine(tmp_path, runner):
    engine = open_engine(f"sqlite+aiosqlite:///{tmp_path / 'collector.db'}")
    yield engine
    runner.run(engine.dispose())


@pytest.fixture
def impatient(tmp_path, engine, runner):
    """Another engine on the same database, that does not wait."""
    engine = open_engine(f"sqlite+aiosqlite:///{tmp_path / 'collector.db'}", busy_timeout_s=0.01)
    yield engine
    runner.run(engine.dispose())


async def places(engine):
    async with reading(engine) as connection:
        return (await connection.execute(select(tables.place.c.code))).scalars().all()


def test_the_tables_and_the_migrations_agree(engine, runner):
    async def difference():
        await migrate(engine)
        async with reading(engine) as connection:
            return await connection.run_sync(
                lambda connection: compare_metadata(
                    MigrationContext.configure(connection), tables.metadata
                )
            )

    assert runner.run(difference()) == []


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


def test_what_is_committed_is_on_the_disk_and_references_hold(engine, runner):
    async def pragmas():
        async with reading(engine) as connection:
            return [
                (await connection.exec_driver_sql(f"PRAGMA {name}")).scalar_one()
                for name in ("journal_mode", "synchronous", "foreign_keys")
            ]

    full, on = 2, 1
    assert runner.run(pragmas()) == ["wal", full, on]


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
    async def write_while_another_writes():
        await migrate(engine)
        async with writing(engine):
            async with reading(impatient):
                pass  # readers wait for nobody
            async with writing(impatient):
                pass

    with pytest.raises(BusyError, match="another writer"):
        runner.run(write_while_another_writes())


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


def test_two_writers_take_turns_and_neither_is_lost(engine, runner):
    async def write(code):
        async with writing(engine) as connection:
            before = len((await connection.execute(select(tables.place))).all())
            await asyncio.sleep(0)
            await connection.execute(
                insert(tables.place).values(code=f"{before}-{code}", name="A place")
            )

    async def write_all():
        await migrate(engine)
        await asyncio.gather(*(write(code) for code in range(12)))
        return await places(engine)

    numbers = sorted(int(code.partition("-")[0]) for code in runner.run(write_all()))
    assert numbers == [*range(12)]
