from math import comb

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sync_service.collector.insight.blocks import Tally
from sync_service.collector.insight.figure import Share
from sync_service.collector.insight.interval import interval


@pytest.mark.parametrize(
    ("of_them", "n", "low", "high"),
    [
        # Newcombe (1998), Statistics in Medicine 17, 857-872, table I, the score method.
        (81, 263, 0.2553, 0.3662),
        (15, 148, 0.0624, 0.1605),
        (0, 20, 0.0, 0.1611),
        (1, 29, 0.0061, 0.1718),
    ],
)
def test_without_rounding_it_is_wilsons_interval(
    of_them: int, n: int, low: float, high: float
) -> None:
    assert interval(n, of_them) == pytest.approx((low, high), abs=5e-5)


@given(st.integers(1, 400), st.data())
def test_it_holds_the_share_and_stays_within_0_and_1(n: int, data: st.DataObject) -> None:
    of_them = data.draw(st.integers(0, n))
    low, high = interval(n, of_them)
    assert 0 <= low <= of_them / n + 1e-12
    assert of_them / n - 1e-12 <= high <= 1


@given(st.integers(1, 8), st.data())
def test_rounding_only_ever_widens_it(roundings: int, data: st.DataObject) -> None:
    n = 5 * data.draw(st.integers(2 * roundings, 200))
    of_them = 5 * data.draw(st.integers(0, n // 5))
    low, high = interval(n, of_them)
    wider_low, wider_high = interval(n, of_them, roundings)
    assert 0 <= wider_low <= low
    assert high <= wider_high <= 1


@pytest.mark.parametrize("sizes", [range(10, 13), range(13, 30), range(60, 70), range(150, 160)])
def test_from_rounded_counts_it_holds_the_truth_in_about_95_of_100_cases(sizes: range) -> None:
    shares = [number / 40 for number in range(1, 40)]
    held = [_held(n, share) for n in sizes for share in shares]
    assert sum(held) / len(held) >= 0.945  # Wilson's own mean comes as near to it


def _held(n: int, true_share: float) -> float:
    """How likely the interval, reckoned as for a figure, holds the true share."""
    likely = 0.0
    for of_them in range(n + 1):
        shown = Share.of([Tally(n, of_them)])
        if shown.low <= true_share <= shown.high:
            likely += comb(n, of_them) * true_share**of_them * (1 - true_share) ** (n - of_them)
    return likely
