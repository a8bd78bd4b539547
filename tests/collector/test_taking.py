"""Carried by hand: a kiosk's real store, a stick that goes to and fro, and a real collector."""

import errno
import shutil
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from io import BytesIO
from itertools import accumulate

import pytest
from machine import STORE_KEY, Machine
from sqlalchemy import select

from sync_service.collector import tables
from sync_service.collector.__main__ import main
from sync_service.collector.enrolment import approve, reinstate, revoke
from sync_service.collector.fleet import ask_again
from sync_service.collector.taking import Taking
from sync_service.contract.bundle import BundleWriter, Closing, Part, read_parts
from sync_service.contract.publication import Replies
from sync_service.contract.record import DayRecord, Moment, encode_record
from sync_service.contract.signing import Context, Envelope, SigningKey, fingerprint
from sync_service.contract.wire import Receipt, Recorded, Standing
from sync_service.outbox.clock import Clock
from sync_service.outbox.database import open_store, reading
from sync_service.outbox.outbox import Outbox
from sync_service.stick import SentBy, Stick

NOW = 1_773_480_000
ZONE = "Europe/London"
NEW, DOUBLED = Recorded.ACCEPTED, Recorded.DUPLICATE
UNFINISHED = "it was not written to its end"
ALTERED = "it was altered, or is damaged"


@pytest.fixture
def stick(tmp_path):
    folder = tmp_path / "stick"
    folder.mkdir()
    return folder


@pytest.fixture
def taken(rig, clock):
    """Takes all in that is on a stick: what became of each bundle."""

    def taken(stick):
        collector = rig.collector
        taking = Taking(
            rig.engine,
            intake=collector.intake,
            fleet=collector.fleet,
            enrolments=collector.enrolments,
            receipt_key=rig.receipt_key,
        )
        stick = stick if isinstance(stick, Stick) else Stick(stick)
        return [
            rig.run(taking.take(stick, file, clock))
            for file in stick.files()
            if file.sent_by is SentBy.KIOSK
        ]

    return taken


@pytest.fixture
def carried(rig, machine, stick):
    """A kiosk that nobody knows yet, and its first bundle, of three records."""
    machine.start(rig.stamp())
    machine.record(3)
    machine.carry(stick)
    return machine


@pytest.fixture
def another(rig, tmp_path, clock):
    """Makes one more kiosk at a time, stamped and with so many records."""
    machines = []

    def another(number):
        folder = tmp_path / f"card {len(machines)}"
        folder.mkdir()
        machines.append(Machine(rig, folder, clock).start(rig.stamp()))
        machines[-1].record(number)
        return machines[-1]

    yield another
    for machine in machines:
        machine.shut_down()


def sole(folder, kind):
    [path] = (folder / "regard").glob(f"*.{kind}")
    return path


def parts_of(path):
    return [*read_parts(BytesIO(path.read_bytes()).read)]


def seal_anew(machine, number):
    day = DayRecord(
        assignment=1,
        moment=Moment(machine.half_day),
        minutes_available=number,
        minutes_out_of_service=0,
        sessions_begun=0,
    )
    return machine.state.sealing_key.seal(encode_record(day), machine.outbox.log_id)


def states(machine):
    with reading(machine.outbox._engine) as connection:
        rows = connection.exec_driver_sql("SELECT state FROM record")
        return Counter(row.state for row in rows)


def everything(rig):
    """How many records the collector holds."""
    return len(rig.read(select(tables.record.c.seq)))


def boundaries(path):
    """Where each part of a bundle ends."""
    return [*accumulate(5 + len(signed) for _, signed in parts_of(path))]


class ShortStick(Stick):
    """A stick with room for so many bytes in a file."""

    def __init__(self, folder, room):
        super().__init__(folder)
        self._room = room

    @contextmanager
    def writing(self, *arguments):
        with super().writing(*arguments) as write:
            yield lambda data: self._take(data, write)

    def _take(self, data, write):
        write(data[: max(self._room, 0)])
        self._room -= len(data)
        if self._room < 0:
            raise OSError(errno.ENOSPC, "No space left on device")


