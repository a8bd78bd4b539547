"""A citizen who follows a script: taps the real window, and remembers what was answered."""

import csv
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Final

from board import Board
from kiosk_window import KioskWindow, Seen

from sync_service.contract.questionnaire import Questionnaire

ANSWER: Final = "answer"
SKIP: Final = "skip"
BACK: Final = "back"


@dataclass(frozen=True)
class Told:
    """What a respondent told, by the names that an export uses: items with their options."""

    language: str
    answers: frozenset[tuple[str, str]]
    skipped: frozenset[str]


@dataclass
class Citizen:
    """Goes through a kiosk as often as asked; ``thanked`` is all that got its thank-you.

    ``stands`` is where the kiosk stands, which decides what buttons there are. Where there is a
    ``board`` beside the screen, every other answer is given by its buttons.
    """

    window: KioskWindow
    questionnaire: Questionnaire
    stands: str
    random: Random
    board: Board | None = None
    thanked: list[Told] = field(default_factory=list)
    pressed: int = 0
    turn_to_press: bool = True

    def respond(self, language: str, moves: Sequence[str] = ()) -> Told:
        """Answer until thanks come. ``moves`` are the first ones to make; then all is answered."""
        script = list(moves)
        answers: dict[str, str] = {}
        skipped: set[str] = set()
        seen = self.window.wait_for("attract")
        if f"language-{language}" in seen.buttons:
            self.window.tap(f"language-{language}")
            seen = self.window.next_view()
        while seen.screen in ("attract", "asking"):
            assert seen.item is not None
            name = self.questionnaire.item(seen.item).name
            move = script.pop(0) if script else ANSWER
            if move == BACK:
                self.window.tap("back")
            elif move == SKIP:
                self.window.tap(f"skip-{language}")
                skipped.add(name)
                answers.pop(name, None)
            else:
                answers[name] = self._answer(seen.item, seen, language)
                skipped.discard(name)
            seen = self.window.next_view()
        if seen.screen == "saving":
            self.window.wait_for("thanks")
        told = Told(language, frozenset(answers.items()), frozenset(skipped))
        self.thanked.append(told)
        return told

    def _answer(self, item: int, seen: Seen, language: str) -> str:
        """Give one of the answers; gives its option's name."""
        options = self.questionnaire.item(item).offered_options(self.stands)
        places = {f"answer-{place}-{language}": option for place, option in enumerate(options, 1)}
        answer = self.random.choice(sorted(places))
        number = [*places].index(answer) + 1
        # Where two languages stand there, a button would answer in the first of them.
        alone = seen.languages == (language,)
        if self.board is not None and alone and number <= self.board.size and self.turn_to_press:
            self.window.settle()
            self.board.press(number)
            self.pressed += 1
            self.turn_to_press = False
        else:
            self.window.tap(answer)
            self.turn_to_press = True
        return places[answer].name


def read_export(folder: Path) -> dict[str, Told]:
    """What an export says was told, by the id of the response."""
    with (folder / "responses.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    told = {
        row["response_id"]: Told(
            row["language"],
            frozenset(
                (item, row[f"answer_{item}"])
                for item in row["offered"].split()
                if row[f"answer_{item}"]
            ),
            frozenset(row["skipped"].split()),
        )
        for row in rows
    }
    if len(told) != len(rows):
        raise ValueError(f"{folder}: {len(rows)} responses have only {len(told)} different ids")
    return told
