"""Real widgets in a real window: what is drawn fits, and one finger at a time counts."""

import struct
import tomllib
from dataclasses import replace
from datetime import datetime
from itertools import combinations
from pathlib import Path
from random import Random
from threading import Timer
from types import SimpleNamespace

import pytest
from kiosk_site import both, in_force

import sync_service
from kiosk_app.hand import Hand
from kiosk_app.kiosk import Kiosk
from kiosk_app.languages.catalogue import read_catalogues
from kiosk_app.manners import Manners
from kiosk_app.session import Progress
from kiosk_app.view import Asked, Choice, Question, Screen, Trouble, View
from sync_service.contract.publication import Invitation, Stands
from sync_service.contract.questionnaire import Questionnaire
from sync_service.contract.record import Moment, half_day_of

CATALOGUES = read_catalogues()
NOW = Moment(half_day_of(datetime(2026, 3, 10, 14)))
DEFAULTS = Path(sync_service.__file__).parent / "collector/questionnaires"
QUESTIONNAIRES = [
    Questionnaire.from_document(tomllib.loads(path.read_text(encoding="utf-8")))
    for path in sorted(DEFAULTS.glob("*.toml"))
]
LONG_NAME = "Canolfan Iechyd a Llesiant Llanfairpwllgwyngyll"


@pytest.fixture
def app(stage, centre):
    """The app on a kiosk whose clock the test moves, stepped by the test and not by itself."""
    from kivy.base import EventLoop, runTouchApp, stopTouchApp
    from kivy.core.window import Window

    from kiosk_app.ui.app import KioskApp

    bench = SimpleNamespace(now=1000.0, recorded=[])
    bench.kiosk = Kiosk(
        in_force(centre),
        Manners(),
        random=Random(1),
        moment=lambda timezone: NOW,
        record=bench.recorded.append,
        session_begun=lambda: None,
        now=bench.now,
    )
    bench.kiosk.in_service(bench.now)
    bench.app = KioskApp(
        bench.kiosk,
        CATALOGUES,
        Hand(repeat_s=0.5),
        px_per_mm=5.88,
        clock=lambda: bench.now,
        let_in=lambda now: None,
        chores=(),
        trace_view=False,
    )
    runTouchApp(bench.app.root, embedded=True)
    bench.step = bench.app.step
    bench.step()
    bench.now += 1
    yield bench
    Window.remove_widget(bench.app.root)
    EventLoop.touches.clear()
    stopTouchApp()


def page_of(bench):
    [page] = bench.app.root.children
    return page


def button(bench, name):
    [found] = [button for button in page_of(bench).buttons if button.name == name]
    return found


class Finger:
    """One finger on the screen."""

    def __init__(self, bench, name=None, at=None):
        from kivy.tests.common import UnitTestTouch

        self._bench = bench
        x, y = button(bench, name).center if at is None else at
        self._touch = UnitTestTouch(x, y)

    def down(self):
        self._touch.touch_down()
        return self

    def move(self, x, y):
        self._touch.touch_move(x, y)
        return self

    def up(self):
        self._touch.touch_up()
        self._bench.step()
        return self

    def held_for(self, seconds):
        self._touch.time_start -= seconds
        return self


def tap(bench, name):
    Finger(bench, name).down().up()


def shown(bench):
    asked = bench.kiosk.view.asked
    return None if asked is None else asked.item


def test_a_tap_answers(app):
    tap(app, "answer-2-en")
    assert shown(app) == 2
    app.now += 1
    tap(app, "skip-en")
    assert shown(app) == 3


def test_nothing_happens_before_the_finger_is_lifted(app):
    finger = Finger(app, "answer-1-en").down()
    app.step()
    assert shown(app) == 1
    finger.up()
    assert shown(app) == 2


def test_a_finger_that_slides_off_answers_nothing(app):
    Finger(app, "answer-1-en").down().move(5, 5).up()
    assert shown(app) == 1


def test_a_second_finger_never_answers_while_the_first_is_down(app):
    first = Finger(app, "answer-1-en").down()
    Finger(app, "answer-2-en").down().up()
    assert shown(app) == 1
    first.move(5, 5).up()
    assert shown(app) == 1
    Finger(app, "answer-2-en").down().up()
    assert shown(app) == 2


def test_a_second_finger_never_answers_the_next_item(app):
    first, second = Finger(app, "answer-1-en"), Finger(app, "answer-2-en")
    first.down()
    second.down()
    first.up()
    assert shown(app) == 2
    app.now += 1
    second.up()
    assert shown(app) == 2
    assert app.kiosk.view.asked.given is None


