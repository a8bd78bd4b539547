"""Every screen on every panel in every language: legible, touchable, whole, nothing on anything."""

import sys
from dataclasses import replace
from functools import cache
from itertools import combinations

import pytest
from PIL import Image, ImageDraw
from views import (
    ANSWER,
    INVITATION,
    OWED,
    SITE,
    asking,
    attract,
    in_both_languages,
    in_one_language,
    notices,
    questionnaire,
)

from kiosk_app.languages.catalogue import read_catalogues
from kiosk_app.layout.compositor import Compositor, Turned
from kiosk_app.layout.lettering import Style, Weight
from kiosk_app.layout.panel import PANELS, panel_of
from kiosk_app.layout.placed import Act, Align, Button, Card, Ground, Lettered, Rule, Sheet
from kiosk_app.layout.writing import Keys
from kiosk_app.view import Screen, View

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


def all_leaves(compositor, view):
    """Every leaf of a page, as one turns them."""
    leaves = [check(compositor, view)]
    while True:
        onward = [b.deed for b in leaves[-1].buttons if b.name == "read-on"]
        if not onward:
            return leaves
        leaves.append(check(compositor, view, Turned(onward[0].told[0])))


def letters(leaves):
    """All that is said on the cards of leaves, without the blanks that breaking moves."""
    said = ""
    for leaf in leaves:
        for each in leaf.placed:
            if isinstance(each, Lettered) and each.ground is Ground.NOTICE:
                said += "".join(each.lines)
    return said.replace(" ", "")


@pytest.mark.parametrize("text", [LONG, LONG_WORD], ids=["long", "one word"])
@pytest.mark.parametrize("screen", [Screen.REPLIES, Screen.VERDICT])
def test_a_reply_of_any_length_is_there_whole_leaf_by_leaf(compositor, screen, text):
    reply = replace(ANSWER.reply, said={"cy": text}, reply={"cy": text}, signed_by={"cy": text})
    leaves = all_leaves(
        compositor, View(screen, SITE, ("cy",), posted=replace(ANSWER, reply=reply))
    )
    assert letters(leaves).count(text.replace(" ", "")) == 3
    for leaf in leaves[1:]:
        assert "read-back" in [button.name for button in leaf.buttons]


def test_an_invitation_of_any_length_is_there_whole_and_a_tap_only_turns_its_leaves(compositor):
    long = replace(INVITATION, what={"cy": LONG}, when={"cy": LONG}, whom={"cy": LONG})
    leaves = all_leaves(compositor, View(Screen.THANKS, SITE, ("cy",), invitation=long))
    assert letters(leaves).count(LONG.replace(" ", "")) == 3
    for leaf in leaves:
        assert leaf.anywhere is None
        assert "close" in [button.name for button in leaf.buttons]


@pytest.mark.parametrize("screen", [Screen.THANKS, Screen.DISCARDED])
def test_thanks_are_dismissed_by_a_tap_wherever_it_is(compositor, screen):
    layout = check(compositor, View(screen, SITE, ("en",)))
    assert layout.buttons == ()
    assert layout.anywhere is not None
    assert layout.anywhere.act is Act.DISMISS


def test_two_languages_have_equal_buttons_and_equal_room(compositor):
    for posted in (None, OWED):
        layout = check(compositor, attract(QUESTIONNAIRES[0].items[0], "cy", "en", posted=posted))
        boxes = {
            language: [
                (b.box.width, b.box.height)
                for b in layout.buttons
                if b.name.startswith(("answer", "language")) and b.name.endswith(language)
            ]
            for language in ("cy", "en")
        }
        assert boxes["cy"] == boxes["en"] != []


def test_every_first_screen_says_what_happens_to_an_answer_and_lets_one_change_language(
    compositor,
):
    item = QUESTIONNAIRES[0].items[0]
    for posted in (None, OWED, ANSWER):
        view = attract(item, "en", others=("cy",), posted=posted)
        names = {button.name for button in check(compositor, view).buttons}
        assert {"about-en", "skip-en", "language-cy"} <= names
        assert ("replies-en" in names) == (posted is not None)


