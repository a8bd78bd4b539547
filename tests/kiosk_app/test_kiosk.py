"""The flow without a screen: tables of what happens, when, and what is shown then."""

from dataclasses import replace
from datetime import date, datetime
from random import Random

import pytest
from kiosk_site import both, in_force

from kiosk_app.kiosk import Kiosk
from kiosk_app.manners import Manners
from kiosk_app.view import Notice, NoticeKind, Screen, Trouble
from sync_service.contract.publication import Answer, Invitation, Outcome, Owed, Replies
from sync_service.contract.record import (
    ClockEvidence,
    Ending,
    Fairness,
    InputMode,
    Moment,
    Verdict,
    half_day_of,
)

ATTRACT, ASKING, STILL_THERE, PAUSED, ABOUT, REPLIES = list(Screen)[:6]
SAVING, THANKS, VERDICT, DISCARDED, OUT, NOTICE = list(Screen)[6:]
NOW = Moment(half_day_of(datetime(2026, 3, 10, 14)))
INVITATION = Invitation(code=1, what=both("help"), when=both("now"), whom=both("the desk"))
OWED = Owed(
    code=2, said=both("late trains"), due=date(2026, 3, 1), signed_by=both("the head of service")
)
ANSWER = Answer(
    code=3,
    said=both("not heard"),
    outcome=Outcome.DID,
    reply=both("we listen"),
    signed_by=both("the manager"),
)
WALL = Replies("central-library", (ANSWER, INVITATION, OWED))


class Trial:
    """A kiosk, what it hands over to be recorded, and a clock that the test moves."""

    def __init__(self, in_force, *, working=True, moment=NOW):
        self.recorded = []
        self.begun = 0
        self.now = 1000.0
        self.kiosk = Kiosk(
            in_force,
            Manners(),
            random=Random(1),
            moment=lambda timezone: moment,
            record=self.recorded.append,
            session_begun=self.count,
            now=self.now,
        )
        if working:
            self.do("in_service")
        self.wait(1)

    def count(self):
        self.begun += 1

    def wait(self, seconds):
        self.now += seconds

    def do(self, event, *arguments):
        getattr(self.kiosk, event)(*arguments, now=self.now)

    @property
    def view(self):
        return self.kiosk.view

    @property
    def shown(self):
        """The screen, and the item on it if there is one."""
        asked = self.view.asked
        return self.view.screen if asked is None else (self.view.screen, asked.item)

    def answer_all(self, language="en"):
        for item, value in ((1, 1), (2, 1), (3, "Kind.")):
            self.do("answer", item, value, language)
            self.wait(1)


@pytest.fixture
def trial(centre):
    return Trial(in_force(centre))


@pytest.fixture
def bilingual(centre):
    return Trial(in_force(centre, languages=("cy", "en")))


def play(trial, *steps):
    """Each step: seconds that pass, what happens then, and what is shown after it."""
    for number, (seconds, event, expected) in enumerate(steps, start=1):
        trial.wait(seconds)
        trial.do(*event)
        assert trial.shown == expected, f"step {number}, {event}"


