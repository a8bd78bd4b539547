import pytest
from hypothesis import given
from hypothesis import strategies as st

from sync_service.collector.pages.lockout import FIRST_DELAY_S, FREE_TRIES, LONGEST_DELAY_S, Lockout

HERE = "192.0.2.7"


class Clock:
    """A clock that is set by hand."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def lockout(clock: Clock) -> Lockout:
    return Lockout(clock)


def fail(lockout: Lockout, times: int, name: str = "Jago", address: str = HERE) -> None:
    for _ in range(times):
        lockout.tried(name, address)


def test_the_first_failures_cost_nothing(lockout: Lockout) -> None:
    fail(lockout, FREE_TRIES - 1)
    assert lockout.delay_s("Jago", HERE) <= 0


def test_the_delay_doubles_up_to_the_longest(lockout: Lockout, clock: Clock) -> None:
    fail(lockout, FREE_TRIES)
    delays = []
    for _ in range(9):
        delays.append(lockout.delay_s("Jago", HERE))
        clock.now += delays[-1]
        assert lockout.delay_s("Jago", HERE) == 0
        fail(lockout, 1)
    assert delays[:3] == [FIRST_DELAY_S, 2 * FIRST_DELAY_S, 4 * FIRST_DELAY_S]
    assert delays[-1] == LONGEST_DELAY_S


def test_a_name_is_locked_from_every_address(lockout: Lockout) -> None:
    for number in range(FREE_TRIES):
        lockout.tried("Jago", f"192.0.2.{number}")
    assert lockout.delay_s("Jago", "198.51.100.1") == FIRST_DELAY_S
    assert lockout.delay_s("Morwenna", "198.51.100.1") == 0


def test_an_address_is_locked_for_every_name(lockout: Lockout) -> None:
    for number in range(FREE_TRIES):
        lockout.tried(f"name {number}", HERE)
    assert lockout.delay_s("Morwenna", HERE) == FIRST_DELAY_S
    assert lockout.delay_s("Morwenna", "198.51.100.1") == 0


@pytest.mark.parametrize("other", ["2001:db8::ffff", "2001:db8:0:0:1:2:3:4"])
def test_neighbours_in_one_ipv6_network_are_one_address(lockout: Lockout, other: str) -> None:
    for number in range(FREE_TRIES):
        lockout.tried(f"name {number}", "2001:db8::1")
    assert lockout.delay_s("Morwenna", other) == FIRST_DELAY_S
    assert lockout.delay_s("Morwenna", "2001:db8:0:1::1") == 0


def test_an_ipv4_address_is_the_same_when_it_comes_by_ipv6(lockout: Lockout) -> None:
    for number in range(FREE_TRIES):
        lockout.tried(f"name {number}", f"::ffff:{HERE}")
    assert lockout.delay_s("Morwenna", HERE) == FIRST_DELAY_S


def test_a_right_try_clears_the_slate(lockout: Lockout) -> None:
    fail(lockout, FREE_TRIES - 1)
    lockout.succeeded("Jago", HERE)
    fail(lockout, FREE_TRIES - 1)
    assert lockout.delay_s("Jago", HERE) <= 0


@given(st.lists(st.tuples(st.text(max_size=4), st.text(max_size=4)), max_size=30))
def test_whoever_tries_often_enough_waits(tries: list[tuple[str, str]]) -> None:
    lockout = Lockout(Clock())
    for name, address in tries:
        lockout.tried(name, address)
    for name, address in tries:
        often = max(
            sum(name == other for other, _ in tries), sum(address == other for _, other in tries)
        )
        assert (lockout.delay_s(name, address) > 0) == (often >= FREE_TRIES)


def test_what_is_remembered_is_bounded() -> None:
    lockout = Lockout(Clock())
    fail(lockout, FREE_TRIES)
    for number in range(10_001):
        lockout.tried(str(number), str(number))
    assert lockout.delay_s("Jago", HERE) == 0
