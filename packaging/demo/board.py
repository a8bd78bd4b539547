"""The fake board beside a kiosk: its settings, and its window, whose buttons xdotool presses."""

import json
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Final, Self

SETTINGS: Final[Mapping[str, str | float | list[int]]] = {
    "hardware": "fake",
    "wiring.buttons": [5, 6, 13, 19, 26],
    "wiring.lamps": [12, 16, 20, 21, 25],
    "wiring.presence": 4,
    "wiring.tamper": 17,
    "wiring.backlight": "panel",
    "dimming.after_s": 20,
}
"""What a kiosk is told that has one."""

HEIGHT: Final = 150
"""Of its window, in pixels."""

_SAYS: Final = "board buttons="


class Board:
    """The window of a fake board, in the folder that the kiosk keeps it in."""

    def __init__(self, folder: Path, place: tuple[int, int] | None) -> None:
        window = Path(__file__).with_name("board_window.py")
        buttons = SETTINGS["wiring.buttons"]
        assert isinstance(buttons, list)
        told = [str(folder), str(SETTINGS["wiring.backlight"]), str(len(buttons))]
        if place is not None:
            told += ["--place", *map(str, place)]
        self._process = subprocess.Popen(
            [sys.executable, str(window), *told], stdout=subprocess.PIPE, text=True
        )
        self._buttons: list[list[int]] = []
        self._window = ""

    def __enter__(self) -> Self:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            if line.startswith(_SAYS):
                self._buttons = json.loads(line.removeprefix(_SAYS))
                return self
        raise RuntimeError("the board's window did not open")

    def __exit__(self, *_: object) -> None:
        self._process.terminate()
        self._process.wait()
        assert self._process.stdout is not None
        self._process.stdout.close()

    @property
    def size(self) -> int:
        """How many buttons there are."""
        return len(self._buttons)

    def press(self, place: int) -> None:
        """Press the button at a place, counted from 1."""
        x, y = self._buttons[place - 1]
        if not self._window:
            search = ("search", "--sync", "--onlyvisible", "--pid", str(self._process.pid))
            self._window = _xdotool(*search).split()[-1]
        _xdotool("mousemove", "--window", self._window, str(x), str(y), "click", "1")


def _xdotool(*arguments: str) -> str:
    return subprocess.run(
        ["xdotool", *arguments], check=True, capture_output=True, text=True
    ).stdout
