"""When records can have been made: what each kind of evidence says, and no more than that."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sync_service.collector.half_days import Dated, first_half, half_day_at, resolve, start_of
from sync_service.contract.record import ClockEvidence, Moment, half_day_of

HOUR_S = 3600
ASSIGNED_AT = int(datetime(2026, 3, 2, 9, tzinfo=UTC).timestamp())
ARRIVED_AT = int(datetime(2026, 3, 14, 15, tzinfo=UTC).timestamp())
ASSIGNED, ARRIVED = (half_day_of(datetime(2026, 3, day, hour)) for day, hour in ((2, 9), (14, 15)))


def sure(half_day):
    return Dated(Moment(half_day), ASSIGNED_AT, ARRIVED_AT, "Europe/London")


def unsure(uptime_h, boot=b"boot", arrived_at=ARRIVED_AT):
    moment = Moment(7, ClockEvidence(boot, uptime_h))
    return Dated(moment, ASSIGNED_AT, arrived_at, "Europe/London")


def day(moment):
    return replace(unsure(0), moment=moment, sums_up=True)


def test_a_sure_clock_is_one_half_day_and_bounds_what_is_before_and_behind_it():
    spans = resolve([unsure(3, b"a"), sure(ASSIGNED + 4), unsure(0, b"b")], None)
    assert spans == [
        (ASSIGNED, ASSIGNED + 4),
        (ASSIGNED + 4, ASSIGNED + 4),
        (ASSIGNED + 4, ARRIVED),
    ]


def test_records_of_one_boot_are_as_far_apart_as_their_uptimes():
    """They are 99 hours apart, less what clocks drift, and neither came before it was made."""
    first, last = resolve([unsure(20), unsure(120)], None)
    assert first == (ASSIGNED, half_day_at(ARRIVED_AT - 99 * HOUR_S, "UTC"))
    assert last == (half_day_at(ASSIGNED_AT + 98 * HOUR_S, "UTC"), ARRIVED)


def test_a_boot_begins_after_all_that_stands_before_it():
    first, second = resolve([unsure(60, b"a"), unsure(2, b"b")], ASSIGNED + 6)
    assert first[0] == ASSIGNED + 6
    assert second[0] == first[0]
    assert first[1] <= second[1] == ARRIVED


def test_one_sure_record_says_when_its_neighbours_of_a_boot_were_made():
    spans = resolve([unsure(10), unsure(30), sure(ASSIGNED + 6), unsure(31)], None)
    assert spans[1] == (ASSIGNED + 5, ASSIGNED + 6)
    assert spans[3] == (ASSIGNED + 6, ASSIGNED + 7)
    assert spans[0] == (ASSIGNED + 4, ASSIGNED + 5)


@pytest.mark.parametrize("clock", [0, ASSIGNED - 1, ARRIVED + 1, 2**20])
def test_an_absurd_time_is_kept_and_not_believed(clock):
    assert resolve([sure(clock)], None) == [(ASSIGNED, ARRIVED)]


def test_a_day_record_without_a_clock_is_from_its_assignment_to_its_arrival():
    """It is written when its day is over, and nobody knows how long ago that was."""
    record = day(Moment(7, ClockEvidence(b"boot", 400)))
    spans = resolve([sure(ASSIGNED + 9), record], None)
    assert spans[1] == (ASSIGNED, ARRIVED)


def test_when_a_day_record_was_written_bounds_its_boot():
    """It was written 200 hours after the boot began, before it arrived."""
    record = day(Moment(7, ClockEvidence(b"boot", 200)))
    first, _ = resolve([unsure(0), record], None)
    assert first[1] == half_day_at(ARRIVED_AT - 199 * HOUR_S, "UTC")


def test_a_day_record_with_a_sure_clock_bounds_what_stands_behind_it_only():
    before, _, behind = resolve([unsure(0, b"a"), day(Moment(ASSIGNED + 3)), unsure(0, b"b")], None)
    assert before == (ASSIGNED, ARRIVED)
    assert behind == (first_half(ASSIGNED + 3), ARRIVED)


def test_clocks_that_contradict_each_other_leave_all_that_is_possible():
    assert resolve([unsure(0), unsure(400)], None)[1] == (ASSIGNED, ARRIVED)


def test_what_arrived_before_it_was_assigned_is_of_its_arrival():
    record = replace(sure(ASSIGNED), arrived_at=5)
    assert resolve([record], None) == [(0, 0)]


def test_half_days_are_those_of_the_site_when_its_clocks_change():
    last_sunday = datetime(2026, 3, 29, tzinfo=UTC)
    noon = half_day_of(datetime(2026, 3, 29, 12))
    assert start_of(noon, "Europe/London") == (last_sunday + timedelta(hours=11)).timestamp()
    assert start_of(noon, "UTC") == (last_sunday + timedelta(hours=12)).timestamp()
    assert half_day_at(int(last_sunday.timestamp()) + 11 * HOUR_S, "Europe/London") == noon


@given(
    st.lists(
        st.one_of(
            st.builds(sure, st.integers(0, 2**21)),
            st.builds(
                unsure,
                st.integers(0, 2**20),
                st.sampled_from([b"a", b"b"]),
                st.integers(0, 2 * ARRIVED_AT),
            ),
            st.builds(day, st.builds(Moment, st.integers(0, 2**21))),
        ),
        max_size=12,
    ),
    st.none() | st.integers(0, 2 * ARRIVED),
)
def test_whatever_a_kiosk_says_there_is_an_answer_within_what_is_possible(records, since):
    for record, (earliest, latest) in zip(records, resolve(records, since), strict=True):
        assert record.widest[0] <= earliest <= latest <= record.widest[1]
