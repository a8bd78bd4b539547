"""What a program uses of the machine, with all the processes that it starts."""

import ctypes
import os
import time
from contextlib import suppress
from pathlib import Path

_BE_SUBREAPER = 36
_TICKS_S = os.sysconf("SC_CLK_TCK")


def adopt_orphans() -> None:
    """Have processes whose parent ends become children of this one, so that none gets lost."""
    ctypes.CDLL(None).prctl(_BE_SUBREAPER, 1, 0, 0, 0)


class Processes:
    """The processes started by this one, directly or not, since this was made."""

    def __init__(self) -> None:
        self._others = _descendants(os.getpid())
        self.made_at = time.monotonic()

    def cpu_s(self) -> float:
        """The processor's time that they have used, in seconds, ended children included."""
        return sum(_cpu_s(pid) for pid in self._members())

    def memory_mb(self, kind: str) -> float:
        """Their memory in MB, as ``Pss`` (what is shared is divided) or as ``Rss``."""
        return sum(memory_mb(pid, kind) for pid in self._members())

    def count(self) -> int:
        """How many they are."""
        return len(self._members())

    def wait(self, timeout_s: float) -> None:
        """Wait until all have ended, those adopted too.

        Raises:
            TimeoutError: some have not.
        """
        deadline = time.monotonic() + timeout_s
        while members := self._members():
            for pid in members:
                with suppress(ChildProcessError):
                    os.waitpid(pid, os.WNOHANG)
            if time.monotonic() > deadline:
                raise TimeoutError(f"still running: {sorted(members)}")
            time.sleep(0.01)

    def _members(self) -> set[int]:
        return _descendants(os.getpid()) - self._others


def _descendants(ancestor: int) -> set[int]:
    children: dict[int, list[int]] = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            with suppress(OSError):
                children.setdefault(int(_stat(int(entry.name))[1]), []).append(int(entry.name))
    found: set[int] = set()
    waiting = [ancestor]
    while waiting:
        for pid in children.get(waiting.pop(), ()):
            found.add(pid)
            waiting.append(pid)
    return found


def _cpu_s(pid: int) -> float:
    try:
        # The process's own clock: /proc/PID/stat counts in hundredths of a second.
        own = time.clock_gettime(~pid << 3 | 2)
        ended = sum(int(ticks) for ticks in _stat(pid)[13:15])
    except OSError:
        return 0.0
    return own + ended / _TICKS_S


def memory_mb(pid: int, kind: str) -> float:
    with suppress(OSError):
        for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
            if line.startswith(f"{kind}:"):
                return int(line.split()[1]) / 1024
    return 0.0


def _stat(pid: int) -> list[str]:
    """The fields after the name in /proc/PID/stat: state, parent and so on."""
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
