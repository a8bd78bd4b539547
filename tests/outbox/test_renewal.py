"""A damaged store is left where it is, and what can be read of it is in the one begun after it."""

import shutil
from datetime import date

import pytest

from sync_service.contract.wire import Recorded
from sync_service.outbox.database import (
    DamagedStoreError,
    StoreKey,
    WrongKeyError,
    open_store,
    reading,
)
from sync_service.outbox.identity import Identity
from sync_service.outbox.outbox import Outbox
from sync_service.outbox.renewal import open_or_renew
from sync_service.outbox.state import DayCount, State

PAGE_LENGTH = 4096
COUNT = 400
TODAY = date(2026, 3, 16)


def sealed(number):
    return number.to_bytes(4, "big") * 30


@pytest.fixture
def filled(path, key):
    """A store with many records, a few of them settled, and a count."""
    engine = open_store(path, key)
    outbox = Outbox(engine)
    for number in range(1, COUNT + 1):
        outbox.put(sealed(number), half_day=0)
    outbox.settle(outbox.log_id, 1, [Recorded.ACCEPTED, Recorded.REFUSED_KEY], TODAY)
    State(engine).count_session(TODAY, assignment=1)
    log_id = outbox.log_id
    engine.dispose()
    return log_id


@pytest.fixture
def renewed(path, key):
    """Opens the store as a kiosk does."""
    opened = []

    def renewed():
        opened.append(open_or_renew(path, key, path.with_name("identity")))
        return opened[-1]

    yield renewed
    for engine in opened:
        engine.dispose()


def damage(path, page):
    content = bytearray(path.read_bytes())
    content[(page - 1) * PAGE_LENGTH + 2000] ^= 1
    path.write_bytes(content)


def page_of(path, key, table):
    engine = open_store(path, key)
    with reading(engine) as connection:
        page = connection.exec_driver_sql(
            "SELECT rootpage FROM sqlite_schema WHERE name = ?", (table,)
        ).scalar_one()
    engine.dispose()
    return page


def waiting(engine):
    """All that waits, log by log, by seq."""
    with reading(engine) as connection:
        rows = connection.exec_driver_sql(
            "SELECT log_id, seq, sealed FROM record JOIN log ON number = log"
            " WHERE state = 'waiting' ORDER BY number, seq"
        ).all()
    return {(row.log_id, row.seq): row.sealed for row in rows}


def test_a_sound_store_is_the_one_that_it_was(path, filled, renewed):
    assert Outbox(renewed()).log_id == filled
    assert [file.name for file in path.parent.iterdir() if file.suffix == ".db"] == ["outbox.db"]


def test_a_damaged_page_costs_what_stood_on_it_and_no_more(path, key, filled, renewed):
    damage(path, path.stat().st_size // PAGE_LENGTH - 3)
    before = path.read_bytes()
    engine = renewed()

    kept = waiting(engine)
    assert COUNT - 60 < len(kept) < COUNT - 2
    assert all(kept[filled, seq] == sealed(seq) for _, seq in kept)
    assert {seq for _, seq in kept} > {3, COUNT}  # from before the damage, and from behind it
    assert path.read_bytes() == before


def test_a_new_log_is_begun_and_the_old_one_is_delivered_first(path, key, filled, renewed):
    damage(path, path.stat().st_size // PAGE_LENGTH - 3)
    outbox = Outbox(renewed())

    assert outbox.log_id != filled
    assert outbox.put(sealed(1000), half_day=0) == 1
    run = outbox.next_run(100, 10**6, hold=None)
    assert (run.log_id, run.first_seq, run.sealed[0]) == (filled, 3, sealed(3))


def test_what_was_settled_and_counted_is_known_still(path, key, filled, renewed):
    damage(path, path.stat().st_size // PAGE_LENGTH - 3)
    engine = renewed()

    with reading(engine) as connection:
        states = connection.exec_driver_sql("SELECT state FROM record ORDER BY seq LIMIT 3")
        assert list(states.scalars()) == ["delivered", "quarantined", "waiting"]
    assert State(engine).finished_days(today=date.max) == [DayCount(TODAY, 1, 0, 0, 1)]


def test_an_agent_that_has_the_old_one_open_goes_on_with_the_new(path, key, filled, renewed):
    agent = Outbox(open_store(path, key))
    assert agent.log_id == filled
    damage(path, path.stat().st_size // PAGE_LENGTH - 3)
    kiosk = Outbox(renewed())
    kiosk.put(sealed(1000), half_day=0)

    assert agent.extent() == kiosk.extent()
    agent._engine.dispose()


@pytest.mark.parametrize("table", ["log", "record", "publication", "day", "fact"])
def test_whichever_page_is_damaged_the_kiosk_records_again(path, key, filled, renewed, table):
    damage(path, page_of(path, key, table))
    assert Outbox(renewed()).put(sealed(1000), half_day=0) == 1


def test_a_damaged_first_page_is_known_by_the_identity_that_the_key_opens(
    path, key, filled, renewed
):
    damage(path, 1)
    with pytest.raises(WrongKeyError):
        renewed()
    Identity.open(path.with_name("identity"), key)

    assert Outbox(renewed()).put(sealed(1000), half_day=0) == 1


def test_a_wrong_key_begins_no_store(path, key, filled):
    Identity.open(path.with_name("identity"), key)
    with pytest.raises(WrongKeyError):
        open_or_renew(path, StoreKey(bytes(32)), path.with_name("identity"))
    assert [file.name for file in path.parent.iterdir() if file.suffix == ".db"] == ["outbox.db"]


def test_a_store_can_be_damaged_again_and_again(path, key, filled, renewed):
    names = ["outbox.db"]
    for number in (2, 3):
        newest = path.with_name(names[-1])
        damage(newest, newest.stat().st_size // PAGE_LENGTH - 3)
        engine = renewed()
        Outbox(engine).put(sealed(1000 + number), half_day=0)
        engine.dispose()
        names.append(f"outbox-{number}.db")
    assert sorted(file.name for file in path.parent.glob("*.db")) == sorted(names)
    logs = {log for log, _ in waiting(renewed())}
    assert len(logs) == 3


def test_records_left_without_their_store_stay_and_another_is_begun(path, key, tmp_path, renewed):
    engine = open_store(path, key)
    Outbox(engine).put(sealed(1), half_day=0)
    left = path.with_name("outbox.db-wal")
    shutil.copy(left, tmp_path / "wal")
    engine.dispose()
    path.unlink()
    shutil.copy(tmp_path / "wal", left)
    with pytest.raises(DamagedStoreError):
        open_store(path, key)

    assert Outbox(renewed()).put(sealed(2), half_day=0) == 1
    assert left.read_bytes() == (tmp_path / "wal").read_bytes()
