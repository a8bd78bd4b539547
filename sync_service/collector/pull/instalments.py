"""Instalments: opened records put together to be handed out, so that none is missed or repeated.

Records arrive late and in any order, and are opened later still. What is handed out follows another
order: once a day, all that is opened, over and in no instalment yet becomes the next one, and is
closed. A closed instalment never changes, and a record never changes its instalment, so the place
after a record of an instalment is a place for ever: see `Position`.

An instalment takes only what arrived on a day that was over in UTC, and what is over everywhere on
Earth. That a record is in it says no more than the day of its arrival, which stands in its row.
"""

import asyncio
import json
import logging
import secrets
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from typing import Final

from sqlalchemy import ColumnElement, Table, func, insert, literal, select, tuple_, update
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from sync_service.collector import tables
from sync_service.collector.database import reading, writing
from sync_service.collector.error import CollectorError
from sync_service.collector.insight.package import Span, tell_kiosks, tell_unopened
from sync_service.collector.insight.rows import last_half_day
from sync_service.collector.opening import RECORD_ID_LENGTH, count_by_outcome
from sync_service.contract.record import half_day_of

SOURCES: Final = (tables.response, tables.verdict, tables.day)
"""The tables of opened records."""

TAG_LENGTH: Final = 8
END: Final = b"\xff" * RECORD_ID_LENGTH
"""Behind every record of an instalment: no id is this one."""

_CHUNK: Final = 2000
_FARTHEST_BEHIND: Final = timedelta(hours=12)
_PAUSE_S: Final = 600.0
_instalment: Final = tables.instalment.c

_log: Final = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Position:
    """A place in the order in which rows of a table are handed out: after a record.

    ``tag`` is that of the instalment. A collector restored from a backup closes other instalments
    under the numbers of those it lost; by their tags they are told apart.
    """

    number: int = 0
    tag: bytes = bytes(TAG_LENGTH)
    record_id: bytes = END

    def before(self, source: Table, end: "Position") -> ColumnElement[bool]:
        """What is between this place and another one, that record included."""
        at = tuple_(source.c.instalment, source.c.record_id)
        return (at > tuple_(literal(self.number), literal(self.record_id))) & (
            at <= tuple_(literal(end.number), literal(end.record_id))
        )


@dataclass(frozen=True, slots=True)
class Stretch:
    """The rows of a table between two places: how many, and when they are from."""

    start: Position
    end: Position
    rows: int
    span: Span
    more: bool


async def newest(connection: AsyncConnection) -> Position:
    """The end of the newest instalment that is closed."""
    found = await connection.execute(
        select(_instalment.number, _instalment.tag).order_by(_instalment.number.desc()).limit(1)
    )
    return Position(*found.one())


async def is_there(connection: AsyncConnection, position: Position) -> bool:
    """Whether a place is one in this collector's instalments."""
    tag = await connection.scalar(
        select(_instalment.tag).where(_instalment.number == position.number)
    )
    return tag == position.tag


async def stretch(
    connection: AsyncConnection, source: Table, start: Position, limit: int | None
) -> Stretch:
    """The rows of a table after a place, to the end of the newest instalment or up to a limit."""
    last = await newest(connection)
    end, more = last, False
    if limit is not None:
        found = await connection.execute(
            select(source.c.instalment, source.c.record_id, _instalment.tag)
            .join(tables.instalment, _instalment.number == source.c.instalment)
            .where(start.before(source, last))
            .order_by(source.c.instalment, source.c.record_id)
            .offset(limit - 1)
            .limit(2)
        )
        match found.all():
            case [(number, record_id, tag), _]:
                end, more = Position(number, tag, record_id), True
    counted = await connection.execute(
        select(
            func.count(), func.min(source.c.earliest_half_day), func.max(source.c.latest_half_day)
        ).where(start.before(source, end))
    )
    rows, first, latest = counted.one()
    return Stretch(start, end, rows, Span(first, latest), more)


@dataclass(frozen=True, slots=True)
class Told:
    """What there was to tell when the newest instalment was closed; before the first, nothing.

    ``kiosks`` and ``not_opened`` are as `tell_about` takes them.
    """

    closed_on: date | None = None
    kiosks: Sequence[Mapping[str, object]] = ()
    held_back: int = 0
    not_opened: Mapping[str, int] = field(default_factory=dict)