@pytest.mark.parametrize(
    "steps",
    [
        pytest.param(
            [
                (0, ("answer", 1, 2, "en"), (ASKING, 2)),
                (1, ("answer", 2, 1, "en"), (ASKING, 3)),
                (1, ("answer", 3, "Kind.", "en"), SAVING),
                (0, ("recorded",), THANKS),
                (1, ("dismiss",), (ATTRACT, 1)),
            ],
            id="all the way",
        ),
        pytest.param(
            [
                (0, ("answer", 1, 1, "en"), (ASKING, 2)),
                (0.1, ("answer", 1, 1, "en"), (ASKING, 2)),
                (0.1, ("answer", 2, 1, "en"), (ASKING, 2)),
                (0.1, ("skip", 2, "en"), (ASKING, 2)),
                (0, ("back", 2, "en"), (ASKING, 2)),
                (0.1, ("answer", 2, 1, "en"), (ASKING, 3)),
            ],
            id="a bounce and a second finger answer nothing until the screen has settled",
        ),
        pytest.param(
            [
                (0, ("answer", 2, 1, "en"), (ATTRACT, 1)),
                (0, ("answer", 1, 4, "en"), (ATTRACT, 1)),
                (0, ("answer", 1, 10, "en"), (ATTRACT, 1)),
                (0, ("answer", 1, 1, "cy"), (ATTRACT, 1)),
                (0, ("back", 1, "en"), (ATTRACT, 1)),
                (0, ("dismiss",), (ATTRACT, 1)),
                (0, ("recorded",), (ATTRACT, 1)),
                (0, ("record_failed",), (ATTRACT, 1)),
            ],
            id="what was shown for something else is ignored",
        ),
        pytest.param(
            [
                (0, ("skip", 1, "en"), (ASKING, 2)),
                (1, ("back", 2, "en"), (ASKING, 1)),
                (1, ("answer", 1, 3, "en"), (ASKING, 2)),
                (1, ("skip", 2, "en"), (ASKING, 3)),
                (1, ("skip", 3, "en"), SAVING),
            ],
            id="back and skip",
        ),
        pytest.param(
            [
                (0, ("answer", 1, 1, "en"), (ASKING, 2)),
                (29.9, ("tick",), (ASKING, 2)),
                (0, ("touch",), (ASKING, 2)),
                (29.9, ("tick",), (ASKING, 2)),
                (0.1, ("tick",), STILL_THERE),
                (19.9, ("tick",), STILL_THERE),
                (0.1, ("tick",), SAVING),
                (0, ("recorded",), (ATTRACT, 1)),
            ],
            id="who walks away is asked, then recorded and not thanked",
        ),
        pytest.param(
            [
                (0, ("answer", 1, 1, "en"), (ASKING, 2)),
                *[
                    step
                    for _ in range(20)
                    for step in (
                        (30, ("tick",), STILL_THERE),
                        (0.1, ("still_here",), STILL_THERE),
                        (19, ("still_here",), (ASKING, 2)),
                    )
                ],
                (1, ("answer", 2, 1, "en"), (ASKING, 3)),
            ],
            id="who only thinks may do so for as long as they like",
        ),
        pytest.param(
            [
                (0, ("answer", 1, 1, "en"), (ASKING, 2)),
                (30, ("tick",), STILL_THERE),
                (15, ("touch",), STILL_THERE),
                (15, ("tick",), STILL_THERE),
                (0, ("answer", 2, 1, "en"), STILL_THERE),
                (5, ("tick",), SAVING),
            ],
            id="a touch beside the buttons gives more time, and answers nothing",
        ),
        pytest.param(
            [
                (0, ("answer", 1, 1, "en"), (ASKING, 2)),
                (30, ("tick",), STILL_THERE),
                (0.1, ("someone_new",), STILL_THERE),
                (1, ("someone_new",), SAVING),
                (0, ("recorded",), (ATTRACT, 1)),
            ],
            id="someone new never goes on with the session of the one before",
        ),
        pytest.param(
            [
                (0, ("answer", 1, 1, "en"), (ASKING, 2)),
                (0.1, ("stop",), (ASKING, 2)),
                (0.9, ("stop",), DISCARDED),
                (0.1, ("dismiss",), DISCARDED),
                (5.9, ("tick",), (ATTRACT, 1)),
                (1, ("stop",), (ATTRACT, 1)),
            ],
            id="who stops is told that nothing was kept",
        ),
        pytest.param(
            [
                (0, ("disturbed",), PAUSED),
                (2.9, ("tick",), PAUSED),
                (0, ("answer", 1, 1, "en"), PAUSED),
                (0, ("disturbed",), PAUSED),
                (2.9, ("tick",), PAUSED),
                (0.1, ("tick",), (ATTRACT, 1)),
                (1, ("answer", 1, 1, "en"), (ASKING, 2)),
                (1, ("disturbed",), PAUSED),
                (1, ("touch",), PAUSED),
                (2.9, ("tick",), PAUSED),
                (0.1, ("tick",), (ASKING, 2)),
                (0.1, ("answer", 2, 1, "en"), (ASKING, 2)),
                (1, ("answer", 2, 1, "en"), (ASKING, 3)),
            ],
            id="a palm or a wiping hand pauses the screen until it is left alone",
        ),
        pytest.param(
            [
                (0, ("answer", 1, 1, "en"), (ASKING, 2)),
                (30, ("tick",), STILL_THERE),
                (1, ("disturbed",), PAUSED),
                (3, ("tick",), STILL_THERE),
                (20, ("tick",), SAVING),
                (0, ("disturbed",), SAVING),
                (0, ("recorded",), (ATTRACT, 1)),
            ],
            id="a palm neither answers for someone nor keeps a session open",
        ),
        pytest.param(
            [
                (0, ("open_about", "cy"), (ATTRACT, 1)),
                (0, ("open_about", "en"), ABOUT),
                (0.1, ("dismiss",), ABOUT),
                (0, ("answer", 1, 1, "en"), ABOUT),
                (1, ("dismiss",), (ATTRACT, 1)),
                (1, ("open_about", "en"), ABOUT),
                (29, ("touch",), ABOUT),
                (29, ("tick",), ABOUT),
                (1, ("tick",), (ATTRACT, 1)),
                (1, ("answer", 1, 1, "en"), (ASKING, 2)),
                (1, ("open_about", "en"), (ASKING, 2)),
            ],
            id="what happens to an answer can be read before it is given",
        ),
        pytest.param(
            [
                (0, ("open_replies", "en"), (ATTRACT, 1)),
                (0, ("next_reply",), (ATTRACT, 1)),
            ],
            id="where nothing is replied, there is nothing to read",
        ),
        pytest.param(
            [
                (0, ("touch",), (ATTRACT, 1)),
                (1000, ("tick",), (ATTRACT, 1)),
            ],
            id="a touch that answers nothing begins nothing",
        ),
        pytest.param(
            [
                (0, ("answer", 1, 1, "en"), (ASKING, 2)),
                (1, ("skip", 2, "en"), (ASKING, 3)),
                (1, ("skip", 3, "en"), SAVING),
                (0, ("recorded",), THANKS),
                (0.1, ("dismiss",), THANKS),
                (5.8, ("tick",), THANKS),
                (0.2, ("tick",), (ATTRACT, 1)),
            ],
            id="thanks go by themselves, and the last tap does not dismiss them",
        ),
    ],
)
def test_what_is_shown_after_each_event(trial, steps):
    play(trial, *steps)


