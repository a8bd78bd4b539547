import ctypes
import os
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from sync_service.contract.record import ClockEvidence, half_day_of
from sync_service.outbox.clock import DRIFT, Clock, Times, Told, clock_error_s

JUST_BEFORE_NOON_UTC = datetime(2026, 7, 1, 11, 30, tzinfo=UTC)
NEVER_SET = datetime(1970, 1, 1, 5, tzinfo=UTC)
BOOT, OTHER_BOOT = b"boot", b"othr"
HOUR_S, DAY_S = 3600, 86400


def clock_at(now, error_s=0.0):
    return Clock(now=lambda: now, error_s=lambda: error_s)


class Kiosk:
    """A machine whose clock, boot and uptime the test sets."""

    def __init__(self, now=NEVER_SET, error_s=None, elapsed_s=0.0, boot=BOOT):
        self.now, self.error_s, self.elapsed_s, self.boot = now, error_s, elapsed_s, boot
        self.clock = Clock(
            lambda: self.now, lambda: self.error_s, lambda: self.elapsed_s, lambda: self.boot
        )

    def hear(self, at, took_s=2.0):
        """Be told a time by the centre."""
        asked_s, self.elapsed_s = self.elapsed_s, self.elapsed_s + took_s
        self.clock.heed(Times(signed=self.clock.told(at.timestamp(), asked_s)))

    def moment(self):
        return self.clock.moment("UTC")


def kernel_says_unsynced():
    """STA_UNSYNC of the status in a struct timex, where a 64-bit Linux has it."""
    timex = ctypes.create_string_buffer(256)
    ctypes.CDLL(None).adjtimex(timex)
    return bool(int.from_bytes(timex.raw[40:44], "little") & 0x40)


def test_a_moment_is_the_half_day_at_the_site_and_no_finer():
    clock = clock_at(JUST_BEFORE_NOON_UTC)
    in_the_evening = clock_at(JUST_BEFORE_NOON_UTC + timedelta(hours=9))

    assert clock.moment("UTC").half_day == half_day_of(datetime(2026, 7, 1, 11))
    assert clock.moment("Europe/London").half_day == half_day_of(datetime(2026, 7, 1, 12))
    assert clock.moment("Europe/London") == in_the_evening.moment("Europe/London")


def test_a_clock_that_was_set_gives_no_evidence():
    assert clock_at(JUST_BEFORE_NOON_UTC).moment("UTC").clock_synced


def test_a_clock_that_was_never_set_says_which_boot_it_is_and_for_how_long():
    clock = clock_at(NEVER_SET, error_s=None)

    assert clock.moment("Europe/London").half_day == 0
    assert clock.moment("Europe/London").evidence == ClockEvidence(clock.boot_id, clock.uptime_h)


def test_a_clock_set_so_long_ago_that_it_may_be_another_half_day_is_not_sure():
    sure = clock_at(JUST_BEFORE_NOON_UTC, error_s=30 * 60 - 1)
    unsure = clock_at(JUST_BEFORE_NOON_UTC, error_s=30 * 60)

    assert sure.moment("UTC").clock_synced
    assert unsure.moment("UTC").half_day == sure.moment("UTC").half_day
    assert not unsure.moment("UTC").clock_synced


def test_a_time_before_1970_is_its_first_half_day():
    assert clock_at(datetime(1969, 7, 20, tzinfo=UTC)).moment("UTC").half_day == 0


# What the centre signed


def test_after_the_centre_has_told_the_time_the_half_day_is_sure_until_the_next_boot():
    kiosk = Kiosk()
    kiosk.hear(JUST_BEFORE_NOON_UTC)
    assert kiosk.moment().evidence is None
    assert kiosk.moment().half_day == half_day_of(JUST_BEFORE_NOON_UTC)
    kiosk.elapsed_s += 10 * DAY_S
    assert kiosk.moment().half_day == half_day_of(JUST_BEFORE_NOON_UTC) + 20

    kiosk.boot, kiosk.elapsed_s = OTHER_BOOT, 60
    assert not kiosk.moment().clock_synced


def test_how_long_the_reply_took_is_how_far_it_may_be_wrong():
    """The network may have held it back."""
    prompt, late = Kiosk(), Kiosk()
    prompt.hear(JUST_BEFORE_NOON_UTC, took_s=29 * 60)
    late.hear(JUST_BEFORE_NOON_UTC, took_s=30 * 60)

    assert prompt.moment().clock_synced
    assert not late.moment().clock_synced


