"""Export: opened records as CSV, with a Frictionless data package that says what they mean.

One row is one record, known by an id that tells nothing of its kiosk. Rows stand in the order of
these ids, so that nothing shows in which order people answered.
"""

import csv
import hashlib
import json
import os
import shutil
import tempfile
import unicodedata
from collections import Counter
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from pathlib import Path
from typing import Any, Final
from zoneinfo import ZoneInfo

from sqlalchemy import Row, Select, Table, and_, select
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from sync_service.collector import tables
from sync_service.collector.database import reading
from sync_service.collector.error import CollectorError
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
from sync_service.collector.opening import count_by_outcome
from sync_service.collector.published import Published
from sync_service.collector.tables import Opening
from sync_service.contract.publication import Assignment, Replies
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

PACKAGE: Final = "datapackage.json"
"""The name of the file that describes the others."""

_AT_ONCE: Final = 1000
_EXECUTED: Final = frozenset("=+-@\N{MINUS SIGN}")
_INVISIBLE: Final = frozenset(("Cc", "Cf", "Zs", "Zl", "Zp"))

_RULES: Final = (
    "These are single responses, not figures, and no rule against small numbers was applied."
    " Publish nothing that rests on fewer than 10 responses.",
    "No row says which kiosk it came from, or when within the half-day; rows are in the order of"
    " their ids, which follow no order of events.",
    "A record that came twice, as after a memory card was restored, is here once.",
    "Responses with signs of misuse are in, with the signs, and so are abandoned sessions.",
    "Sites, services, organisations and places are those that the kiosk was assigned to when it"
    " made the record.",
    "Where a date is not known for sure, the first and the last day that it can have been are"
    " given. A kiosk's clock is not believed where it was not synchronised, nor where it says that"
    " a record was made before its kiosk was assigned to the site, or after it arrived.",
    "Before a text that a spreadsheet might run as a formula, or that begins with ', stands one '."
    " Take one ' from the beginning of a text, and you have what was written.",
)
_OVER: Final = (
    "Records of half-days that were not over, and of days that were not over in days.csv, are held"
    " back: who stood there is still remembered."
)
_NOT_OVER: Final = (
    "Records of half-days that were not over are in, though who stood there is still remembered."
    " Do not pass these files on."
)


class ExportError(CollectorError):
    """The folder of an export can't be made; the message says why. Name another folder."""


@dataclass(frozen=True, slots=True)
class Summary:
    """What an export holds, and what it does not.

    ``held_back`` counts the records of half-days that are not over, ``outcomes`` all records by
    what became of them at opening.
    """

    folder: Path
    responses: int
    verdicts: int
    days: int
    held_back: int
    outcomes: Mapping[Opening, int]


async def export(
    engine: AsyncEngine,
    folder: Path,
    publishing_keys: Sequence[VerifyingKey],
    *,
    at: datetime,
    include_current: bool = False,
) -> Summary:
    """Write all that is opened into a new folder, whole or not at all.

    A record whose half-day is not over ``at`` the moment of the export is held back, because who
    stood there is still remembered; ``include_current`` lets it through, for demonstrations.
    ``publishing_keys`` are the public ones that ever were in force.

    Raises:
        ExportError: something is at ``folder`` already, or it can't be made.
        SignatureError: a publication in the database was signed by none of the publishing keys.
    """
    if os.path.lexists(folder):
        raise ExportError(f"{folder}: exists already; name a folder that does not")
    try:
        unfinished = Path(tempfile.mkdtemp(prefix=f".{folder.name}-", dir=folder.parent))
    except OSError as error:
        raise ExportError(f"{folder}: can't be made: {error.strerror}") from None
    try:
        outcomes = await count_by_outcome(engine)
        async with reading(engine) as connection:
            package = _Package(connection, unfinished, publishing_keys, at, include_current)
            await package.write(outcomes)
        unfinished.rename(folder)
    finally:
        shutil.rmtree(unfinished, ignore_errors=True)
    return Summary(
        folder=folder,
        responses=package.rows["responses"],
        verdicts=package.rows["verdicts"],
        days=package.rows["days"],
        held_back=package.held_back,
        outcomes=outcomes,
    )


