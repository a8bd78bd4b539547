"""Opening: sealed records become responses, verdicts and days. It needs the private key.

Intake keeps what it can't read; only here is a record seen. What can't be used stays sealed with
its outcome, is counted, and can be opened again when its key or its publication has come. Every
chunk is written in one short transaction, so opening may be killed at any instant, and several
openers may run at once.
"""

import asyncio
import hmac
import logging
import re
from collections import Counter
from collections.abc import Collection, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from functools import lru_cache
from itertools import groupby
from typing import Any, Final, TypeAlias

from sqlalchemy import Row, bindparam, func, select, union_all, update
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from sync_service.collector import tables
from sync_service.collector.database import reading, writing
from sync_service.collector.half_days import Dated, resolve
from sync_service.collector.opened import (
    IS_WAITING,
    OpenedRecord,
    Place,
    named_place,
    place_of,
    write,
)
from sync_service.collector.published import Published
from sync_service.collector.tables import Opening
from sync_service.contract.error import MalformedError, UnknownKeyError, UnopenableError
from sync_service.contract.publication import Assignment, Replies
from sync_service.contract.questionnaire import Questionnaire
from sync_service.contract.record import (
    DayRecord,
    Record,
    Response,
    Verdict,
    decode_record,
)
from sync_service.contract.sealing import OpeningKey, read_header
from sync_service.contract.signing import VerifyingKey

CHUNK: Final = 1000
"""How many records are opened and written at a time."""

REOPENABLE: Final = frozenset(
    outcome for outcome in Opening if Opening.UNKNOWN_KEY <= outcome < Opening.APART
)
"""The outcomes of records that stayed sealed for something that may have come since."""

RECORD_ID_LENGTH: Final = 16

_RECORD_ID: Final = b"regard/1 record id\x00"
_LANGUAGE: Final = re.compile(r"[A-Za-z0-9]+(-[A-Za-z0-9]+)*")
_DAY_S: Final = 86_400

_log: Final = logging.getLogger(__name__)