def test_a_screen_that_is_slow_to_draw_settles_only_once_it_is_there(trial):
    play(
        trial,
        (0, ("answer", 1, 1, "en"), (ASKING, 2)),
        (2, ("shown",), (ASKING, 2)),
        (0.1, ("answer", 2, 1, "en"), (ASKING, 2)),
        (0.3, ("answer", 2, 1, "en"), (ASKING, 3)),
    )


def test_the_response_holds_what_was_answered_and_what_it_was_asked_under(trial):
    trial.answer_all()
    [response] = trial.recorded
    assert response.answers == {1: 1, 2: 1, 3: "Kind."}
    assert response.ending is Ending.COMPLETED
    assert (response.language, response.moment) == ("en", NOW)
    assert trial.begun == 1


def test_nothing_is_thanked_for_before_it_is_committed(trial):
    trial.answer_all()
    assert trial.shown == SAVING
    for _ in range(100):
        trial.wait(10)
        trial.do("tick")
        trial.do("dismiss")
        assert trial.shown == SAVING
    trial.do("recorded")
    assert trial.shown == THANKS


def test_a_quick_commit_is_not_worth_a_word_and_a_slow_one_is(trial):
    trial.answer_all()
    trial.kiosk.tick(trial.now - 1 + 0.4)
    assert not trial.view.saving_shown
    trial.do("tick")
    assert trial.view.saving_shown


def test_a_failed_commit_is_said_and_service_resumes_once_it_is_made_good(trial):
    trial.answer_all()
    trial.do("record_failed")
    trial.do("out_of_service")
    assert trial.view.trouble is Trouble.NOT_SAVED
    assert not trial.kiosk.available
    trial.wait(3600)
    trial.do("tick")
    trial.do("answer", 1, 1, "en")
    assert trial.shown == OUT
    trial.do("recorded")
    trial.do("in_service")
    assert trial.shown == (ATTRACT, 1)
    assert len(trial.recorded) == 1


