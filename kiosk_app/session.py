"""A session: one respondent's pass through the items drawn for it."""

from collections.abc import Sequence
from dataclasses import dataclass

from kiosk_app.error import NotAdmittedError
from kiosk_app.in_force import InForce
from sync_service.contract.questionnaire import Item, Option
from sync_service.contract.record import Ending, InputMode, Moment, Response


@dataclass(frozen=True, slots=True)
class Progress:
    """Where a session is: at item ``number`` of ``total``."""

    number: int
    total: int


class Session:
    """One respondent's pass.

    It begins with the first answer or skip, and is over when the last item was answered or
    skipped. What was answered stays answered on the way back, until it is answered otherwise.
    """

    def __init__(self, items: Sequence[Item], stands: str) -> None:
        self._items = tuple(items)
        self._stands = stands
        self._at = 0
        self._shown = 1
        self._answers: dict[int, int | str] = {}
        self._skipped: set[int] = set()
        self._taps = 0
        self._input_mode = InputMode.TOUCH

    @property
    def over(self) -> bool:
        """Whether the last item was answered or skipped."""
        return self._at == len(self._items)

    @property
    def begun(self) -> bool:
        """Whether anything was answered or skipped."""
        return bool(self._answers or self._skipped)

    @property
    def item(self) -> Item:
        """The item that is asked now. There is one until the session is over."""
        return self._items[self._at]

    @property
    def options(self) -> tuple[Option, ...]:
        """The options of the item that is asked now, as offered where the kiosk stands."""
        return self.item.offered_options(self._stands)

    @property
    def given(self) -> int | str | None:
        """What was answered before to the item that is asked now."""
        return self._answers.get(self.item.code)

    @property
    def progress(self) -> Progress:
        """Where the session is."""
        return Progress(self._at + 1, len(self._items))

    @property
    def can_go_back(self) -> bool:
        """Whether there is an item before."""
        return self._at > 0

    @property
    def invitation_accepted(self) -> bool:
        """Whether the first option was given to the item that stands for an invitation."""
        return any(
            self._answers.get(item.code) == item.options[0].code
            for item in self._items
            if item.needs == "invitation"
        )

    def admits(self, item: int, value: int | str) -> bool:
        """Whether the item is the one that is asked now, and the value an answer to it."""
        if self.over or item != self.item.code or not self.item.admits(value):
            return False
        return self.item.kind == "text" or any(option.code == value for option in self.options)

    def answer(self, item: int, value: int | str, input_mode: InputMode = InputMode.TOUCH) -> None:
        """Answer the item that is asked now, and go on to the next.

        A session in which any answer was not given by touch is of that input mode.

        Raises:
            NotAdmittedError: another item is asked, or the value is no answer to it.
        """
        if not self.admits(item, value):
            raise NotAdmittedError("not an answer to the item that is asked")
        self._skipped.discard(item)
        self._answers[item] = value
        if input_mode is not InputMode.TOUCH:
            self._input_mode = input_mode
        self._go_on()

    def skip(self) -> None:
        """Pass over the item that is asked now; what was answered to it before is withdrawn."""
        self._answers.pop(self.item.code, None)
        self._skipped.add(self.item.code)
        self._go_on()

    def back(self) -> None:
        """Return to the item before."""
        self._taps += 1
        self._at -= 1

    def response(self, in_force: InForce, language: str, moment: Moment) -> Response:
        """What is recorded of the session as it stands: abandoned, if it is not over."""
        offered = [item.code for item in self._items[: self._shown]]
        return Response(
            assignment=in_force.assignment_serial,
            moment=moment,
            language=language,
            questionnaire=in_force.questionnaire_serial,
            offered=tuple(offered),
            answers={code: self._answers[code] for code in offered if code in self._answers},
            skipped=tuple(code for code in offered if code in self._skipped),
            ending=Ending.COMPLETED if self.over else Ending.ABANDONED,
            input_mode=self._input_mode,
            single_tap=self._taps == 1,
        )

    def _go_on(self) -> None:
        self._taps += 1
        self._at += 1
        if not self.over:
            self._shown = max(self._shown, self._at + 1)
