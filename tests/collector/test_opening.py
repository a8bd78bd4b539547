import asyncio
import json
import logging
from collections import Counter
from dataclasses import replace
from datetime import UTC, datetime

import pytest
from centre import (
    ASSIGNMENT,
    DAY,
    KEY,
    KIOSK,
    LOG,
    MORNING,
    OTHER_KEY,
    OTHER_STAMP,
    PUBLISHING,
    QUESTIONNAIRE,
    REPLIES,
    RESPONSE,
    SECRET,
    UNSYNCED,
    VERDICT,
    seal,
)
from sqlalchemy import event, func, select, text, update

from sync_service.collector import opening, tables
from sync_service.collector.database import reading
from sync_service.collector.opened import unknown_members
from sync_service.collector.opening import (
    REOPENABLE,
    Opener,
    count_by_outcome,
    reopen,
)
from sync_service.collector.tables import Opening
from sync_service.contract.error import SignatureError
from sync_service.contract.record import (
    Ending,
    Fairness,
    Helped,
    InputMode,
    Misuse,
    Moment,
    half_day_of,
)
from sync_service.contract.signing import SigningKey
from sync_service.logs import LineFormatter


def test_a_response_is_opened_into_its_response_and_its_answers(centre):
    centre.hold(RESPONSE)
    assert centre.open() == {Opening.OPENED: 1}
    row = dict(centre.row(tables.response))
    assert len(row.pop("record_id")) == 16
    assert row == {
        "log_id": LOG,
        "branch": 0,
        "seq": 1,
        "assignment": 1,
        "half_day": MORNING,
        "clock_synced": True,
        "earliest_half_day": MORNING,
        "latest_half_day": MORNING,
        "received_day": "2026-03-14",
        "instalment": None,
        "unknown": None,
        "questionnaire": 1,
        "language": "cy",
        "ending": Ending.ABANDONED,
        "input_mode": InputMode.KEYPAD,
        "single_tap": True,
        "text_size": 2,
        "helped": Helped.YES,
        "age_band": 3,
        "misuse": Misuse.TOO_FAST,
        "offered": "2 1 3",
        "skipped": "2",
    }
    answers = centre.read(select(tables.answer).order_by(tables.answer.c.item))
    assert [(each["item"], each["option"], each["text"]) for each in answers] == [
        (1, 2, None),
        (3, None, "Diolch"),
    ]


def test_a_verdict_is_opened(centre):
    centre.hold(VERDICT)
    assert centre.open() == {Opening.OPENED: 1}
    row = centre.row(tables.verdict)
    assert (row["language"], row["replies"], row["reply"]) == ("en", 1, 4)
    assert row["fairness"] == Fairness.PARTLY


def test_a_verdict_on_what_another_site_replied_stays_sealed(centre):
    centre.publish(2, replace(REPLIES, site="branch-library"))
    centre.hold(replace(VERDICT, replies=2))
    assert centre.open() == {Opening.UNKNOWN_REPLY: 1}


def test_a_day_is_opened(centre):
    centre.hold(DAY)
    assert centre.open() == {Opening.OPENED: 1}
    row = centre.row(tables.day)
    assert (row["minutes_available"], row["minutes_out_of_service"]) == (480, 3)
    assert (row["sessions_begun"], row["approaches"]) == (17, 61)


def test_a_response_without_answers_is_opened(centre):
    centre.hold(replace(RESPONSE, offered=(1,), answers={}, skipped=()))
    assert centre.open() == {Opening.OPENED: 1}
    assert centre.row(tables.response)["skipped"] == ""


def test_nothing_waiting_is_nothing_opened(centre):
    assert centre.open() == {}


def test_more_than_a_chunk_of_several_logs_is_opened_whole(centre):
    other_log = bytes([9] * 16)
    centre.begin_log(other_log)
    centre.hold(*[DAY] * (opening.CHUNK + 3))
    centre.hold(*[VERDICT] * 4, log_id=other_log)
    assert centre.open() == {Opening.OPENED: opening.CHUNK + 7}
    assert centre.open() == {}


def test_the_sealed_bytes_stay_as_they_came(centre):
    sealed = seal(RESPONSE)
    centre.hold(sealed)
    centre.open()
    assert centre.row(tables.record)["sealed"] == sealed


