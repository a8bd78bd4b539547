"""The caretaker: the one thread that sees to what is bolted to the kiosk.

A bus that hangs, or a card that takes its time to say how full it is, makes only this thread wait;
the main thread notices if it waits for too long.
"""

import datetime
import time
from collections.abc import Callable
from contextlib import ExitStack, closing, suppress
from functools import partial
from math import inf
from pathlib import Path
from queue import Empty, SimpleQueue
from threading import Thread
from typing import Final
from zoneinfo import ZoneInfo

from hardware.board import Board, Listener
from hardware.dimming import Dimming
from hardware.fake import Fake
from hardware.ground import pi_ground
from kiosk_app.config import KioskSettings
from kiosk_app.door import Door
from kiosk_app.failure import log_failure
from sync_service.outbox.clock import Clock

LOOK_S: Final = 60.0
"""How often every part is looked at."""

_LOOK_AT_FAKE_S: Final = 1.0
"""How often at a fake one: nobody wants to wait for that."""

_DIM_S: Final = 5.0
"""How late it may be noticed that nobody is there."""

_CLOSING_S: Final = 5.0
_DIED: Final = ("hardware-failed",)
_HANGS: Final = ("hardware-hangs",)


class Caretaker:
    """Sees to the board that ``make_board`` gives.

    Every part is looked at each ``look_s``. ``clock`` gives the seconds that the board goes by,
    ``time_of_day`` the time at the site, if it is known. If the caretaker itself fails or hangs,
    that is told like a part's failing, and touch goes on.
    """

    def __init__(
        self,
        make_board: Callable[[Listener], Board],
        door: Door,
        *,
        dimming: Dimming,
        look_s: float,
        clock: Callable[[], float],
        time_of_day: Callable[[], datetime.time | None],
    ) -> None:
        self.look_s = look_s
        self._make_board = make_board
        self._door = door
        self._dimming = dimming
        self._clock = clock
        self._time_of_day = time_of_day
        self._inbox: SimpleQueue[bool] = SimpleQueue()
        self._watches = False
        self._choices = 0
        self._touched_at = clock()
        self._looked_at = -inf
        self._round_at = clock()
        self._told: tuple[str, ...] | None = None
        self._troubles: tuple[str, ...] = ()
        self._hangs = False
        self._thread = Thread(target=self._run, name="caretaker", daemon=True)
        self._when_pressed: Callable[[int], None]
        self._when_someone_comes: Callable[[], None]
        self._when_found: Callable[[tuple[str, ...]], None]

    # On the main thread

    def start(
        self,
        when_pressed: Callable[[int], None],
        when_someone_comes: Callable[[], None],
        when_found: Callable[[tuple[str, ...]], None],
    ) -> None:
        """Begin, and say on the main thread what happens.

        ``when_pressed`` is told the place of a button; ``when_found`` all that is wrong, each by a
        part's name and a word, when it is anything else than before.
        """
        self._when_pressed = when_pressed
        self._when_someone_comes = when_someone_comes
        self._when_found = when_found
        self._thread.start()

    def offer(self, choices: int) -> None:
        """There are so many choices on the screen now."""
        self._choices = choices
        self._inbox.put(True)

    def touched(self) -> None:
        """Someone is there."""
        self._touched_at = self._clock()
        self._inbox.put(True)

    def check(self) -> None:
        """See whether it hangs. Call this at each `look_s`."""
        late = self._clock() - self._round_at >= 2 * self.look_s
        hangs = late and self._thread.is_alive()
        if hangs != self._hangs:
            self._hangs = hangs
            self._report()

    @property
    def watches(self) -> bool:
        """Whether it is noticed if somebody comes near."""
        return self._watches

    def close(self) -> None:
        """Close the board and end. Where it hangs, it ends with the process."""
        self._inbox.put(False)
        if self._thread.is_alive():
            self._thread.join(_CLOSING_S)

    def _find(self, troubles: tuple[str, ...]) -> None:
        self._troubles = troubles
        self._report()

    def _report(self) -> None:
        self._when_found((*(_HANGS if self._hangs else ()), *self._troubles))

    # On the caretaker's thread

    def _run(self) -> None:
        try:
            with closing(self._make_board(Listener(self._press, self._let_come))) as board:
                going_on = True
                while going_on:
                    self._round_at = self._clock()
                    self._see_to(board)
                    with suppress(Empty):
                        going_on = self._inbox.get(timeout=min(_DIM_S, self.look_s))
        except Exception as error:  # noqa: BLE001  # touch goes on, whatever it is
            log_failure(error)
            self._tell(_DIED)

    def _see_to(self, board: Board) -> None:
        now = self._clock()
        if now - self._looked_at >= self.look_s:
            self._looked_at = now
            self._tell(board.look())
        board.offer(self._choices)
        alone_s = board.alone_s
        self._watches = alone_s is not None
        percent = self._dimming.percent(
            alone_s=min(now - self._touched_at, inf if alone_s is None else alone_s),
            sees=self._watches,
            at=self._time_of_day(),
        )
        board.shine(percent)

    def _tell(self, troubles: tuple[str, ...]) -> None:
        if troubles != self._told:
            self._told = troubles
            self._door.post(lambda now: self._find(troubles))

    # On whatever thread it is noticed

    def _press(self, place: int) -> None:
        self._door.post(lambda now: self._when_pressed(place))

    def _let_come(self) -> None:
        self._door.post(lambda now: self._when_someone_comes())
        self._inbox.put(True)


def hire(
    settings: KioskSettings,
    clock: Clock,
    door: Door,
    *,
    timezone: str,
    home: Path,
    closing: ExitStack,
) -> Caretaker:
    """The caretaker of what the settings name; ``closing`` ends it. Call before there are threads.

    ``home`` is a folder for what may be left lying about. Nothing of a fake is there but made-up
    files in the kiosk's data.
    """
    wiring = settings.wiring.wiring
    look_s = LOOK_S
    if settings.hardware == "fake":
        look_s = _LOOK_AT_FAKE_S
        ground = closing.enter_context(Fake(settings.fake_path, wiring)).ground
    else:
        ground = pi_ground(home)

    def time_of_day() -> datetime.time | None:
        known = clock.synced() or wiring.rtc is not None
        return clock.now().astimezone(ZoneInfo(timezone)).time() if known else None

    caretaker = Caretaker(
        partial(Board, wiring, ground, Path(settings.data), clock=time.monotonic),
        door,
        dimming=settings.dimming.dimming,
        look_s=look_s,
        clock=time.monotonic,
        time_of_day=time_of_day,
    )
    closing.callback(caretaker.close)
    return caretaker
