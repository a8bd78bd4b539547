"""The writer thread on a real store, with the real things that get in its way."""

import time
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from functools import partial

import pytest
from kiosk_site import KEY, in_force
from lone_centre import LoneCentre

from kiosk_app.door import Door
from kiosk_app.in_force import InForce
from kiosk_app.session import Session
from kiosk_app.writer import Pace, Store, UnsavedError, Writer
from sync_service.contract.publication import Publication
from sync_service.contract.record import DayRecord, Ending, Fairness, Verdict
from sync_service.contract.sealing import OpeningKey, generate_opening_key
from sync_service.contract.wire import Recorded
from sync_service.outbox.clock import Clock
from sync_service.outbox.database import BusyStoreError, open_store, reading, writing
from sync_service.outbox.outbox import Outbox
from sync_service.outbox.renewal import open_or_renew
from sync_service.outbox.state import ForeignStampError, State


class Told:
    """What the writer told, in order."""

    def __init__(self):
        self.events = []

    def recorded(self, now):
        self.events.append("recorded")

    def record_failed(self, now):
        self.events.append("failed")

    def out_of_service(self, now):
        self.events.append("out of service")

    def in_service(self, now):
        self.events.append("in service")

    def publish(self, in_force, now):
        self.events.append(in_force)

    def retire(self, left, now):
        self.events.append(f"retiring, {left} left")

    @property
    def words(self):
        return [event for event in self.events if isinstance(event, str)]


class Desk:
    """A writer on a site's store, and a clock that the test sets."""

    def __init__(self, site):
        self.site = site
        self.stamp = site.stamp(languages=("en", "cy"))
        self.today = datetime(2026, 3, 10, 9, tzinfo=UTC)
        self.door = Door()
        self.told = Told()
        self.error_s = 0.0
        self.clock = Clock(lambda: self.today, lambda: self.error_s)
        self.writer = self.make_writer(self.open_store)

    def make_writer(self, open_store):
        return Writer(
            open_store,
            self.clock,
            self.door,
            timezone="Europe/London",
            put_in_force=partial(InForce.of, spoken=("en", "cy")),
            pace=Pace(poll_s=0.05, retry_s=0.05),
        )

    def open_engine(self):
        return open_store(self.site.data / "store.db", KEY, busy_timeout_s=0.1)

    def open_store(self):
        engine = self.open_engine()
        state = State(engine)
        state.begin(self.stamp)
        return Store(Outbox(engine), state, engine.dispose)

    def start(self):
        self.writer.start(self.told)

    def response(self, answer=1):
        asked = in_force(self.site.centre)
        session = Session([asked.questionnaire.by_name("dignity")], "exit")
        session.answer(1, answer)
        return session.response(asked, "en", self.clock.moment("Europe/London"))

    def verdict(self):
        return Verdict(
            assignment=1,
            moment=self.clock.moment("Europe/London"),
            language="en",
            replies=1,
            reply=4,
            fairness=Fairness.FAIR,
        )

    def wait_until(self, happened):
        """Let in what the writer tells until something has happened."""
        deadline = time.monotonic() + 30
        while not happened():
            assert time.monotonic() < deadline, f"told was {self.told.events}"
            self.door.let_in(0.0)
            time.sleep(0.005)

    def wait_for(self, *words):
        self.wait_until(lambda: self.told.words[-len(words) :] == list(words))


@pytest.fixture
def desk(site):
    desk = Desk(site)
    yield desk
    with suppress(UnsavedError, ForeignStampError):
        desk.writer.close(0)


def test_a_response_is_sealed_stored_and_only_then_told(desk):
    desk.start()
    desk.wait_for("in service")
    response = desk.response()
    desk.writer.record(response)
    desk.wait_for("in service", "recorded")
    assert desk.site.records() == [response]


def test_what_comes_before_the_store_is_open_is_stored_once_it_is(desk):
    desk.writer.record(desk.response(1))
    desk.writer.record(desk.response(2))
    desk.start()
    desk.wait_for("recorded", "recorded", "in service")
    assert [record.answers for record in desk.site.records()] == [{1: 1}, {1: 2}]


def test_a_store_that_can_not_be_opened_is_tried_again_until_it_can(desk):
    desk.site.data.rmdir()
    desk.start()
    desk.wait_for("out of service")
    desk.site.data.mkdir()
    desk.wait_for("out of service", "in service")


