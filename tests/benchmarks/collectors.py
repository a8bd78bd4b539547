"""Collectors for benchmarks: founded once, put on either kind of database, run by the command."""

import re
import shutil
import socket
import ssl
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Self

import msgspec
from sqlalchemy import delete, insert, select

from sync_service.collector import sites, tables
from sync_service.collector.config import SETTINGS_FILE, Centre, CollectorSettings
from sync_service.collector.database import migrate, open_engine, reading, writing
from sync_service.collector.enrolment import Enrolments
from sync_service.collector.founding import found
from sync_service.collector.keyring import Keyring, Signs
from sync_service.collector.orders import Order
from sync_service.collector.publishing import Publisher
from sync_service.collector.stamping import Stamped, Stamping
from sync_service.contract.publication import Stands
from sync_service.contract.signing import Context, Envelope, SigningKey, generate_signing_key
from sync_service.contract.wire import Enrolment, EnrolmentReply, Standing, new_nonce

SITE = "central"
READY_S = 60.0


async def make_centre(folder: Path, *, tls: bool = False) -> Centre:
    """A collector with one site, that opens nothing; without TLS it believes in a proxy."""
    settings = CollectorSettings(
        address="https://collector.example",
        names=("collector.example",),
        host="127.0.0.1",
        port=0,
        tls=tls,
        opening="none",
    )
    centre = await found(folder, settings, int(time.time()))
    engine = open_engine(centre.database_url)
    await sites.add_organisation(engine, sites.Organisation("council", "Any Council"))
    await sites.add_service(engine, "libraries", "Libraries", "council")
    await sites.add_place(engine, "E07000999", "Any Town")
    site = sites.Site(
        code=SITE,
        name="Central Library",
        service="libraries",
        place="E07000999",
        timezone="Europe/London",
        languages=("en",),
        stands=Stands.EXIT,
        questionnaire="library",
    )
    await sites.add_site(engine, site, Keyring(centre.keys).publishing_keys())
    await engine.dispose()
    return centre


async def enrol(centre: Centre, number: int) -> list[bytes]:
    """The private keys of that many kiosks, each stamped and enrolled."""
    keyring = Keyring(centre.keys)
    engine = open_engine(centre.database_url)
    publisher = Publisher(keyring.signing_keys(Signs.PUBLICATIONS), keyring.publishing_keys())
    authority = centre.authority.read_bytes()
    stamping = Stamping(engine, publisher, centre.settings.address, authority, pin_cost=1)
    [receipt_key] = keyring.signing_keys(Signs.RECEIPTS)
    enrolments = Enrolments(engine, receipt_key)
    privates = []
    made: list[Stamped] = []
    orders = [Order(SITE, f"desk-{each}") for each in range(number)]
    await stamping.stamp(orders, int(time.time()), made.extend)
    for stamp in (each.stamp for each in made):
        private = generate_signing_key()
        key = SigningKey(private)
        asked = Enrolment(
            key.verifying_key, new_nonce(), stamp.stamp_id, stamp.enrolment_code, "regard/bench"
        )
        signed = key.sign(Context.ENROLMENT, asked.encode())
        replied = await enrolments.enrol(signed, int(time.time()))
        payload = receipt_key.verifying_key.verify(
            Envelope.unpack(replied), Context.ENROLMENT_REPLY
        )
        assert EnrolmentReply.decode(payload).standing is Standing.ENROLLED
        privates.append(private)
    await engine.dispose()
    return privates


async def copy_centre(centre: Centre, folder: Path, url: str) -> Centre:
    """The same collector in another folder, with all that is in its tables in another database."""
    shutil.copytree(centre.folder, folder)
    settings = msgspec.structs.replace(centre.settings, database=url)
    (folder / SETTINGS_FILE).write_text(settings.to_toml(), encoding="utf-8")
    source, sink = open_engine(centre.database_url), open_engine(url)
    await migrate(sink)
    async with reading(source) as rows_of, writing(sink) as connection:
        for table in reversed(tables.metadata.sorted_tables):
            await connection.execute(delete(table))  # migrations left some
        for table in tables.metadata.sorted_tables:
            rows = (await rows_of.execute(select(table))).mappings().all()
            if rows:
                await connection.execute(insert(table), [dict(row) for row in rows])
    for engine in (source, sink):
        await engine.dispose()
    return Centre.read(folder)


class Served:
    """A running `regard-collector serve`."""

    def __init__(self, centre: Centre) -> None:
        with socket.create_server(("127.0.0.1", 0)) as free:
            self.port = free.getsockname()[1]
        settings = msgspec.structs.replace(centre.settings, port=self.port)
        (centre.folder / SETTINGS_FILE).write_text(settings.to_toml(), encoding="utf-8")
        serve = ("-m", "sync_service.collector", "serve", "--folder", str(centre.folder))
        self.address = f"{'https' if settings.tls else 'http'}://127.0.0.1:{self.port}"
        self._process = subprocess.Popen([sys.executable, *serve], stdout=subprocess.DEVNULL)
        self._wait(centre.authority)

    @classmethod
    @contextmanager
    def by_command(cls, centre: Centre) -> Iterator[Self]:
        """Served, until the end of the block."""
        served = cls(centre)
        try:
            yield served
        finally:
            served._process.terminate()
            served._process.wait()

    @property
    def resident_mb(self) -> float:
        """How much memory it holds, in MB."""
        return self._memory_mb("VmRSS")

    @property
    def peak_mb(self) -> float:
        """How much memory it ever held, in MB."""
        return self._memory_mb("VmHWM")

    @property
    def cpu_s(self) -> float:
        """How much of the processor's time it has used, in seconds."""
        return time.clock_gettime(~self._process.pid << 3 | 2)  # Linux's clock of that process

    def _memory_mb(self, kind: str) -> float:
        status = Path(f"/proc/{self._process.pid}/status").read_text()
        [kilobytes] = re.findall(rf"{kind}:\s+(\d+) kB", status)
        return int(kilobytes) / 1024

    def _wait(self, authority: Path) -> None:
        deadline = time.monotonic() + READY_S
        unnamed = ssl.create_default_context(cafile=authority)
        unnamed.check_hostname = False  # its certificate is for another name than 127.0.0.1
        while self._process.poll() is None and time.monotonic() < deadline:
            with suppress(urllib.error.URLError):
                urllib.request.urlopen(f"{self.address}/readyz", context=unnamed).close()
                return
            time.sleep(0.1)
        raise RuntimeError("the collector did not start")