# There and back


def test_records_go_out_by_stick_and_receipts_come_back(rig, carried, stick, taken, exported):
    [result] = taken(stick)
    assert (result.outcomes, result.standing) == ({NEW: 3}, Standing.ENROLLED)
    assert result.refused == []
    assert states(carried) == {"waiting": 3}

    assert carried.carry(stick)[0]
    assert states(carried) == {"delivered": 3}
    assert carried.identity.standing is Standing.ENROLLED
    assert exported() == {"central": 3}


@pytest.mark.sqlite_alone
def test_a_visit_leaves_one_bundle_and_nothing_else(carried, stick, taken):
    first = sole(stick, "bundle")
    taken(stick)
    carried.record(1)
    carried.carry(stick)
    assert [file.suffix for file in (stick / "regard").iterdir()] == [".bundle"]
    assert sole(stick, "bundle") != first
    [result] = taken(stick)
    assert result.outcomes == {NEW: 1}


@pytest.mark.sqlite_alone
def test_a_backlog_goes_out_in_many_batches(rig, machine, stick, taken):
    machine.start(rig.stamp())
    machine.record(503)
    machine.carry(stick)
    parts = [part for part, _ in parts_of(sole(stick, "bundle"))]
    assert parts == [Part.ENROLMENT, Part.STATUS, *[Part.BATCH] * 2, Part.CLOSING]
    assert [result.outcomes for result in taken(stick)] == [{NEW: 503}]
    machine.carry(stick)
    assert states(machine) == {"delivered": 503}


@pytest.mark.sqlite_alone
def test_what_is_recorded_between_two_visits_waits_for_the_next(carried, stick, taken):
    taken(stick)
    carried.record(2)
    carried.carry(stick)
    assert states(carried) == {"delivered": 3, "waiting": 2}
    assert [result.outcomes for result in taken(stick)] == [{NEW: 2}]


@pytest.mark.sqlite_alone
def test_the_half_day_that_is_not_over_does_not_leave_by_stick_either(rig, machine, stick, taken):
    machine.start(rig.stamp())
    machine.hold_half_day = True
    machine.record(2)
    machine.half_day = Clock(error_s=lambda: None).moment(ZONE).half_day
    machine.record(2)
    machine.carry(stick)
    [result] = taken(stick)
    assert result.outcomes == {NEW: 2}


@pytest.mark.sqlite_alone
def test_several_visits_before_one_taking_and_several_after_it(carried, stick, taken):
    carried.record(1)
    carried.carry(stick)
    carried.record(1)
    carried.carry(stick)
    [result] = taken(stick)
    assert result.outcomes == {NEW: 5}
    carried.carry(stick)
    went_well, said = carried.carry(stick)
    assert went_well
    assert states(carried) == {"delivered": 5}
    assert len(said) == 1


@pytest.mark.sqlite_alone
def test_a_bundle_taken_twice_is_doubled_by_nothing(rig, carried, stick, taken):
    taken(stick)
    [result] = taken(stick)
    assert (result.outcomes, result.refused) == ({DOUBLED: 3}, [])
    assert everything(rig) == 3
    carried.carry(stick)
    assert states(carried) == {"delivered": 3}


@pytest.mark.sqlite_alone
def test_a_visit_disturbs_nobody_who_records_meanwhile(rig, carried, stick, taken):
    engine = open_store(carried.folder / "store.db", STORE_KEY)
    kiosk, half_day = Outbox(engine), carried.half_day

    def record():
        for number in range(40):
            kiosk.put(seal_anew(carried, number), half_day)

    with ThreadPoolExecutor() as beside:
        recording = beside.submit(record)
        while not recording.done():
            carried.carry(stick)
            taken(stick)
        recording.result()
    engine.dispose()
    for _ in range(2):
        carried.carry(stick)
        taken(stick)
    carried.carry(stick)
    assert states(carried) == {"delivered": 43}
    assert everything(rig) == 43


