"""Retiring: nothing that was not delivered is ever wiped, and then all is, whatever happens."""

import contextlib
import os
import shutil
from dataclasses import replace
from datetime import UTC, date, datetime
from itertools import count

import pytest
from disk import Disk
from kiosk_site import KEY, questionnaire
from lone_centre import LoneCentre

from kiosk_app.__main__ import settle
from kiosk_app.refusal import read_refusal
from kiosk_app.retiring import Retirement, RetiringError
from kiosk_app.view import Notice, NoticeKind
from sync_service.contract.record import DayRecord, decode_record
from sync_service.contract.wire import Recorded
from sync_service.outbox.clock import Clock
from sync_service.outbox.database import (
    BusyStoreError,
    DamagedStoreError,
    OutboxError,
    StoreKey,
    WrongKeyError,
    open_store,
)
from sync_service.outbox.identity import Identity
from sync_service.outbox.outbox import Outbox
from sync_service.outbox.spare_key import keep_spare_key
from sync_service.outbox.state import DayCount, State
from sync_service.settings import read_stamp

TODAY = date(2026, 3, 10)
MORNING = 2 * (TODAY.toordinal() - date(1970, 1, 1).toordinal())


@pytest.fixture(scope="module")
def centre():
    return LoneCentre()


@pytest.fixture(scope="module")
def stamp(centre):
    return replace(centre.stamp(questionnaire()), name="desk-1")


class Card:
    """The card of a kiosk in use: its boot drive, and what the kiosk keeps on the rest of it."""

    def __init__(self, folder, stamp):
        self.boot, self.kept = folder / "boot", folder / "kept"
        self.data = self.kept / "kiosk"
        for each in (self.boot, self.kept, self.data):
            each.mkdir()
        self.stamp = self.kept / "regard.stamp"
        self.stamp.write_bytes(stamp.pack())
        self.key = self.kept / "store-key"
        self.key.write_bytes(KEY.secret)
        (self.boot / "config.txt").write_text("arm_64bit=1")
        (self.boot / "regard-settled.toml").write_text("format = 1")
        engine = open_store(self.data / "store.db", KEY)
        State(engine).begin(stamp)
        keep_spare_key(self.data / "store.db", KEY, State(engine).sealing_key)
        engine.dispose()
        Identity.open(self.data / "identity", KEY)
        self.clock = Clock(lambda: datetime(2026, 3, 10, 9, tzinfo=UTC), lambda: 0.0)

    def want(self, name="retire-this-kiosk"):
        (self.boot / name).touch()

    def retirement(self, key=KEY):
        return Retirement(
            boot=self.boot,
            stamp=self.stamp,
            data=self.data,
            store=self.data / "store.db",
            keys=[self.key, self.kept / "store-key.salt"],
            find_key=lambda: key,
            clock=self.clock,
        )

    @contextlib.contextmanager
    def store(self):
        engine = open_store(self.data / "store.db", KEY)
        yield Outbox(engine), State(engine)
        engine.dispose()

    def put(self, number=1, half_day=0):
        with self.store() as (outbox, _):
            for each in range(number):
                outbox.put(bytes([each]) * 64, half_day)

    def settle(self, outcome=Recorded.ACCEPTED):
        """All that waits is delivered."""
        with self.store() as (outbox, _):
            while run := outbox.next_run(500, 10**6, None):
                outbox.settle(run.log_id, run.first_seq, [outcome] * len(run.sealed), TODAY)

    @property
    def content(self):
        """All that is on it, but for what SQLite makes and removes."""
        found = (path for path in self.kept.parent.rglob("*") if path.is_file())
        return {path: path.read_bytes() for path in found if "store.db" not in path.name}

    @property
    def wiped(self):
        on_boot = [path.name for path in self.boot.iterdir()]
        on_rest = [path.name for path in self.kept.rglob("*")]
        return (on_boot, on_rest) == (["config.txt"], ["kiosk"])


@pytest.fixture
def card(tmp_path, stamp):
    return Card(tmp_path, stamp)


def test_of_a_kiosk_that_has_delivered_everything_nothing_is_left(card):
    card.put(3)
    card.settle()
    (card.kept / "store-key.salt").write_bytes(b"salt")
    linked = card.kept.parent / "what its sectors hold"
    for name in ("regard.stamp", "store-key", "kiosk/identity", "kiosk/store.db"):
        os.link(card.kept / name, linked.with_name(f"{linked.name} {name.replace('/', ' ')}"))
    card.want()

    card.retirement().retire()

    assert card.wiped
    held = [path.read_bytes() for path in card.kept.parent.glob("what its sectors hold*")]
    assert len(held) == 4
    assert all(content.strip(b"\0") == b"" for content in held)


