"""Health: what a kiosk can tell of the machine that it runs on, a gauge for each thing.

A gauge whose file is missing has nothing to tell: not every board has everything.
"""

import os
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Final

HOT_C: Final = 80
"""Where the firmware of a Pi begins to slow it down."""

LITTLE_SPACE: Final = 256 * 1024 * 1024
LITTLE_MEMORY_KB: Final = 32 * 1024
_SLOWED: Final = 0x00060006
"""Of the firmware's bits: held back or slowed, now or at any time since it started."""

_UNDER_VOLTAGE: Final = 0x00010001
_WORN_TENTHS: Final = 10
"""What a card says that has used up more than nine tenths of the writes it was made for."""

_FEW_SPARE_BLOCKS: Final = 2


class Gauge:
    """Looks at one thing: ``reading`` says in a word what is wrong, if anything is."""

    def __init__(self, reading: Callable[[], str | None]) -> None:
        self._reading = reading

    def trouble(self) -> str | None:
        """What is wrong."""
        with suppress(FileNotFoundError):
            return self._reading()
        return None

    def close(self) -> None:
        """Nothing is held."""


def gauges(root: Path, data: Path) -> Iterator[tuple[str, Callable[[], str | None]]]:
    """What is looked at, by name. ``root`` stands for ``/``; ``data`` is where records are kept."""
    firmware = root / "sys/devices/platform/soc/soc:firmware/get_throttled"

    def temperature() -> str | None:
        millidegrees = int((root / "sys/class/thermal/thermal_zone0/temp").read_text())
        return "high" if millidegrees >= HOT_C * 1000 else None

    def power() -> str | None:
        low = any(int(alarm.read_text()) for alarm in _voltage_alarms(root))
        low = low or bool(firmware.exists() and _hexadecimal(firmware) & _UNDER_VOLTAGE)
        return "low" if low else None

    def processor() -> str | None:
        return "slowed" if _hexadecimal(firmware) & _SLOWED else None

    def card() -> str | None:
        device = root / "sys/block/mmcblk0/device"
        used = max(int(tenths, 16) for tenths in (device / "life_time").read_text().split())
        spent = _hexadecimal(device / "pre_eol_info") >= _FEW_SPARE_BLOCKS
        return "worn" if used >= _WORN_TENTHS or spent else None

    def space() -> str | None:
        disk = os.statvfs(data)
        return "low" if disk.f_bavail * disk.f_frsize < LITTLE_SPACE else None

    def memory() -> str | None:
        for line in (root / "proc/meminfo").read_text().splitlines():
            name, _, amount = line.partition(":")
            if name == "MemAvailable":
                return "low" if int(amount.split()[0]) < LITTLE_MEMORY_KB else None
        return None

    for reading in (temperature, power, processor, card, space, memory):
        yield reading.__name__, reading


class BatteryClock:
    """A clock that keeps the time without power: a folder in ``/sys/class/rtc``."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._read()

    def trouble(self) -> str | None:
        """None, if it tells the time; where its battery ran out, the kernel refuses to say it."""
        self._read()
        return None

    def close(self) -> None:
        """Nothing is held."""

    def _read(self) -> None:
        int((self._folder / "since_epoch").read_text())


def _voltage_alarms(root: Path) -> Iterator[Path]:
    """The alarms of the kernel's driver for a Pi's power."""
    for name in sorted(root.glob("sys/class/hwmon/*/name")):
        if name.read_text().strip() == "rpi_volt":
            yield name.with_name("in0_lcrit_alarm")


def _hexadecimal(file: Path) -> int:
    return int(file.read_text(), 16)