@pytest.mark.sqlite_alone
def test_one_stick_visits_many_kiosks_and_one_that_is_refused_does_not_stop_the_others(
    rig, another, stick, taken
):
    machines = [another(number) for number in (1, 2, 3)]
    for machine in machines:
        machine.carry(stick)
    bundle = next((stick / "regard").glob("*.bundle"))
    bundle.write_bytes(bundle.read_bytes()[:-1])
    refused = [result.refused for result in taken(stick)]
    assert sorted(refused) == [[], [], [UNFINISHED]]
    for machine in machines:
        assert machine.carry(stick)[0]
    assert sum(states(machine)["waiting"] == 0 for machine in machines) == 2
    assert [result.refused for result in taken(stick)] == [[]] * 3
    assert everything(rig) == 6


# What the centre says


def test_a_kiosk_that_is_held_can_be_approved_and_its_stick_taken_again(
    rig, carried, stick, taken, stamped
):
    thief = stamped()
    thief.stamp = carried.stamp
    assert rig.enrol(thief.signed_enrolment()).standing is Standing.ENROLLED
    [result] = taken(stick)
    assert result.standing is Standing.HELD
    assert result.refused == ["the kiosk waits for approval"]
    _, said = carried.carry(stick)
    assert "waits to be approved" in said[0]
    assert carried.identity.standing is Standing.HELD

    rig.run(approve(rig.engine, carried.identity.kiosk_id, NOW))
    [result] = taken(stick)
    assert (result.outcomes, result.refused) == ({NEW: 3}, [])
    carried.carry(stick)
    assert states(carried) == {"delivered": 3}


@pytest.mark.sqlite_alone
def test_a_revoked_kiosk_hears_of_it_and_brings_no_records_until_it_is_reinstated(
    rig, carried, stick, taken, clock
):
    taken(stick)
    carried.carry(stick)
    carried.record(2)
    carried.carry(stick)
    rig.run(revoke(rig.engine, carried.identity.kiosk_id, clock))
    [result] = taken(stick)
    assert (result.standing, result.refused) == (Standing.REVOKED, ["the kiosk was revoked"])
    _, said = carried.carry(stick)
    assert "revoked" in said[0]
    assert carried.identity.standing is Standing.REVOKED
    [result] = taken(stick)
    assert result.outcomes == {}

    rig.run(reinstate(rig.engine, carried.identity.kiosk_id))
    for _ in range(2):
        taken(stick)
        carried.carry(stick)
    taken(stick)
    carried.carry(stick)
    assert states(carried) == {"delivered": 5}


@pytest.mark.sqlite_alone
def test_publications_come_by_stick(rig, carried, stick, taken):
    rig.publish("replies", Replies("central", ()))
    taken(stick)
    carried.carry(stick)
    assert carried.state.publications().replies.body == Replies("central", ())


@pytest.mark.sqlite_alone
def test_a_kiosk_that_missed_rotations_takes_the_keys_in_their_order(rig, carried, stick, taken):
    rig.rotate("receipt", "publishing", "sealing", "receipt")
    rig.restart()
    taken(stick)
    went_well, said = carried.carry(stick)
    assert went_well, said
    assert states(carried) == {"delivered": 3}
    assert carried.state.publications().keys.serial == 6
    carried.record(1)
    carried.carry(stick)
    assert [result.outcomes for result in taken(stick)] == [{NEW: 1}]


@pytest.mark.sqlite_alone
def test_what_was_refused_can_be_asked_for_again_by_stick(rig, carried, stick, taken):
    carried.outbox.put(b"sealed by nobody", 0)
    carried.carry(stick)
    taken(stick)
    _, said = carried.carry(stick)
    assert "3 records delivered, 1 kept aside" in said[0]
    assert states(carried) == {"delivered": 3, "quarantined": 1}
    rig.run(ask_again(rig.engine, carried.identity.kiosk_id))
    taken(stick)
    carried.carry(stick)
    assert states(carried) == {"delivered": 3, "waiting": 1}


