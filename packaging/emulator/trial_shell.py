"""A trial's own way into a machine: a shell of root's at a port of its own.

The kernel's command line brings it along, and whoever writes that has the machine in hand anyway:
nothing of it is on the machine's disk.
"""

import re
import socket
from base64 import b64encode
from typing import Final

from virtual_machine import Board, MachineError

_UNIT: Final = r"""[Unit]
DefaultDependencies=no
After=systemd-udevd.service
StartLimitIntervalSec=0
[Service]
Restart=always
RestartSec=1
ExecStart=/bin/sh -c 'exec <>PORT >&0 2>&0; stty raw -echo 2>/dev/null; printf "\\036"; \
  while IFS= read -r c; do sh -c "$c" </dev/null; printf "\\036%%s\\036" $?; done'
"""
_ENDED: Final = re.compile(rb"\x1e(\d+)\x1e")


def bring(name: str, content: str) -> str:
    """What the kernel's command line must say to bring a credential along."""
    return f"systemd.set_credential_binary={name}:{b64encode(content.encode()).decode()}"


def command_line(board: Board) -> str:
    """What the kernel's command line must say for a shell to be there."""
    unit = _UNIT.replace("PORT", board.shell_port)
    return (
        f"{bring('systemd.extra-unit.trial-shell.service', unit)} systemd.wants=trial-shell.service"
    )


class TrialShell:
    """The shell, once it has greeted."""

    def __init__(self, connection: socket.socket, timeout_s: float) -> None:
        self._connection = connection
        connection.settimeout(timeout_s)
        self._read_until(re.compile(rb"\x1e"))

    def run(self, command: str, *, check: bool = True) -> str:
        """What a command prints, which must end with 0 if that is to be ``check``-ed.

        Raises:
            MachineError: it ended otherwise, or not in time.
        """
        self._connection.sendall(command.encode() + b"\n")
        said, status = self._read_until(_ENDED)
        text = said.decode(errors="replace")
        if check and status != b"0":
            raise MachineError(f"{command} ended with {status.decode()}:\n{text}")
        return text

    def succeeds(self, command: str) -> bool:
        """Whether a command ends with 0."""
        return self.run(f"{command} >/dev/null 2>&1 && echo yes", check=False) == "yes\n"

    def _read_until(self, end: re.Pattern[bytes]) -> tuple[bytes, bytes]:
        said = b""
        while (found := end.search(said)) is None:
            try:
                more = self._connection.recv(65_536)
            except TimeoutError:
                raise MachineError(f"the shell has gone silent after:\n{said!r}") from None
            if not more:
                raise MachineError(f"the machine has gone off after:\n{said!r}")
            said += more
        return said[: found.start()], found[1] if found.groups() else b""
