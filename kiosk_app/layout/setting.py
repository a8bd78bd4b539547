"""The setting of a page: what its blocks are made with, and those that many pages have."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

from kiosk_app.languages.catalogue import Catalogue
from kiosk_app.layout.block import Block, Line, RowBlock, Spring, Text
from kiosk_app.layout.frame import Column, Page, Part, Row
from kiosk_app.layout.lettering import Lettering
from kiosk_app.layout.measures import LEAST, Measures, Steps
from kiosk_app.layout.offer import Offer
from kiosk_app.layout.panel import Panel
from kiosk_app.layout.placed import Act, Align, Box, Deed, Ground, Look, Tone
from kiosk_app.view import Asked, View

_RULE_MM: Final = 0.25
_NO_BREAK_SPACE: Final = "\u00a0"
FOOT_LINES: Final = 2
CROWDED_FOOT_LINES: Final = 3
"""The most lines of a word at the foot of a page, and where there is no room to spare."""


@dataclass(frozen=True, slots=True)
class Setting:
    """The kiosk's lettering and words, and the measures of a page."""

    lettering: Lettering
    catalogues: Mapping[str, Catalogue]
    measures: Measures

    @property
    def panel(self) -> Panel:
        """The panel that is set for."""
        return self.measures.panel

    def with_room(self, *, tight: bool, edge: bool) -> "Setting":
        """The same with other measures: ``tight``, where there is no room to spare, and up to the
        ``edge``, where that is not enough.
        """
        measures = Measures.on(self.panel, self.measures.steps, tight=tight, edge=edge)
        return replace(self, measures=measures)

    @property
    def rooms(self) -> tuple["Setting", ...]:
        """The same with ever less room left free."""
        return (
            self.with_room(tight=False, edge=False),
            self.with_room(tight=True, edge=False),
            self.with_room(tight=True, edge=True),
        )

    def with_steps(self, steps: Steps) -> "Setting":
        """The same with other steps of the type."""
        tight, edge = self.measures.tight, self.measures.edge
        return replace(self, measures=Measures.on(self.panel, steps, tight=tight, edge=edge))

    @property
    def box(self) -> Box:
        """The panel without its margins."""
        panel, margin = self.panel, self.measures.margin
        return Box(0, 0, panel.width_px, panel.height_px).inset(margin, margin)

    def height_of(self, *parts: Part, width: int | None = None) -> int | None:
        """The least height of parts one under another, at the page's width if at no other; None if
        one does not fit it.
        """
        return Column(parts, self.measures.gap).height(width or self.box.width)

    def page(self, *parts: Part) -> Page:
        """A page of parts one under another."""
        return Page(Column(parts, self.measures.gap), self.box)

    def text(
        self,
        words: str,
        step: float = LEAST,
        *,
        bold: bool = False,
        tone: Tone = Tone.PLAIN,
        align: Align = Align.LEFT,
        ground: Ground = Ground.PAGE,
        level: bool = False,
        middle: bool = False,
        broken: bool = False,
    ) -> Text:
        """Words at a step of the scale."""
        style = self.measures.bold(step) if bold else self.measures.style(step)
        return Text(self.lettering, words, style, tone, align, ground, level, middle, broken)

    def offer(
        self,
        name: str,
        words: str,
        deed: Deed,
        look: Look = Look.QUIET,
        step: float = LEAST,
        *,
        bold: bool = False,
    ) -> Offer:
        """A button with words at a step of the scale."""
        style = self.measures.bold(step) if bold else self.measures.style(step)
        return Offer(self.lettering, self.measures, words, style, name, deed, look)

    def row(
        self, left: Sequence[RowBlock], right: Sequence[RowBlock], most_lines: int = FOOT_LINES
    ) -> Row:
        """Blocks at the left and at the right."""
        return Row((*left, Spring(), *right), self.measures.gap, most_lines)

    def footers(
        self, left: Sequence[RowBlock], right: Sequence[RowBlock], most_lines: int = FOOT_LINES
    ) -> Iterator[Block]:
        """The foot of a page: one row, or, on a panel that is higher than wide, two."""
        yield self.row(left, right, most_lines)
        if self.panel.upright:
            rows = self.row(left, [], most_lines), self.row(right[:-1], right[-1:], most_lines)
            yield Column(tuple(map(Part, rows)), self.measures.gap)

    def ruled(self, foot: Block) -> tuple[Part, ...]:
        """The foot of a page under a rule, or without one where there is no room to spare."""
        if self.measures.tight:
            return (Part(foot),)
        return (Part(Line(self.panel.px(_RULE_MM))), Part(foot))

    def header(self, view: View, right: str = "") -> Row:
        """The site's name, and what stands beside it."""
        quiet: list[RowBlock] = [self.text(right, tone=Tone.QUIET)] if right else []
        return Row(
            (self.text(view.site_name, tone=Tone.QUIET), Spring(), *quiet),
            self.measures.gap,
            most_lines=1,
        )

    def progress(self, asked: Asked, language: str) -> str:
        """How far the session is, in words that stay in one line."""
        words = self.catalogues[language].progress.format(
            number=asked.progress.number, total=asked.progress.total
        )
        return words.replace(" ", _NO_BREAK_SPACE)

    def skip(self, asked: Asked, language: str, *, short: bool) -> Offer:
        """The way past an item."""
        words = self.catalogues[language]
        return self.offer(
            f"skip-{language}",
            words.skip_short if short else words.skip,
            Deed(Act.SKIP, (asked.item, language)),
        )

    def other_languages(self, view: View) -> list[RowBlock]:
        """The languages to change to."""
        return [
            self.offer(
                f"language-{language}",
                self.catalogues[language].name,
                Deed(Act.LANGUAGE, (language,)),
            )
            for language in view.other_languages
        ]

    def about(self, language: str) -> Offer:
        """The way to what happens to an answer."""
        return self.offer(
            f"about-{language}", self.catalogues[language].about, Deed(Act.ABOUT, (language,))
        )

    def replies(self, language: str) -> Offer:
        """The way to what the service replies."""
        return self.offer(
            f"replies-{language}",
            self.catalogues[language].replies,
            Deed(Act.REPLIES, (language,)),
        )
