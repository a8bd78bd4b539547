"""Turns: so many at a time, and a line for the rest that moves as fast as the collector does."""

import asyncio
from contextlib import AsyncExitStack
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sync_service.collector.error import BusyError
from sync_service.collector.turns import LONGEST_LINE_S, MAX_TURNS, TURNS_EACH, Turns


class Clock:
    """A clock that is set by hand."""

    def __init__(self):
        self.now = 1000.0

    def __call__(self):
        return self.now


@pytest.fixture
def clock():
    return Clock()


def serve(turns, clock, number, turn_s):
    """Let messages be taken in, one after another."""

    async def take():
        for _ in range(number):
            async with turns.turn():
                clock.now += turn_s

    asyncio.run(take())


async def take_all(turns):
    """Take every turn there is; what is given frees them."""
    taken = AsyncExitStack()
    for _ in range(MAX_TURNS):
        await taken.enter_async_context(turns.turn())
    return taken


def test_so_many_turns_are_given_at_a_time_and_who_waits_gets_one_in_order():
    turns = Turns(max_waiting=3)
    came = []

    async def come(name):
        async with turns.turn():
            came.append(name)

    async def story():
        taken = await take_all(turns)
        waiting = [asyncio.create_task(come(name)) for name in "abc"]
        await asyncio.sleep(0)
        with pytest.raises(BusyError):
            await come("one too many")
        assert came == []
        await taken.aclose()
        await asyncio.gather(*waiting)
        await come("later")

    asyncio.run(story())
    assert came == ["a", "b", "c", "later"]


def test_nobody_waits_for_a_turn_for_ever_and_who_gave_up_is_in_nobody_s_way():
    turns = Turns(max_waiting=1, longest_wait_s=0.01)

    async def story():
        taken = await take_all(turns)
        for _ in range(3):
            with pytest.raises(BusyError, match="in time"):
                await turns.turn().__aenter__()
        await taken.aclose()
        await (await take_all(turns)).aclose()

    asyncio.run(story())


def test_a_turn_is_free_again_however_it_ends():
    turns = Turns(max_waiting=1, longest_wait_s=0.01)

    async def story():
        for _ in range(2 * MAX_TURNS):
            with pytest.raises(ValueError, match="malformed"):
                async with turns.turn():
                    raise ValueError("malformed")

    asyncio.run(story())


def test_bodies_are_held_up_to_the_limit_and_let_go_at_the_end():
    turns = Turns(max_arriving=10)
    with turns.arrival() as hold, turns.arrival() as hold_other:
        hold(6)
        hold_other(4)
        with pytest.raises(BusyError):
            hold(1)
    with turns.arrival() as hold:
        hold(10)


@pytest.mark.parametrize("turn_s", [0.01, 0.5, 4])
def test_the_line_is_as_long_as_it_takes_to_serve_those_in_it(clock, turn_s):
    turns = Turns(clock)
    serve(turns, clock, 200, turn_s)
    in_line = 1000

    waits = [turns.retry_after_s() for _ in range(in_line)]

    serving_all_s = TURNS_EACH * in_line * turn_s / MAX_TURNS
    assert serving_all_s < max(waits) <= 1.5 * serving_all_s + 4
    # As many come in each stretch of time as can be served in it.
    early = sum(wait <= serving_all_s / 2 + 2 for wait in waits)
    assert early <= 0.6 * in_line + 4 * MAX_TURNS / turn_s


def test_the_line_moves_on(clock):
    turns = Turns(clock)
    serve(turns, clock, 200, 1)
    for _ in range(1000):
        turns.retry_after_s()
    assert turns.line_stands
    clock.now += 1000
    assert not turns.line_stands
    assert turns.retry_after_s() <= 4


def test_what_is_refused_does_not_make_the_line_look_quick(clock):
    turns = Turns(clock)
    serve(turns, clock, 200, 1)

    async def refuse():
        for _ in range(1000):
            with pytest.raises(BusyError):
                async with turns.turn():
                    raise BusyError("the database is away")

    asyncio.run(refuse())
    waits = [turns.retry_after_s() for _ in range(320)]
    assert max(waits) > 9


def test_those_who_were_turned_away_together_do_not_come_back_together(clock):
    turns = Turns(clock)
    serve(turns, clock, 200, 1)
    waits = [turns.retry_after_s() for _ in range(1000)]
    assert len(set(waits)) > 20
    assert any(later < earlier for earlier, later in pairwise(waits))


@given(st.lists(st.floats(0, 1e6), max_size=20), st.integers(1, 200))
def test_nobody_is_told_to_come_at_once_or_never(turns_s, refused):
    clock = Clock()
    turns = Turns(clock)
    for turn_s in turns_s:
        serve(turns, clock, 1, turn_s)
    for _ in range(refused):
        assert 1 <= turns.retry_after_s() <= 1.5 * LONGEST_LINE_S + 3
