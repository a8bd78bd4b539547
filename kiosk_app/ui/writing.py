"""The screen on which a respondent writes."""

from typing import Final

from kivy.graphics import Color, Line, RoundedRectangle
from kivy.uix.boxlayout import BoxLayout
from kivy.uix.label import Label

from kiosk_app.ui.button import WordButton, Words
from kiosk_app.ui.keyboard import Keyboard
from kiosk_app.ui.page import GAP, Catalogues, Page
from kiosk_app.ui.theme import CARD, EDGE, FONT, INK, QUIET_INK, Theme
from kiosk_app.view import View

_CURSOR: Final = "|"


class TextPage(Page):
    """A question answered in one's own words, with a keyboard.

    What is written stays there while the respondent goes back and forth, until `forget`.
    """

    def __init__(self, theme: Theme, catalogues: Catalogues) -> None:
        super().__init__(theme, catalogues)
        self._drafts: dict[int, str] = {}

    def forget(self) -> None:
        """Forget what was written: its respondent is gone, and what was to be kept is stored."""
        self._drafts.clear()
        self.clear_widgets()

    def show(self, view: View) -> None:
        """Show the item that is asked, with what was written before."""
        self.clear_widgets()
        assert view.asked is not None
        asked, [question] = view.asked, view.asked.questions
        theme, language = self.theme, question.language
        words = self.catalogues[language]
        self.add_widget(self.header(view, self.progress(asked, language)))
        self.add_widget(
            Words(
                theme,
                (32, 29, 26, 23),
                text=question.text,
                bold=True,
                halign="left",
                size_hint_y=None,
                height=theme(76),
            )
        )
        given = asked.given if isinstance(asked.given, str) else ""
        draft = self._drafts.get(asked.item, given)
        sheet = Sheet(theme, draft, asked.max_length, words.type_here)
        row = BoxLayout(spacing=theme(GAP))
        row.add_widget(sheet)
        if question.notice:
            row.add_widget(
                Words(
                    theme,
                    (21, 20, 19, 18, 17),
                    text="\n".join(question.notice),
                    color=QUIET_INK,
                    halign="left",
                    size_hint_x=0.85,
                )
            )
        self.add_widget(row)
        keyboard = Keyboard(theme, words)
        keyboard.bind(
            on_letter=lambda _, letter: sheet.write(letter), on_delete=lambda _: sheet.delete()
        )
        self.add_widget(keyboard)
        onward = self.next_button(language)
        onward.disabled = not draft.strip()

        def written(_: Sheet, text: str) -> None:
            self._drafts[asked.item] = text
            onward.disabled = not text.strip()

        def go_on(_: WordButton) -> None:
            self.answer(asked, language, self, sheet.written.strip())

        sheet.bind(on_written=written)
        onward.bind(on_release=go_on)
        back, skip = self.back_button(asked, language), self.skip_button(asked, language)
        self.add_widget(self.footer(back, None, skip, onward))


class Sheet(Label):
    """What the respondent writes on. Gives ``on_written`` with the text at each change.

    When it is full, its last lines are shown.
    """

    __events__ = ("on_written",)

    def __init__(self, theme: Theme, written: str, most: int, prompt: str) -> None:
        super().__init__(font_name=FONT, font_size=theme(28), halign="left")
        self.written = written
        self._most = most
        self._prompt = prompt
        self._inset = theme(16)
        self._radius = theme(14)
        with self.canvas.before:
            Color(*CARD)
            self._face = RoundedRectangle(radius=[self._radius])
            Color(*EDGE)
            self._edge = Line(width=theme(1.5))
        self.bind(pos=self._draw, size=self._draw)
        self._show()

    def write(self, letters: str) -> None:
        """Add to what is written, as long as there is room."""
        if len(self.written) + len(letters) <= self._most:
            self._write(self.written + letters)

    def delete(self) -> None:
        """Take away what was written last."""
        self._write(self.written[:-1])

    def on_written(self, text: str) -> None:
        """What is written has changed."""

    def _write(self, text: str) -> None:
        self.written = text
        self._show()
        self.dispatch("on_written", text)

    def _show(self) -> None:
        self.color = INK if self.written else QUIET_INK
        self.text = self.written + _CURSOR if self.written else self._prompt
        width, height = self.width - 2 * self._inset, self.height - 2 * self._inset
        self.text_size = (width, None)
        self.texture_update()
        self.valign = "bottom" if self.texture_size[1] > height else "top"
        self.text_size = (width, height)

    def _draw(self, *_: object) -> None:
        self._face.pos, self._face.size = self.pos, self.size
        self._edge.rounded_rectangle = (*self.pos, *self.size, self._radius)
        self._show()
