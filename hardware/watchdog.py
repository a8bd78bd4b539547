"""The watchdog: tells systemd that a service is up, alive or stopping.

Where systemd was not asked to listen, nothing is told. The protocol is that of sd_notify(3).
"""

import socket
from collections.abc import Mapping
from typing import Self


class WatchdogError(Exception):
    """systemd's variables can't be understood; start the service from its unit."""


class Watchdog:
    """One service's line to systemd.

    ``address`` is that of the socket systemd listens at, ``timeout_s`` the silence after which it
    ends the service; either may be lacking.
    """

    def __init__(self, address: str | None, timeout_s: float | None) -> None:
        if address is not None and address[:1] not in ("/", "@"):
            raise WatchdogError(f"NOTIFY_SOCKET: {address!r} must begin with / or @")
        self._address = address
        self._timeout_s = timeout_s

    @classmethod
    def from_environment(cls, environment: Mapping[str, str]) -> Self:
        """The line that systemd laid for this service: its NOTIFY_SOCKET and WATCHDOG_USEC.

        Raises:
            WatchdogError: a variable is there, and not as systemd sets it.
        """
        timeout = environment.get("WATCHDOG_USEC")
        if timeout is not None and not (timeout.isascii() and timeout.isdigit() and int(timeout)):
            raise WatchdogError(f"WATCHDOG_USEC: {timeout!r} must be a number of microseconds")
        return cls(
            environment.get("NOTIFY_SOCKET") or None,
            None if timeout is None else int(timeout) / 1_000_000,
        )

    @property
    def interval_s(self) -> float | None:
        """How often to call `alive`: twice as often as needed. `None`: nobody waits for it."""
        if self._address is None or self._timeout_s is None:
            return None
        return self._timeout_s / 2

    def ready(self) -> None:
        """The service is up."""
        self._tell(b"READY=1")

    def alive(self) -> None:
        """The service is alive; call this at each `interval_s`."""
        self._tell(b"WATCHDOG=1")

    def stopping(self) -> None:
        """The service is about to stop."""
        self._tell(b"STOPPING=1")

    def _tell(self, state: bytes) -> None:
        """Send a state.

        Raises:
            OSError: systemd does not listen at the address; let the service fail.
        """
        if self._address is None:
            return
        address = self._address
        if address.startswith("@"):  # a name that is in no file system
            address = "\0" + address[1:]
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as line:
            line.connect(address)
            line.send(state)
