"""Keys that are replaced, from the command to the kiosk that was away: real stores and agents."""

import shutil

import pytest
from sqlalchemy import select, update

from sync_service.collector import tables
from sync_service.collector.error import KeyFileError
from sync_service.collector.keyring import Signs
from sync_service.collector.published import Published
from sync_service.contract.error import SignatureError
from sync_service.contract.publication import (
    Keys,
    Publication,
    PublicationKind,
    Replies,
    publication_digest,
)
from sync_service.contract.sealing import SealingAlgorithm
from sync_service.contract.signing import Context, Envelope, SigningKey
from sync_service.contract.wire import Standing

EACH = ("sealing", "receipt", "publishing")


def keys_held(machine):
    return machine.state.publications().keys.body


def in_force(rig):
    """The keys publication in force, as the central team reads it."""
    published = Published(Keys, rig.keyring.publishing_keys())

    async def load():
        async with rig.engine.connect() as connection:
            await published.load_all(connection)

    rig.run(load())
    return published[max(published)]


def believes(machine, key):
    """Whether a kiosk believes what a receipt key signs."""
    try:
        machine.state.believe(
            Envelope.unpack(key.sign(Context.RECEIPT, b"payload")), Context.RECEIPT
        )
    except SignatureError:
        return False
    return True


@pytest.fixture
def started(rig, machine):
    """A kiosk at work, in contact."""
    machine.start(rig.stamp())
    machine.record(1)
    assert machine.contact()
    return machine


@pytest.mark.parametrize("missed", [(*EACH, *EACH, *EACH), *((each,) * 3 for each in EACH)])
def test_a_kiosk_that_missed_rotations_catches_up_in_one_contact(rig, started, exported, missed):
    started.record(2)
    rig.rotate(*missed)
    rig.restart()

    assert started.contact()

    assert keys_held(started) == in_force(rig)
    assert started.outbox.extent().depth == 0
    started.record(1)
    assert started.contact()
    assert exported() == {"central": 4}


def test_what_is_published_after_rotations_is_taken_in_the_same_contact(rig, started):
    rig.rotate("publishing", "publishing", "publishing")
    rig.restart()
    rig.publish("replies", Replies("central", ()))
    rig.run(rig.stamping.move("central", "desk-1", "surgery", 1))

    assert started.contact()

    held = started.state.publications()
    assert held.assignment.body.site == "surgery"
    assert held.questionnaire.body.id == "gp"


def test_a_stamp_made_before_rotations_is_good_for_a_first_contact(rig, machine, exported):
    stamp = rig.stamp()
    rig.rotate(*EACH, *EACH, *EACH)
    rig.restart()
    machine.start(stamp)
    machine.record(2)

    assert machine.contact()

    assert keys_held(machine) == in_force(rig)
    assert exported() == {"central": 2}
    machine.start(stamp)
    assert keys_held(machine) == in_force(rig)


def test_a_stamp_made_after_rotations_begins_with_the_newest_keys(rig, machine, exported):
    rig.rotate(*EACH, *EACH)
    rig.restart()
    stamp = rig.stamp()
    machine.start(stamp)
    machine.record(1)

    assert keys_held(machine) == in_force(rig)
    assert stamp.publishing_key == in_force(rig).publishing
    assert machine.contact()
    assert exported() == {"central": 1}


def test_a_kiosk_that_is_held_learns_the_keys_to_believe_that_by(rig, machine, stamped):
    thief = stamped()
    assert rig.enrol(thief.signed_enrolment()).standing == Standing.ENROLLED
    rig.rotate("receipt", "publishing", "receipt")
    rig.restart()
    machine.start(thief.stamp)

    assert not machine.contact()

    assert machine.identity.standing == Standing.HELD
    assert keys_held(machine) == in_force(rig)


def test_receipts_by_the_old_key_are_believed_until_the_new_one_has_signed(rig, started, exported):
    old = rig.receipt_key
    rig.rotate("receipt", "receipt")
    started.record(1)
    assert started.contact()  # the collector was not started anew, and signs with the old key
    assert keys_held(started) == in_force(rig)
    started.record(1)
    assert started.contact()
    assert started.outbox.extent().depth == 0
    new = rig.keyring.signing_keys(Signs.RECEIPTS)
    assert [believes(started, key) for key in new] == [True, True, True]

    rig.restart()
    started.record(1)
    assert started.contact()

    assert [believes(started, key) for key in new] == [False, False, True]
    assert not believes(started, old)
    assert exported() == {"central": 4}