def test_a_response_that_can_not_be_stored_is_tried_again_and_stored_once(desk):
    desk.start()
    desk.wait_for("in service")
    store = desk.site.open_store()
    with writing(store):
        desk.writer.record(desk.response())
        desk.wait_for("failed", "out of service")
        time.sleep(0.4)  # a few more tries
        desk.door.let_in(0.0)
    desk.wait_for("failed", "out of service", "recorded", "in service")
    store.dispose()
    assert len(desk.site.records()) == 1


def test_a_verdict_is_stored_in_its_turn_and_nobody_is_told(desk):
    desk.start()
    verdict, response = desk.verdict(), desk.response()
    for record in (verdict, response, verdict):
        desk.writer.record(record)
    desk.wait_until(lambda: len(desk.site.records()) == 3)
    desk.door.let_in(0.0)
    assert desk.site.records() == [verdict, response, verdict]
    assert desk.told.words.count("recorded") == 1


def test_a_verdict_that_can_not_be_stored_is_tried_again_and_fails_only_the_response_behind(desk):
    desk.start()
    desk.wait_for("in service")
    store = desk.site.open_store()
    with writing(store):
        desk.writer.record(desk.verdict())
        desk.wait_for("in service", "out of service")
        desk.writer.record(desk.response())
        desk.wait_for("out of service", "failed")
    desk.wait_for("failed", "recorded", "in service")
    store.dispose()
    assert [type(record).__name__ for record in desk.site.records()] == ["Verdict", "Response"]


def test_a_kiosk_that_is_being_retired_is_told_before_it_asks_and_how_much_is_left(desk):
    store = desk.open_store()
    outbox, state = store.outbox, store.state
    for each in range(2):
        outbox.put(bytes([each]) * 64, 0)
    state.note_retiring(True)
    desk.start()
    desk.wait_for("retiring, 2 left", "in service")
    outbox.settle(outbox.log_id, 1, [Recorded.ACCEPTED] * 2, date(2026, 3, 10))
    desk.wait_for("retiring, 0 left")
    state.note_retiring(False)
    desk.wait_for("retiring, None left")
    store.close()


def test_closing_stores_a_verdict_that_still_waits(desk):
    desk.start()
    verdict = desk.verdict()
    desk.writer.record(verdict)
    desk.writer.close(30)
    assert desk.site.records() == [verdict]


def test_two_responses_with_the_same_answers_are_two_records(desk):
    desk.start()
    for _ in range(2):
        desk.writer.record(desk.response())
    desk.wait_until(lambda: desk.told.words.count("recorded") == 2)
    assert len(desk.site.records()) == 2


def test_closing_stores_what_is_still_waiting(desk):
    desk.start()
    for answer in (1, 2, 3):
        desk.writer.record(desk.response(answer))
    desk.writer.close(30)
    assert [record.answers[1] for record in desk.site.records()] == [1, 2, 3]


@pytest.mark.parametrize("record", [Desk.response, Desk.verdict])
def test_closing_on_a_store_that_takes_nothing_says_that_a_record_is_lost(desk, record):
    desk.start()
    desk.wait_for("in service")
    store = desk.site.open_store()
    with writing(store):
        desk.writer.record(record(desk))
        with pytest.raises(UnsavedError):
            desk.writer.close(0.5)
    store.dispose()


def test_closing_does_not_wait_for_counts_that_can_not_be_stored(desk):
    desk.site.data.rmdir()
    desk.start()
    desk.writer.count_session()
    desk.wait_for("out of service")
    desk.writer.close(30)


def damage(path):
    """Flip a bit in a page of records."""
    content = bytearray(path.read_bytes())
    content[-3 * 4096] ^= 1
    path.write_bytes(content)


def test_damage_is_found_within_a_day_and_the_kiosk_goes_on_with_another_store(desk):
    path = desk.site.data / "store.db"
    desk.open_engine = lambda: open_or_renew(path, KEY, path.with_name("identity"))
    desk.start()
    for _ in range(100):
        desk.writer.record(desk.response())
    desk.wait_until(lambda: desk.told.words.count("recorded") == 100)
    store = desk.site.open_store()
    with store.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)")
    store.dispose()
    damage(path)

    desk.today += timedelta(days=1)
    desk.wait_until(path.with_name("store-2.db").exists)
    desk.writer.record(desk.response(2))
    desk.wait_for("recorded")
    desk.wait_until(lambda: desk.told.words.count("recorded") == 101)
    assert "failed" not in desk.told.words
    assert path.exists()