def test_a_finger_put_down_before_the_screen_changed_does_nothing_after(app):
    tap(app, "answer-1-en")
    app.now += 1
    finger = Finger(app, "answer-1-en").down()
    app.kiosk.close(app.now)
    app.kiosk.recorded(app.now)
    app.step()
    app.now += 1
    assert shown(app) == 1
    finger.up()
    assert shown(app) == 1
    tap(app, "answer-1-en")
    assert shown(app) == 2


def test_a_finger_put_down_before_the_screen_has_settled_does_nothing(app):
    tap(app, "answer-1-en")
    app.now += 0.2
    finger = Finger(app, "answer-1-en").down()
    app.now += 1
    finger.up()
    assert shown(app) == 2


def test_a_tap_made_while_a_slow_screen_was_being_drawn_does_nothing(app):
    Finger(app, "answer-1-en").down()._touch.touch_up()
    app.now += 2  # in which the next screen is drawn
    app.step()
    tap(app, "answer-1-en")
    assert shown(app) == 2


def beside(bench, name, mm):
    """A place so far below a button."""
    box = button(bench, name)
    return box.center_x, box.y - mm * 5.88


@pytest.mark.parametrize(("mm", "item"), [(9, 2), (11, 1)])
def test_a_trembling_finger_lifted_beside_its_button_counts_and_one_that_slid_away_does_not(
    app, mm, item
):
    Finger(app, "answer-1-en").down().move(*beside(app, "answer-1-en", mm)).up()
    assert shown(app) == item


def test_a_button_shows_whether_lifting_the_finger_now_would_count(app):
    finger = Finger(app, "answer-1-en").down()
    states = []
    for mm in (5, 15, 5):
        finger.move(*beside(app, "answer-1-en", mm))
        states.append(button(app, "answer-1-en").state)
    assert states == ["down", "normal", "down"]


def test_a_repeat_on_the_same_place_is_ignored_for_half_a_second(app):
    tap(app, "answer-1-en")
    app.now += 0.2
    place = button(app, "answer-1-en").center
    Finger(app, at=place).down().up()
    for seconds, item in ((0.4, 2), (0.2, 3)):
        app.now += seconds
        Finger(app, at=place).down().up()
        assert shown(app) == item


def test_a_wiping_hand_answers_nothing_and_pauses_the_screen(app):
    box = button(app, "answer-1-en")
    finger = Finger(app, "answer-1-en").down()
    for x in (box.x, box.right, box.x, box.right, box.x):
        finger.move(x, box.center_y)
    finger.up()
    assert app.kiosk.view.screen is Screen.PAUSED
    app.now += 3
    app.kiosk.tick(app.now)
    app.step()
    app.now += 1
    assert shown(app) == 1
    tap(app, "answer-1-en")
    assert shown(app) == 2


FINGER_DOWN, FINGER_UP = 0x700, 0x701


def send_fingers(bench, kind, *fingers):
    """Put events of fingers into SDL's queue, as a panel does."""
    for finger in fingers:
        bench.app._wait._sdl.SDL_PushEvent(struct.pack("<IIqq40x", kind, 0, 1, finger))


def test_three_fingers_at_once_answer_nothing_and_pause_the_screen_until_they_are_gone(app):
    finger = Finger(app, "answer-1-en").down()
    send_fingers(app, FINGER_DOWN, 1, 2)
    app.step()
    assert app.kiosk.view.screen is Screen.ATTRACT, "two are clumsy, not a palm"
    send_fingers(app, FINGER_DOWN, 3)
    app.step()
    assert app.kiosk.view.screen is Screen.PAUSED
    finger.up()
    app.now += 10
    app.step()
    app.kiosk.tick(app.now)
    assert app.kiosk.view.screen is Screen.PAUSED, "they are still there"
    send_fingers(app, FINGER_UP, 1, 2, 3)
    app.step()
    app.now += 3
    app.step()
    app.kiosk.tick(app.now)
    assert shown(app) == 1


def test_three_fingers_that_are_gone_before_anyone_looks_are_a_palm_all_the_same(app):
    send_fingers(app, FINGER_DOWN, 1, 2, 3)
    send_fingers(app, FINGER_UP, 1, 2, 3)
    app.step()
    assert app.kiosk.view.screen is Screen.PAUSED


