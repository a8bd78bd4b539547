"""The collector over HTTP: one route for each message, two for whoever watches over it, the pages.

A body is read whole, within its limit and a deadline, before it gets a turn and a database
connection: an upload that is dropped or dawdles holds nothing that another one needs.
"""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import Final

from sqlalchemy import select
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncEngine
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import BaseRoute, Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from sync_service.collector import tables
from sync_service.collector.database import check_schema, reading
from sync_service.collector.enrolment import Enrolments
from sync_service.collector.error import BusyError, CollectorError, ProblemError
from sync_service.collector.fleet import Fleet
from sync_service.collector.intake import Intake
from sync_service.collector.origin import address_of, network_of
from sync_service.collector.pace import Pace
from sync_service.collector.turns import Turns
from sync_service.contract.wire import (
    BATCHES_PATH,
    DIGEST_LENGTH,
    ENROLMENTS_PATH,
    MAX_BATCH_LENGTH,
    MAX_MESSAGE_LENGTH,
    MEDIA_TYPE,
    PROBLEM_MEDIA_TYPE,
    PUBLICATIONS_PATH,
    STATUS_PATH,
    Problem,
)

BODY_DEADLINE_S: Final = 60.0
"""How long a body may take to arrive, in seconds."""

READY_DEADLINE_S: Final = 5.0
"""How long the database may take to answer until the collector is not ready, in seconds."""

_UNREAD: Final = frozenset({"too-slow", "too-large", "wrong-media-type"})
"""Problems told before the body was read to its end: the connection can't be used again."""

_log: Final = logging.getLogger(__name__)

Take = Callable[[bytes, int], Awaitable[bytes]]
"""What takes a signed message, and the seconds since 1970, and gives the signed reply."""


@dataclass(frozen=True, slots=True)
class Collector:
    """What the routes lead to. ``clock`` gives seconds since 1970.

    ``pages`` are the routes of the central team's pages, ``pull`` those of its analysts' API, if
    they are served too. ``behind_proxy``: everyone comes by way of a proxy on this machine.
    """

    engine: AsyncEngine
    intake: Intake
    fleet: Fleet
    enrolments: Enrolments
    pages: Sequence[BaseRoute] = ()
    pull: Sequence[BaseRoute] = ()
    behind_proxy: bool = False
    turns: Turns = field(default_factory=Turns)
    pace: Pace = field(default_factory=Pace)
    body_deadline_s: float = BODY_DEADLINE_S
    ready_deadline_s: float = READY_DEADLINE_S
    clock: Callable[[], float] = time.time

    def app(self) -> Starlette:
        """The ASGI application."""
        app = Starlette(
            routes=[
                Route(BATCHES_PATH, self._batches, methods=["POST"]),
                Route(STATUS_PATH, self._status, methods=["POST"]),
                Route(ENROLMENTS_PATH, self._enrolments, methods=["POST"]),
                Route(PUBLICATIONS_PATH + "{digest}", self._publication, methods=["GET"]),
                Route("/healthz", self._healthz, methods=["GET"]),
                Route("/readyz", self._readyz, methods=["GET"]),
                *self.pages,
                *self.pull,
            ],
            middleware=[Middleware(_LastResort)],
            exception_handlers={
                ProblemError: _tell_problem,
                BusyError: self._tell_busy,
                HTTPException: _tell_http_error,
            },
        )
        app.router.redirect_slashes = False
        return app

    async def _batches(self, request: Request) -> Response:
        return await self._exchange(request, self.intake.take, MAX_BATCH_LENGTH)

    async def _status(self, request: Request) -> Response:
        return await self._exchange(request, self.fleet.hear, MAX_MESSAGE_LENGTH)

    async def _enrolments(self, request: Request) -> Response:
        async def enrol(body: bytes, now: int) -> bytes:
            self.pace.keep(network_of(address_of(request, behind_proxy=self.behind_proxy)))
            return await self.enrolments.enrol(body, now)

        return await self._exchange(request, enrol, MAX_MESSAGE_LENGTH)

    async def _exchange(self, request: Request, take: Take, limit: int) -> Response:
        with self.turns.arrival() as hold:
            body = await _read_body(request, limit, self.body_deadline_s, hold)
            async with self.turns.turn():
                reply = await take(body, int(self.clock()))
        return Response(reply, media_type=MEDIA_TYPE)

    async def _publication(self, request: Request) -> Response:
        try:
            digest = bytes.fromhex(request.path_params["digest"])
        except ValueError:
            digest = b""
        if len(digest) != DIGEST_LENGTH:
            raise ProblemError("not-found")
        publication = tables.publication.c
        async with reading(self.engine) as connection:
            signed = await connection.scalar(
                select(publication.signed).where(publication.digest == digest)
            )
        if signed is None:
            raise ProblemError("not-found")
        # Whatever a digest names never changes, so any proxy may keep it.
        caching = {"Cache-Control": "public, max-age=31536000, immutable"}
        return Response(signed, media_type=MEDIA_TYPE, headers=caching)

    async def _healthz(self, request: Request) -> Response:
        """Whether the process lives."""
        return PlainTextResponse("alive\n")

    async def _readyz(self, request: Request) -> Response:
        """Whether it can do its work: the database answers soon, and is at the newest schema."""
        try:
            async with asyncio.timeout(self.ready_deadline_s):
                await check_schema(self.engine)
        except (CollectorError, SQLAlchemyError, OSError) as error:  # a time-out is an OSError
            _log.warning("not ready", extra={"reason": type(error).__name__})
            return PlainTextResponse("not ready\n", status_code=503)
        return PlainTextResponse("ready\n")

    async def _tell_busy(self, request: Request, error: Exception) -> Response:
        if not self.turns.line_stands:  # a herd is one event, however large
            _log.warning("busy", extra={"path": request.url.path, "reason": error})
        return _problem(Problem("busy"), {"Retry-After": str(self.turns.retry_after_s())})


