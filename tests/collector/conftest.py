"""A whole collector in a folder of its own, and kiosks that speak to it."""

import asyncio
import csv
import shutil
import time
from collections import Counter
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime

import pytest
from centre import centre_at, furnish
from grounds import PostgreSQL, SQLite
from machine import Machine
from postgresql import Cluster
from sqlalchemy import select

from sync_service.collector import sites, tables
from sync_service.collector.app import Collector
from sync_service.collector.config import Centre, CollectorSettings
from sync_service.collector.connections import Connection, Server, listen
from sync_service.collector.database import migrate, open_engine, reading, writing
from sync_service.collector.enrolment import Enrolments
from sync_service.collector.error import ProblemError
from sync_service.collector.fleet import Fleet
from sync_service.collector.founding import found
from sync_service.collector.insight.export import export
from sync_service.collector.intake import Intake
from sync_service.collector.keyring import Keyring, Signs
from sync_service.collector.opening import Opener
from sync_service.collector.orders import Order
from sync_service.collector.published import Published
from sync_service.collector.publishing import Publisher
from sync_service.collector.rotation import Rotated, receipt_key, rotate
from sync_service.collector.stamping import Stamping
from sync_service.contract.chain import Head, digest, first_link, link
from sync_service.contract.publication import Keys, Publication, Stands
from sync_service.contract.record import DayRecord, Moment, encode_record
from sync_service.contract.sealing import SealingKey
from sync_service.contract.signing import Context, Envelope, SigningKey, generate_signing_key
from sync_service.contract.wire import (
    Batch,
    Enrolment,
    EnrolmentReply,
    Receipt,
    Standing,
    Status,
    StatusReply,
    new_nonce,
)

NOW = 1_773_480_000  # 2026-03-14, 09:20 UTC
FOREIGN_KEY = SealingKey(bytes(range(1, 33)))
"""A sealing key that no centre here ever published."""


