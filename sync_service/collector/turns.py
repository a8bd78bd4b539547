"""Turns: how much is taken in at a time, and when those who find no place shall come again.

A fleet that lost its collector comes back all at once. A few messages at a time are taken in as
fast as many are, and each sooner; the rest is told when to come, in a line that moves as fast as
messages have lately been taken in. So the line is as long as the collector is slow.
"""

import math
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from random import Random
from typing import Final

from sync_service.collector.error import BusyError

MAX_TURNS: Final = 32
"""How many messages are taken in at a time."""

MAX_ARRIVING: Final = 128 * 1024 * 1024
"""How many bytes of bodies may be held at a time, of all that arrive and are taken in."""

LONGEST_LINE_S: Final = 300.0
"""How long the line of those told to come again may get, in seconds."""

_JITTER: Final = 0.5  # a wait is longer by up to this part of it, by chance
_FIRST_TURN_S: Final = 0.1
_WEIGHT: Final = 1 / 16  # of the newest turn, in how long turns take


class Turns:
    """Gives turns. ``clock`` gives seconds that only rise."""

    def __init__(
        self,
        clock: Callable[[], float] = time.monotonic,
        max_arriving: int = MAX_ARRIVING,
    ) -> None:
        self._clock = clock
        self._max_arriving = max_arriving
        self._random = Random()
        self._taken = 0
        self._arriving = 0
        self._turn_s = _FIRST_TURN_S
        self._line_ends_at = self._last_comes_at = clock()

    @contextmanager
    def turn(self) -> Iterator[None]:
        """A turn to take a message in.

        Raises:
            BusyError: all are taken.
        """
        if self._taken >= MAX_TURNS:
            raise BusyError("all turns are taken")
        self._taken += 1
        began = self._clock()
        try:
            yield
        finally:
            self._taken -= 1
        # What was refused says nothing of how fast messages are taken in.
        self._turn_s += _WEIGHT * (self._clock() - began - self._turn_s)

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
        in_line_s = max(self._line_ends_at - now, 0) + self._turn_s / MAX_TURNS
        in_line_s = min(in_line_s, LONGEST_LINE_S)
        self._line_ends_at = now + in_line_s
        wait_s = math.ceil(in_line_s + self._random.uniform(1, 2 + _JITTER * in_line_s))
        self._last_comes_at = max(self._last_comes_at, now + wait_s)
        return wait_s
