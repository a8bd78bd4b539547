"""Serving: the web server, with the opener beside it and a certificate that never runs out."""

import asyncio
import logging
import signal
import ssl
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from argon2 import PasswordHasher
from sqlalchemy.ext.asyncio import AsyncEngine

from sync_service.collector.accounts import Accounts
from sync_service.collector.app import Collector
from sync_service.collector.authority import Authority
from sync_service.collector.config import Centre
from sync_service.collector.connections import Server, allow_files, listen
from sync_service.collector.database import reading
from sync_service.collector.enrolment import Enrolments
from sync_service.collector.error import KeyFileError
from sync_service.collector.fleet import Fleet
from sync_service.collector.insight.disclosure import Disclosure
from sync_service.collector.intake import Intake
from sync_service.collector.keyring import Keyring
from sync_service.collector.pages.lockout import Lockout
from sync_service.collector.pages.routes import Pages
from sync_service.collector.published import Published
from sync_service.collector.pull.instalments import keep_closing
from sync_service.collector.pull.routes import Pull
from sync_service.collector.retention import Retention, keep_enforcing
from sync_service.collector.rotation import receipt_key
from sync_service.contract.publication import Keys

OPENER_PAUSE_S: Final = 5.0
"""How long an opener that died is left alone, in seconds."""

_RENEWAL_CHECK_S: Final = 3600.0
_ENDING_S: Final = 10

_log: Final = logging.getLogger(__name__)


@contextmanager
def stopping_by_signal() -> Iterator[asyncio.Event]:
    """An event that SIGTERM and Ctrl-C set."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    try:
        yield stop
    finally:
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.remove_signal_handler(number)


async def serve(centre: Centre, engine: AsyncEngine, stop: asyncio.Event) -> None:
    """Serve kiosks and the central team until ``stop`` is set; end what is under way first.

    Raises:
        OfficeError: it can't listen where the settings say.
        KeyFileError: a key or the certificate can't be used.
    """
    settings = centre.settings
    keyring = Keyring(centre.keys)
    async with reading(engine) as connection:
        signing_key = await receipt_key(connection, keyring)
    collector = Collector(
        engine=engine,
        intake=Intake(engine, signing_key, Published(Keys, keyring.publishing_keys())),
        fleet=Fleet(engine, signing_key),
        enrolments=Enrolments(engine, signing_key),
        pages=Pages(
            disclosure=Disclosure(engine, keyring.publishing_keys()),
            accounts=Accounts(engine, PasswordHasher()),
            lockout=Lockout(time.monotonic),
            behind_proxy=not settings.tls,
        ).routes(),
        pull=Pull(engine, keyring.publishing_keys()).routes(),
        behind_proxy=not settings.tls,
    )
    retention = Retention(engine, keyring.publishing_keys(), signing_key, settings.sealed_months)
    context = _tls_context(centre) if settings.tls else None
    allow_files()
    listening = listen(settings.host, settings.port)
    server = Server(collector.app(), context)
    async with asyncio.TaskGroup() as beside:
        beside.create_task(_end_at(stop, server))
        if context is not None:
            beside.create_task(_keep_certificate(centre, context, stop))
        beside.create_task(keep_closing(engine, stop))
        beside.create_task(keep_enforcing(retention, stop))
        if settings.opening == "child":
            beside.create_task(keep_opening(centre.folder, stop))
        await server.serve(sockets=[listening])
        stop.set()


def _tls_context(centre: Centre) -> ssl.SSLContext:
    authority = Authority(centre.certificates)
    authority.renew(centre.settings.names, datetime.now(UTC))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    authority.load_into(context)
    return context


async def _end_at(stop: asyncio.Event, server: Server) -> None:
    await stop.wait()
    server.should_exit = True


async def _keep_certificate(centre: Centre, context: ssl.SSLContext, stop: asyncio.Event) -> None:
    """Renew the certificate in time; connections made from then on are served with the new one."""
    authority = Authority(centre.certificates)
    while not await _stopped_within(_RENEWAL_CHECK_S, stop):
        try:
            if authority.renew(centre.settings.names, datetime.now(UTC)):
                authority.load_into(context)
                _log.info("certificate renewed")
        except KeyFileError as error:
            _log.error("certificate not renewed", extra={"reason": error})


async def keep_opening(folder: Path, stop: asyncio.Event, pause_s: float = OPENER_PAUSE_S) -> None:
    """Run an opener until ``stop`` is set; one that dies is started again after a pause."""
    collector = (sys.executable, "-m", "sync_service.collector")
    command = (*collector, "open", "--follow", "--child", "--folder", str(folder))
    while not stop.is_set():
        # The pipe ends when this process does, however that comes about, and the opener with it.
        opener = await asyncio.create_subprocess_exec(*command, stdin=subprocess.PIPE)
        ended = asyncio.create_task(opener.wait())
        stopped = asyncio.create_task(stop.wait())
        try:
            await asyncio.wait((ended, stopped), return_when=asyncio.FIRST_COMPLETED)
        finally:
            stopped.cancel()
            await _end(opener)
        if not stop.is_set():
            trouble = {"code": opener.returncode, "next_try_in_s": pause_s}
            _log.warning("opener ended", extra=trouble)
            await _stopped_within(pause_s, stop)


async def _end(process: asyncio.subprocess.Process) -> None:
    if process.returncode is None:
        process.terminate()
    try:
        await asyncio.wait_for(process.wait(), _ENDING_S)
    except TimeoutError:
        process.kill()
        await process.wait()


async def _stopped_within(seconds: float, stop: asyncio.Event) -> bool:
    try:
        await asyncio.wait_for(stop.wait(), seconds)
    except TimeoutError:
        return False
    return True
