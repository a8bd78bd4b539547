"""The flow without a screen: tables of what happens, when, and what is shown then."""

from datetime import datetime
from random import Random

import pytest
from kiosk_site import both, in_force

from kiosk_app.kiosk import Kiosk, Manners, Screen, Trouble
from sync_service.contract.publication import Invitation, Replies
from sync_service.contract.record import Ending, Moment, half_day_of

ATTRACT, ASKING, SAVING, THANKS, OUT = Screen
NOW = Moment(half_day_of(datetime(2026, 3, 10, 14)))
INVITATION = Invitation(code=1, what=both("help"), when=both("now"), whom=both("the desk"))


class Trial:
    """A kiosk, what it hands over to be recorded, and a clock that the test moves."""

    def __init__(self, in_force, *, working=True):
        self.recorded = []
        self.begun = 0
        self.now = 1000.0
        self.kiosk = Kiosk(
            in_force,
            Manners(),
            random=Random(1),
            moment=lambda timezone: NOW,
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
                (0.1, ("tick",), SAVING),
                (0, ("recorded",), (ATTRACT, 1)),
            ],
            id="who walks away is recorded and not thanked",
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
