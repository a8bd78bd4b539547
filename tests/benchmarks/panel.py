"""A panel that is looked at and tapped from outside, whatever draws on it.

Xvfb keeps what it shows in a file (its option -fbdir), so looking costs the program that draws
nothing. Taps are those of one xdotool that runs all the time: its start does not count.
"""

import mmap
import struct
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from time import monotonic, sleep

from measuring import folder
from pyvirtualdisplay.display import Display

_PIXEL = 4
_EACH_ROW = 8
"""Of so many rows one is looked at for a change."""

_LOOK_S = 0.0005


class Panel:
    """What is on the screen, and a finger."""

    def __init__(self, framebuffer: Path, size: tuple[int, int], finger: subprocess.Popen[str]):
        self._finger = finger
        with framebuffer.open("rb") as file:
            self._memory = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
        # XWD: the length of the header, and further on a row's and the colour table's.
        header = struct.unpack(">25I", self._memory[:100])
        self._start = header[0] + header[19] * 12
        self._row = header[12]
        self._rows = range(0, size[1], _EACH_ROW)
        self._width = size[0] * _PIXEL

    def colour(self, x: int, y: int) -> str:
        """The colour of a pixel, as style sheets write it."""
        at = self._start + y * self._row + x * _PIXEL
        return f"#{self._memory[at : at + 3][::-1].hex()}"

    def wait_for(self, colours: dict[tuple[int, int], str], timeout_s: float) -> None:
        """Look until each of the places has its colour.

        Raises:
            TimeoutError: they have not.
        """
        deadline = monotonic() + timeout_s
        while any(self.colour(*place) != colour for place, colour in colours.items()):
            if monotonic() > deadline:
                raise TimeoutError("the page did not come")
            sleep(_LOOK_S)

    def last_change(self, quiet_s: float) -> float:
        """Look until nothing has changed for a while; gives when it last did."""
        shown, changed_at = self._shown(), monotonic()
        while monotonic() - changed_at < quiet_s:
            sleep(_LOOK_S)
            if (now := self._shown()) != shown:
                shown, changed_at = now, monotonic()
        return changed_at

    def put_finger(self, x: int, y: int) -> None:
        """Put the finger on a place."""
        self._tell(f"mousemove {x} {y} mousedown 1")

    def lift_finger(self) -> float:
        """Lift the finger; gives the moment before."""
        lifted_at = monotonic()
        self._tell("mouseup 1")
        return lifted_at

    def _shown(self) -> bytes:
        starts = (self._start + row * self._row for row in self._rows)
        return b"".join(self._memory[start : start + self._width] for start in starts)

    def _tell(self, command: str) -> None:
        assert self._finger.stdin is not None
        self._finger.stdin.write(f"{command}\n")
        self._finger.stdin.flush()


@contextmanager
def panel(size: tuple[int, int]) -> Iterator[Panel]:
    """A panel of that size; it is the display that the environment names until the block ends."""
    with (
        folder() as place,
        Display(backend="xvfb", size=size, color_depth=24, fbdir=str(place)),
        subprocess.Popen(["xdotool", "-"], stdin=subprocess.PIPE, text=True) as finger,
    ):
        yield Panel(place / "Xvfb_screen0", size, finger)
