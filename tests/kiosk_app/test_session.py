import pytest
from kiosk_site import in_force, questionnaire

from kiosk_app.error import NotAdmittedError
from kiosk_app.session import Progress, Session
from sync_service.contract.record import Ending, InputMode, Moment, decode_record, encode_record

NOW = Moment(41000)


@pytest.fixture
def session():
    asked = questionnaire()
    return Session([asked.by_name(name) for name in ("dignity", "involved", "comment")], "exit")


@pytest.fixture
def response(session, centre):
    def end():
        response = session.response(in_force(centre), "en", NOW)
        assert decode_record(encode_record(response)) == response
        return response

    return end


def test_a_session_that_answers_all_is_completed(session, response):
    session.answer(1, 1)
    assert session.progress == Progress(2, 3)
    session.answer(2, 2)
    session.answer(3, "All were kind.")
    assert session.over
    ended = response()
    assert ended.answers == {1: 1, 2: 2, 3: "All were kind."}
    assert (ended.offered, ended.skipped) == ((1, 2, 3), ())
    assert ended.ending is Ending.COMPLETED
    assert ended.language == "en"


def test_a_session_with_an_answer_by_button_is_one_by_buttons(session, response):
    session.answer(1, 1)
    assert response().input_mode is InputMode.TOUCH
    session.answer(2, 2, InputMode.BUTTONS)
    session.answer(3, "All were kind.")
    assert response().input_mode is InputMode.BUTTONS


def test_what_was_never_shown_was_not_offered(session, response):
    session.answer(1, 1)
    ended = response()
    assert (ended.offered, ended.answers) == ((1, 2), {1: 1})
    assert ended.ending is Ending.ABANDONED


def test_a_skip_is_kept_apart_from_an_answer(session, response):
    session.skip()
    session.answer(2, 1)
    session.skip()
    ended = response()
    assert (ended.answers, ended.skipped) == ({2: 1}, (1, 3))
    assert ended.ending is Ending.COMPLETED


def test_back_lets_an_answer_be_changed_and_keeps_the_others(session, response):
    session.answer(1, 1)
    session.answer(2, 1)
    session.back()
    session.back()
    assert (session.item.name, session.given, session.can_go_back) == ("dignity", 1, False)
    session.answer(1, 3)
    assert session.given == 1
    ended = response()
    assert (ended.answers, ended.offered) == ({1: 3, 2: 1}, (1, 2, 3))


def test_an_answer_replaces_a_skip_and_a_skip_withdraws_an_answer(session, response):
    session.skip()
    session.answer(2, 1)
    session.back()
    session.skip()
    session.back()
    session.back()
    session.answer(1, 2)
    ended = response()
    assert (ended.answers, ended.skipped) == ({1: 2}, (2,))


@pytest.mark.parametrize(
    ("item", "value"),
    [
        (2, 1),  # another item
        (1, 4),  # no such option
        (1, 10),  # an option that is offered only in a waiting area
        (1, "yes"),
        (1, True),
    ],
)
def test_what_is_no_answer_to_the_item_shown_is_refused(session, item, value):
    assert not session.admits(item, value)
    with pytest.raises(NotAdmittedError):
        session.answer(item, value)
    assert not session.begun


@pytest.mark.parametrize("text", ["", "  ", "x" * 21, "a\x00b"])
def test_a_text_that_its_item_does_not_admit_is_refused(session, text):
    session.answer(1, 1)
    session.answer(2, 1)
    with pytest.raises(NotAdmittedError):
        session.answer(3, text)


def test_in_a_waiting_area_an_item_offers_more(response):
    waiting = Session([questionnaire().by_name("dignity")], "waiting")
    assert waiting.admits(1, 10)


def test_one_tap_in_all_is_a_single_tap(session, response):
    session.answer(1, 1)
    assert response().single_tap
    session.back()
    assert not response().single_tap


def test_a_skip_alone_is_a_single_tap_too(session, response):
    session.skip()
    assert response().single_tap