async def _read_body(
    request: Request, limit: int, deadline_s: float, hold: Callable[[int], None]
) -> bytes:
    media_type = request.headers.get("Content-Type", "").partition(";")[0].strip().lower()
    if (
        media_type != MEDIA_TYPE
        or request.headers.get("Content-Encoding", "identity") != "identity"
    ):
        raise ProblemError("wrong-media-type")
    announced = request.headers.get("Content-Length", "0")
    if not announced.isdecimal() or int(announced) > limit:
        raise ProblemError("too-large", f"at most {limit} bytes")
    body = bytearray()
    try:
        async with asyncio.timeout(deadline_s):
            async for chunk in request.stream():
                hold(len(chunk))
                body += chunk
                if len(body) > limit:
                    raise ProblemError("too-large", f"at most {limit} bytes")
    except TimeoutError:
        raise ProblemError("too-slow", f"within {deadline_s:g} seconds") from None
    except ClientDisconnect:
        raise ProblemError("truncated") from None
    return bytes(body)


def _problem(problem: Problem, headers: dict[str, str]) -> Response:
    if problem.code in _UNREAD:
        headers["Connection"] = "close"
    return JSONResponse(
        problem.to_document(),
        status_code=problem.kind.status,
        headers=headers,
        media_type=PROBLEM_MEDIA_TYPE,
    )


async def _tell_problem(request: Request, error: Exception) -> Response:
    assert isinstance(error, ProblemError)
    _log.info("request refused", extra={"path": request.url.path, "problem": error.problem.code})
    wait_s = error.retry_after_s
    return _problem(error.problem, {} if wait_s is None else {"Retry-After": str(wait_s)})


async def _tell_http_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    code = "wrong-method" if error.status_code == 405 else "not-found"
    return _problem(Problem(code), dict(error.headers or {}))


class _LastResort:
    """Whatever nobody foresaw: logged without the body, told as `internal`."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        started = False

        async def watched(message: Message) -> None:
            nonlocal started
            started = True
            await send(message)

        try:
            await self._app(scope, receive, watched)
        except Exception:  # noqa: BLE001 - the collector's top
            _log.exception("bug in the collector", extra={"path": scope.get("path", "")})
            if not started:
                await _problem(Problem("internal"), {})(scope, receive, send)
