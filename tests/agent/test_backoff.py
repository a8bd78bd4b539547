"""Backoff: never too soon for a fleet, never too late for a kiosk."""

from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sync_service.agent.backoff import FIRST_S, MAX_RETRY_AFTER_S, Backoff

caps = st.floats(1, 24 * 3600)


@given(seed=st.integers(), cap_s=caps, failures=st.integers(1, 60))
def test_a_wait_is_never_longer_than_its_doubling_bound_or_the_cap(seed, cap_s, failures):
    backoff = Backoff(Random(seed), cap_s)
    waits = [backoff.next_s() for _ in range(failures)]
    for number, wait_s in enumerate(waits):
        assert 0 <= wait_s <= min(cap_s, FIRST_S * 2**number)


@given(seed=st.integers(), cap_s=caps, failures=st.integers(1, 60))
def test_a_success_begins_again_from_the_shortest(seed, cap_s, failures):
    backoff = Backoff(Random(seed), cap_s)
    for _ in range(failures):
        backoff.next_s()
    backoff.reset()
    assert backoff.next_s() <= FIRST_S


@given(seed=st.integers(), cap_s=caps)
def test_two_kiosks_that_failed_together_do_not_come_back_together(seed, cap_s):
    first, second = Backoff(Random(seed), cap_s), Backoff(Random(seed + 1), cap_s)
    assert [first.next_s() for _ in range(8)] != [second.next_s() for _ in range(8)]


@given(seed=st.integers(), cap_s=caps)
def test_what_another_try_will_hardly_mend_is_tried_near_the_cap(seed, cap_s):
    assert cap_s / 2 <= Backoff(Random(seed), cap_s).last_s() <= cap_s


@pytest.mark.parametrize(
    ("asked_s", "waited_s"),
    [(0, 1), (1, 1), (30, 30), (MAX_RETRY_AFTER_S, MAX_RETRY_AFTER_S), (10**9, MAX_RETRY_AFTER_S)],
)
def test_who_asks_for_silence_gets_it_but_for_a_day_at_most(asked_s, waited_s):
    assert Backoff(Random(1), cap_s=10).next_s(asked_s) == waited_s
