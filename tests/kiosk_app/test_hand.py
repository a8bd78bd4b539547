"""The hand, in tables: contacts in millimetres and seconds, and what they amount to."""

import pytest

from kiosk_app.hand import Hand

HERE, NEAR, FAR = (50.0, 50.0), (57.0, 50.0), (75.0, 50.0)


def tap(hand, at, now, held_s=0.1, **down):
    hand.down(at, now, **down)
    return hand.lift(at, now + held_s)


@pytest.fixture
def hand():
    return Hand(repeat_s=0.5)


def test_a_finger_put_down_and_lifted_is_a_tap(hand):
    assert tap(hand, HERE, 10)
    assert not hand.take_disturbance()


@pytest.mark.parametrize(
    ("place", "after_s", "taps"),
    [
        (HERE, 0.1, False),
        (HERE, 0.49, False),
        (HERE, 0.51, True),
        (NEAR, 0.1, False),
        (FAR, 0.1, True),
    ],
)
def test_a_repeat_on_the_same_place_is_a_bounce(hand, place, after_s, taps):
    assert tap(hand, HERE, 10, held_s=0)
    assert tap(hand, place, 10 + after_s) == taps
    assert not hand.take_disturbance()


def test_what_was_ignored_as_a_bounce_does_not_make_the_wait_longer(hand):
    assert tap(hand, HERE, 10, held_s=0)
    assert not tap(hand, HERE, 10.4, held_s=0)
    assert tap(hand, HERE, 10.6)


def test_where_letters_are_typed_the_same_one_may_be_tapped_twice(hand):
    assert tap(hand, HERE, 10, held_s=0)
    assert tap(hand, HERE, 10.1, repeats=True)


def test_a_trembling_finger_still_taps_however_long_it_trembles(hand):
    hand.down(HERE, 10)
    for _ in range(100):
        assert hand.move(NEAR)
        assert hand.move(HERE)
    assert hand.lift(NEAR, 13)
    assert not hand.take_disturbance()


def test_a_finger_that_slides_away_however_far_wipes_nothing(hand):
    hand.down((0.0, 0.0), 10)
    for step in range(20):
        hand.move((step * 25.0, 0.0))
    hand.lift((500.0, 0.0), 11)
    assert not hand.take_disturbance(), "that it is off its button cancels it, and that is all"


def test_a_wiping_hand_is_no_tap_and_disturbs_for_as_long_as_it_wipes(hand):
    hand.down(HERE, 10)
    assert hand.move((81.0, 50.0))
    assert not hand.move(HERE)
    assert hand.take_disturbance()
    assert not hand.take_disturbance()
    assert not hand.move(HERE)
    assert hand.take_disturbance()
    assert not hand.lift(HERE, 11)
    hand.take_disturbance()
    assert tap(hand, HERE, 12)
    assert not hand.take_disturbance()


def test_a_palm_that_rests_is_no_tap(hand):
    assert not tap(hand, HERE, 10, held_s=4.1)
    assert hand.take_disturbance()
    assert tap(hand, HERE, 20, held_s=3.9), "who is slow is no palm"


def test_three_contacts_at_once_are_a_palm_until_one_is_lifted(hand):
    hand.count(1)
    hand.down(HERE, 10)
    hand.count(2)
    assert hand.move(HERE)
    assert not hand.take_disturbance(), "two fingers are clumsy, not a palm"
    hand.count(3)
    for _ in range(3):
        assert hand.take_disturbance()
    assert not hand.lift(HERE, 10.2)
    assert not tap(hand, FAR, 10.3)
    hand.count(2)
    assert not hand.take_disturbance()
    assert tap(hand, HERE, 11)
