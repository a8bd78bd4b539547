"""The palette: which colours there are, and which of them meet. No Kivy in it.

Teal is what a respondent can touch. Sand and rust is what the service says. Ink is what is to be
read, on warm paper that does not glare. No scale goes from green to red, and nothing is told by
colour alone.

What is drawn takes its colours from a `Ground` or a `Look`, where each stands beside the one it
is seen against; so every pair in use has its contrast tested.
"""

from enum import Enum
from typing import Final, TypeAlias

Colour: TypeAlias = tuple[float, float, float, float]


def _colour(digits: str) -> Colour:
    red, green, blue = bytes.fromhex(digits)
    return (red / 255, green / 255, blue / 255, 1.0)


_PAPER: Final = _colour("f7f3ea")
_CARD: Final = _colour("fffdf8")
_SAND: Final = _colour("f0e1c3")
_INK: Final = _colour("1b2a32")
_QUIET: Final = _colour("4a5861")
_EDGE: Final = _colour("5f6f78")
_FAINT: Final = _colour("707b81")
_TEAL: Final = _colour("17495a")
_NIGHT: Final = _colour("07222c")
_OCHRE: Final = _colour("9c5c0e")
_RUST: Final = _colour("7a3b1f")

_SHADES: Final = tuple(map(_colour, ("629fa7", "87b4b1", "abc8bb", "cfdac6", "f3ebd7")))

RULE: Final = _colour("d6d0c2")
"""A line between parts of a page: an ornament, which nothing hangs on."""


class Ground(Enum):
    """What words stand on: the page, a card to write on, what the service says, how late it is."""

    def __init__(self, face: Colour, words: Colour, quiet: Colour, heading: Colour) -> None:
        self.face = face
        self.words = words
        self.quiet = quiet
        self.heading = heading

    #         face    words  quiet   heading
    PAGE = (_PAPER, _INK, _QUIET, _INK)
    CARD = (_CARD, _INK, _QUIET, _INK)
    NOTICE = (_SAND, _INK, _QUIET, _RUST)
    LATE = (_RUST, _CARD, _SAND, _CARD)


class Look(Enum):
    """How a button looks: its face, the words on it, and its edge, which is seen on any ground.

    ``STRONG`` is what is asked for, ``PLAIN`` what is offered beside it, ``QUIET`` what stands at
    the edge. ``PRESSED`` is any of them under a finger; ``DISABLED`` can't be tapped yet.
    """

    def __init__(self, face: Colour, words: Colour, edge: Colour) -> None:
        self.face = face
        self.words = words
        self.edge = edge

    #           face     words   edge
    STRONG = (_TEAL, _CARD, _TEAL)
    PLAIN = (_CARD, _INK, _EDGE)
    QUIET = (_PAPER, _TEAL, _EDGE)
    PRESSED = (_NIGHT, _CARD, _NIGHT)
    DISABLED = (_PAPER, _FAINT, _FAINT)


MARK: Final = _OCHRE
"""The frame round what was answered before, on the page; the button itself has a tick."""

FACE_LINE: Final = _INK
"""What faces are drawn with, on any of their shades."""


def shade(place: int, of: int) -> Colour:
    """What the face at a place of a scale is filled with: dark for the best, light for the worst.

    Five shades of one dusk, from teal to sand; a scale of another length shares the way out.
    """
    along = (place - 1) / (of - 1) * (len(_SHADES) - 1)
    before = min(int(along), len(_SHADES) - 2)
    part = along - before
    red, green, blue, alpha = (
        (1 - part) * darker + part * lighter
        for darker, lighter in zip(_SHADES[before], _SHADES[before + 1], strict=True)
    )
    return (red, green, blue, alpha)
