"""A notice on a window: one page, which takes no touch."""

import logging
from collections.abc import Mapping

from kivy.base import EventLoop
from kivy.clock import Clock
from kivy.core.window import Window

from kiosk_app.languages.catalogue import Catalogue
from kiosk_app.layout.compositor import Compositor
from kiosk_app.layout.panel import panel_of
from kiosk_app.ui.loop import Loop
from kiosk_app.ui.page import Page
from kiosk_app.ui.palette import Ground
from kiosk_app.view import View

log = logging.getLogger(__name__)


class NoticePage:
    """A notice, on whatever screen there is.

    Raises:
        NoRoomError: the screen has no room for it.
    """

    def __init__(self, view: View, loop: Loop, catalogues: Mapping[str, Catalogue]) -> None:
        Window.clearcolor = Ground.PAGE.face
        self._view = view
        self._loop = loop
        self._page = Page(Compositor(panel_of(*loop.size), catalogues), lambda deed: None)
        self._page.show(view)
        self._told = False

    def run(self, for_s: float | None) -> None:
        """Show it for so long, or until the loop is told to stop."""
        if for_s is not None:
            Clock.schedule_once(lambda _: self._loop.stop(), for_s)
        try:
            self._loop.run(self._page, self._step)
        finally:
            self._loop.end()

    def _step(self) -> None:
        EventLoop.idle()
        if not self._told:
            self._told = True
            log.info("notice", extra={"shows": str(self._view.notice)})
