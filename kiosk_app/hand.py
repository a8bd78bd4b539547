"""The hand at the screen: tells a tap from a palm, a wipe and a bounce. Pure, in millimetres.

One contact at a time can become a tap: the first. What the others do, it only matters how many
they are.
"""

from math import dist
from typing import Final, TypeAlias

Place: TypeAlias = tuple[float, float]
"""Millimetres from the left and from the bottom of the panel."""

TREMOR_MM: Final = 10.0
"""How far beside a button a finger may be lifted that was put down on it."""

SAME_PLACE_MM: Final = 10.0
_WIPE_MM: Final = 60.0
"""How much further than straight a hand goes that wipes, not counting how it trembles."""

_REST_S: Final = 4.0
_PALM: Final = 3


class Hand:
    """What the contacts on the panel amount to.

    `down`, `move` and `lift` are told of the first contact; they say whether it can still become
    a tap, or is one. ``repeat_s``: how soon a second tap on the same place is taken for a bounce.
    """

    def __init__(self, repeat_s: float) -> None:
        self._repeat_s = repeat_s
        self._contacts = 0
        self._start: Place = (0.0, 0.0)
        self._at: Place = (0.0, 0.0)
        self._path_mm = 0.0
        self._down_at = 0.0
        self._last_tap: tuple[Place, float] | None = None
        self._can_tap = False
        self._disturbed = False

    def count(self, contacts: int) -> None:
        """So many contacts are on the panel now, where it can tell."""
        self._contacts = contacts
        self._can_tap = self._can_tap and not self._is_palm

    def down(self, at: Place, now: float, *, repeats: bool = False) -> bool:
        """The first contact begins. ``repeats``: the same place may be tapped again quickly."""
        self._start = self._at = at
        self._down_at, self._path_mm = now, 0.0
        self._can_tap = not self._is_palm and (repeats or not self._is_bounce(at, now))
        return self._can_tap

    def move(self, at: Place) -> bool:
        """The first contact moves."""
        if dist(self._at, at) >= TREMOR_MM:
            self._path_mm += dist(self._at, at)
            self._at = at
        if self._path_mm - dist(self._start, self._at) > _WIPE_MM:
            self._disturb()
        return self._can_tap

    def lift(self, at: Place, now: float) -> bool:
        """The first contact ends."""
        self.move(at)
        if now - self._down_at > _REST_S:
            self._disturb()
        if self._can_tap:
            self._last_tap = (at, now)
        return self._can_tap

    def take_disturbance(self) -> bool:
        """Whether anything but a tap went on since this was last asked."""
        disturbed, self._disturbed = self._disturbed or self._is_palm, False
        return disturbed

    @property
    def _is_palm(self) -> bool:
        return self._contacts >= _PALM

    def _is_bounce(self, at: Place, now: float) -> bool:
        if self._last_tap is None:
            return False
        before, when = self._last_tap
        return now - when < self._repeat_s and dist(before, at) <= SAME_PLACE_MM

    def _disturb(self) -> None:
        self._can_tap = False
        self._disturbed = True
