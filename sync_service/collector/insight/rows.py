"""Rows: opened records as analysts get them, typed, whatever they are then written as.

One row is one record, known by an id that tells nothing of its kiosk. An export and the pull API
take their rows from here.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from functools import lru_cache
from itertools import chain
from typing import Any, Final, Self, TypeAlias
from zoneinfo import ZoneInfo

from sqlalchemy import ColumnElement, Row, Select, Table, Text, and_, case, cast, func, select
from sqlalchemy.ext.asyncio import AsyncConnection

from sync_service.collector import tables
from sync_service.collector.insight.columns import (
    ARRIVAL,
    DAY,
    HALVES,
    RESPONSE,
    UNKNOWN,
    VERDICT,
    WHEN,
    WHERE,
    WHICH_DAY,
    Column,
    answer_column,
    id_column,
)
from sync_service.collector.published import Published
from sync_service.contract.publication import Assignment
from sync_service.contract.questionnaire import Item, Questionnaire
from sync_service.contract.record import (
    Ending,
    Fairness,
    Helped,
    InputMode,
    Misuse,
    day_of,
    half_day_of,
)
from sync_service.contract.signing import VerifyingKey

Cell: TypeAlias = str | int | bool | date | None
"""What stands in a row; a cell of a column of type object holds JSON text. None: it is empty."""

Part: TypeAlias = tuple[Cell, ...]
"""One cell or more, side by side, that many rows share: whoever writes them need do it once."""

CellRow: TypeAlias = tuple[str, *tuple[Part, ...]]
"""A row: its id, then its other cells, part by part."""

Raw: TypeAlias = "Row[*tuple[Any, ...]]"
"""What a query gives, from which a row is made."""

LAST_HALF_DAY, ASSIGNMENT, EARLIEST, LATEST = 2, 3, 4, 5
"""Where these stand in it. To take them by their names takes ten times as long."""
_UNKNOWN: Final = 8
_OF_RECORD: Final = 9  # before the columns that not every record has

MAX_SHARED: Final = 4096
"""How many different parts are remembered; people say the same few things, on the same days."""

_ANSWER: Final = re.compile(r"(\d+)(?::(\d+)|=(\d+)=)")


@dataclass(frozen=True, slots=True)
class RowTable:
    """One kind of rows: what stands in them, and how they are read.

    ``id`` is the first column, ``parts`` are the others, as rows have them. ``source`` is the table
    that both queries select from, in no order yet: ``some`` is for a few of its records, once it is
    said which, ``all`` for all of them. ``row`` makes a row of what either gives.
    """

    name: str
    title: str
    id: Column
    parts: Sequence[Sequence[Column]]
    source: Table
    some: Select[Any]
    all: Select[Any]
    row: Callable[[Raw], CellRow]

    @property
    def columns(self) -> tuple[Column, ...]:
        """All its columns."""
        return self.id, *chain.from_iterable(self.parts)

    @property
    def last_half_day(self) -> ColumnElement[int]:
        """The half-day at whose end it is over, in the site's own time, what a record tells of."""
        return last_half_day(self.source)


def last_half_day(source: Table) -> ColumnElement[int]:
    """The half-day at whose end it is over what an opened record tells of; a day has two."""
    latest: ColumnElement[int] = source.c.latest_half_day
    return latest // 2 * 2 + 1 if source is tables.day else latest


