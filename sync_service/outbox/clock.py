"""The clock: what time it is at a kiosk, as well as it can know, and when it can't know.

Nobody may have set the machine's own clock: it may begin in 1970, jump by years, or run backwards.
Three things are known all the same, and kept in the store: what the centre signed, when the kiosk
was last on, and when what it holds was published. A half-day is sure only if it is the same at
either end of what the time can be; otherwise a record gets evidence instead.
"""

import ctypes
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final, Self
from zoneinfo import ZoneInfo

from sync_service.contract.codec import decode, encode
from sync_service.contract.record import BOOT_LENGTH, ClockEvidence, Moment, half_day_of

_BOOT_ID: Final = Path("/proc/sys/kernel/random/boot_id")
TIMESYNC_MARK: Final = Path("/run/systemd/timesync/synchronized")
"""What systemd-timesyncd touches when it sets the clock."""

DRIFT: Final = 0.0005
"""How far a clock goes wrong by itself, in seconds a second: what Linux reckons with."""

_SET_WITHIN_S: Final = 1.0  # how far a clock may be wrong that was set just now
_TIME_ERROR: Final = 5  # what adjtimex answers while the clock is not synchronised
_TIMEX_LENGTH: Final = 256  # more than a struct timex takes on any Linux
_MAX_ERROR: Final = slice(24, 32)  # of a struct timex, in microseconds, on a 64-bit Linux


def _utc_now() -> datetime:
    return datetime.now(UTC)


def _boot() -> bytes:
    return bytes.fromhex(_BOOT_ID.read_text().strip().replace("-", ""))[:BOOT_LENGTH]


def _elapsed_s() -> float:
    return time.clock_gettime(time.CLOCK_BOOTTIME)


def clock_error_s(timesync_mark: Path = TIMESYNC_MARK) -> float | None:
    """How far this machine's clock may be wrong, in seconds; `None` if nobody set it since boot.

    Either systemd-timesyncd left its mark, which stays until the next boot, or the kernel says so,
    whoever keeps it. The kernel alone would not do: it takes its word back after some nine hours
    with no network, while the clock is right to a second still.
    """
    found = (_error_since_s(timesync_mark), _kernel_error_s())
    errors = [error_s for error_s in found if error_s is not None]
    return _SET_WITHIN_S + min(errors) if errors else None


def _error_since_s(mark: Path) -> float | None:
    try:
        return DRIFT * max(0.0, time.time() - mark.stat().st_mtime)
    except OSError:
        return None


def _kernel_error_s() -> float | None:
    timex = ctypes.create_string_buffer(_TIMEX_LENGTH)  # all zero: change nothing, only tell
    state = int(ctypes.CDLL(None).adjtimex(timex))
    if not 0 <= state < _TIME_ERROR:
        return None
    return int.from_bytes(timex.raw[_MAX_ERROR], "little") / 1e6


@dataclass(frozen=True, slots=True)
class Told:
    """A time that was told, and when that was by the machine's count of seconds since its boot.

    ``at`` is the time, in seconds since 1970; ``boot`` the beginning of the boot's random id. It
    was heard by ``heard_s`` after that boot, and asked for at ``asked_s``, or, if that is `None`,
    in whatever boot.
    """

    at: float
    boot: bytes
    asked_s: float | None
    heard_s: float

    def encode(self) -> bytes:
        """As it is kept in a store: in whole milliseconds."""
        asked = None if self.asked_s is None else _ms(self.asked_s)
        return encode([_ms(self.at), self.boot, asked, _ms(self.heard_s)])

    @classmethod
    def decode(cls, kept: bytes) -> Self:
        """Read what `encode` gave."""
        match decode(kept):
            case [int(at), bytes(boot), int() | None as asked, int(heard)]:
                asked_s = None if asked is None else asked / 1000
                return cls(at / 1000, boot, asked_s, heard / 1000)
        raise ValueError("no time that was told")


@dataclass(frozen=True, slots=True)
class Times:
    """What a store knows of the time.

    ``signed`` is what the centre signed last, ``seen`` what this clock said when it was last on,
    and ``published_at`` when the newest publication in the store was published, in seconds since
    1970.
    """

    signed: Told | None = None
    seen: Told | None = None
    published_at: int = 0


