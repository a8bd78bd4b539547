"""The kiosk's settings."""

from pathlib import Path
from typing import Annotated

import msgspec

from kiosk_app.layout.panel import DEFAULT_PANEL, Panel, named_panel
from kiosk_app.manners import Manners

_Path = Annotated[str, msgspec.Meta(min_length=1)]
_Pixels = Annotated[int, msgspec.Meta(ge=320, le=7680)]


class PanelSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A panel that has no name: its pixels, its diagonal, and how far off its reader stands."""

    width_px: _Pixels
    height_px: _Pixels
    diagonal_in: Annotated[float, msgspec.Meta(ge=3, le=100)]
    viewing_mm: Annotated[float, msgspec.Meta(ge=150, le=2000)] = 500.0

    @property
    def panel(self) -> Panel:
        """The panel."""
        name = f"{self.diagonal_in:g}-{self.width_px}x{self.height_px}"
        return Panel(name, self.width_px, self.height_px, self.diagonal_in, self.viewing_mm)


class KioskSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What a kiosk is told when it starts.

    ``data`` is the folder in which it keeps its store, which it shares with its agent; ``stamp``
    the stamp's file or folder; ``store_key`` the file of the store's key (by default the credential
    ``store-key`` handed over by systemd).

    ``panel`` is the panel's name, or its measures; by default it is the stamp's. With
    ``fullscreen`` the window takes the whole screen, which must be that panel, and shows no
    pointer; without, the window is as large as the panel. ``idle_timeout_s``: without a touch for
    so long, the respondent has walked away. ``thanks_s``: how long thanks stand.

    ``trace_view`` prints what the screen shows, and where its buttons are, for a demonstration
    that is watched or driven from outside. It tells no answer, but it tells when someone is at
    the screen: never set it where people answer.
    """

    data: _Path
    stamp: _Path
    store_key: _Path | None = None
    panel: str | PanelSettings | None = None
    fullscreen: bool = True
    idle_timeout_s: Annotated[float, msgspec.Meta(ge=1, le=600)] = 30.0
    thanks_s: Annotated[float, msgspec.Meta(ge=1, le=60)] = 6.0
    repeat_s: Annotated[float, msgspec.Meta(ge=0, le=5)] = 0.5
    trace_view: bool = False

    def find_panel(self, stamped: str | None) -> Panel:
        """The panel to draw for, where the stamp was made for the one that it names.

        Raises:
            UnknownPanelError: no panel has the name.
        """
        if isinstance(self.panel, PanelSettings):
            return self.panel.panel
        return named_panel(self.panel or stamped or DEFAULT_PANEL)

    @property
    def store_path(self) -> Path:
        """The encrypted store that kiosk and agent share."""
        return Path(self.data, "store.db")

    @property
    def identity_path(self) -> Path:
        """The agent's file with the kiosk's identity."""
        return Path(self.data, "identity")

    @property
    def manners(self) -> Manners:
        """How patient the kiosk is."""
        return Manners(idle_timeout_s=self.idle_timeout_s, thanks_s=self.thanks_s)
