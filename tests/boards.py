"""Benches to try a board on: its parts, hands to act on them, and a clock that the test moves."""

import socket
import time
from contextlib import ExitStack

from gpiozero import DigitalOutputDevice

from hardware.board import Board, Listener
from hardware.fake import SOCKET, Fake, lay_tree, wired_pins
from hardware.ground import Ground, pi_ground
from hardware.wiring import Wiring

WIRING = Wiring(
    buttons=(5, 6, 13),
    lamps=(12, 16, 20),
    presence=4,
    tamper=17,
    backlight="10-0045",
    rtc="rtc0",
)
JUMPERS = {5: 22, 6: 23, 13: 24, 4: 25, 17: 27}
DEADLINE_S = 20


class Bench:
    """A board, and what came of it. ``begin`` opens it; to be closed with the test."""

    def __init__(self, folder):
        self.root = folder
        self.data = folder
        self.now = 1000.0
        self.pressed = []
        self.came = 0
        self.closing = ExitStack()

    def begin(self, wiring=WIRING, *, without=None):
        ground = self.ground(wiring)
        if without is not None:
            self.come_back = self.lose(without)
        listener = Listener(self.pressed.append, self.comes)
        self.board = Board(wiring, ground, self.data, listener, clock=lambda: self.now)
        self.closing.callback(self.board.close)
        troubles = self.board.look()
        self.now += 1
        return troubles

    def comes(self):
        self.came += 1

    def press(self, place, seconds=0.2):
        self.down(place)
        self.now += seconds
        self.up(place)
        self.now += 1

    @property
    def brightness(self):
        text = (self.root / "sys/class/backlight/10-0045/brightness").read_text()
        return int(text) if text else None  # as it is just being written

    def lose(self, name):
        """Take one of the kernel's files away, and give what makes it come back."""
        path = self.root / name
        aside = path.with_name(f"{path.name}-aside")
        path.rename(aside)
        return lambda: aside.rename(path)


class MockBench(Bench):
    """The real parts on mock pins and a tree of files, driven directly."""

    def ground(self, wiring):
        lay_tree(self.root, wiring)
        self.wiring = wiring
        self.pins = wired_pins(wiring)
        self.closing.callback(self.pins.close)
        return Ground(self.root, lambda: self.pins)

    def down(self, place):
        self.pins.pin(self.wiring.buttons[place - 1]).hold(False)

    def up(self, place):
        self.pins.pin(self.wiring.buttons[place - 1]).hold(True)

    def presence(self, someone):
        self.pins.pin(self.wiring.presence).hold(someone)

    def case(self, opened):
        self.pins.pin(self.wiring.tamper).hold(opened)

    def lamps(self, wanted):
        return "".join(str(int(self.pins.pin(pin).state)) for pin in self.wiring.lamps) == wanted

    def until(self, happened):
        return happened()


class FakeBench(Bench):
    """The fake that is shipped, by its socket: what was said to it is done a little later."""

    def ground(self, wiring):
        fake = self.closing.enter_context(Fake(self.root, wiring))
        self.hands = self.closing.enter_context(socket.socket(socket.AF_UNIX))
        self.hands.settimeout(DEADLINE_S)
        self.hands.connect(str(self.root / SOCKET))
        self.heard = b""
        self.pins = fake.ground.open_pins()
        self.wiring = wiring
        return fake.ground

    def say(self, line, pin, high):
        """Say a line, and wait until its pin has come to it."""
        self.hands.sendall(f"{line}\n".encode())
        assert self.until(lambda: bool(self.pins.pin(pin).state) == high)

    def down(self, place):
        self.say(f"press {place}", self.wiring.buttons[place - 1], False)

    def up(self, place):
        self.say(f"release {place}", self.wiring.buttons[place - 1], True)

    def presence(self, someone):
        self.say(f"presence {'on' if someone else 'off'}", self.wiring.presence, someone)

    def case(self, opened):
        self.say(f"case {'open' if opened else 'shut'}", self.wiring.tamper, opened)

    def lamps(self, wanted):
        while not self.heard.endswith(f"lamps {wanted}\n".encode()):
            self.heard += self.hands.recv(100)
        return True

    def until(self, happened):
        deadline = time.monotonic() + DEADLINE_S
        while not happened():
            assert time.monotonic() < deadline
            time.sleep(0.002)
        return True


class PiBench(Bench):
    """The pins of the Pi that this runs on, each of `JUMPERS` joined by a wire, nothing else wired.

    The files are a tree all the same, so that no panel is needed.
    """

    def ground(self, wiring):
        lay_tree(self.root, wiring)
        self.wiring = wiring
        self.pins = pi_ground(self.root).open_pins()
        self.fingers = {
            pin: DigitalOutputDevice(
                finger, initial_value=pin in wiring.buttons, pin_factory=self.pins
            )
            for pin, finger in JUMPERS.items()
        }
        return Ground(self.root, lambda: self.pins)

    def put(self, pin, high):
        self.fingers[pin].value = high
        assert self.until(lambda: bool(self.pins.pin(pin).state) == high)

    def down(self, place):
        self.put(self.wiring.buttons[place - 1], False)

    def up(self, place):
        self.put(self.wiring.buttons[place - 1], True)

    def presence(self, someone):
        self.put(self.wiring.presence, someone)

    def case(self, opened):
        self.put(self.wiring.tamper, opened)

    def lamps(self, wanted):
        return "".join(str(int(self.pins.pin(pin).state)) for pin in self.wiring.lamps) == wanted

    def until(self, happened):
        return FakeBench.until(self, happened)
