"""Whatever fails around the screen is told by its name, and a real kiosk's touch goes on."""

import os
import time
from datetime import datetime
from functools import partial
from random import Random

import pytest
from boards import WIRING, MockBench
from kiosk_site import in_force

from hardware.board import Board
from hardware.dimming import Dimming
from hardware.ground import Ground
from kiosk_app.caretaker import LOOK_S, Caretaker
from kiosk_app.door import Door
from kiosk_app.kiosk import Kiosk
from kiosk_app.manners import Manners
from kiosk_app.view import Screen
from sync_service.contract.record import InputMode, Moment, half_day_of

NOW = Moment(half_day_of(datetime(2026, 3, 10, 14)))


class Room:
    """A kiosk, what is around its screen, and a caretaker; the test moves their clock."""

    def __init__(self, folder, centre):
        self.bench = MockBench(folder)
        self.ground = self.bench.ground(WIRING)
        self.door = Door()
        self.came = 0
        self.troubles = None
        self.recorded = []
        self.kiosk = Kiosk(
            in_force(centre, "dignity"),
            Manners(),
            random=Random(1),
            moment=lambda timezone: NOW,
            record=self.recorded.append,
            session_begun=lambda: None,
            now=self.bench.now,
        )
        self.kiosk.in_service(self.bench.now)
        self.caretaker = Caretaker(
            self.make_board,
            self.door,
            dimming=Dimming(after_s=60),
            look_s=LOOK_S,
            clock=lambda: self.bench.now,
            time_of_day=lambda: None,
        )

    def make_board(self, listener):
        make = partial(Board, WIRING, self.ground, self.bench.data)
        return make(listener, clock=lambda: self.bench.now)

    def begin(self):
        self.caretaker.start(self.press, self.come, self.find)
        self.until(lambda: self.troubles is not None)
        self.bench.now += 1

    def press(self, place):
        code = self.kiosk.view.asked.questions[0].choices[place - 1].code
        self.kiosk.answer(1, code, "en", self.bench.now, InputMode.BUTTONS)

    def come(self):
        self.came += 1

    def find(self, troubles):
        self.troubles = troubles

    def look(self):
        """Let the caretaker look at every part."""
        self.bench.now += LOOK_S
        self.caretaker.offer(3)

    def until(self, happened):
        deadline = time.monotonic() + 20
        while not happened():
            assert time.monotonic() < deadline, self.troubles
            self.door.let_in(self.bench.now)
            time.sleep(0.002)

    def answer_by_touch(self):
        """Touch an answer, and see that it is recorded and thanked for."""
        before = len(self.recorded)
        self.kiosk.answer(1, 1, "en", self.bench.now)
        assert len(self.recorded) == before + 1
        self.thank()

    def thank(self):
        self.kiosk.recorded(self.bench.now)
        assert self.kiosk.view.screen is Screen.THANKS
        self.bench.now += 1
        self.kiosk.dismiss(self.bench.now)
        self.bench.now += 1


@pytest.fixture
def room(tmp_path, centre):
    room = Room(tmp_path, centre)
    with room.bench.closing:
        yield room
        room.caretaker.close()


def test_a_button_answers_as_touch_does_and_says_so(room):
    room.begin()
    assert room.troubles == ()
    room.bench.press(2)
    room.until(lambda: room.recorded)
    [response] = room.recorded
    assert (response.answers, response.input_mode) == ({1: 2}, InputMode.BUTTONS)


def test_lamps_are_lit_for_what_can_be_chosen(room):
    room.begin()
    room.caretaker.offer(2)
    room.until(lambda: room.bench.lamps("110"))


def test_the_screen_dims_when_nobody_is_there_and_wakes_for_whoever_comes_or_touches(room):
    room.begin()
    room.until(lambda: room.caretaker.watches)
    for wake in (room.caretaker.touched, lambda: room.bench.presence(True)):
        room.look()
        room.until(lambda: room.bench.brightness == 102)
        wake()
        room.until(lambda: room.bench.brightness == 255)
    room.until(lambda: room.came == 1)


def lose(name):
    return lambda room: room.bench.lose(name)


def write(name, content):
    return lambda room: (room.bench.root / name).write_text(content)


def fail(name):
    """Have every read of a file fail with an I/O error, as on a bus that does not answer."""

    def do(room):
        (room.bench.root / name).unlink()
        (room.bench.root / name).symlink_to("/proc/self/mem")

    return do


def break_pin(pin):
    return lambda room: room.bench.pins.pin(pin).break_off()


