from collections import Counter
from datetime import date

from hypothesis import given
from hypothesis import strategies as st

from sync_service.collector.insight.blocks import LEAST, Arrival, Tally, gather
from sync_service.collector.insight.period import Month, Quarter, releases

QUARTER = Quarter(2026, 3)
JULY, AUGUST, SEPTEMBER = QUARTER.months
RELEASES = releases(QUARTER.start, date(2027, 3, 8))
IN_AUGUST, IN_SEPTEMBER, IN_OCTOBER = RELEASES[1:4]


def arrival(period: Month | Quarter, release: date, n: int, of_them: int = 0) -> Arrival:
    return Arrival(period, release, Tally(n, of_them))


@st.composite
def arrivals(draw: st.DrawFn) -> list[Arrival]:
    quarters = [QUARTER, QUARTER.after(1)]
    periods = [part for quarter in quarters for part in quarter.parts]
    found = []
    for _ in range(draw(st.integers(0, 12))):
        n = draw(st.integers(1, 14))
        period = draw(st.sampled_from(periods))
        later = [release for release in RELEASES if release > period.start]
        found.append(arrival(period, draw(st.sampled_from(later)), n, draw(st.integers(0, n))))
    return found


@given(arrivals())
def test_no_block_is_of_fewer_than_ten(came: list[Arrival]) -> None:
    for release in RELEASES:
        for blocks in gather(came, release).values():
            assert all(block.n >= LEAST for block in blocks)


@given(arrivals())
def test_a_block_once_shown_is_never_divided(came: list[Arrival]) -> None:
    before = gather(came, RELEASES[0])
    for release in RELEASES[1:]:
        after = gather(came, release)
        for period, blocks in before.items():
            assert Counter(blocks) <= Counter(after[period])
        before = after


@given(arrivals())
def test_a_quarter_is_made_of_its_months_blocks_and_of_its_own(came: list[Arrival]) -> None:
    for release in RELEASES:
        found = gather(came, release)
        for quarter in (QUARTER, QUARTER.after(1)):
            if quarter.end <= release:
                of_months = Counter(
                    block for month in quarter.months for block in found.get(month, ())
                )
                assert of_months <= Counter(found.get(quarter, ()))


@given(arrivals())
def test_no_period_is_shown_before_it_is_over(came: list[Arrival]) -> None:
    for release in RELEASES:
        assert all(period.end <= release for period in gather(came, release))


@given(arrivals())
def test_fewer_than_ten_of_a_quarter_that_is_over_are_left_out(came: list[Arrival]) -> None:
    for release in RELEASES:
        found = gather(came, release)
        for quarter in (QUARTER, QUARTER.after(1)):
            if quarter.end <= release:
                all_of_it = sum(
                    each.tally.n
                    for each in came
                    if each.release <= release and each.period in quarter.parts
                )
                assert 0 <= all_of_it - sum(block.n for block in found.get(quarter, ())) < LEAST


def test_nine_wait_and_one_more_frees_them() -> None:
    came = [arrival(JULY, IN_AUGUST, 9, 5)]
    assert not gather(came, IN_AUGUST)
    came.append(arrival(JULY, IN_SEPTEMBER, 1, 1))
    assert gather(came, IN_SEPTEMBER) == {JULY: [Tally(10, 6)]}


def test_a_late_record_is_not_seen_by_itself() -> None:
    came = [arrival(JULY, IN_AUGUST, 30, 20), arrival(JULY, IN_SEPTEMBER, 1, 1)]
    assert gather(came, IN_SEPTEMBER)[JULY] == [Tally(30, 20)]
    came.append(arrival(JULY, IN_OCTOBER, 9, 2))
    assert gather(came, IN_OCTOBER)[JULY] == [Tally(30, 20), Tally(10, 3)]


def test_months_too_small_to_show_make_a_quarter_together() -> None:
    came = [
        arrival(JULY, IN_AUGUST, 6, 6),
        arrival(AUGUST, IN_SEPTEMBER, 7, 5),
        arrival(SEPTEMBER, IN_OCTOBER, 8, 4),
    ]
    assert gather(came, IN_OCTOBER) == {QUARTER: [Tally(21, 15)]}


def test_a_quarter_does_not_give_its_one_hidden_month_away() -> None:
    came = [
        arrival(JULY, IN_OCTOBER, 6, 6),
        arrival(AUGUST, IN_OCTOBER, 40, 20),
        arrival(SEPTEMBER, IN_OCTOBER, 50, 25),
    ]
    found = gather(came, IN_OCTOBER)
    assert JULY not in found
    assert sum(found[QUARTER], Tally()) == Tally(90, 45)


def test_what_straddles_two_months_counts_in_their_quarter_only() -> None:
    came = [arrival(QUARTER, IN_OCTOBER, 10, 4), arrival(AUGUST, IN_OCTOBER, 10, 9)]
    found = gather(came, IN_OCTOBER)
    assert found[AUGUST] == [Tally(10, 9)]
    assert Counter(found[QUARTER]) == Counter([Tally(10, 4), Tally(10, 9)])