def test_a_collector_that_lost_records_is_brought_them_again(rig, carried, stick, taken):
    taken(stick)
    carried.carry(stick)
    rig.write(tables.record.delete())
    rig.write(tables.branch.delete())
    taken(stick)
    carried.carry(stick)
    assert states(carried) == {"waiting": 3}
    assert [result.outcomes for result in taken(stick)] == [{NEW: 3}]


# Refused, with a reason


@pytest.mark.sqlite_alone
def test_a_bundle_of_another_centre_s_kiosk_is_refused(rig, carried, stick, taken):
    rig.write(tables.publication.delete().where(tables.publication.c.kind == "assignment"))
    rig.write(tables.stamp.delete())
    [result] = taken(stick)
    assert result.refused == ["no kiosk was stamped with this id"]
    assert (result.standing, everything(rig)) == (None, 0)


@pytest.mark.sqlite_alone
def test_a_bundle_cut_short_at_any_place_is_refused_and_costs_nothing(rig, carried, stick, taken):
    path = sole(stick, "bundle")
    whole = path.read_bytes()
    ends = boundaries(path)
    for end in {*ends[:-1], *(at + step for at in ends for step in (-1, 1, 5, -64)), 0, 1, 4, 5}:
        if end < len(whole):
            path.write_bytes(whole[:end])
            assert [result.refused for result in taken(stick)] == [[UNFINISHED]], end
    assert everything(rig) == 0
    path.write_bytes(whole)
    assert [result.outcomes for result in taken(stick)] == [{NEW: 3}]


@pytest.mark.sqlite_alone
def test_a_bundle_altered_at_any_place_is_refused(rig, carried, stick, taken):
    path = sole(stick, "bundle")
    whole = path.read_bytes()
    for at in range(0, len(whole), 7):
        altered = bytearray(whole)
        altered[at] ^= 1
        path.write_bytes(altered)
        [result] = taken(stick)
        assert result.refused, at
        assert (result.standing, result.outcomes) == (None, {})
    path.write_bytes(whole + b"\x00")
    assert [result.refused for result in taken(stick)] == [[ALTERED]]
    assert everything(rig) == 0


@pytest.mark.sqlite_alone
def test_a_bundle_put_together_by_another_kiosk_is_refused(
    carried, another, stick, taken, tmp_path
):
    forged = tmp_path / "forged"
    forged.mkdir()
    other = another(0)
    other.stamp = carried.stamp
    other.carry(forged)
    ours, theirs = sole(stick, "bundle"), sole(forged, "bundle")
    taken_over = dict(parts_of(theirs)) | {Part.STATUS: dict(parts_of(ours))[Part.STATUS]}
    ours.write_bytes(
        b"".join(
            bytes([part]) + len(signed).to_bytes(4, "big") + signed
            for part, signed in taken_over.items()
        )
    )
    assert [result.refused for result in taken(stick)] == [[ALTERED]]


@pytest.mark.sqlite_alone
def test_a_bundle_that_bears_another_kiosk_s_name_is_refused(rig, carried, another, stick, taken):
    path = sole(stick, "bundle")
    own, other = map(fingerprint, (carried.identity.kiosk_id, another(0).identity.kiosk_id))
    path.rename(path.with_name(path.name.replace(own, other)))
    assert [result.refused for result in taken(stick)] == [[ALTERED]]
    assert everything(rig) == 0


def test_an_older_bundle_is_refused_when_all_it_has_is_here(rig, carried, stick, taken, tmp_path):
    drawer = tmp_path / "drawer"
    shutil.copytree(stick, drawer)
    carried.record(2)
    carried.carry(stick)
    taken(stick)
    [result] = taken(drawer)
    assert result.refused == ["it is older than what is here, and has nothing new"]
    assert not [*(drawer / "regard").glob("*.reply*")]
    carried.carry(stick)
    assert states(carried) == {"delivered": 5}


