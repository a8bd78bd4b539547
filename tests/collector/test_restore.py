"""A collector is restored from a backup, as docs/backup.md says, and kiosks bring back the rest."""

import csv
import os
import re
import shutil
import subprocess
import sys
import time
from contextlib import ExitStack, contextmanager
from pathlib import Path
from random import Random

import pytest
from sqlalchemy import func, make_url, select

from sync_service.agent.agent import Agent
from sync_service.agent.client import Collector
from sync_service.agent.config import AgentSettings
from sync_service.collector import tables
from sync_service.collector.__main__ import main
from sync_service.contract.publication import Publication
from sync_service.contract.record import DayRecord, Moment, encode_record
from sync_service.outbox.clock import Clock
from sync_service.outbox.database import StoreKey, open_store
from sync_service.outbox.identity import Identity
from sync_service.outbox.outbox import Outbox
from sync_service.outbox.state import State

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs/backup.md").read_text(encoding="utf-8")
BLOCKS = dict(re.findall(r"^```sh ([a-z ]+)\n(.*?)^```$", PAGE, re.DOTALL | re.MULTILINE))
KEY = StoreKey(bytes(range(32)))
EARLIER = int(time.time()) // 43_200 - 10  # a half-day that is over everywhere
PATIENCE_S = 60


class FieldKiosk:
    """A kiosk with a real store and a real agent, whose responses are days with a number."""

    def __init__(self, folder, stamp, closing):
        folder.mkdir()
        self._folder = folder
        self._stamp = stamp
        self._closing = closing
        self._store = open_store(folder / "store.db", KEY)
        closing.callback(self._store.dispose)
        self.outbox = Outbox(self._store)
        self._state = State(self._store)
        self._state.begin(stamp)
        self._identity = Identity.open(folder / "identity", KEY)

    def record(self, numbers):
        keys = Publication.verify(self._stamp.keys, self._stamp.publishing_key).body
        assignment = Publication.verify(self._stamp.assignment, self._stamp.publishing_key)
        log_id = self.outbox.extent().log_id
        for number in numbers:
            day = DayRecord(
                assignment=assignment.serial,
                moment=Moment(EARLIER),
                minutes_available=number,
                minutes_out_of_service=0,
                sessions_begun=0,
            )
            self.outbox.put(keys.sealing.seal(encode_record(day), log_id), EARLIER)

    def contact(self, port):
        """Make one contact with the collector on a port, which must go well."""
        clock = Clock()
        with Collector(
            f"https://localhost:{port}",
            self._stamp.authority,
            signing_key=self._identity.signing_key,
            believe=self._state.believe,
            clock=clock,
            software="regard/test",
            timeout_s=30,
        ) as collector:
            agent = Agent(
                AgentSettings(data=str(self._folder), stamp=str(self._folder)),
                stamp=self._stamp,
                software="regard/test",
                outbox=self.outbox,
                state=self._state,
                identity=self._identity,
                clock=clock,
                collector=collector,
                random=Random(1),
                wait=lambda seconds: False,
            )
            assert agent.once()