def test_a_record_id_follows_from_the_sealed_bytes_and_the_secret_alone(centre):
    sealed = seal(RESPONSE)
    centre.hold(sealed)
    centre.open()
    first = centre.row(tables.response)["record_id"]
    for secret, same in ((SECRET, True), (bytes(32), False)):
        for table in (tables.answer, tables.response):
            centre.write(table.delete())
        centre.write(update(tables.record).values(opening=Opening.WAITING))
        opener = Opener(centre.engine, [KEY], [PUBLISHING.verifying_key], secret)
        centre.run(opener.open_waiting())
        assert (centre.row(tables.response)["record_id"] == first) is same


def test_the_same_answers_sealed_twice_are_two_responses(centre):
    centre.hold(RESPONSE, RESPONSE)
    centre.open()
    ids = {row["record_id"] for row in centre.read(select(tables.response))}
    assert len(ids) == 2


@pytest.mark.parametrize("record", [RESPONSE, VERDICT, DAY])
def test_the_same_bytes_on_another_branch_are_a_copy(centre, record):
    sealed = seal(record)
    centre.begin_log(LOG, branch=1)
    centre.hold(sealed)
    assert centre.open() == {Opening.OPENED: 1}
    centre.hold(sealed, branch=1, first_seq=7)
    assert centre.open() == {Opening.COPY: 1}
    assert centre.outcomes() == {1: Opening.OPENED, 7: Opening.COPY}


def test_the_same_bytes_twice_in_one_chunk_are_a_copy(centre):
    sealed = seal(RESPONSE)
    centre.hold(sealed, sealed)
    assert centre.open() == {Opening.OPENED: 1, Opening.COPY: 1}
    assert centre.outcomes() == {1: Opening.OPENED, 2: Opening.COPY}


def test_a_record_moved_into_another_log_does_not_open(centre):
    other_log = bytes([9] * 16)
    centre.begin_log(other_log)
    centre.hold(seal(RESPONSE), log_id=other_log)
    assert centre.open() == {Opening.UNOPENABLE: 1}


def badly_sealed(plain):
    return KEY.sealing_key.seal(plain.ljust(64, b"\x00"), LOG)


@pytest.mark.parametrize(
    ("record", "outcome"),
    [
        (seal(RESPONSE, key=OTHER_KEY), Opening.UNKNOWN_KEY),
        (b"\xff" + seal(RESPONSE)[1:], Opening.UNKNOWN_KEY),
        (seal(RESPONSE)[:-1] + b"\x00", Opening.UNOPENABLE),
        (seal(RESPONSE)[:-1], Opening.MALFORMED),
        (badly_sealed(b"\xa0\x80"), Opening.MALFORMED),
        (badly_sealed(b""), Opening.MALFORMED),
        (replace(RESPONSE, language="=1+1"), Opening.MALFORMED),
        (replace(VERDICT, language="e\x00n"), Opening.MALFORMED),
        (replace(RESPONSE, assignment=2), Opening.UNKNOWN_ASSIGNMENT),
        (replace(DAY, assignment=2**63 - 1), Opening.UNKNOWN_ASSIGNMENT),
        (replace(RESPONSE, questionnaire=2), Opening.UNKNOWN_QUESTIONNAIRE),
        (replace(RESPONSE, offered=(1, 2, 3, 99)), Opening.UNKNOWN_ITEM),
        (replace(RESPONSE, answers={1: 3}), Opening.NOT_ADMITTED),
        (replace(RESPONSE, answers={1: "yes"}), Opening.NOT_ADMITTED),
        (replace(RESPONSE, answers={3: 1}), Opening.NOT_ADMITTED),
        (replace(RESPONSE, answers={3: "x" * 41}), Opening.NOT_ADMITTED),
        (replace(RESPONSE, answers={3: "nul\x00"}), Opening.NOT_ADMITTED),
        (replace(VERDICT, replies=2), Opening.UNKNOWN_REPLY),
        (replace(VERDICT, reply=5), Opening.UNKNOWN_REPLY),
    ],
)
def test_what_cannot_be_used_stays_sealed_with_its_outcome(centre, record, outcome):
    centre.hold(record, DAY)
    sealed = [row["sealed"] for row in centre.read(select(tables.record))]
    assert centre.open() == {outcome: 1, Opening.OPENED: 1}
    assert centre.outcomes() == {1: outcome, 2: Opening.OPENED}
    assert [row["sealed"] for row in centre.read(select(tables.record))] == sealed
    assert centre.read(select(tables.response)) == []
    assert centre.read(select(tables.verdict)) == []


