"""QMP: QEMU is told what to do by lines of JSON over a socket, and answers in the same way."""

import json
import socket
from typing import Any


class QmpError(Exception):
    """QEMU refused a command, or has ended."""


class Qmp:
    """A conversation with QEMU. Events, which it tells in between, are passed over.

    Raises:
        QmpError: what is at the other end has ended, or is no QEMU.
    """

    def __init__(self, connection: socket.socket) -> None:
        self._connection = connection
        self._lines = connection.makefile("rb")
        if "QMP" not in self._read():
            raise QmpError("what answers is no QEMU")
        self.do("qmp_capabilities")

    def do(self, command: str, **arguments: Any) -> Any:
        """Have a command done; gives what it returns.

        Raises:
            QmpError: it was refused, or QEMU has ended.
        """
        asked = {"execute": command, "arguments": arguments}
        try:
            self._connection.sendall(json.dumps(asked).encode() + b"\n")
            answer = self._read()
            while "event" in answer:
                answer = self._read()
        except (OSError, ValueError) as error:  # the other end has gone, or we have hung up
            raise QmpError(f"{command}: QEMU has ended") from error
        if "error" in answer:
            raise QmpError(f"{command}: {answer['error']['desc']}")
        return answer["return"]

    def close(self) -> None:
        """Hang up."""
        self._lines.close()
        self._connection.close()

    def _read(self) -> dict[str, Any]:
        line = self._lines.readline()
        if not line:
            raise QmpError("QEMU has ended")
        answer: dict[str, Any] = json.loads(line)
        return answer