def hold(pin, high):
    return lambda room: room.bench.pins.pin(pin).hold(high)


BACKLIGHT = "sys/class/backlight/10-0045/"


@pytest.mark.parametrize(
    ("happens", "trouble"),
    [
        (lose(BACKLIGHT + "brightness"), "backlight-failed"),
        (fail(BACKLIGHT + "brightness"), "backlight-failed"),
        (write(BACKLIGHT + "brightness", "bright"), "backlight-failed"),
        (lose("sys/class/rtc/rtc0/since_epoch"), "clock-failed"),
        (fail("sys/class/rtc/rtc0/since_epoch"), "clock-failed"),
        (fail("sys/class/thermal/thermal_zone0/temp"), "temperature-failed"),
        (write("sys/class/thermal/thermal_zone0/temp", "90000"), "temperature-high"),
        (fail("sys/class/hwmon/hwmon0/in0_lcrit_alarm"), "power-failed"),
        (write("sys/class/hwmon/hwmon0/in0_lcrit_alarm", "1"), "power-low"),
        (fail("sys/devices/platform/soc/soc:firmware/get_throttled"), "processor-failed"),
        (fail("sys/block/mmcblk0/device/life_time"), "card-failed"),
        (write("sys/block/mmcblk0/device/pre_eol_info", "0x03"), "card-worn"),
        (fail("proc/meminfo"), "memory-failed"),
        (break_pin(WIRING.buttons[0]), "button-1-failed"),
        (break_pin(WIRING.lamps[2]), "lamp-3-failed"),
        (break_pin(WIRING.presence), "presence-failed"),
        (break_pin(WIRING.tamper), "case-failed"),
        (hold(WIRING.tamper, True), "case-open"),
    ],
)
def test_touch_and_the_other_buttons_go_on_when_a_part_fails(room, happens, trouble):
    room.begin()
    happens(room)
    room.look()
    room.until(lambda: trouble in room.troubles)
    room.answer_by_touch()
    room.bench.press(3)
    room.until(lambda: len(room.recorded) == 2)


def test_touch_goes_on_when_a_button_is_stuck_which_answers_once(room):
    room.begin()
    room.bench.down(2)
    room.until(lambda: room.recorded)
    room.thank()
    room.look()
    room.until(lambda: room.troubles == ("button-2-stuck",))
    room.answer_by_touch()
    assert len(room.recorded) == 2


def test_touch_goes_on_when_a_contact_bounces_which_answers_once(room):
    room.begin()
    for _ in range(20):
        room.bench.down(2)
        room.bench.up(2)
    room.until(lambda: room.recorded)
    room.thank()
    room.answer_by_touch()
    assert len(room.recorded) == 2


class NoPins:
    def __init__(self, error):
        self._error = error

    def __call__(self):
        raise self._error


@pytest.mark.parametrize("error", [FileNotFoundError(2, "gone"), PermissionError(13, "not yours")])
def test_touch_goes_on_without_a_single_pin(room, error):
    room.ground = Ground(room.bench.root, NoPins(error))
    room.begin()
    assert {"button-1-failed", "lamp-1-failed", "presence-failed", "case-failed"} <= {
        *room.troubles
    }
    assert not room.caretaker.watches
    room.answer_by_touch()


def test_touch_goes_on_when_the_caretaker_itself_fails(room):
    room.make_board = lambda listener: 1 / 0
    room.caretaker._make_board = room.make_board
    room.begin()
    assert room.troubles == ("hardware-failed",)
    room.answer_by_touch()


def test_touch_goes_on_when_a_part_hangs_which_is_told_until_it_answers(room):
    room.begin()
    name = room.bench.root / "sys/class/thermal/thermal_zone0/temp"
    name.unlink()
    os.mkfifo(name)  # whoever reads it waits for a writer
    room.look()
    room.until(lambda: room.caretaker._round_at == room.bench.now)
    for _ in range(2):
        assert room.troubles == ()
        room.bench.now += LOOK_S
        room.caretaker.check()
    assert room.troubles == ("hardware-hangs",)
    room.answer_by_touch()

    waiting = name.rename(name.with_name("waiting"))
    for each in (name, waiting):
        each.write_text("91000")
    room.until(lambda: room.troubles == ("hardware-hangs", "temperature-high"))
    room.caretaker.touched()
    while room.troubles != ("temperature-high",):
        room.caretaker.check()


def test_a_caretaker_that_was_never_started_can_be_closed(room):
    room.caretaker.close()