class SimulatedKiosk:
    """A kiosk with real keys, a real log and sealed records, and no screen.

    ``sealed`` are its records, from seq 1 on.
    """

    def __init__(self, stamp, log_id=None):
        self.stamp = stamp
        self.key = SigningKey(generate_signing_key())
        self.kiosk_id = self.key.verifying_key.kiosk_id
        self.log_id = log_id or generate_signing_key()[:16]
        self.sealed = []

    @property
    def sealing_key(self):
        return Publication.verify(self.stamp.keys, self.stamp.publishing_key).body.sealing

    def record(self, number=1, sealing_key=None):
        """Make records; returns itself."""
        for _ in range(number):
            day = DayRecord(
                assignment=1,
                moment=Moment(NOW // 43_200),
                minutes_available=len(self.sealed),
                minutes_out_of_service=0,
                sessions_begun=0,
            )
            key = sealing_key or self.sealing_key
            self.sealed.append(key.seal(encode_record(day), self.log_id))
        return self

    def clone(self):
        """The same card in another kiosk: what comes next is its own."""
        clone = SimulatedKiosk(self.stamp, self.log_id)
        clone.key, clone.kiosk_id = self.key, self.kiosk_id
        clone.sealed = [*self.sealed]
        return clone

    def head(self, seq=None):
        """The seq and the link of a record; of the newest, if none is named."""
        seq = len(self.sealed) if seq is None else seq
        found = first_link(self.log_id)
        for number, sealed in enumerate(self.sealed[:seq], start=1):
            found = link(found, number, digest(sealed))
        return Head(seq, found)

    def digest(self, seq):
        """The digest of a record."""
        return digest(self.sealed[seq - 1])

    def batch(self, first_seq=1, last_seq=None):
        """The records from ``first_seq`` to ``last_seq``, both included."""
        return Batch(
            kiosk_id=self.kiosk_id,
            log_id=self.log_id,
            first_seq=first_seq,
            previous=self.head(first_seq - 1).link,
            sealed=tuple(self.sealed[first_seq - 1 : last_seq]),
            nonce=new_nonce(),
        )

    def sign(self, batch):
        return self.key.sign(Context.BATCH, batch.encode())

    def signed_batch(self, first_seq=1, last_seq=None):
        return self.sign(self.batch(first_seq, last_seq))

    def enrolment(self, code=None, stamp_id=None):
        return Enrolment(
            key=self.key.verifying_key,
            nonce=new_nonce(),
            stamp_id=stamp_id or self.stamp.stamp_id,
            code=code or self.stamp.enrolment_code,
            software="regard/test",
        )

    def signed_enrolment(self, **changes):
        return self.key.sign(Context.ENROLMENT, self.enrolment(**changes).encode())

    def status(self, **changes):
        plain = Status(
            kiosk_id=self.kiosk_id,
            nonce=new_nonce(),
            log_id=self.log_id,
            head=self.head(),
            settled_seq=len(self.sealed),
            oldest_held_seq=1 if self.sealed else 0,
            depth=0,
            oldest_waiting=None,
            software="regard/test",
            clock_synced=True,
            clock_at=NOW,
            uptime_h=1,
            last_error=None,
            publications={},
            stamp_id=self.stamp.stamp_id,
        )
        return replace(plain, **changes)

    def signed_status(self, **changes):
        return self.key.sign(Context.STATUS, self.status(**changes).encode())


class Rig:
    """A collector without its web server, and the central team's tools."""

    def __init__(self, folder, runner):
        self.run = runner.run
        self.centre = Centre.read(folder)
        self.keyring = Keyring(self.centre.keys)
        self.engine = open_engine(self.centre.database_url)
        self.restart()
        self.stamps = 0

    def restart(self):
        """Begin anew with the keys that are there."""
        self.publisher = Publisher(
            self.keyring.signing_keys(Signs.PUBLICATIONS), self.keyring.publishing_keys()
        )
        self.stamping = Stamping(
            self.engine,
            self.publisher,
            self.centre.settings.address,
            self.centre.authority.read_bytes(),
            pin_cost=1,
        )
        self.receipt_key = self.run(self._receipt_key())
        self.collector = self.collector_on(self.engine)

    def collector_on(self, engine, **changes):
        published = Published(Keys, self.keyring.publishing_keys())
        collector = Collector(
            engine=engine,
            intake=Intake(engine, self.receipt_key, published),
            fleet=Fleet(engine, self.receipt_key),
            enrolments=Enrolments(engine, self.receipt_key),
            clock=lambda: NOW,
        )
        return replace(collector, **changes)

    async def _receipt_key(self):
        async with reading(self.engine) as connection:
            return await receipt_key(connection, self.keyring)

    def rotate(self, *rotated, now=NOW, algorithm=None):
        """Let new keys come into force, one after the other."""

        async def rotate_all():
            for each in rotated:
                async with writing(self.engine) as connection:
                    await rotate(connection, self.keyring, Rotated(each), now, algorithm)

        self.run(rotate_all())

    def stamped(self, *orders, now=NOW):
        """Stamp kiosks; gives what is made for them."""
        made = []
        self.run(self.stamping.stamp(orders, now, made.extend))
        return made

    def stamp(self, site="central", name=None, now=NOW):
        self.stamps += 1
        [made] = self.stamped(Order(site, name or f"desk-{self.stamps}"), now=now)
        return made.stamp

    def kiosk(self, site="central"):
        """A kiosk that is enrolled."""
        kiosk = SimulatedKiosk(self.stamp(site))
        assert self.enrol(kiosk.signed_enrolment()).standing == Standing.ENROLLED
        return kiosk

    def believe(self, signed, context):
        """The payload of a reply, if the receipt key signed it."""
        return self.receipt_key.verifying_key.verify(Envelope.unpack(signed), context)

    def enrol(self, body, now=NOW):
        signed = self.run(self.collector.enrolments.enrol(body, now))
        return EnrolmentReply.decode(self.believe(signed, Context.ENROLMENT_REPLY))

    def hear(self, body, now=NOW):
        signed = self.run(self.collector.fleet.hear(body, now))
        return StatusReply.decode(self.believe(signed, Context.STATUS_REPLY))

    def take(self, body, now=NOW):
        signed = self.run(self.collector.intake.take(body, now))
        return Receipt.decode(self.believe(signed, Context.RECEIPT))

    def deliver(self, kiosk, first_seq=1, last_seq=None):
        """Let a kiosk deliver some of its records; the receipt is checked to be theirs."""
        batch = kiosk.batch(first_seq, last_seq)
        receipt = self.take(kiosk.sign(batch))
        assert receipt.answers(batch)
        return receipt

    def problem(self, talking):
        """The code of the problem that a request ends in."""
        with pytest.raises(ProblemError) as caught:
            self.run(talking)
        return caught.value.problem.code

    def publish(self, what, body, now=NOW):
        async def publish():
            async with writing(self.engine) as connection:
                return await getattr(self.publisher, what)(connection, body, now)

        return self.run(publish())

    def new_sealing_key(self):
        """A sealing key that comes into force now."""
        opening_key = self.keyring.add_opening_key()
        self.publish("keys", self.keyring.public_keys(opening_key))
        return opening_key.sealing_key

    def read(self, query):
        async def read():
            async with reading(self.engine) as connection:
                return (await connection.execute(query)).all()

        return self.run(read())

    def write(self, statement):
        async def write():
            async with writing(self.engine) as connection:
                await connection.execute(statement)

        self.run(write())

    def held(self, log_id):
        """What is held of a log: for each branch, the seqs in their order."""
        record = tables.record.c
        found = {}
        rows = self.read(
            select(record.branch, record.seq)
            .where(record.log_id == log_id)
            .order_by(record.branch, record.seq)
        )
        for branch, seq in rows:
            found.setdefault(branch, []).append(seq)
        return found

    @asynccontextmanager
    async def serving(self, collector=None, context=None, connection=Connection):
        """Serve over real HTTP, in this loop; gives the port."""
        listening = listen("127.0.0.1", 0)
        server = Server((collector or self.collector).app(), context, connection)
        task = asyncio.create_task(server.serve(sockets=[listening]))
        try:
            yield listening.getsockname()[1]
        finally:
            server.should_exit = True
            await task


@pytest.fixture(scope="session")
def cluster():
    with Cluster.started() as cluster:
        yield cluster


def pytest_generate_tests(metafunc):
    """Run what needs a database on each kind, unless it is about SQLite's file alone."""
    if "ground" in metafunc.fixturenames:
        alone = metafunc.definition.get_closest_marker("sqlite_alone")
        kinds = ["sqlite"] if alone else ["sqlite", "postgresql"]
        metafunc.parametrize("ground", kinds, indirect=True, scope="session")


@pytest.fixture(scope="session")
def ground(request, tmp_path_factory):
    """What makes databases, of each kind in turn; they last until all tests are over."""
    if request.param == "sqlite":
        yield SQLite(tmp_path_factory.mktemp("databases"))
    else:
        ground = PostgreSQL(request.getfixturevalue("cluster"))
        yield ground
        ground.clear()


@pytest.fixture
def databases(ground, tmp_path):
    """What makes databases for one test."""
    databases = ground.apart(tmp_path)
    yield databases
    databases.clear()


@pytest.fixture(scope="session")
def migrated(ground):
    """The URL of a database with the newest schema and nothing in it, to be copied."""
    url = ground.empty()

    async def make():
        engine = open_engine(url)
        await migrate(engine)
        await engine.dispose()

    asyncio.run(make())
    return url


@pytest.fixture
def database(migrated, databases):
    """The URL of a database of one's own, with the newest schema and nothing in it."""
    return databases.copy(migrated)


@pytest.fixture(scope="session")
def furnished(ground):
    """The URL of a small centre's database, to be copied."""
    url = ground.empty()
    furnish(url)
    return url


@pytest.fixture
def centre(furnished, databases):
    """A small centre with one kiosk."""
    with centre_at(databases.copy(furnished)) as centre:
        yield centre


async def found_with_sites(folder, database, now):
    """Make a collector as `init` leaves it, with two sites."""
    settings = CollectorSettings(
        address="https://localhost:8443",
        names=("localhost", "127.0.0.1"),
        host="127.0.0.1",
        port=0,
        database=database,
    )
    centre = await found(folder, settings, now)
    engine = open_engine(centre.database_url)
    try:
        await sites.add_organisation(engine, sites.Organisation("council", "Northvale Council"))
        await sites.add_place(engine, "E07000999", "Northvale")
        await sites.add_service(engine, "libraries", "Libraries", "council")
        keys = Keyring(centre.keys).publishing_keys()
        for code, name, questionnaire in (
            ("central", "Central Library", "library"),
            ("surgery", "High Street Surgery", "gp"),
        ):
            site = sites.Site(
                code=code,
                name=name,
                service="libraries",
                place="E07000999",
                timezone="Europe/London",
                languages=("en", "cy"),
                stands=Stands.EXIT,
                questionnaire=questionnaire,
            )
            await sites.add_site(engine, site, keys)
    finally:
        await engine.dispose()


@pytest.fixture(scope="session")
def founded(ground, tmp_path_factory):
    """A collector as `init` leaves it, with two sites. Copy it; don't touch it."""
    folder = tmp_path_factory.mktemp("founded") / "collector"
    asyncio.run(found_with_sites(folder, ground.setting, NOW))
    return folder


@pytest.fixture
def rig_of(tmp_path, runner):
    """Makes a collector that was founded at a time, and whose clock goes on from there."""
    rigs = []

    def rig_of(now):
        folder = tmp_path / "collector of another time"
        runner.run(found_with_sites(folder, SQLite.setting, now))
        rigs.append(Rig(folder, runner))
        began_s = time.monotonic()
        rigs[-1].collector = replace(
            rigs[-1].collector, clock=lambda: now + time.monotonic() - began_s
        )
        return rigs[-1]

    yield rig_of
    for rig in rigs:
        runner.run(rig.engine.dispose())


@pytest.fixture
def runner():
    with asyncio.Runner() as runner:
        yield runner


@pytest.fixture
def rig(founded, databases, tmp_path, runner):
    folder = tmp_path / "collector"
    shutil.copytree(founded, folder)
    databases.copy_of_centre(folder)
    rig = Rig(folder, runner)
    yield rig
    runner.run(rig.engine.dispose())


@pytest.fixture
def clock():
    """The time at which stamps are made."""
    return NOW


@pytest.fixture
def stamped(rig):
    """Makes kiosks that have not asked to be enrolled yet."""
    return lambda site="central": SimulatedKiosk(rig.stamp(site))


@pytest.fixture
def written(tmp_path):
    """Writes a file and gives its path."""

    def write(text):
        path = tmp_path / "written.toml"
        path.write_text(text, encoding="utf-8")
        return path

    return write


@pytest.fixture
def machine(rig, tmp_path, clock):
    folder = tmp_path / "card"
    folder.mkdir()
    machine = Machine(rig, folder, clock)
    yield machine
    machine.shut_down()


@pytest.fixture
def exported(rig, tmp_path, clock):
    """Opens what waits and exports it; gives the number of responses of each site."""

    def exported():
        keyring = rig.keyring
        keys = keyring.publishing_keys()
        opener = Opener(rig.engine, keyring.opening_keys(), keys, keyring.record_id_secret())
        rig.run(opener.open_waiting())
        at = datetime.fromtimestamp(clock + 86_400, UTC)
        folder = tmp_path / "export"
        rig.run(export(rig.engine, folder, keys, at=at))
        with (folder / "responses.csv").open(encoding="utf-8", newline="") as file:
            rows = [*csv.DictReader(file)]
        assert len({row["response_id"] for row in rows}) == len(rows)
        return Counter(row["site"] for row in rows)

    return exported
