"""Hanging a notice: what a kiosk's screen says while it does not ask.

It needs neither settings nor a stamp, and goes by them where they can be read. It is a process of
its own, or takes the place of a kiosk's that can't start: nothing of that kiosk is left in it.
"""

import os
import sys
from contextlib import suppress
from pathlib import Path
from threading import Event
from typing import Final

from hardware.watchdog import Watchdog
from kiosk_app.config import KioskSettings
from kiosk_app.ending import hold_signals, when_ended
from kiosk_app.error import UnknownPanelError
from kiosk_app.languages.catalogue import read_catalogues
from kiosk_app.layout.panel import DEFAULT_PANEL, PANELS
from kiosk_app.refusal import notice_of, read_refusal
from kiosk_app.ui.window import prepare
from kiosk_app.view import Notice, NoticeKind, Screen, View
from sync_service.contract.stamp import Stamp, StampError
from sync_service.settings import SettingsError, read_settings, read_stamp

_UNKNOWN_SITE: Final = ("en", "cy")
"""What is spoken where nobody knows which languages the site has."""

_LOOK_AGAIN_S: Final = 60.0
"""How long to wait for another screen, which may only have been slow to say what it is."""


def hang_instead(error: Exception, settings_path: Path) -> None:
    """Become the process that shows why a kiosk can't start; otherwise it is the same command."""
    notice = notice_of(error)
    settings, _ = _known(settings_path)
    if notice.kind is NoticeKind.NO_STAMP and settings is not None:
        notice = read_refusal(settings.refusal_path) or notice
    os.execv(sys.executable, [*sys.orig_argv, "--notice", str(notice)])


def hang(notice: Notice, settings_path: Path | None, watchdog: Watchdog, home: Path) -> bool:
    """Show a notice until a signal ends it; gives False if it is time to look again before.

    Raises:
        NoPanelError: there is no screen.
        NoRoomError: the screen has no room for it.
    """
    hold_signals()
    settings, stamp = _known(settings_path)
    panel, fullscreen = PANELS[DEFAULT_PANEL], True
    rotation = 0 if stamp is None else stamp.rotation
    if settings is not None:
        fullscreen = settings.fullscreen
        rotation = rotation if settings.rotation is None else settings.rotation
        with suppress(UnknownPanelError):
            panel = settings.find_panel(None if stamp is None else stamp.panel)
    prepare(home=home, panel=panel, fullscreen=fullscreen, rotation=rotation)
    # Importing them opens the window.
    from kiosk_app.ui.loop import Chore, Loop  # noqa: PLC0415
    from kiosk_app.ui.notice import NoticePage  # noqa: PLC0415

    catalogues = read_catalogues()
    spoken = () if stamp is None else stamp.assigned.languages
    languages = tuple(each for each in spoken if each in catalogues) or _UNKNOWN_SITE
    loop = Loop(
        () if watchdog.interval_s is None else (Chore(watchdog.interval_s, watchdog.alive),),
        shown=watchdog.ready,
    )
    page = NoticePage(View(Screen.NOTICE, "", languages, notice=notice), loop, catalogues)
    ended = Event()

    def end() -> None:
        ended.set()
        loop.stop()

    when_ended(end)
    page.run(_LOOK_AGAIN_S if notice.kind is NoticeKind.OTHER_PANEL else None)
    watchdog.stopping()
    return ended.is_set()


def _known(settings_path: Path | None) -> tuple[KioskSettings | None, Stamp | None]:
    """The settings and the stamp, as far as they can be read."""
    settings, stamp = None, None
    with suppress(SettingsError, StampError):
        if settings_path is not None:
            settings = read_settings(settings_path, KioskSettings)
            stamp = read_stamp(Path(settings.stamp))
    return settings, stamp
