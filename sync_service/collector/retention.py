"""Retention: what was kept long enough is dropped, day by day.

What was opened of a record goes when its kiosk's organisation has had it for as many months as the
respondent was told, or as the organisation says now, if that is fewer; its sealed bytes go with it,
or earlier by a setting. They count from the half-day by which the record surely was made, or of
sealed bytes from the day they came. Digests stay, with a signed word, so that the chain holds.
"""

import asyncio
import logging
from collections import defaultdict
from collections.abc import AsyncIterator, Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from datetime import UTC, date, datetime, time
from typing import Final, TypeAlias
from zoneinfo import ZoneInfo

from sqlalchemy import (
    ColumnElement,
    Table,
    and_,
    false,
    func,
    literal,
    or_,
    select,
    tuple_,
    update,
)
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from sync_service.collector import tables
from sync_service.collector.database import delete_columns, reading, update_columns, writing
from sync_service.collector.error import CollectorError
from sync_service.collector.insight.period import Month
from sync_service.collector.opened import TABLES, place_of
from sync_service.collector.proof.expiries import write_expiries
from sync_service.collector.proof.records import Held, digest_of, lock_log
from sync_service.collector.published import Published
from sync_service.collector.tables import Opening
from sync_service.contract.error import ContractError
from sync_service.contract.publication import Assignment, Keys
from sync_service.contract.record import half_day_of
from sync_service.contract.signing import SigningKey, VerifyingKey

_CHUNK: Final = 1000
_PAUSE_S: Final = 600.0
_record: Final = tables.record.c
_BYTES: Final = (_record.sealed, _record.digest, _record.opening)
_HELD: Final = select(_record.branch, _record.seq, *_BYTES)

_Place: TypeAlias = tuple[int, int]  # a branch and a seq of a log
_BEGINNING: Final = (0, 0)

_log: Final = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Dropped:
    """Of how many records the sealed bytes were dropped alone, and of how many all."""

    sealed: int = 0
    opened: int = 0


@dataclass(frozen=True, slots=True)
class _Limit:
    """What was made under an assignment before a half-day is dropped."""

    site: str
    day: date
    half_day: int


