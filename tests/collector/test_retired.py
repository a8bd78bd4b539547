"""A kiosk that is retired, from its last records to its card's next stamp, at a real collector."""

from contextlib import contextmanager

import pytest
from cards import card_image
from machine import STORE_KEY, Machine

from kiosk_app.__main__ import settle
from sync_service.collector.card_image import CardImage
from sync_service.collector.error import OfficeError
from sync_service.collector.fleet import list_kiosks
from sync_service.collector.taking import Taking
from sync_service.collector.wording import told_parts, told_waiting
from sync_service.contract.stamp import SETTLED_FILE
from sync_service.stick import SentBy, Stick

pytestmark = pytest.mark.sqlite_alone  # it is the kiosk's side that is tried


class Card:
    """The card of a machine, with its boot drive; it is started as systemd does."""

    def __init__(self, rig, folder, clock, capfd):
        self.boot, self.stamp = folder / "boot", folder / "regard.stamp"
        self.boot.mkdir()
        self.data = folder / "card"
        self.data.mkdir()
        self.machine = Machine(rig, self.data, clock)
        self._key, self._settings = folder / "store-key", folder / "kiosk.toml"
        self._capfd = capfd
        told = {"data": self.data, "stamp": self.stamp, "store_key": self._key}
        self._settings.write_text("".join(f'{key} = "{path}"\n' for key, path in told.items()))

    def start(self):
        """Start anew: with which status, and what was said."""
        self.machine.shut_down()
        if not self._key.exists():
            self._key.write_bytes(STORE_KEY.secret)
        status = settle(self._settings, self.boot)
        return status, "".join(self._capfd.readouterr())

    @contextmanager
    def running(self, stamp):
        yield self.machine.start(stamp)
        self.machine.shut_down()

    def bring(self, stamp):
        (self.boot / "regard.stamp").write_bytes(stamp.pack())

    def want(self):
        (self.boot / "retire-this-kiosk").mkdir()

    def image(self, path):
        """The image that somebody makes of it."""
        files = {each.name: each.read_bytes() for each in self.boot.iterdir() if each.is_file()}
        mark = b'format = 1\nversion = "0.1.0"\nbuilt = "2026-11-25"\n'
        return CardImage.open(card_image(path, [("regard-image.toml", mark), *files.items()]))


@pytest.fixture
def card(rig, tmp_path, clock, capfd):
    return Card(rig, tmp_path, clock, capfd)


@pytest.fixture
def line(rig):
    """The one line of the list of kiosks."""

    def line():
        [line] = rig.run(list_kiosks(rig.engine))
        return line

    return line


def test_a_kiosk_delivers_what_waits_and_its_card_takes_the_stamp_of_another_site(
    card, rig, line, exported, tmp_path
):
    first = rig.stamp("central", "desk")
    card.bring(first)
    assert card.start() == (0, "")
    with card.running(first) as machine:
        machine.record(3)
        kiosk_id = machine.identity.kiosk_id
    card.want()
    status, said = card.start()
    assert (status, "delivered: 3;" in said) == (1, True)
    with pytest.raises(OfficeError, match="records that were never delivered may be on it"):
        card.image(tmp_path / "before.img").check_unstamped()

    with card.running(first) as machine:
        assert machine.contact()
        assert machine.contact()
    assert (told_waiting(line()), told_parts(line())) == ("nothing", "it is being retired")
    status, said = card.start()
    assert (status, "nothing is left of it" in said) == (0, True)
    assert [*card.data.iterdir()] == [*card.boot.iterdir()] == []
    card.image(tmp_path / "after.img").check_unstamped()

    second = rig.stamp("surgery", "door")
    card.bring(second)
    assert card.start() == (0, "")
    assert (card.boot / SETTLED_FILE).exists()
    with card.running(second) as machine:
        machine.record(2)
        assert machine.identity.kiosk_id != kiosk_id
        assert machine.contact()
    assert exported() == {"central": 3, "surgery": 2}


def test_by_a_stick_it_takes_two_visits_as_only_a_receipt_says_that_all_has_arrived(
    card, rig, tmp_path, clock
):
    stamp = rig.stamp()
    card.bring(stamp)
    card.start()
    with card.running(stamp) as machine:
        machine.record(3)
    card.want()
    stick = tmp_path / "stick"
    stick.mkdir()
    for _ in range(2):
        with card.running(stamp) as machine:
            machine.carry(stick)
        status, said = card.start()
        assert (status, "delivered: 3;" in said) == (1, True)

    take_in(rig, stick, clock)
    with card.running(stamp) as machine:
        machine.carry(stick)
    status, said = card.start()
    assert (status, "nothing is left of it" in said) == (0, True)


def take_in(rig, stick, clock):
    collector = rig.collector
    taking = Taking(
        rig.engine,
        intake=collector.intake,
        fleet=collector.fleet,
        enrolments=collector.enrolments,
        receipt_key=rig.receipt_key,
    )
    for file in Stick(stick).files():
        if file.sent_by is SentBy.KIOSK:
            rig.run(taking.take(Stick(stick), file, clock))
