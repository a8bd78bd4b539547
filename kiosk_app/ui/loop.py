"""The loop: goes round on the main thread for as long as a window shows something."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Final

from kivy.base import EventLoop, runTouchApp, stopTouchApp
from kivy.cache import Cache
from kivy.clock import Clock
from kivy.core.window import Window
from kivy.uix.widget import Widget

from kiosk_app.error import NoPanelError
from kiosk_app.ui.event_wait import EventWait

_FRAME_S: Final = 1 / 60
_LONGEST_WAIT_S: Final = 60.0
_PURGE_S: Final = 60.0


@dataclass(frozen=True, slots=True)
class Chore:
    """Something to be done at an interval by the screen's own clock: a hung screen does it not."""

    interval_s: float
    do: Callable[[], None]


class Loop:
    """The loop of this process's window.

    ``shown`` is told once that the first picture is drawn, which takes longer than any after it;
    from then on ``chores`` are done.

    Raises:
        NoPanelError: there is no screen.
    """

    def __init__(
        self, chores: tuple[Chore, ...], *, shown: Callable[[], None] = lambda: None
    ) -> None:
        self._chores = chores
        self._shown = shown
        self._stopping = False
        self._wait = EventWait.of_this_process()
        if Window is None or not self._wait.on_a_screen:
            raise NoPanelError(
                "there is no screen to show the kiosk on: set DISPLAY or WAYLAND_DISPLAY to one,"
                " or on a console set SDL_VIDEODRIVER=kmsdrm"
            )

    @property
    def size(self) -> tuple[int, int]:
        """How wide and how high the screen is in pixels, as it is turned."""
        width, height = Window.system_size
        return (height, width) if Window.rotation in (90, 270) else (width, height)

    def run(self, root: Widget, step: Callable[[], None]) -> None:
        """Show a widget, and call ``step`` each time round, until told to stop."""
        Window.set_title("Regard")
        Window.bind(on_request_close=self._close_asked)
        # Kivy looks each second whether a texture that is kept has become old.
        Clock.unschedule(Cache._purge_by_timeout)
        Clock.schedule_interval(Cache._purge_by_timeout, _PURGE_S)
        runTouchApp(root, embedded=True)  # the loop below is ours
        shown = False
        while True:
            EventLoop.window.mainloop()  # takes what the window has to tell
            step()
            if self._stopping or EventLoop.quit:
                return
            if not shown:
                # On a bare console (kmsdrm) the first picture stays in the dark; the next is shown.
                EventLoop.window.canvas.ask_update()
                shown = True
                self._shown()
                for chore in self._chores:
                    Clock.schedule_interval(partial(self._chore, chore), chore.interval_s)
            self._wait.wait(self._idle_s())

    def end(self) -> None:
        """Let go of the window, once `run` has returned or failed."""
        stopTouchApp()

    def take_fingers(self) -> int:
        """The most fingers that were on the panel at once since this was last asked."""
        return self._wait.take_fingers()

    def wake(self) -> None:
        """Have `run` go round. Call from any thread."""
        self._wait.wake()

    def stop(self) -> None:
        """Have `run` return. Call from any thread."""
        self._stopping = True
        self.wake()

    def _chore(self, chore: Chore, _: float) -> None:
        chore.do()

    def _close_asked(self, *_: object, **__: object) -> bool:
        self.stop()
        return True

    def _idle_s(self) -> float:
        """How long nothing need be done, unless something happens."""
        if EventLoop.window.canvas.needs_redraw:
            return _FRAME_S
        now = Clock.time()
        due_s = (event._last_dt + event.timeout - now for event in Clock.get_events())
        return min(max(min(due_s, default=_LONGEST_WAIT_S), _FRAME_S), _LONGEST_WAIT_S)
