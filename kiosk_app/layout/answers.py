"""Answers under a question: in rows or columns, the scale first, and apart what is no judgement."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from typing import TypeAlias

from kiosk_app.layout.block import Block
from kiosk_app.layout.frame import Grid, Part
from kiosk_app.layout.offer import Offer
from kiosk_app.layout.placed import Act, Deed, Look
from kiosk_app.layout.setting import Setting
from kiosk_app.view import Asked, Choice, Question

_SMALLEST_SCALE_WITH_FACES = 3
_LARGEST_SCALE_WITH_FACES = 5
_MOST_LINES = 3
_WIDEST_APART = 3
_MOST_LINES_BESIDE_FACE = 2


Arrangement: TypeAlias = Callable[[float], Iterator[tuple[Part, ...]]]
"""The ways to set answers at a step of the type, which are all as clear."""


def arrangements(
    setting: Setting, asked: Asked, question: Question, *, narrow: bool
) -> tuple[Arrangement, ...]:
    """How the answers of a question may stand, the clearest first: the scale in one row, in
    several, or together with what stands apart, and last so that the scale is broken between them.
    Where it is ``narrow``, in a column before a row.
    """
    scale = [choice for choice in question.choices if choice.scored]
    apart = [choice for choice in question.choices if not choice.scored]
    have_faces = (
        asked.kind == "rating"
        and not setting.measures.tight
        and _SMALLEST_SCALE_WITH_FACES <= len(scale) <= _LARGEST_SCALE_WITH_FACES
    )

    def offers(step: float, *, faces: bool) -> tuple[tuple[Offer, ...], tuple[Offer, ...]]:
        strong = _offers(
            setting, asked, question, choices=scale, step=step, look=Look.STRONG, faces=faces
        )
        plain = _offers(
            setting, asked, question, choices=apart, step=step, look=Look.PLAIN, faces=False
        )
        return strong, plain

    def parted(rows: Iterable[tuple[int, int]]) -> Arrangement:
        def ways(step: float) -> Iterator[tuple[Part, ...]]:
            for faces in (True, False) if have_faces else (False,):
                strong, plain = offers(step, faces=faces)
                for columns, columns_apart in rows:
                    if faces and columns == 1:
                        plain = tuple(replace(offer, indented=True) for offer in plain)
                    yield _grids(setting, strong, plain, columns, columns_apart)

        return ways

    def together(columns_allowed: Iterable[int]) -> Arrangement:
        def ways(step: float) -> Iterator[tuple[Part, ...]]:
            strong, plain = offers(step, faces=False)
            for columns in columns_allowed:
                yield (_part(setting, (*strong, *plain), columns),)

        return ways

    ways = _columns(len(scale), len(apart), narrow=narrow)
    most = len(scale) + len(apart)
    if narrow:
        return (parted(ways[:2]), parted(ways[2:]), together(range(2, most + 1)))
    in_a_row, broken = range(most, len(scale) - 1, -1), range(len(scale) - 1, 1, -1)
    return (parted(ways[:2]), parted(ways[2:]), together(in_a_row), together(broken))


def _offers(
    setting: Setting,
    asked: Asked,
    question: Question,
    *,
    choices: list[Choice],
    step: float,
    look: Look,
    faces: bool,
) -> tuple[Offer, ...]:
    places = {choice.code: place for place, choice in enumerate(question.choices, start=1)}
    return tuple(
        replace(
            setting.offer(
                f"answer-{places[choice.code]}-{question.language}",
                choice.text,
                Deed(Act.ANSWER, (asked.item, choice.code, question.language)),
                look,
                step,
                bold=look is Look.STRONG,
            ),
            face=(number, len(choices)) if faces else None,
            most_lines=_MOST_LINES_BESIDE_FACE if faces else _MOST_LINES,
            marked=choice.code == asked.given,
        )
        for number, choice in enumerate(choices, start=1)
    )


def _columns(scale: int, apart: int, *, narrow: bool) -> list[tuple[int, int]]:
    """How many columns the scale may have, and with it what stands apart; two ways for each."""
    if narrow:
        across = list(range(1, scale + 1))
    else:
        across = sorted({-(-scale // rows) for rows in range(1, scale + 1)}, reverse=True)
    ways = []
    for columns in across:
        wide = max(min(columns, _WIDEST_APART), apart)
        ways += [(columns, columns), (columns, wide)] if narrow else [(columns, wide)] * 2
        if not narrow and apart > columns:
            ways[-1] = (columns, columns)
    return ways


def _grids(
    setting: Setting,
    scale: tuple[Offer, ...],
    apart: tuple[Offer, ...],
    columns: int,
    columns_apart: int,
) -> tuple[Part, ...]:
    parts = [
        _part(setting, blocks, across)
        for blocks, across in ((scale, columns), (apart, columns_apart))
        if blocks
    ]
    return tuple(parts)


def _part(setting: Setting, blocks: tuple[Block, ...], columns: int) -> Part:
    grid = Grid(blocks, columns, setting.measures.gap)
    return Part(grid, grow=1, tallest=grid.tallest(setting.measures.tallest))
