"""Opened records: written into the tables of what they are, each once, and settled.

A chunk is written in one short transaction, by a few statements however many records it holds.
"""

import json
from collections import Counter, defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, TypeAlias

from sqlalchemy import ColumnElement, Table, bindparam, literal, select, tuple_
from sqlalchemy.ext.asyncio import AsyncConnection

from sync_service.collector import tables
from sync_service.collector.database import insert_columns, update_columns
from sync_service.collector.tables import Opening
from sync_service.contract.codec import Value
from sync_service.contract.record import DayRecord, Record, Response, Verdict

TABLES: Final[Mapping[type[Record], Table]] = {
    Response: tables.response,
    Verdict: tables.verdict,
    DayRecord: tables.day,
}
"""Where opened records are written, by their kind."""

# Written into the statement, or the index of the waiting records can't serve it.
IS_WAITING: Final = tables.record.c.opening == literal(Opening.WAITING, literal_execute=True)
"""Whether a record waits to be opened."""

Place: TypeAlias = tuple[bytes, int, int]
"""Where a record stands: its log, branch and seq."""

Columns: TypeAlias = dict[str, object]
"""A row to write, by the names of its columns."""

_PLACE: Final = ("log_id", "branch", "seq")


def place_of(table: Table) -> list[ColumnElement[Any]]:
    """The columns that a record's place stands in."""
    return [table.c[name] for name in _PLACE]


def named_place(place: Place) -> Columns:
    """A place by the names of its columns."""
    log_id, branch, seq = place
    return {"log_id": log_id, "branch": branch, "seq": seq}


# Of two openers one waits here, so that neither writes what the other just did. SQLite, where
# there is one writer anyhow, leaves the clause out.
_LOCK_LOGS: Final = (
    select(tables.log.c.log_id)
    .where(tables.log.c.log_id.in_(bindparam("logs", expanding=True)))
    .order_by(tables.log.c.log_id)
    .with_for_update(key_share=True)
)
# From the first of a chunk's places to the last. Others may have come between since.
_STILL_WAITING: Final = select(*place_of(tables.record)).where(
    IS_WAITING,
    tuple_(*place_of(tables.record)).between(
        tuple_(*(bindparam(f"first_{name}") for name in _PLACE)),
        tuple_(*(bindparam(f"last_{name}") for name in _PLACE)),
    ),
)


@dataclass(frozen=True, slots=True)
class OpenedRecord:
    """A record, where it stands, and what is known of it beside what it says itself.

    ``known`` are columns: its id, the day of its arrival, and when it was made.
    """

    place: Place
    record: Record
    known: Columns

    @property
    def table(self) -> Table:
        """Where it is written."""
        return TABLES[type(self.record)]

    @property
    def identity(self) -> tuple[bytes, object]:
        """What it is known by, wherever in its log it stands."""
        return self.place[0], self.known["record_id"]

    def columns(self) -> Columns:
        """What is written of it, but for its answers."""
        return {**named_place(self.place), **self.known, **_columns(self.record)}

    def answers(self) -> list[Columns]:
        """What is written of its answers."""
        if not isinstance(self.record, Response):
            return []
        key = named_place(self.place)
        return [
            {
                **key,
                "item": item,
                "option": value if isinstance(value, int) else None,
                "text": value if isinstance(value, str) else None,
            }
            for item, value in self.record.answers.items()
        ]


async def write(
    connection: AsyncConnection, found: Mapping[Place, OpenedRecord | Opening]
) -> Counter[Opening]:
    """Write what was found of the records that still wait; says what became of them."""
    await connection.execute(_LOCK_LOGS, {"logs": sorted({place[0] for place in found})})
    ends = {
        f"{end}_{name}": part
        for end, place in (("first", min(found)), ("last", max(found)))
        for name, part in named_place(place).items()
    }
    waiting = {tuple(place) for place in await connection.execute(_STILL_WAITING, ends)}
    known = await _known(connection, found.values())
    outcomes: dict[Place, Opening] = {}
    rows: defaultdict[Table, list[Columns]] = defaultdict(list)
    for place, each in found.items():
        if place not in waiting:
            continue
        if isinstance(each, Opening):
            outcomes[place] = each
        elif each.identity in known:
            outcomes[place] = Opening.COPY
        else:
            known.add(each.identity)
            outcomes[place] = Opening.OPENED
            rows[each.table].append(each.columns())
            rows[tables.answer] += each.answers()
    for table, added in rows.items():
        if added:
            await insert_columns(connection, table, _by_column(added), {})
    if outcomes:
        keys = _by_column([named_place(place) for place in outcomes])
        settled = {"opening": list(outcomes.values())}
        await update_columns(connection, tables.record, settled, keys)
    return Counter(outcomes.values())


async def _known(
    connection: AsyncConnection, found: Collection[OpenedRecord | Opening]
) -> set[tuple[object, object]]:
    """Which of the records found were opened before, from whatever place in their log."""
    ids: defaultdict[Table, list[object]] = defaultdict(list)
    for each in found:
        if not isinstance(each, Opening):
            ids[each.table].append(each.known["record_id"])
    known: set[tuple[object, object]] = set()
    for table, wanted in ids.items():
        columns = table.c.log_id, table.c.record_id
        opened = await connection.execute(select(*columns).where(table.c.record_id.in_(wanted)))
        known.update(tuple(each) for each in opened)
    return known


def unknown_members(members: Mapping[int, Value]) -> str | None:
    """The members of a later contract as JSON, or None if there are none.

    The keys of maps become text, and bytes become ``{"hex": "00ff"}``.
    """
    return json.dumps(members, default=_hex_of, sort_keys=True) if members else None


def _hex_of(value: bytes) -> dict[str, str]:
    return {"hex": value.hex()}


def _columns(record: Record) -> Columns:
    """What a record says, but for its time and its answers."""
    columns: Columns = {
        "assignment": record.assignment,
        "unknown": unknown_members(record.unknown),
    }
    match record:
        case Response():
            columns |= {
                "questionnaire": record.questionnaire,
                "language": record.language,
                "ending": record.ending,
                "input_mode": record.input_mode,
                "single_tap": record.single_tap,
                "text_size": record.text_size,
                "helped": record.helped,
                "age_band": record.age_band,
                "misuse": int(record.misuse),  # the driver would take flags for an array of them
                "offered": " ".join(map(str, record.offered)),
                "skipped": " ".join(map(str, record.skipped)),
            }
        case Verdict():
            columns |= {
                "language": record.language,
                "replies": record.replies,
                "reply": record.reply,
                "fairness": record.fairness,
            }
        case DayRecord():
            columns |= {
                "minutes_available": record.minutes_available,
                "minutes_out_of_service": record.minutes_out_of_service,
                "sessions_begun": record.sessions_begun,
                "approaches": record.approaches,
            }
    return columns


def _by_column(rows: Sequence[Columns]) -> dict[str, list[object]]:
    """Rows, which all have the same columns, column by column."""
    return {name: [row[name] for row in rows] for name in rows[0]}
