"""A disk that is full, turns read-only or goes away, under a kiosk that records."""

from collections import Counter
from contextlib import contextmanager

import pytest
from disk import Disk
from kept import Kept, number_of
from kiosk_machine import Machine
from kiosk_site import questionnaire
from lone_centre import LoneCentre, write_stamp

from sync_service.outbox.database import StoreKey

KEY = StoreKey(bytes(range(32)))
BETWEEN = 20
"""So many responses are recorded before each trouble, and after the last."""


class Kiosk:
    """A kiosk that records into a folder of a disk, and what it acknowledged."""

    def __init__(self, machine, disk, folder):
        self.tried = self.lost = self.doubled = 0
        self.disk = disk
        self.data = disk.folder / "data"
        self.data.mkdir()
        self._machine = machine
        self._recorded = []
        self._centre = LoneCentre()
        write_stamp(self._centre.stamp(questionnaire()), folder / "stamp")
        store = {"store": str(self.data / "store.db"), "key": KEY.secret.hex()}
        machine.start("kiosk", **store, stamp=str(folder / "stamp"), first=1)

    @property
    def acknowledged(self):
        return len(self._recorded)

    def record(self):
        """Let it record some responses."""
        enough = self.acknowledged + BETWEEN
        while self.acknowledged < enough:
            self._take_down(self._machine.hear())

    def go_through(self, trouble):
        """Have a trouble with the disk, until it says that it is out of service."""
        self.record()
        with trouble(self):
            while self._take_down(self._machine.hear()) != ["out-of-service"]:
                pass
        self.record()
        self.tried += 1

    def judge(self):
        """Look at what is there."""
        for words in self._machine.die():
            self._take_down(words)
        kept = Kept.look(self.data / "store.db", KEY)
        kept.check_chain({})
        opening = self._centre.opening
        numbers = Counter(number_of(one, kept.log_id, opening) for one in kept.sealed.values())
        self.lost = len(set(self._recorded) - set(numbers))
        self.doubled = numbers.total() - len(numbers)

    def _take_down(self, words):
        if words[0] == "recorded":
            self._recorded.append(int(words[1]))
        return words


@contextmanager
def full(kiosk):
    kiosk.disk.leave_space(0)
    yield
    kiosk.disk.leave_space(None)


@contextmanager
def read_only(kiosk):
    kiosk.disk.be_read_only(True)
    yield
    kiosk.disk.be_read_only(False)


@contextmanager
def gone(kiosk):
    elsewhere = kiosk.data.rename(kiosk.data.with_name("elsewhere"))
    yield
    elsewhere.rename(kiosk.data)


@pytest.mark.parametrize("trouble", [full, read_only, gone], ids=lambda trouble: trouble.__name__)
def test_a_kiosk_is_out_of_service_while_its_disk_is_and_loses_nothing(
    tmp_path, in_full, tally, trouble
):
    with Disk.mounted(tmp_path / "disk") as disk, Machine.ready() as machine:
        kiosk = Kiosk(machine, disk, tmp_path)
        for _ in range(20 if in_full else 2):
            kiosk.go_through(trouble)
        kiosk.judge()
    tally.add(f"a disk that is {trouble.__name__.replace('_', '-')}", kiosk)

    assert (kiosk.lost, kiosk.doubled) == (0, 0)
