"""Answers under a question: the scale in one row or one column, and apart what is no judgement."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Self

from kiosk_app.layout.block import Spring
from kiosk_app.layout.frame import Beside, Column, Grid, Part, Rank
from kiosk_app.layout.offer import Offer
from kiosk_app.layout.placed import Act, Deed, Look
from kiosk_app.layout.setting import Setting
from kiosk_app.view import Asked, Question

_SMALLEST_SCALE_WITH_FACES = 2
_LARGEST_SCALE_WITH_FACES = 7
_MOST_LINES = 3
_MOST_LINES_BESIDE_FACE = 2
_APART = 4
"""So many gaps are between a scale and what stands apart beside it."""
_COLUMN_SHARES = (3, 2)
_COLUMNS_APART = (3, 2)


@dataclass(frozen=True, slots=True)
class Answers:
    """The buttons of a question: those of its scale, all of one look, and those of what stands
    apart.
    """

    setting: Setting
    scale: tuple[Offer, ...]
    apart: tuple[Offer, ...]

    @classmethod
    def of(cls, setting: Setting, asked: Asked, question: Question) -> Self:
        """The answers of a question that is asked."""
        scored = sum(choice.scored for choice in question.choices)
        faces = (
            asked.kind == "rating"
            and setting.measures.faces
            and _SMALLEST_SCALE_WITH_FACES <= scored <= _LARGEST_SCALE_WITH_FACES
        )
        scale: list[Offer] = []
        apart: list[Offer] = []
        for place, choice in enumerate(question.choices, start=1):
            offer = setting.offer(
                f"answer-{place}-{question.language}",
                choice.text,
                Deed(Act.ANSWER, (asked.item, choice.code, question.language)),
                Look.STRONG if choice.scored else Look.PLAIN,
                setting.measures.steps.answer,
                bold=choice.scored,
            )
            offer = replace(offer, most_lines=_MOST_LINES, marked=choice.code == asked.given)
            if not choice.scored:
                apart.append(offer)
            elif faces:
                face = len(scale) + 1, scored
                scale.append(replace(offer, face=face, most_lines=_MOST_LINES_BESIDE_FACE))
            else:
                scale.append(offer)
        return cls(setting, tuple(scale), tuple(apart))

    def in_a_row(self) -> Iterator[tuple[Part, ...]]:
        """The ways to set them with the scale in one row, and under it what stands apart."""
        yield from self._over(self._row(self.scale))

    def side_by_side(self) -> Iterator[tuple[Part, ...]]:
        """All of them in one row."""
        if self.apart:
            yield (self._row(self.scale, self.apart),)

    def in_a_column(self) -> Iterator[tuple[Part, ...]]:
        """The ways to set them one over another, the clearest first."""
        column = self._grid(self.scale, 1)
        if self.apart:
            faces = any(offer.face is not None for offer in self.scale)
            under = tuple(replace(offer, indented=faces) for offer in self.apart)
            yield (column, Part(Spring()), self._grid(under, 1))
        yield from self._over(column, _COLUMNS_APART[-1:])

    def in_two_columns(self) -> Iterator[tuple[Part, ...]]:
        """The scale in one column, and low in another what stands apart."""
        if self.apart:
            column, gap = self._grid(self.scale, 1), self.setting.measures.gap
            low = Column((Part(Spring(), 1), Part(Grid(self.apart, 1, gap))))
            both = Beside((column.block, low), _COLUMN_SHARES, _APART * gap)
            yield (replace(column, block=both),)

    def in_rows(self) -> Iterator[tuple[Part, ...]]:
        """The ways to set them with the scale broken, in rows as even as they can be."""
        count = len(self.scale)
        across = {-(-count // rows) for rows in range(2, count)}
        for columns in sorted(across, reverse=True):
            yield from self._over(self._grid(self.scale, columns))

    def _over(
        self, scale: Part, across: tuple[int, ...] = _COLUMNS_APART
    ) -> Iterator[tuple[Part, ...]]:
        """The scale, and, not so close under it as its own rows are, a row of what stands apart."""
        apart = len(self.apart)
        if not apart:
            yield (scale,)
            return
        for columns in dict.fromkeys(max(apart, least) for least in across):
            yield (scale, Part(Spring()), self._grid(self.apart, columns))

    def _row(self, *groups: tuple[Offer, ...]) -> Part:
        measures = self.setting.measures
        rank = Rank(groups, measures.gap, _APART * measures.gap, _MOST_LINES)
        return Part(rank, grow=1, tallest=measures.tallest)

    def _grid(self, offers: tuple[Offer, ...], columns: int) -> Part:
        grid = Grid(offers, columns, self.setting.measures.gap)
        return Part(grid, grow=1, tallest=grid.tallest(self.setting.measures.tallest))
