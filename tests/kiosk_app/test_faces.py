"""Faces as strokes: from best to worst, evenly, with dignity."""

from itertools import pairwise
from math import hypot

import pytest

from kiosk_app.ui.faces import face

SCALES = range(2, 8)
RADIUS_MM = 6.0  # of the smallest face on any panel
SEEN_MM = 0.44  # three minutes of arc at half a metre: what is seen with a third of full sight


def faces(of):
    return [face(place, of) for place in range(1, of + 1)]


def bend(one):
    """How far the corners of the mouth are above its middle; below it, for a frown."""
    mouth = one.mouth.points
    return mouth[0][1] - mouth[len(mouth) // 2][1]


@pytest.mark.parametrize("of", SCALES)
def test_from_best_to_worst_the_mouth_bends_down_in_equal_steps(of):
    bends = [bend(one) for one in faces(of)]
    steps = [better - worse for better, worse in pairwise(bends)]
    assert steps == pytest.approx([steps[0]] * (of - 1))
    assert bends[0] > 0 > bends[-1]
    assert bends[0] == pytest.approx(-bends[-1])


@pytest.mark.parametrize("of", [3, 5, 7])
def test_halfway_the_mouth_is_level(of):
    heights = {up for _, up in face((of + 1) // 2, of).mouth.points}
    assert max(heights) - min(heights) == pytest.approx(0)


@pytest.mark.parametrize("of", SCALES)
def test_two_neighbours_are_told_apart_on_the_smallest_face(of):
    for better, worse in pairwise(faces(of)):
        assert (bend(better) - bend(worse)) * RADIUS_MM >= SEEN_MM


@pytest.mark.parametrize("of", SCALES)
def test_a_face_is_the_same_on_both_sides_and_stays_in_its_circle(of):
    for one in faces(of):
        drawn = [(point, each.half_width) for each in one.strokes for point in each.points]
        mirrored = sorted(((-across, up), half) for (across, up), half in drawn)
        for ((x, y), half), ((mirrored_x, mirrored_y), _) in zip(
            sorted(drawn), mirrored, strict=True
        ):
            assert (x, y) == pytest.approx((mirrored_x, mirrored_y))
            assert hypot(x, y) + half < 0.8


@pytest.mark.parametrize("of", SCALES)
def test_the_mouth_is_below_the_eyes_and_keeps_its_height_on_the_whole(of):
    for one in faces(of):
        heights = [up for _, up in one.mouth.points]
        assert max(heights) + one.mouth.half_width < min(
            up - eye.half_width for eye in one.eyes for _, up in eye.points
        )
        middle = (max(heights) + min(heights)) / 2
        assert middle == pytest.approx(-0.34, abs=0.05)
