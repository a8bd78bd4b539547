"""Colours: what is drawn is seen against what it is drawn on, by everyone."""

from itertools import combinations, pairwise
from math import dist

import pytest

from kiosk_app.ui.palette import FACE_LINE, MARK, Ground, Look, shade

TEXT, CONTROL = 4.5, 3.0  # WCAG 2.2, 1.4.3 and 1.4.11
NOTICED = 0.02  # the least difference in Oklab that is noticed, by CSS Color 4, 12.2
SCALES = range(2, 8)
BUTTONS = [look for look in Look if look is not Look.DISABLED]

# How colours in linear light look to those who lack one kind of cone: Machado, Oliveira and
# Fernandes, A Physiologically-based Model for Simulation of Color Vision Deficiency (2009),
# severity 1.0. Without any cones' colour, luminance is left.
SIGHTS = {
    "every cone": ((1, 0, 0), (0, 1, 0), (0, 0, 1)),
    "protanopia": (
        (0.152286, 1.052583, -0.204868),
        (0.114503, 0.786281, 0.099216),
        (-0.003882, -0.048116, 1.051998),
    ),
    "deuteranopia": (
        (0.367322, 0.860646, -0.227968),
        (0.280085, 0.672501, 0.047413),
        (-0.011820, 0.042940, 0.968881),
    ),
    "tritanopia": (
        (1.255528, -0.076749, -0.178779),
        (-0.078411, 0.930809, 0.147602),
        (0.004733, 0.691367, 0.303900),
    ),
    "greys": ((0.2126, 0.7152, 0.0722),) * 3,
}


def linear(colour):
    """A colour of the palette, sRGB, in amounts of light."""
    return [
        part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in colour[:3]
    ]


def times(matrix, vector):
    return [sum(a * b for a, b in zip(row, vector, strict=True)) for row in matrix]


def luminance(colour):
    """The relative luminance by WCAG 2.2."""
    [value] = times(((0.2126, 0.7152, 0.0722),), linear(colour))
    return value


def contrast(one, other):
    """The contrast ratio by WCAG 2.2."""
    darker, lighter = sorted((luminance(one), luminance(other)))
    return (lighter + 0.05) / (darker + 0.05)


def difference(one, other, sight):
    """How far apart two colours look: their distance in Oklab (Ottosson, 2020)."""
    return dist(oklab(one, sight), oklab(other, sight))


def oklab(colour, sight):
    seen = [min(1, max(0, part)) for part in times(SIGHTS[sight], linear(colour))]
    cones = times(
        (
            (0.4122214708, 0.5363325363, 0.0514459929),
            (0.2119034982, 0.6806995451, 0.1073969566),
            (0.0883024619, 0.2817188376, 0.6299787005),
        ),
        seen,
    )
    return times(
        (
            (0.2104542553, 0.7936177850, -0.0040720468),
            (1.9779984951, -2.4285922050, 0.4505937099),
            (0.0259040371, 0.7827717662, -0.8086757660),
        ),
        [cone ** (1 / 3) for cone in cones],
    )


def test_the_measures_are_those_that_are_published():
    white, black = (1, 1, 1, 1), (0, 0, 0, 1)
    assert contrast(white, black) == pytest.approx(21)
    assert contrast((0x76 / 255,) * 3, white) == pytest.approx(4.54, abs=0.005)
    assert oklab(white, "every cone") == pytest.approx([1, 0, 0], abs=1e-4)
    red = [0.62796, 0.22486, 0.12585]
    assert oklab((1, 0, 0), "every cone") == pytest.approx(red, abs=1e-4)
    red_and_green = (0.75, 0.2, 0.1), (0.42, 0.42, 0.1)
    assert difference(*red_and_green, "every cone") > 2 * difference(*red_and_green, "deuteranopia")


@pytest.mark.parametrize("ground", Ground)
def test_words_are_read_on_their_ground(ground):
    for words in (ground.words, ground.quiet, ground.heading):
        assert contrast(words, ground.face) >= TEXT


@pytest.mark.parametrize("look", BUTTONS)
def test_words_are_read_on_their_button(look):
    assert contrast(look.words, look.face) >= TEXT


def test_what_cannot_be_tapped_yet_can_still_be_read():
    assert contrast(Look.DISABLED.words, Look.DISABLED.face) >= CONTROL


@pytest.mark.parametrize("look", Look)
@pytest.mark.parametrize("ground", [Ground.PAGE, Ground.CARD, Ground.NOTICE])
def test_a_button_is_seen_on_any_ground(look, ground):
    assert contrast(look.edge, ground.face) >= CONTROL


@pytest.mark.parametrize("of", SCALES)
def test_a_face_is_seen_on_any_button_and_its_lines_on_any_face(of):
    for place in range(1, of + 1):
        fill = shade(place, of)
        assert contrast(FACE_LINE, fill) >= TEXT
        for look in BUTTONS:
            assert max(contrast(fill, look.face), contrast(look.edge, look.face)) >= CONTROL


def test_what_was_answered_is_framed_so_that_it_is_seen():
    assert contrast(MARK, Ground.PAGE.face) >= CONTROL


@pytest.mark.parametrize("sight", SIGHTS)
@pytest.mark.parametrize("of", SCALES)
def test_the_shades_of_a_scale_are_told_apart_in_their_order_by_everyone(of, sight):
    shades = [shade(place, of) for place in range(1, of + 1)]
    lightness = [oklab(each, sight)[0] for each in shades]
    assert lightness == sorted(lightness)
    for darker, lighter in pairwise(shades):
        assert difference(darker, lighter, sight) >= NOTICED
        if of <= 5:
            assert difference(darker, lighter, sight) >= 2.5 * NOTICED


@pytest.mark.parametrize("sight", SIGHTS)
def test_the_looks_of_a_button_are_told_apart_by_everyone(sight):
    for one, other in combinations(Look, 2):
        parts = [(one.face, other.face), (one.words, other.words), (one.edge, other.edge)]
        assert max(difference(*part, sight) for part in parts) >= 5 * NOTICED


@pytest.mark.parametrize("sight", sorted(SIGHTS.keys() - {"greys"}))  # there, the tick remains
def test_the_frame_of_what_was_answered_is_no_button_s_edge(sight):
    for look in (Look.STRONG, Look.PLAIN, Look.QUIET):
        assert difference(MARK, look.edge, sight) >= 2.5 * NOTICED


@pytest.mark.parametrize("sight", SIGHTS)
def test_what_the_service_says_stands_on_ground_of_its_own(sight):
    for one, other in combinations(Ground, 2):
        assert difference(one.face, other.face, sight) >= NOTICED


def test_five_steps_have_the_five_shades_and_shorter_scales_share_their_ends():
    five = [shade(place, 5) for place in range(1, 6)]
    assert [shade(place, 3) for place in range(1, 4)] == [five[0], five[2], five[4]]
    assert [shade(place, 2) for place in range(1, 3)] == [five[0], five[4]]
