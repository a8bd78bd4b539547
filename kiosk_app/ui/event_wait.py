"""Waiting for the next touch without looking for it: an idle kiosk uses no processor at all.

Kivy polls for events at each frame. Here the main thread sleeps in SDL until there is an event,
a deadline, or a call from another thread. All that knows SDL stands in this module.
"""

import ctypes
import logging
import re
import time
from pathlib import Path
from typing import Final, Self
from weakref import finalize

_USER_EVENT: Final = 0x8000
_EVENT_SIZE: Final = 64  # at least that of the union SDL_Event, 56 bytes
_LIBRARY: Final = re.compile(r"/\S*/libSDL2-2\.0\S*|/\S*/libSDL2-2-\S*\.so\S*")
_BLIND: Final = (None, b"dummy", b"offscreen")

log = logging.getLogger(__name__)


class FrameWait:
    """Waits for a frame at a time, for want of something better."""

    FRAME_S: Final = 1 / 30
    on_a_screen: Final = True
    """As far as is known."""

    def wait(self, timeout_s: float) -> None:
        """Sleep for a frame, or less."""
        time.sleep(max(0.0, min(timeout_s, self.FRAME_S)))

    def wake(self) -> None:
        """Nothing to do: the next frame is soon."""

    def take_fingers(self) -> int:
        """One: what a pointer can tell."""
        return 1


class _FingerEvent(ctypes.Structure):
    """How an SDL_TouchFingerEvent begins."""

    _fields_ = (
        ("type", ctypes.c_uint32),
        ("timestamp", ctypes.c_uint32),
        ("panel", ctypes.c_int64),
        ("finger", ctypes.c_int64),
    )


_Watch: Final = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_void_p, ctypes.POINTER(_FingerEvent))


class _Fingers:
    """The fingers on the panel, as SDL's events tell of them."""

    def __init__(self) -> None:
        self._down: set[tuple[int, int]] = set()
        self._most = 0

    def look_at(self, _: object, event: "ctypes._Pointer[_FingerEvent]") -> int:
        """Look at an event on its way into SDL's queue."""
        finger = (event.contents.panel, event.contents.finger)
        match event.contents.type:
            case 0x700:  # SDL_FINGERDOWN
                self._down.add(finger)
                self._most = max(self._most, len(self._down))
            case 0x701:  # SDL_FINGERUP
                self._down.discard(finger)
        return 0  # which SDL does not heed

    def take_most(self) -> int:
        """The most that were down at once since this was last asked."""
        most, self._most = max(self._most, len(self._down)), 0
        return most


class EventWait:
    """Waits in the SDL library that Kivy has loaded, and counts fingers there.

    Kivy tells of one finger only, as SDL makes a mouse of it; but whether it is one finger or a
    palm, it must know. So SDL's events are watched as they come in.
    """

    def __init__(self, library: Path) -> None:
        self._fingers = _Fingers()
        self._sdl = ctypes.CDLL(str(library))
        self._sdl.SDL_WaitEventTimeout.argtypes = [ctypes.c_void_p, ctypes.c_int]
        self._sdl.SDL_PushEvent.argtypes = [ctypes.c_void_p]
        self._sdl.SDL_GetCurrentVideoDriver.restype = ctypes.c_char_p
        watch = _Watch(self._fingers.look_at)
        self._sdl.SDL_AddEventWatch(watch, None)
        # SDL would go on calling what is no longer there. This keeps it there until SDL forgets it.
        finalize(self, self._sdl.SDL_DelEventWatch, watch, None)

    @classmethod
    def of_this_process(cls) -> Self | FrameWait:
        """The best way to wait here: by the SDL in this process, if it is found."""
        found = _LIBRARY.search(Path("/proc/self/maps").read_text())
        if found is None:
            log.warning("no event wait", extra={"reason": "SDL not found"})
            return FrameWait()
        return cls(Path(found[0]))

    @property
    def on_a_screen(self) -> bool:
        """Whether what is drawn can be seen; where it finds no screen, SDL draws into nothing."""
        return self._sdl.SDL_GetCurrentVideoDriver() not in _BLIND

    def wait(self, timeout_s: float) -> None:
        """Sleep until there is an event, `wake` is called, or time is up. Takes no event."""
        self._sdl.SDL_WaitEventTimeout(None, max(0, round(timeout_s * 1000)))

    def wake(self) -> None:
        """End the wait, or the next one. Call from any thread."""
        event = _USER_EVENT.to_bytes(4, "little").ljust(_EVENT_SIZE, b"\0")
        self._sdl.SDL_PushEvent(event)

    def take_fingers(self) -> int:
        """The most fingers that were on the panel at once since this was last asked."""
        return self._fingers.take_most()