def test_a_finger_whose_end_was_never_told_blocks_nobody_for_long(app):
    lost = Finger(app, at=(5, 5)).down()
    tap(app, "answer-1-en")
    assert shown(app) == 1
    lost.held_for(60)
    tap(app, "answer-1-en")
    assert shown(app) == 2


def test_a_touch_anywhere_keeps_the_session_alive(app):
    tap(app, "answer-1-en")
    for _ in range(4):
        app.now += 20
        Finger(app, at=(5, 5)).down().up()
        app.kiosk.tick(app.now)
    assert shown(app) == 2


def test_what_was_answered_before_is_marked_and_next_keeps_it(app):
    tap(app, "answer-3-en")
    app.now += 1
    tap(app, "back")
    assert app.kiosk.view.asked.given == 3
    app.now += 1
    tap(app, "next")
    assert shown(app) == 2
    app.now += 1
    tap(app, "back")
    assert app.kiosk.view.asked.given == 3


@pytest.fixture
def writing(app):
    for name in ("answer-1-en", "answer-1-en"):
        tap(app, name)
        app.now += 1
    return app


def write(bench, *keys):
    for key in keys:
        tap(bench, f"key-{key}")


def test_what_is_written_by_touch_alone_is_the_answer(writing):
    assert button(writing, "next").disabled
    write(writing, "capitals", "i", "capitals", "t", "space", "w", "delete", "figures", "1")
    write(writing, "figures", "a")
    tap(writing, "next")
    [response] = writing.recorded
    assert response.answers[3] == "IT 1a"


def test_no_more_can_be_written_than_the_item_admits(writing):
    write(writing, *"a" * 25)
    tap(writing, "next")
    assert writing.recorded[0].answers[3] == "a" * 20


def test_blank_is_no_answer(writing):
    write(writing, "space", "space")
    assert button(writing, "next").disabled
    write(writing, "a")
    assert not button(writing, "next").disabled
    write(writing, "delete")
    assert button(writing, "next").disabled


def test_a_draft_stays_on_the_way_back_and_forth_and_is_gone_with_its_respondent(writing):
    write(writing, "h", "i")
    tap(writing, "back")
    writing.now += 1
    tap(writing, "next")
    writing.now += 1
    assert not button(writing, "next").disabled
    for seconds in (30, 20):
        writing.now += seconds
        writing.kiosk.tick(writing.now)
        writing.step()
    assert 3 not in writing.recorded[0].answers, "it was not confirmed"
    writing.kiosk.recorded(writing.now)
    writing.step()
    for name in ("answer-1-en", "answer-1-en"):
        writing.now += 1
        tap(writing, name)
    assert shown(writing) == 3
    assert button(writing, "next").disabled


def test_a_tap_dismisses_thanks(writing):
    tap(writing, "skip-en")
    writing.kiosk.recorded(writing.now)
    writing.step()
    writing.now += 1
    Finger(writing, at=(640, 400)).down().up()
    assert shown(writing) == 1


# What is drawn


def check_layout(page):
    """Nothing is cut off, nothing leaves the window, no two things overlap."""
    from kivy.core.window import Window

    from kiosk_app.ui.button import Words

    words = [widget for widget in page.walk(restrict=True) if isinstance(widget, Words)]
    for each in words:
        width = each.text_size[0]
        each.text_size = (width, None)  # which cuts nothing off
        each.texture_update()
        for word in each.text.split():
            assert each._label.get_extents(word)[0] <= width, word
        assert width <= each.width, each.text
        assert each.texture_size[1] <= each.height, each.text
        assert min(each.x, each.y) >= 0, each.text
        assert each.x + each.width <= Window.width, each.text
        assert each.y + each.height <= Window.height, each.text
    for one, other in combinations(words, 2):
        assert not overlap(one, other), (one.text, other.text)
    for each in page.buttons:
        least = 40 if each.name.startswith(("key", "language")) else 50
        assert min(each.width, each.height) >= least, each.text


def overlap(one, other):
    return (
        one.x < other.x + other.width - 1
        and other.x < one.x + one.width - 1
        and one.y < other.y + other.height - 1
        and other.y < one.y + one.height - 1
    )


def question(item, language):
    return Question(
        language,
        item.text[language],
        tuple(
            Choice(option.code, option.text[language], option.scored)
            for option in item.offered_options(Stands.WAITING)
        ),
        item.notice.get(language, ()),
    )


