"""What is measured alike looks alike: in each language, and from end to end of a scale."""

from dataclasses import dataclass, replace
from itertools import pairwise

import pytest
from kiosk_site import both
from views import (
    ABOUT,
    ANSWER,
    SITE,
    asking,
    attract,
    in_both_languages,
    in_one_language,
    questionnaire,
)

from kiosk_app.languages.catalogue import read_catalogues
from kiosk_app.layout.compositor import Compositor, Turned
from kiosk_app.layout.panel import PANELS
from kiosk_app.layout.placed import Align, Layout, Lettered, Look, Tone
from kiosk_app.view import Screen, View
from sync_service.contract.questionnaire import Item, Option

CATALOGUES = read_catalogues()
ITEMS = [
    item for name in ("library", "gp") for item in questionnaire(name).items if item.kind != "text"
]
LONG = "A oeddech chi'n teimlo bod gan y bobl yr holl wybodaeth yr oedd ei hangen arnyn nhw? " * 6


@dataclass(frozen=True)
class Shown:
    """A page that asks an item."""

    item: Item
    kind: str
    layout: Layout

    @property
    def scale(self):
        """The buttons of its scale."""
        return [button for button in self.answers if button.look is Look.STRONG]

    @property
    def apart(self):
        """The buttons of what is no judgement."""
        return [button for button in self.answers if button.look is Look.PLAIN]

    @property
    def answers(self):
        return [button for button in self.layout.buttons if button.name.startswith("answer-")]

    @property
    def question(self):
        [words] = [
            each
            for each in self.layout.placed
            if isinstance(each, Lettered) and each.tone is Tone.HEADING
        ]
        return words


@pytest.fixture(scope="module", params=PANELS.values(), ids=PANELS.keys())
def compositor(request):
    return Compositor(request.param, CATALOGUES)


@pytest.fixture(scope="module")
def asked(compositor):
    """Each item of the default questionnaires, in each language, wherever the kiosk stands."""
    shown = []
    for item in ITEMS:
        for stands in ("exit", "waiting"):
            given = item.offered_options(stands)[-1].code
            for language, other in (("en", "cy"), ("cy", "en")):
                views = {
                    "asking": asking(item, language, stands=stands, others=(other,)),
                    "again": asking(item, language, stands=stands, others=(other,), given=given),
                    "attract": attract(item, language, stands=stands, others=(other,)),
                }
                for kind, view in views.items():
                    shown.append(Shown(item, kind, compositor.compose(view, Turned())))
    return shown


def test_a_scale_is_one_line_in_its_order(compositor, asked):
    for page in asked:
        boxes = [button.box for button in page.scale]
        if compositor.panel.upright:
            assert len({(box.x, box.width, box.height) for box in boxes}) == 1, page
            assert all(one.bottom < next_one.y for one, next_one in pairwise(boxes)), page
        else:
            assert len({(box.y, box.height) for box in boxes}) == 1, page
            assert all(one.right < next_one.x for one, next_one in pairwise(boxes)), page


def test_a_button_is_wider_than_its_neighbours_only_where_its_words_need_it(compositor, asked):
    for page in asked:
        narrowest = min(button.box.width for button in page.scale)
        for button in page.scale:
            if button.box.width > narrowest:
                words = button.words
                widest = max(compositor.lettering.width(line, words.style) for line in words.lines)
                assert button.box.width - widest < 7 * compositor.panel.px_per_mm, page


def test_what_is_no_judgement_stands_apart_from_the_end_of_the_scale(asked):
    for page in asked:
        within = distance(*page.scale[:2])
        for button in page.apart:
            assert min(distance(button, other) for other in page.scale) > within, page


def distance(one, other):
    """How far two buttons are from each other, along the nearer of the two ways."""
    across = max(one.box.x, other.box.x) - min(one.box.right, other.box.right)
    down = max(one.box.y, other.box.y) - min(one.box.bottom, other.box.bottom)
    return max(across, down)


def test_all_ratings_have_faces_or_none_has(asked):
    with_faces = {
        button.face is not None
        for page in asked
        for button in page.scale
        if page.item.kind == "rating"
    }
    assert len(with_faces) == 1


def test_questions_and_answers_have_one_size_in_each_language(asked):
    assert len({page.question.style.size for page in asked}) == 1
    assert len({button.words.style.size for page in asked for button in page.answers}) == 1