class Catalogue:
    """What was published and records name, by which rows are read.

    ``publishing_keys`` are the public ones that ever were in force.
    """

    def __init__(self, publishing_keys: Sequence[VerifyingKey]) -> None:
        self.questionnaires = Published(Questionnaire, publishing_keys)
        self._assignments = Published(Assignment, publishing_keys)
        self._where: dict[int, Part] = {}

    async def load(self, connection: AsyncConnection) -> Self:
        """Take up what was published since the last time; returns itself.

        Raises:
            SignatureError: a publication in the database was signed by none of the keys.
        """
        await self._assignments.load_all(connection)
        await self.questionnaires.load_all(connection)
        for serial in self._assignments.keys() - self._where.keys():
            self._where[serial] = _where(self._assignments[serial])
        return self

    def current_half_days(self, at: datetime) -> Mapping[int, int]:
        """By the serial of each assignment, the half-day that it is there at a moment."""
        of_zone = {
            zone: half_day_of(at.astimezone(ZoneInfo(zone)))
            for zone in {assignment.timezone for assignment in self._assignments.values()}
        }
        return {
            serial: of_zone[assignment.timezone] for serial, assignment in self._assignments.items()
        }

    @property
    def tables(self) -> tuple[RowTable, RowTable, RowTable]:
        """All that there is to be read."""
        return self.responses, self.verdicts, self.days

    @property
    def responses(self) -> RowTable:
        """One row for each respondent's answers."""
        answers = _Answers(self.questionnaires)

        def row(raw: Raw) -> CellRow:
            said, answered = raw[_OF_RECORD:-1], raw[-1]
            return (
                *self._of_record(raw, _when),
                answers.response(said),
                answers.cells(said[0], answered or ""),
                (raw[_UNKNOWN],),
            )

        of = tables.response.c
        columns = (
            *_of_record(tables.response),
            of.questionnaire,
            of.language,
            of.ending,
            of.single_tap,
            of.input_mode,
            of.text_size,
            of.helped,
            of.age_band,
            of.misuse,
            of.offered,
            of.skipped,
        )
        answered_by = [of[key] == _ANSWERED_BY.c[key] for key in _KEY]
        return RowTable(
            "responses",
            "Responses: one row for each respondent's answers",
            id_column("response_id", "response"),
            (WHERE, WHEN, ARRIVAL, RESPONSE, answers.columns, (UNKNOWN,)),
            tables.response,
            select(*columns, _ANSWERED),
            select(*columns, _ANSWERED_BY.c.answered).outerjoin(_ANSWERED_BY, and_(*answered_by)),
            row,
        )

    @property
    def verdicts(self) -> RowTable:
        """One row for each time that someone judged a reply."""

        def row(raw: Raw) -> CellRow:
            *said, fairness = raw[_OF_RECORD:]
            return (
                *self._of_record(raw, _when),
                (*said, _FAIRNESS[fairness]),
                (raw[_UNKNOWN],),
            )

        of = tables.verdict.c
        query = select(*_of_record(tables.verdict), of.language, of.replies, of.reply, of.fairness)
        return RowTable(
            "verdicts",
            "Verdicts: what respondents thought of a reply; they belong to no response",
            id_column("verdict_id", "verdict"),
            (WHERE, WHEN, ARRIVAL, VERDICT, (UNKNOWN,)),
            tables.verdict,
            query,
            query,
            row,
        )

    @property
    def days(self) -> RowTable:
        """One row for each day of a kiosk."""

        def row(raw: Raw) -> CellRow:
            return *self._of_record(raw, _which_day), raw[_OF_RECORD:], (raw[_UNKNOWN],)

        of = tables.day.c
        query = select(
            *_of_record(tables.day),
            of.minutes_available,
            of.minutes_out_of_service,
            of.sessions_begun,
            of.approaches,
        )
        return RowTable(
            "days",
            "Days: one row for each day of a kiosk, so that silence can be told from absence",
            id_column("day_id", "day"),
            (WHERE, WHICH_DAY, ARRIVAL, DAY, (UNKNOWN,)),
            tables.day,
            query,
            query,
            row,
        )

    def _of_record(
        self, raw: Raw, when: Callable[[int, int], Part]
    ) -> tuple[str, Part, Part, Part]:
        """What every row begins with."""
        record_id, _, _, assignment, earliest, latest, clock_synced, received_day, _, *_ = raw
        return (
            record_id.hex(),
            self._where[assignment],
            when(earliest, latest),
            _arrival(clock_synced, received_day),
        )