def test_days_are_counted_and_put_once_they_are_over(desk):
    desk.start()
    desk.wait_for("in service")
    for available in (True, True, False):
        desk.writer.count_minute(available, watched=True)
    desk.writer.count_session()
    for _ in range(3):
        desk.writer.count_approach()
    desk.writer.record(desk.response())
    desk.wait_for("in service", "recorded")
    assert len(desk.site.records()) == 1

    desk.today = datetime(2026, 3, 11, 0, 5, tzinfo=UTC)
    desk.wait_until(lambda: len(desk.site.records()) == 2)
    day = desk.site.records()[1]
    assert isinstance(day, DayRecord)
    assert day.moment.day == date(2026, 3, 10)
    assert (day.minutes_available, day.minutes_out_of_service, day.sessions_begun) == (2, 1, 1)
    assert day.approaches == 3

    desk.today = datetime(2026, 3, 12, 0, 5, tzinfo=UTC)
    desk.writer.close(30)
    assert len(desk.site.records()) == 2, "a day without counts has no record"


def test_what_is_wrong_around_the_screen_is_kept_for_the_agent(desk):
    desk.start()
    desk.wait_for("in service")
    store = desk.site.open_store()
    desk.writer.note_troubles(("backlight-failed",))
    desk.wait_until(lambda: State(store).troubles == ("backlight-failed",))
    store.dispose()


def test_what_was_counted_by_an_unsure_clock_has_a_record_of_its_own_that_says_so(desk):
    """The clock is years wrong until somebody sets it: the day it says is over then, if ever."""
    desk.today, desk.error_s = datetime(2035, 1, 1, 9, tzinfo=UTC), None
    desk.start()
    desk.wait_for("in service")
    desk.writer.count_minute(True)
    desk.writer.count_session()
    store = desk.site.open_store()
    state = State(store)
    desk.wait_until(lambda: any(each.sessions_begun for each in state.finished_days(date.max)))
    assert state.times().seen.at == desk.today.timestamp()
    store.dispose()

    desk.today, desk.error_s = datetime(2026, 3, 10, 9, tzinfo=UTC), 0.0
    desk.writer.count_minute(True)
    desk.wait_until(lambda: len(desk.site.records()) == 1)
    desk.today += timedelta(days=1)
    desk.wait_until(lambda: len(desk.site.records()) == 2)
    unsure, sure = desk.site.records()
    assert (unsure.moment.day, unsure.sessions_begun) == (date(2035, 1, 1), 1)
    assert unsure.moment.evidence == desk.clock.evidence()
    assert (sure.moment.day, sure.moment.evidence) == (date(2026, 3, 10), None)


def test_a_day_on_which_the_kiosk_is_moved_has_a_record_at_each_site(desk):
    desk.start()
    desk.wait_for("in service")
    store = desk.site.open_store()
    state = State(store)
    tomorrow = desk.today.date() + timedelta(days=1)
    desk.writer.count_session()
    desk.wait_until(lambda: len(state.finished_days(today=tomorrow)) == 1)

    here = state.publications().assignment
    there = state.take(desk.site.centre.publish(replace(here.body, site="branch-library")))
    desk.writer.count_session()
    desk.wait_until(lambda: len(state.finished_days(today=tomorrow)) == 2)
    store.dispose()

    desk.today += timedelta(days=1)
    desk.wait_until(lambda: len(desk.site.records()) == 2)
    days = desk.site.records()
    assert [(day.assignment, day.sessions_begun) for day in days] == [
        (here.serial, 1),
        (there.serial, 1),
    ]


def test_what_is_counted_while_the_store_fails_is_not_lost(desk):
    desk.site.data.rmdir()
    desk.start()
    desk.wait_for("out of service")
    desk.writer.count_minute(False)
    desk.today = datetime(2026, 3, 11, 9, tzinfo=UTC)
    desk.site.data.mkdir()
    desk.wait_until(lambda: len(desk.site.records()) == 1)
    assert desk.site.records()[0].minutes_out_of_service == 1


