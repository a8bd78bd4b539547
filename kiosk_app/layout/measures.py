"""Measures of a page: sizes of type and distances, in pixels of its panel. The one place for them.

The least size is what the panel's reader needs, and no words are smaller; the others go up from
there, in few steps. Which step is for what, the panel alone decides, so that no language looks
like the lesser one. Distances are in millimetres, and a little larger where there is more room.
"""

from dataclasses import dataclass
from typing import Final, Self

from kiosk_app.layout.lettering import Style, Weight, least_size
from kiosk_app.layout.panel import Panel

LEAST: Final = 1.0
LARGE: Final = 1.3
GREAT: Final = 1.7

_LEADING: Final = 1.22
_LEADING_TIGHT: Final = 1.12
_MARGIN: Final = 0.05
_GAP: Final = 0.018
_MARGIN_AT_EDGE_MM: Final = 2.0
_GAP_TIGHT_MM: Final = 1.5
_PAD_MM: Final = 3.0
_PAD_TIGHT_MM: Final = 1.5
_PAD_DOWN_MM: Final = 1.2
_PAD_DOWN_TIGHT_MM: Final = 0.5
_TALLEST: Final = 1.6
_TALLEST_UPRIGHT: Final = 1.3
"""In a column, which is to stay within reach."""
_LARGER_TYPE_EMS: Final = (18, 25)
"""How many of the least size a panel's shorter side holds that has room for larger type."""


@dataclass(frozen=True, slots=True)
class Steps:
    """The steps of the scale for a question, for its answers, and for what is to be read."""

    question: float
    answer: float
    reading: float


LEAST_STEPS: Final = Steps(LEAST, LEAST, LEAST)
_STEPS: Final = (Steps(GREAT, LARGE, LARGE), Steps(LARGE, LARGE, LARGE), LEAST_STEPS)


def steps_on(panel: Panel) -> tuple[Steps, ...]:
    """The steps of a panel's type, the same in every language; and those for what is too long."""
    ems = min(panel.width_px, panel.height_px) / least_size(panel)
    return _STEPS[sum(ems < least for least in _LARGER_TYPE_EMS) :]


def has_larger_type(panel: Panel) -> bool:
    """Whether a panel has room for more than the least type."""
    return steps_on(panel)[0] != LEAST_STEPS


@dataclass(frozen=True, slots=True)
class Measures:
    """The measures of a page on a panel; ``tight`` where there is no room to spare, and up to the
    ``edge`` where that is not enough.

    ``margin`` is left free at each edge; ``gap`` is between two
    buttons, ``pad`` beside a button's words, ``pad_down`` above and below them. ``target`` is the
    least width and height of a button, ``tallest`` the height it grows to for room to spare.
    """

    panel: Panel
    steps: Steps
    tight: bool
    edge: bool
    margin: int
    gap: int
    pad: int
    pad_down: int
    target: int
    tallest: int
    least_size: int

    @classmethod
    def on(cls, panel: Panel, steps: Steps, *, tight: bool = False, edge: bool = False) -> Self:
        """The measures of a page on a panel, with type of these steps. Only a small panel is used
        up to its edge.
        """
        margin_mm = panel.short_mm * _MARGIN
        if edge and not has_larger_type(panel):
            margin_mm = _MARGIN_AT_EDGE_MM
        gap_mm = max(_GAP_TIGHT_MM, panel.short_mm * _GAP)
        return cls(
            panel=panel,
            steps=steps,
            tight=tight,
            edge=edge,
            margin=panel.px(margin_mm),
            gap=panel.px(_GAP_TIGHT_MM if tight else gap_mm),
            pad=panel.px(_PAD_TIGHT_MM if tight else _PAD_MM),
            pad_down=panel.px(_PAD_DOWN_TIGHT_MM if tight else _PAD_DOWN_MM),
            target=panel.target_px,
            tallest=round(panel.target_px * (_TALLEST_UPRIGHT if panel.upright else _TALLEST)),
            least_size=least_size(panel),
        )

    @property
    def faces(self) -> bool:
        """Whether the scales of a rating have faces: on all of a panel's pages, or on none. They
        need a column, and room beside its words.
        """
        return self.panel.upright and has_larger_type(self.panel)

    def style(self, step: float = LEAST, weight: Weight = Weight.REGULAR) -> Style:
        """Type at a step of the scale."""
        size = round(self.least_size * step)
        return Style(size, weight, round(size * (_LEADING_TIGHT if self.tight else _LEADING)))

    def bold(self, step: float = LEAST) -> Style:
        """Bold type at a step of the scale."""
        return self.style(step, Weight.BOLD)
