"""A store and its identity go over to another key together, with all that is in them."""

from datetime import date

import pytest

from sync_service.contract.wire import Recorded, Standing
from sync_service.outbox.clock import Clock
from sync_service.outbox.database import (
    BusyStoreError,
    DamagedStoreError,
    StoreKey,
    WrongKeyError,
    open_store,
    reading,
)
from sync_service.outbox.identity import DamagedIdentityError, Identity
from sync_service.outbox.outbox import Outbox
from sync_service.outbox.rekeying import rekey
from sync_service.outbox.state import DayCount, State

NEW_KEY = StoreKey(bytes([9] * 32))
TODAY = date(2026, 3, 16)
PAGE_LENGTH = 4096


def sealed(number):
    return number.to_bytes(4, "big") * 30


@pytest.fixture
def identity_path(path):
    return path.with_name("identity")


@pytest.fixture
def filled(path, key, identity_path):
    """A store with something in each of its tables that a kiosk fills; what is in them all."""
    engine = open_store(path, key)
    outbox, state = Outbox(engine), State(engine)
    for number in range(300):
        outbox.put(sealed(number), half_day=0)
    outbox.settle(outbox.log_id, 1, [Recorded.ACCEPTED, Recorded.REFUSED_KEY], TODAY)
    outbox.note_fork(outbox.log_id)
    outbox.next_log()
    outbox.put(sealed(1000), half_day=1)
    state.count_session(TODAY, assignment=1)
    state.count_minutes(DayCount(TODAY, 1, 1, 0, 0, sure=False), Clock().seen())
    content = everything(engine)
    engine.dispose()
    identity = Identity.open(identity_path, key)
    identity.note_standing(Standing.ENROLLED)
    return content


def everything(engine):
    with reading(engine) as connection:
        tables = connection.exec_driver_sql(
            "SELECT name FROM sqlite_schema WHERE type = 'table' ORDER BY name"
        ).scalars()
        return {
            table: [tuple(row) for row in connection.exec_driver_sql(f"SELECT * FROM {table}")]
            for table in tables.all()
        }


def look(path, key):
    engine = open_store(path, key)
    try:
        return everything(engine)
    finally:
        engine.dispose()


def test_all_that_was_in_a_store_is_in_it_under_the_new_key(path, key, identity_path, filled):
    before = Identity.open(identity_path, key)
    rekey(path, key, NEW_KEY, identity_path)

    assert look(path, NEW_KEY) == filled
    after = Identity.open(identity_path, NEW_KEY)
    assert (after.kiosk_id, after.standing) == (before.kiosk_id, Standing.ENROLLED)
    with pytest.raises(WrongKeyError):
        open_store(path, key)
    with pytest.raises(DamagedIdentityError):
        Identity.open(identity_path, key)
    assert sorted(file.name for file in path.parent.iterdir() if "-" not in file.name) == [
        "identity",
        path.name,
    ]


def test_the_log_goes_on_where_it_was(path, key, identity_path, filled):
    rekey(path, key, NEW_KEY, identity_path)
    engine = open_store(path, NEW_KEY)
    outbox = Outbox(engine)

    assert outbox.put(sealed(1001), half_day=1) == 2
    engine.dispose()


def test_doing_it_again_changes_nothing_and_it_can_be_undone(path, key, identity_path, filled):
    rekey(path, key, NEW_KEY, identity_path)
    rekey(path, key, NEW_KEY, identity_path)
    assert look(path, NEW_KEY) == filled

    rekey(path, NEW_KEY, key, identity_path)
    assert look(path, key) == filled
    assert Identity.open(identity_path, key).standing is Standing.ENROLLED


def test_copies_that_a_power_cut_left_are_gone_whichever_key_the_store_has(
    path, key, identity_path, filled
):
    for _ in range(2):  # the second time it is under the new one already
        remnants = [file.parent / f".{file.name}-cut" for file in (path, identity_path)]
        for remnant in remnants:
            remnant.mkdir()
            (remnant / "store.db").write_bytes(b"under the old key")
        rekey(path, key, NEW_KEY, identity_path)
        assert not any(remnant.exists() for remnant in remnants)


def test_a_store_that_somebody_has_open_stays_as_it_is(path, key, identity_path, filled):
    engine = open_store(path, key, busy_timeout_s=0.1)
    Outbox(engine).put(sealed(1001), half_day=1)
    with pytest.raises(BusyStoreError):
        rekey(path, key, NEW_KEY, identity_path)

    Outbox(engine).put(sealed(1002), half_day=1)
    engine.dispose()
    assert len(look(path, key)["record"]) == len(filled["record"]) + 2
    assert Identity.open(identity_path, key)


def test_a_store_under_neither_key_stays_as_it_is(path, key, identity_path, filled):
    with pytest.raises(WrongKeyError):
        rekey(path, StoreKey(bytes([1] * 32)), NEW_KEY, identity_path)
    assert look(path, key) == filled


def test_a_damaged_store_stays_as_it_is_for_the_kiosk_to_go_on_from(
    path, key, identity_path, filled
):
    content = bytearray(path.read_bytes())
    content[-4 * PAGE_LENGTH] ^= 1
    path.write_bytes(content)
    with pytest.raises(DamagedStoreError):
        rekey(path, key, NEW_KEY, identity_path)

    assert Identity.open(identity_path, key).standing is Standing.ENROLLED
    engine = open_store(path, key)
    engine.dispose()


def test_the_store_in_use_is_the_one_that_goes_over(path, key, identity_path, filled):
    """After another was begun because the first was damaged."""
    second = path.with_name(f"{path.stem}-2{path.suffix}")
    path.rename(second)
    path.write_bytes(b"what is damaged")
    rekey(path, key, NEW_KEY, identity_path)

    assert look(path, NEW_KEY) == filled
    assert path.read_bytes() == b"what is damaged"
