"""The door: the one way from another thread into the main thread, where everything is decided."""

from collections.abc import Callable
from queue import Empty, SimpleQueue
from typing import TypeAlias

Event: TypeAlias = Callable[[float], None]
"""What is to be done on the main thread, given the time it is let in."""


class Door:
    """Events from other threads, let in one after another on the main thread."""

    def __init__(self) -> None:
        self._waiting: SimpleQueue[Event] = SimpleQueue()
        self._wake: Callable[[], None] | None = None

    def open(self, wake: Callable[[], None]) -> None:
        """Say how the main thread is woken when something comes; what came before waits."""
        self._wake = wake
        wake()

    def post(self, event: Event) -> None:
        """Leave an event; it is let in soon. Call from any thread."""
        self._waiting.put(event)
        if self._wake is not None:
            self._wake()

    def let_in(self, now: float) -> None:
        """Let in all that waits. Call on the main thread."""
        while True:
            try:
                event = self._waiting.get_nowait()
            except Empty:
                return
            event(now)
