from datetime import date

import pytest

from sync_service.contract.chain import Head, first_link, links
from sync_service.contract.wire import Recorded
from sync_service.outbox.database import reading, writing
from sync_service.outbox.outbox import Outbox, Run
from sync_service.outbox.state import DayCount

MONDAY = date(2026, 3, 16)
ASSIGNMENT = 1
TUESDAY = date(2026, 3, 17)
WEDNESDAY = date(2026, 3, 18)
MORNING, AFTERNOON, EVENING = 41_058, 41_059, 41_060


def sealed(number, length=120):
    return bytes([number]) * length


def fill(outbox, count, half_day=MORNING):
    for number in range(1, count + 1):
        outbox.put(sealed(number), half_day)


def next_run(outbox, limit=500, max_length=10**6, hold=None):
    return outbox.next_run(limit, max_length, hold)


def seqs(run):
    return list(range(run.first_seq, run.first_seq + len(run.sealed)))


def settle(outbox, first_seq, *outcomes, day=MONDAY):
    outbox.settle(outbox.log_id, first_seq, outcomes, day)


# Putting


def test_a_log_begins_with_nothing_at_the_link_before_its_first_record(outbox):
    extent = outbox.extent()

    assert len(extent.log_id) == 16
    assert extent.log_id == outbox.log_id
    assert extent.head == Head(0, first_link(extent.log_id))
    assert (extent.settled_seq, extent.oldest_held_seq, extent.depth) == (0, 0, 0)
    assert extent.oldest_waiting is None
    assert next_run(outbox) is None


def test_records_are_numbered_from_one_and_chained(outbox):
    assert [outbox.put(sealed(number), MORNING) for number in (1, 2, 3)] == [1, 2, 3]

    chain = links(first_link(outbox.log_id), 1, [sealed(1), sealed(2), sealed(3)])
    assert outbox.extent().head == Head(3, chain[-1])
    assert next_run(outbox) == Run(
        outbox.log_id, 1, first_link(outbox.log_id), (sealed(1), sealed(2), sealed(3))
    )


def test_a_put_whose_result_was_not_learned_can_be_repeated(outbox):
    fill(outbox, 2)
    head = outbox.extent().head

    assert outbox.put(sealed(2), MORNING) == 2
    assert outbox.extent().head == head


def test_only_the_newest_record_is_taken_for_a_repetition(outbox):
    fill(outbox, 2)

    assert outbox.put(sealed(1), MORNING) == 3


def test_the_log_goes_on_after_all_of_it_was_purged(outbox):
    fill(outbox, 2)
    head = outbox.extent().head
    settle(outbox, 1, Recorded.ACCEPTED, Recorded.ACCEPTED)
    outbox.purge(before=TUESDAY)

    assert outbox.extent().head == head
    assert outbox.put(sealed(3), MORNING) == 3
    assert next_run(outbox).previous == head.link


def test_a_new_log_is_used_once_it_is_begun_and_the_old_one_delivered_first(engine, outbox):
    fill(outbox, 1)
    old = outbox.log_id
    new = bytes(16)
    with writing(engine) as connection:
        connection.exec_driver_sql(
            "INSERT INTO log (log_id, head_seq, head_link, settled_seq) VALUES (?, 0, ?, 0)",
            (new, first_link(new)),
        )

    assert outbox.log_id == new
    assert outbox.put(sealed(2), AFTERNOON) == 1
    assert outbox.extent().depth == 2
    assert next_run(outbox) == Run(old, 1, first_link(old), (sealed(1),))
    outbox.settle(old, 1, [Recorded.ACCEPTED], MONDAY)
    assert next_run(outbox) == Run(new, 1, first_link(new), (sealed(2),))


def test_after_a_fork_the_next_record_goes_into_another_log(outbox):
    fill(outbox, 1)
    old = outbox.next_log()
    assert old == outbox.log_id

    assert outbox.note_fork(old)
    assert not outbox.note_fork(old)
    assert outbox.log_id == old  # until something is recorded
    new = outbox.next_log()
    assert outbox.log_id == outbox.next_log() == new != old
    assert outbox.put(sealed(2), AFTERNOON) == 1
    assert next_run(outbox) == Run(old, 1, first_link(old), (sealed(1),))


def test_a_log_that_forked_once_says_nothing_of_the_one_after_it(outbox):
    outbox.note_fork(outbox.log_id)
    forked, second = outbox.log_id, outbox.next_log()
    outbox.note_fork(forked)

    assert outbox.next_log() == second


def test_former_logs_are_told_of_as_long_as_anything_is_held_of_them(outbox):
    fill(outbox, 2)
    assert outbox.former_extents() == []
    before = outbox.extent()
    outbox.note_fork(before.log_id)
    outbox.next_log()
    outbox.put(sealed(3), AFTERNOON)

    [former] = outbox.former_extents()
    assert former == before
    [held_back] = outbox.former_extents(hold=MORNING)
    assert (held_back.head.seq, held_back.depth) == (0, 0)
    outbox.settle(before.log_id, 1, [Recorded.ACCEPTED] * 2, MONDAY)
    assert outbox.former_extents()[0].settled_seq == 2
    outbox.purge(before=TUESDAY)
    assert outbox.former_extents() == []