def test_what_a_cut_of_the_power_left_of_a_stamp_or_a_key_is_wiped_too(card):
    aside = card.kept / ".regard.stamp-4711"
    aside.mkdir()
    (aside / "regard.stamp").write_bytes(card.stamp.read_bytes())
    (card.kept / "store-key.part").write_bytes(KEY.secret)
    (card.kept / "store-key.salt.part").write_bytes(KEY.secret)
    card.want()

    card.retirement().retire()

    assert list(card.kept.rglob("*")) == [card.data]


def test_what_waits_is_counted_and_nothing_is_wiped_before_it_was_delivered(card):
    card.put(3)
    card.want()
    before = card.content
    for _ in range(2):
        with pytest.raises(RetiringError, match=r"nothing was wiped yet.*delivered: 3;"):
            card.retirement().retire()
    assert card.content == before
    card.settle()
    card.retirement().retire()
    assert card.wiped


def test_what_the_centre_refused_is_not_wiped_as_it_is_nowhere_else(card):
    card.put(2)
    card.settle(Recorded.REFUSED_KEY)
    card.want()
    with pytest.raises(RetiringError, match=r"delivered: 0; .*refused, .*only here: 2"):
        card.retirement().retire()
    with card.store() as (outbox, _):
        assert outbox.offer_again(outbox.log_id, 1, 2) == 2
    card.settle()
    card.retirement().retire()
    assert card.wiped


def test_the_records_of_former_logs_count_too(card):
    card.put(2)
    with card.store() as (outbox, _):
        outbox.note_fork(outbox.log_id)
        outbox.next_log()
    card.put(1)
    card.want()
    with pytest.raises(RetiringError, match="delivered: 3;"):
        card.retirement().retire()


def test_the_last_day_is_put_once_leaves_with_its_half_day_and_nothing_is_counted_after(
    card, centre
):
    with card.store() as (_, state):
        state.count_session(date(2026, 3, 9), 1)
        state.count_minutes(DayCount(TODAY, 1, 30, 0, 0), card.clock.seen())
        state.count_session(TODAY, 1)
    card.want()
    for _ in range(2):
        with pytest.raises(RetiringError, match="delivered: 2;"):
            card.retirement().retire()
    with card.store() as (outbox, state):
        assert state.retiring
        state.count_session(TODAY, 1)
        state.count_minutes(DayCount(TODAY, 1, 0, 1, 0), card.clock.seen())
        assert state.finished_days(None) == []
        assert state.times().seen is not None, "the clock goes on from here"
        assert len(outbox.next_run(9, 10**6, hold=MORNING).sealed) == 1
        run = outbox.next_run(9, 10**6, hold=MORNING + 1)
        _, today = (decode_record(centre.opening.open(each, run.log_id)) for each in run.sealed)
    assert isinstance(today, DayRecord)
    assert (today.minutes_available, today.sessions_begun) == (30, 1)
    assert today.moment.half_day == MORNING + 1


def test_a_kiosk_that_nobody_wants_to_retire_any_more_asks_and_counts_again(card):
    card.put()
    card.want()
    with pytest.raises(RetiringError):
        card.retirement().retire()
    (card.boot / "retire-this-kiosk").unlink()
    assert not card.retirement().wanted
    card.retirement().give_up()
    with card.store() as (_, state):
        assert not state.retiring
        state.count_session(TODAY, 1)
        assert len(state.finished_days(None)) == 1


@pytest.mark.parametrize("name", ["retire-this-kiosk.txt", "RETIRE-THIS-KIOSK"])
def test_it_is_wanted_by_whatever_laptops_make_of_the_name(card, name):
    card.want(name)
    assert card.retirement().wanted
    card.retirement().retire()
    assert card.wiped


def test_it_is_wanted_by_a_folder_too(card):
    (card.boot / "retire-this-kiosk").mkdir()
    (card.boot / "retire-this-kiosk" / ".hidden").touch()
    card.retirement().retire()
    assert card.wiped


def test_a_kiosk_that_never_recorded_is_wiped_at_once_without_a_key(card):
    shutil.rmtree(card.data)
    card.want()
    card.key.unlink()
    card.retirement(key=None).retire()
    assert [path.name for path in card.kept.iterdir()] == []


def test_a_store_that_can_not_be_opened_is_not_wiped(card):
    card.want()
    before = card.content
    with pytest.raises(WrongKeyError):
        card.retirement(StoreKey(bytes(32))).retire()
    assert card.content == before


def test_what_is_left_of_a_store_that_is_gone_is_not_wiped(card):
    with card.store() as (outbox, _):
        outbox.put(bytes(64), 0)
        latest = (card.data / "store.db-wal").read_bytes()
    (card.data / "store.db").unlink()
    (card.data / "store.db-wal").write_bytes(latest)
    card.want()
    with pytest.raises(DamagedStoreError, match="bring it back"):
        card.retirement().retire()
    assert (card.data / "store.db-wal").read_bytes() == latest
    assert card.stamp.exists()