def asking(item, languages, screen, *, later):
    """An item where most options are offered, in a waiting area; ``later``: come back to."""
    return View(
        screen=screen,
        site_name=LONG_NAME,
        languages=languages,
        other_languages=("cy",) if later else (),
        asked=Asked(
            item=item.code,
            kind=item.kind,
            questions=tuple(question(item, language) for language in languages),
            given=(item.options[1].code if item.options else "Diolch " * 100) if later else None,
            max_length=item.max_length,
            progress=Progress(2, 3),
            can_go_back=later,
        ),
    )


@pytest.fixture
def draw(app):
    """Draws a view as the app does, and gives the page."""

    def draw(view):
        app.app._kiosk = SimpleNamespace(view=view, next_tick=None, shown=lambda now: None)
        app.step()
        app.step()
        return page_of(app)

    return draw


ITEMS = [
    pytest.param(item, id=f"{questionnaire.id}-{item.name}")
    for number, questionnaire in enumerate(QUESTIONNAIRES)
    for item in questionnaire.items
    if not any(item in earlier.items for earlier in QUESTIONNAIRES[:number])
]


@pytest.mark.parametrize("item", ITEMS)
def test_each_item_of_the_default_questionnaires_fits(draw, item):
    for language in ("en", "cy"):
        check_layout(draw(asking(item, (language,), Screen.ASKING, later=True)))
        if item.kind != "text":
            check_layout(draw(asking(item, (language,), Screen.ATTRACT, later=False)))


@pytest.mark.parametrize("item", [each for each in ITEMS if each.values[0].kind != "text"])
def test_each_item_fits_a_bilingual_attract_screen_with_equal_room(draw, item):
    page = draw(asking(item, ("cy", "en"), Screen.ATTRACT, later=False))
    check_layout(page)
    boxes = {
        language: [tuple(b.size) for b in page.buttons if b.name.endswith(language)]
        for language in ("cy", "en")
    }
    assert boxes["cy"] == boxes["en"]


LONG = both("Dewch i siarad â ni am yr ystafell ddarllen newydd yn y llyfrgell. " * 3)


@pytest.mark.parametrize(
    "view",
    [
        View(Screen.SAVING, LONG_NAME, ("cy",), saving_shown=True),
        View(Screen.SAVING, LONG_NAME, ("en",)),
        View(Screen.THANKS, LONG_NAME, ("cy",)),
        View(
            Screen.THANKS,
            LONG_NAME,
            ("en",),
            invitation=Invitation(code=1, what=LONG, when=LONG, whom=LONG),
        ),
        *(
            View(Screen.OUT_OF_SERVICE, LONG_NAME, languages, trouble=trouble)
            for trouble in Trouble
            for languages in (("en",), ("cy",), ("cy", "en"))
        ),
    ],
    ids=str,
)
def test_each_screen_without_buttons_fits(draw, view):
    check_layout(draw(view))


def test_twelve_choices_and_a_scale_of_eleven_fit(draw):
    item = QUESTIONNAIRES[0].by_name("dignity")
    option = item.options[1]
    for kind, count in (("choice", 12), ("rating", 11)):
        many = replace(
            item, kind=kind, options=tuple(replace(option, code=n) for n in range(1, count + 1))
        )
        check_layout(draw(asking(many, ("cy",), Screen.ASKING, later=True)))


def test_welsh_letters_are_drawn_and_not_boxes(stage):
    from kivy.core.text import LabelBase
    from PIL import ImageFont

    from kiosk_app.ui.theme import FONT

    for file in LabelBase._fonts[FONT][:2]:
        font = ImageFont.truetype(file, 40)
        missing = font.getmask("\uffff").getbbox(), bytes(font.getmask("\uffff"))
        for letter in "âêîôûŵŷÂÊÎÔÛŴŶáéëïöẅẁ’–…":
            assert (font.getmask(letter).getbbox(), bytes(font.getmask(letter))) != missing


# Waiting


def test_the_wait_ends_when_it_is_woken_from_another_thread(stage):
    import kivy.core.window  # noqa: F401  # loads SDL

    from kiosk_app.ui.event_wait import EventWait

    wait = EventWait.of_this_process()
    assert isinstance(wait, EventWait)
    timer = Timer(0.05, wait.wake)
    timer.start()
    wait.wait(60)
    timer.join()


def test_without_sdl_a_frame_is_waited_for(stage):
    from kiosk_app.ui.event_wait import FrameWait

    wait = FrameWait()
    wait.wake()
    wait.wait(60)
    wait.wait(-1)
