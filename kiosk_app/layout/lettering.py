"""Lettering: the kiosk's face, measured, and words broken into lines.

Pillow with raqm measures here as it draws on the screen, so that what fits here fits there.
"""

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache
from importlib.resources import files
from io import BytesIO
from typing import Final

from PIL import Image, ImageDraw, ImageFont, features

from kiosk_app.error import StartError
from kiosk_app.layout.panel import Panel

ASCENT: Final = 0.89
"""From the baseline to the top of a capital with a circumflex, in the face's size."""
DESCENT: Final = 0.21
"""From the baseline down to the lowest letter, in the face's size."""

_CAPITAL: Final = 0.668
_BREAK: Final = re.compile(r" (?!\d)|(?<!\d) ")
"""Where a line may end: at a space, but not within a number that is written in groups."""
_FONTS_KEPT: Final = 64
_MEASURES_KEPT: Final = 8192

_LONELY: Final = 0.25
"""A word that stands alone in a last line, and fills less of it, looks forgotten."""


class Weight(StrEnum):
    """The face's weights; each is a file beside this module."""

    REGULAR = "AtkinsonHyperlegibleNext-Regular.ttf"
    BOLD = "AtkinsonHyperlegibleNext-Bold.ttf"


@dataclass(frozen=True, slots=True)
class Style:
    """How words are set. ``size`` and ``leading``, from baseline to baseline, are in pixels."""

    size: int
    weight: Weight
    leading: int

    def height(self, lines: int) -> int:
        """How high so many lines are, with nothing of any letter cut off."""
        return self.baseline(lines - 1) + math.ceil(DESCENT * self.size)

    def baseline(self, line: int) -> int:
        """How far below the top of its text a line's baseline is; lines count from 0."""
        return line * self.leading + math.ceil(ASCENT * self.size)


def least_size(panel: Panel) -> int:
    """The size in pixels at which the face's capitals are as high as they must be on a panel."""
    return math.ceil(panel.capital_px / _CAPITAL)