def test_a_new_publication_is_told_once_and_its_key_is_sealed_to(desk):
    desk.start()
    desk.wait_for("in service")
    centre = desk.site.centre
    store = desk.site.open_store()
    assignment = Publication.verify(desk.stamp.assignment, desk.stamp.publishing_key).body
    State(store).take(centre.publish(replace(assignment, site_name="North Library")))
    desk.wait_until(lambda: len(desk.told.events) == 3)
    assert desk.told.events[-1].assignment.site_name == "North Library"

    opening = OpeningKey(generate_opening_key())
    keys = Publication.verify(desk.stamp.keys, desk.stamp.publishing_key).body
    State(store).take(centre.publish(replace(keys, sealing=opening.sealing_key)))
    desk.wait_until(lambda: len(desk.told.events) == 4)
    desk.writer.record(desk.response())
    desk.wait_for("in service", "recorded")
    run = Outbox(store).next_run(10, 10**6, None)
    store.dispose()
    assert opening.open(run.sealed[0], run.log_id)


def test_a_publication_that_can_not_be_asked_here_leaves_what_was_in_force(desk, caplog):
    desk.start()
    desk.wait_for("in service")
    store = desk.site.open_store()
    assignment = Publication.verify(desk.stamp.assignment, desk.stamp.publishing_key).body
    State(store).take(desk.site.centre.publish(replace(assignment, languages=("fr",))))
    store.dispose()
    desk.wait_until(lambda: "publications not asked" in caplog.text)
    desk.writer.record(desk.response())
    desk.wait_for("in service", "recorded")
    assert sum(not isinstance(event, str) for event in desk.told.events) == 1


def test_a_stamp_of_another_centre_ends_the_kiosk_with_a_sentence(desk):
    desk.open_store().close()
    desk.stamp = LoneCentre().stamp(
        Publication.verify(desk.stamp.questionnaire, desk.stamp.publishing_key).body
    )
    desk.start()
    with pytest.raises(ForeignStampError, match="stamp the kiosk anew"):
        desk.wait_until(lambda: False)
    with pytest.raises(ForeignStampError):
        desk.writer.close(30)


def test_after_the_log_has_changed_a_response_is_sealed_for_the_new_one(desk):
    desk.start()
    desk.wait_for("in service")
    store = desk.site.open_store()
    with writing(store) as connection:
        desk.writer.record(desk.response())
        desk.wait_for("failed", "out of service")
        connection.exec_driver_sql(
            "INSERT INTO log (log_id, head_seq, head_link, settled_seq)"
            " VALUES (zeroblob(16), 0, zeroblob(32), 0)"
        )
    desk.wait_for("recorded", "in service")
    with reading(store) as connection:
        sealed = connection.exec_driver_sql("SELECT sealed FROM record").scalar_one()
    store.dispose()
    assert desk.site.centre.opening.open(sealed, bytes(16))


def test_after_a_fork_the_next_response_begins_another_log(desk):
    desk.start()
    desk.writer.record(desk.response())
    desk.wait_until(lambda: "recorded" in desk.told.words)
    store = desk.site.open_store()
    outbox = Outbox(store)
    old = outbox.log_id
    outbox.note_fork(old)

    desk.writer.record(desk.response(2))
    desk.wait_until(lambda: desk.told.words.count("recorded") == 2)
    with reading(store) as connection:
        rows = connection.exec_driver_sql(
            "SELECT log_id, seq, sealed FROM record JOIN log ON number = log ORDER BY number"
        ).all()
    store.dispose()
    assert [row.seq for row in rows] == [1, 1]
    assert rows[0].log_id == old
    assert all(desk.site.centre.opening.open(row.sealed, row.log_id) for row in rows)


def test_a_response_that_may_be_stored_already_is_not_sealed_for_another_log(desk):
    """The first try is committed, but its result is not learned; then the log is found forked."""
    desk.start()
    desk.wait_for("in service")
    desk.writer.close(30)
    store = desk.site.open_store()

    class Deaf(Outbox):
        """Its first put is done, and says that it failed."""

        def put(self, sealed, half_day):
            seq = super().put(sealed, half_day)
            if self.note_fork(self.log_id):
                raise BusyStoreError("is it there?")
            return seq

    desk.writer = desk.make_writer(lambda: Store(Deaf(store), State(store), store.dispose))
    desk.start()
    desk.writer.record(desk.response())
    desk.wait_for("failed", "out of service", "recorded", "in service")
    store = desk.site.open_store()
    with reading(store) as connection:
        count = connection.exec_driver_sql("SELECT count(*) FROM record").scalar_one()
    store.dispose()
    assert count == 1


def test_an_abandoned_response_is_stored_like_any_other(desk):
    desk.start()
    desk.writer.record(replace(desk.response(), ending=Ending.ABANDONED))
    desk.wait_until(lambda: "recorded" in desk.told.words)
    assert desk.site.records()[0].ending is Ending.ABANDONED
