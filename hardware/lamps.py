"""Lamps: lit where a button would answer."""

from gpiozero import LED, Factory


class Lamp:
    """A lamp that is lit while its pin is high. It begins dark."""

    def __init__(self, pin: int, pins: Factory) -> None:
        self._light = LED(pin, pin_factory=pins)

    def show(self, lit: bool) -> None:
        """Light it, or not."""
        self._light.value = lit

    def trouble(self) -> str | None:
        """Nothing that a lamp could tell, if its pin can be read."""
        _ = self._light.value
        return None

    def close(self) -> None:
        """Let it go dark."""
        if not self._light.closed:
            self._light.off()
        self._light.close()
