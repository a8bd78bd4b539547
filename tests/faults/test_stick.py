"""A stick that is pulled out at random instants, at the kiosk and at the centre."""

import sqlite3
from contextlib import closing, suppress
from datetime import UTC, date, datetime

import pytest
from disk import Disk
from machine import Machine

from sync_service.collector.__main__ import main
from sync_service.contract.wire import Recorded
from sync_service.outbox.database import reading
from sync_service.settings import read_stamp

MOST_CHANGES = 25
"""It is pulled at one of so many changes of the stick, each as likely; a visit makes about ten."""

NEVER = 1_000_000

TO_BEGIN = """\
init {folder} --address https://collector.example:8443
organisation add council Council --folder {folder}
place add E07000999 Northvale --folder {folder}
service add libraries Libraries --organisation council --folder {folder}
site add central Library --service libraries --place E07000999 --languages en --stands exit \
--questionnaire library --folder {folder}
stamp central desk-1 {stamp} --folder {folder}
"""


class Trusting(Machine):
    """A kiosk that counts as delivered whatever it has left on a stick."""

    def carry(self, stick):
        super().carry(stick)
        while run := self.outbox.next_run(500, 10**6, None):
            accepted = [Recorded.ACCEPTED] * len(run.sealed)
            self.outbox.settle(run.log_id, run.first_seq, accepted, date.max)


class Carried:
    """A kiosk and a centre with only a stick between them, and what came of its records."""

    def __init__(self, disk, machine, centre, random):
        self.lost = self.doubled = self.acknowledged = self.tried = 0
        self._disk = disk
        self._machine = machine
        self._centre = centre
        self._random = random

    def go_through(self, pulls, at_kiosk=MOST_CHANGES, at_centre=MOST_CHANGES):
        """Go to and fro, each time with the stick pulled out somewhere; then once more in peace."""
        while self.tried < pulls:
            for number, go, most in ((3, self._visit, at_kiosk), (0, self._take, at_centre)):
                self._machine.record(number)
                self.acknowledged += number
                survival = self._random.choice((None, self._random.getrandbits(32)))
                self._disk.cut_after(self._random.randrange(most), survival)
                with suppress(OSError):
                    go()
                if not self._disk.powered:
                    self._disk.power()
                    self.tried += 1
        self._disk.cut_after(NEVER)
        for go in (self._visit, self._take, self._visit):
            go()
        self._judge()

    def _visit(self):
        self._machine.carry(self._disk.folder)

    def _take(self):
        main(["take", str(self._disk.folder), "--folder", str(self._centre)])

    def _judge(self):
        """All that was recorded must be settled, and held, each of it once."""
        with reading(self._machine.outbox._engine) as connection:
            recorded = {*connection.exec_driver_sql("SELECT sealed FROM record").scalars()}
            [state] = connection.exec_driver_sql("SELECT DISTINCT state FROM record").scalars()
        assert (len(recorded), state) == (self.acknowledged, "delivered")
        with closing(sqlite3.connect(self._centre / "collector.db")) as database:
            held = [sealed for (sealed,) in database.execute("SELECT sealed FROM record")]
        self.lost = len(recorded - {*held})
        self.doubled = len(held) - len({*held})


@pytest.fixture
def carried(tmp_path, random, request):
    centre, stamp = tmp_path / "centre", tmp_path / "stamp"
    for line in TO_BEGIN.splitlines():
        assert main(line.format(folder=centre, stamp=stamp).split()) == 0
    card = tmp_path / "card"
    card.mkdir()
    kind = getattr(request, "param", Machine)
    machine = kind(None, card, int(datetime.now(UTC).timestamp()))
    machine.start(read_stamp(next(stamp.glob("**/*.stamp"))))
    with Disk.mounted(tmp_path / "stick") as disk:
        yield Carried(disk, machine, centre, random)
    machine.shut_down()


def test_a_stick_carries_each_record_once_whenever_it_is_pulled_out(carried, cuts, tally):
    carried.go_through(cuts)
    tally.add("stick pulled out while it is written", carried)

    assert (carried.lost, carried.doubled) == (0, 0)
    assert carried.acknowledged > cuts


@pytest.mark.parametrize("carried", [Trusting], indirect=True)
def test_a_kiosk_that_trusts_such_a_stick_loses_records(carried, cuts, tally):
    carried.go_through(cuts, at_kiosk=NEVER, at_centre=2)
    tally.add("control: the same, with no receipts awaited", carried)

    assert carried.lost > 0
