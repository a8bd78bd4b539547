"""The page: what all screens have in common."""

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any, Final

from kivy.graphics import Color, Line
from kivy.uix.boxlayout import BoxLayout
from kivy.uix.widget import Widget

from kiosk_app.languages.catalogue import Catalogue
from kiosk_app.ui.button import Look, WordButton, Words
from kiosk_app.ui.theme import FAINT, QUIET_INK, Theme
from kiosk_app.view import Asked, View

MARGIN: Final = 40
GAP: Final = 22
_EDGE: Final = 28
_HEADER: Final = 52
_FOOTER: Final = 80
_HEADING: Final = (56, 50, 44, 38, 33)
_LINE: Final = (30, 27, 24, 21)

Catalogues = Mapping[str, Catalogue]


class Page(BoxLayout):
    """A page that shows one view; each kind of screen is one.

    It gives the respondent's deeds: ``on_answer`` (item, value, language), ``on_skip`` and
    ``on_back`` (item, language), ``on_language`` (language), ``on_dismiss``.
    """

    __events__ = ("on_answer", "on_skip", "on_back", "on_language", "on_dismiss")

    def __init__(self, theme: Theme, catalogues: Catalogues) -> None:
        super().__init__(
            orientation="vertical", padding=(theme(MARGIN), theme(_EDGE)), spacing=theme(GAP)
        )
        self.theme = theme
        self.catalogues = catalogues

    def show(self, view: View) -> None:
        """Show a view, in place of what was shown."""
        raise NotImplementedError

    @property
    def buttons(self) -> list[WordButton]:
        """The buttons on the page, those that can't be tapped yet included."""
        return [widget for widget in self.walk(restrict=True) if isinstance(widget, WordButton)]

    def on_answer(self, item: int, value: int | str, language: str) -> None:
        """An answer was given to an item, under its question in a language."""

    def on_skip(self, item: int, language: str) -> None:
        """An item is passed over."""

    def on_back(self, item: int, language: str) -> None:
        """The item before is wanted."""

    def on_language(self, language: str) -> None:
        """Another language is wanted."""

    def on_dismiss(self) -> None:
        """What is shown was read."""

    def header(self, view: View, middle: str = "") -> Widget:
        """The site, what stands beside it, and the languages to change to."""
        theme = self.theme
        header = BoxLayout(size_hint_y=None, height=theme(_HEADER), spacing=theme(GAP))
        quiet: dict[str, Any] = {"color": QUIET_INK}
        header.add_widget(Words(theme, (24, 21, 18), text=view.site_name, halign="left", **quiet))
        if middle:
            header.add_widget(Words(theme, (24, 21), text=middle, halign="right", **quiet))
        for language in view.other_languages:
            button = WordButton(
                theme,
                f"language-{language}",
                self.catalogues[language].name,
                sizes=(24, 21, 18),
                size_hint_x=None,
                width=theme(170),
            )
            button.bind(on_release=partial(self._choose_language, language))
            header.add_widget(button)
        return header

    def footer_button(
        self, name: str, text: str, *, look: Look = Look.PLAIN, wide: bool = False
    ) -> WordButton:
        """A button for the foot of the page."""
        width = 340 if wide else 220
        return WordButton(
            self.theme,
            name,
            text,
            look=look,
            sizes=(26, 23, 20),
            size_hint_x=None,
            width=self.theme(width),
        )

    def skip_button(self, asked: Asked, language: str) -> WordButton:
        """The way past an item."""
        button = self.footer_button(f"skip-{language}", self.catalogues[language].skip, wide=True)
        button.bind(on_release=lambda _: self.dispatch("on_skip", asked.item, language))
        return button

    def footer(self, *buttons: WordButton | None) -> Widget:
        """Buttons from left to right, under a rule; room stands where there is `None`."""
        theme = self.theme
        footer = BoxLayout(size_hint_y=None, height=theme(_FOOTER + GAP), spacing=theme(GAP))
        footer.padding = (0, theme(GAP), 0, 0)
        footer.bind(pos=partial(_draw_rule, theme), size=partial(_draw_rule, theme))
        for button in buttons:
            footer.add_widget(button if button is not None else Widget())
        return footer

    def back_button(self, asked: Asked, language: str) -> WordButton | None:
        """The way to the item before, where there is one."""
        if not asked.can_go_back:
            return None
        button = self.footer_button("back", self.catalogues[language].back)
        button.bind(on_release=lambda _: self.dispatch("on_back", asked.item, language))
        return button

    def next_button(self, language: str) -> WordButton:
        """The way on, with the answer that stands."""
        return self.footer_button("next", self.catalogues[language].next, look=Look.STRONG)

    def progress(self, asked: Asked, language: str) -> str:
        """How far the session is, in words."""
        return self.catalogues[language].progress.format(
            number=asked.progress.number, total=asked.progress.total
        )

    def message(self, texts: Sequence[tuple[str, str]]) -> Widget:
        """A heading and what follows it; where there are two, they get equal room."""
        theme = self.theme
        row = BoxLayout(spacing=theme(2 * MARGIN))
        for heading, lines in texts:
            column = BoxLayout(orientation="vertical", spacing=theme(GAP))
            centred: dict[str, Any] = {"halign": "center"}
            column.add_widget(
                Words(theme, _HEADING, text=heading, bold=True, valign="bottom", **centred)
            )
            column.add_widget(
                Words(theme, _LINE, text=lines, color=QUIET_INK, valign="top", **centred)
            )
            row.add_widget(column)
        return row

    def answer(self, asked: Asked, language: str, _: Widget, value: int | str) -> None:
        """Tell of an answer that was given on this page."""
        self.dispatch("on_answer", asked.item, value, language)

    def _choose_language(self, language: str, _: WordButton) -> None:
        self.dispatch("on_language", language)


def _draw_rule(theme: Theme, widget: Widget, *_: object) -> None:
    top = widget.y + widget.height  # Kivy may not have noted `top` and `right` yet
    widget.canvas.before.clear()
    with widget.canvas.before:
        Color(*FAINT)
        Line(points=[widget.x, top, widget.x + widget.width, top], width=theme(1))
