"""What the card of a dead kiosk still holds is delivered, once, and the card is left as it was."""

import shutil

import pytest
from sqlalchemy import select

from sync_service.collector import tables
from sync_service.collector.__main__ import main
from sync_service.collector.enrolment import approve, revoke
from sync_service.collector.error import OfficeError
from sync_service.collector.salvaging import Salvaging
from sync_service.contract.sealing import OpeningKey, generate_opening_key
from sync_service.contract.signing import fingerprint
from sync_service.contract.wire import Recorded

NEW, DOUBLED = Recorded.ACCEPTED, Recorded.DUPLICATE
PAGE_LENGTH = 4096


@pytest.fixture
def card(rig, machine, tmp_path):
    """The card of a kiosk that delivered two records, recorded three more, and died."""
    machine.start(rig.stamp())
    machine.record(2)
    assert machine.contact()
    machine.record(3)
    return died(machine, tmp_path / "dead card")


def died(machine, folder):
    """A card as it is when the power goes: with the latest changes beside the store."""
    shutil.copytree(machine.folder, folder)
    (folder / "store.db-shm").unlink(missing_ok=True)
    return folder


@pytest.fixture
def recovered(rig, clock):
    """Delivers what a store holds."""

    def recovered(store, opening_keys=None):
        salvaging = Salvaging(
            opening_keys or rig.keyring.opening_keys(),
            intake=rig.collector.intake,
            enrolments=rig.collector.enrolments,
        )
        return rig.run(salvaging.recover(store, clock))

    return recovered


def contents(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def held(rig):
    return len(rig.read(select(tables.record.c.seq)))


def damage(path, page):
    content = bytearray(path.read_bytes())
    content[(page - 1) * PAGE_LENGTH + 2000] ^= 1
    path.write_bytes(content)


def test_what_was_not_delivered_is_and_the_card_is_left_as_it_was(
    rig, machine, card, recovered, exported
):
    assert (card / "store.db-wal").stat().st_size > 0
    before = contents(card)
    found = recovered(card / "store.db")
    assert found.kiosk_id == machine.identity.kiosk_id
    assert (found.taken.outcomes, found.taken.refused) == ({NEW: 3}, [])
    assert (found.damaged, found.has_identity) == (False, True)
    assert contents(card) == before
    assert exported() == {"central": 5}


@pytest.mark.sqlite_alone
def test_the_same_card_again_is_doubled_by_nothing(rig, card, recovered):
    recovered(card / "store.db")
    assert recovered(card / "store.db").taken.outcomes == {DOUBLED: 3}
    assert held(rig) == 5


@pytest.mark.sqlite_alone
def test_a_damaged_page_costs_what_stood_on_it(rig, machine, recovered):
    machine.start(rig.stamp())
    machine.record(1)
    assert machine.contact()
    machine.record(200)
    machine.shut_down()
    store = machine.folder / "store.db"
    damage(store, store.stat().st_size // PAGE_LENGTH - 3)
    before = contents(machine.folder)
    found = recovered(store)
    assert found.damaged
    assert 150 < found.taken.outcomes[NEW] < 200
    assert contents(machine.folder) == before


@pytest.mark.sqlite_alone
def test_a_damaged_first_page_is_told_from_a_wrong_key_by_the_identity(machine, card, recovered):
    machine.shut_down()
    store = machine.folder / "store.db"
    damage(store, 1)
    found = recovered(store)
    assert (found.damaged, found.taken.outcomes) == (True, {})


@pytest.mark.sqlite_alone
def test_without_the_sealing_key_nothing_is_read(card, recovered):
    with pytest.raises(OfficeError, match="which is not here: bring its file back"):
        recovered(card / "store.db", [OpeningKey(generate_opening_key())])


@pytest.mark.sqlite_alone
@pytest.mark.parametrize("at", [20, -1])
def test_an_altered_spare_key_opens_nothing(card, recovered, at):
    path = card / "spare-key"
    altered = bytearray(path.read_bytes())
    altered[at] ^= 1
    path.write_bytes(altered)
    with pytest.raises(OfficeError, match="does not open"):
        recovered(card / "store.db")


@pytest.mark.sqlite_alone
def test_the_spare_key_of_another_store_is_named_as_the_wrong_one(card, recovered, rig):
    sealed = rig.keyring.opening_keys()[0].sealing_key.seal_store_key(bytes(32))
    (card / "spare-key").write_bytes(bytes(8) + sealed)
    with pytest.raises(OfficeError, match=f"^{card}/store.db: the key is wrong"):
        recovered(card / "store.db")


@pytest.mark.sqlite_alone
@pytest.mark.parametrize("name", ["store.db", "spare-key"])
def test_a_file_that_is_missing_is_named(card, recovered, name):
    (card / name).unlink()
    with pytest.raises(OfficeError, match=f"{name}.*No such file"):
        recovered(card / "store.db")


@pytest.mark.sqlite_alone
def test_the_sealing_key_may_have_been_replaced_since(rig, card, recovered):
    rig.rotate("sealing")
    rig.restart()
    assert recovered(card / "store.db").taken.outcomes == {NEW: 3}


def test_a_card_without_its_identity_comes_as_another_kiosk_that_has_to_be_approved(
    rig, card, recovered, clock, exported
):
    (card / "identity").write_bytes(b"damaged")
    found = recovered(card / "store.db")
    assert not found.has_identity
    assert found.taken.refused == ["the kiosk waits for approval"]
    rig.run(approve(rig.engine, found.kiosk_id, clock))
    found = recovered(card / "store.db")
    assert (found.taken.outcomes, found.taken.refused) == ({NEW: 3}, [])
    assert exported() == {"central": 5}


@pytest.mark.sqlite_alone
def test_a_kiosk_that_never_reached_the_centre_has_to_be_approved(rig, machine, recovered, clock):
    machine.start(rig.stamp())
    machine.record(2)
    store = machine.folder / "store.db"
    found = recovered(store)
    assert found.has_identity
    assert found.taken.refused == ["the kiosk waits for approval"]
    rig.run(approve(rig.engine, machine.identity.kiosk_id, clock))
    assert recovered(store).taken.outcomes == {NEW: 2}


@pytest.mark.sqlite_alone
def test_from_a_revoked_kiosk_s_card_nothing_is_taken(rig, machine, card, recovered, clock):
    rig.run(revoke(rig.engine, machine.identity.kiosk_id, clock))
    found = recovered(card / "store.db")
    assert (found.taken.outcomes, found.taken.refused) == ({}, ["the kiosk was revoked"])


@pytest.mark.sqlite_alone
def test_the_command_says_what_became_of_it(rig, machine, card, capsys):
    command = ["recover", str(card / "store.db"), "--folder", str(rig.centre.folder)]
    kiosk = fingerprint(machine.identity.kiosk_id)
    assert main(command) == 0
    assert capsys.readouterr().out == f"{kiosk}: 3 new, 0 here already.\n"
    rig.run(revoke(rig.engine, machine.identity.kiosk_id, 0))
    assert main(command) == 1
    assert "Refused: the kiosk was revoked." in capsys.readouterr().out
    (card / "spare-key").unlink()
    assert main(command) == 2
    assert "spare-key" in capsys.readouterr().err
