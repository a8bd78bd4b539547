"""Textures: what Pillow draws, brought to the graphics card."""

from collections.abc import Sequence
from functools import lru_cache
from typing import Any, Final

from kivy.graphics.texture import Texture
from PIL import Image, ImageDraw

from kiosk_app.layout.lettering import Lettering, Style
from kiosk_app.ui.palette import Colour

_WORDS_KEPT: Final = 96
_FINE: Final = 4
_TICK: Final = ((0.28, 0.52), (0.44, 0.67), (0.73, 0.35))
_TICK_WIDTH: Final = 0.1


def of_words(lettering: Lettering, lines: Sequence[str], style: Style, *, centred: bool) -> Any:
    """Lines in white, to be given a colour, on nothing."""
    mask = lettering.draw(lines, style, centred=centred)
    return _upload(Image.merge("LA", (Image.new("L", mask.size, 255), mask)), "luminance_alpha")


of_published_words = lru_cache(_WORDS_KEPT)(of_words)
"""The same, kept for the next time: not for what a respondent wrote."""


@lru_cache(32)
def of_plate(face: Colour, edge: Colour, radius: int, thickness: int) -> Any:
    """A rounded plate with an edge, as small as it gets: what is between its corners stretches."""
    side = 2 * radius + 2
    plate = Image.new("RGBA", (side * _FINE, side * _FINE), _bytes(edge, 0))
    pen = ImageDraw.Draw(plate)
    last = side * _FINE - 1
    pen.rounded_rectangle((0, 0, last, last), radius * _FINE, _bytes(edge))
    inset = thickness * _FINE
    pen.rounded_rectangle(
        (inset, inset, last - inset, last - inset), (radius - thickness) * _FINE, _bytes(face)
    )
    return _upload(plate.resize((side, side), Image.Resampling.BOX), "rgba")


@lru_cache(8)
def of_tick(face: Colour, tick: Colour, side: int) -> Any:
    """A tick on a disc."""
    fine = side * _FINE
    disc = Image.new("RGBA", (fine, fine), _bytes(face, 0))
    pen = ImageDraw.Draw(disc)
    pen.ellipse((0, 0, fine - 1, fine - 1), _bytes(face))
    points = [(x * fine, y * fine) for x, y in _TICK]
    width = round(_TICK_WIDTH * fine)
    pen.line(points, _bytes(tick), width, joint="curve")
    for x, y in (points[0], points[-1]):
        half = width / 2
        pen.ellipse((x - half, y - half, x + half, y + half), _bytes(tick))
    return _upload(disc.resize((side, side), Image.Resampling.BOX), "rgba")


def _upload(image: Image.Image, colours: str) -> Any:
    texture = Texture.create(size=image.size, colorfmt=colours)
    texture.blit_buffer(image.tobytes(), colorfmt=colours, bufferfmt="ubyte")
    texture.flip_vertical()
    return texture


def _bytes(colour: Colour, alpha: int = 255) -> tuple[int, int, int, int]:
    red, green, blue, _ = colour
    return round(red * 255), round(green * 255), round(blue * 255), alpha
