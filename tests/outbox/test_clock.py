import ctypes
from datetime import UTC, datetime, timedelta
from pathlib import Path

from sync_service.contract.record import ClockEvidence, half_day_of
from sync_service.outbox.clock import Clock, clock_synced

JUST_BEFORE_NOON_UTC = datetime(2026, 7, 1, 11, 30, tzinfo=UTC)


def clock_at(now, synced=True):
    return Clock(now=lambda: now, synced=lambda: synced)


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
    clock = clock_at(datetime(1970, 1, 1, 5, tzinfo=UTC), synced=False)

    assert clock.moment("Europe/London").half_day == 0
    assert clock.moment("Europe/London").evidence == ClockEvidence(clock.boot_id, clock.uptime_h)


def test_a_time_before_1970_is_its_first_half_day():
    assert clock_at(datetime(1969, 7, 20, tzinfo=UTC)).moment("UTC").half_day == 0


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
    assert clock_synced(timesync_mark=tmp_path / "no mark") is not kernel_says_unsynced()


def test_a_clock_set_once_since_the_boot_counts_as_set(tmp_path):
    mark = tmp_path / "synchronized"
    mark.touch()

    assert clock_synced(timesync_mark=mark)