_WAITING: Final = (
    select(
        *place_of(tables.record),
        tables.record.c.sealed,
        tables.record.c.received_at,
        tables.log.c.kiosk_id,
    )
    .join_from(tables.record, tables.log, tables.record.c.log_id == tables.log.c.log_id)
    .where(IS_WAITING)
    .order_by(*place_of(tables.record))
    .limit(CHUNK)
)
# Where the stamps that kiosks were ever admitted under were assigned to, then or later.
_SITES: Final = (
    select(tables.stamped.c.kiosk_id, tables.publication.c.site)
    .join_from(
        tables.stamped,
        tables.publication,
        tables.stamped.c.stamp_id == tables.publication.c.stamp_id,
    )
    .where(tables.stamped.c.kiosk_id.in_(bindparam("kiosks", expanding=True)))
    .distinct()
)
_before: Final = union_all(
    *(
        select(func.max(since).label("half_day")).where(
            table.c.log_id == bindparam("log_id"),
            table.c.branch == bindparam("branch"),
            table.c.seq < bindparam("seq"),
        )
        for table, since in (
            (tables.response, tables.response.c.earliest_half_day),
            (tables.verdict, tables.verdict.c.earliest_half_day),
            (tables.day, tables.day.c.earliest_half_day // 2 * 2),  # its day may go on
        )
    )
).subquery()
_EARLIEST_BEFORE: Final = select(func.max(_before.c.half_day))


_WaitingRow: TypeAlias = "Row[*tuple[Any, ...]]"


async def run(
    engine: AsyncEngine,
    opening_keys: Sequence[OpeningKey],
    publishing_keys: Sequence[VerifyingKey],
    id_secret: bytes,
    *,
    follow: bool,
    stop: asyncio.Event,
    pause_s: float = 1.0,
) -> None:
    """Open what waits; if ``follow``, go on with what comes, until ``stop`` is set.

    ``publishing_keys`` are the public ones that ever were in force. By ``id_secret`` the ids of
    records are derived: under another one, the same record has another id.

    Raises:
        SignatureError: a publication in the database was signed by none of the publishing keys.
        BusyError: the database has no turn to give just now; what was opened is safe.
    """
    opener = Opener(engine, opening_keys, publishing_keys, id_secret)
    while not stop.is_set():
        counts = await opener.open_waiting(stop)
        if counts:
            told = {outcome.name.lower(): counts[outcome] for outcome in sorted(counts)}
            _log.info("records opened", extra=told)
        if not follow:
            break
        with suppress(TimeoutError):
            await asyncio.wait_for(stop.wait(), pause_s)


async def count_by_outcome(engine: AsyncEngine) -> dict[Opening, int]:
    """How many records there are of each outcome; an outcome of none is left out."""
    opening = tables.record.c.opening
    async with reading(engine) as connection:
        found = await connection.execute(
            select(opening, func.count()).group_by(opening).order_by(opening)
        )
        return {Opening(outcome): count for outcome, count in found}


async def reopen(engine: AsyncEngine, outcomes: Collection[Opening] = REOPENABLE) -> int:
    """Let the records of these outcomes wait for opening again; says how many they are.

    Raises:
        ValueError: an outcome outside `REOPENABLE`.
    """
    if not REOPENABLE.issuperset(outcomes):
        allowed = ", ".join(outcome.name.lower() for outcome in sorted(REOPENABLE))
        raise ValueError(f"only these can be opened again: {allowed}")
    async with writing(engine) as connection:
        found = await connection.execute(
            update(tables.record)
            .where(tables.record.c.opening.in_(outcomes))
            .values(opening=Opening.WAITING)
        )
        return found.rowcount


class Opener:
    """Opens what waits, as often as it is asked to. Its arguments are those of `run`."""

    def __init__(
        self,
        engine: AsyncEngine,
        opening_keys: Sequence[OpeningKey],
        publishing_keys: Sequence[VerifyingKey],
        id_secret: bytes,
    ) -> None:
        self._engine = engine
        self._keys = {key.sealing_key.key_id: key for key in opening_keys}
        self._id_secret = id_secret
        self._assignments = Published(Assignment, publishing_keys)
        self._questionnaires = Published(Questionnaire, publishing_keys)
        self._replies = Published(Replies, publishing_keys)

    async def open_waiting(self, stop: asyncio.Event | None = None) -> Counter[Opening]:
        """Open all that waits, or what can be before ``stop`` is set; says what became of it.

        Raises:
            SignatureError: a publication in the database was signed by none of the publishing
                keys.
            BusyError: the database has no turn to give just now; what was opened is safe.
        """
        counts: Counter[Opening] = Counter()
        while stop is None or not stop.is_set():
            async with reading(self._engine) as connection:
                waiting = (await connection.execute(_WAITING)).all()
                if not waiting:
                    break
                found = await self._open(connection, waiting)
            async with writing(self._engine) as connection:
                counts += await write(connection, found)
        return counts

    async def _open(
        self, connection: AsyncConnection, waiting: Sequence[_WaitingRow]
    ) -> dict[Place, OpenedRecord | Opening]:
        """What each waiting record is: what to write, or the outcome that leaves it sealed."""
        unsealed = [self._unseal(row.sealed, row.log_id) for row in waiting]
        await self._load(connection, [each for each in unsealed if not isinstance(each, Opening)])
        kiosks = {"kiosks": sorted({row.kiosk_id for row in waiting})}
        sites = {tuple(row) for row in await connection.execute(_SITES, kiosks)}
        found: dict[Place, OpenedRecord | Opening] = {}
        usable: list[tuple[_WaitingRow, Record]] = []
        for row, record in zip(waiting, unsealed, strict=True):
            if isinstance(record, Opening):
                found[_place(row)] = record
            elif (fault := self._fault(record, row.kiosk_id, sites)) is not None:
                found[_place(row)] = fault
            else:
                usable.append((row, record))
        for _, branch in groupby(usable, lambda each: _place(each[0])[:2]):
            for opened in await self._date(connection, list(branch)):
                found[opened.place] = opened
        return found

    def _unseal(self, sealed: bytes, log_id: bytes) -> Record | Opening:
        try:
            key = self._keys.get(read_header(sealed).key_id)
            if key is None:
                return Opening.UNKNOWN_KEY
            record = decode_record(key.open(sealed, log_id))
        except UnknownKeyError:
            return Opening.UNKNOWN_KEY
        except UnopenableError:
            return Opening.UNOPENABLE
        except MalformedError:
            return Opening.MALFORMED
        if not isinstance(record, DayRecord) and not _LANGUAGE.fullmatch(record.language):
            return Opening.MALFORMED
        return record

    def _record_id(self, sealed: bytes) -> bytes:
        return hmac.digest(self._id_secret, _RECORD_ID + sealed, "sha256")[:RECORD_ID_LENGTH]

    async def _load(self, connection: AsyncConnection, records: Sequence[Record]) -> None:
        """Load the publications that records name."""
        await self._assignments.load(connection, {record.assignment for record in records})
        await self._questionnaires.load(
            connection, {record.questionnaire for record in records if isinstance(record, Response)}
        )
        await self._replies.load(
            connection, {record.replies for record in records if isinstance(record, Verdict)}
        )

    def _fault(
        self, record: Record, kiosk_id: bytes, sites: Collection[tuple[bytes, str]]
    ) -> Opening | None:
        """Why a kiosk's record can't be used, or None if it can.

        ``sites`` are kiosks, each with a site that a stamp of it was ever assigned to: there it
        may have recorded, and nowhere else, under whichever stamp.
        """
        assignment = self._assignments.get(record.assignment)
        if assignment is None or (kiosk_id, assignment.site) not in sites:
            return Opening.UNKNOWN_ASSIGNMENT
        match record:
            case Response():
                return self._fault_of_response(record)
            case Verdict():
                replies = self._replies.get(record.replies)
                if replies is None or replies.site != assignment.site:
                    return Opening.UNKNOWN_REPLY
                if all(reply.code != record.reply for reply in replies.replies):
                    return Opening.UNKNOWN_REPLY
        return None

    def _fault_of_response(self, response: Response) -> Opening | None:
        questionnaire = self._questionnaires.get(response.questionnaire)
        if questionnaire is None:
            return Opening.UNKNOWN_QUESTIONNAIRE
        items = {item.code: item for item in questionnaire.items}
        if not items.keys() >= set(response.offered):
            return Opening.UNKNOWN_ITEM
        if not all(items[code].admits(value) for code, value in response.answers.items()):
            return Opening.NOT_ADMITTED
        return None

    async def _date(
        self, connection: AsyncConnection, branch: Sequence[tuple[_WaitingRow, Record]]
    ) -> list[OpenedRecord]:
        """What to write of records of one branch: with when they can have been made."""
        first, _ = branch[0]
        since = await connection.scalar(_EARLIEST_BEFORE, named_place(_place(first)))
        dated = [
            Dated(
                record.moment,
                assigned_at=self._assignments.published_at(record.assignment),
                arrived_at=row.received_at,
                timezone=self._assignments[record.assignment].timezone,
                sums_up=isinstance(record, DayRecord),
            )
            for row, record in branch
        ]
        return [
            OpenedRecord(
                _place(row),
                record,
                {
                    "record_id": self._record_id(row.sealed),
                    "received_day": _utc_day(row.received_at // _DAY_S),
                    "half_day": record.moment.half_day,
                    "clock_synced": record.moment.clock_synced,
                    "earliest_half_day": earliest,
                    "latest_half_day": latest,
                },
            )
            for (row, record), (earliest, latest) in zip(branch, resolve(dated, since), strict=True)
        ]


def _place(row: _WaitingRow) -> Place:
    return row.log_id, row.branch, row.seq


@lru_cache(maxsize=1024)
def _utc_day(days: int) -> str:
    return datetime.fromtimestamp(days * _DAY_S, UTC).date().isoformat()
