"""The stage: what every widget needs to put on the screen what the layout has placed."""

from dataclasses import dataclass
from typing import Any, Final

from kivy.graphics import Color, InstructionGroup, Rectangle

from kiosk_app.layout.lettering import Lettering
from kiosk_app.layout.panel import Panel
from kiosk_app.layout.placed import Align, Box, Lettered
from kiosk_app.ui import texture
from kiosk_app.ui.palette import Colour

RADIUS_MM: Final = 2.4
EDGE_MM: Final = 0.3


@dataclass(frozen=True, slots=True)
class Stage:
    """The panel, and the lettering it was measured with. Kivy counts from the lower left corner."""

    panel: Panel
    lettering: Lettering

    def place(self, box: Box) -> dict[str, Any]:
        """Where Kivy puts what is in a box."""
        bottom = self.panel.height_px - box.bottom
        return {"pos": (box.x, bottom), "size": (box.width, box.height)}

    def px(self, mm: float) -> int:
        """Millimetres in pixels."""
        return self.panel.px(mm)


class Ink(InstructionGroup):
    """Words on the screen, in one colour. Of those ``written`` by a respondent nothing is kept."""

    def __init__(
        self, stage: Stage, words: Lettered, colour: Colour, *, written: bool = False
    ) -> None:
        super().__init__()
        centred = words.align is Align.CENTRE
        draw = texture.of_words if written else texture.of_published_words
        drawn = draw(stage.lettering, words.lines, words.style, centred=centred)
        self.box = words.ink_box(*drawn.size)
        self._colour = Color(*colour)
        self.add(self._colour)
        self.add(Rectangle(texture=drawn, **stage.place(self.box)))

    def restyle(self, colour: Colour) -> None:
        """Give the words another colour."""
        self._colour.rgba = colour
