"""Presence: a motion sensor notices that someone comes, and how long ago anyone was there."""

from collections.abc import Callable
from typing import Final

from gpiozero import DigitalInputDevice, Factory

QUIET_S: Final = 10.0
"""How long nobody was there, at least, before someone comes: one who stands still is still one."""

STUCK_S: Final = 24 * 3600.0


class Presence:
    """A sensor whose pin is high while something warm moves before it, such as a PIR.

    ``when_someone_comes`` is called on a thread of gpiozero's. ``clock`` gives seconds that only
    rise.
    """

    def __init__(
        self,
        pin: int,
        pins: Factory,
        *,
        clock: Callable[[], float],
        when_someone_comes: Callable[[], None],
    ) -> None:
        self._clock = clock
        self._when_someone_comes = when_someone_comes
        self._began_at = clock()
        self._left_at = self._began_at - QUIET_S
        self._sensor = DigitalInputDevice(pin, pull_up=False, pin_factory=pins)
        self._sensor.when_activated = self._begins
        self._sensor.when_deactivated = self._ends

    def alone_s(self) -> float:
        """How long nobody was there."""
        return 0.0 if self._sensor.is_active else self._clock() - self._left_at

    def trouble(self) -> str | None:
        """Stuck, if it says for a day on end that someone is there."""
        held = self._sensor.is_active and self._clock() - self._began_at >= STUCK_S
        return "stuck" if held else None

    def close(self) -> None:
        """Let go of the pin."""
        self._sensor.close()

    def _begins(self) -> None:
        now = self._clock()
        comes = now - self._left_at >= QUIET_S
        self._began_at = now
        if comes:
            self._when_someone_comes()

    def _ends(self) -> None:
        self._left_at = self._clock()