# A day record


def test_a_day_record_takes_the_place_of_its_counters(outbox, state):
    state.count_session(MONDAY, ASSIGNMENT)
    state.count_session(TUESDAY, ASSIGNMENT)

    outbox.put_day(sealed(1), AFTERNOON, MONDAY, ASSIGNMENT)

    assert outbox.extent().head.seq == 1
    assert state.finished_days(today=WEDNESDAY) == [DayCount(TUESDAY, ASSIGNMENT, 0, 0, 1)]


def test_a_day_is_never_recorded_twice(outbox, state):
    state.count_session(MONDAY, ASSIGNMENT)

    outbox.put_day(sealed(1), AFTERNOON, MONDAY, ASSIGNMENT)
    outbox.put_day(sealed(2), AFTERNOON, MONDAY, ASSIGNMENT)  # sealed anew, so its bytes are others

    assert outbox.extent().head.seq == 1


def test_a_day_record_that_can_not_be_put_leaves_its_counters(outbox, state):
    state.count_session(MONDAY, ASSIGNMENT)

    with pytest.raises(Exception, match="CHECK constraint failed"):
        outbox.put_day(b"", AFTERNOON, MONDAY, ASSIGNMENT)

    assert outbox.extent().head.seq == 0
    assert state.finished_days(today=TUESDAY) == [DayCount(MONDAY, ASSIGNMENT, 0, 0, 1)]


# The next run


def test_a_run_has_at_most_so_many_records(outbox):
    fill(outbox, 5)

    assert seqs(next_run(outbox, limit=3)) == [1, 2, 3]


def test_a_run_has_at_most_so_many_bytes(outbox):
    fill(outbox, 5)

    assert seqs(next_run(outbox, max_length=360)) == [1, 2, 3]
    assert seqs(next_run(outbox, max_length=359)) == [1, 2]


def test_one_record_always_fits(outbox):
    fill(outbox, 2)

    assert seqs(next_run(outbox, max_length=1)) == [1]


def test_a_run_ends_where_a_record_does_not_wait(outbox):
    fill(outbox, 5)
    settle(outbox, 3, Recorded.ACCEPTED)

    assert seqs(next_run(outbox)) == [1, 2]
    settle(outbox, 1, Recorded.ACCEPTED, Recorded.REFUSED_KEY)
    run = next_run(outbox)
    assert seqs(run) == [4, 5]
    assert run.previous == links(first_link(outbox.log_id), 1, map(sealed, range(1, 6)))[2]


def test_all_that_waits_can_be_looked_through_run_by_run_and_log_by_log(outbox):
    fill(outbox, 5)
    settle(outbox, 3, Recorded.ACCEPTED)
    first, run, runs = outbox.log_id, None, []
    outbox.note_fork(first)
    second = outbox.next_log()
    fill(outbox, 1)
    while run := outbox.next_run(2, 10**6, None, after=run):
        runs.append((run.log_id, seqs(run)))
    assert runs == [(first, [1, 2]), (first, [4, 5]), (second, [1])]


def test_what_is_held_is_not_passed_by_looking_further(outbox):
    fill(outbox, 2)
    fill(outbox, 1, AFTERNOON)
    outbox.put(sealed(9), EVENING)
    run = next_run(outbox, hold=AFTERNOON)
    assert seqs(run) == [1, 2]
    assert outbox.next_run(500, 10**6, AFTERNOON, after=run) is None


def test_records_are_held_as_a_run_in_whatever_state_or_not_at_all(outbox):
    fill(outbox, 3)
    settle(outbox, 1, Recorded.ACCEPTED, Recorded.REFUSED_KEY)
    assert outbox.held_run(outbox.log_id, 1, 3) == Run(
        outbox.log_id, 1, first_link(outbox.log_id), (sealed(1), sealed(2), sealed(3))
    )
    outbox.purge(WEDNESDAY)
    assert outbox.held_run(outbox.log_id, 1, 3) is None
    assert seqs(outbox.held_run(outbox.log_id, 2, 2)) == [2, 3]
    assert outbox.held_run(outbox.log_id, 3, 2) is None
    assert outbox.held_run(bytes(16), 2, 2) is None


def test_records_of_the_half_day_that_is_not_over_are_held(outbox):
    outbox.put(sealed(1), MORNING)
    outbox.put(sealed(2), AFTERNOON)

    assert seqs(next_run(outbox, hold=AFTERNOON)) == [1]
    assert seqs(next_run(outbox, hold=EVENING)) == [1, 2]
    assert seqs(next_run(outbox, hold=None)) == [1, 2]


def test_nothing_overtakes_a_held_record(outbox):
    outbox.put(sealed(1), AFTERNOON)
    outbox.put(sealed(2), MORNING)  # somebody set the clock back

    assert next_run(outbox, hold=AFTERNOON) is None
    assert seqs(next_run(outbox, hold=MORNING)) == [1]


# Settling