class Clock:
    """The time at this kiosk.

    ``now`` gives the time by the machine's clock as aware UTC, ``error_s`` how far that may be
    wrong, or `None` while nobody has set it; ``elapsed_s`` the seconds since the boot, and
    ``boot`` the first 4 bytes of its random id.
    """

    def __init__(
        self,
        now: Callable[[], datetime] = _utc_now,
        error_s: Callable[[], float | None] = clock_error_s,
        elapsed_s: Callable[[], float] = _elapsed_s,
        boot: Callable[[], bytes] = _boot,
    ) -> None:
        self._machine_now = now
        self._error_s = error_s
        self._elapsed_s = elapsed_s
        self._boot = boot
        self._times = Times()

    def heed(self, times: Times) -> None:
        """Go by what the store knows of the time, from now on."""
        self._times = times

    def synced(self) -> bool:
        """Whether somebody has set this machine's clock since it booted."""
        return self._error_s() is not None

    @property
    def boot_id(self) -> bytes:
        """The first 4 bytes of the random id of this boot."""
        return self._boot()

    @property
    def elapsed_s(self) -> float:
        """Seconds since the boot."""
        return self._elapsed_s()

    @property
    def uptime_h(self) -> int:
        """Whole hours since the boot."""
        return int(self._elapsed_s()) // 3600

    def now(self) -> datetime:
        """The time, as well as it can be known.

        It never stands before what the centre signed, what was published, or what this clock said
        when it was last on; unless somebody who knows has set it back.
        """
        return datetime.fromtimestamp(self._reckon()[0], UTC)

    def not_before(self) -> float:
        """In seconds since 1970: by what the centre signed, it is not earlier than this."""
        signed, published_at = self._times.signed, self._times.published_at
        return published_at if signed is None else max(published_at, self._since(signed))

    def told(self, at: float, asked_s: float | None = None) -> Told:
        """A time that was told just now; ``asked_s`` of this boot it was asked for."""
        return Told(at, self.boot_id, asked_s, self._elapsed_s())

    def seen(self) -> Told:
        """What this clock says now, to be remembered."""
        return self.told(self._reckon()[0], self._elapsed_s())

    def moment(self, timezone: str) -> Moment:
        """This moment as records hold it: the half-day in a time zone, such as Europe/London.

        Only while that is not sure, it holds evidence for whoever resolves it later.
        """
        at, span = self._reckon()
        zone = ZoneInfo(timezone)
        half_day = _half_day_at(at, zone)
        if span is not None and all(_half_day_at(end, zone) == half_day for end in span):
            return Moment(half_day)
        return Moment(half_day, self.evidence())

    def evidence(self) -> ClockEvidence:
        """What is known of this moment by itself: which boot it is, and for how long."""
        return ClockEvidence(self.boot_id, self.uptime_h)

    def _reckon(self) -> tuple[float, tuple[float, float] | None]:
        """The time, and between which two it surely is; `None`: nobody knows."""
        now, since, error_s = self._machine_now().timestamp(), self.not_before(), self._error_s()
        if error_s is not None and since <= now + error_s:
            return max(now, since), (max(now - error_s, since), now + error_s)
        signed, seen = self._times.signed, self._times.seen
        if signed is not None and signed.boot == self.boot_id and signed.asked_s is not None:
            until = signed.at + 1 + (self._elapsed_s() - signed.asked_s) * (1 + DRIFT)
            return since, (since, max(since, until))
        return max(now, since, 0 if seen is None else self._since(seen)), None

    def _since(self, told: Told) -> float:
        """What time it is at least, if what was told is true."""
        elapsed_s = self._elapsed_s()
        if told.boot == self.boot_id:
            elapsed_s -= told.heard_s
        return told.at + max(0.0, elapsed_s) * (1 - DRIFT)


def _half_day_at(at: float, zone: ZoneInfo) -> int:
    return half_day_of(datetime.fromtimestamp(at, zone))


def _ms(seconds: float) -> int:
    return round(seconds * 1000)
