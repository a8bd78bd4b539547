"""A board that is not there: mock pins and a folder in the kernel's place, and a socket for hands.

Whoever connects to the socket sees the lamps, and does what people do, in lines of two words: to
it goes ``lamps 1010`` whenever they change, from it come ``press 2``, ``release 2``,
``presence on``, ``presence off``, ``case open`` and ``case shut``; and ``break 12``, from which on
nothing can be had of pin 12. One at a time is served. The backlight shines in the folder, at its
usual place.
"""

import os
import socket
from contextlib import suppress
from errno import EIO
from pathlib import Path
from threading import Event, Thread
from typing import Final, Self

from gpiozero import Factory
from gpiozero.pins import PinInfo
from gpiozero.pins.mock import MockFactory, MockPin

from hardware.ground import Ground
from hardware.wiring import Wiring

SOCKET: Final = "hands"
"""The socket's name in the folder."""

MOST_BRIGHTNESS: Final = 255
_LOOK_S: Final = 0.05
_MOCKED: Final = "a02082"  # a Pi 3 B


class WiredPin(MockPin):
    """A mock pin with something wired to it, which is stronger than the chip's own resistor."""

    def __init__(self, factory: Factory, info: PinInfo) -> None:
        super().__init__(factory, info)
        self._held: bool | None = None
        self._broken = False

    def hold(self, high: bool) -> None:
        """Let what is wired to it hold it high, or low."""
        self._held = high
        (self.drive_high if high else self.drive_low)()

    def break_off(self) -> None:
        """Let it fail whatever is done with it, as a chip does that has gone."""
        self._broken = True

    @property
    def lit(self) -> bool:
        """Whether a lamp on it is lit."""
        return bool(self._state) and not self._broken

    def _get_state(self) -> bool:
        self._fail_if_broken()
        return bool(super()._get_state())

    def _set_state(self, value: bool) -> None:
        self._fail_if_broken()
        super()._set_state(value)

    def _fail_if_broken(self) -> None:
        if self._broken:
            raise OSError(EIO, os.strerror(EIO))

    def _set_pull(self, value: str) -> None:
        super()._set_pull(value)
        if self._held is not None:
            self.hold(self._held)


class Fake:
    """A fake board in a folder, served while the ``with`` block lasts.

    At first nobody is there, no button is pressed, and the case is shut.
    """

    def __init__(self, folder: Path, wiring: Wiring) -> None:
        self._folder = folder
        self._wiring = wiring
        self._pins = wired_pins(wiring)
        self._ended = Event()
        self._thread = Thread(target=self._serve, name="hands", daemon=True)
        self._door = socket.socket(socket.AF_UNIX)
        self.ground = Ground(folder, lambda: self._pins)

    def __enter__(self) -> Self:
        lay_tree(self._folder, self._wiring)
        path = self._folder / SOCKET
        path.unlink(missing_ok=True)
        self._door.bind(str(path))
        self._door.listen()
        self._door.settimeout(_LOOK_S)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._thread.join()
        self._door.close()

    def _serve(self) -> None:
        while not self._ended.is_set():
            with suppress(TimeoutError, ConnectionError):
                client, _ = self._door.accept()
                with client:
                    self._attend(client)

    def _attend(self, client: socket.socket) -> None:
        """Serve one client until it leaves."""
        client.settimeout(_LOOK_S)
        shown, heard = "", b""
        while not self._ended.is_set():
            lamps = "".join(str(int(self._pins.pin(pin).lit)) for pin in self._wiring.lamps)
            if lamps != shown:
                client.sendall(f"lamps {lamps}\n".encode())
                shown = lamps
            with suppress(TimeoutError):
                data = client.recv(4096)
                if not data:
                    return
                *lines, heard = (heard + data).split(b"\n")
                for line in lines:
                    self._do(line.decode())

    def _do(self, line: str) -> None:
        match line.split():
            case ["press" | "release" as deed, place]:
                self._pins.pin(self._wiring.buttons[int(place) - 1]).hold(deed == "release")
            case ["presence", state] if self._wiring.presence is not None:
                self._pins.pin(self._wiring.presence).hold(state == "on")
            case ["break", pin]:
                self._pins.pin(int(pin)).break_off()
            case ["case", state] if self._wiring.tamper is not None:
                self._pins.pin(self._wiring.tamper).hold(state == "open")


def wired_pins(wiring: Wiring) -> MockFactory:
    """The pins of a wiring: nobody is there, no button is pressed, and the case is shut."""
    pins = MockFactory(revision=_MOCKED, pin_class=WiredPin)
    for number in wiring.buttons:
        pins.pin(number).hold(True)
    for low in (wiring.presence, wiring.tamper):
        if low is not None:
            pins.pin(low).hold(False)
    return pins


def lay_tree(root: Path, wiring: Wiring) -> None:
    """Lay the kernel's files of a kiosk that is well into a folder, where they are not there."""
    files = {
        "proc/meminfo": "MemTotal: 948012 kB\nMemAvailable: 512000 kB\n",
        "sys/class/thermal/thermal_zone0/temp": "48312\n",
        "sys/class/hwmon/hwmon0/name": "rpi_volt\n",
        "sys/class/hwmon/hwmon0/in0_lcrit_alarm": "0\n",
        "sys/devices/platform/soc/soc:firmware/get_throttled": "0\n",
        "sys/block/mmcblk0/device/life_time": "0x01 0x01\n",
        "sys/block/mmcblk0/device/pre_eol_info": "0x01\n",
    }
    if wiring.backlight is not None:
        panel = f"sys/class/backlight/{wiring.backlight}"
        files |= {
            f"{panel}/max_brightness": f"{MOST_BRIGHTNESS}\n",
            f"{panel}/brightness": f"{MOST_BRIGHTNESS}\n",
        }
    if wiring.rtc is not None:
        files[f"sys/class/rtc/{wiring.rtc}/since_epoch"] = "1764100000\n"
    for name, content in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if not path.exists():
            path.write_text(content)
