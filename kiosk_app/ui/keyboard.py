"""The keyboard on the screen, with the letters of one language."""

from functools import partial
from typing import Final

from kivy.uix.boxlayout import BoxLayout

from kiosk_app.languages.catalogue import Catalogue
from kiosk_app.ui.button import Look, WordButton
from kiosk_app.ui.theme import Theme

_ROOM: Final = 296
_GAP: Final = 8
_LETTERS: Final = (28, 24)
_WORDS: Final = (24, 21, 18)
_FIGURES: Final = ("1234567890", "-/:;()£&@+", ".,?!'\"")
_FIGURES_KEY: Final = "123"
_LETTERS_KEY: Final = "abc"


class Keyboard(BoxLayout):
    """Rows of keys. Gives ``on_letter`` with what a key writes, and ``on_delete``."""

    __events__ = ("on_letter", "on_delete")

    def __init__(self, theme: Theme, words: Catalogue) -> None:
        super().__init__(
            orientation="vertical", spacing=theme(_GAP), size_hint_y=None, height=theme(_ROOM)
        )
        self._theme = theme
        self._words = words
        self._capitals = False
        self._letters: list[WordButton] = []
        self._rows = BoxLayout(orientation="vertical", spacing=theme(_GAP))
        self.add_widget(self._rows)
        self._capitals_key = self._key("capitals", words.capitals)
        self._capitals_key.bind(on_release=self._toggle_capitals)
        self._figures_key = self._key("figures", _FIGURES_KEY, share=0.16)
        self._figures_key.bind(on_release=self._toggle_figures)
        space = self._key("space", words.space, share=1)
        space.bind(on_release=partial(self._write, " "))
        delete = self._key("delete", words.delete)
        delete.bind(on_release=lambda _: self.dispatch("on_delete"))
        last = BoxLayout(spacing=theme(_GAP), size_hint_y=1 / len(words.keyboard))
        for key in (self._capitals_key, self._figures_key, space, delete):
            last.add_widget(key)
        self.add_widget(last)
        self._lay(words.keyboard)

    def _key(self, name: str, words: str, share: float = 0.3) -> WordButton:
        return WordButton(self._theme, f"key-{name}", words, sizes=_WORDS, size_hint_x=share)

    def _lay(self, rows: tuple[str, ...]) -> None:
        """Put out the keys that write a letter or a figure."""
        self._rows.clear_widgets()
        self._letters.clear()
        for letters in rows:
            row = BoxLayout(spacing=self._theme(_GAP))
            for letter in letters:
                key = WordButton(self._theme, f"key-{letter}", letter, sizes=_LETTERS)
                key.bind(on_release=lambda key: self._write(key.text))
                self._letters.append(key)
                row.add_widget(key)
            self._rows.add_widget(row)

    def _write(self, text: str, *_: object) -> None:
        self.dispatch("on_letter", text)
        if self._capitals:
            self._toggle_capitals()

    def _toggle_capitals(self, *_: object) -> None:
        self._capitals = not self._capitals
        self._capitals_key.restyle(Look.STRONG if self._capitals else Look.PLAIN)
        for key in self._letters:
            key.text = key.text.upper() if self._capitals else key.text.lower()

    def _toggle_figures(self, *_: object) -> None:
        if self._capitals:
            self._toggle_capitals()
        figures = self._figures_key.text == _FIGURES_KEY
        self._figures_key.text = _LETTERS_KEY if figures else _FIGURES_KEY
        self._capitals_key.disabled = figures
        self._lay(_FIGURES if figures else self._words.keyboard)

    def on_letter(self, text: str) -> None:
        """A key was tapped that writes something."""

    def on_delete(self) -> None:
        """What was written last is to go."""
