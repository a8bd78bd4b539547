from contextlib import suppress
from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sync_service.collector.insight.period import (
    Month,
    Quarter,
    last_release,
    last_shown,
    read_period,
    releases,
)

days = st.dates(date(1990, 1, 1), date(2090, 1, 1))


@given(days)
def test_a_day_lies_in_its_month_and_its_month_in_its_quarter(day: date) -> None:
    month = Month.of(day)
    assert month.start <= day < month.end
    assert month in month.quarter.months
    assert month.quarter.start <= month.start
    assert month.end <= month.quarter.end
    assert sum(part.days for part in month.quarter.months) == month.quarter.days


@given(days, st.integers(-100, 100))
def test_so_many_months_later_and_as_many_earlier_is_the_same_month(day: date, months: int) -> None:
    month = Month.of(day)
    assert month.after(months).after(-months) == month
    assert month.after(1).start == month.end
    assert month.quarter.after(months).after(-months) == month.quarter


def test_periods_have_codes_and_names() -> None:
    assert (Month(2026, 10).code, Month(2026, 10).name) == ("2026-10", "October 2026")
    assert Quarter(2026, 4).code == "2026-Q4"
    assert Quarter(2026, 4).name == "October to December 2026"


@given(days)
def test_a_code_reads_back_as_its_period(day: date) -> None:
    month = Month.of(day)
    assert read_period(month.code) == month
    assert read_period(month.quarter.code) == month.quarter


@pytest.mark.parametrize(
    "code", ["", "2026", "2026-0", "2026-00", "2026-13", "2026-Q0", "2026-Q5", "2026-1", "0026-01"]
)
def test_what_is_no_code_is_refused(code: str) -> None:
    with pytest.raises(ValueError, match="is no period"):
        read_period(code)


@given(st.text())
def test_any_text_is_a_period_or_refused(code: str) -> None:
    with suppress(ValueError):
        assert read_period(code).code == code


def test_a_month_is_shown_from_the_eighth_of_the_next() -> None:
    assert last_shown(last_release(date(2026, 11, 7))) == Month(2026, 9)
    assert last_shown(last_release(date(2026, 11, 8))) == Month(2026, 10)
    assert last_shown(last_release(date(2027, 1, 7))) == Month(2026, 11)


@given(days)
def test_what_is_shown_changes_on_one_day_of_the_month_only(day: date) -> None:
    release = last_release(day)
    assert release <= day < release + timedelta(days=31)
    assert release.day == 8
    assert last_shown(release).end <= release


@given(days, days)
def test_releases_are_all_that_come_after_the_start(start: date, day: date) -> None:
    last = last_release(day)
    found = releases(start, last)
    month = Month.of(start)
    expected = []
    while month.start.replace(day=8) <= last:
        if month.start.replace(day=8) > start:
            expected.append(month.start.replace(day=8))
        month = month.after(1)
    assert list(found) == expected
