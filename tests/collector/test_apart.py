"""Records of a kiosk that went astray: kept apart until a person accepts them."""

from datetime import UTC, datetime, timedelta

import pytest
from centre import DAY, KIOSK, LOG, OTHER_KEY, PUBLISHING, RECEIVED_AT, RESPONSE, VERDICT, seal
from sqlalchemy import func, insert, select, update

from sync_service.collector import tables
from sync_service.collector.apart import Apart, accept
from sync_service.collector.enrolment import revoke
from sync_service.collector.insight.export import export
from sync_service.collector.opening import reopen
from sync_service.collector.pull.instalments import Position, close_instalment, stretch
from sync_service.collector.tables import Opening

DAY_S = 86_400
SINCE = RECEIVED_AT + DAY_S


def go_astray(centre, since=SINCE):
    return centre.run(revoke(centre.engine, KIOSK, SINCE + DAY_S, since))


def counts(centre):
    """How many rows each table of opened records has."""
    return [
        centre.row(select(func.count().label("n")).select_from(table).subquery())["n"]
        for table in (tables.response, tables.answer, tables.verdict, tables.day)
    ]


def ids(centre):
    return {
        row["record_id"]
        for table in (tables.response, tables.verdict, tables.day)
        for row in centre.read(select(table.c.record_id))
    }


@pytest.fixture
def held(centre):
    """A centre with records of each kind, opened, that came before and since."""
    centre.hold(RESPONSE, VERDICT, DAY)
    centre.hold(RESPONSE, VERDICT, DAY, first_seq=4, received_at=SINCE)
    centre.open()
    return centre


def test_what_came_since_is_in_no_table_any_more_and_what_came_before_still_is(held):
    assert counts(held) == [2, 4, 2, 2]

    assert go_astray(held) == Apart(records=3, handed_out=0)

    assert counts(held) == [1, 2, 1, 1]
    outcomes = held.outcomes()
    assert {outcomes[seq] for seq in (1, 2, 3)} == {Opening.OPENED}
    assert {outcomes[seq] for seq in (4, 5, 6)} == {Opening.APART}


def test_accepted_records_are_opened_as_they_were_before(held):
    before = ids(held)
    go_astray(held)
    assert held.open() == {}

    assert held.run(accept(held.engine, KIOSK)) == 3
    assert held.open() == {Opening.OPENED: 3}

    assert ids(held) == before
    assert counts(held) == [2, 4, 2, 2]
    assert held.run(accept(held.engine, KIOSK)) == 0


def test_what_was_not_opened_yet_or_could_not_be_is_kept_apart_too(centre):
    centre.hold(RESPONSE, seal(RESPONSE, OTHER_KEY), received_at=SINCE)
    centre.open()
    centre.hold(RESPONSE, first_seq=3, received_at=SINCE)

    assert go_astray(centre).records == 3

    assert centre.run(reopen(centre.engine)) == 0
    assert centre.open() == {}
    assert set(centre.outcomes().values()) == {Opening.APART}


def test_a_refused_record_has_no_bytes_to_keep_and_stays_refused(centre):
    centre.hold(RESPONSE, received_at=SINCE)
    centre.write(
        insert(tables.record),
        {
            "log_id": LOG,
            "branch": 0,
            "seq": 2,
            "previous": bytes(32),
            "digest": bytes(32),
            "received_at": SINCE,
            "outcome": 18,
            "opening": Opening.REFUSED,
        },
    )

    assert go_astray(centre).records == 1
    assert centre.outcomes() == {1: Opening.APART, 2: Opening.REFUSED}


def test_a_copy_that_came_before_takes_the_place_of_what_is_kept_apart(centre):
    sealed = seal(RESPONSE)
    centre.hold(sealed, first_seq=1, received_at=SINCE)
    centre.open()
    centre.begin_log(LOG, branch=1)
    centre.hold(sealed, first_seq=1, branch=1)
    centre.open()
    known = ids(centre)

    go_astray(centre)

    assert counts(centre) == [0, 0, 0, 0]
    assert centre.open() == {Opening.OPENED: 1}
    assert ids(centre) == known


def test_what_was_opened_stays_if_its_sealed_bytes_are_dropped_by_now(centre):
    sealed = seal(RESPONSE)
    centre.hold(sealed, first_seq=1, received_at=SINCE)
    centre.open()
    centre.begin_log(LOG, branch=1)
    centre.hold(sealed, first_seq=1, branch=1)
    centre.open()
    centre.write(update(tables.record).values(sealed=None, digest=bytes(32)))

    assert go_astray(centre) == Apart(0, 0)

    assert counts(centre) == [1, 2, 0, 0]
    assert centre.open() == {}


def test_what_came_of_another_kiosk_is_not_touched(held):
    other, log_id = bytes([70] * 16), bytes([80] * 16)
    held.enrol(other, held.row(tables.stamp)["stamp_id"])
    held.write(insert(tables.log), {"log_id": log_id, "kiosk_id": other, "begun_at": SINCE})
    held.hold(DAY, log_id=log_id, received_at=SINCE)
    held.open()

    go_astray(held)

    assert counts(held) == [1, 2, 1, 2]
    assert held.run(accept(held.engine, other)) == 0


def test_an_earlier_day_keeps_more_apart_and_a_later_one_gives_nothing_back(held):
    go_astray(held)
    assert go_astray(held, SINCE + DAY_S) == Apart(0, 0)
    assert counts(held) == [1, 2, 1, 1]
    assert go_astray(held, RECEIVED_AT) == Apart(records=3, handed_out=0)
    assert counts(held) == [0, 0, 0, 0]


def test_what_is_kept_apart_is_not_exported_and_is_counted(held, tmp_path):
    go_astray(held)

    summary = held.run(
        export(held.engine, tmp_path / "export", [PUBLISHING.verifying_key], at=datetime.now(UTC))
    )

    assert (summary.responses, summary.verdicts, summary.days) == (1, 1, 1)
    assert summary.outcomes == {Opening.OPENED: 3, Opening.APART: 3}


def test_what_could_be_pulled_is_named_and_comes_again_once_it_is_accepted(held):
    def close(days):
        at = datetime.fromtimestamp(SINCE, UTC) + timedelta(days=days)
        assert held.run(close_instalment(held.engine, at))

    async def pulled():
        async with held.engine.connect() as connection:
            found = await stretch(connection, tables.response, Position(), None)
        return found.rows, found.end

    close(2)
    assert held.run(pulled())[0] == 2
    assert go_astray(held) == Apart(records=3, handed_out=3)
    rows, end = held.run(pulled())
    assert (rows, end.number) == (1, 1)

    held.run(accept(held.engine, KIOSK))
    held.open()
    close(3)
    rows, end = held.run(pulled())
    assert (rows, end.number) == (2, 2)
