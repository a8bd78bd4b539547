"""Parts: what a board is made of."""

from typing import Protocol


class Part(Protocol):
    """Something bolted to the kiosk. It may fail in any of its doings, by whatever it comes to."""

    def trouble(self) -> str | None:
        """What is wrong with it, in a word that goes with its name, as in button-2 *stuck*."""

    def close(self) -> None:
        """Let go of it. What is closed already stays so."""
