"""Offers: buttons as parts of a page."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Final

from kiosk_app.layout.lettering import Lettering, Style
from kiosk_app.layout.measures import Measures
from kiosk_app.layout.placed import Align, Box, Button, Deed, Face, Lettered, Look, Placed

_FACE_SHARE: Final = 0.7
_MARK_SHARE: Final = 0.42
_MARK_SHARE_TIGHT: Final = 0.24
_LETTERS_A_LINE: Final = 4
"""What has fewer than twice as many is not worth a second line: "Back" is two words in Welsh."""


@dataclass(frozen=True, slots=True)
class Offer:
    """A button, at least as large as a finger needs, with its words in the middle.

    ``most_lines`` is how many lines its words may take, if they are long. A face stands left of
    them; ``indented``, they stand where they would beside one. A mark stands right of them, or in
    the corner where they leave no room.
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
        lines, pad_down = self._lines(width, self._after), self.measures.pad_down
        over = pad_down
        if lines is None and self.marked:
            lines, over = self._lines(width, self.measures.pad), self._corner
        if lines is None:
            return None
        return max(self.measures.target, over + self.style.height(len(lines)) + pad_down)

    def narrowest(self, lines: int) -> int:
        """See `RowBlock`. A mark is in the corner then."""
        words = self.lettering.narrowest(self.words, self.style, min(lines, self._most_lines))
        return max(self.measures.target, words + self._before + self.measures.pad)

    def place(self, box: Box) -> Iterator[Placed]:
        """See `Block`."""
        half_pad, over = self.measures.pad // 2, 0
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
                over = self._corner
                mark = replace(mark, x=box.right - half_pad - side, y=box.y + half_pad)
        assert lines is not None
        across = box.width - self._before - after
        room = Box(box.x + self._before, box.y + over, across, box.height - over)
        align = Align.LEFT if self._beside_face else Align.CENTRE
        words = Lettered(room, lines, self.style, align)
        yield Button(box, self.name, words, self.deed, self.look, face, mark)

    def _lines(self, width: int, after: int) -> tuple[str, ...] | None:
        """Its words in lines, with so much room left after them; None if they don't fit."""
        lines = self.lettering.balanced(self.words, self.style, width - self._before - after)
        return None if lines is None or len(lines) > self._most_lines else lines

    @property
    def _most_lines(self) -> int:
        return max(1, min(self.most_lines, len(self.words) // _LETTERS_A_LINE))

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