def test_an_older_bundle_with_something_new_is_taken(rig, carried, stick, taken, tmp_path):
    """As after an old copy of a card was put back, which then goes on."""
    old = tmp_path / "old card"
    shutil.copytree(carried.folder, old)
    carried.record(2)
    carried.carry(stick)
    taken(stick)
    carried.carry(stick)
    taken(stick)
    carried.shut_down()
    restored = Machine(rig, old, 0).start(carried.stamp)
    restored.record(1)
    restored.carry(stick)
    results = taken(stick)
    assert sum((result.outcomes for result in results), Counter()) == {NEW: 1, DOUBLED: 3}
    forked = restored.outbox.log_id
    restored.carry(stick)
    assert states(restored) == {"delivered": 4}
    assert restored.outbox.next_log() != forked
    restored.shut_down()
    assert everything(rig) == 6


@pytest.mark.sqlite_alone
def test_a_reply_older_than_one_that_was_settled_is_refused(carried, stick, taken, tmp_path):
    taken(stick)
    other = tmp_path / "other stick"
    other.mkdir()
    carried.carry(other)
    taken(other)
    carried.carry(other)
    assert states(carried) == {"delivered": 3}
    went_well, said = carried.carry(stick)
    assert not went_well
    assert "older than what was settled" in said[0]


@pytest.mark.sqlite_alone
def test_a_reply_settled_before_is_no_fault(carried, stick, taken, tmp_path):
    taken(stick)
    copy = tmp_path / "copy"
    shutil.copytree(stick, copy)
    carried.carry(stick)
    assert carried.carry(copy)[0]


@pytest.mark.sqlite_alone
def test_a_reply_cut_short_or_altered_at_any_place_is_refused_and_costs_nothing(
    rig, carried, stick, taken, tmp_path
):
    rig.publish("replies", Replies("central", ()))
    taken(stick)
    path = sole(stick, "reply")
    whole = path.read_bytes()
    ends = boundaries(path)
    damaged = [whole[:end] for end in {*ends[:-1], *(at - 1 for at in ends), 0, 3}]
    damaged += [
        whole[:at] + bytes([whole[at] ^ 1]) + whole[at + 1 :] for at in range(0, len(whole), 17)
    ]
    for data in damaged:
        copy = tmp_path / "copy"
        shutil.copytree(stick, copy)
        sole(copy, "reply").write_bytes(data)
        went_well, said = carried.carry(copy)
        assert not went_well
        assert said[0].startswith("Refused: ")
        shutil.rmtree(copy)
        assert states(carried) == {"waiting": 3}
    assert carried.state.publications().replies is None
    assert carried.carry(stick)[0]
    assert states(carried) == {"delivered": 3}


@pytest.mark.sqlite_alone
def test_a_reply_to_another_kiosk_is_refused(carried, another, stick, taken, tmp_path):
    other = another(0)
    taken(stick)
    path = sole(stick, "reply")
    away = tmp_path / "away"
    away.mkdir()
    other.carry(away)
    sole(away, "bundle").unlink()
    theirs = away / "regard"
    [own] = {file.fingerprint for file in Stick(stick).files()}
    name = path.name.replace(own, fingerprint(other.identity.kiosk_id))
    shutil.copy(path, theirs / name)
    went_well, said = other.carry(away)
    assert not went_well
    assert "for another kiosk" in said[0]


@pytest.mark.sqlite_alone
def test_a_receipt_for_other_records_settles_nothing(rig, carried, stick, taken):
    """No centre says that; a fault in one might."""
    taken(stick)
    path, closing = sole(stick, "reply"), None
    written = BytesIO()
    bundle = BundleWriter(written.write)
    for part, signed in parts_of(path):
        payload = Envelope.unpack(signed).payload
        if part is Part.RECEIPT:
            other = replace(Receipt.decode(payload), batch_head=bytes(32))
            bundle.add(part, rig.receipt_key.sign(Context.RECEIPT, other.encode()))
        elif part is Part.CLOSING:
            closing = Closing.decode(payload)
        else:
            bundle.add(part, signed)
    bundle.close(rig.receipt_key, Context.BUNDLE_REPLY, closing.kiosk_id, closing.nonce)
    path.write_bytes(written.getvalue())
    went_well, said = carried.carry(stick)
    assert not went_well
    assert "about other records" in said[0]
    assert states(carried) == {"waiting": 3}


