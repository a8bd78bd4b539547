"""The agent's rounds: who is greeted, what is kept, and how long it waits for what."""

import logging
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import pytest

from sync_service.contract.publication import Publication, Replies
from sync_service.contract.signing import SigningKey
from sync_service.contract.wire import Batch, Enrolment, Standing, Status
from sync_service.outbox.database import BusyStoreError
from sync_service.outbox.outbox import Outbox

OTHER_KEY = SigningKey(bytes([9] * 32))
DAY_S = 24 * 3600
DAY = date(2026, 3, 14)


def run(kiosk, waits, rounds=1, **settings):
    """Let an agent go on for so many rounds; how long it paused after each."""
    wait = waits(rounds)
    kiosk.agent(wait, **settings).run()
    return wait.seconds


def messages(caplog, level=logging.INFO):
    return [record.message for record in caplog.records if record.levelno >= level]


def kinds(collector):
    return [type(message).__name__ for message in collector.heard]


# A contact


def test_a_kiosk_that_nobody_knows_enrols_and_delivers_in_one_contact(kiosk_of, collector):
    kiosk = kiosk_of(collector)
    kiosk.put(3)
    assert kiosk.agent().once()
    assert kinds(collector) == ["Status", "Enrolment", "Status", "Batch"]
    (enrolment,) = collector.of(Enrolment)
    assert enrolment.code == kiosk.stamp.enrolment_code
    assert enrolment.stamp_id == kiosk.stamp.stamp_id
    assert kiosk.identity.standing is Standing.ENROLLED
    assert kiosk.outbox.extent().depth == 0


def test_a_collector_that_forgot_the_kiosk_gets_to_know_it_again(kiosk, collector):
    assert kiosk.agent().once()
    collector.kiosks.clear()
    assert kiosk.agent().once()
    assert len(collector.of(Enrolment)) == 1


def test_a_status_says_how_the_kiosk_is_in_steps_and_by_the_day(kiosk, collector):
    kiosk.put(60, half_day=2 * (DAY - date(1970, 1, 1)).days)
    kiosk.synced = False
    kiosk.state.note_error("timed-out")
    kiosk.state.note_troubles(["presence-failed"])
    kiosk.agent().once()
    (status,) = collector.of(Status)
    extent = kiosk.outbox.extent()
    assert (status.log_id, status.head) == (extent.log_id, extent.head)
    assert (status.settled_seq, status.oldest_held_seq) == (0, 1)
    assert (status.depth, status.oldest_waiting) == (50, DAY)
    assert (status.clock_synced, status.clock_at) == (False, int(kiosk.now.timestamp()))
    assert (status.last_error, status.troubles) == ("timed-out", ("presence-failed",))
    assert status.publications == kiosk.state.serials()


def test_a_kiosk_that_is_being_retired_says_so_and_last_that_nothing_waits(kiosk, collector, waits):
    kiosk.put(2)
    kiosk.state.note_retiring(True)
    kiosk.state.note_troubles(["presence-failed"])
    run(kiosk, waits, rounds=2)
    assert kinds(collector) == ["Status", "Batch", "Status"]
    assert [status.depth for status in collector.of(Status)] == [1, 0]
    assert {status.troubles for status in collector.of(Status)} == {
        ("kiosk-retiring", "presence-failed")
    }


def test_nothing_is_delivered_before_the_publications_were_taken(kiosk, collector, centre):
    kiosk.put(1)
    collector.offer(centre.keys(2, receipt=OTHER_KEY), centre.publishing)

    def instead(message):
        if isinstance(message, Batch):
            return collector.say(collector.take_in(message), OTHER_KEY)
        return None

    collector.instead = instead
    assert kiosk.agent().once()
    assert kinds(collector) == ["Status", "bytes", "Batch"]
    assert kiosk.outbox.extent().depth == 0


def test_a_receipt_key_replaced_while_the_kiosk_was_away_is_found(kiosk, collector, centre):
    kiosk.put(1)
    collector.offer(centre.keys(2, receipt=OTHER_KEY), centre.publishing)
    collector.receipt = OTHER_KEY
    assert kiosk.agent().once()
    assert kinds(collector) == ["Status", "bytes", "Status", "Batch"]


