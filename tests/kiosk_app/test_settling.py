"""Settling in: the stamp goes from boot drive to data, whatever happens meanwhile."""

import contextlib
import os
import stat
from dataclasses import replace
from itertools import count

import pytest
from disk import Disk
from kiosk_site import KEY, questionnaire
from lone_centre import LoneCentre

from kiosk_app.__main__ import settle
from kiosk_app.refusal import read_refusal
from kiosk_app.settling import settle_in
from kiosk_app.view import Notice, NoticeKind
from sync_service.contract.codec import decode, encode
from sync_service.contract.network import Network
from sync_service.contract.stamp import Settled, Stamp, StampError
from sync_service.outbox.database import open_store
from sync_service.outbox.outbox import Outbox
from sync_service.outbox.state import State
from sync_service.settings import read_stamp


def anything(_):
    """A kiosk that can go by any stamp."""


@pytest.fixture(scope="module")
def centre():
    return LoneCentre()


@pytest.fixture(scope="module")
def stamp(centre):
    return replace(centre.stamp(questionnaire()), name="desk-1")


@pytest.fixture(scope="module")
def newer(centre):
    return replace(centre.stamp(questionnaire()), name="desk-2", stamp_id=bytes(range(16)))


class Card:
    """A card: its boot drive, and what the kiosk keeps on the rest of it."""

    def __init__(self, folder):
        self.boot, self.data = folder / "boot", folder / "data"
        for each in (self.boot, self.data):
            each.mkdir()
        self.brought = self.boot / "regard.stamp"
        self.settled = self.data / "regard.stamp"

    def bring(self, stamp):
        """Drag a stamp onto the boot drive."""
        self.brought.write_bytes(stamp.pack())

    def settle_in(self, judge=anything):
        return settle_in(self.boot, self.settled, judge)

    def refusal(self):
        """Why the stamp that was brought last was refused."""
        return read_refusal(self.data / "regard.refused")

    def readable(self):
        """The stamps that can be read, here or there."""
        found = []
        for path in (self.brought, self.settled):
            with contextlib.suppress(StampError):
                found.append(read_stamp(path))
        return found


@pytest.fixture
def card(tmp_path):
    return Card(tmp_path)


def test_the_stamp_is_taken_and_nothing_secret_is_left(card, stamp):
    card.bring(stamp)
    os.link(card.brought, card.data / "what the boot drive's sectors hold")

    assert card.settle_in() == stamp

    assert read_stamp(card.settled) == stamp
    assert stat.S_IMODE(card.settled.stat().st_mode) & 0o007 == 0
    assert [path.name for path in card.boot.iterdir()] == ["regard-settled.toml"]
    left = Settled.from_file((card.boot / "regard-settled.toml").read_bytes())
    assert (left.site_name, left.name) == ("Central Library", "desk-1")
    held = (card.data / "what the boot drive's sectors hold").read_bytes()
    assert held == bytes(len(stamp.pack()))


def test_settling_in_at_every_start_changes_nothing_more(card, stamp):
    card.bring(stamp)
    card.settle_in()
    before = card.settled.stat()
    assert card.settle_in() == stamp
    assert card.settled.stat() == before


def test_a_newer_stamp_takes_the_place_of_an_older_one(card, stamp, newer):
    card.bring(stamp)
    card.settle_in()
    card.bring(newer)
    assert card.settle_in() == newer
    assert read_stamp(card.settled) == newer
    assert b"desk-2" in (card.boot / "regard-settled.toml").read_bytes()
    assert [path.name for path in card.data.iterdir()] == ["regard.stamp"]


def test_without_any_stamp_it_is_said_what_to_copy_where(card):
    with pytest.raises(StampError, match=r"boot: there is no stamp \(regard\.stamp\): copy"):
        card.settle_in()


def refuse(_):
    raise StampError("not this one")


@pytest.mark.parametrize(
    ("spoil", "judge", "why"),
    [
        (lambda packed: packed[:-1], anything, "damaged, or no stamp: copy it anew"),
        (lambda packed: packed.replace(b"invalid", b"invalit"), anything, "damaged on its way"),
        (lambda packed: bytes(len(packed) + 1), anything, "damaged, or no stamp"),
        (bytes, refuse, "not this one"),
    ],
)
def test_a_stamp_that_is_refused_stays_where_it_is(card, stamp, newer, *, spoil, judge, why):
    card.bring(stamp)
    card.settle_in()
    left = (card.boot / "regard-settled.toml").read_bytes()
    card.brought.write_bytes(spoil(newer.pack()))

    with pytest.raises(StampError, match=why):
        card.settle_in(judge)

    assert card.brought.read_bytes() == spoil(newer.pack())
    assert read_stamp(card.settled) == stamp
    assert (card.boot / "regard-settled.toml").read_bytes() == left


def test_a_stamp_that_is_damaged_where_it_is_kept_can_be_brought_again(card, stamp):
    card.bring(stamp)
    card.settle_in()
    card.settled.write_bytes(stamp.pack()[:-1])
    with pytest.raises(StampError, match="damaged"):
        card.settle_in()
    card.bring(stamp)
    assert card.settle_in() == stamp


@pytest.mark.parametrize("began", [0, 1, 512, -1])
def test_a_stamp_that_was_half_overwritten_is_overwritten_and_removed(card, stamp, began):
    packed = stamp.pack()
    card.settled.write_bytes(packed)
    card.brought.write_bytes(bytes(len(packed[:began])) + packed[len(packed[:began]) :])
    assert card.settle_in() == stamp
    assert not card.brought.exists()


