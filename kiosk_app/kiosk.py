"""The kiosk: what happens at the screen. Events in, one frozen view out; no I/O and no clock.

Every event says when it happened, ``now``, in seconds of a clock that only rises. Events of the
respondent also say which item and which language they were shown for. What comes too soon after
the screen has changed, or was shown for something else, is ignored: so one tap is one answer.
"""

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from random import Random
from typing import Final

from kiosk_app.in_force import InForce
from kiosk_app.session import Progress, Session
from sync_service.contract.publication import Invitation
from sync_service.contract.questionnaire import Item, ItemKind
from sync_service.contract.record import Moment, Response


class Screen(StrEnum):
    """What kind of thing is shown."""

    ATTRACT = "attract"
    ASKING = "asking"
    SAVING = "saving"
    THANKS = "thanks"
    OUT_OF_SERVICE = "out_of_service"


class Trouble(StrEnum):
    """Why the kiosk is out of service, as far as a respondent cares."""

    NOT_SAVED = "not_saved"
    NOT_WORKING = "not_working"


@dataclass(frozen=True, slots=True)
class Manners:
    """How patient the kiosk is; all in seconds.

    ``settle_s``: how long a new screen ignores taps that were meant for the one before.
    ``idle_timeout_s``: without a touch, the respondent has walked away.
    ``thanks_s``, ``invitation_s``: how long thanks stand, alone and with an invitation.
    ``saving_shown_after_s``: a commit that is quicker than this is not worth a word.
    """

    settle_s: float = 0.35
    idle_timeout_s: float = 30.0
    thanks_s: float = 6.0
    invitation_s: float = 25.0
    saving_shown_after_s: float = 0.5


@dataclass(frozen=True, slots=True)
class Choice:
    """A button under a question. One that is not ``scored`` stands apart from the scale."""

    code: int
    text: str
    scored: bool


@dataclass(frozen=True, slots=True)
class Question:
    """An item in one language."""

    language: str
    text: str
    choices: tuple[Choice, ...]
    notice: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Asked:
    """The item that is asked: one question in each language shown at once.

    ``given`` is what was answered before, when the respondent came back to it.
    """

    item: int
    kind: ItemKind
    questions: tuple[Question, ...]
    given: int | str | None
    max_length: int
    progress: Progress
    can_go_back: bool


@dataclass(frozen=True, slots=True)
class View:
    """All that the screen shows.

    ``languages`` are those that it speaks at once, with equal room; ``other_languages`` those
    that it offers to change to.
    """

    screen: Screen
    site_name: str
    languages: tuple[str, ...]
    other_languages: tuple[str, ...] = ()
    asked: Asked | None = None
    invitation: Invitation | None = None
    trouble: Trouble | None = None
    saving_shown: bool = False


_OPEN: Final = (Screen.ATTRACT, Screen.ASKING)


