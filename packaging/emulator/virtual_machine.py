"""A virtual machine: switched on, looked at, tapped, unplugged, and cut off from its power."""

import socket
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import Final, Self

from PIL import Image
from qmp import Qmp, QmpError
from usb_display import UsbDisplay

COLLECTOR_ADDRESS: Final = "10.0.2.100"
"""Where a machine finds the collector that listens on the host's loopback."""

_FARTHEST: Final = 0x7FFF
"""The right and the lower edge of a screen, for QEMU's pointer."""

_HOLD_S: Final = 0.15
_LOOK_S: Final = 1.0
_READY_S: Final = 30.0
_TRY_AGAIN_S: Final = 0.05
_RELAY: Final = Path(__file__).with_name("relay.py")


class MachineError(Exception):
    """A machine did not do what was waited for; the last that it said is given."""


class Board(Enum):
    """What kind of machine it is: QEMU's program for it, and how it is put together."""

    PC = ("qemu-system-x86_64", "-M", "q35", "-cpu", "max", "-vga", "none")
    VIRT = ("qemu-system-aarch64", "-M", "virt", "-cpu", "cortex-a57")
    PI_3 = ("qemu-system-aarch64", "-M", "raspi3b")

    @property
    def console(self) -> str:
        """Its serial console, as the kernel calls it."""
        return "ttyS0" if self is Board.PC else "ttyAMA0"

    @property
    def shell_port(self) -> str:
        """Where it finds the port for a trial's shell."""
        return "/dev/ttyS1" if self is Board.PI_3 else "/dev/virtio-ports/trial"


@dataclass(frozen=True)
class Build:
    """What a machine is made of.

    ``command_line`` is the kernel's. ``device_tree`` is for a board that brings none. ``screen`` is
    how many pixels its panel has, ``collector_port`` at which port of the host's loopback the
    collector listens; nothing else can be reached. A Pi has no network.
    """

    board: Board
    disk: Path
    kernel: Path
    initrd: Path
    command_line: str
    memory_mb: int
    screen: tuple[int, int] = (0, 0)
    collector_port: int | None = None
    device_tree: Path | None = None

    def command(self, qmp: Path, serial: Path, shell: Path, display: Path) -> list[str]:
        """The command that starts it. A Pi has its ``display`` by USB, as QEMU has none for it."""
        # What the machine has flushed is in the host's hands, which outlive QEMU; no more is.
        drive = f"file={self.disk},format=raw,if={{}},cache=writethrough"
        command = [
            *self.board.value,
            *("-accel", "tcg,thread=multi", "-m", str(self.memory_mb), "-nodefaults"),
            *("-display", "none", "-no-reboot"),
            *("-qmp", f"unix:{qmp},server=on,wait=off"),
            *("-kernel", str(self.kernel), "-initrd", str(self.initrd)),
            *("-append", f"{self.command_line} console={self.board.console}"),
            *("-serial", f"file:{serial}"),
            *("-chardev", f"socket,id=shell,path={shell},server=on,wait=off"),
        ]
        if self.board is Board.PI_3:
            assert self.device_tree is not None
            return [
                *(*command, "-dtb", str(self.device_tree), "-drive", drive.format("sd")),
                *("-serial", "chardev:shell"),
                *("-device", "usb-tablet", "-device", "usb-redir,chardev=display"),
                *("-chardev", f"socket,id=display,path={display},server=on,wait=off"),
            ]
        width, height = self.screen
        return [
            *(*command, "-smp", "2"),
            *("-drive", drive.format("none,id=disk"), "-device", "virtio-blk-pci,drive=disk"),
            *("-device", f"virtio-gpu-pci,xres={width},yres={height}"),
            *("-device", "qemu-xhci", "-device", "usb-tablet", "-device", "virtio-rng-pci"),
            *("-device", "virtio-serial-pci", "-device", "virtserialport,chardev=shell,name=trial"),
            *("-nic", self._network()),
        ]

    def _network(self) -> str:
        if self.collector_port is None:
            return "none"
        port = self.collector_port
        relay = f"cmd:{sys.executable} {_RELAY} {port}"
        return (
            "user,id=network,model=virtio-net-pci,restrict=on,"
            f"guestfwd=tcp:{COLLECTOR_ADDRESS}:{port}-{relay}"
        )