def test_what_is_too_long_in_one_language_is_smaller_in_each():
    panel = PANELS["15.6-1920x1080"]
    compositor = Compositor(panel, CATALOGUES)
    item = replace(ITEMS[0], text={"en": "Well?", "cy": LONG})
    sizes = set()
    for language, other in (("en", "cy"), ("cy", "en")):
        layout = compositor.compose(asking(item, language, others=(other,)), Turned())
        sizes.add(Shown(item, "asking", layout).question.style.size)
    alone = compositor.compose(asking(item, "en"), Turned())
    assert len(sizes) == 1
    assert Shown(item, "asking", alone).question.style.size > min(sizes)


@pytest.mark.parametrize(("count", "rows"), [(7, [4, 3]), (11, [6, 5])])
def test_a_scale_too_long_for_a_line_is_broken_evenly_and_in_order(count, rows):
    compositor = Compositor(PANELS["7-800x480"], CATALOGUES)
    options = tuple(
        Option(code=code, name=f"o{code}", text=both(f"No. {code}")) for code in range(1, count + 1)
    )
    item = replace(ITEMS[0], options=options, text=both("Well?"))
    boxes = [
        button.box
        for button in Shown(item, "", compositor.compose(asking(item, "en"), Turned())).scale
    ]
    assert boxes == sorted(boxes, key=lambda box: (box.y, box.x))
    each = [[box for box in boxes if box.y == y] for y in sorted({box.y for box in boxes})]
    assert [len(row) for row in each] == rows


def own_pages(compositor, screens):
    """The kiosk's own pages by what they are, in one language and in two."""
    for language, other in (("en", "cy"), ("cy", "en")):
        for name, view in in_one_language(language, other):
            if view.screen in screens:
                yield name, 1, compositor.compose(view, Turned())
    for name, view in in_both_languages("cy", "en"):
        if view.screen in screens:
            yield name, 2, compositor.compose(view, Turned())


def sizes(layout, tone):
    return {
        each.style.size
        for each in layout.placed
        if isinstance(each, Lettered) and each.tone is tone and each.align is Align.CENTRE
    }


def test_messages_have_one_size_in_each_language(compositor):
    screens = (Screen.PAUSED, Screen.DISCARDED, Screen.OUT_OF_SERVICE, Screen.STILL_THERE)
    found = {}
    for _, languages, layout in own_pages(compositor, screens):
        for tone in (Tone.HEADING, Tone.QUIET):
            found.setdefault((languages, tone), set()).update(sizes(layout, tone))
    assert {key: len(each) for key, each in found.items()} == dict.fromkeys(found, 1)


def test_what_is_to_be_read_has_one_size_in_each_language(compositor):
    screens = (Screen.ABOUT, Screen.REPLIES, Screen.VERDICT)
    found = {
        each.style.size
        for _, _, layout in own_pages(compositor, screens)
        for each in layout.placed
        if isinstance(each, Lettered)
    }
    assert len(found) == 1


def leaves(compositor, view):
    shown = [compositor.compose(view, Turned())]
    while any(button.name == "read-on" for button in shown[-1].buttons):
        shown.append(compositor.compose(view, Turned(len(shown))))
    return shown


def lines(layout):
    return sum(len(each.lines) for each in layout.placed if isinstance(each, Lettered))


@pytest.mark.parametrize("language", ["en", "cy"])
def test_no_leaf_is_left_with_a_few_lines(compositor, language):
    long = "Dewch i siarad â ni am yr ystafell ddarllen newydd yn y llyfrgell. " * 7
    reply = replace(ANSWER.reply, said=both(long), reply=both(long))
    for view in (
        View(Screen.ABOUT, SITE, (language,), about=ABOUT),
        View(Screen.REPLIES, SITE, (language,), posted=replace(ANSWER, reply=reply)),
    ):
        counts = [lines(layout) for layout in leaves(compositor, view)]
        assert min(counts) >= 0.5 * max(counts), counts


def test_no_short_word_stands_alone_under_a_question_and_no_short_label_is_broken(compositor):
    lettering = compositor.lettering
    for language, other in (("en", "cy"), ("cy", "en")):
        for name, view in in_one_language(language, other):
            layout = compositor.compose(view, Turned())
            for button in layout.buttons:
                if len("".join(button.words.lines)) < 7:
                    assert len(button.words.lines) == 1, (name, button.words)
            for each in layout.placed:
                if isinstance(each, Lettered) and len(each.lines) > 1:
                    last = each.lines[-1]
                    widths = [lettering.width(line, each.style) for line in each.lines]
                    assert " " in last or widths[-1] > max(widths) / 4, (name, each.lines)