def test_a_kiosk_is_out_of_service_until_it_is_told_otherwise(centre):
    trial = Trial(in_force(centre), working=False)
    assert (trial.shown, trial.view.trouble) == (OUT, Trouble.NOT_WORKING)
    trial.do("in_service")
    assert trial.shown == (ATTRACT, 1)
    trial.do("out_of_service")
    assert trial.shown == OUT


def test_a_kiosk_that_is_being_retired_asks_nobody_any_more(trial):
    trial.do("retire", 3)
    assert (trial.shown, trial.view.notice) == (NOTICE, Notice(NoticeKind.RETIRING, 3))
    for event in (("in_service",), ("publish", trial.kiosk._in_force), ("retire", 0)):
        trial.do(*event)
        trial.wait(1)
        trial.do("answer", 1, 1, "en")
        assert (trial.shown, trial.recorded) == (NOTICE, [])
    assert trial.view.notice == Notice(NoticeKind.ALL_SENT)
    assert not trial.kiosk.available
    trial.do("retire", None)
    assert trial.shown == (ATTRACT, 1)


def test_a_session_that_is_open_is_the_last_of_a_kiosk_that_is_being_retired(trial):
    trial.do("answer", 1, 1, "en")
    trial.do("retire", 0)
    trial.wait(1)
    assert trial.shown == (ASKING, 2)
    trial.do("skip", 2, "en")
    trial.wait(1)
    trial.do("skip", 3, "en")
    trial.do("recorded")
    assert trial.shown == THANKS
    trial.wait(100)
    trial.do("tick")
    assert trial.shown == NOTICE


def test_a_session_is_not_cut_short_when_the_store_fails_in_the_middle(trial):
    play(
        trial,
        (0, ("answer", 1, 1, "en"), (ASKING, 2)),
        (1, ("out_of_service",), (ASKING, 2)),
        (1, ("skip", 2, "en"), (ASKING, 3)),
        (1, ("skip", 3, "en"), SAVING),
        (1, ("recorded",), THANKS),
        (0, ("in_service",), THANKS),
        (9, ("tick",), (ATTRACT, 1)),
    )


def test_after_thanks_a_kiosk_whose_store_has_failed_says_so(trial):
    trial.answer_all()
    play(
        trial,
        (0, ("recorded",), THANKS),
        (1, ("out_of_service",), THANKS),
        (9, ("tick",), OUT),
    )


def test_closing_records_an_open_session_as_abandoned(trial):
    trial.do("answer", 1, 1, "en")
    trial.do("close")
    [response] = trial.recorded
    assert (response.ending, response.answers, response.offered) == (
        Ending.ABANDONED,
        {1: 1},
        (1, 2),
    )


@pytest.mark.parametrize("event", ["tick", "disturbed"])
def test_closing_records_a_session_that_is_covered_as_abandoned_too(trial, event):
    trial.do("answer", 1, 1, "en")
    trial.wait(30)
    trial.do(event)
    trial.do("close")
    [response] = trial.recorded
    assert (response.ending, response.answers) == (Ending.ABANDONED, {1: 1})


@pytest.mark.parametrize(
    ("steps", "answers"),
    [
        ([(30, ("tick",)), (20, ("tick",))], {1: 1}),
        ([(30, ("tick",)), (1, ("someone_new",))], {1: 1}),
        ([(1, ("stop",)), (6, ("tick",))], None),
    ],
    ids=["walks away", "is followed by someone new", "stops"],
)
def test_what_is_kept_of_a_session_that_was_not_finished(trial, steps, answers):
    trial.do("answer", 1, 1, "en")
    for seconds, event in steps:
        trial.wait(seconds)
        trial.do(*event)
    assert [response.answers for response in trial.recorded] == ([answers] if answers else [])
    assert trial.begun == 1


@pytest.mark.parametrize("before", [[], ["answer_all"]])
def test_closing_records_nothing_twice_and_nothing_that_is_not_there(trial, before):
    for step in before:
        getattr(trial, step)()
    trial.do("close")
    trial.do("close")
    assert len(trial.recorded) == len(before)


# Languages


def test_a_bilingual_site_asks_in_both_and_the_tapped_answer_chooses(bilingual):
    view = bilingual.view
    assert view.languages == ("cy", "en")
    assert view.other_languages == ()
    assert [question.language for question in view.asked.questions] == ["cy", "en"]
    bilingual.do("answer", 1, 1, "cy")
    view = bilingual.view
    assert (view.languages, view.other_languages) == (("cy",), ("en",))
    assert view.asked.questions[0].text == "Were you involved? (Cymraeg)"