class _Answers:
    """The columns of the answers: one for each name that an item has in any questionnaire."""

    def __init__(self, questionnaires: Mapping[int, Questionnaire]) -> None:
        asked: dict[str, list[tuple[Questionnaire, Item]]] = {}
        for questionnaire in questionnaires.values():
            for item in questionnaire.items:
                asked.setdefault(item.name, []).append((questionnaire, item))
        self.columns = [answer_column(name, where) for name, where in asked.items()]
        self._editions = {
            serial: (questionnaire.id, questionnaire.version)
            for serial, questionnaire in questionnaires.items()
        }
        places = {name: place for place, name in enumerate(asked)}
        self._items = {
            (serial, str(item.code)): (
                item.name,
                places[item.name],
                {str(option.code): option.name for option in item.options},
            )
            for serial, questionnaire in questionnaires.items()
            for item in questionnaire.items
        }
        self.response = lru_cache(MAX_SHARED)(self._response)
        self._options = lru_cache(MAX_SHARED)(self._read)

    def cells(self, questionnaire: int, answered: str) -> Part:
        """The cells of what was answered, as `_ANSWERED` tells it."""
        if "=" in answered:  # someone's own words
            return self._read(questionnaire, answered)
        return self._options(questionnaire, answered)

    def _response(self, said: Raw) -> Part:
        """The cells of what else is said of a response."""
        (
            questionnaire,
            language,
            ending,
            single_tap,
            input_mode,
            text_size,
            helped,
            age_band,
            misuse,
            offered,
            skipped,
        ) = said
        return (
            *self._editions[questionnaire],
            language,
            _ENDINGS[ending],
            bool(single_tap),
            _INPUT_MODES[input_mode],
            text_size,
            helped and _HELPED[helped],
            age_band,
            _signs(misuse),
            self._names(questionnaire, offered),
            self._names(questionnaire, skipped),
        )

    def _read(self, questionnaire: int, answered: str) -> Part:
        cells: list[Cell] = [None] * len(self.columns)
        start = 0
        while found := _ANSWER.match(answered, start):
            code, option, length = found.groups()
            _, place, options = self._items[questionnaire, code]
            start = found.end()
            if option is not None:
                cells[place] = options[option]
            else:
                end = start + int(length)
                cells[place] = answered[start:end]
                start = end
            start += 1  # past what stands between two
        return tuple(cells)

    def _names(self, questionnaire: int, codes: str) -> str | None:
        """The names of items, with spaces between, instead of their codes."""
        return " ".join(self._items[questionnaire, code][0] for code in codes.split()) or None


def _where(assignment: Assignment) -> Part:
    return (
        assignment.site,
        assignment.site_name,
        assignment.service,
        assignment.organisation,
        assignment.place,
    )


@lru_cache(MAX_SHARED)
def _when(earliest: int, latest: int) -> Part:
    first, last = _half_day(earliest), _half_day(latest)
    return *(first if first == last else (None, None)), *first, *last


@lru_cache(MAX_SHARED)
def _which_day(earliest: int, latest: int) -> Part:
    first, last = day_of(earliest), day_of(latest)
    return first if first == last else None, first, last


@lru_cache(MAX_SHARED)
def _arrival(clock_synced: bool, received_day: str) -> Part:
    return bool(clock_synced), date.fromisoformat(received_day)


def _half_day(number: int) -> tuple[date, str]:
    return day_of(number), HALVES[number % 2]


def _signs(misuse: int) -> str | None:
    """The names of the flags set; one that has no name yet stands as its number."""
    bits = (1 << place for place in range(misuse.bit_length()) if misuse >> place & 1)
    return " ".join((Misuse(bit).name or str(bit)).lower() for bit in bits) or None


_ENDINGS: Final = {ending.value: ending.name.lower() for ending in Ending}
_INPUT_MODES: Final = {mode.value: mode.name.lower() for mode in InputMode}
_HELPED: Final = {helped.value: helped.name.lower() for helped in Helped}
_FAIRNESS: Final = {fairness.value: fairness.name.lower() for fairness in Fairness}


def _of_record(source: Table) -> list[ColumnElement[Any]]:
    """The columns of an opened record that rows begin with."""
    return [
        source.c.record_id,
        source.c.instalment,
        last_half_day(source).label("last_half_day"),
        source.c.assignment,
        source.c.earliest_half_day,
        source.c.latest_half_day,
        source.c.clock_synced,
        source.c.received_day,
        source.c.unknown,
    ]


def _told_answer() -> ColumnElement[str]:
    """An answer as text: "2:1" is option 1 of item 2; "3=5=Hello" five letters for item 3."""
    of = tables.answer.c
    own_words = "=" + cast(func.length(of.text), Text) + "=" + of.text
    option = ":" + cast(of.option, Text)
    return cast(of.item, Text) + case((of.option.is_(None), own_words), else_=option)


_KEY: Final = ("log_id", "branch", "seq")

# All of a response's answers in one cell: fetching a row for each would cost several times more.
_told: Final = func.aggregate_strings(_told_answer(), ";").label("answered")
# Looked up for each response; or all put together at once, which costs half as much for each.
_ANSWERED: Final = (
    select(_told)
    .where(and_(*(tables.answer.c[key] == tables.response.c[key] for key in _KEY)))
    .correlate(tables.response)
    .scalar_subquery()
)
_ANSWERED_BY: Final = (
    select(*(tables.answer.c[key] for key in _KEY), _told)
    .group_by(*(tables.answer.c[key] for key in _KEY))
    .subquery()
)
