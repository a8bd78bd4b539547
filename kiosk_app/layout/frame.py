"""Frames: what holds the blocks of a page together, in columns, rows and grids."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import chain

from kiosk_app.layout.block import Block, RowBlock, Spring
from kiosk_app.layout.placed import Box, Placed, Rule


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
class Rank:
    """Blocks in one row, equally high, and equally wide but for those whose words need more: in
    groups, with more between them than between two of a group.
    """

    groups: tuple[tuple[RowBlock, ...], ...]
    gap: int
    between: int
    most_lines: int = 3

    def height(self, width: int) -> int | None:
        """See `Block`."""
        widths = self._widths(width)
        if widths is None:
            return None
        blocks = chain.from_iterable(self.groups)
        heights = [block.height(across) for block, across in zip(blocks, widths, strict=True)]
        known = [height for height in heights if height is not None]
        return max(known) if len(known) == len(heights) else None

    def place(self, box: Box) -> Iterator[Placed]:
        """See `Block`."""
        widths = self._widths(box.width)
        assert widths is not None
        across = iter(widths)
        x = box.x
        for group in self.groups:
            for block in group:
                wide = next(across)
                yield from block.place(Box(x, box.y, wide, box.height))
                x += wide + self.gap
            x += self.between - self.gap

    def _widths(self, width: int) -> list[int] | None:
        """Equal shares of the width, as far as every block has what it needs."""
        blocks = list(chain.from_iterable(self.groups))
        apart = len(self.groups) - 1
        free = width - apart * self.between - (len(blocks) - 1 - apart) * self.gap
        needs = [block.narrowest(self.most_lines) for block in blocks]
        share = 0
        for number, need in enumerate(sorted(needs, reverse=True)):
            share = free // (len(needs) - number)
            if need <= share:
                return [max(each, share) for each in needs]
            free -= need
        return None


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
