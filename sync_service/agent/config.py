"""The agent's settings."""

from pathlib import Path
from typing import Annotated, Final

import msgspec

DAY_S: Final = 24 * 3600

_Path = Annotated[str, msgspec.Meta(min_length=1)]


class AgentSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What an agent is told when it starts. Durations are in seconds, unless named otherwise.

    ``data`` is the folder the kiosk keeps its store and identity in, ``stamp`` the stamp's file or
    folder, ``store_key`` the file of the store's key (by default the credential ``store-key``
    handed over by systemd).

    ``poll_s``: how often to look for what is due. ``contact_s``: the longest silence towards the
    collector. ``ask_again_s``: the silence after it said that it does not admit this kiosk.
    ``backoff_cap_s``: the longest wait between tries. ``timeout_s``: how long a request may make
    no progress. ``retention_days``: how long what was delivered is kept, in case the collector
    loses it. ``hold_half_day``: deliver only what was recorded in a half-day that is over, so that
    the time of arrival tells nothing. ``proxy``: the HTTP proxy that leads out, if it is not the
    stamp's.
    """

    data: _Path
    stamp: _Path
    store_key: _Path | None = None
    poll_s: Annotated[float, msgspec.Meta(ge=0.1, le=3600)] = 60
    contact_s: Annotated[float, msgspec.Meta(ge=1, le=DAY_S)] = 3600
    ask_again_s: Annotated[float, msgspec.Meta(ge=1, le=7 * DAY_S)] = DAY_S
    backoff_cap_s: Annotated[float, msgspec.Meta(ge=1, le=DAY_S)] = 3600
    timeout_s: Annotated[float, msgspec.Meta(ge=0.1, le=600)] = 30
    retention_days: Annotated[int, msgspec.Meta(ge=1, le=3650)] = 90
    hold_half_day: bool = True
    proxy: Annotated[str, msgspec.Meta(pattern="^https?://.")] | None = None

    @property
    def store_path(self) -> Path:
        """The encrypted store that kiosk and agent share."""
        return Path(self.data, "store.db")

    @property
    def identity_path(self) -> Path:
        """The kiosk's identity, encrypted too."""
        return Path(self.data, "identity")
