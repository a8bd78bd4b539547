"""The routes of the central team's pages."""

import asyncio
import logging
import math
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime
from functools import cached_property
from pathlib import Path
from typing import Final
from urllib.parse import parse_qsl

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from starlette.applications import Starlette
from starlette.datastructures import MutableHeaders
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import HTMLResponse, RedirectResponse, Response
from starlette.routing import BaseRoute, Mount, Route
from starlette.staticfiles import StaticFiles
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from sync_service.collector.accounts import MAX_NAME, MAX_PASSWORD, Accounts
from sync_service.collector.error import BusyError
from sync_service.collector.insight.disclosure import (
    Disclosure,
    NotShownError,
    shown_months,
    shown_quarters,
)
from sync_service.collector.insight.figure import Share, Unshown
from sync_service.collector.insight.period import read_period
from sync_service.collector.pages import wording
from sync_service.collector.pages.gate import (
    Gate,
    NoAccountYetError,
    NotSignedInError,
    form_token,
    give_token,
    is_own_form,
    new_token,
    read_token,
    take_token,
)
from sync_service.collector.pages.lockout import Lockout

PATH: Final = "/pages"
"""Where the pages are."""

CORE: Final = {"dignity": "Treated with dignity", "involvement": "Involved"}
"""The items of the overview, by their names in every questionnaire."""

SECURITY_HEADERS: Final = {
    "Content-Security-Policy": (
        "default-src 'none'; style-src 'self'; img-src 'self'; form-action 'self';"
        " base-uri 'none'; frame-ancestors 'none'"
    ),
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
    "Referrer-Policy": "same-origin",
    "X-Content-Type-Options": "nosniff",
}
"""On every page: nothing from elsewhere, nothing inline, no scripts at all."""

FORM_DEADLINE_S: Final = 20.0
MAX_FORM_LENGTH: Final = 4096

_MAX_FIELDS: Final = 8
_HERE: Final = Path(__file__).parent
_BUSY_S: Final = 10

_log: Final = logging.getLogger(__name__)