class Retention:
    """Drops what was kept long enough.

    ``sealed_months`` is for how many months sealed bytes are kept once they are opened; 0: as long
    as what was opened of them. ``publishing_keys`` are the public ones that ever were in force.
    """

    def __init__(
        self,
        engine: AsyncEngine,
        publishing_keys: Sequence[VerifyingKey],
        receipt_key: SigningKey,
        sealed_months: int,
    ) -> None:
        self._engine = engine
        self._receipt_key = receipt_key
        self._sealed_months = sealed_months
        self._assignments = Published(Assignment, publishing_keys)
        self._keys = Published(Keys, publishing_keys)

    async def enforce(self, at: datetime) -> Dropped:
        """Drop what was kept long enough at a moment, by short transactions.

        Raises:
            BusyError: the database has no turn to give just now; what was dropped is.
            SignatureError: a publication in the database was signed by none of the publishing keys.
        """
        async with reading(self._engine) as connection:
            await self._keys.load_all(connection)
            limits = await self._limits(connection, at)
            due = await _logs_with_due(connection, limits)
        await self._note_sites(limits.values())  # before: half of a period is not to be shown
        opened = sealed = 0
        for log_id in due:
            for table in TABLES.values():
                async for number in self._drop_opened(table, log_id, limits, at.date()):
                    opened += number
            await self._drop_copies(log_id, at.date())
        if self._sealed_months:
            day = months_before(at.date(), self._sealed_months)
            before = int(datetime.combine(day, time(), UTC).timestamp())
            async with reading(self._engine) as connection:
                old = select(_record.log_id).where(*_old_bytes(before)).distinct()
                due = [*await connection.scalars(old)]
            for log_id in due:
                async for number in self._drop_sealed(log_id, before, at.date()):
                    sealed += number
        return Dropped(sealed, opened)

    async def _limits(self, connection: AsyncConnection, at: datetime) -> Mapping[int, _Limit]:
        """By the serial of each assignment, what is to be dropped of what was made under it."""
        await self._assignments.load_all(connection)
        organisation = tables.organisation.c
        now = dict(
            tuple(row)
            for row in await connection.execute(select(organisation.code, organisation.kept_months))
        )
        limits: dict[int, _Limit] = {}
        for serial, assignment in self._assignments.items():
            said = (assignment.kept_months, now.get(assignment.organisation))
            months = min((each for each in said if each is not None), default=None)
            if months is not None:
                today = at.astimezone(ZoneInfo(assignment.timezone)).date()
                day = months_before(today, months)
                half_day = half_day_of(datetime.combine(day, time()))
                limits[serial] = _Limit(assignment.site, day, half_day)
        return limits

    async def _drop_opened(
        self, table: Table, log_id: bytes, limits: Mapping[int, _Limit], on: date
    ) -> AsyncIterator[int]:
        """Drop what a table has of a log that is due, with its bytes; says how many, by and by."""
        async with reading(self._engine) as connection:
            of_log = select(table.c.assignment).where(table.c.log_id == log_id)
            serials = [each for each in await connection.scalars(of_log.distinct())]
        is_due = (table.c.log_id == log_id) & _made_before(table, serials, limits)
        due = (
            select(table.c.branch, table.c.seq, *_BYTES)
            .join_from(table, tables.record, _same_place(table, tables.record), isouter=True)
            .where(is_due)
            .order_by(table.c.branch, table.c.seq)
            .limit(_CHUNK)
        )
        after = _BEGINNING
        while True:
            async with writing(self._engine) as connection:
                await lock_log(connection, log_id)
                found = (await connection.execute(due.where(_is_after(table, after)))).all()
                if found:
                    for of in (table, tables.answer) if table is tables.response else (table,):
                        await delete_columns(connection, of, _places(log_id, found))
                    held = [row for row in found if row.opening is not None]
                    await self._empty(connection, log_id, held, on, Opening.EXPIRED)
            if not found:
                break
            after = (found[-1].branch, found[-1].seq)
            yield len(found)

    async def _drop_copies(self, log_id: bytes, on: date) -> None:
        """Drop copies, elsewhere in a log, of what has expired there."""
        of_log = _record.log_id == log_id
        async with writing(self._engine) as connection:
            await lock_log(connection, log_id)
            found = await connection.execute(
                _HELD.where(of_log, _record.opening == int(Opening.COPY))
            )
            copies = found.all()
            if not copies:  # as nearly always
                return
            expired = set(
                await connection.scalars(
                    select(_record.digest).where(of_log, _record.opening == int(Opening.EXPIRED))
                )
            )
            emptied = [row for row in copies if digest_of(row) in expired]
            await self._empty(connection, log_id, emptied, on, Opening.EXPIRED)

    async def _drop_sealed(self, log_id: bytes, before: int, on: date) -> AsyncIterator[int]:
        """Drop the bytes of a log's records that came before a time; says how many, by and by."""
        old = (
            _HELD.where(_record.log_id == log_id, *_old_bytes(before))
            .order_by(_record.branch, _record.seq)
            .limit(_CHUNK)
        )
        after = _BEGINNING
        while True:
            async with writing(self._engine) as connection:
                await lock_log(connection, log_id)
                found = await connection.execute(old.where(_is_after(tables.record, after)))
                emptied = found.all()
                await self._empty(connection, log_id, emptied, on)
            if not emptied:
                break
            after = (emptied[-1].branch, emptied[-1].seq)
            yield len(emptied)

    async def _empty(
        self,
        connection: AsyncConnection,
        log_id: bytes,
        rows: Sequence[Held],
        on: date,
        opening: Opening | None = None,
    ) -> None:
        """Keep of records of a log only their digests, and put that in writing."""
        if not rows:
            return
        seqs: defaultdict[int, list[int]] = defaultdict(list)
        for row in rows:
            seqs[row.branch].append(row.seq)
        await update_columns(
            connection,
            tables.record,
            {
                "sealed": [None] * len(rows),
                "digest": [digest_of(row) for row in rows],
                "opening": [row.opening if opening is None else int(opening) for row in rows],
            },
            _places(log_id, rows),
        )
        await write_expiries(
            connection,
            log_id,
            seqs,
            on=on,
            receipt_key=self._receipt_key,
            receipt_keys=[
                self._receipt_key.verifying_key,
                *(keys.receipt for keys in self._keys.values()),
            ],
        )

    async def _note_sites(self, limits: Iterable[_Limit]) -> None:
        """Note of each site the day before which answers are dropped; it only rises."""
        days: defaultdict[str, str] = defaultdict(str)
        for limit in limits:
            days[limit.site] = max(days[limit.site], limit.day.isoformat())
        site = tables.site.c
        async with writing(self._engine) as connection:
            for code, day in days.items():
                await connection.execute(
                    update(tables.site)
                    .where(site.code == code, func.coalesce(site.dropped_before, "") < day)
                    .values(dropped_before=day)
                )


