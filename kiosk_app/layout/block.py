"""Blocks: what a page is made of. Each says how high it must be at a width, and is put in a box."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Protocol

from kiosk_app.layout.lettering import Lettering, Style
from kiosk_app.layout.placed import (
    Align,
    Box,
    Card,
    Ground,
    Lettered,
    Placed,
    Rule,
    Tone,
)


class Block(Protocol):
    """A part of a page."""

    def height(self, width: int) -> int | None:
        """The least height at a width; None if it does not fit that width at any height."""

    def place(self, box: Box) -> Iterator[Placed]:
        """Put it in a box that is as high as it must be, or higher."""


class RowBlock(Block, Protocol):
    """A part of a row."""

    def narrowest(self, lines: int) -> int:
        """The least width with no more lines than that."""


@dataclass(frozen=True, slots=True)
class Text:
    """Words, at the top of their box, or in its ``middle``. Where they are ``level``, their lines
    are about equally long. Where somebody wrote them whom nobody told how long a word may be, they
    may be ``broken``.
    """

    lettering: Lettering
    words: str
    style: Style
    tone: Tone = Tone.PLAIN
    align: Align = Align.LEFT
    ground: Ground = Ground.PAGE
    level: bool = False
    middle: bool = False
    broken: bool = False

    def lines(self, width: int) -> tuple[str, ...] | None:
        """The lines at a width; None if a word is wider."""
        setting = self.lettering.balanced if self.level else self.lettering.lines
        lines = setting(self.words, self.style, width)
        if lines is None and self.broken:
            return self.lettering.break_anywhere(self.words, self.style, width)
        return lines

    def height(self, width: int) -> int | None:
        """See `Block`."""
        lines = self.lines(width)
        return None if lines is None else self.style.height(len(lines))

    def narrowest(self, lines: int) -> int:
        """See `RowBlock`."""
        return self.lettering.narrowest(self.words, self.style, lines)

    def place(self, box: Box) -> Iterator[Placed]:
        """See `Block`."""
        lines = self.lines(box.width)
        assert lines is not None
        if not self.middle:
            box = replace(box, height=self.style.height(len(lines)))
        yield Lettered(box, lines, self.style, self.align, self.tone, self.ground)


@dataclass(frozen=True, slots=True)
class Spring:
    """Room that gives way, perhaps with something in it: at least so wide in a row, or so high in
    a column, and more where there is room to spare.
    """

    least: int = 0
    block: Block | None = None

    def height(self, width: int) -> int | None:
        """See `Block`."""
        return self.least if self.block is None else self.block.height(width)

    def narrowest(self, lines: int) -> int:
        """See `RowBlock`."""
        return self.least

    def place(self, box: Box) -> Iterator[Placed]:
        """See `Block`."""
        return iter(()) if self.block is None else self.block.place(box)


@dataclass(frozen=True, slots=True)
class Line:
    """A rule across a page."""

    thickness: int

    def height(self, width: int) -> int | None:
        """See `Block`."""
        return self.thickness

    def place(self, box: Box) -> Iterator[Placed]:
        """See `Block`."""
        yield Rule(box)


@dataclass(frozen=True, slots=True)
class Notice:
    """A card with something on it."""

    block: Block
    ground: Ground
    pad: int

    def height(self, width: int) -> int | None:
        """See `Block`."""
        height = self.block.height(width - 2 * self.pad)
        return None if height is None else height + 2 * self.pad

    def place(self, box: Box) -> Iterator[Placed]:
        """See `Block`."""
        yield Card(box, self.ground)
        yield from self.block.place(box.inset(self.pad, self.pad))


@dataclass(frozen=True, slots=True)
class Chip:
    """A card no wider than the words on it."""

    text: Text
    pad: int

    def height(self, width: int) -> int | None:
        """See `Block`."""
        height = self.text.height(width - 2 * self.pad)
        return None if height is None else height + self.pad

    def place(self, box: Box) -> Iterator[Placed]:
        """See `Block`."""
        [words] = self.text.place(box.inset(self.pad, self.pad // 2))
        assert isinstance(words, Lettered)
        wide = max(self.text.lettering.width(line, words.style) for line in words.lines)
        yield Card(replace(box, width=wide + 2 * self.pad), self.text.ground)
        yield words
