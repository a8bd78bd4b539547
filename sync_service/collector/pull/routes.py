"""The routes of the pull API. All but its own description ask for a token; none changes anything.

While rows are sent no database connection is held: closed instalments don't change, so they are
read a little at a time, however slowly someone takes them.
"""

import asyncio
import logging
import random
import time
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime
from functools import cached_property, partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, BinaryIO, Final
from urllib.parse import urlencode

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncEngine
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import BaseRoute, Mount, Route

from sync_service.collector import tables
from sync_service.collector.database import reading
from sync_service.collector.error import BusyError
from sync_service.collector.insight.package import (
    INERT_RULE,
    OVER_RULE,
    PACKAGE,
    RULES,
    Span,
    tell_about,
    tell_duties,
    tell_package,
    tell_table,
)
from sync_service.collector.insight.rows import Catalogue, CellRow, RowTable
from sync_service.collector.insight.writers import Csv, Format, Ndjson, ParquetFiles, Text
from sync_service.collector.published import Published
from sync_service.collector.pull.cursor import read_cursor, write_cursor
from sync_service.collector.pull.description import FORMATS, MAX_LIMIT, PATH, describe
from sync_service.collector.pull.instalments import (
    Position,
    Stretch,
    Told,
    is_there,
    newest_told,
    stretch,
    total_span,
)
from sync_service.collector.pull.problem import PullError, tell_problem
from sync_service.collector.pull.tokens import Tokens
from sync_service.contract.publication import Replies
from sync_service.contract.signing import VerifyingKey

INSTALMENT_RULE: Final = (
    "Rows are handed out in instalments, one a day, in UTC: what had arrived on a day before it,"
    " and is over everywhere. Within one, rows are in the order of their ids. A row is in one only."
)

_SOURCES: Final = {
    "responses": tables.response,
    "verdicts": tables.verdict,
    "days": tables.day,
}
_AT_ONCE: Final = 1000
_SENT_AT_ONCE: Final = 64 * 1024
_RETRY_AFTER_S: Final = (5, 15)

_log: Final = logging.getLogger(__name__)