@dataclass(frozen=True, slots=True)
class Kept:
    """For how long answers given at a site are kept; and the day before which they are dropped."""

    site: str
    organisation: str
    kept_months: int | None
    dropped_before: str | None


async def list_kept(engine: AsyncEngine) -> list[Kept]:
    """For how long answers are kept, site by site."""
    site, organisation = tables.site.c, tables.organisation.c
    query = (
        select(site.code, organisation.code, organisation.kept_months, site.dropped_before)
        .select_from(tables.site)
        .join(tables.service)
        .join(tables.organisation)
        .order_by(organisation.code, site.code)
    )
    async with reading(engine) as connection:
        return [Kept(*row) for row in await connection.execute(query)]


async def count_emptied(engine: AsyncEngine) -> Dropped:
    """How many records have been dropped so far."""
    async with reading(engine) as connection:
        sealed = await connection.scalar(
            select(func.count()).where(
                _record.opening.in_((int(Opening.OPENED), int(Opening.COPY))),
                _record.sealed.is_(None),
            )
        )
        opened = await connection.scalar(
            select(func.count()).where(_record.opening == int(Opening.EXPIRED))
        )
    return Dropped(sealed or 0, opened or 0)


async def keep_enforcing(
    retention: Retention,
    stop: asyncio.Event,
    clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    pause_s: float = _PAUSE_S,
) -> None:
    """Enforce retention once a day, until ``stop`` is set."""
    done_on: date | None = None
    while not stop.is_set():
        now = clock()
        if now.date() != done_on:
            try:
                dropped = await retention.enforce(now)
            except (CollectorError, ContractError, SQLAlchemyError, OSError) as error:
                _log.warning("retention not enforced", extra={"reason": type(error).__name__})
            else:
                done_on = now.date()
                if dropped != Dropped():
                    _log.info("kept long enough and dropped", extra=asdict(dropped))
        with suppress(TimeoutError):
            await asyncio.wait_for(stop.wait(), pause_s)


def months_before(day: date, months: int) -> date:
    """The same day so many months earlier, or the last of that month if it is shorter."""
    month = Month.of(day).after(-months)
    return month.start.replace(day=min(day.day, month.days))


async def _logs_with_due(connection: AsyncConnection, limits: Mapping[int, _Limit]) -> list[bytes]:
    """The logs of which something opened is to be dropped."""
    logs: set[bytes] = set()
    for table in TABLES.values():
        made = await connection.execute(
            select(table.c.assignment, func.min(table.c.latest_half_day)).group_by(
                table.c.assignment
            )
        )
        due = [
            serial
            for serial, earliest in made
            if serial in limits and earliest < limits[serial].half_day
        ]
        for start in range(0, len(due), _CHUNK):
            made_before = _made_before(table, due[start : start + _CHUNK], limits)
            found = await connection.scalars(select(table.c.log_id).where(made_before).distinct())
            logs.update(found)
    return sorted(logs)


def _made_before(
    table: Table, serials: Iterable[int], limits: Mapping[int, _Limit]
) -> ColumnElement[bool]:
    """What was surely made before the limits of these assignments, as far as they have any."""
    alike: defaultdict[int, list[int]] = defaultdict(list)
    for serial in serials:
        if serial in limits:
            alike[limits[serial].half_day].append(serial)
    return or_(
        false(),
        *(
            table.c.assignment.in_(of_it) & (table.c.latest_half_day < half_day)
            for half_day, of_it in alike.items()
        ),
    )


def _is_after(table: Table, place: _Place) -> ColumnElement[bool]:
    """What stands after a place in a log: what was dropped before it is not looked at again."""
    branch, seq = place
    return tuple_(table.c.branch, table.c.seq) > tuple_(literal(branch), literal(seq))


def _places(log_id: bytes, rows: Sequence[Held]) -> Mapping[str, Sequence[object]]:
    """Where rows of a log stand, by column."""
    return {
        "log_id": [log_id] * len(rows),
        "branch": [row.branch for row in rows],
        "seq": [row.seq for row in rows],
    }


def _same_place(one: Table, other: Table) -> ColumnElement[bool]:
    pairs = zip(place_of(one), place_of(other), strict=True)
    return and_(*(mine == theirs for mine, theirs in pairs))


def _old_bytes(before: int) -> list[ColumnElement[bool]]:
    """Records that are opened, came before a time, and of which the bytes are still held."""
    return [
        _record.opening.in_((int(Opening.OPENED), int(Opening.COPY))),
        _record.sealed.is_not(None),
        _record.received_at < before,
    ]
