"""The ground: what parts stand on. Other ground, the same parts: a Pi's, or one made for a test."""

import os
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from gpiozero import Factory


@dataclass(frozen=True, slots=True)
class Ground:
    """Where the kernel's files are found, and how the pins are had.

    ``root`` stands for ``/``: what is in ``/sys/class`` is looked for in ``root/sys/class``.
    ``open_pins`` may fail, and be called again later.
    """

    root: Path
    open_pins: Callable[[], Factory]


def pi_ground(scratch: Path) -> Ground:
    """The ground of a Raspberry Pi: its pins by lgpio, if that is installed.

    ``scratch`` is a folder for what lgpio leaves lying about. Call this before there is a second
    thread: while lgpio is imported, it changes the folder that the process works in.
    """
    here = Path.cwd()
    os.environ["LG_WD"] = str(scratch)
    try:
        from gpiozero.pins.lgpio import LGPIOFactory  # noqa: PLC0415  # it starts a thread as well
    except (ImportError, OSError) as error:
        return Ground(Path("/"), partial(_refuse, error))
    finally:
        os.chdir(here)
    return Ground(Path("/"), LGPIOFactory)


def _refuse(error: Exception) -> Factory:
    raise error