@dataclass(frozen=True)
class Pull:
    """What the routes lead to. ``publishing_keys`` are the public ones that ever were in force.

    ``clock`` gives seconds since 1970.
    """

    engine: AsyncEngine
    publishing_keys: Sequence[VerifyingKey]
    clock: Callable[[], float] = time.time

    def routes(self) -> list[BaseRoute]:
        """The way to the API."""
        pull = Starlette(
            routes=[
                *(
                    Route(f"/{table}.{kind.value}", partial(self._rows, table=table, kind=kind))
                    for table in _SOURCES
                    for kind in FORMATS
                ),
                Route(f"/{PACKAGE}", self._package),
                Route("/questionnaires.json", self._questionnaires),
                Route("/replies.json", self._replies),
                Route("/sites.json", self._sites),
                Route("/openapi.json", self._description),
            ],
            exception_handlers={
                PullError: _tell_refusal,
                BusyError: _tell_busy,
                HTTPException: _tell_http_error,
                Exception: _tell_bug,
            },
        )
        pull.router.redirect_slashes = False
        return [Mount(PATH, pull)]

    async def _rows(self, request: Request, *, table: str, kind: Format) -> Response:
        await self._admit(request)
        start, limit = _read_parameters(request, table)
        async with reading(self.engine) as connection:
            if not await is_there(connection, start):
                raise PullError(
                    "cursor-lost",
                    "The collector was restored from a backup. Pull again from the beginning,"
                    " without a cursor, and put the rows in place of those you have.",
                )
            found = await stretch(connection, _SOURCES[table], start, limit)
            told = await newest_told(connection)
            catalogue = await self._catalogue.load(connection)
            duties = await tell_duties(connection)
        [rows] = (each for each in catalogue.tables if each.name == table)
        about = self._about(told, found.span, duties, kind)
        headers = _headers(table, kind, found, about, limit)
        if request.method == "HEAD":
            return Response(headers=headers, media_type=kind.media_type)
        match kind:
            case Format.CSV:
                body = self._text(rows, found, Csv(rows))
            case Format.NDJSON:
                body = self._text(rows, found, Ndjson(rows))
            case _:
                return await self._file(rows, found, about, headers)
        return StreamingResponse(body, headers=headers, media_type=kind.media_type)

    async def _text(self, table: RowTable, found: Stretch, text: Text) -> AsyncIterator[bytes]:
        yield text.head()
        async for rows in self._read(table, found):
            yield text.encode(rows)

    async def _file(
        self,
        table: RowTable,
        found: Stretch,
        about: Mapping[str, object],
        headers: Mapping[str, str],
    ) -> Response:
        with TemporaryDirectory(prefix="regard-pull-") as folder:
            files = ParquetFiles(Path(folder))
            files.begin(table)
            async for rows in self._read(table, found):
                await asyncio.to_thread(files.write, rows)
            await asyncio.to_thread(files.finish, about)
            # Once opened it can be read to its end, though its name is gone with the folder.
            file = files.path(table).open("rb")
        length = {"Content-Length": str(file.seek(0, 2))}
        media_type = Format.PARQUET.media_type
        return StreamingResponse(_send(file), headers={**headers, **length}, media_type=media_type)

    async def _read(self, table: RowTable, found: Stretch) -> AsyncIterator[list[CellRow]]:
        of, start = table.source.c, found.start
        while True:
            query = (
                table.some.where(start.before(table.source, found.end))
                .order_by(of.instalment, of.record_id)
                .limit(_AT_ONCE)
            )
            async with reading(self.engine) as connection:
                raws = (await connection.execute(query)).all()
            if raws:
                yield [table.row(raw) for raw in raws]
            if len(raws) < _AT_ONCE:
                break
            start = replace(start, number=raws[-1].instalment, record_id=raws[-1].record_id)

    async def _package(self, request: Request) -> Response:
        await self._admit(request)
        async with reading(self.engine) as connection:
            told = await newest_told(connection)
            span = await total_span(connection)
            catalogue = await self._catalogue.load(connection)
            duties = await tell_duties(connection)
        about = self._about(told, span, duties, Format.CSV)
        resources = [
            tell_table(table, Format.CSV, f"{table.name}.csv") for table in catalogue.tables
        ]
        at = datetime.combine(told.closed_on or self._today, datetime.min.time(), UTC)
        return _json(tell_package(at, resources, about))

    async def _questionnaires(self, request: Request) -> Response:
        await self._admit(request)
        async with reading(self.engine) as connection:
            catalogue = await self._catalogue.load(connection)
        return _json(
            {serial: each.to_document() for serial, each in catalogue.questionnaires.items()}
        )

    async def _replies(self, request: Request) -> Response:
        await self._admit(request)
        async with reading(self.engine) as connection:
            await self._published_replies.load_all(connection)
        return _json(
            {serial: each.to_document() for serial, each in self._published_replies.items()}
        )

    async def _sites(self, request: Request) -> Response:
        await self._admit(request)
        async with reading(self.engine) as connection:
            found = await connection.execute(_SITES)
            return _json(
                [{**row, "languages": row["languages"].split()} for row in found.mappings()]
            )

    async def _description(self, request: Request) -> Response:
        return _json(describe())

    async def _admit(self, request: Request) -> None:
        scheme, _, token = request.headers.get("Authorization", "").partition(" ")
        if scheme.lower() != "bearer" or not await self._tokens.admit(token.strip(), self._today):
            raise PullError("no-token", "Send it as: Authorization: Bearer TOKEN")

    def _about(
        self, told: Told, span: Span, duties: Mapping[str, object], kind: Format
    ) -> dict[str, object]:
        rules = [*RULES, OVER_RULE, INSTALMENT_RULE]
        about = tell_about(
            self._catalogue.questionnaires,
            told.kiosks,
            span,
            rules=[*rules, INERT_RULE] if kind is Format.CSV else rules,
            held_back=told.held_back,
            not_opened=told.not_opened,
            duties=duties,
        )
        return {**about, "closed_on": told.closed_on and told.closed_on.isoformat()}

    @property
    def _today(self) -> date:
        return datetime.fromtimestamp(self.clock(), UTC).date()

    @cached_property
    def _tokens(self) -> Tokens:
        return Tokens(self.engine)

    @cached_property
    def _catalogue(self) -> Catalogue:
        return Catalogue(self.publishing_keys)

    @cached_property
    def _published_replies(self) -> Published[Replies]:
        return Published(Replies, self.publishing_keys)


