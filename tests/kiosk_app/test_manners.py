"""Each manner of the kiosk, tried by real taps on the real kiosk."""

from datetime import date

import pytest
from kiosk_site import both

from sync_service.contract.publication import Answer, Outcome, Owed, Replies
from sync_service.contract.record import Ending, Fairness, Response, Verdict
from sync_service.outbox.state import State


def responses(site):
    return [record for record in site.records() if isinstance(record, Response)]


@pytest.fixture
def kiosk(site, run_kiosk):
    """A kiosk on which nobody has tapped yet."""
    site.stamp()
    window = run_kiosk(idle_timeout_s=2, thanks_s=1)
    window.wait_for("attract", item=1)
    window.settle()
    return window


def press(kiosk, button, *ways, hold_s=0):
    """Put a finger on a button, go by some ways of so many pixels right and down, and lift it."""
    x, y = kiosk.shown.buttons[button]
    steps = []
    for right, down in ways:
        x, y = x + right, y + down
        steps += ["mousemove", "--window", kiosk.window, str(x), str(y), "sleep", "0.02"]
    start = [str(place) for place in kiosk.shown.buttons[button]]
    down = ["mousemove", "--window", kiosk.window, *start, "mousedown", "1"]
    kiosk.pointer(*down, "sleep", str(hold_s + 0.02), *steps, "mouseup", "1")


def under(kiosk, button, mm):
    """The way from a button's middle to so many millimetres under it, on a 10.1 inch panel."""
    return 0, kiosk.shown.boxes[button][3] // 2 + round(mm * 5.88)


def test_a_tap_acts_when_the_finger_is_lifted(kiosk):
    x, y = kiosk.shown.buttons["answer-1-en"]
    kiosk.pointer("mousemove", "--window", kiosk.window, str(x), str(y), "mousedown", "1")
    with pytest.raises(Exception, match="nothing new came"):
        kiosk.next_view(timeout_s=0.5)
    kiosk.pointer("mouseup", "1")
    assert kiosk.next_view().item == 2


def test_a_trembling_finger_that_is_lifted_beside_its_button_answers(kiosk):
    press(kiosk, "answer-1-en", under(kiosk, "answer-1-en", 8))
    assert kiosk.next_view().item == 2


def test_a_finger_that_slides_away_answers_nothing(site, kiosk):
    press(kiosk, "answer-1-en", (0, -kiosk.shown.buttons["answer-1-en"][1] + 5))
    kiosk.tap("answer-2-en")
    kiosk.wait_for("asking", item=2)
    assert kiosk.terminate() == 0
    assert [response.answers for response in responses(site)] == [{1: 2}]


def test_repeats_on_the_same_place_answer_one_item(site, kiosk):
    x, y = kiosk.shown.buttons["answer-1-en"]
    kiosk.pointer(
        *("mousemove", "--window", kiosk.window, str(x), str(y)),
        *("click", "--repeat", "5", "--delay", "80", "1"),
    )
    kiosk.wait_for("asking", item=2)
    kiosk.settle()
    kiosk.terminate()
    assert [response.answers for response in responses(site)] == [{1: 1}]


def test_a_wiping_hand_answers_nothing_and_pauses_the_screen(site, kiosk):
    press(kiosk, "answer-1-en", *[(150, 0), (-150, 0)] * 3)
    kiosk.wait_for("paused")
    kiosk.wait_for("attract", item=1)
    kiosk.terminate()
    assert responses(site) == []


def test_a_hand_that_rests_answers_nothing_and_pauses_the_screen(kiosk):
    press(kiosk, "answer-1-en", hold_s=4.1)
    kiosk.wait_for("paused")
    kiosk.wait_for("attract", item=1)


