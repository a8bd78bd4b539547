"""A window that stands for the fake board: its buttons with lamps, who is there, the case.

It is a client of the fake's socket, like whatever else may play the hands. It prints where its
buttons are, so that they can be pressed from outside by xdotool.
"""

import argparse
import json
import os
import socket
import time
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from pathlib import Path
from tempfile import mkdtemp
from threading import Thread
from typing import Any, Final

from board import HEIGHT

os.environ.update(
    KIVY_HOME=mkdtemp(prefix="regard-board-"),
    KIVY_NO_CONFIG="1",
    KIVY_NO_ARGS="1",
    KIVY_NO_FILELOG="1",
    KIVY_NO_CONSOLELOG="1",
)

_LAMP: Final = {True: (1.0, 0.85, 0.35, 1), False: (0.27, 0.27, 0.27, 1)}
_WORDS: Final = {True: (0.1, 0.1, 0.1, 1), False: (0.85, 0.85, 0.85, 1)}
_AGAIN_S: Final = 0.2


class Hands:
    """The line to the fake: made again whenever the kiosk was."""

    def __init__(self, path: Path, heard: Callable[[str], None]) -> None:
        self._path = path
        self._heard = heard
        self._line: socket.socket | None = None

    def say(self, words: str) -> None:
        """Say what a hand does, if anybody listens."""
        if self._line is not None:
            with suppress(OSError):
                self._line.sendall(f"{words}\n".encode())

    def listen(self) -> None:
        """Hear of the lamps, for ever."""
        while True:
            with suppress(OSError), socket.socket(socket.AF_UNIX) as line:
                line.connect(str(self._path))
                self._line = line
                with line.makefile() as lines:
                    for each in lines:
                        self._heard(each.strip())
            self._line = None
            time.sleep(_AGAIN_S)


def main() -> None:
    """Show the window until it is closed or ended."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path, help="the fake's folder")
    parser.add_argument("panel", help="the backlight's name in it")
    parser.add_argument("buttons", type=int, help="how many there are")
    parser.add_argument("--place", type=int, nargs=2, help="from the left and the top, in pixels")
    show(**vars(parser.parse_args()))


def show(folder: Path, panel: str, buttons: int, place: list[int] | None) -> None:
    """Show a window with so many buttons."""
    from kivy.config import Config  # noqa: PLC0415  # Kivy reads its environment when imported

    width = 1280
    graphics: dict[str, str | int] = {"width": width, "height": HEIGHT, "resizable": 0}
    if place is not None:
        graphics |= {"position": "custom", "left": place[0], "top": place[1]}
    for option, value in graphics.items():
        Config.set("graphics", option, str(value))
    Config.set("input", "mouse", "mouse,disable_multitouch")

    # After it: whatever opens a window reads these settings as it is imported.
    from kivy.app import App  # noqa: PLC0415
    from kivy.clock import Clock  # noqa: PLC0415
    from kivy.uix.boxlayout import BoxLayout  # noqa: PLC0415
    from kivy.uix.button import Button  # noqa: PLC0415
    from kivy.uix.label import Label  # noqa: PLC0415
    from kivy.uix.togglebutton import ToggleButton  # noqa: PLC0415

    lamps = [
        Button(
            text=f"Button {place}",
            background_normal="",
            background_down="",
            background_color=_LAMP[False],
            color=_WORDS[False],
            font_size=22,
        )
        for place in range(1, buttons + 1)
    ]
    shining = Label(font_size=20)
    hands: Hands

    def light(line: str, _: float) -> None:
        for lamp, state in zip(lamps, line.removeprefix("lamps "), strict=False):
            lamp.background_color, lamp.color = _LAMP[state == "1"], _WORDS[state == "1"]

    def shine(_: float) -> None:
        files = folder / "sys/class/backlight" / panel
        with suppress(OSError, ValueError):
            most, now = (
                int((files / name).read_text()) for name in ("max_brightness", "brightness")
            )
            shining.text = f"Screen at {round(100 * now / most)} %"

    hands = Hands(folder / "hands", lambda line: Clock.schedule_once(partial(light, line)))
    row = BoxLayout(spacing=16, padding=16)
    for number, lamp in enumerate(lamps, start=1):
        lamp.bind(on_press=lambda *_, number=number: hands.say(f"press {number}"))
        lamp.bind(on_release=lambda *_, number=number: hands.say(f"release {number}"))
        row.add_widget(lamp)

    def toggle(text: str, part: str, words: dict[str, str]) -> Any:
        def say(_: Any, state: str) -> None:
            hands.say(f"{part} {words[state]}")

        button = ToggleButton(text=text, font_size=20)
        button.bind(state=say)
        return button

    side = BoxLayout(orientation="vertical", spacing=8)
    side.add_widget(toggle("Someone is there", "presence", {"down": "on", "normal": "off"}))
    side.add_widget(toggle("The case is open", "case", {"down": "open", "normal": "shut"}))
    side.add_widget(shining)
    row.add_widget(side)

    def say_where(_: float) -> None:
        middles = [[round(lamp.center_x), round(HEIGHT - lamp.center_y)] for lamp in lamps]
        print(f"board buttons={json.dumps(middles)}", flush=True)

    class Board(App):  # type: ignore[misc]  # Kivy has no types
        title = "Regard: the fake board"

        def build(self) -> Any:
            Clock.schedule_interval(shine, _AGAIN_S)
            Clock.schedule_once(say_where, _AGAIN_S)
            Thread(target=hands.listen, daemon=True).start()
            return row

    Board().run()


if __name__ == "__main__":
    main()
