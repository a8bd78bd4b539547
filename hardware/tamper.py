"""The tamper switch: tells that the case is open, or was."""

from gpiozero import DigitalInputDevice, Factory


class Tamper:
    """A switch between its pin and ground, closed while the case is shut. Cut its wire: it is open.

    That the case was open is told until the part is opened anew, which is when the kiosk starts:
    whoever is to hear of it may not be reached while it is.
    """

    def __init__(self, pin: int, pins: Factory) -> None:
        self._was_open = False
        self._switch = DigitalInputDevice(pin, pull_up=True, pin_factory=pins)
        self._switch.when_deactivated = self._opens

    def trouble(self) -> str | None:
        """Open, or was open."""
        if not self._switch.is_active:
            self._was_open = True
            return "open"
        return "was-open" if self._was_open else None

    def close(self) -> None:
        """Let go of the pin."""
        self._switch.close()

    def _opens(self) -> None:
        self._was_open = True
