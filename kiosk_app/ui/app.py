"""The app: draws the kiosk's view, and turns touches into its events."""

import json
import logging
import time
from collections.abc import Callable, Set
from typing import Any, Final, Protocol

from kivy.base import EventLoop
from kivy.clock import Clock
from kivy.core.window import Window

from kiosk_app.error import OtherPanelError, ScreenError
from kiosk_app.hand import Hand
from kiosk_app.kiosk import Kiosk
from kiosk_app.layout.compositor import Compositor
from kiosk_app.layout.placed import Act, Box, Deed
from kiosk_app.ui.loop import Loop
from kiosk_app.ui.page import Page
from kiosk_app.ui.palette import Ground
from kiosk_app.ui.touch import OneTouch
from kiosk_app.view import Screen, View
from sync_service.contract.record import InputMode

log = logging.getLogger(__name__)

_APOLOGY_S: Final = 3.0
"""How long it is said that the screen has failed: enough to read it, before it starts anew."""

_GOES_ON: Final = (Screen.ASKING, Screen.STILL_THERE, Screen.PAUSED)
"""The screens within a session: what was typed is still there after them."""


class Surroundings(Protocol):
    """What is around the screen, such as lamps: told what the screen knows. It must not wait."""

    def offer(self, choices: int) -> None:
        """There are so many choices on the screen now."""

    def touched(self) -> None:
        """Someone is there."""


