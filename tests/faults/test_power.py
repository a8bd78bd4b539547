"""Power cuts at random instants, under a kiosk that records, settles and purges."""

import shutil
from collections import Counter

import pytest
from disk import Disk
from kept import Kept, number_of
from kiosk_machine import Machine
from kiosk_site import questionnaire
from lone_centre import LoneCentre, write_stamp

from sync_service.outbox.database import StoreKey

KEY = StoreKey(bytes(range(32)))
MOST_CHANGES = 600
"""The power goes at one of so many changes of the disk, each as likely."""

CUTS_A_STORE = 20


@pytest.fixture
def disk(tmp_path):
    with Disk.mounted(tmp_path / "disk") as disk:
        yield disk


@pytest.fixture
def machine():
    with Machine.ready() as machine:
        yield machine


class Kiosk:
    """A kiosk through many power cuts: what it acknowledged, and what was left of that.

    By turns, a cut loses all that was not synced, or keeps what chance will have of it.
    """

    def __init__(self, disk, machine, random, folder):
        self.lost = self.doubled = self.acknowledged = self.tried = 0
        self._disk = disk
        self._machine = machine
        self._random = random
        self._store = disk.folder / "store.db"
        self._centre = LoneCentre()
        self._stamp = folder / "stamp"
        write_stamp(self._centre.stamp(questionnaire()), self._stamp)

    def go_through(self, cuts, *, durable=True, with_agent=False):
        """Record until the power goes, look at what is left, and so on."""
        for cut in range(cuts):
            if cut % CUTS_A_STORE == 0:
                self._begin()
            survival = self._random.choice((None, self._random.getrandbits(32)))
            self._disk.cut_after(self._random.randrange(MOST_CHANGES), survival)
            told = {"store": str(self._store), "key": KEY.secret.hex()}
            kiosk = {"stamp": str(self._stamp), "first": self._next, "durable": durable}
            self._machine.start("kiosk", **told, **kiosk)
            if with_agent:
                self._machine.start("agent", **told, seed=self._random.getrandbits(32))
            self._disk.wait_for_cut()
            self._take_down(self._machine.die())
            self._disk.power()
            self._judge()
            self.tried += 1

    def _begin(self):
        """Begin with an empty disk."""
        for left in self._disk.folder.iterdir():
            shutil.rmtree(left) if left.is_dir() else left.unlink()
        self._recorded = set()
        self._received = {}
        self._settled = set()
        self._next = 1

    def _take_down(self, told):
        """Keep what was said to be safe, and to whom."""
        for words in told:
            match words:
                case ["recorded", number]:
                    self._recorded.add(int(number))
                    self._next = int(number) + 1
                    self.acknowledged += 1
                case ["received", seq, sealed]:
                    self._received[int(seq)] = bytes.fromhex(sealed)
                case ["settled", first_seq, last_seq]:
                    self._settled |= set(range(int(first_seq), int(last_seq) + 1))
        self._next += 1  # the one that was under way may be there too

    def _judge(self):
        """Look at what is there: at the kiosk, and at the collector that was told of it."""
        if not self._store.exists():  # the power went before there was one
            assert not self._recorded
            return
        kept = Kept.look(self._store, KEY)
        everything = self._received | kept.sealed
        assert not self._settled & {seq for seq, state in kept.state.items() if state == "waiting"}
        kept.check_chain(everything)
        numbers = Counter(
            number_of(sealed, kept.log_id, self._centre.opening) for sealed in everything.values()
        )
        self.lost += len(self._recorded - set(numbers))
        self.doubled += numbers.total() - len(numbers)
        self._recorded &= set(numbers)  # what is lost is lost once


@pytest.fixture
def kiosk(disk, machine, random, tmp_path):
    return Kiosk(disk, machine, random, tmp_path)


def test_a_kiosk_keeps_each_record_once_whenever_the_power_goes(kiosk, cuts, tally):
    kiosk.go_through(cuts)
    tally.add("power cut while recording", kiosk)

    assert (kiosk.lost, kiosk.doubled) == (0, 0)
    assert kiosk.acknowledged > cuts


def test_so_it_does_while_its_agent_settles_and_purges(kiosk, cuts, tally):
    kiosk.go_through(cuts, with_agent=True)
    tally.add("power cut while recording, settling and purging", kiosk)

    assert (kiosk.lost, kiosk.doubled) == (0, 0)
    assert kiosk.acknowledged > cuts


def test_on_this_disk_a_store_that_does_not_wait_for_it_loses_records(kiosk, cuts, tally):
    kiosk.go_through(cuts, durable=False)
    tally.add("control: the same with synchronous=NORMAL", kiosk)

    assert kiosk.lost > 0
