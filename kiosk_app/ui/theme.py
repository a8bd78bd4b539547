"""The theme: colours, sizes of type, distances. The one place for them."""

from dataclasses import dataclass
from typing import Final, TypeAlias

Colour: TypeAlias = tuple[float, float, float, float]

FONT: Final = "Roboto"
PX_PER_MM: Final = 5.88
"""Pixels of a millimetre, on a panel of 10.1 inches with 1280 by 800 pixels."""

DRAWN_FOR: Final = 800
"""The height of the panel, in pixels, that sizes are given for."""


def _colour(digits: str) -> Colour:
    red, green, blue = bytes.fromhex(digits)
    return (red / 255, green / 255, blue / 255, 1.0)


PAPER: Final = _colour("f6f2ea")
INK: Final = _colour("1d2a33")
QUIET_INK: Final = _colour("4d5a63")
CARD: Final = _colour("ffffff")
EDGE: Final = _colour("6b7a83")
DEEP: Final = _colour("17495a")
DEEPER: Final = _colour("0c2d39")
ON_DEEP: Final = _colour("ffffff")
MARK: Final = _colour("c8791b")
FAINT: Final = _colour("b9c0c3")


@dataclass(frozen=True, slots=True)
class Theme:
    """Sizes for one panel. Called with a size on the panel it was drawn for, it gives pixels."""

    height: int
    px_per_mm: float = PX_PER_MM

    def __call__(self, size: float) -> float:
        """A size of the drawing, on this panel, in pixels."""
        return round(size * self.height / DRAWN_FOR)
