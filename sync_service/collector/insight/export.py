"""Export: opened records in files, with a Frictionless data package that says what they mean.

Rows stand in the order of their ids, so that nothing shows in which order people answered.
"""

import hashlib
import json
import os
import shutil
import tempfile
from collections import Counter
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from operator import itemgetter
from pathlib import Path
from typing import Any, Final

from sqlalchemy import Select, select
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from sync_service.collector import tables
from sync_service.collector.database import reading
from sync_service.collector.insight.package import (
    INERT_RULE,
    OVER_RULE,
    PACKAGE,
    RULES,
    Span,
    tell_about,
    tell_duties,
    tell_kiosks,
    tell_package,
    tell_table,
    tell_unopened,
)
from sync_service.collector.insight.rows import (
    ASSIGNMENT,
    EARLIEST,
    LAST_HALF_DAY,
    LATEST,
    Catalogue,
    Raw,
    RowTable,
)
from sync_service.collector.insight.writers import ExportError, Files, Format, files_of
from sync_service.collector.opening import count_by_outcome
from sync_service.collector.published import Published
from sync_service.collector.tables import Opening
from sync_service.contract.publication import Replies
from sync_service.contract.questionnaire import Questionnaire
from sync_service.contract.signing import VerifyingKey

_AT_ONCE: Final = 1000
_NOT_OVER_RULE: Final = (
    "Records of half-days that were not over are in, though who stood there is still remembered."
    " Do not pass these files on."
)


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
    kind: Format = Format.CSV,
    include_current: bool = False,
) -> Summary:
    """Write all that is opened into a new folder, whole or not at all.

    A record whose half-day is not over ``at`` the moment of the export is held back, because who
    stood there is still remembered; ``include_current`` lets it through, for demonstrations.
    ``publishing_keys`` are the public ones that ever were in force.

    Raises:
        ExportError: something is at ``folder`` already, or it can't be made, or what there is does
            not go into files of this ``kind``.
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
            files = _Folder(connection, unfinished, kind, at, include_current)
            await files.write(Catalogue(publishing_keys), outcomes, publishing_keys)
        unfinished.rename(folder)
    finally:
        shutil.rmtree(unfinished, ignore_errors=True)
    return Summary(
        folder=folder,
        responses=files.rows["responses"],
        verdicts=files.rows["verdicts"],
        days=files.rows["days"],
        held_back=files.held_back,
        outcomes=outcomes,
    )


class _Folder:
    """The files of one export, and what is told of them."""

    def __init__(
        self,
        connection: AsyncConnection,
        folder: Path,
        kind: Format,
        at: datetime,
        include_current: bool,
    ) -> None:
        self.rows: Counter[str] = Counter()
        self.held_back = 0
        self._connection = connection
        self._folder = folder
        self._kind = kind
        self._at = at
        self._include_current = include_current

    async def write(
        self,
        catalogue: Catalogue,
        outcomes: Mapping[Opening, int],
        publishing_keys: Sequence[VerifyingKey],
    ) -> None:
        """Write every file; the one that describes the others comes last."""
        await catalogue.load(self._connection)
        current = catalogue.current_half_days(self._at)
        files = files_of(self._kind, self._folder)
        span = Span()
        for table in catalogue.tables:
            files.begin(table)
            span_of_table = await self._write_rows(files, table, current)
            if table.source is tables.response:
                span = span_of_table
        about = tell_about(
            catalogue.questionnaires,
            await tell_kiosks(self._connection),
            span,
            rules=self._rules,
            held_back=self.held_back,
            not_opened=tell_unopened(outcomes),
            duties=await tell_duties(self._connection),
        )
        files.finish(about)
        replies = Published(Replies, publishing_keys)
        await replies.load(
            self._connection,
            await self._connection.scalars(select(tables.verdict.c.replies).distinct()),
        )
        resources = [
            *(self._tell_table(table, files.path(table)) for table in catalogue.tables),
            self._write_published("questionnaires", "All questionnaires", catalogue.questionnaires),
            self._write_published("replies", "The replies that verdicts are on", replies),
        ]
        _write_json(self._folder / PACKAGE, tell_package(self._at, resources, about))

    @property
    def _rules(self) -> list[str]:
        rules = [*RULES, _NOT_OVER_RULE if self._include_current else OVER_RULE]
        return [*rules, INERT_RULE] if self._kind is Format.CSV else rules

    async def _write_rows(self, files: Files, table: RowTable, current: Mapping[int, int]) -> Span:
        """Write the rows of a table that may go out; says when they are from."""
        span = Span()
        async for raws in self._stream(table.all.order_by(table.source.c.record_id)):
            over = raws if self._include_current else _over(raws, current)
            self.held_back += len(raws) - len(over)
            files.write([table.row(raw) for raw in over])
            self.rows[table.name] += len(over)
            span |= Span(
                min(map(itemgetter(EARLIEST), over), default=None),
                max(map(itemgetter(LATEST), over), default=None),
            )
        return span

    async def _stream(self, query: Select[Any]) -> AsyncIterator[Sequence[Raw]]:
        found = await self._connection.stream(query, execution_options={"yield_per": _AT_ONCE})
        async for raws in found.partitions():
            yield raws

    def _tell_table(self, table: RowTable, path: Path) -> dict[str, object]:
        return tell_table(table, self._kind, path.name) | _told_file(path)

    def _write_published(
        self, name: str, title: str, bodies: Mapping[int, Questionnaire] | Mapping[int, Replies]
    ) -> dict[str, object]:
        path = self._folder / f"{name}.json"
        _write_json(path, {str(serial): body.to_document() for serial, body in bodies.items()})
        return {
            "profile": "data-resource",
            "name": name,
            "title": f"{title}, as they were published, by their serials",
            "path": path.name,
            "format": "json",
            "mediatype": "application/json",
            "encoding": "utf-8",
            **_told_file(path),
        }


def _over(raws: Sequence[Raw], current: Mapping[int, int]) -> Sequence[Raw]:
    """Those that are over, where it is the ``current`` half-day under each assignment."""
    return [raw for raw in raws if raw[LAST_HALF_DAY] < current[raw[ASSIGNMENT]]]


def _told_file(path: Path) -> dict[str, object]:
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    return {"bytes": path.stat().st_size, "hash": f"sha256:{digest}"}


def _write_json(path: Path, document: object) -> None:
    path.write_text(json.dumps(document, ensure_ascii=False, indent=2) + "\n", encoding="utf-8")
