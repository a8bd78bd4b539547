"""A kiosk's machine, whose processes die together when the power goes."""

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Self

PROGRAM = Path(__file__).with_name("kiosk_machine_process.py")


class Machine:
    """Starts processes by their roles (see `kiosk_machine_process`), and kills them all."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process

    @classmethod
    @contextmanager
    def ready(cls) -> Iterator[Self]:
        """A machine, until the end of the block."""
        with subprocess.Popen(
            [sys.executable, PROGRAM], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        ) as process:
            machine = cls(process)
            try:
                yield machine
            finally:
                machine.die()
                process.stdin.close()

    def start(self, role: str, **arguments: object) -> None:
        """Start a process."""
        self._say({"role": role, **arguments})

    def hear(self) -> list[str]:
        """The words of the next line that a process tells; waits for it."""
        return self._process.stdout.readline().split()

    def die(self) -> list[list[str]]:
        """Kill every process, at whatever it is; what they told that was not heard yet."""
        self._say("die")
        return list(iter(self.hear, ["dead"]))

    def _say(self, what: object) -> None:
        self._process.stdin.write(json.dumps(what) + "\n")
        self._process.stdin.flush()
