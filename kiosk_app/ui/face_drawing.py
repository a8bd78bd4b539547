"""A face of a scale, drawn by Kivy: from its strokes, so that it is sharp at any size.

The window has no multisampling, and Kivy's own smooth lines have neither round ends nor an exact
width. So a stroke is a mesh, whose rim fades out.
"""

from collections.abc import Iterable
from math import cos, hypot, pi, sin, sqrt
from typing import Final

from kivy.graphics import Color, InstructionGroup, Mesh
from kivy.graphics.texture import Texture

from kiosk_app.ui.faces import Point, Stroke, face
from kiosk_app.ui.palette import FACE_LINE, Look, shade

_RIM: Final = Stroke(((0, 0),), 1)
_DISC: Final = Stroke(((0, 0),), 0.95)
_FADE: Final = 0.75  # of a pixel, inwards and outwards
_CLEAR: Final = 0.25  # where in the texture there is nothing, and where all of the colour
_FULL: Final = 0.75


class FaceDrawing(InstructionGroup):
    """The face at a place of a scale, to be added to a button's canvas.

    Its rim has the colour of the button's edge: on a light button it sets the face off; on a dark
    one, where the shade does, it is not seen.
    """

    def __init__(self, place: int, of: int) -> None:
        super().__init__()
        self._face = face(place, of)
        fade = Texture.create(size=(2, 1), colorfmt="rgba")
        fade.blit_buffer(bytes((255, 255, 255, 0, 255, 255, 255, 255)), colorfmt="rgba")
        self._rim_colour = Color()
        self._rim, self._disc, self._lines = (
            Mesh(mode="triangles", texture=fade) for _ in range(3)
        )
        for instruction in (
            self._rim_colour,
            self._rim,
            Color(*shade(place, of)),
            self._disc,
            Color(*FACE_LINE),
            self._lines,
        ):
            self.add(instruction)

    def draw(self, look: Look, x: float, y: float, side: float) -> None:
        """Draw it on a button with a look, in the square whose lower left corner is given."""
        self._rim_colour.rgba = look.edge
        for mesh, strokes in (
            (self._rim, [_RIM]),
            (self._disc, [_DISC]),
            (self._lines, self._face.strokes),
        ):
            mesh.vertices, mesh.indices = _meshed(strokes, x, y, side / 2)


def _meshed(
    strokes: Iterable[Stroke], x: float, y: float, radius: float
) -> tuple[list[float], list[int]]:
    """Vertices (x, y and the place in the texture) of strokes, and the triangles between them."""
    vertices: list[float] = []
    indices: list[int] = []
    for stroke in strokes:
        points = [
            (x + radius * (1 + across), y + radius * (1 + up)) for across, up in stroke.points
        ]
        half = stroke.half_width * radius
        reaches = ((half + _FADE, _CLEAR), (max(half - _FADE, 0.0), _FULL))
        start = len(vertices) // 4
        rows = _rows(points, half)
        for (middle_x, middle_y), (along_x, along_y), turn in rows:
            on, out = -cos(turn), sin(turn)
            for reach, fade, hand in (
                *((reach, fade, 1) for reach, fade in reaches),
                *((reach, fade, -1) for reach, fade in reversed(reaches)),
            ):
                vertices += (
                    middle_x + reach * (on * along_x - hand * out * along_y),
                    middle_y + reach * (on * along_y + hand * out * along_x),
                    fade,
                    0.5,
                )
        for corner in range(start, start + 4 * (len(rows) - 1), 4):
            for left in range(corner, corner + 3):
                indices += (left, left + 1, left + 4, left + 1, left + 5, left + 4)
    return vertices, indices


def _rows(points: list[Point], half: float) -> list[tuple[Point, Point, float]]:
    """Where a line is crossed from rim to rim: its middle, its direction, and how far it turns.

    From 0 to a quarter it turns round its first point, from there to a half round its last.
    """
    directions = [
        _direction(points[max(at - 1, 0)], points[min(at + 1, len(points) - 1)])
        for at in range(len(points))
    ]
    steps = 3 + round(2 * sqrt(half))
    quarter = [step * pi / 2 / steps for step in range(steps)]
    return [
        *((points[0], directions[0], turn) for turn in quarter),
        *((point, along, pi / 2) for point, along in zip(points, directions, strict=True)),
        *((points[-1], directions[-1], pi - turn) for turn in reversed(quarter)),
    ]


def _direction(start: Point, end: Point) -> Point:
    across, up = end[0] - start[0], end[1] - start[1]
    length = hypot(across, up)
    return (across / length, up / length) if length else (1.0, 0.0)