def test_the_language_can_be_changed_on_the_way_and_is_forgotten_afterwards(bilingual):
    bilingual.do("answer", 1, 1, "cy")
    bilingual.wait(1)
    bilingual.do("choose_language", "en")
    assert bilingual.view.languages == ("en",)
    bilingual.do("answer", 2, 1, "en")
    assert bilingual.shown == (ASKING, 2), "not settled after the change"
    bilingual.wait(1)
    bilingual.do("skip", 2, "en")
    bilingual.wait(1)
    bilingual.do("skip", 3, "en")
    bilingual.do("recorded")
    assert bilingual.view.languages == ("en",)
    assert bilingual.recorded[0].language == "en"
    bilingual.wait(60)
    bilingual.do("tick")
    assert bilingual.view.languages == ("cy", "en")


def test_trouble_is_told_in_both_languages_of_a_bilingual_site(bilingual):
    bilingual.answer_all("cy")
    bilingual.do("record_failed")
    assert bilingual.view.languages == ("cy", "en")


def test_at_a_bilingual_site_a_language_can_be_chosen_before_an_answer(bilingual):
    bilingual.do("choose_language", "en")
    view = bilingual.view
    assert (bilingual.shown, view.languages, view.other_languages) == (
        (ATTRACT, 1),
        ("en",),
        ("cy",),
    )
    bilingual.wait(1)
    bilingual.do("choose_language", "cy")
    assert bilingual.view.languages == ("cy",)
    bilingual.wait(30)
    bilingual.do("tick")
    assert bilingual.view.languages == ("cy", "en")


def test_a_pause_speaks_the_languages_of_the_screen_it_covers(bilingual):
    bilingual.do("disturbed")
    assert bilingual.view.languages == ("cy", "en")
    bilingual.wait(3)
    bilingual.do("tick")
    bilingual.wait(1)
    bilingual.do("answer", 1, 1, "en")
    bilingual.wait(1)
    bilingual.do("disturbed")
    assert bilingual.view.languages == ("en",)


def test_a_site_with_one_language_offers_no_other(trial):
    assert trial.view.other_languages == ()
    trial.do("choose_language", "cy")
    assert trial.view.languages == ("en",)


def test_with_more_languages_there_is_one_default_and_the_others_are_offered(centre):
    asked = in_force(centre, languages=("en", "cy", "fr"), spoken="en cy fr")
    trial = Trial(asked)
    assert (trial.view.languages, trial.view.other_languages) == (("en",), ("cy", "fr"))
    trial.do("choose_language", "fr")
    assert (trial.shown, trial.view.languages) == ((ATTRACT, 1), ("fr",))
    assert trial.view.other_languages == ("en", "cy")
    trial.do("publish", in_force(centre, "involved"))
    assert trial.shown == (ATTRACT, 1), "someone is there"
    trial.wait(29)
    trial.do("touch")
    trial.wait(29)
    trial.do("tick")
    assert trial.view.languages == ("fr",)
    trial.wait(1)
    trial.do("tick")
    assert (trial.shown, trial.view.languages) == ((ATTRACT, 2), ("en",))
    assert trial.begun == 0


# Publications


def test_what_is_newly_published_is_asked_from_the_next_session_on(trial, centre):
    trial.do("answer", 1, 1, "en")
    trial.wait(1)
    trial.do("publish", in_force(centre, "involved", "dignity"))
    assert trial.shown == (ASKING, 2)
    trial.do("skip", 2, "en")
    trial.wait(1)
    trial.do("skip", 3, "en")
    trial.do("recorded")
    trial.wait(1)
    trial.do("dismiss")
    assert trial.shown == (ATTRACT, 2)


def test_what_is_newly_published_is_on_an_idle_kiosk_at_once_and_settles(trial, centre):
    trial.do("publish", in_force(centre, "involved", "dignity"))
    assert trial.shown == (ATTRACT, 2)
    trial.do("answer", 2, 1, "en")
    assert trial.shown == (ATTRACT, 2)