class Kiosk:
    """One kiosk, from attract screen to thanks and back.

    It begins out of service, until `in_service` is told. ``moment`` gives the present half-day in
    a time zone. ``record`` takes a finished session's response and must not wait; its fate comes
    back as `recorded`, or as `record_failed` and, some time later, `recorded` all the same.
    ``session_begun`` is called for each first tap.
    """

    def __init__(
        self,
        in_force: InForce,
        manners: Manners,
        *,
        random: Random,
        moment: Callable[[str], Moment],
        record: Callable[[Response], None],
        session_begun: Callable[[], None],
        now: float,
    ) -> None:
        self._in_force = in_force
        self._next_in_force = in_force
        self._manners = manners
        self._random = random
        self._moment = moment
        self._record = record
        self._session_begun = session_begun
        self._working = False
        self._unsaved = False
        self._rest(now)

    @property
    def view(self) -> View:
        """What the screen shows now."""
        trouble = None
        if self._screen is Screen.OUT_OF_SERVICE:
            trouble = Trouble.NOT_SAVED if self._unsaved else Trouble.NOT_WORKING
        return View(
            screen=self._screen,
            site_name=self._in_force.assignment.site_name,
            languages=self._languages,
            other_languages=self._other_languages,
            asked=self._asked() if self._screen in _OPEN else None,
            invitation=self._invitation,
            trouble=trouble,
            saving_shown=self._saving_shown,
        )

    @property
    def available(self) -> bool:
        """Whether a respondent can answer, or is being answered."""
        return self._screen is not Screen.OUT_OF_SERVICE

    @property
    def next_tick(self) -> float | None:
        """When `tick` will next change anything, if nothing else happens before."""
        match self._screen:
            case Screen.ASKING:
                return self._touched_at + self._manners.idle_timeout_s
            case Screen.ATTRACT if self._language_chosen:
                return self._touched_at + self._manners.idle_timeout_s
            case Screen.SAVING if not self._saving_shown:
                return self._changed_at + self._manners.saving_shown_after_s
            case Screen.THANKS:
                invited = self._invitation is not None
                return self._changed_at + (
                    self._manners.invitation_s if invited else self._manners.thanks_s
                )
        return None

    def settled(self, now: float) -> bool:
        """Whether the screen has been there for long enough to take a tap."""
        return now - self._changed_at >= self._manners.settle_s

    # What the respondent does

    def answer(self, item: int, value: int | str, language: str, now: float) -> None:
        """An answer to an item, given under its question in a language."""
        if self._takes(item, language, now) and self._session.admits(item, value):
            self._begin(language)
            self._session.answer(item, value)
            self._go_on(now)

    def skip(self, item: int, language: str, now: float) -> None:
        """An item is passed over."""
        if self._takes(item, language, now):
            self._begin(language)
            self._session.skip()
            self._go_on(now)

    def back(self, item: int, language: str, now: float) -> None:
        """Back from an item to the one before."""
        if self._takes(item, language, now) and self._session.can_go_back:
            self._session.back()
            self._change(Screen.ASKING, now)

    def choose_language(self, language: str, now: float) -> None:
        """Another language is wanted."""
        if language in self._other_languages and self.settled(now):
            self._language = language
            self._language_chosen = True
            self._change(self._screen, now)

    def touch(self, now: float) -> None:
        """The screen was touched: someone is there."""
        self._touched_at = now

    def dismiss(self, now: float) -> None:
        """Thanks were read."""
        if self._screen is Screen.THANKS and self.settled(now):
            self._rest(now)

    # What time does

    def shown(self, now: float) -> None:
        """The view was drawn, which may take a while; the screen settles from now on."""
        self._changed_at = now

    def tick(self, now: float) -> None:
        """Time has passed."""
        due = self.next_tick
        if due is None or now < due:
            return
        match self._screen:
            case Screen.ASKING:
                self._end(now)
            case Screen.SAVING:
                self._saving_shown = True
            case Screen.ATTRACT | Screen.THANKS:
                self._rest(now)

    # What the writer tells

    def recorded(self, now: float) -> None:
        """The response is committed; only now thanks."""
        if self._screen is Screen.SAVING:
            if self._session.over:
                self._change(Screen.THANKS, now)
                if self._session.invitation_accepted:
                    self._invitation = self._in_force.invitation(self._now_here().day)
            else:
                self._rest(now)
        elif self._unsaved:
            self._unsaved = False
            self._rest(now)

    def record_failed(self, now: float) -> None:
        """The response could not be committed yet; it is tried again until it is."""
        if self._screen is Screen.SAVING:
            self._unsaved = True
            self._change(Screen.OUT_OF_SERVICE, now)
        self._working = False

    def out_of_service(self, now: float) -> None:
        """Nothing can be recorded at present. A session that is open is not cut short for it."""
        self._working = False
        if self._screen is Screen.ATTRACT:
            self._rest(now)

    def in_service(self, now: float) -> None:
        """Responses can be recorded, for the first time or again."""
        self._working = True
        if self._screen is Screen.OUT_OF_SERVICE and not self._unsaved:
            self._rest(now)

    def publish(self, in_force: InForce, now: float) -> None:
        """Something new is in force; it is asked from the next session on."""
        self._next_in_force = in_force
        resting = self._screen is Screen.ATTRACT and not self._language_chosen
        if resting or self._screen is Screen.OUT_OF_SERVICE:
            self._rest(now)

    # The end

    def close(self, now: float) -> None:
        """The kiosk is about to stop: an open session is recorded as abandoned."""
        if self._screen is Screen.ASKING:
            self._end(now)

    @property
    def _languages(self) -> tuple[str, ...]:
        """The languages that are shown at once."""
        addressed = self._screen in (Screen.ATTRACT, Screen.OUT_OF_SERVICE)
        if addressed and self._in_force.bilingual:
            return self._in_force.languages
        return (self._language,)

    @property
    def _other_languages(self) -> tuple[str, ...]:
        """The languages that can be changed to."""
        if self._screen not in _OPEN:
            return ()
        shown = self._languages
        return tuple(language for language in self._in_force.languages if language not in shown)

    def _asked(self) -> Asked:
        item = self._session.item
        return Asked(
            item=item.code,
            kind=item.kind,
            questions=tuple(self._question(item, language) for language in self._languages),
            given=self._session.given,
            max_length=item.max_length,
            progress=self._session.progress,
            can_go_back=self._session.can_go_back,
        )

    def _question(self, item: Item, language: str) -> Question:
        return Question(
            language=language,
            text=item.text[language],
            choices=tuple(
                Choice(option.code, option.text[language], option.scored)
                for option in self._session.options
            ),
            notice=item.notice.get(language, ()),
        )

    def _takes(self, item: int, language: str, now: float) -> bool:
        """Whether an event is meant for what is shown."""
        return (
            self._screen in _OPEN
            and self.settled(now)
            and item == self._session.item.code
            and language in self._languages
        )

    def _begin(self, language: str) -> None:
        if self._screen is Screen.ATTRACT:
            self._language = language
            self._session_begun()

    def _go_on(self, now: float) -> None:
        if self._session.over:
            self._end(now)
        else:
            self._change(Screen.ASKING, now)

    def _end(self, now: float) -> None:
        response = self._session.response(self._in_force, self._language, self._now_here())
        self._change(Screen.SAVING, now)
        self._record(response)

    def _rest(self, now: float) -> None:
        """Forget the respondent, and wait for the next."""
        self._in_force = self._next_in_force
        self._language = self._in_force.languages[0]
        self._language_chosen = False
        self._session = Session(
            self._in_force.draw(self._random, self._now_here().day),
            self._in_force.assignment.stands,
        )
        open_for_all = self._working and not self._unsaved
        self._change(Screen.ATTRACT if open_for_all else Screen.OUT_OF_SERVICE, now)

    def _change(self, screen: Screen, now: float) -> None:
        self._screen = screen
        self._changed_at = now
        self._touched_at = now
        self._saving_shown = False
        self._invitation = None

    def _now_here(self) -> Moment:
        return self._moment(self._in_force.assignment.timezone)