def test_sealing_changes_to_what_withstands_quantum_computers_and_stays_so(rig, started, exported):
    started.record(1)
    rig.rotate("sealing", algorithm=SealingAlgorithm.MLKEM768_X25519)
    rig.restart()
    assert started.contact()
    started.record(2)
    assert started.contact()
    rig.rotate("sealing")
    assert started.contact()
    started.record(1)
    assert started.contact()

    sealed = [row.sealed for row in rig.read(select(tables.record.c.sealed))]
    assert sorted(map(len, sealed)) == [121, 121, 1209, 1209, 1209]
    assert len({bytes(each[1:9]) for each in sealed}) == 3
    assert exported() == {"central": 5}


def test_a_key_that_was_never_published_is_never_believed(started):
    assert not believes(started, SigningKey(bytes([9] * 32)))


def test_a_new_publishing_key_signs_all_that_is_published_under_the_same_serials(rig):
    rig.publish("replies", Replies("central", ()))
    rig.stamp()
    rows = select(tables.publication).order_by(
        tables.publication.c.kind, tables.publication.c.serial
    )
    before = rig.read(rows)

    rig.rotate("publishing")

    key = in_force(rig).publishing
    after = [row for row in rig.read(rows) if (row.kind, row.serial) != ("keys", 2)]
    assert [(row.kind, row.serial) for row in after if row.kind != "keys"] == [
        (row.kind, row.serial) for row in before if row.kind != "keys"
    ]
    for row in after:
        if (row.kind, row.serial) != ("keys", 1):
            Publication.verify(row.signed, key)
            assert row.digest == publication_digest(row.signed)


def test_a_new_publishing_key_signs_nothing_that_does_not_prove_itself(rig):
    forged = Publication(1, 0, Replies("central", ())).sign(SigningKey(bytes([9] * 32)))
    rig.publish("replies", Replies("central", ()))
    replies = tables.publication.c.kind == PublicationKind.REPLIES.value
    rig.write(update(tables.publication).where(replies).values(signed=forged))

    with pytest.raises(SignatureError, match="replies 1: signed by none"):
        rig.rotate("publishing")

    keys = tables.publication.c.kind == PublicationKind.KEYS.value
    assert rig.read(select(tables.publication.c.serial).where(keys)) == [(1,)]


def test_a_hand_over_that_no_known_key_signed_is_not_believed(rig):
    stranger = SigningKey(bytes([9] * 32))
    keys = Keys(in_force(rig).sealing, stranger.verifying_key, stranger.verifying_key)
    signed = Publication(2, 0, keys).sign(stranger)
    rig.write(
        tables.publication.insert().values(
            kind="keys", serial=2, digest=bytes(32), signed=signed, published_at=0
        )
    )

    with pytest.raises(SignatureError, match="keys 2: signed by none"):
        in_force(rig)


@pytest.mark.parametrize(
    ("rotated", "signs"), [("receipt", Signs.RECEIPTS), ("publishing", Signs.PUBLICATIONS)]
)
def test_a_key_left_by_a_rotation_that_was_cut_short_comes_into_force_first(rig, rotated, signs):
    left = rig.keyring.add_signing_key(signs).verifying_key

    rig.rotate(rotated)

    assert left == getattr(in_force(rig), rotated)
    assert len(rig.keyring.signing_keys(signs)) == 2


def test_until_a_left_key_is_published_the_one_in_force_signs(rig):
    rig.keyring.add_signing_key(Signs.RECEIPTS)
    rig.keyring.add_signing_key(Signs.PUBLICATIONS)

    rig.restart()

    assert rig.receipt_key.verifying_key == in_force(rig).receipt
    assert rig.publish("replies", Replies("central", ())).is_new
    assert rig.stamp().publishing_key == in_force(rig).publishing


def test_without_the_publishing_key_in_force_nothing_is_published(rig):
    rig.rotate("publishing")
    (rig.centre.keys / "publishing-2.key").unlink()
    rig.restart()

    with pytest.raises(KeyFileError, match="newest backup of the keys"):
        rig.publish("replies", Replies("central", ()))


@pytest.mark.sqlite_alone
def test_rotations_lost_with_the_database_are_made_good_by_rotating_again(
    rig, started, exported, tmp_path
):
    rig.run(rig.engine.dispose())
    backup = tmp_path / "backup.db"
    shutil.copy(rig.centre.folder / "collector.db", backup)
    rig.rotate(*EACH)
    rig.restart()
    assert started.contact()
    held = keys_held(started)
    rig.run(rig.engine.dispose())
    shutil.copy(backup, rig.centre.folder / "collector.db")

    rig.restart()
    started.record(1)
    assert not started.contact()  # it can't believe the old key any more, but says what it holds
    rig.rotate(*EACH)
    rig.restart()
    rig.run(rig.stamping.move("central", "desk-1", "surgery", 1))
    assert started.contact()

    assert started.state.publications().assignment.body.site == "surgery"
    assert keys_held(started) == in_force(rig)
    assert held == in_force(rig)
    assert exported() == {"central": 2}
