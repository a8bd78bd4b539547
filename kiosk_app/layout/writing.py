"""The page on which a respondent writes: a sheet over a keyboard.

Keys are the one thing that may be smaller than 20 mm: ten of them don't fit a small panel. They
are as large as there is room for.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from itertools import product
from typing import Final

from kiosk_app.layout.block import RowBlock, Spring
from kiosk_app.layout.frame import Page, Part, Row
from kiosk_app.layout.lettering import Style
from kiosk_app.layout.panel import TARGET_MM
from kiosk_app.layout.placed import (
    Act,
    Align,
    Box,
    Button,
    Deed,
    Lettered,
    Look,
    Placed,
    Sheet,
    Tone,
)
from kiosk_app.layout.setting import CROWDED_FOOT_LINES, FOOT_LINES, Setting
from kiosk_app.view import Asked, Question, View

FIGURES: Final = ("1234567890", "-/:;()£&@+", ".,?!'\"")
FIGURES_KEY: Final = "123"
LETTERS_KEY: Final = "abc"

_SHEET_LINES: Final = 3
_SPACE: Final = 2
_SMALLEST_KEY_MM: Final = 10.0


class Keys(StrEnum):
    """What the keys write."""

    LETTERS = "letters"
    CAPITALS = "capitals"
    FIGURES = "figures"


@dataclass(frozen=True, slots=True)
class Paper:
    """What is written on, so many lines high at least."""

    setting: Setting
    prompt: str
    lines: int = _SHEET_LINES

    def height(self, width: int) -> int | None:
        """See `Block`."""
        return self._style.height(self.lines) + 2 * self._pad

    def place(self, box: Box) -> Iterator[Placed]:
        """See `Block`."""
        room = box.inset(2 * self._pad, self._pad)
        prompt = self.setting.lettering.lines(self.prompt, self._style, room.width)
        assert prompt is not None
        yield Sheet(box, room, self._style, prompt)

    @property
    def _style(self) -> Style:
        return self.setting.measures.style()

    @property
    def _pad(self) -> int:
        return self.setting.measures.pad


@dataclass(frozen=True, slots=True)
class Keyboard:
    """Rows of keys, all rows equally high, and all letters equally wide."""

    setting: Setting
    language: str
    keys: Keys
    least_mm: float = _SMALLEST_KEY_MM

    def height(self, width: int) -> int | None:
        """See `Block`."""
        last = self._rows[-1]
        least = self._word_widths(last)
        if sum(least) + (len(last) - 1) * self._gap > width:
            return None
        return len(self._rows) * self._least + (len(self._rows) - 1) * self._gap

    def tallest(self) -> int:
        """How high it becomes at most."""
        rows = len(self._rows)
        return rows * self.setting.measures.target + (rows - 1) * self._gap

    def place(self, box: Box) -> Iterator[Placed]:
        """See `Block`."""
        rows, gap = self._rows, self._gap
        high = (box.height - (len(rows) - 1) * gap) // len(rows)
        columns = max(len(row) for row in rows[:-1])
        wide = (box.width - (columns - 1) * gap) // columns
        for number, row in enumerate(rows):
            y = box.y + number * (high + gap)
            x, widths = box.x, self._last_widths(row, box.width)
            if number < len(rows) - 1:
                x += (box.width - len(row) * wide - (len(row) - 1) * gap) // 2
                widths = [wide] * len(row)
            for (name, words, deed), across in zip(row, widths, strict=True):
                yield self._key(Box(x, y, across, high), name, words, deed)
                x += across + gap

    def _last_widths(self, row: list[tuple[str, str, Deed]], width: int) -> list[int]:
        """Each key of the last row as wide as its word; the space bar takes the rest."""
        widths = self._word_widths(row)
        widths[_SPACE] += width - sum(widths) - (len(row) - 1) * self._gap
        return widths

    def _word_widths(self, row: list[tuple[str, str, Deed]]) -> list[int]:
        lettering, measures = self.setting.lettering, self.setting.measures
        return [
            max(measures.target, lettering.width(words, measures.style()) + measures.pad)
            for _, words, _ in row
        ]

    def _key(self, box: Box, name: str, words: str, deed: Deed) -> Button:
        on = name == "key-capitals" and self.keys is Keys.CAPITALS
        style = self.setting.measures.style()
        return Button(
            box,
            name,
            Lettered(box, (words,), style, Align.CENTRE),
            deed,
            Look.STRONG if on else Look.PLAIN,
        )

    @property
    def _rows(self) -> list[list[tuple[str, str, Deed]]]:
        words = self.setting.catalogues[self.language]
        figures = self.keys is Keys.FIGURES
        rows = []
        for letters in FIGURES if figures else words.keyboard:
            row = []
            for letter in letters:
                written = letter.upper() if self.keys is Keys.CAPITALS else letter
                row.append((f"key-{letter}", written, Deed(Act.LETTER, (written,))))
            rows.append(row)
        shift = Keys.LETTERS if self.keys is Keys.CAPITALS else Keys.CAPITALS
        plane = Keys.LETTERS if figures else Keys.FIGURES
        rows.append(
            [
                ("key-capitals", words.capitals, Deed(Act.KEYS, (shift,))),
                ("key-figures", LETTERS_KEY if figures else FIGURES_KEY, Deed(Act.KEYS, (plane,))),
                ("key-space", words.space, Deed(Act.LETTER, (" ",))),
                ("key-delete", words.delete, Deed(Act.DELETE)),
            ]
        )
        return rows

    @property
    def _least(self) -> int:
        style = self.setting.measures.style()
        return max(style.height(1), self.setting.panel.px(self.least_mm))

    @property
    def _gap(self) -> int:
        return self.setting.panel.px(1.0)


def writing_pages(setting: Setting, view: View, leaf: int, keys: Keys) -> Iterator[Page]:
    """All on one page; or, where there is no room, the question first and then the keyboard."""
    assert view.asked is not None
    asked, [question] = view.asked, view.asked.questions
    yield from _whole(setting, view, asked, question, keys)
    for here in setting.rooms:
        if leaf == 0:
            yield from _question_leaf(here, view, asked, question)
        else:
            yield from _keyboard_leaf(here, asked, question, keys)


def _whole(
    setting: Setting, view: View, asked: Asked, question: Question, keys: Keys
) -> Iterator[Page]:
    words = setting.catalogues[question.language]
    keyboard = Keyboard(setting, question.language, keys)
    left, right = _feet(setting, view, asked, question, _done(setting, asked, question))
    for foot in setting.footers(left, right):
        yield setting.page(
            Part(setting.header(view, setting.progress(asked, question.language))),
            *_asks(setting, question),
            Part(Paper(setting, words.type_here), 1),
            Part(keyboard, 2, keyboard.tallest()),
            *setting.ruled(foot),
        )


def _question_leaf(
    setting: Setting, view: View, asked: Asked, question: Question
) -> Iterator[Page]:
    words = setting.catalogues[question.language]
    write = setting.offer("write", words.write, Deed(Act.LEAF, (1,)), Look.STRONG)
    header = Part(setting.header(view, setting.progress(asked, question.language)))
    crowded = (FOOT_LINES, CROWDED_FOOT_LINES) if setting.measures.edge else (FOOT_LINES,)
    heads = (((header,), False), ((header,), True), ((), True))
    for lines, (head, short) in product(crowded, heads):
        left, right = _feet(setting, view, asked, question, write, short=short)
        for foot in setting.footers(left, right, lines):
            yield setting.page(
                *head, *_asks(setting, question), Part(Spring(), 1), *setting.ruled(foot)
            )


def _keyboard_leaf(
    setting: Setting, asked: Asked, question: Question, keys: Keys
) -> Iterator[Page]:
    """The sheet over keys as large as any button, or, where there is no room for those, between
    the ways back and on.
    """
    words = setting.catalogues[question.language]
    back = setting.offer("read-back", words.back, Deed(Act.LEAF, (0,)))
    done, paper = _done(setting, asked, question), Paper(setting, words.type_here, lines=2)
    large = Keyboard(setting, question.language, keys, TARGET_MM)
    yield setting.page(
        Part(paper, 1), Part(large, 1, large.tallest()), *setting.ruled(setting.row([back], [done]))
    )
    sheet = Spring(setting.measures.target, paper)
    top = Row((back, sheet, done), setting.measures.gap, most_lines=1)
    small = Keyboard(setting, question.language, keys)
    yield setting.page(Part(top), Part(small, 1))


def _asks(setting: Setting, question: Question) -> tuple[Part, ...]:
    step = setting.measures.steps.reading
    asks = setting.text(question.text, step, bold=True, tone=Tone.HEADING, level=True)
    if not question.notice:
        return (Part(asks),)
    return (Part(asks), Part(setting.text("\n".join(question.notice), tone=Tone.QUIET)))


def _feet(
    setting: Setting,
    view: View,
    asked: Asked,
    question: Question,
    onward: RowBlock,
    *,
    short: bool = False,
) -> tuple[list[RowBlock], list[RowBlock]]:
    language = question.language
    words = setting.catalogues[language]
    left: list[RowBlock] = []
    if asked.can_go_back:
        left.append(setting.offer("back", words.back, Deed(Act.BACK, (asked.item, language))))
    left.append(setting.offer("stop", words.stop, Deed(Act.STOP)))
    right = [*setting.other_languages(view), setting.skip(asked, language, short=short), onward]
    return left, right


def _done(setting: Setting, asked: Asked, question: Question) -> RowBlock:
    words = setting.catalogues[question.language]
    return setting.offer(
        "next", words.next, Deed(Act.WRITTEN, (asked.item, question.language)), Look.STRONG
    )