def test_what_the_centre_signed_is_a_bound_for_every_boot_after():
    kiosk = Kiosk()
    kiosk.hear(JUST_BEFORE_NOON_UTC)
    signed_at = JUST_BEFORE_NOON_UTC.timestamp()
    assert kiosk.clock.not_before() == signed_at

    kiosk.boot, kiosk.elapsed_s = OTHER_BOOT, DAY_S
    assert kiosk.clock.not_before() == pytest.approx(signed_at + DAY_S * (1 - DRIFT))
    assert kiosk.clock.now().timestamp() == kiosk.clock.not_before()


def test_a_clock_set_to_before_what_the_centre_signed_is_not_believed():
    kiosk = Kiosk()
    kiosk.hear(JUST_BEFORE_NOON_UTC)
    kiosk.now, kiosk.error_s = JUST_BEFORE_NOON_UTC - timedelta(days=400), 1.0
    assert kiosk.moment().half_day == half_day_of(JUST_BEFORE_NOON_UTC)

    kiosk.boot = OTHER_BOOT
    assert not kiosk.moment().clock_synced


def test_the_last_word_of_the_centre_counts_though_an_earlier_one_was_later():
    kiosk = Kiosk()
    kiosk.hear(JUST_BEFORE_NOON_UTC + timedelta(days=20_000))
    kiosk.hear(JUST_BEFORE_NOON_UTC)

    assert kiosk.moment().half_day == half_day_of(JUST_BEFORE_NOON_UTC)


# What was seen last


def test_a_clock_never_starts_before_it_was_last_seen_or_before_its_stamp_was_made():
    before = Kiosk(now=JUST_BEFORE_NOON_UTC, elapsed_s=5 * HOUR_S)
    seen = before.clock.seen()
    after = Kiosk(boot=OTHER_BOOT, elapsed_s=60)
    after.clock.heed(Times(seen=seen))
    assert timedelta(0) <= after.clock.now() - JUST_BEFORE_NOON_UTC <= timedelta(minutes=1)
    assert not after.moment().clock_synced

    stamped = Kiosk()
    stamped.clock.heed(Times(published_at=int(JUST_BEFORE_NOON_UTC.timestamp())))
    assert stamped.clock.now() == JUST_BEFORE_NOON_UTC


def test_from_there_it_goes_on_with_the_machine():
    kiosk = Kiosk()
    kiosk.clock.heed(Times(published_at=int(JUST_BEFORE_NOON_UTC.timestamp())))
    for _ in range(60):
        kiosk.clock.heed(Times(seen=kiosk.clock.seen()))
        kiosk.elapsed_s += 60
    took = kiosk.clock.now() - JUST_BEFORE_NOON_UTC
    assert timedelta(minutes=59) < took <= timedelta(hours=1)


def test_a_clock_that_is_set_may_go_back_to_before_it_was_seen():
    kiosk = Kiosk(now=datetime(2099, 1, 1, tzinfo=UTC))
    kiosk.clock.heed(Times(seen=kiosk.clock.seen()))
    kiosk.now, kiosk.error_s = JUST_BEFORE_NOON_UTC, 1.0

    assert kiosk.clock.now() == JUST_BEFORE_NOON_UTC
    assert kiosk.moment().clock_synced


def test_a_time_that_was_told_is_kept_to_the_millisecond():
    told = Told(1_782_900_000.0123, BOOT, 5.25, 7.5004)
    assert Told.decode(told.encode()) == Told(1_782_900_000.012, BOOT, 5.25, 7.5)
    with pytest.raises(ValueError, match="no time"):
        Told.decode(b"\x80")


# This machine


def test_this_machine_tells_its_time_its_boot_and_its_hours():
    clock = Clock()
    boot_id = Path("/proc/sys/kernel/random/boot_id").read_text()
    before_s = float(Path("/proc/uptime").read_text().split()[0])
    uptime_h = clock.uptime_h
    after_s = float(Path("/proc/uptime").read_text().split()[0])

    assert clock.boot_id.hex() == boot_id[:8]
    assert before_s // 3600 <= uptime_h <= after_s // 3600
    assert clock.now().utcoffset() == timedelta(0)


def test_the_kernel_says_whether_the_clock_was_set(tmp_path):
    error_s = clock_error_s(timesync_mark=tmp_path / "no mark")
    assert (error_s is None) is kernel_says_unsynced()


def test_a_clock_set_once_since_the_boot_counts_as_set_and_ever_less_surely(tmp_path):
    mark = tmp_path / "synchronized"
    mark.touch()
    assert 1.0 <= clock_error_s(timesync_mark=mark) < 1.1
    if kernel_says_unsynced():  # else the kernel knows better
        ten_days_ago = time.time() - 10 * DAY_S
        os.utime(mark, (ten_days_ago, ten_days_ago))
        assert clock_error_s(timesync_mark=mark) == pytest.approx(433, abs=2)