def test_what_is_published_while_out_of_service_is_spoken_at_once(centre):
    trial = Trial(in_force(centre), working=False)
    trial.do("publish", in_force(centre, languages=("cy",)))
    assert (trial.shown, trial.view.languages) == (OUT, ("cy",))


@pytest.mark.parametrize(("value", "invited"), [(1, True), (2, False)])
def test_who_is_willing_sees_the_invitation(centre, value, invited):
    replies = Replies("central-library", (INVITATION,))
    trial = Trial(in_force(centre, "dignity", "willing", replies=replies))
    trial.do("answer", 1, 1, "en")
    trial.wait(1)
    trial.do("answer", 4, value, "en")
    trial.do("recorded")
    assert trial.view.invitation == (INVITATION if invited else None)
    trial.wait(10)
    trial.do("tick")
    assert trial.shown == (THANKS if invited else (ATTRACT, 1))


# The wall


def on_the_wall(view):
    posted = view.posted
    return posted and (posted.reply.code, posted.days_late, posted.number, posted.total)


def test_the_wall_shows_one_reply_after_another_to_each_who_comes(centre):
    trial = Trial(in_force(centre, replies=WALL))
    seen = []
    for _ in range(3):
        seen.append(on_the_wall(trial.view))
        trial.do("answer", 1, 1, "en")
        assert trial.view.posted is None
        trial.wait(1)
        trial.do("stop")
        trial.wait(6)
        trial.do("tick")
        trial.wait(1)
    assert sorted(seen) == [(1, 0, 3, 3), (2, 9, 1, 3), (3, 0, 2, 3)]


def test_an_idle_wall_goes_on_and_waits_for_who_touches_it(centre):
    trial = Trial(in_force(centre, replies=WALL))
    first = on_the_wall(trial.view)
    trial.wait(590)
    trial.do("touch")
    trial.wait(599)
    trial.do("tick")
    assert on_the_wall(trial.view) == first
    trial.wait(1)
    trial.do("tick")
    assert on_the_wall(trial.view) != first


def test_nobody_is_called_late_by_a_clock_that_is_not_sure(centre):
    unsure = replace(NOW, evidence=ClockEvidence(b"boot", 3))
    trial = Trial(in_force(centre, replies=Replies("central-library", (OWED,))), moment=unsure)
    assert on_the_wall(trial.view) == (2, 0, 1, 1)


def test_replies_are_read_one_by_one_and_idle_readers_are_forgotten(centre):
    trial = Trial(in_force(centre, languages=("cy", "en"), replies=WALL))
    trial.do("open_replies", "en")
    assert (trial.shown, trial.view.languages) == (REPLIES, ("en",))
    read = set()
    for turn in ("previous_reply", "previous_reply", "next_reply", "next_reply", "next_reply"):
        trial.wait(1)
        trial.do(turn)
        read.add(on_the_wall(trial.view))
    assert read == {(2, 9, 1, 3), (3, 0, 2, 3), (1, 0, 3, 3)}
    assert on_the_wall(trial.view) == (1, 0, 3, 3)
    trial.wait(30)
    trial.do("tick")
    assert (trial.shown, trial.view.languages) == ((ATTRACT, 1), ("cy", "en"))


def test_reading_in_a_chosen_language_ends_in_that_language(centre):
    trial = Trial(in_force(centre, languages=("en", "cy", "fr"), spoken="en cy fr"))
    trial.do("choose_language", "fr")
    trial.wait(1)
    trial.do("open_about", "fr")
    trial.wait(1)
    trial.do("dismiss")
    assert (trial.shown, trial.view.languages) == ((ATTRACT, 1), ("fr",))


def test_what_the_centre_says_of_itself_is_told_with_what_happens_to_an_answer(trial):
    assert trial.view.about is None
    trial.do("open_about", "en")
    about = trial.view.about
    assert (about.organisation_name, about.contact, about.kept_months) == (None, {}, None)


def thanked(centre, *steps, replies=WALL):
    trial = Trial(in_force(centre, *steps, replies=replies))
    for item in range(1, len(steps) + 1):
        trial.do("answer", item, 1, "en")
        trial.wait(1)
    trial.do("recorded")
    assert trial.shown == THANKS
    trial.wait(1)
    return trial


