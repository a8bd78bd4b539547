"""The demo's window of the fake board: what is pressed there is pressed on its pins."""

import time
from functools import partial

from board import SETTINGS, Board

from hardware.buttons import Button
from hardware.fake import Fake
from hardware.wiring import Wiring


def test_a_button_of_the_window_is_a_button_of_the_board(tmp_path, xvfb):
    buttons = SETTINGS["wiring.buttons"]
    wiring = Wiring(buttons=tuple(buttons), backlight=SETTINGS["wiring.backlight"])
    with Fake(tmp_path, wiring) as fake, Board(tmp_path, (0, 0)) as window:
        pins = fake.ground.open_pins()
        pressed = []
        real = [
            Button(pin, pins, clock=time.monotonic, when_pressed=partial(pressed.append, place))
            for place, pin in enumerate(buttons, start=1)
        ]
        deadline = time.monotonic() + 30
        while not pressed:  # until the window has found the socket
            assert time.monotonic() < deadline
            window.press(2)
            time.sleep(0.1)
        for button in real:
            button.close()
    assert set(pressed) == {2}