def test_a_kiosk_that_runs_is_not_wiped(card):
    card.want()
    before = card.content
    with card.store() as (outbox, _):
        outbox.extent()
        with pytest.raises(BusyStoreError):
            card.retirement().retire()
    assert card.content == before


@pytest.mark.parametrize("survival", [None, 1])
def test_whenever_the_power_is_cut_nothing_or_all_is_wiped_by_the_next_start(
    tmp_path, stamp, survival
):
    with Disk.mounted(tmp_path / "disk") as disk:
        for changes in count(1, 5):
            folder = disk.folder / str(changes)
            folder.mkdir()
            card = Card(folder, stamp)
            card.want()
            for path in (*folder.rglob("*"), folder):
                disk.sync(path)
            disk.cut_after(changes, survival and 100 * survival + changes)
            with contextlib.suppress(OSError, OutboxError):
                card.retirement().retire()
            if disk.powered:
                break
            disk.power()
            whole = card.stamp.exists() and card.stamp.read_bytes() == stamp.pack()
            # What was begun needs no key, which may be gone.
            retirement = card.retirement(KEY if whole else None)
            if retirement.wanted:
                retirement.retire()
            assert card.wiped, changes
    assert changes > 30


def test_whenever_the_power_is_cut_while_something_waits_it_waits_still(tmp_path, stamp):
    with Disk.mounted(tmp_path / "disk") as disk:
        for changes in count(1, 4):
            folder = disk.folder / str(changes)
            folder.mkdir()
            card = Card(folder, stamp)
            card.put(3)
            with card.store() as (_, state):
                state.count_session(TODAY, 1)
            card.want()
            for path in (*folder.rglob("*"), folder):
                disk.sync(path)
            disk.cut_after(changes, changes)
            with contextlib.suppress(RetiringError, OutboxError):
                card.retirement().retire()
            if disk.powered:
                break
            disk.power()
            with pytest.raises(RetiringError, match="delivered: 4;"):
                card.retirement().retire()
            assert read_stamp(card.stamp) == stamp
    assert changes > 5


@pytest.fixture
def command(card, tmp_path, capfd):
    """Starts the kiosk as the command does; gives its status and what it said."""
    lines = {"data": card.data, "stamp": card.stamp, "store_key": card.key}
    settings = tmp_path / "kiosk.toml"
    settings.write_text("".join(f'{key} = "{value}"\n' for key, value in lines.items()))
    folder = tmp_path / "connections"
    folder.mkdir()

    def command():
        status = settle(settings, card.boot, folder)
        return status, "".join(capfd.readouterr()), os.listdir(folder)

    return command


def test_the_command_retires_a_kiosk_and_then_takes_the_stamp_of_another_site(
    card, command, centre
):
    other = replace(LoneCentre().stamp(questionnaire()), name="of another centre")
    card.put(2)
    (card.boot / "regard.stamp").write_bytes(other.pack())
    card.want()
    status, said, connections = command()
    assert (status, "delivered: 2;" in said) == (1, True)
    assert "regard.stamp: left there until this kiosk is retired" in said
    assert read_stamp(card.stamp).name == "desk-1"
    assert connections == ["regard-ethernet.nmconnection"]

    card.settle()
    status, said, _ = command()
    assert (status, "nothing is left of it" in said) == (0, True)
    assert read_stamp(card.stamp).name == "of another centre"
    assert sorted(path.name for path in card.boot.iterdir()) == [
        "config.txt",
        "regard-settled.toml",
    ]
    assert [path.name for path in card.kept.iterdir() if path.is_file()] == ["regard.stamp"]


def test_the_command_leaves_no_network_and_says_that_a_retired_kiosk_needs_a_stamp(card, command):
    assert command() == (0, "", ["regard-ethernet.nmconnection"])
    card.want()
    status, said, connections = command()
    assert (status, connections) == (0, [])
    assert "nothing is left of it" in said
    assert "there is no stamp (regard.stamp)" in said
    told = card.kept / "regard.refused"
    assert read_refusal(told) == Notice(NoticeKind.RETIRED)
    command()
    assert read_refusal(told) == Notice(NoticeKind.NO_STAMP)


def test_the_command_lets_a_kiosk_go_on_when_the_request_is_taken_back(card, command):
    card.put()
    card.want()
    assert command()[0] == 1
    (card.boot / "retire-this-kiosk").unlink()
    assert command()[:2] == (0, "")
    with card.store() as (_, state):
        assert not state.retiring


def test_the_old_stamp_left_beside_the_request_is_not_taken_again(card, command, stamp):
    """As where the power was cut while it was taken at the first start."""
    (card.boot / "regard.stamp").write_bytes(stamp.pack())
    card.want()
    assert command()[0] == 0
    assert not (card.boot / "regard.stamp").exists()
    assert not card.stamp.exists()
