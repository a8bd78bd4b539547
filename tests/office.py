"""The pages over a year of a made-up council, for a client or a real browser to ask for."""

import asyncio
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import date

import uvicorn
from argon2 import PasswordHasher
from council import PUBLISHING, Council, at_noon
from playwright.sync_api import Browser, Page, sync_playwright
from sqlalchemy.ext.asyncio import AsyncEngine
from starlette.applications import Starlette

from sync_service.collector.accounts import Accounts
from sync_service.collector.database import migrate, open_engine
from sync_service.collector.insight.disclosure import Disclosure
from sync_service.collector.insight.period import Month
from sync_service.collector.pages.lockout import Lockout
from sync_service.collector.pages.routes import Pages
from sync_service.collector.tables import KioskStanding, Opening

TODAY = date(2026, 11, 20)
NOW = at_noon(TODAY)
CHEAP = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)
"""A hasher whose work does not slow the tests."""

OPEN = {
    "overview": "/",
    "site": "/sites/central",
    "site with few answers": "/sites/st-just",
    "site without a kiosk": "/sites/zennor",
    "no such page": "/nowhere",
}
"""Pages that are shown where there is no account, by name."""

CHROMIUM = "/usr/bin/chromium"
FLAGS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)


def a_year() -> Council:
    """Sites of every kind: busy, small, silent in each way, with holes and forks, and empty."""
    council = Council(date(2025, 9, 1))
    last = Month.of(TODAY).after(-1)
    months = [last.after(number) for number in range(-11, 1)]

    central = council.kiosk(council.site("central", "Central Library"), contact_on=TODAY)
    children = council.kiosk("central", "Children’s library", contact_on=date(2026, 11, 19))
    surgery = council.kiosk(
        council.site("morrab", "Morrab Surgery", "gp"),
        "Waiting room",
        questionnaire="gp",
        contact_on=TODAY,
    )
    small = council.kiosk(council.site("st-just", "St Just Library"), contact_on=date(2026, 11, 18))
    lost = council.kiosk(
        council.site("hayle", "Hayle Library"),
        contact_on=date(2026, 8, 30),
        waiting_since=date(2026, 8, 24),
    )
    unanswered = council.kiosk(
        council.site("sennen", "Sennen Community Library and Information Point"),
        contact_on=TODAY,
    )
    for number, month in enumerate(months):
        council.month(central, month, 90 + number, dignity=0.78 + number / 80, involvement=0.55)
        council.days(central, month, out_of_service=5)
        council.month(children, month, 35, dignity=0.9, misused=2)
        council.days(children, month, range(1, 27))
        if month != Month(2026, 4):
            council.month(surgery, month, 40 + 3 * number, dignity=0.66, involvement=0.4)
            council.days(surgery, month, range(1, 23), minutes=480)
        council.month(small, month, 7 + number % 5, dignity=0.9)
        council.days(small, month, range(1, 14), minutes=300)
        if month < Month(2026, 8):
            council.month(lost, month, 25, dignity=0.8, abandoned=0.2)
            council.days(lost, month)
        council.days(unanswered, month)
    council.seal(central, 27, Opening.WAITING, TODAY)
    council.seal(central, 3, Opening.UNKNOWN_KEY, TODAY)
    council.lose(lost, 23)
    council.seal(lost, 1, Opening.WAITING, TODAY)
    council.fork(surgery, date(2026, 10, 2))
    council.kiosk(
        council.site("newlyn", "Newlyn Library"),
        since=date(2026, 11, 16),
        contact_on=TODAY,
        standing=KioskStanding.HELD,
    )
    council.site("zennor", "Zennor Library")
    return council


async def write_a_year(url: str) -> None:
    """Make a database with `a_year` in it."""
    engine = open_engine(url)
    await migrate(engine)
    await a_year().write(engine)
    await engine.dispose()


def pages(engine: AsyncEngine, clock: Callable[[], float], *, behind_proxy: bool = False) -> Pages:
    """The pages over a database."""
    return Pages(
        disclosure=Disclosure(engine, [PUBLISHING.verifying_key]),
        accounts=Accounts(engine, CHEAP),
        lockout=Lockout(clock),
        behind_proxy=behind_proxy,
        clock=clock,
    )


@contextmanager
def serving(url: str, account: tuple[str, str] | None = None) -> Iterator[str]:
    """Serve the pages of a database on loopback, in a thread; give their address.

    An ``account`` is a name and a password, to be added before.
    """
    listening = socket.create_server(("127.0.0.1", 0))
    server: list[uvicorn.Server] = []

    async def serve() -> None:
        engine = open_engine(url)
        if account is not None:
            await Accounts(engine, CHEAP).add(*account, NOW)
        app = Starlette(routes=pages(engine, lambda: NOW).routes())
        server.append(uvicorn.Server(uvicorn.Config(app, lifespan="off", log_config=None)))
        await server[0].serve(sockets=[listening])
        await engine.dispose()

    thread = threading.Thread(target=lambda: asyncio.run(serve()))
    thread.start()
    try:
        yield f"http://localhost:{listening.getsockname()[1]}/pages"
    finally:
        server[0].should_exit = True
        thread.join()


@contextmanager
def chromium() -> Iterator[Browser]:
    """Debian's browser, without a window and with a profile of its own."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield browser
        browser.close()


def open_details(page: Page) -> None:
    """Open every table that is folded away."""
    for summary in page.locator("summary").all():
        summary.click()