def test_on_the_large_upright_panel_all_that_is_touched_is_in_the_lower_half():
    panel = PANELS["21.5-1080x1920"]
    compositor = Compositor(panel, CATALOGUES)
    for item in QUESTIONNAIRES[0].items:
        for view in (asking(item, "en", others=("cy",)), attract(item, "cy", posted=OWED)):
            layout = compositor.compose(view, Turned())
            assert min(button.box.y for button in layout.buttons) >= panel.height_px // 2


def test_faces_are_on_a_scale_only_and_in_its_order(compositor):
    involved = QUESTIONNAIRES[1].by_name("involved")
    for item in (involved, QUESTIONNAIRES[1].by_name("age_band")):
        buttons = compositor.compose(asking(item, "en"), Turned()).buttons
        faces = [button.face for button in buttons if button.face is not None]
        if item.kind == "choice":
            assert faces == []
        elif faces:
            assert [(face.place, face.of) for face in faces] == [(n, 5) for n in range(1, 6)]


def test_a_page_that_was_set_before_is_the_same_page_and_one_for_writing_is_not_kept():
    compositor = Compositor(PANELS["10.1-1280x800"], CATALOGUES)
    gp = questionnaire("gp")
    view = asking(gp.by_name("involvement"), "en")
    assert compositor.compose(view, Turned()) is compositor.compose(replace(view), Turned())
    written = asking(gp.by_name("fft_reason"), "en", given="Ann Jones was kind")
    before = sys.getrefcount(written)
    compositor.compose(written, Turned(leaf=1))
    assert sys.getrefcount(written) == before


def test_of_what_is_only_broken_into_lines_and_drawn_nothing_is_kept():
    lettering = Compositor(PANELS["10.1-1280x800"], CATALOGUES).lettering
    style = Style(30, Weight.REGULAR, 40)
    [line] = lettering.break_anywhere("Ann Jones was kind", style, 1000)
    before = sys.getrefcount(line)
    lettering.draw([line], style, centred=False)
    assert sys.getrefcount(line) == before


def choices(compositor, view):
    return [(deed.act, *deed.told) for deed in compositor.compose(view, Turned()).choices]


def test_the_places_of_choices_are_those_of_the_options_on_every_panel(compositor):
    gp = questionnaire("gp")
    involved = gp.by_name("involved")
    codes = [option.code for option in involved.offered_options("exit")]
    answers = [(Act.ANSWER, involved.code, code, "en") for code in codes]
    assert choices(compositor, asking(involved, "en")) == answers
    assert choices(compositor, asking(involved, "en", given=codes[1])) == answers


def test_in_two_languages_a_place_is_given_in_the_first_and_a_door_is_a_choice(compositor):
    dignity = questionnaire("library").by_name("dignity")
    codes = [option.code for option in dignity.offered_options("exit")]
    found = choices(compositor, attract(dignity, "cy", "en"))
    doors = [(Act.LANGUAGE, "cy"), (Act.LANGUAGE, "en")]
    assert found in ([(Act.ANSWER, dignity.code, code, "cy") for code in codes], doors)


def test_what_can_be_chosen_beside_answers(compositor):
    still_there = View(Screen.STILL_THERE, SITE, ("en",))
    assert choices(compositor, still_there) == [(Act.STILL_HERE,), (Act.SOMEONE_NEW,)]
    verdict = View(Screen.VERDICT, SITE, ("en",), posted=ANSWER)
    acts = {act for act, *_ in choices(compositor, verdict)}
    assert acts <= {Act.VERDICT}
    for screen in (Screen.SAVING, Screen.THANKS, Screen.PAUSED):
        assert choices(compositor, View(screen, SITE, ("en",), saving_shown=True)) == []


@pytest.mark.parametrize(
    "size", [(640, 480), (720, 1280), (1024, 768), (1366, 768), (1920, 1200), (3840, 2160)]
)
def test_a_notice_fits_a_screen_that_nobody_expected(size):
    screen = panel_of(*size)
    assert (screen.width_px, screen.height_px) == size
    assert screen.name not in PANELS
    for _, view in notices(("cy", "en")):
        for each in Compositor(screen, CATALOGUES).compose(view, Turned()).placed:
            assert_within(each.box, screen, each)


def test_a_screen_with_the_pixels_of_a_panel_is_taken_for_it():
    for panel in PANELS.values():
        assert panel_of(panel.width_px, panel.height_px) is panel
