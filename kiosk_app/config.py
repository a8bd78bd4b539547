"""The kiosk's settings."""

from datetime import time
from pathlib import Path
from typing import Annotated, Literal

import msgspec

from hardware.dimming import Dimming
from hardware.wiring import Wiring
from kiosk_app.layout.panel import DEFAULT_PANEL, Panel, named_panel
from kiosk_app.manners import Manners

_Path = Annotated[str, msgspec.Meta(min_length=1)]
_Pixels = Annotated[int, msgspec.Meta(ge=320, le=7680)]
_Pin = Annotated[int, msgspec.Meta(ge=2, le=27)]
_Percent = Annotated[int, msgspec.Meta(ge=1, le=100)]
_FolderName = Annotated[str, msgspec.Meta(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.:-]*\Z")]


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


class WiringSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What is bolted to the kiosk, and where: see `Wiring`."""

    buttons: Annotated[tuple[_Pin, ...], msgspec.Meta(max_length=8)] = ()
    lamps: tuple[_Pin, ...] = ()
    presence: _Pin | None = None
    tamper: _Pin | None = None
    backlight: _FolderName | None = None
    rtc: _FolderName | None = None

    def __post_init__(self) -> None:
        pins = [*self.buttons, *self.lamps, self.presence, self.tamper]
        used = [pin for pin in pins if pin is not None]
        if len(set(used)) < len(used):
            raise ValueError("wiring: each pin can be used once")
        if self.lamps and len(self.lamps) != len(self.buttons):
            raise ValueError("wiring: there must be a lamp for each of the buttons, or none")

    @property
    def wiring(self) -> Wiring:
        """The wiring."""
        return Wiring(**msgspec.structs.asdict(self))


class DimmingSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """How bright the screen is: see `Dimming`. Times are as ``22:00:00``, at the site."""

    after_s: Annotated[float, msgspec.Meta(ge=10, le=3600)] = 120.0
    bright_percent: _Percent = 100
    dim_percent: _Percent = 40
    night_percent: _Percent = 5
    night_begins: time = time(0)
    night_ends: time = time(0)

    @property
    def dimming(self) -> Dimming:
        """The dimming."""
        return Dimming(**msgspec.structs.asdict(self))


class KioskSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What a kiosk is told when it starts.

    ``data`` is the folder in which it keeps its store, which it shares with its agent; ``stamp``
    the stamp's file or folder; ``store_key`` the file of the store's key (by default the credential
    ``store-key`` handed over by systemd).

    ``panel`` is the panel's name, or its measures; by default it is the stamp's. With
    ``fullscreen`` the window takes the whole screen, which must be that panel, and shows no
    pointer; without, the window is as large as the panel. ``rotation`` is by how many degrees the
    picture is turned on the screen, against the clock; by default as the stamp has it. A panel that
    hangs upright is turned by 90 or 270, and named as it hangs.

    ``idle_timeout_s``: without a touch for so long, the respondent has walked away. ``thanks_s``:
    how long thanks stand.

    ``hardware`` says what the kiosk stands on: ``pi``, a Raspberry Pi with what ``wiring`` names;
    ``fake``, a made-up one for a demonstration; or, unset, a screen and nothing else.

    ``trace_view`` prints what the screen shows, and where its buttons are, for a demonstration
    that is watched or driven from outside. It tells no answer, but it tells when someone is at
    the screen: never set it where people answer.
    """

    data: _Path
    stamp: _Path
    store_key: _Path | None = None
    panel: str | PanelSettings | None = None
    fullscreen: bool = True
    rotation: Literal[0, 90, 180, 270] | None = None
    idle_timeout_s: Annotated[float, msgspec.Meta(ge=1, le=600)] = 30.0
    thanks_s: Annotated[float, msgspec.Meta(ge=1, le=60)] = 6.0
    repeat_s: Annotated[float, msgspec.Meta(ge=0, le=5)] = 0.5
    hardware: Literal["pi", "fake"] | None = None
    wiring: WiringSettings = msgspec.field(default_factory=WiringSettings)
    dimming: DimmingSettings = msgspec.field(default_factory=DimmingSettings)
    trace_view: bool = False

    def __post_init__(self) -> None:
        if self.hardware is None and self.wiring != WiringSettings():
            raise ValueError("wiring is named, and hardware is not: set it to pi or fake")

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
    def refusal_path(self) -> Path:
        """Beside the stamp, why a newer one was refused."""
        return Path(self.stamp).with_suffix(".refused")

    @property
    def fake_path(self) -> Path:
        """The folder of the fake hardware."""
        return Path(self.data, "fake")

    @property
    def manners(self) -> Manners:
        """How patient the kiosk is."""
        return Manners(idle_timeout_s=self.idle_timeout_s, thanks_s=self.thanks_s)
