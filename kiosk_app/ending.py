"""Ending: the signals that end the kiosk, heard by a thread of their own."""

import signal
from collections.abc import Callable
from threading import Thread
from typing import Final

_SIGNALS: Final = {signal.SIGTERM, signal.SIGINT}


def hold_signals() -> None:
    """Keep them from every thread that is there from now on, until `when_ended` waits for them."""
    signal.pthread_sigmask(signal.SIG_BLOCK, _SIGNALS)


def when_ended(do: Callable[[], None]) -> None:
    """Have this done, on another thread, at the first of them."""

    def await_signal() -> None:
        signal.sigwait(_SIGNALS)
        do()

    Thread(target=await_signal, name="signals", daemon=True).start()