@pytest.mark.sqlite_alone
def test_a_reply_that_another_centre_signed_is_refused(rig, carried, stick, taken):
    taken(stick)
    path, stranger = sole(stick, "reply"), SigningKey(bytes([9] * 32))
    *parts, (_, signed) = parts_of(path)
    closing = Closing.decode(Envelope.unpack(signed).payload)
    written = BytesIO()
    bundle = BundleWriter(written.write)
    for part, each in parts:
        bundle.add(part, each)
    bundle.close(stranger, Context.BUNDLE_REPLY, closing.kiosk_id, closing.nonce)
    path.write_bytes(written.getvalue())
    went_well, said = carried.carry(stick)
    assert not went_well
    assert "not signed by this kiosk's centre" in said[0]
    assert states(carried) == {"waiting": 3}


# Pulled out


@pytest.mark.sqlite_alone
def test_a_stick_that_fails_while_a_bundle_is_written_keeps_the_one_before(
    rig, carried, stick, taken
):
    before = sole(stick, "bundle")
    length = len(before.read_bytes())
    carried.record(1)
    for room in range(0, length, 97):
        with pytest.raises(OSError, match="No space"):
            carried.carry(ShortStick(stick, room))
        assert sole(stick, "bundle") == before
    assert [result.outcomes for result in taken(stick)] == [{NEW: 3}]
    carried.carry(stick)
    assert states(carried) == {"delivered": 3, "waiting": 1}


@pytest.mark.sqlite_alone
def test_a_stick_that_fails_while_a_reply_is_written_loses_nothing(rig, carried, stick, taken):
    taken(stick)
    length = len(sole(stick, "reply").read_bytes())
    sole(stick, "reply").unlink()
    for room in range(0, length, 97):
        [result] = taken(ShortStick(stick, room))
        assert result.refused == ["the stick can't be read or written: No space left on device"]
        assert not [*(stick / "regard").glob("*.reply")]
    assert everything(rig) == 3
    carried.carry(stick)
    assert states(carried) == {"waiting": 3}
    assert [result.outcomes for result in taken(stick)] == [{DOUBLED: 3}]
    carried.carry(stick)
    assert states(carried) == {"delivered": 3}


@pytest.mark.sqlite_alone
def test_what_was_left_half_written_is_named_and_cleared_away_at_the_next_visit(
    carried, stick, taken
):
    bundle = sole(stick, "bundle")
    bundle.rename(f"{bundle}.part")
    assert [result.refused for result in taken(stick)] == [[UNFINISHED]]
    carried.carry(stick)
    assert [file.suffix for file in (stick / "regard").iterdir()] == [".bundle"]


# The command


def told(rig, stick, capsys):
    """Runs the command: its exit status, and what it says."""
    code = main(["take", str(stick), "--folder", str(rig.centre.folder)])
    said = capsys.readouterr()
    return code, said.out + said.err


@pytest.mark.sqlite_alone
def test_the_command_says_what_became_of_each_bundle(rig, carried, stick, capsys):
    kiosk = fingerprint(carried.identity.kiosk_id)
    assert told(rig, stick, capsys) == (
        0,
        f"{kiosk}: 3 new, 0 here already.\n"
        "  The reply is on the stick: bring it back to the kiosk.\n",
    )
    path = sole(stick, "bundle")
    path.write_bytes(path.read_bytes()[:-1])
    assert told(rig, stick, capsys) == (
        1,
        f"{kiosk}: 0 new, 0 here already.\n  Refused: {UNFINISHED}.\n",
    )


@pytest.mark.sqlite_alone
def test_the_command_names_a_stick_with_nothing_on_it(rig, tmp_path, capsys):
    assert told(rig, tmp_path, capsys) == (2, f"{tmp_path}: no kiosk has left anything here\n")