def inert(text: str) -> str:
    """The text as a cell that no spreadsheet runs as a formula.

    One ``'`` goes before a text that begins, in any width and after any blank or invisible
    characters, with ``=``, ``+``, ``-`` or ``@``; or that begins with a control character such as
    a tab; or with ``'``, so that taking one ``'`` away always gives the text back.
    """
    visible = (mark for mark in text if unicodedata.category(mark) not in _INVISIBLE)
    first = unicodedata.normalize("NFKC", next(visible, ""))[:1]
    if first in _EXECUTED or (text and (text[0] == "'" or unicodedata.category(text[0]) == "Cc")):
        return f"'{text}"
    return text


class _Answers:
    """The columns of the answers: one for each name that an item has in any questionnaire."""

    def __init__(self, questionnaires: Mapping[int, Questionnaire]) -> None:
        asked: dict[str, list[tuple[Questionnaire, Item]]] = {}
        for questionnaire in questionnaires.values():
            for item in questionnaire.items:
                asked.setdefault(item.name, []).append((questionnaire, item))
        self.columns = [answer_column(name, where) for name, where in asked.items()]
        numbers = {name: number for number, name in enumerate(asked)}
        self._cells = {
            (serial, item.code): (
                numbers[item.name],
                {each.code: each.name for each in item.options},
            )
            for serial, questionnaire in questionnaires.items()
            for item in questionnaire.items
        }

    def cells(self, rows: Sequence[Row[Any]]) -> list[str]:
        """The cells of a response, given its rows: one for each answer."""
        cells = [""] * len(self.columns)
        for row in rows:
            if row.item is not None:
                number, options = self._cells[row.questionnaire, row.item]
                cells[number] = options[row.option] if row.text is None else inert(row.text)
        return cells


