"""Buttons: each answers once for a press, however its contact bounces."""

from collections.abc import Callable
from typing import Final

from gpiozero import DigitalInputDevice, Factory

BOUNCE_S: Final = 0.05
"""How long a contact is open at least between two presses."""

STUCK_S: Final = 30.0
"""How long nobody presses a button."""

_GLITCH_S: Final = 0.005


class Button:
    """A button between its pin and ground; the chip's own resistor pulls the pin up.

    ``when_pressed`` is called as the contact closes, on a thread of gpiozero's. ``clock`` gives
    seconds that only rise.
    """

    def __init__(
        self,
        pin: int,
        pins: Factory,
        *,
        clock: Callable[[], float],
        when_pressed: Callable[[], None],
    ) -> None:
        self._clock = clock
        self._when_pressed = when_pressed
        self._changed_at = clock()
        # What is shorter than a glitch is none of a finger's; where the library can, it drops it.
        self._contact = DigitalInputDevice(
            pin, pull_up=True, bounce_time=_GLITCH_S, pin_factory=pins
        )
        self._contact.when_activated = self._closes
        self._contact.when_deactivated = self._opens

    def trouble(self) -> str | None:
        """Stuck, while it is held for longer than anybody presses."""
        held = self._contact.is_active and self._clock() - self._changed_at >= STUCK_S
        return "stuck" if held else None

    def close(self) -> None:
        """Let go of the pin."""
        self._contact.close()

    def _closes(self) -> None:
        now = self._clock()
        pressed = now - self._changed_at >= BOUNCE_S
        self._changed_at = now
        if pressed:
            self._when_pressed()

    def _opens(self) -> None:
        self._changed_at = self._clock()
