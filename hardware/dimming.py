"""Dimming: how bright the screen shall be. Pure."""

from dataclasses import dataclass
from datetime import time


@dataclass(frozen=True, slots=True, kw_only=True)
class Dimming:
    """How bright the screen is, in percent: when someone is there, when nobody is, and at night.

    Nobody is there once nobody was seen and nothing was touched for ``after_s``. At night the
    screen is darker still while nobody is there; where its begin equals its end, there is none.
    """

    after_s: float = 120.0
    bright_percent: int = 100
    dim_percent: int = 40
    night_percent: int = 5
    night_begins: time = time(0)
    night_ends: time = time(0)

    def percent(self, *, alone_s: float, sees: bool, at: time | None) -> int:
        """How bright to be when nobody was there for so long.

        ``sees``: someone who comes is noticed before they touch. Where nobody is, a screen that
        would not wake stays bright by day, or nobody would come. ``at`` is the time of day, if it
        is known.
        """
        if alone_s < self.after_s:
            return self.bright_percent
        if at is not None and self._is_night(at):
            return self.night_percent
        return self.dim_percent if sees else self.bright_percent

    def _is_night(self, at: time) -> bool:
        if self.night_begins <= self.night_ends:
            return self.night_begins <= at < self.night_ends
        return at >= self.night_begins or at < self.night_ends
