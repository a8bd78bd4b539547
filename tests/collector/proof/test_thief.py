"""What the thief of an unprotected card can do with it, and where that ends."""

import pytest
from machine import STORE_KEY
from sqlalchemy import text

from sync_service.collector.proof.findings import Kind
from sync_service.contract.error import UnknownKeyError
from sync_service.contract.sealing import OpeningKey
from sync_service.outbox.database import open_store, reading
from sync_service.outbox.identity import Identity

pytestmark = pytest.mark.sqlite_alone


@pytest.fixture
def kiosk(rig):
    """A kiosk that has the receipt for all it recorded."""
    kiosk = rig.kiosk().record(3)
    rig.deliver(kiosk)
    rig.hear(kiosk.signed_status())
    return kiosk


def test_an_unprotected_card_gives_half_days_and_the_signing_key_but_no_answer(rig, machine):
    machine.start(rig.stamp())
    machine.record(2)
    log_id = machine.outbox.log_id
    machine.shut_down()

    engine = open_store(machine.folder / "store.db", STORE_KEY)
    with reading(engine) as connection:
        records = connection.execute(text("SELECT half_day, sealed FROM record")).all()
    engine.dispose()
    signing_key = Identity.open(machine.folder / "identity", STORE_KEY).signing_key

    assert [record.half_day for record in records] == [machine.half_day] * 2
    assert signing_key.verifying_key == machine.identity.signing_key.verifying_key
    for record in records:
        with pytest.raises(UnknownKeyError):
            OpeningKey(STORE_KEY.secret).open(record.sealed, log_id)


def test_whoever_has_an_unprotected_card_can_forge_what_comes_after_the_last_receipt(
    rig, kiosk, look
):
    thief = kiosk.clone().record(2)
    rig.deliver(thief, 4)
    rig.hear(thief.signed_status())

    assert rig.held(kiosk.log_id) == {0: [1, 2, 3, 4, 5]}
    assert look(kiosk) == []


def test_what_was_receipted_can_not_be_forged_unseen(rig, kiosk, look):
    thief = kiosk.clone()
    del thief.sealed[1:]
    rig.deliver(thief.record(2))

    assert rig.held(kiosk.log_id) == {0: [1, 2, 3], 1: [2, 3]}
    assert look(kiosk) == [(Kind.FORK, 2, 3)]


def test_kiosk_and_thief_can_not_both_go_on_unseen(rig, kiosk, look):
    rig.deliver(kiosk.clone().record(2), 4)
    rig.deliver(kiosk.record(1), 4)

    assert look(kiosk) == [(Kind.FORK, 4, 4)]
