"""Whatever happens, in any order: nothing is recorded twice, thanked for too soon or made up."""

from datetime import datetime
from random import Random

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule
from kiosk_site import both, in_force
from lone_centre import LoneCentre

from kiosk_app.kiosk import Kiosk
from kiosk_app.manners import Manners
from kiosk_app.view import Screen
from sync_service.contract.publication import Answer, Invitation, Outcome, Replies
from sync_service.contract.record import (
    Ending,
    Fairness,
    Moment,
    Response,
    Verdict,
    decode_record,
    encode_record,
    half_day_of,
)

NOW = Moment(half_day_of(datetime(2026, 3, 10, 9)))
MANNERS = Manners()
CENTRE = LoneCentre()
INVITATION = Invitation(code=1, what=both("a"), when=both("b"), whom=both("c"))
ANSWER = Answer(code=2, said=both("d"), outcome=Outcome.DID, reply=both("e"), signed_by=both("f"))
SITES = (
    in_force(CENTRE),
    in_force(CENTRE, languages=("en", "cy")),
    in_force(CENTRE, "dignity involved", "comment"),
    in_force(CENTRE, languages=("cy", "en", "fr"), spoken="en cy fr"),
    in_force(CENTRE, "involved", "willing", replies=Replies("central-library", (INVITATION,))),
    in_force(CENTRE, languages=("en", "cy"), replies=Replies("central-library", (ANSWER,))),
)
VALUES = st.sampled_from([1, 2, 3, 9, 10, 77, "Kind.", " ", "x" * 30])
LANGUAGES = st.sampled_from(["en", "cy", "fr"])


