"""The kiosk: what happens at the screen. Events in, one frozen view out; no I/O and no clock.

Every event says when it happened, ``now``, in seconds of a clock that only rises. Events of the
respondent also say which item and which language they were shown for. What comes too soon after
the screen has changed, or was shown for something else, is ignored: so one tap is one answer.
"""

from collections.abc import Callable
from random import Random
from typing import Final, TypeAlias

from kiosk_app.in_force import InForce
from kiosk_app.manners import Manners
from kiosk_app.session import Session
from kiosk_app.view import (
    About,
    Asked,
    Notice,
    NoticeKind,
    Posted,
    Question,
    Screen,
    Trouble,
    View,
)
from kiosk_app.wall import Wall
from sync_service.contract.record import Fairness, InputMode, Moment, Response, Verdict

Told: TypeAlias = Response | Verdict
"""What a respondent tells, to be recorded."""


_OPEN: Final = (Screen.ATTRACT, Screen.ASKING)
_IN_SESSION: Final = (Screen.ASKING, Screen.STILL_THERE)
_READING: Final = (Screen.ABOUT, Screen.REPLIES)
_CAN_PAUSE: Final = (*_OPEN, Screen.STILL_THERE, *_READING, Screen.VERDICT)


class Kiosk:
    """One kiosk, from attract screen to thanks and back.

    It begins out of service, until `in_service` is told. ``moment`` gives the present half-day in
    a time zone. ``record`` takes what a respondent told and must not wait. A response's fate comes
    back as `recorded`, or as `record_failed` and, some time later, `recorded` all the same; of a
    verdict nothing comes back, because nobody waits for it. ``session_begun`` is called for each
    first tap.
    """

    def __init__(
        self,
        in_force: InForce,
        manners: Manners,
        *,
        random: Random,
        moment: Callable[[str], Moment],
        record: Callable[[Told], None],
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
        self._left: int | None = None
        self._before_pause = Screen.ATTRACT
        self._judged: Posted | None = None
        self._rests = 0
        self._rest(now)

    @property
    def view(self) -> View:
        """What the screen shows now."""
        screen, trouble, notice = self._screen, None, None
        if screen is Screen.OUT_OF_SERVICE:
            trouble = Trouble.NOT_SAVED if self._unsaved else Trouble.NOT_WORKING
            if self._left is not None and not self._unsaved:
                kind = NoticeKind.RETIRING if self._left else NoticeKind.ALL_SENT
                screen, trouble, notice = Screen.NOTICE, None, Notice(kind, self._left)
        return View(
            screen=screen,
            site_name=self._in_force.assignment.site_name,
            languages=self._languages,
            other_languages=self._other_languages,
            asked=self._asked() if self._screen in _OPEN else None,
            posted=self._posted,
            about=self._about() if self._screen is Screen.ABOUT else None,
            invitation=self._invitation,
            trouble=trouble,
            notice=notice,
            saving_shown=self._saving_shown,
        )

    @property
    def available(self) -> bool:
        """Whether a respondent can answer, or is being answered."""
        return self._screen is not Screen.OUT_OF_SERVICE

    @property
    def next_tick(self) -> float | None:
        """When `tick` will next change anything, if nothing else happens before."""
        manners = self._manners
        match self._screen:
            case Screen.ASKING | Screen.ABOUT | Screen.REPLIES:
                return self._touched_at + manners.idle_timeout_s
            case Screen.ATTRACT if self._language_chosen:
                return self._touched_at + manners.idle_timeout_s
            case Screen.ATTRACT if self._wall.looked_at:
                return self._touched_at + manners.posted_s
            case Screen.STILL_THERE:
                return self._touched_at + manners.warning_s
            case Screen.PAUSED:
                return self._touched_at + manners.pause_s
            case Screen.SAVING if not self._saving_shown:
                return self._changed_at + manners.saving_shown_after_s
            case Screen.THANKS if self._invitation is not None:
                return self._changed_at + manners.invitation_s
            case Screen.THANKS | Screen.DISCARDED:
                return self._changed_at + manners.thanks_s
            case Screen.VERDICT:
                return self._touched_at + manners.verdict_s
        return None

    def settled(self, now: float) -> bool:
        """Whether the screen has been there for long enough to take a tap."""
        return now - self._changed_at >= self._manners.settle_s

    # What the respondent does

    def answer(
        self,
        item: int,
        value: int | str,
        language: str,
        now: float,
        input_mode: InputMode = InputMode.TOUCH,
    ) -> None:
        """An answer to an item, given under its question in a language."""
        if self._takes(item, language, now) and self._session.admits(item, value):
            self._begin(language)
            self._session.answer(item, value, input_mode)
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

    def stop(self, now: float) -> None:
        """The respondent wants nothing counted: the session is forgotten, not recorded."""
        if self._settled_on(Screen.ASKING, now=now):
            self._change(Screen.DISCARDED, now)

    def choose_language(self, language: str, now: float) -> None:
        """Another language is wanted, or one of two at a bilingual site."""
        offered = self._other_languages
        if self._screen is Screen.ATTRACT and len(self._languages) > 1:
            offered = self._languages
        if language in offered and self.settled(now):
            self._language = language
            self._language_chosen = True
            self._change(self._screen, now)

    def still_here(self, now: float) -> None:
        """The respondent was only thinking."""
        if self._settled_on(Screen.STILL_THERE, now=now):
            self._change(Screen.ASKING, now)

    def someone_new(self, now: float) -> None:
        """Someone else stands there: what was answered so far is the one's before."""
        if self._settled_on(Screen.STILL_THERE, now=now):
            self._end(now)

    def open_about(self, language: str, now: float) -> None:
        """Someone wants to know what happens to an answer."""
        self._read(Screen.ABOUT, language, now)

    def open_replies(self, language: str, now: float) -> None:
        """Someone wants to read what the service replies."""
        if self._wall.looked_at:
            self._read(Screen.REPLIES, language, now)

    def next_reply(self, now: float) -> None:
        """The reply after the one that is looked at."""
        self._turn(1, now)

    def previous_reply(self, now: float) -> None:
        """The reply before the one that is looked at."""
        self._turn(-1, now)

    def judge(self, fairness: Fairness, language: str, now: float) -> None:
        """A verdict on the answer that is shown. It is linked to no response."""
        if not self._settled_on(Screen.VERDICT, now=now) or language not in self._languages:
            return
        judged, serial = self._judged, self._in_force.replies_serial
        assert judged is not None
        assert serial is not None  # it was shown from there
        self._record(
            Verdict(
                assignment=self._in_force.assignment_serial,
                moment=self._now_here(),
                language=language,
                replies=serial,
                reply=judged.reply.code,
                fairness=fairness,
            )
        )
        self._rest(now)

    def touch(self, now: float) -> None:
        """The screen was touched: someone is there."""
        self._touched_at = now

    def disturbed(self, now: float) -> None:
        """A palm, a wiping hand or many fingers: whoever it is, it is no answer."""
        if self._screen in _CAN_PAUSE:
            self._before_pause = self._screen
            self._change(Screen.PAUSED, now)
        self._touched_at = now

    def dismiss(self, now: float) -> None:
        """What is shown was read."""
        if self._settled_on(Screen.THANKS, now=now):
            self._after_thanks(now)
        elif self._settled_on(Screen.DISCARDED, Screen.VERDICT, now=now):
            self._rest(now)
        elif self._settled_on(*_READING, now=now):
            self._close_reading(now)

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
                self._change(Screen.STILL_THERE, now)
            case Screen.STILL_THERE:
                self._end(now)
            case Screen.PAUSED:
                self._change(self._before_pause, now)
            case Screen.SAVING:
                self._saving_shown = True
            case Screen.THANKS:
                self._after_thanks(now)
            case _:
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
        if self._uncovered in (Screen.ATTRACT, *_READING):
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

    def retire(self, left: int | None, now: float) -> None:
        """The kiosk is being retired, and so many records are left to deliver; `None`: it is not.

        A session that is open is not cut short for it, and is the last.
        """
        self._left = left
        if self._uncovered in (Screen.ATTRACT, *_READING, Screen.OUT_OF_SERVICE):
            self._rest(now)

    # The end

    def close(self, now: float) -> None:
        """The kiosk is about to stop: an open session is recorded as abandoned."""
        if self._uncovered in _IN_SESSION:
            self._end(now)

    def fail(self, now: float) -> None:
        """The screen has failed: nothing can be answered until the kiosk starts anew."""
        self._unsaved = False  # which is not what the respondent must know first
        self._change(Screen.OUT_OF_SERVICE, now)

    @property
    def _uncovered(self) -> Screen:
        """The screen, or during a pause the one that comes back after it."""
        return self._before_pause if self._screen is Screen.PAUSED else self._screen

    @property
    def _languages(self) -> tuple[str, ...]:
        """The languages that are shown at once."""
        resting = self._uncovered is Screen.ATTRACT and not self._language_chosen
        if self._in_force.bilingual and (resting or self._screen is Screen.OUT_OF_SERVICE):
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
        item, options = self._session.item, self._session.options

        def questions(languages: tuple[str, ...]) -> tuple[Question, ...]:
            return tuple(Question.of(item, options, language) for language in languages)

        return Asked(
            item=item.code,
            kind=item.kind,
            questions=questions(self._languages),
            given=self._session.given,
            max_length=item.max_length,
            progress=self._session.progress,
            can_go_back=self._session.can_go_back,
            elsewhere=questions(self._other_languages),
        )

    @property
    def _posted(self) -> Posted | None:
        """The reply that is shown, if there is one."""
        if self._screen is Screen.VERDICT:
            return self._judged
        return self._wall.looked_at if self._screen in (Screen.ATTRACT, Screen.REPLIES) else None

    def _about(self) -> About:
        assignment = self._in_force.assignment
        return About(assignment.organisation_name, assignment.contact, assignment.kept_months)

    def _takes(self, item: int, language: str, now: float) -> bool:
        """Whether an event is meant for what is shown."""
        return (
            self._settled_on(*_OPEN, now=now)
            and item == self._session.item.code
            and language in self._languages
        )

    def _settled_on(self, *screens: Screen, now: float) -> bool:
        """Whether one of these screens is shown, and takes a tap."""
        return self._screen in screens and self.settled(now)

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

    def _after_thanks(self, now: float) -> None:
        """Ask for a verdict, if there is an answer to judge and nothing else was asked of them."""
        if self._invitation is None and self._working:
            self._judged = self._wall.answer(self._random)
        if self._judged is not None:
            self._change(Screen.VERDICT, now)
        else:
            self._rest(now)

    def _read(self, screen: Screen, language: str, now: float) -> None:
        if self._settled_on(Screen.ATTRACT, now=now) and language in self._languages:
            self._language = language
            self._change(screen, now)

    def _turn(self, by: int, now: float) -> None:
        if self._settled_on(Screen.REPLIES, now=now) and self._wall.turn(by):
            self._change(Screen.REPLIES, now)

    def _close_reading(self, now: float) -> None:
        if self._language_chosen:
            self._change(Screen.ATTRACT, now)
        else:
            self._rest(now)

    def _rest(self, now: float) -> None:
        """Forget the respondent, and wait for the next."""
        self._in_force = self._next_in_force
        self._language = self._in_force.languages[0]
        self._language_chosen = False
        moment = self._now_here()
        self._session = Session(
            self._in_force.draw(self._random, moment.day), self._in_force.assignment.stands
        )
        self._wall = Wall(self._in_force, moment, self._rests)
        self._rests += 1
        self._judged = None
        open_for_all = self._working and not self._unsaved and self._left is None
        self._change(Screen.ATTRACT if open_for_all else Screen.OUT_OF_SERVICE, now)

    def _change(self, screen: Screen, now: float) -> None:
        self._screen = screen
        self._changed_at = now
        self._touched_at = now
        self._saving_shown = False
        self._invitation = None

    def _now_here(self) -> Moment:
        return self._moment(self._in_force.assignment.timezone)
