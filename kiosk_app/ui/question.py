"""A question as it stands on the screen: its words, and its answers as buttons."""

from functools import partial
from typing import Final

from kivy.uix.boxlayout import BoxLayout
from kivy.uix.widget import Widget

from kiosk_app.ui.button import Look, WordButton, Words
from kiosk_app.ui.theme import QUIET_INK, Theme
from kiosk_app.view import Choice, Question

_MOST_IN_ROW: Final = 6
_TALLEST: Final = 140
_TALLEST_NARROW: Final = 74
_TALLEST_APART: Final = 80
_MOST_APART: Final = 4
_SCALE_SIZES: Final = (31, 28, 25, 22, 19)
_APART_SIZES: Final = (25, 23, 21, 19)
_ROOM: Final = 400
_ROOM_NARROW: Final = 300


class QuestionPane(BoxLayout):
    """One question in one language, with a button for each choice.

    The scale stands in rows, best first, or, where the pane is ``narrow``, in a column; what is
    no judgement stands apart below. Gives ``on_answer`` with the code of the choice.
    """

    __events__ = ("on_answer",)

    def __init__(
        self,
        theme: Theme,
        question: Question,
        *,
        lead: str = "",
        given: int | str | None = None,
        narrow: bool = False,
    ) -> None:
        self._gap = theme(12 if narrow else 18)
        super().__init__(orientation="vertical", spacing=self._gap)
        self._theme = theme
        if lead:
            self.add_widget(
                Words(
                    theme,
                    (26, 24, 22, 20),
                    text=lead,
                    color=QUIET_INK,
                    halign="left",
                    size_hint_y=None,
                    height=theme(60 if narrow else 40),
                )
            )
        self.add_widget(
            Words(
                theme,
                (34, 31, 28, 25, 22) if narrow else (46, 42, 38, 34, 30),
                text=question.text,
                bold=True,
                halign="left",
            )
        )
        self._given = given
        self._names = {
            choice.code: f"answer-{place}-{question.language}"
            for place, choice in enumerate(question.choices, start=1)
        }
        scale = [choice for choice in question.choices if choice.scored]
        apart = [choice for choice in question.choices if not choice.scored]
        scale_rows = _rows(scale, 1 if narrow else _MOST_IN_ROW)
        columns = 2 if narrow else min(_MOST_APART, max(len(row) for row in scale_rows))
        apart_rows = _rows(apart, columns)
        tallest, room = (_TALLEST_NARROW, _ROOM_NARROW) if narrow else (_TALLEST, _ROOM)
        height = min(tallest, room // (len(scale_rows) + len(apart_rows)))
        for row in scale_rows:
            self._add_row(row, len(row), height, Look.STRONG)
        for row in apart_rows:
            self._add_row(row, columns, min(height, _TALLEST_APART), Look.PLAIN)

    def _add_row(self, choices: list[Choice], columns: int, height: float, look: Look) -> None:
        theme = self._theme
        row = BoxLayout(spacing=self._gap, size_hint_y=None, height=theme(height))
        for choice in choices:
            row.add_widget(self._button(choice, look))
        for _ in range(columns - len(choices)):
            row.add_widget(Widget())
        self.add_widget(row)

    def _button(self, choice: Choice, look: Look) -> WordButton:
        button = WordButton(
            self._theme,
            self._names[choice.code],
            choice.text,
            look=look,
            sizes=_SCALE_SIZES if look is Look.STRONG else _APART_SIZES,
            marked=choice.code == self._given,
        )
        button.bind(on_release=partial(self._choose, choice.code))
        return button

    def _choose(self, code: int, _: WordButton) -> None:
        self.dispatch("on_answer", code)

    def on_answer(self, code: int) -> None:
        """A choice was tapped."""


def _rows(choices: list[Choice], most: int) -> list[list[Choice]]:
    """The choices in as few rows as there must be, about equally long."""
    if not choices:
        return []
    count = -(-len(choices) // most)
    length = -(-len(choices) // count)
    return [choices[start : start + length] for start in range(0, len(choices), length)]