def test_back_and_skip_are_there_on_the_way(site, kiosk):
    kiosk.tap("skip-en")
    kiosk.wait_for("asking", item=2)
    kiosk.tap("back")
    kiosk.wait_for("asking", item=1)
    kiosk.tap("answer-3-en")
    kiosk.wait_for("asking", item=2)
    kiosk.tap("skip-en")
    kiosk.wait_for("asking", item=3)
    kiosk.tap("skip-en")
    kiosk.wait_for("thanks")
    [response] = responses(site)
    assert (response.answers, response.skipped) == ({1: 3}, (2, 3))


def test_who_stops_leaves_nothing_behind(site, kiosk):
    kiosk.tap("answer-1-en")
    kiosk.wait_for("asking", item=2)
    kiosk.tap("stop")
    kiosk.wait_for("discarded")
    kiosk.wait_for("attract", item=1)
    kiosk.terminate()
    assert responses(site) == []


def test_who_only_thinks_is_asked_and_goes_on(site, kiosk):
    kiosk.tap("answer-1-en")
    for _ in range(2):
        kiosk.wait_for("still_there")
        kiosk.tap("still-here")
        kiosk.wait_for("asking", item=2)
    kiosk.tap("answer-1-en")
    kiosk.wait_for("asking", item=3)
    assert kiosk.terminate() == 0
    assert [response.answers for response in responses(site)] == [{1: 1, 2: 1}]


def test_someone_new_never_goes_on_with_the_session_of_the_one_before(site, kiosk):
    kiosk.tap("answer-1-en")
    kiosk.wait_for("still_there")
    kiosk.tap("someone-new")
    kiosk.wait_for("attract", item=1)
    kiosk.tap("answer-2-en")
    kiosk.wait_for("asking", item=2)
    assert kiosk.terminate() == 0
    answers = [(response.answers, response.ending) for response in responses(site)]
    assert answers == [({1: 1}, Ending.ABANDONED), ({1: 2}, Ending.ABANDONED)]


def test_who_walks_away_is_recorded_and_the_next_one_starts_anew(site, kiosk):
    kiosk.tap("answer-1-en")
    kiosk.wait_for("still_there")
    kiosk.wait_for("attract", item=1)
    [response] = responses(site)
    assert (response.answers, response.ending) == ({1: 1}, Ending.ABANDONED)


def test_what_happens_to_an_answer_can_be_read_first(kiosk):
    kiosk.tap("about-en")
    kiosk.wait_for("about")
    kiosk.tap("close")
    kiosk.wait_for("attract", item=1)
    kiosk.tap("about-en")
    kiosk.wait_for("about")
    kiosk.wait_for("attract", item=1)


def test_replies_are_read_and_judged(site, run_kiosk):
    owed = Owed(
        code=2, said=both("late"), due=date(2026, 3, 14), signed_by=both("the head librarian")
    )
    answer = Answer(
        code=3,
        said=both("too early"),
        outcome=Outcome.DID,
        reply=both("open until eight"),
        signed_by=both("the head librarian"),
    )
    stamp = site.stamp("dignity")
    store = site.open_store()
    State(store).begin(stamp)
    State(store).take(site.centre.publish(Replies("central-library", (owed, answer))))
    store.dispose()
    kiosk = run_kiosk()
    kiosk.wait_for("attract")
    kiosk.tap("replies-en")
    kiosk.wait_for("replies")
    for turn in ("next-reply", "previous-reply"):
        if turn in kiosk.shown.buttons:
            kiosk.tap(turn)
            kiosk.next_view()
    kiosk.tap("close")
    kiosk.wait_for("attract")
    kiosk.tap("answer-1-en")
    kiosk.wait_for("thanks")
    kiosk.settle()
    kiosk.tap_at(640, 400)
    kiosk.wait_for("verdict")
    kiosk.tap("verdict-fair")
    kiosk.wait_for("attract")
    kiosk.terminate()
    [verdict] = [record for record in site.records() if isinstance(record, Verdict)]
    assert (verdict.reply, verdict.fairness) == (3, Fairness.FAIR)
