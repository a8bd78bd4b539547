"""Buttons: a plate with words on it, and perhaps a face of a scale, or a tick."""

from typing import Any, Final

from kivy.graphics import BorderImage, Color, Rectangle
from kivy.uix.widget import Widget

from kiosk_app.layout.placed import Button
from kiosk_app.ui import texture
from kiosk_app.ui.face_drawing import FaceDrawing
from kiosk_app.ui.palette import MARK, Colour, Ground, Look
from kiosk_app.ui.stage import EDGE_MM, RADIUS_MM, Ink, Stage
from kiosk_app.ui.touch import Tappable

_FRAME_MM: Final = 1.2
_FRAME_GAP_MM: Final = 0.5


class Plate:
    """A rounded plate on a canvas, which must be open for drawing."""

    def __init__(self, stage: Stage, radius: int, **place: Any) -> None:
        self._edge = stage.px(EDGE_MM)
        self._radius = radius
        Color(1, 1, 1, 1)
        self._image = BorderImage(border=(radius,) * 4, **place)

    def restyle(self, face: Colour, edge: Colour) -> None:
        """Give the plate other colours."""
        self._image.texture = texture.of_plate(face, edge, self._radius, self._edge)


class WordButton(Tappable, Widget):
    """A button with words on it. ``name`` tells the buttons of a screen apart."""

    def __init__(self, stage: Stage, placed: Button) -> None:
        super().__init__(
            px_per_mm=stage.panel.px_per_mm, size_hint=(None, None), **stage.place(placed.box)
        )
        self.name = placed.name
        self.placed = placed
        self._look = Look[placed.look.name]
        radius = stage.px(RADIUS_MM)
        with self.canvas:
            if placed.mark is not None:
                self._frame(stage, radius)
            self._plate = Plate(stage, radius, pos=self.pos, size=self.size)
        self._face = None
        if placed.face is not None:
            self._face = FaceDrawing(placed.face.place, placed.face.of)
            self.canvas.add(self._face)
        if placed.mark is not None:
            drawn = texture.of_tick(Look.PLAIN.face, Look.STRONG.face, placed.mark.width)
            with self.canvas:
                Color(1, 1, 1, 1)
                Rectangle(texture=drawn, **stage.place(placed.mark))
        self.ink = Ink(stage, placed.words, self._look.words)
        self.canvas.add(self.ink)
        self._face_place = None if placed.face is None else stage.place(placed.face.box)
        self.bind(state=self._draw, disabled=self._draw)
        self._draw()

    def _frame(self, stage: Stage, radius: int) -> None:
        """A frame round what was answered before: not by colour alone, there is a tick as well."""
        for out, colour in (
            (stage.px(_FRAME_MM), MARK),
            (stage.px(_FRAME_GAP_MM), Ground.PAGE.face),
        ):
            place = {
                "pos": (self.x - out, self.y - out),
                "size": (self.width + 2 * out, self.height + 2 * out),
            }
            Plate(stage, radius + out, **place).restyle(colour, colour)

    def _draw(self, *_: object) -> None:
        look = self._look
        if self.disabled:
            look = Look.DISABLED
        elif self.state == "down":
            look = Look.PRESSED
        self._plate.restyle(look.face, look.edge)
        self.ink.restyle(look.words)
        if self._face is not None and self._face_place is not None:
            (x, y), (side, _) = self._face_place["pos"], self._face_place["size"]
            self._face.draw(look, x, y, side)
