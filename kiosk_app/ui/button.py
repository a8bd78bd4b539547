"""Words: labels that fit their room, and buttons that carry them."""

from enum import Enum
from typing import Any, Final

from kivy.clock import Clock
from kivy.core.text import Label as CoreLabel
from kivy.graphics import Color, Line, RoundedRectangle
from kivy.uix.label import Label

from kiosk_app.ui.theme import (
    CARD,
    DEEP,
    DEEPER,
    EDGE,
    FAINT,
    FONT,
    INK,
    MARK,
    ON_DEEP,
    Colour,
    Theme,
)
from kiosk_app.ui.touch import Tappable

_RADIUS: Final = 14
_BEFORE_DRAWING: Final = -1


class Words(Label):
    """Text that wraps within its room, in the largest of its sizes in which it fits.

    ``inset`` is the room that is left free on each side, and above and below.
    """

    def __init__(
        self,
        theme: Theme,
        sizes: tuple[int, ...],
        *,
        inset: tuple[float, float] = (0, 0),
        **options: Any,
    ) -> None:
        self.theme = theme
        self._sizes = tuple(theme(size) for size in sizes)
        self._inset = inset
        super().__init__(**{"font_name": FONT, "color": INK, "valign": "middle", **options})
        fit = Clock.create_trigger(self._fit, _BEFORE_DRAWING)
        self.bind(size=fit, text=fit)

    def _fit(self, _: float) -> None:
        across, down = self._inset
        width, height = self.width - 2 * across, self.height - 2 * down
        if width <= 0 or height <= 0:
            return
        for size in self._sizes:
            self.font_size = size
            if self._fits(size, width, height):
                break
        # Kivy centres a text of its own height; told the height to centre it in, it drops lines.
        self.text_size = (width, None if self.valign == "middle" else height)

    def _fits(self, size: float, width: float, height: float) -> bool:
        """Whether the text fits at a size, with no word so wide that Kivy would break it."""
        sample = CoreLabel(
            text=self.text,
            font_name=self.font_name,
            font_size=size,
            bold=self.bold,
            text_size=(width, None),
        )
        sample.resolve_font_name()
        if sample.render()[1] > height:
            return False
        return all(sample.get_extents(word)[0] <= width for word in self.text.split())


class Look(Enum):
    """How a button looks: its face, its words and its edge."""

    STRONG = (DEEP, ON_DEEP, DEEP)
    PLAIN = (CARD, INK, EDGE)
    PRESSED = (DEEPER, ON_DEEP, DEEPER)
    DISABLED = (CARD, FAINT, FAINT)

    @property
    def face(self) -> Colour:
        """The colour of the button."""
        return self.value[0]

    @property
    def words(self) -> Colour:
        """The colour of its words."""
        return self.value[1]

    @property
    def edge(self) -> Colour:
        """The colour of its edge."""
        return self.value[2]


class WordButton(Tappable, Words):
    """A button with words on it.

    ``name`` tells the buttons of a screen apart. A ``marked`` one is what was answered before.
    """

    def __init__(
        self,
        theme: Theme,
        name: str,
        text: str,
        *,
        look: Look = Look.PLAIN,
        sizes: tuple[int, ...] = (28, 25, 22, 19),
        marked: bool = False,
        **options: Any,
    ) -> None:
        self.name = name
        self._look = look
        super().__init__(
            px_per_mm=theme.px_per_mm,
            theme=theme,
            sizes=sizes,
            inset=(theme(14), theme(6)),
            text=text,
            halign="center",
            **options,
        )
        with self.canvas.before:
            self._face_colour = Color()
            self._face = RoundedRectangle(radius=[theme(_RADIUS)])
            self._edge_colour = Color()
            self._edge = Line(width=theme(1.5))
        self._mark = _Mark(self) if marked else None
        self._draw = Clock.create_trigger(self._draw_now, _BEFORE_DRAWING)
        self.bind(pos=self._draw, size=self._draw, state=self._draw, disabled=self._draw)
        self._draw()

    def restyle(self, look: Look) -> None:
        """Give the button another look."""
        self._look = look
        self._draw()

    def _draw_now(self, _: float) -> None:
        look = self._look
        if self.disabled:
            look = Look.DISABLED
        elif self.state == "down":
            look = Look.PRESSED
        self.color = self.disabled_color = look.words
        self._face_colour.rgba = look.face
        self._edge_colour.rgba = look.edge
        self._face.pos, self._face.size = self.pos, self.size
        self._edge.rounded_rectangle = (*self.pos, *self.size, self.theme(_RADIUS))
        if self._mark is not None:
            self._mark.draw()


class _Mark:
    """A frame and a tick on a button: not by colour alone."""

    def __init__(self, button: WordButton) -> None:
        self._button = button
        with button.canvas.after:
            Color(*MARK)
            self._frame = Line(width=button.theme(3))
            Color(*ON_DEEP)
            self._disc = RoundedRectangle()
            Color(*DEEP)
            self._tick = Line(width=button.theme(2))

    def draw(self) -> None:
        button, theme = self._button, self._button.theme
        out, side = theme(4), theme(32)
        self._frame.rounded_rectangle = (
            button.x - out,
            button.y - out,
            button.width + 2 * out,
            button.height + 2 * out,
            theme(_RADIUS) + out,
        )
        x = button.x + button.width - side - theme(10)
        y = button.y + button.height - side - theme(10)
        self._disc.pos, self._disc.size, self._disc.radius = (x, y), (side, side), [side / 2]
        corners = ((0.28, 0.5), (0.44, 0.34), (0.74, 0.66))
        self._tick.points = [
            part for right, up in corners for part in (x + right * side, y + up * side)
        ]