def test_no_kiosk_speaks_for_another_site(centre):
    centre.stamp(OTHER_STAMP, site="branch-library")
    centre.publish(2, replace(ASSIGNMENT, stamp_id=OTHER_STAMP, site="branch-library"))
    centre.hold(replace(RESPONSE, assignment=2))
    assert centre.open() == {Opening.UNKNOWN_ASSIGNMENT: 1}


def test_a_kiosk_that_was_moved_speaks_for_either_site(centre):
    centre.publish(2, replace(ASSIGNMENT, site="branch-library"))
    centre.hold(RESPONSE, replace(RESPONSE, assignment=2))
    assert centre.open() == {Opening.OPENED: 2}


def test_a_kiosk_stamped_anew_for_its_site_may_bring_records_of_its_former_stamp(centre):
    centre.stamp(OTHER_STAMP)
    centre.publish(2, replace(ASSIGNMENT, stamp_id=OTHER_STAMP))
    centre.write(update(tables.kiosk).values(stamp_id=OTHER_STAMP))
    centre.write(update(tables.stamped).values(stamp_id=OTHER_STAMP))
    centre.hold(RESPONSE, replace(RESPONSE, assignment=2))
    assert centre.open() == {Opening.OPENED: 2}


def test_a_kiosk_speaks_for_the_sites_of_every_stamp_it_was_admitted_under(centre):
    centre.stamp(OTHER_STAMP, site="branch-library")
    centre.publish(2, replace(ASSIGNMENT, stamp_id=OTHER_STAMP, site="branch-library"))
    centre.admit(KIOSK, OTHER_STAMP)
    centre.hold(RESPONSE, replace(RESPONSE, assignment=2))
    assert centre.open() == {Opening.OPENED: 2}


def test_each_key_opens_what_was_sealed_for_it(centre):
    centre.hold(seal(RESPONSE), seal(RESPONSE, key=OTHER_KEY))
    centre.opener = Opener(centre.engine, [OTHER_KEY, KEY], [PUBLISHING.verifying_key], SECRET)
    assert centre.open() == {Opening.OPENED: 2}


def test_a_publication_signed_by_a_former_key_is_known(centre):
    former = SigningKey(bytes([10] * 32))
    centre.publish(2, ASSIGNMENT, key=former)
    keys = [PUBLISHING.verifying_key, former.verifying_key]
    centre.opener = Opener(centre.engine, [KEY], keys, SECRET)
    centre.hold(replace(RESPONSE, assignment=2))
    assert centre.open() == {Opening.OPENED: 1}


def test_a_publication_that_was_not_signed_by_the_centre_stops_opening(centre):
    centre.publish(2, ASSIGNMENT, key=SigningKey(bytes([10] * 32)))
    centre.hold(replace(RESPONSE, assignment=2))
    with pytest.raises(SignatureError, match="assignment 2: signed by none"):
        centre.open()
    assert centre.outcomes() == {1: Opening.WAITING}


def test_a_publication_put_in_the_place_of_another_stops_opening(centre):
    centre.write(update(tables.publication).values(serial=2).where(KIND == "assignment"))
    centre.hold(replace(RESPONSE, assignment=2))
    with pytest.raises(SignatureError, match="assignment 2: another publication"):
        centre.open()


KIND = tables.publication.c.kind


def test_a_publication_that_comes_later_is_found_when_opening_again(centre):
    late = replace(RESPONSE, questionnaire=2)
    centre.hold(late, late, replace(RESPONSE, assignment=7))
    centre.open()
    centre.publish(2, QUESTIONNAIRE)
    assert centre.run(reopen(centre.engine, [Opening.UNKNOWN_QUESTIONNAIRE])) == 2
    assert centre.open() == {Opening.OPENED: 2}
    assert centre.outcomes()[3] is Opening.UNKNOWN_ASSIGNMENT


def test_opening_again_takes_every_record_that_stayed_sealed(centre):
    centre.hold(seal(RESPONSE, key=OTHER_KEY), replace(RESPONSE, assignment=7), RESPONSE)
    centre.open()
    assert centre.run(reopen(centre.engine)) == 2
    waiting = {1: Opening.WAITING, 2: Opening.WAITING, 3: Opening.OPENED}
    assert centre.outcomes() == waiting


