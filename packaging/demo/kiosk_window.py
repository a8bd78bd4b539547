"""A kiosk's window, seen and tapped from outside as a respondent does: the real app, real taps.

The kiosk must be told ``trace_view = true``: then it says what it shows and where its buttons are.
Taps are xdotool's, on the X display that the environment names.
"""

import json
import re
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from queue import Empty, SimpleQueue
from threading import Thread
from typing import Final, Self

SETTLE_S: Final = 0.6
"""A screen takes no tap sooner after it has come, and the same place none so soon after a tap."""

_ENDED: Final = (0, 2)
"""The exit statuses after which it would be no use, or not wanted, to start it again."""

_RESTART_S: Final = 1.0
_KILLED_S: Final = 0.5

_VIEW: Final = re.compile(
    r'info view screen=(\w+)(?: item=(\d+))? languages=([\w,"-]+)(?: trouble=(\w+))? buttons=(.*)'
)


class WindowError(Exception):
    """The kiosk did not show what was waited for, or has ended; its last lines are given."""


@dataclass(frozen=True)
class Seen:
    """What a kiosk shows: ``boxes`` of its buttons by name, each from the left and from the top
    of the window, its width and its height.
    """

    screen: str
    item: int | None
    languages: tuple[str, ...]
    trouble: str | None
    boxes: Mapping[str, tuple[int, int, int, int]]
    at: float

    @property
    def buttons(self) -> dict[str, tuple[int, int]]:
        """The middle of each button's box."""
        return {
            name: (x + width // 2, y + height // 2)
            for name, (x, y, width, height) in self.boxes.items()
        }

    @classmethod
    def read(cls, line: str) -> Self | None:
        """What a line of the kiosk's log says that it shows, if it is such a line."""
        found = _VIEW.fullmatch(line)
        if found is None:
            return None
        screen, item, languages, trouble, boxes = found.groups()
        if boxes.startswith('"'):
            boxes = json.loads(boxes)
        return cls(
            screen=screen,
            item=int(item) if item else None,
            languages=tuple(languages.strip('"').split(",")),
            trouble=trouble,
            boxes=json.loads(boxes),
            at=time.monotonic(),
        )


class KioskWindow:
    """One running kiosk. End it by `terminate`, or by leaving the ``with`` block.

    One that ``restarts`` is started again when it fails, as systemd does at a site.
    """

    def __init__(
        self,
        settings: Path,
        heard: Callable[[str], None] = lambda line: None,
        *,
        restarts: bool = False,
    ) -> None:
        self._settings = settings
        self._heard = heard
        self._restarts = restarts
        self._seen: SimpleQueue[Seen | None] = SimpleQueue()
        self._lines: list[str] = []
        self._window = ""
        self.shown: Seen | None = None
        self.process = self._start()
        self._keeper = Thread(target=self._keep, daemon=True)
        self._keeper.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._restarts = False
        while self._keeper.is_alive():
            self.process.kill()
            self._keeper.join(_KILLED_S)
        self.process.wait()

    @property
    def running(self) -> bool:
        """Whether it runs, or is about to be started again."""
        return self._keeper.is_alive()

    @property
    def lines(self) -> str:
        """All that the kiosk has printed so far."""
        return "\n".join(self._lines)

    def wait_for(
        self,
        screen: str,
        *,
        item: int | None = None,
        trouble: str | None = None,
        timeout_s: float = 30,
    ) -> Seen:
        """Wait until the kiosk shows a screen, and an item or a trouble if one is named.

        It may be shown already; after a tap that leads to the same screen, use `next_view`.

        Raises:
            WindowError: it does not in time, or it has ended.
        """
        deadline = time.monotonic() + timeout_s
        while not self._shows(screen, item, trouble):
            try:
                seen = self._seen.get(timeout=max(0.0, deadline - time.monotonic()))
            except Empty:
                raise self._error(f"{screen} did not come; shown is {self.shown}") from None
            if seen is None:
                raise self._error(f"{screen} did not come; the kiosk has ended")
            self.shown = seen
        assert self.shown is not None
        return self.shown

    def next_view(self, timeout_s: float = 30) -> Seen:
        """Wait for the next thing that the kiosk shows.

        Raises:
            WindowError: nothing new is shown in time, or the kiosk has ended.
        """
        try:
            seen = self._seen.get(timeout=timeout_s)
        except Empty:
            raise self._error(f"nothing new came; shown is {self.shown}") from None
        if seen is None:
            raise self._error("the kiosk has ended")
        self.shown = seen
        return seen

    def tap(self, button: str, *, settled: bool = True) -> None:
        """Tap a button of what is shown; when ``settled``, not before the screen takes taps.

        Raises:
            WindowError: no such button is shown.
        """
        assert self.shown is not None
        if button not in self.shown.buttons:
            raise self._error(f"no button {button} is shown; there are {[*self.shown.buttons]}")
        if settled:
            self.settle()
        self.tap_at(*self.shown.buttons[button])

    def tap_at(self, x: int, y: int) -> None:
        """Tap a place in the window."""
        self.pointer("mousemove", "--window", self.window, str(x), str(y), "click", "1")

    def pointer(self, *arguments: str) -> None:
        """Let xdotool do something."""
        subprocess.run(["xdotool", *arguments], check=True, capture_output=True)

    def settle(self) -> None:
        """Wait until the screen takes taps."""
        assert self.shown is not None
        time.sleep(max(0.0, self.shown.at + SETTLE_S - time.monotonic()))

    @property
    def window(self) -> str:
        """The X window's number."""
        if not self._window:
            found = subprocess.run(
                ["xdotool", "search", "--sync", "--onlyvisible", "--pid", str(self.process.pid)],
                check=True,
                capture_output=True,
                text=True,
            )
            self._window = found.stdout.split()[-1]
        return self._window

    def terminate(self, timeout_s: float = 30) -> int:
        """End the kiosk as systemd does; gives its exit status."""
        self._restarts = False
        self.process.terminate()
        return self.process.wait(timeout_s)

    def _shows(self, screen: str, item: int | None, trouble: str | None) -> bool:
        shown = self.shown
        return (
            shown is not None
            and shown.screen == screen
            and item in (None, shown.item)
            and trouble in (None, shown.trouble)
        )

    def _start(self) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [sys.executable, "-m", "kiosk_app", self._settings],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            encoding="utf-8",
        )

    def _keep(self) -> None:
        """Listen to the kiosk until it ends for good."""
        self._listen()
        # Unless it is to be started again, how it ended is left for whoever asks the kernel.
        while self._restarts and self.process.wait() not in _ENDED and self._restarts:
            time.sleep(_RESTART_S)
            self.process, self._window = self._start(), ""
            self._listen()
        self._seen.put(None)

    def _listen(self) -> None:
        assert self.process.stdout is not None
        with self.process.stdout as lines:
            for line in lines:
                self._lines.append(line.rstrip("\n"))
                self._heard(self._lines[-1])
                seen = Seen.read(self._lines[-1])
                if seen is not None:
                    self._seen.put(seen)

    def _error(self, what: str) -> WindowError:
        return WindowError("\n".join([what, "The kiosk's last lines:", *self._lines[-15:]]))