def test_a_place_that_can_not_be_written_is_named(card, stamp):
    card.bring(stamp)
    with pytest.raises(StampError, match=r"nowhere.*No such file"):
        settle_in(card.boot, card.data / "nowhere" / "regard.stamp", anything)
    assert read_stamp(card.brought) == stamp


@pytest.mark.parametrize("survival", [None, 1, 2])
@pytest.mark.parametrize("moved", [False, True], ids=["first stamp", "newer stamp"])
def test_whenever_the_power_is_cut_a_stamp_is_there_and_the_next_start_goes_on(
    tmp_path, stamp, newer, survival, moved
):
    last = newer if moved else stamp
    with Disk.mounted(tmp_path / "disk") as disk:
        for changes in count(1):
            folder = disk.folder / str(changes)
            folder.mkdir()
            card = Card(folder)
            if moved:
                card.bring(stamp)
                card.settle_in()
            card.bring(last)
            disk.sync(card.brought)
            for each in (card.boot, card.data, folder):
                disk.sync(each)
            disk.cut_after(changes, survival and 100 * survival + changes)
            with contextlib.suppress(StampError):
                card.settle_in()
            if disk.powered:
                break
            disk.power()
            assert card.readable(), changes
            assert not moved or read_stamp(card.settled) in (stamp, newer)
            assert card.settle_in() == last
            assert read_stamp(card.settled) == last
            assert [path.name for path in card.boot.iterdir()] == ["regard-settled.toml"]
    assert changes > 10


@pytest.fixture
def command(card, tmp_path, capsys):
    """Settles a kiosk in as the command does; gives its status and what it said."""
    (tmp_path / "key").write_bytes(KEY.secret)
    settings = {"data": card.data, "stamp": card.settled, "store_key": tmp_path / "key"}
    lines = (f'{key} = "{value}"\n' for key, value in settings.items())
    (tmp_path / "kiosk.toml").write_text("".join(lines))

    def command(connections=None):
        status = settle(tmp_path / "kiosk.toml", card.boot, connections)
        return status, capsys.readouterr().err

    return command


def test_the_command_settles_a_kiosk_in_and_tells_the_network(card, stamp, command, tmp_path):
    assert command() == (
        2,
        f"regard-kiosk: {card.boot}: there is no stamp (regard.stamp): copy the one that the"
        " central team made for this kiosk there\n",
    )
    assert card.refusal() == Notice(NoticeKind.NO_STAMP)
    card.bring(stamp)
    assert command(tmp_path) == (0, "")
    path = tmp_path / "regard-ethernet.nmconnection"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert command(tmp_path) == (0, "")
    card.bring(replace(stamp, network=Network(None)))
    assert command(tmp_path / "nowhere") == (0, "")
    card.bring(stamp)
    status, said = command(tmp_path / "nowhere")
    assert (status, "nowhere: No such file" in said) == (1, True)


def test_a_boot_drive_that_can_not_be_read_takes_no_kiosk_its_network(
    card, stamp, command, tmp_path
):
    card.bring(stamp)
    command()
    card.boot = tmp_path / ("too long a name" * 20)  # even root can't look there
    status, said = command(tmp_path)
    assert (status, "File name too long" in said) == (1, True)
    assert (tmp_path / "regard-ethernet.nmconnection").exists()


def test_the_command_refuses_a_stamp_for_another_panel_and_lets_the_kiosk_go_on(
    card, stamp, command
):
    card.bring(replace(stamp, panel="9-640x480"))
    status, said = command()
    assert (status, "no panel is called 9-640x480" in said) == (2, True)
    assert card.refusal() == Notice(NoticeKind.STAMP_UNFIT)
    card.bring(stamp)
    command()
    assert card.refusal() is None
    card.bring(replace(stamp, panel="9-640x480"))
    status, said = command()
    assert (status, "no panel is called 9-640x480" in said) == (1, True)
    assert card.brought.exists()
    assert read_stamp(card.settled) == stamp


def test_the_command_refuses_another_centres_stamp_and_counts_what_waits(card, stamp, command):
    card.bring(stamp)
    command()
    engine = open_store(card.data / "store.db", KEY)
    State(engine).begin(stamp)
    outbox = Outbox(engine)
    outbox.put(bytes(64), 1)
    engine.dispose()
    card.bring(replace(stamp, name="of the same centre"))
    assert command() == (0, "")

    card.bring(LoneCentre().stamp(questionnaire()))
    status, said = command()

    assert status == 1
    assert card.refusal() == Notice(NoticeKind.STAMP_FOREIGN, waiting=1)
    assert "signed by another centre" in said
    assert said.endswith("Records that wait in it to be delivered: 1\n")
    assert Stamp.unpack(card.settled.read_bytes()).name == "of the same centre"


@pytest.mark.parametrize(
    ("spoil", "kind"),
    [
        (lambda packed: packed[:-1], NoticeKind.STAMP_DAMAGED),
        (lambda packed: encode({**decode(packed), "format": 2}), NoticeKind.STAMP_NEWER),
    ],
)
def test_the_command_keeps_for_the_screen_why_it_refused_a_stamp(
    card, stamp, command, *, spoil, kind
):
    card.brought.write_bytes(spoil(stamp.pack()))
    assert command()[0] == 2
    assert card.refusal() == Notice(kind)


def test_a_store_that_can_not_be_opened_refuses_no_kiosk_its_start(card, stamp, command):
    card.bring(stamp)
    command()
    (card.data / "store.db").write_bytes(b"no store" * 1000)
    card.bring(replace(stamp, name="newer"))
    status, said = command()
    assert status == 1
    assert card.refusal() == Notice(NoticeKind.DATA_MISSING)
    assert "store.db" in said
    assert read_stamp(card.settled) == stamp
