"""Real widgets in a real window: what is drawn fits, and one finger at a time counts."""

import struct
from datetime import datetime
from random import Random
from threading import Timer
from types import SimpleNamespace

import pytest
from kiosk_site import in_force
from PIL import Image, ImageChops
from views import in_both_languages, in_one_language

from kiosk_app.hand import Hand
from kiosk_app.kiosk import Kiosk
from kiosk_app.languages.catalogue import read_catalogues
from kiosk_app.layout.compositor import Compositor
from kiosk_app.layout.panel import DEFAULT_PANEL, PANELS
from kiosk_app.layout.placed import Align, Button, Lettered, Tone
from kiosk_app.manners import Manners
from kiosk_app.ui.palette import Ground, Look
from kiosk_app.view import Screen
from sync_service.contract.record import Moment, half_day_of

CATALOGUES = read_catalogues()
NOW = Moment(half_day_of(datetime(2026, 3, 10, 14)))


@pytest.fixture
def app(stage, centre):
    """The app on a kiosk whose clock the test moves, stepped by the test and not by itself."""
    from kivy.base import EventLoop, runTouchApp, stopTouchApp
    from kivy.core.window import Window

    from kiosk_app.ui.app import KioskApp
    from kiosk_app.ui.loop import Loop

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
    bench.loop = Loop(())
    bench.app = KioskApp(
        bench.kiosk,
        bench.loop,
        Compositor(PANELS[DEFAULT_PANEL], CATALOGUES),
        Hand(repeat_s=0.5),
        clock=lambda: bench.now,
        let_in=lambda now: None,
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
    return box.center_x, box.y - mm * PANELS[DEFAULT_PANEL].px_per_mm


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
        bench.loop._wait._sdl.SDL_PushEvent(struct.pack("<IIqq40x", kind, 0, 1, finger))


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
    """The keyboard, which stands on a leaf of its own on a panel of this size."""
    for name in ("answer-1-en", "answer-1-en", "write"):
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


def test_what_is_written_is_not_among_the_words_that_are_kept_drawn(writing):
    from kiosk_app.ui import texture

    write(writing, "a")
    before = texture.of_published_words.cache_info().misses
    write(writing, *"nn")
    assert texture.of_published_words.cache_info().misses == before


def test_blank_is_no_answer(writing):
    write(writing, "space", "space")
    assert button(writing, "next").disabled
    write(writing, "a")
    assert not button(writing, "next").disabled
    write(writing, "delete")
    assert button(writing, "next").disabled


def test_a_draft_stays_on_the_way_back_and_forth_and_is_gone_with_its_respondent(writing):
    write(writing, "h", "i")
    for name in ("read-back", "back", "next", "write"):
        tap(writing, name)
        writing.now += 1
    assert not button(writing, "next").disabled
    for seconds in (30, 20):
        writing.now += seconds
        writing.kiosk.tick(writing.now)
        writing.step()
    assert 3 not in writing.recorded[0].answers, "it was not confirmed"
    writing.kiosk.recorded(writing.now)
    writing.step()
    for name in ("answer-1-en", "answer-1-en", "write"):
        writing.now += 1
        tap(writing, name)
    assert shown(writing) == 3
    assert button(writing, "next").disabled


def test_a_tap_dismisses_thanks(writing):
    for name in ("read-back", "skip-en"):
        tap(writing, name)
    writing.kiosk.recorded(writing.now)
    writing.step()
    writing.now += 1
    Finger(writing, at=(640, 400)).down().up()
    assert shown(writing) == 1


# What is drawn


@pytest.fixture
def draw(app):
    """Draws a view as the app does, and gives the page and a picture of the window."""
    from kivy.core.window import Window
    from kivy.graphics.opengl import GL_RGB, GL_UNSIGNED_BYTE, glReadPixels

    def draw(view):
        app.app._kiosk = SimpleNamespace(view=view, next_tick=None, shown=lambda now: None)
        app.step()
        Window.dispatch("on_draw")
        size = Window.size
        pixels = glReadPixels(0, 0, *size, GL_RGB, GL_UNSIGNED_BYTE)
        picture = Image.frombytes("RGB", size, pixels)
        return page_of(app), picture.transpose(Image.Transpose.FLIP_TOP_BOTTOM)

    return draw


VIEWS = [
    *in_one_language("en", "cy"),
    *((name, view) for name, view in in_one_language("cy", "en") if name == "asking-five-waiting"),
    *((f"both-{name}", view) for name, view in in_both_languages("cy", "en")),
]


@pytest.mark.parametrize("view", [pytest.param(view, id=name) for name, view in VIEWS])
def test_what_is_on_the_screen_is_what_the_layout_placed_letter_by_letter(draw, view):
    page, picture = draw(view)
    for placed in page.layout.placed:
        match placed:
            case Lettered():
                ground = Ground[placed.ground.name]
                colour = {
                    Tone.HEADING: ground.heading,
                    Tone.PLAIN: ground.words,
                    Tone.QUIET: ground.quiet,
                }[placed.tone]
                assert_drawn(page, picture, placed, ground.face, colour)
            case Button():
                look = Look[placed.look.name]
                assert_drawn(page, picture, placed.words, look.face, look.words)


def assert_drawn(page, picture, words, face, colour):
    """The window shows the letters as Pillow draws them, where the layout has them."""
    mask = page._stage.lettering.draw(words.lines, words.style, centred=words.align is Align.CENTRE)
    box = words.ink_box(*mask.size)
    expected = Image.composite(
        Image.new("RGB", mask.size, in_bytes(colour)),
        Image.new("RGB", mask.size, in_bytes(face)),
        mask,
    )
    seen = picture.crop((box.x, box.y, box.right, box.bottom))
    difference = ImageChops.difference(seen, expected)
    difference.paste(
        0, mask=mask.point(lambda ink: 255 * (ink == 0))
    )  # a round corner may be there
    furthest = max(high for _, high in difference.getextrema())
    assert furthest <= 3, words.lines


def in_bytes(colour):
    return tuple(round(part * 255) for part in colour[:3])


def test_each_button_is_touched_where_it_is_drawn(draw):
    for _, view in VIEWS:
        page, _ = draw(view)
        assert len(page.buttons) == len(page.layout.buttons)
        for button, placed in zip(page.buttons, page.layout.buttons, strict=True):
            box = placed.box
            assert (*button.size, button.x) == (box.width, box.height, box.x)
            assert button.top == page._stage.panel.height_px - box.y


def test_a_screen_that_is_not_the_panel_is_refused(app):
    from kiosk_app.error import OtherPanelError
    from kiosk_app.ui.app import KioskApp

    with pytest.raises(OtherPanelError, match=r"1280x800.*21\.5-1080x1920.*set panel"):
        KioskApp(
            app.kiosk,
            app.loop,
            Compositor(PANELS["21.5-1080x1920"], CATALOGUES),
            Hand(repeat_s=0.5),
            clock=lambda: app.now,
            let_in=lambda now: None,
            trace_view=False,
        )


def test_what_is_shown_first_is_told_and_drawn_twice_as_a_console_shows_only_the_second(stage):
    from kivy.base import EventLoop, stopTouchApp
    from kivy.core.window import Window
    from kivy.uix.widget import Widget

    from kiosk_app.ui.loop import Loop

    drawn = []
    told = []
    loop = Loop((), shown=lambda: told.append(len(drawn)))
    root = Widget()

    def step():
        if not drawn:
            Window.canvas.ask_update()
        drawn.append(Window.canvas.needs_redraw)
        EventLoop.idle()

    timer = Timer(0.5, loop.stop)  # after what is drawn last it would wait
    timer.start()
    loop.run(root, step)
    timer.cancel()
    timer.join()
    Window.remove_widget(root)
    stopTouchApp()

    assert drawn[:2] == [True, True]
    assert told == [1]


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


class Lamps:
    """What is around the screen: how many choices it was told of, and how often of a touch."""

    def __init__(self):
        self.offered = []
        self.touches = 0

    def offer(self, choices):
        self.offered.append(choices)

    def touched(self):
        self.touches += 1


def test_a_button_beside_the_screen_answers_what_stands_at_its_place(app):
    app.app.press(3)
    app.step()
    assert shown(app) == 2
    app.now += 1
    app.app.press(2)
    app.step()
    assert shown(app) == 3


def test_a_button_without_a_choice_at_its_place_answers_nothing(app):
    app.app.press(8)
    app.step()
    assert shown(app) == 1


def test_a_button_pressed_twice_at_once_is_one_answer(app):
    app.app.press(1)
    app.app.press(1)
    app.step()
    assert shown(app) == 2


def test_what_is_around_the_screen_knows_how_many_choices_there_are(app):
    lamps = app.app._surroundings = Lamps()
    app.step()
    tap(app, "answer-1-en")
    app.now += 1
    app.app.press(2)
    app.step()
    assert lamps.offered == [4, 2, 0]
    assert lamps.touches >= 2
