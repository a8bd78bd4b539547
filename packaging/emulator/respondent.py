"""A respondent at a machine's screen: sees its pixels only, and knows a screen by its picture."""

import time
from collections.abc import Sequence
from random import Random
from typing import Final

from citizen import Told
from expected import Expected, recognise
from virtual_machine import VirtualMachine

from sync_service.contract.questionnaire import Questionnaire

SHOWN_S: Final = 900.0
"""How long a screen may take to come: a machine that is emulated on a busy one takes minutes."""

STANDS: Final = "exit"
LANGUAGE: Final = "en"

_SETTLE_S: Final = 1.5
"""A screen takes no tap right after it has come, and an emulated one is slow to settle."""

_TAP_AGAIN_S: Final = 45.0


class Respondent:
    """Taps answers at random. ``thanked`` is all that was seen to get its thank-you, ``unthanked``
    what was answered to the end, and cut off before that could be seen.
    """

    def __init__(
        self, screens: Sequence[Expected], questionnaire: Questionnaire, random: Random
    ) -> None:
        self._screens = screens
        self._questionnaire = questionnaire
        self._random = random
        self.thanked: list[Told] = []
        self.unthanked: list[Told] = []

    def wait_for(self, machine: VirtualMachine, *names: str, timeout_s: float) -> Expected:
        """Wait until one of the screens of these names is seen.

        Raises:
            MachineError: none is in time, or the machine has gone off.
        """
        seen: list[Expected] = []

        def is_seen() -> bool:
            screen = recognise(machine.picture(), self._screens)
            if screen is not None and screen.name in names:
                seen.append(screen)
            return bool(seen)

        machine.wait_until(is_seen, " or ".join(names), timeout_s)
        return seen[0]

    def respond(self, machine: VirtualMachine) -> Told:
        """Answer until thanks come; gives what was told.

        Raises:
            MachineError: they do not, or the machine has gone off.
        """
        answers: dict[str, str] = {}
        screen = self.wait_for(machine, "attract", timeout_s=SHOWN_S)
        while screen.name != "thanks":
            if screen.item is None:
                screen = self._tap(machine, screen, "still-here")
                continue
            item = self._questionnaire.item(screen.item)
            options = item.offered_options(STANDS)
            place = self._random.randrange(len(options))
            answers[item.name] = options[place].name
            last = len(answers) == len(self._questionnaire.ask)
            if last:
                self.unthanked.append(Told(LANGUAGE, frozenset(answers.items()), frozenset()))
            screen = self._tap(machine, screen, f"answer-{place + 1}-{LANGUAGE}")
        told = self.unthanked.pop()
        self.thanked.append(told)
        return told

    def _tap(self, machine: VirtualMachine, screen: Expected, button: str) -> Expected:
        """Tap a button until another screen comes, which is given."""
        others = [each.name for each in self._screens if each.name not in (screen.name, "attract")]
        tapped_at = float("-inf")
        seen: list[Expected] = []
        time.sleep(_SETTLE_S)

        def is_another() -> bool:
            nonlocal tapped_at
            now = recognise(machine.picture(), self._screens)
            if now is not None and now.name in others:
                seen.append(now)
            elif now is not None and time.monotonic() - tapped_at > _TAP_AGAIN_S:
                machine.tap(*screen.buttons[button])
                tapped_at = time.monotonic()
            return bool(seen)

        machine.wait_until(is_another, f"what comes after {screen.name}", SHOWN_S)
        return seen[0]