@pytest.mark.parametrize("outcome", sorted(set(Opening) - REOPENABLE))
def test_what_holds_nothing_more_to_open_is_not_opened_again(centre, outcome):
    with pytest.raises(ValueError, match="only these can be opened again: unknown_key"):
        centre.run(reopen(centre.engine, [outcome]))


def test_records_are_counted_by_their_outcome(centre):
    centre.hold(RESPONSE, RESPONSE, replace(RESPONSE, assignment=7))
    centre.open()
    centre.hold(RESPONSE, first_seq=9)
    counts = centre.run(count_by_outcome(centre.engine))
    assert counts == {Opening.WAITING: 1, Opening.OPENED: 2, Opening.UNKNOWN_ASSIGNMENT: 1}


def test_two_openers_at_once_open_each_record_once(centre):
    number = opening.CHUNK + 100
    centre.hold(*[RESPONSE] * number)
    other = Opener(centre.engine, [KEY], [PUBLISHING.verifying_key], SECRET)

    async def both():
        return await asyncio.gather(centre.opener.open_waiting(), other.open_waiting())

    one, two = centre.run(both())
    assert one + two == Counter({Opening.OPENED: number})
    assert centre.read(select(func.count()).select_from(tables.response))[0]["count_1"] == number


@pytest.mark.sqlite_alone
def test_opening_that_is_cut_off_while_it_writes_is_as_if_it_had_not_begun(centre):
    """The last statement of the transaction fails, as if the power had."""
    centre.hold(RESPONSE, RESPONSE)
    trigger = "CREATE TRIGGER cut BEFORE UPDATE ON record BEGIN SELECT raise(FAIL, 'cut'); END"
    centre.write(text(trigger))
    with pytest.raises(Exception, match="cut"):
        centre.open()
    assert centre.read(select(tables.response)) == []
    centre.write(text("DROP TRIGGER cut"))
    assert centre.open() == {Opening.OPENED: 2}


def test_following_opens_what_comes_until_it_is_told_to_stop(centre):
    stop = asyncio.Event()

    async def begin():
        return asyncio.create_task(
            opening.run(
                centre.engine,
                [KEY],
                [PUBLISHING.verifying_key],
                SECRET,
                follow=True,
                stop=stop,
                pause_s=0.01,
            )
        )

    async def until_opened(count):
        while (await count_by_outcome(centre.engine)).get(Opening.OPENED) != count:
            assert not following.done()
            await asyncio.sleep(0.01)

    async def end(following):
        stop.set()
        await following

    following = centre.run(begin())
    centre.hold(RESPONSE)
    centre.run(until_opened(1))
    centre.hold(RESPONSE, first_seq=2)
    centre.run(until_opened(2))
    centre.run(end(following))


def test_without_following_it_ends_when_nothing_waits(centre, caplog):
    centre.hold(RESPONSE, replace(RESPONSE, answers={3: "secret" * 20}))
    caplog.set_level(logging.DEBUG, opening.__name__)
    arguments = (centre.engine, [KEY], [PUBLISHING.verifying_key], SECRET)
    centre.run(opening.run(*arguments, follow=False, stop=asyncio.Event()))
    assert [LineFormatter().format(record) for record in caplog.records] == [
        "info records opened opened=1 not_admitted=1"
    ]


def test_told_to_stop_it_opens_nothing_more(centre):
    centre.hold(RESPONSE)
    stop = asyncio.Event()
    stop.set()
    assert centre.run(centre.opener.open_waiting(stop)) == Counter()


ARRIVED = half_day_of(datetime(2026, 3, 14, 15))
ASSIGNED = half_day_of(datetime(2026, 3, 2, 9))


def times(centre):
    """The clock's half-day, and the interval, of each response by its seq."""
    rows = centre.read(select(tables.response).order_by(tables.response.c.seq))
    return [(row["half_day"], row["earliest_half_day"], row["latest_half_day"]) for row in rows]


def at(half_day, evidence=None):
    return replace(RESPONSE, moment=Moment(half_day, evidence))


def test_without_a_clock_a_record_was_made_between_its_assignment_and_its_arrival(centre):
    centre.hold(at(0, UNSYNCED))
    centre.open()
    assert times(centre) == [(0, ASSIGNED, ARRIVED)]
    assert centre.row(tables.response)["clock_synced"] is False