@dataclass(frozen=True)
class Pages:
    """What the routes lead to. ``clock`` gives seconds since 1970."""

    disclosure: Disclosure
    accounts: Accounts
    lockout: Lockout
    behind_proxy: bool
    clock: Callable[[], float] = time.time

    def routes(self) -> list[BaseRoute]:
        """The pages, and the ways to them."""
        pages = Starlette(
            routes=[
                Route("/", self._overview),
                Route("/sites/{code}", self._site),
                Route("/sign-in", self._sign_in_form),
                Route("/sign-in", self._sign_in, methods=["POST"]),
                Route("/sign-out", self._sign_out, methods=["POST"]),
                Mount("/static", StaticFiles(directory=_HERE / "static")),
            ],
            exception_handlers={
                BusyError: self._tell_busy,
                HTTPException: self._tell_http_error,
                NoAccountYetError: self._tell_no_account,
                NotShownError: self._tell_not_shown,
                NotSignedInError: self._lead_to_sign_in,
                Exception: self._tell_bug,
            },
        )
        pages.router.redirect_slashes = False
        return [
            Route("/", _lead_to_pages),
            Route(PATH, _lead_to_pages),
            Mount(PATH, _Secured(pages)),
        ]

    async def _overview(self, request: Request) -> Response:
        visitor = await self._gate.admit(request)
        code = request.query_params.get("period")
        try:
            period = None if code is None else read_period(code)
        except ValueError:
            raise HTTPException(404) from None
        overview = await self.disclosure.overview(self._today, period)
        return self._page(
            "overview.html",
            visitor=visitor,
            overview=overview,
            months=shown_months(overview.released_on)[::-1],
            quarters=shown_quarters(overview.released_on)[::-1],
            core=CORE,
            names={place.code: place.name for place, _ in overview.sites},
        )

    async def _site(self, request: Request) -> Response:
        visitor = await self._gate.admit(request)
        history = await self.disclosure.history(self._today, request.path_params["code"])
        return self._page("site.html", visitor=visitor, history=history)

    async def _sign_in_form(self, request: Request) -> Response:
        try:
            await self._gate.admit(request)
        except NotSignedInError:
            return self._ask_to_sign_in(request, None, 200)
        return RedirectResponse(f"{PATH}/", 303)

    async def _sign_in(self, request: Request) -> Response:
        form = await _read_form(request)
        if not is_own_form(read_token(request), form.get("form_token", "")):
            return self._ask_to_sign_in(
                request, "This form was out of date. Please fill it in once more.", 403
            )
        name, address = form.get("name", "")[:MAX_NAME], self._gate.address(request)
        delay_s = self.lockout.delay_s(name, address)
        if delay_s > 0:
            wait_s = math.ceil(delay_s)
            reply = self._ask_to_sign_in(request, wording.wait(wait_s), 429)
            reply.headers["Retry-After"] = str(wait_s)
            return reply
        self.lockout.tried(name, address)
        password = form.get("password", "")[:MAX_PASSWORD]
        token = await self.accounts.sign_in(name, password, int(self.clock()))
        if token is None:
            _log.warning("sign-in failed")
            return self._ask_to_sign_in(
                request, "Name and password don’t go together. Please try again.", 403
            )
        self.lockout.succeeded(name, address)
        reply = RedirectResponse(f"{PATH}/", 303)
        give_token(reply, token)
        return reply

    async def _sign_out(self, request: Request) -> Response:
        token, form = read_token(request), await _read_form(request)
        if not is_own_form(token, form.get("form_token", "")):
            raise HTTPException(403)
        await self.accounts.sign_out(token)
        reply = RedirectResponse(f"{PATH}/sign-in", 303)
        take_token(reply)
        return reply

    def _ask_to_sign_in(self, request: Request, problem: str | None, status: int) -> Response:
        token = read_token(request) or new_token()
        reply = self._page(
            "sign_in.html",
            status,
            problem=problem,
            form_token=form_token(token),
            max_name=MAX_NAME,
            max_password=MAX_PASSWORD,
        )
        give_token(reply, token)
        return reply

    async def _lead_to_sign_in(self, request: Request, error: Exception) -> Response:
        return RedirectResponse(f"{PATH}/sign-in", 303)

    async def _tell_no_account(self, request: Request, error: Exception) -> Response:
        return self._say(
            403,
            "Not open yet",
            "As long as there is no account, these pages are shown on the collector’s own machine"
            " only: without one, nobody could be kept out.",
            "Whoever looks after the collector adds an account there by: regard-collector account"
            " add NAME.",
        )

    async def _tell_not_shown(self, request: Request, error: Exception) -> Response:
        return await self._tell_http_error(request, HTTPException(404))

    async def _tell_busy(self, request: Request, error: Exception) -> Response:
        _log.warning("database busy", extra={"path": request.url.path})
        reply = self._say(
            503, "Busy just now", "The collector has too much to do. Please try again in a minute."
        )
        reply.headers["Retry-After"] = str(_BUSY_S)
        return reply

    async def _tell_http_error(self, request: Request, error: Exception) -> Response:
        assert isinstance(error, HTTPException)
        title, sentence = wording.problem(error.status_code)
        reply = self._say(error.status_code, title, sentence, way_back=True)
        reply.headers.update(error.headers or {})
        return reply

    async def _tell_bug(self, request: Request, error: Exception) -> Response:
        return self._say(
            500,
            "Something went wrong",
            "This is a fault of ours. It stands in the collector’s log.",
        )

    def _say(self, status: int, title: str, *sentences: str, way_back: bool = False) -> Response:
        return self._page("said.html", status, title=title, sentences=sentences, way_back=way_back)

    def _page(self, template: str, status: int = 200, **said: object) -> Response:
        page = self._templates.get_template(template)
        # No figure stays in a browser's cache, and no form of one sign-in is shown in another.
        return HTMLResponse(page.render(said), status, headers={"Cache-Control": "no-store"})

    @property
    def _today(self) -> date:
        return datetime.fromtimestamp(self.clock(), UTC).date()

    @cached_property
    def _gate(self) -> Gate:
        return Gate(self.accounts, self.clock, behind_proxy=self.behind_proxy)

    @cached_property
    def _templates(self) -> Environment:
        templates = Environment(
            loader=FileSystemLoader(_HERE / "templates"),
            autoescape=True,
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
        )
        templates.globals["root"] = PATH
        templates.filters |= {
            word.__name__: word
            for word in (
                wording.about,
                wording.day,
                wording.hours,
                wording.in_words,
                wording.interval,
                wording.percent,
                wording.unopened,
                wording.why,
            )
        }
        templates.tests["shown"] = lambda figure: isinstance(figure, Share)
        untold = (Unshown.NO_KIOSK, Unshown.DROPPED)  # of a period that holds nothing to be told
        templates.tests["untold"] = lambda figure: figure in untold
        return templates


class _Secured:
    """Puts the security headers on every reply."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def secured(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message).update(SECURITY_HEADERS)
            await send(message)

        await self._app(scope, receive, secured)


async def _lead_to_pages(request: Request) -> Response:
    return RedirectResponse(f"{PATH}/", 303)


async def _read_form(request: Request) -> Mapping[str, str]:
    """The fields of a form, which is small and comes at once, or is refused."""
    if request.headers.get("Content-Type") != "application/x-www-form-urlencoded":
        raise HTTPException(415)
    body = bytearray()
    try:
        async with asyncio.timeout(FORM_DEADLINE_S):
            async for chunk in request.stream():
                body += chunk
                if len(body) > MAX_FORM_LENGTH:
                    raise HTTPException(413, headers={"Connection": "close"})
    except (TimeoutError, ClientDisconnect):
        raise HTTPException(408, headers={"Connection": "close"}) from None
    try:
        return dict(parse_qsl(body.decode(), max_num_fields=_MAX_FIELDS))
    except ValueError:
        raise HTTPException(400) from None