def test_what_the_collector_holds_is_delivered_and_what_it_refused_is_quarantined(engine, outbox):
    fill(outbox, 5)
    settle(
        outbox,
        1,
        Recorded.ACCEPTED,
        Recorded.DUPLICATE,
        Recorded.REFUSED_LENGTH,
        Recorded.REFUSED_KEY,
    )

    with reading(engine) as connection:
        rows = connection.exec_driver_sql("SELECT seq, state, outcome, settled_day FROM record")
        assert [tuple(row) for row in rows] == [
            (1, "delivered", 0, "2026-03-16"),
            (2, "delivered", 1, "2026-03-16"),
            (3, "quarantined", 16, "2026-03-16"),
            (4, "quarantined", 18, "2026-03-16"),
            (5, "waiting", None, None),
        ]
    extent = outbox.extent()
    assert (extent.settled_seq, extent.depth, extent.oldest_held_seq) == (4, 1, 1)


def test_settling_twice_is_settling_once(outbox):
    fill(outbox, 2)
    settle(outbox, 1, Recorded.ACCEPTED, Recorded.ACCEPTED, day=MONDAY)
    settle(outbox, 1, Recorded.REFUSED_KEY, Recorded.REFUSED_KEY, day=WEDNESDAY)

    assert outbox.purge(before=TUESDAY) == 2


def test_an_older_receipt_does_not_lower_what_was_settled(outbox):
    fill(outbox, 3)
    settle(outbox, 2, Recorded.ACCEPTED, Recorded.ACCEPTED)
    settle(outbox, 1, Recorded.ACCEPTED)

    assert outbox.extent().settled_seq == 3


def test_a_receipt_for_a_log_that_is_not_here_settles_nothing(outbox):
    fill(outbox, 1)
    outbox.settle(bytes(16), 1, [Recorded.ACCEPTED], MONDAY)

    assert outbox.extent().depth == 1
    assert outbox.extent().settled_seq == 0


# Offering again


def test_delivered_and_quarantined_records_are_offered_again(outbox):
    fill(outbox, 4)
    settle(outbox, 1, Recorded.ACCEPTED, Recorded.REFUSED_KEY, Recorded.ACCEPTED)

    assert outbox.offer_again(outbox.log_id, 2, 4) == 2  # the fourth waits as it is
    assert seqs(next_run(outbox)) == [2, 3, 4]
    assert outbox.extent().settled_seq == 3


def test_what_was_purged_can_not_be_offered_again(outbox):
    fill(outbox, 2)
    settle(outbox, 1, Recorded.ACCEPTED)
    outbox.purge(before=TUESDAY)

    assert outbox.offer_again(outbox.log_id, 1, 2) == 0
    assert outbox.extent().oldest_held_seq == 2


def test_what_is_offered_again_is_not_purged_before_it_is_settled_again(outbox):
    fill(outbox, 1)
    settle(outbox, 1, Recorded.ACCEPTED, day=MONDAY)
    outbox.offer_again(outbox.log_id, 1, 1)

    assert outbox.purge(before=WEDNESDAY) == 0
    settle(outbox, 1, Recorded.DUPLICATE, day=TUESDAY)
    assert outbox.purge(before=TUESDAY) == 0
    assert outbox.purge(before=WEDNESDAY) == 1


# Purging


def test_only_what_was_delivered_long_ago_is_purged(outbox):
    fill(outbox, 4)
    settle(outbox, 1, Recorded.ACCEPTED, day=MONDAY)
    settle(outbox, 2, Recorded.ACCEPTED, day=TUESDAY)
    settle(outbox, 3, Recorded.REFUSED_KEY, day=MONDAY)

    assert outbox.purge(before=TUESDAY) == 1
    assert outbox.extent().oldest_held_seq == 2
    assert outbox.purge(before=date.max) == 1  # neither the quarantined nor the waiting one
    assert outbox.extent().oldest_held_seq == 3
    assert seqs(next_run(outbox)) == [4]


# The extent


def test_the_oldest_waiting_is_the_day_of_the_one_to_be_delivered_first(outbox):
    outbox.put(sealed(1), 2 * 10)
    outbox.put(sealed(2), 2 * 20 + 1)
    assert outbox.extent().oldest_waiting == date(1970, 1, 11)

    settle(outbox, 1, Recorded.ACCEPTED)
    assert outbox.extent().oldest_waiting == date(1970, 1, 21)


def test_two_outboxes_on_one_store_see_the_same(engine, outbox):
    fill(outbox, 3)

    assert Outbox(engine).extent() == outbox.extent()


def test_the_extent_tells_nothing_of_the_half_day_that_is_held_back(outbox):
    """A head that is told every hour would say in which hour each record was made."""
    outbox.put(b"due", 40)
    before = outbox.extent()
    outbox.put(b"held", 41)
    outbox.put(b"held too", 41)
    assert outbox.extent(hold=41) == before
    assert outbox.extent(hold=42) == outbox.extent() != before


def test_a_log_that_holds_only_what_is_held_back_looks_unused(outbox):
    unused = outbox.extent()
    outbox.put(b"held", 41)
    assert outbox.extent(hold=41) == unused
