"""The easel: draws what a kiosk shows, without a kiosk, in the window of this process."""

from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Self

from PIL import Image

from kiosk_app.languages.catalogue import read_catalogues
from kiosk_app.layout.compositor import Compositor
from kiosk_app.layout.panel import Panel
from kiosk_app.layout.placed import Deed, Layout
from kiosk_app.ui.window import prepare
from kiosk_app.view import View


class Easel:
    """Draws views on a panel. A process has one window, so it can have one easel.

    Leaving the ``with`` block removes what Kivy kept.
    """

    def __init__(self, panel: Panel) -> None:
        self._home = TemporaryDirectory()
        prepare(home=Path(self._home.name), panel=panel, fullscreen=False)
        from kivy.base import runTouchApp  # noqa: PLC0415  # opens the window
        from kivy.core.window import Window  # noqa: PLC0415

        from kiosk_app.ui.page import Page  # noqa: PLC0415
        from kiosk_app.ui.palette import Ground  # noqa: PLC0415

        Window.clearcolor = Ground.PAGE.face
        self._page = Page(Compositor(panel, read_catalogues()), lambda deed: None)
        runTouchApp(self._page, embedded=True)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._home.cleanup()

    @property
    def layout(self) -> Layout:
        """What stands on the page."""
        return self._page.layout

    def show(self, view: View) -> None:
        """Put a view on the page."""
        self._page.show(view)

    def do(self, deed: Deed) -> None:
        """Do what a button on the page does."""
        self._page.do(deed)

    def picture(self) -> Image.Image:
        """What the window shows."""
        from kivy.base import EventLoop  # noqa: PLC0415  # see above
        from kivy.core.window import Window  # noqa: PLC0415
        from kivy.graphics.opengl import (  # noqa: PLC0415
            GL_RGB,
            GL_UNSIGNED_BYTE,
            glReadPixels,
        )

        EventLoop.idle()
        Window.dispatch("on_draw")
        pixels = glReadPixels(0, 0, *Window.size, GL_RGB, GL_UNSIGNED_BYTE)
        image = Image.frombytes("RGB", Window.size, pixels)
        return image.transpose(Image.Transpose.FLIP_TOP_BOTTOM)