def test_a_receipt_key_replaced_in_mid_run_costs_one_more_contact(kiosk, collector, centre, waits):
    kiosk.put(8)

    def instead(message):
        if isinstance(message, Batch) and len(message.sealed) == 8:
            return collector.CUT
        if isinstance(message, Batch) and message.first_seq == 5 and not collector.offers:
            collector.offer(centre.keys(2, receipt=OTHER_KEY), centre.publishing)
            collector.receipt = OTHER_KEY
        return None

    collector.instead = instead
    run(kiosk, waits, rounds=2)
    _, first, second, again = collector.of(Batch)
    assert (first.first_seq, second.first_seq) == (1, 5)
    assert (second.first_seq, second.sealed) == (again.first_seq, again.sealed)
    assert kiosk.outbox.extent().depth == 0


def test_keys_that_a_stranger_offers_are_not_taken(kiosk, collector, centre):
    kiosk.put(1)
    collector.offer(centre.keys(2, receipt=OTHER_KEY), OTHER_KEY)
    collector.receipt = OTHER_KEY
    agent = kiosk.agent()
    assert not agent.once()
    assert not agent.once()
    assert kiosk.state.publications().keys.serial == 1
    assert kiosk.state.last_error == "unproven-reply"
    assert collector.of(Batch) == []
    assert len(collector.of(bytes)) == 1


def test_what_the_collector_wants_is_offered_again(kiosk, collector):
    kiosk.put(10)
    assert kiosk.agent().once()
    for seq in (3, 4, 5, 9):
        del collector.stored[kiosk.outbox.log_id, seq]
    collector.wanted = [(3, 5), (9, 9), (11, 2**62)]
    assert kiosk.agent().once()
    again = [(batch.first_seq, len(batch.sealed)) for batch in collector.of(Batch)[1:]]
    assert again == [(3, 3), (9, 1)]
    assert len(collector.stored) == 10


def test_a_collector_that_lost_records_is_asked_what_it_wants_at_the_next_round(
    kiosk, collector, waits
):
    kiosk.put(10)
    agent = kiosk.agent(waits(3))
    assert agent.once()
    kiosk.put(1)
    for seq in range(5, 11):
        del collector.stored[kiosk.outbox.log_id, seq]
    collector.heard.clear()

    def instead(message):
        if collector.of(Batch):
            collector.wanted = [(5, 10)]

    collector.instead = instead
    agent.run()
    assert kinds(collector)[:4] == ["Status", "Batch", "Status", "Batch"]
    assert len(collector.stored) == 11


def test_a_log_that_is_said_to_have_forked_is_left_at_the_next_record(kiosk, collector, caplog):
    kiosk.put(2)
    assert kiosk.agent().once()
    old = kiosk.outbox.log_id
    kiosk.put(1)
    faithful = collector.status_reply
    collector.status_reply = lambda status: replace(faithful(status), forked=True)
    agent = kiosk.agent()
    assert agent.once()
    assert agent.once()

    assert {log_id for log_id, _ in collector.stored} == {old}
    assert len(collector.stored) == 3
    assert kiosk.outbox.next_log() != old
    assert [entry.message for entry in caplog.records].count("log forked, another is begun") == 1


def test_a_former_log_is_asked_about_once_a_day_and_offered_again_too(kiosk, collector):
    kiosk.put(3)
    assert kiosk.agent().once()
    old = kiosk.outbox.log_id
    kiosk.outbox.note_fork(old)
    assert kiosk.outbox.next_log() != old
    kiosk.put(1)
    del collector.stored[old, 2]
    faithful = collector.status_reply
    collector.status_reply = lambda status: replace(
        faithful(status), wanted=[(2, 2)] if status.log_id == old else []
    )
    assert kiosk.agent().once()
    assert len(collector.stored) == 3  # of that day the former log was told already

    collector.at += 86_400
    assert kiosk.agent().once()
    assert len(collector.stored) == 4
    assert [status.log_id for status in collector.of(Status)].count(old) == 2