class Lettering:
    """Measures words and breaks them into lines, never within a word. It keeps what it measured:
    never give it what a respondent wrote, see `break_anywhere` for that.

    Raises:
        StartError: text could not be set rightly.
    """

    def __init__(self) -> None:
        if not features.check("raqm"):
            raise StartError(
                "text can't be set: Pillow finds no raqm; install the Debian package libfribidi0"
            )
        self._faces = {
            weight: (files(__package__) / "fonts" / weight.value).read_bytes() for weight in Weight
        }
        self._font = lru_cache(_FONTS_KEPT)(self._load)
        self._extent = lru_cache(_MEASURES_KEPT)(self._measure)
        self._advance = lru_cache(_MEASURES_KEPT)(self._measure_advance)
        self._lines = lru_cache(_MEASURES_KEPT)(self._break)
        self._narrowest = lru_cache(_MEASURES_KEPT)(self._find_narrowest)

    def font(self, style: Style) -> ImageFont.FreeTypeFont:
        """The font to draw with."""
        return self._font(style.size, style.weight)

    def extent(self, line: str, style: Style) -> tuple[int, int]:
        """How far a line's letters reach: left of its origin, as 0 or less, and right of it."""
        return self._extent(line, style.size, style.weight)

    def width(self, line: str, style: Style) -> int:
        """How wide a line is, with nothing of any letter cut off."""
        left, right = self.extent(line, style)
        return right - left

    def lines(self, words: str, style: Style, width: int) -> tuple[str, ...] | None:
        """Words in as few lines as a width allows; None if a word is wider than that."""
        return self._lines(words, style, width)

    def balanced(self, words: str, style: Style, width: int) -> tuple[str, ...] | None:
        """The same, with all lines about equally long."""
        lines = self.lines(words, style, width)
        if lines is None or len(lines) == 1:
            return lines
        narrowest = self.narrowest(words, style, len(lines))
        return lines if narrowest > width else self.lines(words, style, narrowest)

    def narrowest(self, words: str, style: Style, most_lines: int) -> int:
        """The least width at which words take no more lines than that."""
        return self._narrowest(words, style, most_lines)

    def break_anywhere(self, text: str, style: Style, width: int) -> tuple[str, ...]:
        """Words in lines; a word that is too wide goes on in the next line. Nothing is kept."""
        font = self.font(style)
        lines = []
        for paragraph in text.split("\n"):
            line = ""
            for letter in paragraph:
                if font.getlength(line + letter) <= width:
                    line += letter
                    continue
                head, gap, tail = line.rpartition(" ")
                if gap and letter != " ":
                    lines.append(head)
                    line = tail + letter
                else:
                    lines.append(line)
                    line = letter.strip(" ")
            lines.append(line)
        return tuple(lines)

    def draw(self, lines: Sequence[str], style: Style, *, centred: bool) -> Image.Image:
        """Lines as a mask, no larger than their letters reach. Nothing is kept."""
        extents = [self._measure(line, style.size, style.weight) for line in lines]
        width = max(right - left for left, right in extents)
        mask = Image.new("L", (width, style.height(len(lines))))
        pen = ImageDraw.Draw(mask)
        for number, (line, (left, right)) in enumerate(zip(lines, extents, strict=True)):
            x = (width - (right - left)) // 2 if centred else 0
            place = (x - left, style.baseline(number))
            pen.text(place, line, fill=255, font=self.font(style), anchor="ls")
        return mask

    def _load(self, size: int, weight: Weight) -> ImageFont.FreeTypeFont:
        return ImageFont.truetype(
            BytesIO(self._faces[weight]), size, layout_engine=ImageFont.Layout.RAQM
        )

    def _measure(self, line: str, size: int, weight: Weight) -> tuple[int, int]:
        font = self._font(size, weight)
        left, _, right, _ = font.getbbox(line, anchor="ls")
        return min(0, math.floor(left)), math.ceil(max(right, font.getlength(line)))

    def _measure_advance(self, word: str, size: int, weight: Weight) -> float:
        return self._font(size, weight).getlength(word)

    def _break(self, words: str, style: Style, width: int) -> tuple[str, ...] | None:
        allowed = width
        while True:
            lines = self._fill(words, style, allowed)
            if lines is None:
                return None
            excess = max(self.width(line, style) for line in lines) - width
            if excess <= 0:
                return tuple(lines)
            allowed -= excess  # letters reach further than their words' widths add up to

    def _fill(self, words: str, style: Style, width: int) -> list[str] | None:
        """Words put into lines one after another, each as full as it gets; only a short last word
        of a paragraph gets company.
        """
        space = self._advance(" ", style.size, style.weight)
        lines: list[str] = []
        for paragraph in words.split("\n"):
            if self.width(paragraph, style) <= width:
                lines.append(paragraph)
                continue
            filled: list[list[str]] = []
            room = 0.0
            for word in _BREAK.split(paragraph):
                taken = self._advance(word, style.size, style.weight)
                if taken > width:
                    return None
                if filled and space + taken <= room:
                    filled[-1].append(word)
                    room -= space + taken
                else:
                    filled.append([word])
                    room = width - taken
            alone = len(filled[-1]) == 1 and width - room < _LONELY * width
            if alone and len(filled) > 1 and len(filled[-2]) > 1:
                company = filled[-2][-1]
                if self._advance(company, style.size, style.weight) + space <= room:
                    filled[-1].insert(0, filled[-2].pop())
            lines += [" ".join(line) for line in filled]
        return lines

    def _find_narrowest(self, words: str, style: Style, most_lines: int) -> int:
        paragraphs = words.split("\n")
        low = max(
            self.width(word, style) for paragraph in paragraphs for word in _BREAK.split(paragraph)
        )
        high = max(low, *(self.width(paragraph, style) for paragraph in paragraphs))
        while low < high:
            middle = (low + high) // 2
            lines = self.lines(words, style, middle)
            if lines is not None and len(lines) <= most_lines:
                high = middle
            else:
                low = middle + 1
        return low
