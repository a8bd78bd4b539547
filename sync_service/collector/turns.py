"""Turns: how much is taken in at a time, and when those who find no place shall come again.

A fleet that lost its collector comes back all at once. A few messages at a time are taken in as
fast as many are, and each sooner; some more wait here for their turn, for whoever is sent away
costs as much when it comes again. The rest is told when to come, in a line that moves as fast as
messages have lately been taken in. So the line is as long as the collector is slow.
"""

import asyncio
import math
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from random import Random
from typing import Final

from sync_service.collector.error import BusyError

MAX_TURNS: Final = 32
"""How many messages are taken in at a time."""

MAX_WAITING: Final = 128
"""How many more may wait for a turn."""

LONGEST_WAIT_S: Final = 10.0
"""How long one may wait for a turn, in seconds. An agent waits longer for its reply."""

MAX_ARRIVING: Final = 128 * 1024 * 1024
"""How many bytes of bodies may be held at a time, of all that arrive and are taken in."""

LONGEST_LINE_S: Final = 1800.0
"""How long the line of those told to come again may get, in seconds."""

TURNS_EACH: Final = 2
"""How many turns a kiosk in that line will need: for its status, and for its batch."""

_JITTER: Final = 0.5  # a wait is longer by up to this part of it, by chance
_FIRST_TURN_S: Final = 0.1
_WEIGHT: Final = 1 / 16  # of the newest turn, in how long turns take


class Turns:
    """Gives turns. ``clock`` gives seconds that only rise."""

    def __init__(
        self,
        clock: Callable[[], float] = time.monotonic,
        *,
        max_arriving: int = MAX_ARRIVING,
        max_waiting: int = MAX_WAITING,
        longest_wait_s: float = LONGEST_WAIT_S,
    ) -> None:
        self._clock = clock
        self._max_arriving = max_arriving
        self._max_waiting = max_waiting
        self._longest_wait_s = longest_wait_s
        self._random = Random()
        self._free = asyncio.Semaphore(MAX_TURNS)
        self._waiting = 0
        self._arriving = 0
        self._turn_s = _FIRST_TURN_S
        self._line_ends_at = self._last_comes_at = clock()

    @asynccontextmanager
    async def turn(self) -> AsyncIterator[None]:
        """A turn to take a message in, in the order in which they were asked for.

        Raises:
            BusyError: too many wait, or none came in time.
        """
        await self._wait()
        began = self._clock()
        try:
            yield
        finally:
            self._free.release()
        # What was refused says nothing of how fast messages are taken in.
        self._turn_s += _WEIGHT * (self._clock() - began - self._turn_s)

    async def _wait(self) -> None:
        if self._waiting >= self._max_waiting:
            raise BusyError("too many wait for a turn")
        self._waiting += 1
        try:
            async with asyncio.timeout(self._longest_wait_s):
                await self._free.acquire()
        except TimeoutError:
            raise BusyError("no turn came in time") from None
        finally:
            self._waiting -= 1

    @contextmanager
    def arrival(self) -> Iterator[Callable[[int], None]]:
        """Gives what is told of each piece of a body, by its length, as it comes.

        It raises `BusyError` for a piece that there is no memory for. All that it was told of
        counts as held until the end of the block.
        """
        held = 0

        def hold(length: int) -> None:
            nonlocal held
            if self._arriving + length > self._max_arriving:
                raise BusyError("too much arrives at once")
            self._arriving += length
            held += length

        try:
            yield hold
        finally:
            self._arriving -= held

    @property
    def line_stands(self) -> bool:
        """Whether anybody who was told to come again is still to come."""
        return self._last_comes_at > self._clock()

    def retry_after_s(self) -> int:
        """When somebody who got no turn shall come again, in seconds: last in the line."""
        now = self._clock()
        in_line_s = max(self._line_ends_at - now, 0) + TURNS_EACH * self._turn_s / MAX_TURNS
        in_line_s = min(in_line_s, LONGEST_LINE_S)
        self._line_ends_at = now + in_line_s
        wait_s = math.ceil(in_line_s + self._random.uniform(1, 2 + _JITTER * in_line_s))
        self._last_comes_at = max(self._last_comes_at, now + wait_s)
        return wait_s
