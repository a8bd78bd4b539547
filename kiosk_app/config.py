"""The kiosk's settings."""

from pathlib import Path
from typing import Annotated

import msgspec

from kiosk_app.manners import Manners

_Path = Annotated[str, msgspec.Meta(min_length=1)]
_Pixels = Annotated[int, msgspec.Meta(ge=320, le=7680)]


class KioskSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What a kiosk is told when it starts.

    ``data`` is the folder in which it keeps its store, which it shares with its agent; ``stamp``
    the folder of the stamp; ``store_key`` the file of the store's key (by default the credential
    ``store-key`` handed over by systemd).

    ``width`` and ``height`` are those of the window in pixels; with ``fullscreen`` it takes the
    whole panel, shows no pointer, and they are not heeded. ``idle_timeout_s``: without a touch for
    so long, the respondent has walked away. ``thanks_s``: how long thanks stand.

    ``trace_view`` prints what the screen shows, and where its buttons are, for a demonstration
    that is watched or driven from outside. It tells no answer, but it tells when someone is at
    the screen: never set it where people answer.
    """

    data: _Path
    stamp: _Path
    store_key: _Path | None = None
    width: _Pixels = 1280
    height: _Pixels = 800
    fullscreen: bool = True
    idle_timeout_s: Annotated[float, msgspec.Meta(ge=1, le=600)] = 30.0
    thanks_s: Annotated[float, msgspec.Meta(ge=1, le=60)] = 6.0
    repeat_s: Annotated[float, msgspec.Meta(ge=0, le=5)] = 0.5
    trace_view: bool = False

    @property
    def store_path(self) -> Path:
        """The encrypted store that kiosk and agent share."""
        return Path(self.data, "store.db")

    @property
    def manners(self) -> Manners:
        """How patient the kiosk is."""
        return Manners(idle_timeout_s=self.idle_timeout_s, thanks_s=self.thanks_s)