class VirtualMachine:
    """A machine that is switched on. Leaving the ``with`` block cuts its power.

    ``folder`` gets what it says on its serial port, start after start.
    """

    def __init__(self, build: Build, folder: Path) -> None:
        self._build = build
        self._folder = folder
        self.serial = folder / "serial.log"
        self.shell = folder / "shell.socket"
        folder.mkdir(parents=True, exist_ok=True)
        for left in (self.serial, self.shell):
            left.unlink(missing_ok=True)
        self._process, self._qmp, self._display = self._switch_on()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.cut_power()

    @property
    def said(self) -> str:
        """What it has said on its serial port."""
        return self.serial.read_text(errors="replace") if self.serial.exists() else ""

    def picture(self) -> Image.Image:
        """What is on its screen now."""
        if self._display is not None:
            return self._display.picture()
        path = self._folder / "screen.png"
        self._do("screendump", filename=str(path), format="png")
        with Image.open(path) as image:
            return image.convert("RGB")

    def tap(self, x: int, y: int) -> None:
        """Put a finger on a place of its screen, and lift it."""
        width, height = self._build.screen
        places = (("x", x, width), ("y", y, height))
        moves = [
            {"type": "abs", "data": {"axis": axis, "value": at * _FARTHEST // (size - 1)}}
            for axis, at, size in places
        ]
        self._do("input-send-event", events=moves)
        for down in (True, False):
            time.sleep(_HOLD_S)  # as a finger takes
            button = {"type": "btn", "data": {"button": "left", "down": down}}
            self._do("input-send-event", events=[button])

    def plug_in(self, plugged: bool) -> None:
        """Plug its network cable in or out."""
        self._do("set_link", name="network", up=plugged)

    def cut_power(self) -> None:
        """Cut its power, at whatever it is."""
        self._process.kill()
        self._process.wait()
        self._qmp.close()

    def wait_until(self, holds: Callable[[], bool], what: str, timeout_s: float) -> None:
        """Wait until something holds, looking once a second.

        Raises:
            MachineError: it does not in time, or the machine has gone off.
        """
        deadline = time.monotonic() + timeout_s
        while not holds():
            if self._process.poll() is not None:
                raise self._error(f"the machine has gone off before {what}")
            if time.monotonic() > deadline:
                raise self._error(f"waited {timeout_s:.0f} s in vain for {what}")
            time.sleep(_LOOK_S)

    def _switch_on(self) -> tuple[subprocess.Popen[bytes], Qmp, UsbDisplay | None]:
        qmp, display = (self._folder / f"{name}.socket" for name in ("qmp", "display"))
        for left in (qmp, display):
            left.unlink(missing_ok=True)
        process = subprocess.Popen(self._build.command(qmp, self.serial, self.shell, display))

        def is_on() -> bool:
            return process.poll() is None

        try:
            spoken_to = Qmp(connect(qmp, is_on))
            if self._build.board is not Board.PI_3:
                return process, spoken_to, None
            return process, spoken_to, UsbDisplay(connect(display, is_on), *self._build.screen)
        except BaseException:
            process.kill()
            process.wait()
            raise

    def _do(self, command: str, **arguments: object) -> None:
        try:
            self._qmp.do(command, **arguments)
        except QmpError as error:
            raise self._error(str(error)) from None

    def _error(self, what: str) -> MachineError:
        return MachineError("\n".join([what, "It said last:", *self.said.splitlines()[-15:]]))


def connect(path: Path, still: Callable[[], bool]) -> socket.socket:
    """Connect to a socket that will soon be there, ``still`` worth waiting for.

    Raises:
        MachineError: it did not come.
    """
    deadline = time.monotonic() + _READY_S
    while still() and time.monotonic() < deadline:
        connection = socket.socket(socket.AF_UNIX)
        try:
            connection.connect(str(path))
        except OSError:
            connection.close()
            time.sleep(_TRY_AGAIN_S)
        else:
            return connection
    raise MachineError(f"{path}: nothing listens there")
