"""Blocks: what a page is made of. Each says how high it must be at a width, and is put in a box."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Final, Protocol

from kiosk_app.layout.lettering import Lettering, Style
from kiosk_app.layout.measures import Measures
from kiosk_app.layout.placed import (
    Align,
    Box,
    Button,
    Card,
    Deed,
    Face,
    Ground,
    Lettered,
    Look,
    Placed,
    Rule,
    Tone,
)

_FACE_SHARE: Final = 0.7
_MARK_SHARE: Final = 0.42
_MARK_SHARE_TIGHT: Final = 0.24


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
class Offer:
    """A button, at least as large as a finger needs, with its words in the middle.

    ``most_lines`` is how many lines its words may take. A face stands left of them; ``indented``,
    they stand where they would beside one. A mark stands right of them, or in the corner where
    they leave no room.
    """

    lettering: Lettering
    measures: Measures
    words: str
    style: Style
    name: str
    deed: Deed
    look: Look = Look.PLAIN
    most_lines: int = 3
    face: tuple[int, int] | None = None
    indented: bool = False
    marked: bool = False

    def height(self, width: int) -> int | None:
        """See `Block`."""
        if width < self.measures.target:
            return None
        lines, over = self._lines(width, self._after), self.measures.pad_down
        if lines is None and self.marked:
            lines, over = self._lines(width, self.measures.pad), self._corner
        if lines is None:
            return None
        return max(self.measures.target, self.style.height(len(lines)) + 2 * over)

    def narrowest(self, lines: int) -> int:
        """See `RowBlock`."""
        words = self.lettering.narrowest(self.words, self.style, lines)
        return max(self.measures.target, words + self._before + self._after)

    def place(self, box: Box) -> Iterator[Placed]:
        """See `Block`."""
        half_pad = self.measures.pad // 2
        face = mark = None
        if self.face is not None:
            side = self._face_side
            square = Box(box.x + self.measures.pad, _middle(box, side), side, side)
            face = Face(square, *self.face)
        lines, after = self._lines(box.width, self._after), self._after
        if self.marked:
            side = self._mark_side
            mark = Box(box.right - self.measures.pad - side, _middle(box, side), side, side)
            if lines is None:
                lines, after = self._lines(box.width, self.measures.pad), self.measures.pad
                mark = replace(mark, x=box.right - half_pad - side, y=box.y + half_pad)
        assert lines is not None
        room = Box(box.x + self._before, box.y, box.width - self._before - after, box.height)
        align = Align.LEFT if self._beside_face else Align.CENTRE
        words = Lettered(room, lines, self.style, align)
        yield Button(box, self.name, words, self.deed, self.look, face, mark)

    def _lines(self, width: int, after: int) -> tuple[str, ...] | None:
        """Its words in lines, with so much room left after them; None if they don't fit."""
        lines = self.lettering.balanced(self.words, self.style, width - self._before - after)
        return None if lines is None or len(lines) > self.most_lines else lines

    @property
    def _corner(self) -> int:
        """How high the mark is with the room around it, where it stands over the words."""
        return self._mark_side + self.measures.pad

    @property
    def _beside_face(self) -> bool:
        return self.indented or self.face is not None

    @property
    def _face_side(self) -> int:
        return round(self.measures.target * _FACE_SHARE)

    @property
    def _mark_side(self) -> int:
        share = _MARK_SHARE_TIGHT if self.measures.tight else _MARK_SHARE
        return round(self.measures.target * share)

    @property
    def _before(self) -> int:
        """The width before the words."""
        pad = self.measures.pad
        return 2 * pad + self._face_side if self._beside_face else pad

    @property
    def _after(self) -> int:
        """The width after the words."""
        pad = self.measures.pad
        return pad + (pad // 2 + self._mark_side if self.marked else 0)


def _middle(box: Box, height: int) -> int:
    return box.y + (box.height - height) // 2


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
class Part:
    """A block in a column: how eagerly it takes room that is to spare, and up to which height."""

    block: Block
    grow: float = 0
    tallest: int | None = None


@dataclass(frozen=True, slots=True)
class Column:
    """Blocks one under another, with a gap between them."""

    parts: tuple[Part, ...]
    gap: int = 0

    def height(self, width: int) -> int | None:
        """See `Block`."""
        heights = _heights(self.parts, width)
        return None if heights is None else sum(heights) + self._gaps

    def place(self, box: Box) -> Iterator[Placed]:
        """See `Block`."""
        heights = _heights(self.parts, box.width)
        assert heights is not None
        spare = box.height - sum(heights) - self._gaps
        yield from _stack(self.parts, _shared(self.parts, heights, spare), self.gap, box)

    @property
    def _gaps(self) -> int:
        return self.gap * max(0, len(self.parts) - 1)


def _shared(parts: Sequence[Part], heights: Sequence[int], spare: int) -> list[int]:
    """The heights once what is to spare is shared out; those that may not grow further stop."""
    grown = list(heights)
    growing = [place for place, part in enumerate(parts) if part.grow]
    while spare > 0 and growing:
        total = sum(parts[place].grow for place in growing)
        shares = {place: spare * parts[place].grow / total for place in growing}
        stopped = False
        for place, share in shares.items():
            tallest = parts[place].tallest
            if tallest is not None and grown[place] + share >= tallest:
                spare -= max(0, tallest - grown[place])
                grown[place] = max(grown[place], tallest)
                growing.remove(place)
                stopped = True
        if not stopped:
            for place, share in shares.items():
                grown[place] += int(share)
            break
    return grown


def _heights(parts: Sequence[Part], width: int) -> list[int] | None:
    heights = []
    for part in parts:
        height = part.block.height(width)
        if height is None:
            return None
        heights.append(height)
    return heights


def _stack(parts: Sequence[Part], heights: Sequence[int], gap: int, box: Box) -> Iterator[Placed]:
    y = box.y
    for part, height in zip(parts, heights, strict=True):
        yield from part.block.place(Box(box.x, y, box.width, height))
        y += height + gap


@dataclass(frozen=True, slots=True)
class Grid:
    """Blocks in rows of so many columns, all equally wide; the last row may be shorter."""

    blocks: tuple[Block, ...]
    columns: int
    gap: int

    def height(self, width: int) -> int | None:
        """See `Block`: all rows become as high as the highest."""
        across = self._across(width)
        highest = 0
        for block in self.blocks:
            height = block.height(across)
            if height is None:
                return None
            highest = max(highest, height)
        return self._rows * highest + (self._rows - 1) * self.gap

    def place(self, box: Box) -> Iterator[Placed]:
        """See `Block`."""
        across = self._across(box.width)
        height = (box.height - (self._rows - 1) * self.gap) // self._rows
        for number, block in enumerate(self.blocks):
            row, column = divmod(number, self.columns)
            yield from block.place(
                Box(
                    box.x + column * (across + self.gap),
                    box.y + row * (height + self.gap),
                    across,
                    height,
                )
            )

    def tallest(self, height: int) -> int:
        """How high the whole becomes with rows of a height."""
        return self._rows * height + (self._rows - 1) * self.gap

    @property
    def _rows(self) -> int:
        return -(-len(self.blocks) // self.columns)

    def _across(self, width: int) -> int:
        return (width - (self.columns - 1) * self.gap) // self.columns


@dataclass(frozen=True, slots=True)
class Row:
    """Blocks beside each other, each as narrow as it gets in few lines; springs take the rest."""

    blocks: tuple[RowBlock, ...]
    gap: int
    most_lines: int = 3

    def height(self, width: int) -> int | None:
        """See `Block`."""
        widths = self._widths(width)
        if widths is None:
            return None
        heights = [block.height(across) for block, across in zip(self.blocks, widths, strict=True)]
        if any(height is None for height in heights):
            return None
        return max((height for height in heights if height is not None), default=0)

    def place(self, box: Box) -> Iterator[Placed]:
        """See `Block`."""
        widths = self._widths(box.width)
        assert widths is not None
        x = box.x
        for block, across in zip(self.blocks, widths, strict=True):
            yield from block.place(Box(x, box.y, across, box.height))
            x += across + self.gap

    def _widths(self, width: int) -> list[int] | None:
        free = width - self.gap * (len(self.blocks) - 1)
        for lines in range(1, self.most_lines + 1):
            widths = [block.narrowest(lines) for block in self.blocks]
            spare = free - sum(widths)
            if spare >= 0:
                spare = self._unbreak(widths, lines, spare)
                springs = [
                    place for place, block in enumerate(self.blocks) if isinstance(block, Spring)
                ]
                for place in springs:
                    widths[place] += spare // len(springs)
                return widths
        return None

    def _unbreak(self, widths: list[int], lines: int, spare: int) -> int:
        """Give blocks fewer lines where there is room for it; gives what is still to spare."""
        for fewer in range(1, lines):
            wider = sorted(
                (block.narrowest(fewer) - widths[place], place)
                for place, block in enumerate(self.blocks)
            )
            for more, place in wider:
                if 0 < more <= spare:
                    widths[place] += more
                    spare -= more
        return spare


@dataclass(frozen=True, slots=True)
class Beside:
    """Blocks beside each other, equally high; each has its share of the width."""

    blocks: tuple[Block, ...]
    shares: tuple[int, ...]
    gap: int

    def height(self, width: int) -> int | None:
        """See `Block`."""
        highest = 0
        for block, across in zip(self.blocks, self.widths(width), strict=True):
            height = block.height(across)
            if height is None:
                return None
            highest = max(highest, height)
        return highest

    def place(self, box: Box) -> Iterator[Placed]:
        """See `Block`."""
        x = box.x
        for block, across in zip(self.blocks, self.widths(box.width), strict=True):
            yield from block.place(Box(x, box.y, across, box.height))
            x += across + self.gap

    def widths(self, width: int) -> list[int]:
        """How wide each of them is."""
        free = width - (len(self.blocks) - 1) * self.gap
        return [free * share // sum(self.shares) for share in self.shares]


@dataclass(frozen=True, slots=True)
class Twins:
    """The same parts in several languages, with equal room for each: every part of one is as high
    as its twins. They stand beside each other, or, ``stacked``, one under another, with a rule
    between them.
    """

    halves: tuple[tuple[Part, ...], ...]
    gap: int
    between: int
    stacked: bool

    def height(self, width: int) -> int | None:
        """See `Block`."""
        heights = self._heights(self._across(width))
        if heights is None:
            return None
        height = sum(heights) + self._gaps
        return self._count * height + (self._count - 1) * self.between if self.stacked else height

    def place(self, box: Box) -> Iterator[Placed]:
        """See `Block`."""
        across, down = self._across(box.width), box.height
        if self.stacked:
            down = (box.height - (self._count - 1) * self.between) // self._count
        heights = self._heights(across)
        assert heights is not None
        grown = _shared(self.halves[0], heights, down - sum(heights) - self._gaps)
        half = Box(box.x, box.y, across, down)
        for number, parts in enumerate(self.halves):
            if number:
                yield self._rule(half)
            yield from _stack(parts, grown, self.gap, half)
            if self.stacked:
                half = replace(half, y=half.bottom + self.between)
            else:
                half = replace(half, x=half.right + self.between)

    def _rule(self, half: Box) -> Rule:
        """The rule between a half and the one before."""
        middle = self.between // 2
        if self.stacked:
            return Rule(Box(half.x, half.y - middle, half.width, 1))
        return Rule(Box(half.x - middle, half.y, 1, half.height))

    def _heights(self, across: int) -> list[int] | None:
        each = [_heights(parts, across) for parts in self.halves]
        known = [heights for heights in each if heights is not None]
        if len(known) < len(each):
            return None
        return [max(twins) for twins in zip(*known, strict=True)]

    def _across(self, width: int) -> int:
        if self.stacked:
            return width
        return (width - (self._count - 1) * self.between) // self._count

    @property
    def _count(self) -> int:
        return len(self.halves)

    @property
    def _gaps(self) -> int:
        return self.gap * (len(self.halves[0]) - 1)


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


@dataclass(frozen=True, slots=True)
class Page:
    """A block that is to fill a part of the panel."""

    block: Block
    box: Box

    def place(self) -> tuple[Placed, ...] | None:
        """What stands where; None if it does not fit."""
        height = self.block.height(self.box.width)
        if height is None or height > self.box.height:
            return None
        return tuple(self.block.place(self.box))