@pytest.mark.parametrize("seconds", [0, 5])
def test_after_thanks_a_verdict_on_an_answer_is_asked_and_recorded(centre, seconds):
    trial = thanked(centre, "dignity", "involved")
    trial.wait(seconds)
    trial.do("tick" if seconds else "dismiss")
    assert (trial.shown, on_the_wall(trial.view)) == (VERDICT, (3, 0, 2, 3))
    trial.do("judge", Fairness.FAIR, "en")
    assert len(trial.recorded) == 1, "not settled yet"
    trial.wait(1)
    trial.do("judge", Fairness.PARTLY, "cy")
    assert trial.shown == VERDICT, "not shown in that language"
    trial.do("judge", Fairness.PARTLY, "en")
    assert trial.shown == (ATTRACT, 1)
    _, verdict = trial.recorded
    assert verdict == Verdict(
        assignment=verdict.assignment,
        moment=NOW,
        language="en",
        replies=verdict.replies,
        reply=3,
        fairness=Fairness.PARTLY,
    )


@pytest.mark.parametrize(("seconds", "event"), [(1, "dismiss"), (20, "tick")])
def test_a_verdict_may_be_left_out(centre, seconds, event):
    trial = thanked(centre, "dignity")
    trial.do("dismiss")
    assert trial.shown == VERDICT
    trial.wait(seconds)
    trial.do(event)
    assert trial.shown == (ATTRACT, 1)
    assert len(trial.recorded) == 1


def test_no_verdict_is_asked_where_there_is_no_answer(centre):
    trial = thanked(centre, "dignity", replies=Replies("central-library", (OWED, INVITATION)))
    trial.do("dismiss")
    assert trial.shown == (ATTRACT, 1)


def test_who_was_shown_an_invitation_is_asked_nothing_more(centre):
    trial = Trial(in_force(centre, "dignity", "willing", replies=WALL))
    trial.do("answer", 1, 1, "en")
    trial.wait(1)
    trial.do("answer", 4, 1, "en")
    trial.do("recorded")
    assert trial.view.invitation == INVITATION
    trial.wait(1)
    trial.do("dismiss")
    assert trial.shown == (ATTRACT, 1)


def test_who_has_not_finished_is_asked_for_no_verdict(centre):
    trial = Trial(in_force(centre, replies=WALL))
    trial.do("answer", 1, 1, "en")
    trial.wait(30)
    trial.do("tick")
    trial.wait(20)
    trial.do("tick")
    trial.do("recorded")
    assert trial.shown == (ATTRACT, 1)


@pytest.mark.parametrize("event", ["open_about", "open_replies"])
def test_a_kiosk_that_can_record_nothing_says_so_to_readers_too(centre, event):
    trial = Trial(in_force(centre, replies=WALL))
    trial.do(event, "en")
    trial.do("out_of_service")
    assert trial.shown == OUT


# The tick


def test_the_next_tick_is_when_something_changes(trial):
    assert trial.kiosk.next_tick is None
    trial.do("answer", 1, 1, "en")
    assert trial.kiosk.next_tick == trial.now + 30
    trial.wait(5)
    trial.do("touch")
    assert trial.kiosk.next_tick == trial.now + 30
    trial.do("skip", 2, "en")
    trial.wait(1)
    trial.do("skip", 3, "en")
    assert trial.kiosk.next_tick == trial.now + 0.5
    trial.do("recorded")
    assert trial.kiosk.next_tick == trial.now + 6


def test_a_screen_that_has_failed_stays_out_of_service_and_has_nothing_more_to_record(trial):
    trial.do("answer", 1, 2, "en")
    trial.wait(1)
    trial.do("fail")
    assert (trial.shown, trial.view.trouble) == (OUT, Trouble.NOT_WORKING)
    trial.do("close")
    trial.wait(1000)
    trial.do("tick")
    assert (trial.shown, trial.recorded) == (OUT, [])


def test_an_answer_by_a_button_is_recorded_as_one(centre):
    trial = Trial(in_force(centre, "dignity"))
    trial.kiosk.answer(1, 2, "en", trial.now, InputMode.BUTTONS)
    assert trial.shown == SAVING
    assert trial.recorded[0].input_mode is InputMode.BUTTONS
