"""The sheet: what a respondent writes on."""

from typing import Final

from kivy.graphics import InstructionGroup
from kivy.uix.widget import Widget

from kiosk_app.layout import placed
from kiosk_app.layout.placed import Box, Lettered
from kiosk_app.ui.button import Plate
from kiosk_app.ui.palette import Ground, Look
from kiosk_app.ui.stage import RADIUS_MM, Ink, Stage

_CURSOR: Final = "|"


class Sheet(Widget):
    """What is written so far; when it is full, its last lines are shown."""

    def __init__(self, stage: Stage, sheet: placed.Sheet, written: str, most: int) -> None:
        super().__init__(size_hint=(None, None), **stage.place(sheet.box))
        self.written = written
        self._stage = stage
        self._sheet = sheet
        self._most = most
        with self.canvas:
            plate = Plate(stage, stage.px(RADIUS_MM), pos=self.pos, size=self.size)
        plate.restyle(Ground.CARD.face, Look.PLAIN.edge)
        self._ink = InstructionGroup()
        self.canvas.add(self._ink)
        self._draw()

    def write(self, letters: str) -> None:
        """Add to what is written, as long as there is room."""
        if len(self.written) + len(letters) <= self._most:
            self.written += letters
            self._draw()

    def delete(self) -> None:
        """Take away what was written last."""
        self.written = self.written[:-1]
        self._draw()

    def _draw(self) -> None:
        room, style, lettering = self._sheet.text_box, self._sheet.style, self._stage.lettering
        self._ink.clear()
        lines = self._sheet.prompt
        if self.written:
            lines = lettering.break_anywhere(self.written + _CURSOR, style, room.width)
            most = 1 + (room.height - style.height(1)) // style.leading
            lines = lines[-most:]
        box = Box(room.x, room.y, room.width, style.height(len(lines)))
        colour = Ground.CARD.words if self.written else Ground.CARD.quiet
        words = Lettered(box, lines, style)
        self._ink.add(Ink(self._stage, words, colour, written=bool(self.written)))
