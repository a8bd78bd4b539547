"""A disk of a test's own, to take the power from, to fill, and to make read-only."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from ctypes.util import find_library
from pathlib import Path
from typing import Self

PROGRAM = Path(__file__).with_name("disk_process.py")
CONTROL = "user.regard.disk"
DEVICE = Path("/dev/fuse")
READY_S = 30.0
CUT_S = 60.0


class DiskError(Exception):
    """This machine can't have such a disk, or nobody uses it; the message says what to do."""


class Disk:
    """A disk that is mounted in a folder. See `disk_process` for what it promises."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    @classmethod
    @contextmanager
    def mounted(cls, folder: Path) -> Iterator[Self]:
        """An empty disk in a new folder, until the end of the block.

        Raises:
            DiskError: this machine lacks what it takes.
        """
        if not DEVICE.exists():
            raise DiskError(
                f"{DEVICE} is missing, and with it the power cuts can't be tried: load the kernel's"
                f" module fuse (modprobe fuse), or let the container have {DEVICE}"
            )
        if find_library("fuse3") is None:
            raise DiskError(
                "libfuse3 is missing, and without it the power cuts can't be tried:"
                " apt-get install fuse3"
            )
        folder.mkdir()
        process = subprocess.Popen(
            [sys.executable, PROGRAM, folder],
            env={**os.environ, "FUSE_LIBRARY_NAME": "fuse3"},
        )
        try:
            deadline = time.monotonic() + READY_S
            while not folder.is_mount():
                if process.poll() is not None or time.monotonic() > deadline:
                    raise DiskError(
                        f"nothing could be mounted with {DEVICE}: see what is said above"
                    )
                time.sleep(0.01)
            yield cls(folder)
        finally:
            if folder.is_mount():
                subprocess.run(["fusermount3", "-u", "-z", folder], check=True)
            process.terminate()
            process.wait()

    def cut_after(self, changes: int, survival: int | None = None) -> None:
        """Take the power at so many more changes of the disk.

        Of what was not synced then, nothing survives; or, if ``survival`` is given, what a random
        number generator says that is seeded with it.
        """
        self._ask(cut_after=changes, survival=survival)

    @property
    def powered(self) -> bool:
        """Whether it still has its power."""
        return bool(self._state()["power"])

    @property
    def changes(self) -> int:
        """How often it was changed in its life."""
        return int(self._state()["changes"])

    def wait_for_cut(self) -> None:
        """Wait until it has lost its power.

        Raises:
            DiskError: nobody changes it, so it never will.
        """
        deadline = time.monotonic() + CUT_S
        while self.powered:
            if time.monotonic() > deadline:
                raise DiskError("nothing was written to the disk: see what is said above")
            time.sleep(0.001)

    def power(self) -> None:
        """Give it its power back."""
        self._ask(power=True)

    def sync(self, file: Path) -> None:
        """See that a file in its folder, and its name there, survive a cut."""
        for path in (file, self.folder):
            descriptor = os.open(path, os.O_RDONLY)
            os.fsync(descriptor)
            os.close(descriptor)

    def leave_space(self, total: int | None) -> None:
        """Let it have so many bytes in all; None: as many as anyone wants."""
        self._ask(space=total)

    def be_read_only(self, read_only: bool) -> None:
        """Refuse whatever would change it, or take it again."""
        self._ask(read_only=read_only)

    def _ask(self, **what: object) -> None:
        os.setxattr(self.folder, CONTROL, json.dumps(what).encode())

    def _state(self) -> dict[str, int]:
        return json.loads(os.getxattr(self.folder, CONTROL))