async def newest_told(connection: AsyncConnection) -> Told:
    """What there was to tell when the newest instalment was closed.

    It stands still until the next one: who watches it change would learn when kiosks deliver.
    """
    found = await connection.execute(
        select(_instalment.closed_on, _instalment.told).where(_instalment.told.is_not(None))
    )
    row = found.one_or_none()
    if row is None:
        return Told()
    return Told(date.fromisoformat(row.closed_on), **json.loads(row.told))


async def total_span(connection: AsyncConnection) -> Span:
    """When all responses that are handed out are from."""
    found = await connection.execute(
        select(func.min(_instalment.first_half_day), func.max(_instalment.last_half_day))
    )
    return Span(*found.one())


async def close_instalment(engine: AsyncEngine, at: datetime) -> bool:
    """Close the instalment of a day, in UTC, if that is not done; says whether it was done now.

    Records are taken in by short transactions, so that nobody waits long for the database. What
    one that was interrupted took in is closed by the next. Several may run at once.

    Raises:
        BusyError: the database has no turn to give just now.
    """
    today = at.astimezone(UTC).date()
    async with reading(engine) as connection:
        if await _is_closed(connection, today):
            return False
    for source in SOURCES:
        while await _take_in(engine, source, today):
            pass
    unopened = tell_unopened(await count_by_outcome(engine))
    async with writing(engine) as connection:
        number = await _number_to_close(connection, today)
        if number is None:
            return False
        response = tables.response.c
        found = await connection.execute(
            select(func.min(response.earliest_half_day), func.max(response.latest_half_day)).where(
                response.instalment == number
            )
        )
        first, last = found.one()
        told = {
            "kiosks": await tell_kiosks(connection),
            "held_back": await _held_back(connection),
            "not_opened": unopened,
        }
        await connection.execute(
            update(tables.instalment).where(_instalment.told.is_not(None)).values(told=None)
        )
        await connection.execute(
            insert(tables.instalment).values(
                number=number,
                tag=secrets.token_bytes(TAG_LENGTH),
                closed_on=today.isoformat(),
                first_half_day=first,
                last_half_day=last,
                told=json.dumps(told),
            )
        )
    return True


async def keep_closing(
    engine: AsyncEngine,
    stop: asyncio.Event,
    clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    pause_s: float = _PAUSE_S,
) -> None:
    """Close each day's instalment soon after the day has begun, until ``stop`` is set."""
    while not stop.is_set():
        try:
            await close_instalment(engine, clock())
        except (CollectorError, SQLAlchemyError, OSError) as error:
            _log.warning("instalment not closed", extra={"reason": type(error).__name__})
        with suppress(TimeoutError):
            await asyncio.wait_for(stop.wait(), pause_s)


async def _take_in(engine: AsyncEngine, source: Table, today: date) -> bool:
    """Take some records into the instalment that is to be closed; says whether there were any."""
    # Where it is latest on Earth it is still this half-day; those before it are over everywhere.
    midnight = datetime.combine(today, time())
    current = half_day_of(midnight - _FARTHEST_BEHIND)
    key = (source.c.log_id, source.c.branch, source.c.seq)
    async with writing(engine) as connection:
        number = await _number_to_close(connection, today)
        if number is None:
            return False
        due = (
            select(*key)
            .where(
                source.c.instalment.is_(None),
                source.c.received_day < today.isoformat(),
                last_half_day(source) < current,
            )
            .limit(_CHUNK)
        )
        taken = await connection.execute(
            update(source).where(tuple_(*key).in_(due)).values(instalment=number)
        )
        return taken.rowcount > 0


async def _number_to_close(connection: AsyncConnection, today: date) -> int | None:
    """The next instalment's number, or None if today's is closed. Until the transaction ends,
    nobody else takes anything into it, or closes it.
    """
    # SQLite, where there is one writer anyhow, leaves the clause out.
    await connection.execute(
        select(_instalment.number).where(_instalment.number == 0).with_for_update()
    )
    if await _is_closed(connection, today):
        return None
    return (await newest(connection)).number + 1


async def _is_closed(connection: AsyncConnection, today: date) -> bool:
    day = today.isoformat()
    return (
        await connection.scalar(select(_instalment.number).where(_instalment.closed_on == day))
        is not None
    )


async def _held_back(connection: AsyncConnection) -> int:
    """How many opened records are in no instalment yet."""
    counts = [
        await connection.scalar(
            select(func.count()).select_from(source).where(source.c.instalment.is_(None))
        )
        for source in SOURCES
    ]
    return sum(count or 0 for count in counts)