class AnyDay(RuleBasedStateMachine):
    """Respondents, clocks, a centre and a writer who do as they like.

    Beside the kiosk runs a model of one respondent, which knows only what was shown: what was
    ``told`` by item (`None` for a skip), and what was ``seen``.
    """

    def __init__(self):
        super().__init__()
        self.now = 0.0
        self.changed_at = 0.0
        self.open = False
        self.begun = 0
        self.told = {}
        self.seen = []
        self.uncommitted = []
        self.kiosk = Kiosk(
            SITES[0],
            MANNERS,
            random=Random(5),
            moment=lambda timezone: NOW,
            record=self.record,
            session_begun=self.begin,
            now=self.now,
        )
        self.view = self.kiosk.view
        self.tell("in_service")

    def begin(self):
        assert not self.open, "a session began within another"
        self.open = True
        self.begun += 1

    def record(self, told):
        match told:
            case Response():
                self.record_response(told)
            case Verdict():
                assert self.view.posted.reply.code == told.reply
        assert decode_record(encode_record(told)) == told

    def record_response(self, response):
        assert self.open, "recorded without a session, or twice"
        self.open = False
        assert not self.uncommitted, "recorded before the one before was committed"
        self.uncommitted.append(response)
        answers = {item: value for item, value in self.told.items() if value is not None}
        assert response.answers == answers
        assert set(response.skipped) == self.told.keys() - answers.keys()
        assert list(response.offered) == self.seen

    def tell(self, event, *arguments):
        """Let the kiosk know of an event, and look at what it shows."""
        before = self.kiosk.view
        getattr(self.kiosk, event)(*arguments, now=self.now)
        self.view = self.kiosk.view
        if self.view.asked is not None and self.open and self.view.asked.item not in self.seen:
            self.seen.append(self.view.asked.item)
        changed = self.view != before
        if changed and not self.view.saving_shown:
            self.changed_at = self.now
        return changed

    def fits(self, item, language):
        """Whether a deed is meant for what is shown, and was shown for long enough."""
        asked = self.view.asked
        return (
            asked is not None
            and asked.item == item
            and language in self.view.languages
            and self.now - self.changed_at >= MANNERS.settle_s
        )

    def admitted(self, value):
        asked = self.view.asked
        if asked.kind == "text":
            return isinstance(value, str) and value.strip() and len(value) <= asked.max_length
        return value in [choice.code for choice in asked.questions[0].choices]

    def deed(self, taken, item, value):
        """What the model makes of a deed that the kiosk must take."""
        if taken:
            if not self.open:
                self.told, self.seen = {}, [item]
            self.told[item] = value

    @rule(item=st.integers(1, 5), value=VALUES, language=LANGUAGES)
    def answer(self, item, value, language):
        taken = self.fits(item, language) and self.admitted(value)
        self.deed(taken, item, value)
        assert self.tell("answer", item, value, language) == bool(taken)

    @precondition(lambda self: self.view.asked is not None)
    @rule(data=st.data())
    def answer_what_is_shown(self, data):
        asked = self.view.asked
        choices = [choice.code for choice in asked.questions[0].choices] or ["Kind."]
        language = data.draw(st.sampled_from(self.view.languages))
        self.now += 1
        self.answer(asked.item, data.draw(st.sampled_from(choices)), language)

    def skip(self, item, language):
        taken = self.fits(item, language)
        self.deed(taken, item, None)
        assert self.tell("skip", item, language) == taken

    def back(self, item, language):
        can = self.fits(item, language) and self.view.asked.can_go_back
        assert self.tell("back", item, language) == can

    @rule(deed=st.sampled_from([skip, back]), item=st.integers(1, 4), language=LANGUAGES)
    def leave_anything(self, deed, item, language):
        deed(self, item, language)

    @precondition(lambda self: self.view.asked is not None)
    @rule(deed=st.sampled_from([skip, back]))
    def leave_what_is_shown(self, deed):
        self.now += 1
        deed(self, self.view.asked.item, self.view.languages[-1])

    @rule(language=LANGUAGES)
    def choose_language(self, language):
        view = self.view
        offered = view.other_languages
        if view.screen is Screen.ATTRACT and len(view.languages) > 1:
            offered = view.languages
        can = self.now - self.changed_at >= MANNERS.settle_s and language in offered
        assert self.tell("choose_language", language) == can

    @rule(event=st.sampled_from(["still_here", "someone_new", "next_reply", "previous_reply"]))
    def deed_on_another_screen(self, event):
        self.now += 1
        self.tell(event)

    @rule(event=st.sampled_from(["open_about", "open_replies"]), language=LANGUAGES)
    def read(self, event, language):
        self.tell(event, language)

    @rule(fairness=st.sampled_from(Fairness), language=LANGUAGES)
    def judge(self, fairness, language):
        asked = self.view.screen is Screen.VERDICT
        assert not (self.tell("judge", fairness, language) and not asked)

    @rule()
    def stop(self):
        can = self.view.screen is Screen.ASKING and self.now - self.changed_at >= MANNERS.settle_s
        if can:
            self.open = False
        assert self.tell("stop") == can

    @rule()
    def disturb(self):
        self.tell("disturbed")
        assert self.view.screen not in (Screen.ATTRACT, Screen.ASKING)

    @rule(seconds=st.sampled_from([0.0, 0.1, 0.34, 0.4, 1.0, 6.0, 21.0, 29.0, 31.0]))
    def time_passes(self, seconds):
        self.now += seconds
        self.tell("tick")

    @rule()
    def shown(self):
        assert not self.tell("shown")
        self.changed_at = self.now

    @rule()
    def touch(self):
        assert not self.tell("touch")

    @rule()
    def dismiss(self):
        self.tell("dismiss")

    @rule(site=st.sampled_from(SITES))
    def publish(self, site):
        open_before = self.open
        changed = self.tell("publish", site)
        assert not (changed and open_before), "asked otherwise within a session"
        self.now += 1  # what is new may look the same, and needs to settle too

    @precondition(lambda self: self.uncommitted)
    @rule()
    def commit(self):
        response = self.uncommitted.pop()
        saving = self.view.screen is Screen.SAVING
        self.tell("recorded")
        thanked = self.view.screen is Screen.THANKS
        assert thanked == (saving and response.ending is Ending.COMPLETED)
        self.tell("in_service")

    @precondition(lambda self: self.uncommitted)
    @rule()
    def fail(self):
        self.tell("record_failed")
        self.tell("out_of_service")
        assert self.view.screen is Screen.OUT_OF_SERVICE

    @precondition(lambda self: not self.uncommitted)
    @rule(event=st.sampled_from(["out_of_service", "in_service", "in_service"]))
    def store_comes_and_goes(self, event):
        open_before = self.open
        changed = self.tell(event)
        assert not (changed and open_before), "a session was cut short"

    @rule()
    def close(self):
        self.tell("close")
        assert not self.open

    @invariant()
    def an_open_session_is_what_is_asked(self):
        screen = self.view.screen
        if self.open:
            assert screen in (Screen.ASKING, Screen.STILL_THERE, Screen.PAUSED)
        else:
            assert screen not in (Screen.ASKING, Screen.STILL_THERE)

    @invariant()
    def nothing_is_thanked_for_while_a_response_is_not_committed(self):
        if self.uncommitted:
            assert self.view.screen in (Screen.SAVING, Screen.OUT_OF_SERVICE)


AnyDay.TestCase.settings = settings(max_examples=150, stateful_step_count=40)
TestAnyDay = AnyDay.TestCase
