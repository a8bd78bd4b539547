"""Panels: how large the screen really is, and from how far it is read."""

import math
from dataclasses import dataclass
from typing import Final

from kiosk_app.error import UnknownPanelError

_MM_PER_INCH: Final = 25.4
_LEAST_CAPITAL_DEGREES: Final = 0.7
TARGET_MM: Final = 20.0
"""The least width and height of what is touched."""


@dataclass(frozen=True, slots=True)
class Panel:
    """One screen: its pixels, which are square, its diagonal, and how far off its reader stands."""

    name: str
    width_px: int
    height_px: int
    diagonal_in: float
    viewing_mm: float = 500.0

    @property
    def px_per_mm(self) -> float:
        """How many pixels are a millimetre."""
        return math.hypot(self.width_px, self.height_px) / (self.diagonal_in * _MM_PER_INCH)

    def px(self, mm: float) -> int:
        """Millimetres in whole pixels, and no less than asked."""
        return math.ceil(mm * self.px_per_mm)

    @property
    def upright(self) -> bool:
        """Whether it is higher than wide."""
        return self.height_px > self.width_px

    @property
    def short_mm(self) -> float:
        """Its shorter side, in millimetres."""
        return min(self.width_px, self.height_px) / self.px_per_mm

    @property
    def target_px(self) -> int:
        """The least width and height of what is touched: 20 mm."""
        return self.px(TARGET_MM)

    @property
    def capital_px(self) -> float:
        """The least height of a capital: 0.7 degrees, seen from where the reader stands."""
        half_angle = math.radians(_LEAST_CAPITAL_DEGREES) / 2
        return 2 * self.viewing_mm * math.tan(half_angle) * self.px_per_mm


PANELS: Final = {
    panel.name: panel
    for panel in (
        Panel("7-800x480", 800, 480, 7.0, viewing_mm=300.0),
        Panel("10.1-1024x600", 1024, 600, 10.1),
        Panel("10.1-1280x800", 1280, 800, 10.1),
        Panel("15.6-1920x1080", 1920, 1080, 15.6),
        Panel("10.1-800x1280", 800, 1280, 10.1),
        Panel("21.5-1080x1920", 1080, 1920, 21.5),
    )
}
"""The panels that have a name."""

DEFAULT_PANEL: Final = "10.1-1280x800"


def panel_of(width_px: int, height_px: int) -> Panel:
    """What a screen with so many pixels most likely is; of one that has no name, nobody knows the
    diagonal, so it is taken to be that of most kiosks.
    """
    for panel in PANELS.values():
        if (panel.width_px, panel.height_px) == (width_px, height_px):
            return panel
    diagonal_in = PANELS[DEFAULT_PANEL].diagonal_in
    return Panel(f"{diagonal_in:g}-{width_px}x{height_px}", width_px, height_px, diagonal_in)


def named_panel(name: str) -> Panel:
    """The panel of a name.

    Raises:
        UnknownPanelError: no panel has it.
    """
    try:
        return PANELS[name]
    except KeyError:
        raise UnknownPanelError(
            f"no panel is called {name}; there are {', '.join(PANELS)}"
        ) from None