class KioskApp:
    """The kiosk on a window.

    ``loop`` is the window's, ``compositor`` sets its pages, ``hand`` judges what touches it.
    ``clock`` gives the seconds that the kiosk's events are told with; ``let_in`` lets in what
    other threads have left, see `Loop.wake`. ``surroundings`` are there where anything but the
    screen is.

    Raises:
        OtherPanelError: the screen is another than the panel that pages are set for.
    """

    def __init__(
        self,
        kiosk: Kiosk,
        loop: Loop,
        compositor: Compositor,
        hand: Hand,
        *,
        clock: Callable[[], float],
        let_in: Callable[[float], None],
        trace_view: bool,
        surroundings: Surroundings | None = None,
    ) -> None:
        self._kiosk = kiosk
        self._loop = loop
        self._clock = clock
        self._let_in = let_in
        self._trace_view = trace_view
        self._surroundings = surroundings
        self._offered: int | None = None
        panel = compositor.panel
        width, height = loop.size
        if (width, height) != (panel.width_px, panel.height_px):
            raise OtherPanelError(
                f"the screen has {width}x{height} pixels, as it is turned, and the panel"
                f" {panel.name} has {panel.width_px}x{panel.height_px}: set panel and rotation to"
                " what is there"
            )
        self._deeds: dict[Act, Callable[..., None]] = {
            Act.ANSWER: kiosk.answer,
            Act.SKIP: kiosk.skip,
            Act.BACK: kiosk.back,
            Act.STOP: kiosk.stop,
            Act.LANGUAGE: kiosk.choose_language,
            Act.STILL_HERE: kiosk.still_here,
            Act.SOMEONE_NEW: kiosk.someone_new,
            Act.ABOUT: kiosk.open_about,
            Act.REPLIES: kiosk.open_replies,
            Act.NEXT_REPLY: kiosk.next_reply,
            Act.PREVIOUS_REPLY: kiosk.previous_reply,
            Act.VERDICT: kiosk.judge,
            Act.DISMISS: kiosk.dismiss,
        }
        Window.clearcolor = Ground.PAGE.face
        self._page = Page(compositor, self._tell)
        self.root = OneTouch(
            hand,
            px_per_mm=panel.px_per_mm,
            clock=clock,
            touched=self._touched,
            disturbed=self._disturbed,
            settled=lambda: kiosk.settled(self._clock()),
        )
        self.root.add_widget(self._page)
        self._view: View | None = None
        self._drawn: View | None = None
        self._traced: tuple[View, Set[str]] | None = None
        self._next_tick: Any = None

    def run(self) -> None:
        """Show the kiosk until told to stop.

        Raises:
            ScreenError: something failed, whatever it was; that the screen is out of service was
                said on it, if that could still be done.
        """
        try:
            self._loop.run(self.root, self.step)
        except Exception as error:
            self._apologise()
            raise ScreenError("the screen has failed") from error
        finally:
            self._loop.end()

    def step(self) -> None:
        """Go round once: let in what waits, deal with what was touched, and draw."""
        self._let_in(self._clock())
        self.root.count_fingers(self._loop.take_fingers())
        self.render()
        self.root.typing = self._page.typing
        self._offer()
        EventLoop.idle()
        if self._view is not self._drawn:
            self._drawn = self._view
            self._kiosk.shown(self._clock())
            self._await_tick()
        self._trace()

    def press(self, place: int) -> None:
        """A button beside the screen was pressed: it does what stands at its place, from 1 on.

        Where there is nothing to choose, it does what a tap does wherever it is.
        """
        choices = self._page.layout.choices
        self._touched()
        if place <= len(choices):
            self._tell(choices[place - 1], InputMode.BUTTONS)
        elif not choices and self._page.layout.anywhere is not None:
            self._tell(self._page.layout.anywhere)

    def render(self) -> None:
        """Show what the kiosk has to show, if it is anything new."""
        self._await_tick()
        view = self._kiosk.view
        if view == self._view:
            return
        self._view = view
        self.root.forget_touch()
        if view.screen not in _GOES_ON:
            self._page.forget()
        self._page.show(view)

    def _apologise(self) -> None:
        """Keep what was answered, and say for a while that the screen is out of service.

        Raises:
            ScreenError: not even that could be done.
        """
        try:
            try:
                self._kiosk.close(self._clock())
            finally:
                self._kiosk.fail(self._clock())
                self.render()
                # This draws and does no more: what has failed may be waiting to be done again.
                Clock.tick_draw()
                EventLoop.window.dispatch("on_draw")
                EventLoop.window.dispatch("on_flip")
                self._trace()
                time.sleep(_APOLOGY_S)
        except Exception as error:
            raise ScreenError("the screen has failed again while saying so") from error

    def _tell(self, deed: Deed, input_mode: InputMode = InputMode.TOUCH) -> None:
        """Tell the kiosk of a deed, and show what comes of it."""
        now = self._clock()
        if self._trace_view:
            log.info("deed", extra={"at": f"{now:.6f}"})
        how = {"input_mode": input_mode} if deed.act is Act.ANSWER else {}
        self._deeds[deed.act](*deed.told, now=now, **how)
        self.render()

    def _offer(self) -> None:
        """Say how many choices there are, if it is not as many as before."""
        choices = len(self._page.layout.choices)
        if self._surroundings is not None and choices != self._offered:
            self._offered = choices
            self._surroundings.offer(choices)

    def _touched(self) -> None:
        if self._surroundings is not None:
            self._surroundings.touched()
        self._kiosk.touch(self._clock())
        self._await_tick()

    def _disturbed(self) -> None:
        self._kiosk.disturbed(self._clock())
        self.render()

    def _tick(self, _: float) -> None:
        self._kiosk.tick(self._clock())
        self.render()

    def _await_tick(self) -> None:
        """Have the kiosk told of the time when it next matters."""
        if self._next_tick is not None:
            self._next_tick.cancel()
            self._next_tick = None
        due = self._kiosk.next_tick
        if due is not None:
            self._next_tick = Clock.schedule_once(self._tick, max(0.0, due - self._clock()))

    def _trace(self) -> None:
        """Print what is shown, once it is drawn, if that was asked for and it is anything new."""
        view = self._view
        if not self._trace_view or view is None:
            return
        buttons = {button.name: _box(button.placed.box) for button in self._page.buttons}
        if self._traced == (view, buttons.keys()):
            return
        self._traced = (view, buttons.keys())
        log.info(
            "view",
            extra={
                "screen": view.screen.value,
                "item": "" if view.asked is None else view.asked.item,
                "languages": ",".join(view.languages),
                "trouble": view.trouble or "",
                "buttons": json.dumps(buttons, ensure_ascii=False, separators=(",", ":")),
            },
        )


def _box(box: Box) -> tuple[int, int, int, int]:
    """From the left, from the top, width and height: as the window's system counts."""
    return box.x, box.y, box.width, box.height