def test_without_a_clock_a_record_was_not_made_before_the_one_before_it(centre):
    """Of whatever kind that was, and whether it was opened just now or long before."""
    day = replace(DAY, moment=Moment(MORNING))
    centre.hold(day, at(5, UNSYNCED))
    centre.open()
    centre.hold(at(5, UNSYNCED), at(MORNING + 2), at(5, UNSYNCED), first_seq=3)
    centre.open()
    assert times(centre) == [
        (5, MORNING, ARRIVED),
        (5, MORNING + 1, MORNING + 2),  # by those after it, one of the same boot and hour
        (MORNING + 2, MORNING + 2, MORNING + 2),
        (5, MORNING + 2, MORNING + 3),
    ]


def test_what_is_opened_later_says_nothing_of_what_was_opened_before(centre):
    centre.hold(at(MORNING + 2), first_seq=2)
    centre.open()
    centre.hold(at(5, UNSYNCED))
    centre.open()
    assert times(centre)[0] == (5, ASSIGNED, ARRIVED)


def test_another_branch_or_log_says_nothing_of_a_records_time(centre):
    other_log = bytes([9] * 16)
    centre.begin_log(LOG, branch=1)
    centre.begin_log(other_log)
    centre.hold(at(MORNING))
    centre.hold(at(MORNING), log_id=other_log)
    centre.hold(at(5, UNSYNCED), branch=1, first_seq=2)
    centre.open()
    assert (5, ASSIGNED, ARRIVED) in times(centre)


@pytest.mark.parametrize("clock", [ARRIVED + 1, 2**20, ASSIGNED - 1, 0])
def test_a_clock_that_can_not_be_right_is_not_believed_though_synchronised(centre, clock):
    centre.hold(at(MORNING), at(clock), at(5, UNSYNCED))
    centre.open()
    assert times(centre) == [
        (MORNING, MORNING, MORNING),
        (clock, MORNING, ARRIVED),
        (5, MORNING, ARRIVED),
    ]


def test_a_record_is_kept_though_it_arrived_before_its_assignment(centre):
    centre.hold(at(MORNING), received_at=0)
    centre.open()
    assert times(centre) == [(MORNING, 0, 0)]
    assert centre.row(tables.response)["received_day"] == "1970-01-01"


def test_the_arrival_is_told_in_the_sites_own_time_and_the_day_received_in_utc(centre):
    """At half past twelve at night in British summer time it is still yesterday in UTC."""
    night = datetime(2026, 7, 1, 23, 30, tzinfo=UTC)
    centre.hold(at(5, UNSYNCED), received_at=int(night.timestamp()))
    centre.open()
    assert times(centre) == [(5, ASSIGNED, half_day_of(datetime(2026, 7, 2, 0, 30)))]
    assert centre.row(tables.response)["received_day"] == "2026-07-01"


def test_members_of_a_later_contract_are_kept_as_json(centre):
    unknown = {40: {1: [b"\x00\xff", None, True], 2: "ô"}, 41: -3}
    centre.hold(*(replace(record, unknown=unknown) for record in (RESPONSE, VERDICT, DAY)))
    assert centre.open() == {Opening.OPENED: 3}
    for table in (tables.response, tables.verdict, tables.day):
        assert json.loads(centre.row(table)["unknown"]) == {
            "40": {"1": [{"hex": "00ff"}, None, True], "2": "ô"},
            "41": -3,
        }


def test_no_unknown_members_are_no_json():
    assert unknown_members({}) is None


@pytest.mark.sqlite_alone
def test_the_waiting_records_are_found_by_their_index(centre):
    """However many were opened before; the statement that opening sends is the one explained."""
    sent = []
    listened = centre.engine.sync_engine, "before_cursor_execute"
    event.listen(*listened, lambda _c, _cursor, *statement, **_: sent.append(statement[:2]))
    centre.open()
    [(waiting, values)] = [each for each in sent if "FROM record" in each[0]]

    async def explain():
        async with reading(centre.engine) as connection:
            found = await connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {waiting}", values)
            return [row.detail for row in found]

    plan = centre.run(explain())
    assert any("record_waiting" in detail for detail in plan)
    assert not any("TEMP B-TREE" in detail for detail in plan)
