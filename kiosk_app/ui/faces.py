"""Faces for a scale, as strokes: calm, two eyes and a mouth, and level where the scale is.

They are an addition. The words on a button carry its meaning.
"""

from dataclasses import dataclass
from typing import Final, TypeAlias

Point: TypeAlias = tuple[float, float]


@dataclass(frozen=True, slots=True)
class Stroke:
    """A line with round ends; with one point only, a disc.

    Its face is the circle round (0, 0) with radius 1; upwards is positive.
    """

    points: tuple[Point, ...]
    half_width: float


@dataclass(frozen=True, slots=True)
class Face:
    """A face. From one place of a scale to the next only the mouth differs."""

    eyes: tuple[Stroke, Stroke]
    mouth: Stroke

    @property
    def strokes(self) -> tuple[Stroke, ...]:
        """All that is drawn on the disc."""
        return (*self.eyes, self.mouth)


_EYES: Final = (
    Stroke(((-0.32, 0.23), (-0.32, 0.27)), half_width=0.1),
    Stroke(((0.32, 0.23), (0.32, 0.27)), half_width=0.1),
)
_MOST_BEND: Final = 0.25
_MOUTH_HALF: Final = 0.46
_MOUTH_LEVEL: Final = -0.34
_MOUTH_LINE: Final = 0.06
_MOUTH_STEPS: Final = 8


def face(place: int, of: int) -> Face:
    """The face at a place of a scale, counted from 1, the best: from a gentle smile downwards."""
    return Face(_EYES, _mouth(_MOST_BEND * (of + 1 - 2 * place) / (of - 1)))


def _mouth(bend: float) -> Stroke:
    """A mouth whose corners are so far above its middle; as a whole it stays at its level."""
    points = []
    for step in range(-_MOUTH_STEPS, _MOUTH_STEPS + 1):
        across = step / _MOUTH_STEPS
        points.append((across * _MOUTH_HALF, _MOUTH_LEVEL + bend * (across**2 - 1 / 3)))
    return Stroke(tuple(points), _MOUTH_LINE)