def test_delivered_records_are_kept_for_the_retention_by_the_collector_s_clock(kiosk, collector):
    kiosk.put(2)
    kiosk.now = datetime(2035, 1, 1, tzinfo=UTC)  # a clock that nobody set
    kiosk.synced = False
    assert kiosk.agent(retention_days=30).once()
    for days, held in ((30, 1), (31, 0)):
        collector.at = int((datetime(2026, 3, 14, 12, tzinfo=UTC) + timedelta(days)).timestamp())
        assert kiosk.agent(retention_days=30).once()
        assert kiosk.outbox.extent().oldest_held_seq == held
    assert kiosk.state.last_contact == date(2026, 4, 14)


@pytest.mark.parametrize("hold", [True, False])
def test_only_what_is_over_leaves_unless_told_otherwise(kiosk, collector, hold):
    kiosk.put(1, half_day=kiosk.clock.moment("Europe/London").half_day)
    assert kiosk.agent(hold_half_day=hold).once()
    assert len(collector.stored) == (0 if hold else 1)
    kiosk.now += timedelta(hours=12)
    assert kiosk.agent(hold_half_day=hold).once()
    assert len(collector.stored) == 1


# Not admitted


@pytest.mark.parametrize("standing", [Standing.HELD, Standing.REVOKED])
def test_a_kiosk_that_is_not_admitted_sends_no_records_but_takes_publications(
    kiosk, collector, centre, standing
):
    kiosk.put(1)
    kiosk.enrolled_at(collector, standing)
    collector.offer(Publication(1, 0, Replies(centre.assignment.site, ())), centre.publishing)
    assert not kiosk.agent().once()
    assert kinds(collector) == ["Status", "bytes"]
    assert kiosk.identity.standing is standing
    assert kiosk.state.last_error == f"{standing.name.lower()}-kiosk"


@pytest.mark.parametrize("code", ["held-kiosk", "revoked-kiosk"])
def test_who_is_not_admitted_asks_again_once_a_day(kiosk, collector, waits, code):
    kiosk.put(1)
    collector.instead = lambda _: collector.problem(code)
    pauses = run(kiosk, waits, rounds=5)
    assert all(0.8 * DAY_S <= pause <= DAY_S for pause in pauses)
    assert kinds(collector) == ["Status"] * 5
    assert kiosk.identity.standing is None  # nobody signed that


def test_a_kiosk_held_until_it_is_approved_then_delivers(kiosk_of, collector, waits):
    kiosk = kiosk_of(collector)
    kiosk.put(1)
    collector.enrols_as = Standing.HELD
    (pause,) = run(kiosk, waits, ask_again_s=10)
    assert 8 <= pause <= 10
    assert kiosk.identity.standing is Standing.HELD
    kiosk.enrolled_at(collector)
    run(kiosk, waits, ask_again_s=10)
    assert kiosk.identity.standing is Standing.ENROLLED
    assert len(collector.stored) == 1


# Waiting


def test_a_contact_is_made_when_anything_is_due_or_the_silence_was_long(kiosk, collector):
    kiosk.put(1)
    heard = []

    def wait(seconds):
        if seconds:
            heard.append(kinds(collector))
            collector.heard.clear()
            if len(heard) == 20:
                kiosk.put(1)
        return len(heard) == 40

    kiosk.agent(wait, poll_s=60, contact_s=600).run()
    assert heard[0] == ["Status", "Batch"]
    assert heard[20] == ["Status", "Batch"]
    assert heard.count([]) > 20


def test_an_idle_kiosk_breaks_its_silence_in_time(kiosk, collector, waits):
    pauses = run(kiosk, waits, rounds=60, poll_s=60, contact_s=600)
    statuses = len(collector.of(Status))
    assert kinds(collector) == ["Status"] * statuses
    assert sum(pauses) / 660 <= statuses <= sum(pauses) / 480 + 1


def test_with_nobody_there_the_pauses_grow_to_the_cap_and_never_end(kiosk, collector, waits):
    collector.close()
    pauses = run(kiosk, waits, rounds=100, backoff_cap_s=3600)
    assert max(pauses[:3]) <= 8
    assert 1800 < max(pauses[12:]) <= 3600
    assert len(pauses) == 100


def test_the_pauses_are_short_again_after_a_success(kiosk, collector, waits):
    answers = [collector.page(502)] * 12 + [None] + [collector.page(502)]
    collector.instead = lambda _: answers.pop(0)
    pauses = run(kiosk, waits, rounds=14, poll_s=60, contact_s=1)
    assert max(pauses[8:12]) > 60
    assert pauses[13] <= 2