class _Package:
    """The files of one export, and what is told of them."""

    def __init__(
        self,
        connection: AsyncConnection,
        folder: Path,
        publishing_keys: Sequence[VerifyingKey],
        at: datetime,
        include_current: bool,
    ) -> None:
        self.rows: Counter[str] = Counter()
        self.held_back = 0
        self._connection = connection
        self._folder = folder
        self._at = at
        self._include_current = include_current
        self._assignments = Published(Assignment, publishing_keys)
        self._questionnaires = Published(Questionnaire, publishing_keys)
        self._replies = Published(Replies, publishing_keys)
        # By an assignment's serial: where it is to, and the half-day that is not over there.
        self._where: dict[int, list[str]] = {}
        self._current: dict[int, int] = {}
        self._first: str | None = None  # days of the responses written
        self._last: str | None = None

    async def write(self, outcomes: Mapping[Opening, int]) -> None:
        """Write every file; the one that describes the others comes last."""
        await self._assignments.load_all(self._connection)
        await self._questionnaires.load_all(self._connection)
        for serial, assignment in self._assignments.items():
            self._where[serial] = _where(assignment)
            self._current[serial] = half_day_of(self._at.astimezone(ZoneInfo(assignment.timezone)))
        answers = _Answers(self._questionnaires)
        resources = [
            await self._write_table(
                "responses",
                "Responses: one row for each respondent's answers",
                [
                    id_column("response_id", "response"),
                    *(*WHERE, *WHEN, *ARRIVAL, *RESPONSE, *answers.columns, UNKNOWN),
                ],
                self._responses(answers),
            ),
            await self._write_table(
                "verdicts",
                "Verdicts: what respondents thought of a reply; they belong to no response",
                [id_column("verdict_id", "verdict"), *(*WHERE, *WHEN, *ARRIVAL, *VERDICT, UNKNOWN)],
                self._verdicts(),
            ),
            await self._write_table(
                "days",
                "Days: one row for each day of a kiosk, so that silence can be told from absence",
                [id_column("day_id", "day"), *(*WHERE, *WHICH_DAY, *ARRIVAL, *DAY, UNKNOWN)],
                self._days(),
            ),
            self._write_published("questionnaires", "All questionnaires", self._questionnaires),
            self._write_published("replies", "The replies that verdicts are on", self._replies),
        ]
        _write_json(
            self._folder / PACKAGE,
            {
                "profile": "data-package",
                "name": "regard-export",
                "title": "What respondents told Regard",
                "created": self._at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
                "resources": resources,
                "regard": {
                    "rules": [*_RULES, _NOT_OVER if self._include_current else _OVER],
                    "period": {"first_date": self._first, "last_date": self._last},
                    "questionnaires": [
                        {
                            "serial": serial,
                            "id": questionnaire.id,
                            "version": questionnaire.version,
                            "languages": questionnaire.languages,
                        }
                        for serial, questionnaire in self._questionnaires.items()
                    ],
                    "kiosks": await self._kiosks(),
                    "held_back": self.held_back,
                    "not_opened": {
                        outcome.name.lower(): outcomes.get(outcome, 0)
                        for outcome in Opening
                        if outcome is not Opening.OPENED
                    },
                },
            },
        )

    async def _responses(self, answers: _Answers) -> AsyncIterator[list[str]]:
        names = {
            (serial, str(item.code)): item.name
            for serial, questionnaire in self._questionnaires.items()
            for item in questionnaire.items
        }
        async for rows in self._grouped(_RESPONSES):
            row = rows[0]
            if self._holds_back(row.latest_half_day, row.assignment):
                continue
            questionnaire = self._questionnaires[row.questionnaire]
            self._extend_period(_date(row.earliest_half_day), _date(row.latest_half_day))
            yield [
                row.record_id.hex(),
                *self._where[row.assignment],
                *_when(row),
                *_arrival(row),
                questionnaire.id,
                str(questionnaire.version),
                row.language,
                Ending(row.ending).name.lower(),
                _flag(row.single_tap),
                InputMode(row.input_mode).name.lower(),
                str(row.text_size),
                "" if row.helped is None else Helped(row.helped).name.lower(),
                "" if row.age_band is None else str(row.age_band),
                _signs(row.misuse),
                " ".join(names[row.questionnaire, code] for code in row.offered.split()),
                " ".join(names[row.questionnaire, code] for code in row.skipped.split()),
                *answers.cells(rows),
                row.unknown or "",
            ]

    async def _verdicts(self) -> AsyncIterator[list[str]]:
        serials: set[int] = set()
        async for row in self._stream(_VERDICTS):
            if self._holds_back(row.latest_half_day, row.assignment):
                continue
            serials.add(row.replies)
            yield [
                row.record_id.hex(),
                *self._where[row.assignment],
                *_when(row),
                *_arrival(row),
                row.language,
                str(row.replies),
                str(row.reply),
                Fairness(row.fairness).name.lower(),
                row.unknown or "",
            ]
        await self._replies.load(self._connection, serials)

    async def _days(self) -> AsyncIterator[list[str]]:
        async for row in self._stream(_DAYS):
            if self._holds_back(row.latest_half_day | 1, row.assignment):  # the day's second half
                continue
            first, last = _date(row.earliest_half_day), _date(row.latest_half_day)
            yield [
                row.record_id.hex(),
                *self._where[row.assignment],
                first if first == last else "",
                first,
                last,
                *_arrival(row),
                str(row.minutes_available),
                str(row.minutes_out_of_service),
                str(row.sessions_begun),
                row.unknown or "",
            ]

    def _extend_period(self, first: str, last: str) -> None:
        if self._first is None or first < self._first:
            self._first = first
        if self._last is None or last > self._last:
            self._last = last

    def _holds_back(self, half_day: int, assignment: int) -> bool:
        """Whether a half-day is not over where a record was made; counts those that aren't."""
        if self._include_current or half_day < self._current[assignment]:
            return False
        self.held_back += 1
        return True

    async def _grouped(self, statement: Select[Any]) -> AsyncIterator[list[Row[Any]]]:
        """The rows of a statement, those of one record at a time."""
        rows: list[Row[Any]] = []
        async for row in self._stream(statement):
            if rows and rows[0].record_id != row.record_id:
                yield rows
                rows = []
            rows.append(row)
        if rows:
            yield rows

    async def _stream(self, statement: Select[Any]) -> AsyncIterator[Row[Any]]:
        options = {"yield_per": _AT_ONCE}
        found = await self._connection.stream(statement, execution_options=options)
        async for rows in found.partitions():
            for row in rows:
                yield row

    async def _kiosks(self) -> list[dict[str, object]]:
        """When each kiosk was last heard of, and what it said it had still to send."""
        found = await self._connection.execute(_KIOSKS)
        return [
            {
                "site": row.site,
                "kiosk": row.name,
                "standing": row.standing,
                "last_contact": _utc_date(row.contact_at),
                "waiting_at_least": row.depth,
                "oldest_waiting": row.oldest_waiting,
            }
            for row in found
        ]

    async def _write_table(
        self, name: str, title: str, columns: Sequence[Column], rows: AsyncIterator[list[str]]
    ) -> dict[str, object]:
        path = self._folder / f"{name}.csv"
        with path.open("w", encoding="utf-8", newline="") as file:
            writer = csv.writer(file)
            writer.writerow(column.name for column in columns)
            async for row in rows:
                writer.writerow(row)
                self.rows[name] += 1
        return {
            "profile": "tabular-data-resource",
            "name": name,
            "title": title,
            **_told_file(path, "text/csv"),
            "dialect": {"delimiter": ",", "lineTerminator": "\r\n", "header": True},
            "schema": {
                "fields": [column.to_document() for column in columns],
                "primaryKey": columns[0].name,
                "missingValues": [""],
            },
        }

    def _write_published(
        self, name: str, title: str, bodies: Mapping[int, Questionnaire] | Mapping[int, Replies]
    ) -> dict[str, object]:
        path = self._folder / f"{name}.json"
        _write_json(path, {str(serial): body.to_document() for serial, body in bodies.items()})
        return {
            "profile": "data-resource",
            "name": name,
            "title": f"{title}, as they were published, by their serials",
            **_told_file(path, "application/json"),
        }


