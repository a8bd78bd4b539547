"""The clock: the time on this machine, and what can be said of it while nobody has set it."""

import ctypes
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final
from zoneinfo import ZoneInfo

from sync_service.contract.record import BOOT_LENGTH, ClockEvidence, Moment, half_day_of

_BOOT_ID: Final = Path("/proc/sys/kernel/random/boot_id")
TIMESYNC_MARK: Final = Path("/run/systemd/timesync/synchronized")
"""What systemd-timesyncd touches when it sets the clock."""

_TIME_ERROR: Final = 5  # what adjtimex answers while the clock is not synchronised
_TIMEX_LENGTH: Final = 256  # more than a struct timex takes on any Linux


def _utc_now() -> datetime:
    return datetime.now(UTC)


def clock_synced(timesync_mark: Path = TIMESYNC_MARK) -> bool:
    """Whether somebody has set this machine's clock since it booted.

    Either systemd-timesyncd left its mark, which stays until the next boot, or the kernel says so,
    whoever keeps it. The kernel alone would not do: it takes its word back after some nine hours
    with no network, while the clock is right to a second still, and half-days need no better.
    """
    if timesync_mark.exists():
        return True
    timex = ctypes.create_string_buffer(_TIMEX_LENGTH)  # all zero: change nothing, only tell
    state = int(ctypes.CDLL(None).adjtimex(timex))
    return 0 <= state < _TIME_ERROR


@dataclass(frozen=True, slots=True)
class Clock:
    """The machine's clock. ``now`` gives the time as aware UTC, ``synced`` whether it was set."""

    now: Callable[[], datetime] = _utc_now
    synced: Callable[[], bool] = clock_synced

    @property
    def boot_id(self) -> bytes:
        """The first 4 bytes of the random id of this boot."""
        return bytes.fromhex(_BOOT_ID.read_text().strip().replace("-", ""))[:BOOT_LENGTH]

    @property
    def uptime_h(self) -> int:
        """Whole hours since the boot."""
        return int(time.clock_gettime(time.CLOCK_BOOTTIME)) // 3600

    def moment(self, timezone: str) -> Moment:
        """This moment as records hold it: the half-day in a time zone, such as Europe/London.

        Only while the clock is not synchronised it holds evidence for whoever resolves it later.
        """
        half_day = half_day_of(self.now().astimezone(ZoneInfo(timezone)))
        evidence = None if self.synced() else ClockEvidence(self.boot_id, self.uptime_h)
        return Moment(half_day, evidence)