def test_retry_after_is_obeyed_but_never_for_more_than_a_day(kiosk, collector, waits):
    asks = ["90", "999999999", "0"]
    collector.instead = lambda _: collector.page(503, Retry_After=asks.pop(0))
    assert run(kiosk, waits, rounds=3) == [90, DAY_S, 1]


def test_a_broken_contract_is_said_once_and_tried_seldom(kiosk, collector, waits, caplog):
    collector.instead = lambda _: collector.problem("bad-signature")
    pauses = run(kiosk, waits, rounds=4, backoff_cap_s=3600)
    assert all(1800 <= pause <= 3600 for pause in pauses)
    assert messages(caplog, logging.WARNING) == ["no contact"]
    assert kiosk.state.last_error == "bad-signature"


def test_edges_are_logged_and_not_repeats(kiosk, collector, waits, caplog):
    caplog.set_level(logging.INFO)
    answers = [collector.page(502)] * 3 + [collector.PORTAL] * 3 + [None] * 3
    collector.instead = lambda _: answers.pop(0) if answers else None
    run(kiosk, waits, rounds=9, contact_s=1, poll_s=1)
    ours = [record for record in caplog.records if record.name.startswith("sync_service")]
    assert [(record.message, vars(record).get("reason")) for record in ours] == [
        ("no contact", "http-502"),
        ("no contact", "not-ours"),
        ("contact made", None),
    ]
    assert kiosk.state.last_error is None


def test_a_store_that_fails_is_said_once_and_tried_again(kiosk, collector, waits, caplog):
    class BusyOutbox(type(kiosk.outbox)):
        failures = 3

        def extent(self, hold=None):
            if self.failures:
                self.failures -= 1
                raise BusyStoreError("another process held the lock for too long")
            return super().extent(hold)

    kiosk.outbox = kiosk.opened(BusyOutbox)
    run(kiosk, waits, rounds=4)
    assert messages(caplog, logging.WARNING) == ["no contact"]
    assert caplog.records[0].reason == "BusyStoreError"
    assert len(collector.of(Status)) == 1


def test_a_bug_does_not_end_the_agent(kiosk, collector, waits, caplog):
    class BuggyOutbox(Outbox):
        def extent(self, hold=None):
            raise KeyError("nobody foresaw this")

    sound, kiosk.outbox = kiosk.outbox, kiosk.opened(BuggyOutbox)
    pauses = run(kiosk, waits, rounds=3)
    assert messages(caplog, logging.WARNING) == ["bug in the agent", "no contact"]
    assert len(pauses) == 3
    kiosk.outbox = sound
    assert kiosk.agent().once()


def test_told_to_stop_it_stops(kiosk, collector, waits):
    wait = waits(1)
    wait.stopped = True
    kiosk.agent(wait).run()
    assert collector.heard == []


def test_a_status_tells_nothing_of_the_half_day_that_is_not_over(kiosk, collector):
    kiosk.put(3, half_day=kiosk.clock.moment("Europe/London").half_day)
    assert kiosk.agent(hold_half_day=True).once()
    (status,) = collector.of(Status)
    assert (status.head.seq, status.oldest_held_seq) == (0, 0)
    assert (status.depth, status.oldest_waiting) == (0, None)


# The time


def test_what_the_collector_signs_of_the_time_is_kept_and_gone_by(kiosk, collector):
    kiosk.synced, kiosk.now = False, datetime(1970, 1, 1, tzinfo=UTC)
    collector.at = int(datetime.now(UTC).timestamp())
    assert kiosk.agent().once()

    assert kiosk.state.times().signed.at == collector.at
    assert kiosk.clock.not_before() >= collector.at
    assert collector.of(Status)[0].clock_at == 0
    assert kiosk.agent().once()
    assert collector.of(Status)[1].clock_at >= collector.at
    assert not collector.of(Status)[1].clock_synced


def test_a_time_at_which_the_collector_s_own_certificate_does_not_hold_is_not_kept(
    kiosk, collector
):
    collector.at = int((datetime.now(UTC) + timedelta(days=20_000)).timestamp())
    assert kiosk.agent().once()

    assert kiosk.state.times().signed is None