def _where(assignment: Assignment) -> list[str]:
    signed = (
        assignment.site,
        assignment.site_name,
        assignment.service,
        assignment.organisation,
        assignment.place,
    )
    return [inert(text) for text in signed]


def _when(row: Row[Any]) -> list[str]:
    first = [_date(row.earliest_half_day), HALVES[row.earliest_half_day % 2]]
    last = [_date(row.latest_half_day), HALVES[row.latest_half_day % 2]]
    return [*(first if first == last else ["", ""]), *first, *last]


def _arrival(row: Row[Any]) -> list[str]:
    return [_flag(row.clock_synced), row.received_day]


@lru_cache(maxsize=4096)
def _date(half_day: int) -> str:
    return day_of(half_day).isoformat()


def _utc_date(seconds: int | None) -> str | None:
    return None if seconds is None else datetime.fromtimestamp(seconds, UTC).date().isoformat()


def _flag(value: bool) -> str:
    return "true" if value else "false"


def _signs(misuse: int) -> str:
    """The names of the flags set; one that has no name yet stands as its number."""
    bits = (1 << place for place in range(misuse.bit_length()) if misuse >> place & 1)
    return " ".join((Misuse(bit).name or str(bit)).lower() for bit in bits)


def _told_file(path: Path, media_type: str) -> dict[str, object]:
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    return {
        "path": path.name,
        "format": path.suffix.removeprefix("."),
        "mediatype": media_type,
        "encoding": "utf-8",
        "bytes": path.stat().st_size,
        "hash": f"sha256:{digest}",
    }


def _write_json(path: Path, document: object) -> None:
    path.write_text(json.dumps(document, ensure_ascii=False, indent=2) + "\n", encoding="utf-8")


def _shown(table: Table) -> list[Any]:
    """The columns of a table that an export may know of."""
    return [column for column in table.c if column.name not in {"log_id", "branch", "seq"}]


_RESPONSES: Final = (
    select(
        *_shown(tables.response),
        tables.answer.c.item,
        tables.answer.c.option,
        tables.answer.c.text,
    )
    .outerjoin_from(
        tables.response,
        tables.answer,
        and_(
            *(tables.answer.c[key] == tables.response.c[key] for key in ("log_id", "branch", "seq"))
        ),
    )
    .order_by(tables.response.c.record_id)
)
_VERDICTS: Final = select(*_shown(tables.verdict)).order_by(tables.verdict.c.record_id)
_DAYS: Final = select(*_shown(tables.day)).order_by(tables.day.c.record_id)
_KIOSKS: Final = (
    select(
        tables.stamp.c.site,
        tables.stamp.c.name,
        tables.kiosk.c.standing,
        tables.kiosk.c.contact_at,
        tables.kiosk.c.depth,
        tables.kiosk.c.oldest_waiting,
    )
    .outerjoin_from(tables.stamp, tables.kiosk)
    .order_by(tables.stamp.c.site, tables.stamp.c.name, tables.kiosk.c.kiosk_id)
)