@contextmanager
def serving(folder):
    """Serve the collector by its command; gives the port."""
    process = subprocess.Popen(
        [sys.executable, "-m", "sync_service.collector", "serve", "--folder", str(folder)],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        line = process.stdout.readline()
        assert line.startswith("info listening host=127.0.0.1 port="), line
        yield int(line.rpartition("=")[2])
    finally:
        process.terminate()
        process.communicate()
    assert process.returncode == 0


class Custodian:
    """Looks after a collector as docs/backup.md says."""

    def __init__(self, rig, ground, backup):
        self._rig = rig
        self._ground = ground
        self.folder = rig.centre.folder
        self.backup = backup
        self._url = make_url(rig.centre.settings.database)

    def do(self, block):
        plain = self._url.set(drivername="postgresql").render_as_string(hide_password=False)
        where = {"REGARD": str(self.folder), "BACKUP": str(self.backup), "DATABASE": plain}
        script = ("sh", "-eu", "-c", BLOCKS[block])
        subprocess.run(script, env=os.environ | where, check=True)

    def back_up(self):
        self.do(f"back up {self._ground.name}")

    def lose(self):
        """The machine burns down: folder, database and all."""
        self._rig.run(self._rig.engine.dispose())
        shutil.rmtree(self.folder)
        self._ground.lose(self._url)

    def restore(self):
        self.folder.mkdir()
        archive = ["tar", "-xzf", self.backup / "folder.tar.gz", "-C", self.folder]
        subprocess.run(archive, check=True)
        self.do(f"restore {self._ground.name}")


def exported(folder, into):
    """The number in each day that is exported, by its id."""
    assert main(["export", "--folder", str(folder), str(into)]) == 0
    with (into / "days.csv").open(encoding="utf-8", newline="") as file:
        return {row["day_id"]: int(row["minutes_available"]) for row in csv.DictReader(file)}


def wait_until_opened(rig, number):
    give_up_at = time.monotonic() + PATIENCE_S
    while rig.read(select(func.count()).select_from(tables.day)) != [(number,)]:
        assert time.monotonic() < give_up_at, "it never came to be"
        time.sleep(0.05)


@pytest.fixture
def closing():
    with ExitStack() as closing:
        yield closing


@pytest.fixture
def custodian(rig, ground, tmp_path):
    return Custodian(rig, ground, tmp_path / "backup")


def test_a_collector_restored_from_yesterday_s_backup_gets_back_all_that_kiosks_still_hold(
    rig, custodian, closing, tmp_path
):
    old, new = (FieldKiosk(tmp_path / name, rig.stamp(), closing) for name in ("old", "new"))
    custodian.do("folder")
    with serving(custodian.folder) as port:
        old.record(range(700))
        old.contact(port)
        old.record(range(700, 710))
        custodian.back_up()  # while it runs
        old.contact(port)
        new.record(range(1000, 1040))  # enrolled after the backup
        new.contact(port)
        wait_until_opened(rig, 750)
    before = exported(custodian.folder, tmp_path / "before")
    assert sorted(before.values()) == [*range(710), *range(1000, 1040)]
    assert old.outbox.extent().depth == new.outbox.extent().depth == 0

    custodian.lose()
    custodian.restore()

    assert rig.read(select(func.count()).select_from(tables.record)) == [(700,)]
    assert len(rig.read(select(tables.kiosk))) == 1
    old.record([710])
    with serving(custodian.folder) as port:
        for kiosk in (old, new):
            kiosk.contact(port)
            assert kiosk.outbox.extent().depth == 0
        wait_until_opened(rig, 751)
    after = exported(custodian.folder, tmp_path / "after")
    assert {day_id: after.pop(day_id, None) for day_id in before} == before
    assert [*after.values()] == [710]


def test_the_folder_s_backup_holds_every_key_and_not_the_database(rig, custodian):
    custodian.do("folder")

    archive = custodian.backup / "folder.tar.gz"
    listing = subprocess.run(["tar", "-tzf", archive], check=True, capture_output=True, text=True)
    names = {Path(line).name for line in listing.stdout.split()}
    kept = [*rig.centre.keys.iterdir(), *rig.centre.certificates.iterdir()]
    assert {path.name for path in kept} | {"collector.toml"} <= names
    assert not any(name.startswith("collector.db") for name in names)
    assert archive.stat().st_mode & 0o777 == 0o600


def test_what_the_page_says_of_each_key_is_about_a_key_that_there_is(rig):
    named = re.findall(r"^\| `(keys|tls)/([a-z-]+)[^`]*` \|", PAGE, re.MULTILINE)
    private = [
        *rig.centre.keys.glob("*.key"),
        *rig.centre.certificates.glob("authority.key"),
    ]
    assert {path.name.partition("-")[0].removesuffix(".key") for path in private} == {
        name.partition("-")[0] for _, name in named
    }