def _read_parameters(request: Request, table: str) -> tuple[Position, int | None]:
    """Where to begin, and how many rows at most."""
    parameters = request.query_params
    if unknown := sorted(parameters.keys() - {"after", "limit"}):
        raise PullError("bad-parameter", f"{unknown[0]}: there are only after and limit")
    limit = parameters.get("limit")
    if limit is not None and not (
        limit.isascii() and limit.isdecimal() and 1 <= int(limit[:20]) <= MAX_LIMIT
    ):
        raise PullError("bad-parameter", f"limit: a number from 1 to {MAX_LIMIT}")
    after = parameters.get("after")
    try:
        start = Position() if after is None else read_cursor(table, after)
    except ValueError as error:
        raise PullError("bad-parameter", f"after: {error}") from None
    return start, None if limit is None else int(limit)


def _headers(
    table: str, kind: Format, found: Stretch, about: Mapping[str, Any], limit: int | None
) -> dict[str, str]:
    cursor = write_cursor(table, found.end)
    links = [f'<{PACKAGE}>; rel="describedby"']
    if found.more:
        onward = urlencode({"after": cursor, "limit": limit})
        links.append(f'<{table}.{kind.value}?{onward}>; rel="next"')
    headers = {
        "Cache-Control": "no-store",
        "Link": ", ".join(links),
        "Regard-Cursor": cursor,
        "Regard-Rows": str(found.rows),
        "Regard-Questionnaires": ", ".join(
            f"{each['id']} {each['version']}" for each in about["questionnaires"]
        ),
    }
    if found.span.dates:
        first, last = found.span.dates
        reported = sum(bool(kiosk["reported"]) for kiosk in about["kiosks"])
        headers["Regard-Period"] = f"{first}/{last}"
        headers["Regard-Kiosks-Reported"] = f"{reported}/{len(about['kiosks'])}"
    return headers


def _send(file: BinaryIO) -> Iterator[bytes]:
    with file:
        file.seek(0)
        yield from iter(partial(file.read, _SENT_AT_ONCE), b"")


def _json(document: object) -> Response:
    return JSONResponse(document, headers={"Cache-Control": "no-store"})


async def _tell_refusal(request: Request, error: Exception) -> Response:
    assert isinstance(error, PullError)
    _log.info("pull refused", extra={"path": request.url.path, "problem": error.code})
    headers = {"WWW-Authenticate": 'Bearer realm="Regard"'} if error.code == "no-token" else {}
    return tell_problem(error.code, error.detail, headers)


async def _tell_busy(request: Request, error: Exception) -> Response:
    _log.warning("database busy", extra={"path": request.url.path})
    return tell_problem("busy", headers={"Retry-After": str(random.randint(*_RETRY_AFTER_S))})


async def _tell_http_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    code = "wrong-method" if error.status_code == 405 else "not-found"
    return tell_problem(code, headers=error.headers)


async def _tell_bug(request: Request, error: Exception) -> Response:
    return tell_problem("internal")


_SITES: Final = (
    select(
        tables.site.c.code,
        tables.site.c.name,
        tables.site.c.service,
        tables.service.c.name.label("service_name"),
        tables.service.c.organisation,
        tables.organisation.c.name.label("organisation_name"),
        tables.site.c.place,
        tables.place.c.name.label("place_name"),
        tables.site.c.timezone,
        tables.site.c.languages,
        tables.site.c.stands,
        tables.site.c.questionnaire,
    )
    .join_from(tables.site, tables.service)
    .join(tables.organisation)
    .join(tables.place, tables.place.c.code == tables.site.c.place)
    .order_by(tables.site.c.code)
)
