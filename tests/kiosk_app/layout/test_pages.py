"""Every screen on every panel in every language: legible, touchable, whole, nothing on anything."""

from dataclasses import replace
from functools import cache
from itertools import combinations

import pytest
from PIL import Image, ImageDraw
from views import (
    ANSWER,
    OWED,
    asking,
    attract,
    in_both_languages,
    in_one_language,
    questionnaire,
)

from kiosk_app.languages.catalogue import read_catalogues
from kiosk_app.layout.compositor import Compositor, Turned
from kiosk_app.layout.panel import PANELS
from kiosk_app.layout.placed import Align, Button, Card, Lettered, Rule, Sheet
from kiosk_app.layout.writing import Keys

LONG_NAME = "Canolfan Iechyd a Llesiant Llanfairpwllgwyngyllgogerychwyrndrobwllllantysiliogogogoch"
LONG = "Dewch i siarad â ni am yr ystafell ddarllen newydd yn y llyfrgell. " * 7
LONG_WORD = "www.llyfrgell.example.gov.uk/" + "ystafelloedd-darllen" * 5
CATALOGUES = read_catalogues()
QUESTIONNAIRES = [questionnaire(name) for name in ("library", "gp")]


@pytest.fixture(scope="module", params=PANELS.values(), ids=PANELS.keys())
def compositor(request):
    return Compositor(request.param, CATALOGUES)


def check(compositor, view, turned=None):
    """Compose a view and judge the page."""
    layout = compositor.compose(view, turned or Turned())
    panel, lettering = compositor.panel, compositor.lettering
    solid = []
    for each in layout.placed:
        assert_within(each.box, panel, each)
        match each:
            case Lettered():
                assert_legible(lettering, panel, each)
                solid.append(each.box)
            case Button():
                assert_legible(lettering, panel, each.words)
                inside = [ink_box(lettering, each.words)]
                inside += [] if each.face is None else [each.face.box]
                inside += [] if each.mark is None else [each.mark]
                for box in inside:
                    assert contains(each.box, box), each
                assert_apart(inside, each)
                if not each.name.startswith("key-"):
                    assert min(each.box.width, each.box.height) >= 20 * panel.px_per_mm, each
                solid.append(each.box)
            case Sheet():
                assert contains(each.box, each.text_box)
                solid.append(each.box)
            case Card() | Rule():
                pass
    assert_apart(solid, view)
    names = [button.name for button in layout.buttons]
    assert len(set(names)) == len(names)
    return layout


def assert_within(box, panel, what):
    assert box.x >= 0, what
    assert box.y >= 0, what
    assert box.right <= panel.width_px, what
    assert box.bottom <= panel.height_px, what


def assert_legible(lettering, panel, words):
    """Its capitals are high enough, and no part of any letter is outside its box."""
    font = lettering.font(words.style)
    assert font.getmask("H").size[1] >= int(panel.capital_px), words
    assert contains(words.box, ink_box(lettering, words)), words
    assert draws_whole(lettering, words.lines, words.style, words.align), words


@cache
def draws_whole(lettering, lines, style, align):
    """Whether no part of any letter is cut off when lines are drawn."""
    centred = align is Align.CENTRE
    mask = lettering.draw(lines, style, centred=centred)
    margin = style.size
    paper = Image.new("L", (mask.width + 2 * margin, mask.height + 2 * margin))
    pen = ImageDraw.Draw(paper)
    for number, line in enumerate(lines):
        x = (mask.width - lettering.width(line, style)) // 2 if centred else 0
        left, _ = lettering.extent(line, style)
        pen.text(
            (margin + x - left, margin + style.baseline(number)),
            line,
            fill=255,
            font=lettering.font(style),
            anchor="ls",
        )
    left, top, right, bottom = paper.getbbox()
    return (
        margin <= min(left, top) and right <= margin + mask.width and bottom <= margin + mask.height
    )


def ink_box(lettering, words):
    width = max(lettering.width(line, words.style) for line in words.lines)
    return words.ink_box(width, words.style.height(len(words.lines)))


def contains(outer, inner):
    return (
        outer.x <= inner.x
        and outer.y <= inner.y
        and inner.right <= outer.right
        and inner.bottom <= outer.bottom
    )


def assert_apart(boxes, what):
    for one, other in combinations(boxes, 2):
        assert (
            one.right <= other.x
            or other.right <= one.x
            or one.bottom <= other.y
            or other.bottom <= one.y
        ), (one, other, what)


@pytest.mark.parametrize(("language", "other"), [("en", "cy"), ("cy", "en")])
def test_each_screen_in_one_language(compositor, language, other):
    for name, view in in_one_language(language, other):
        check(compositor, view)
        if language == "cy":
            check(compositor, replace(view, site_name=LONG_NAME))
        if name == "asking-text":
            for keys in Keys:
                check(compositor, view, Turned(1, keys))


def test_each_screen_in_both_languages(compositor):
    for _, view in in_both_languages("cy", "en"):
        check(compositor, view)
        check(compositor, replace(view, site_name=LONG_NAME))


@pytest.mark.parametrize("asked", QUESTIONNAIRES, ids=lambda asked: asked.id)
@pytest.mark.parametrize("stands", ["exit", "waiting"])
def test_each_item_of_the_default_questionnaires(compositor, asked, stands):
    for item in asked.items:
        for language, other in (("en", "cy"), ("cy", "en")):
            given = item.options[2].code if item.options else "Diolch"
            for before in (None, given):
                check(
                    compositor, asking(item, language, stands=stands, others=(other,), given=before)
                )
            if item.kind != "text":
                check(
                    compositor,
                    attract(item, language, stands=stands, others=(other,), posted=OWED),
                )
        if item.kind != "text":
            check(compositor, attract(item, "cy", "en", stands=stands, posted=ANSWER))
