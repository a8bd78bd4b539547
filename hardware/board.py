"""The board: the parts that are bolted to a kiosk, opened and closed together."""

import logging
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TypeAlias, TypeVar

from gpiozero import Factory

from hardware.backlight import Backlight
from hardware.buttons import Button
from hardware.ground import Ground
from hardware.health import BatteryClock, Gauge, gauges
from hardware.lamps import Lamp
from hardware.part import Part
from hardware.presence import Presence
from hardware.tamper import Tamper
from hardware.wiring import Wiring

log = logging.getLogger(__name__)

T = TypeVar("T")
_Opener: TypeAlias = Callable[[], Part]


@dataclass(frozen=True, slots=True)
class Listener:
    """Who is told at once what people do, on whatever thread it is noticed; must not wait.

    ``pressed`` is told the place of a button, counted from 1.
    """

    pressed: Callable[[int], None]
    someone_came: Callable[[], None]


class Board:
    """The parts of a wiring, on some ground.

    A part that can't be opened, or fails in whatever it does, is closed and set aside; the others
    go on. `look` tells it by its name, and tries it again. So nothing fails here that a part does.
    ``data`` is the folder that records are kept in; ``clock`` gives seconds that only rise. A board
    is for one thread at a time.
    """

    def __init__(
        self,
        wiring: Wiring,
        ground: Ground,
        data: Path,
        listener: Listener,
        *,
        clock: Callable[[], float],
    ) -> None:
        self._ground = ground
        self._listener = listener
        self._clock = clock
        self._pins: Factory | None = None
        self._openers = dict(self._wire(wiring, data))
        self._parts: dict[str, Part] = {}
        self._aside: set[str] = set()
        self._stuck: set[str] = set()
        self._choices = 0
        self._percent = 100

    def look(self) -> tuple[str, ...]:
        """Open what is not open, and look at every part: what is wrong, each by name and a word.

        Call this first, and now and then.
        """
        for name in [name for name in self._openers if name not in self._parts]:
            self._try(name, partial(self._open, name))
        troubles = {name: self._try(name, part.trouble) for name, part in [*self._parts.items()]}
        self._stuck = {name for name, trouble in troubles.items() if trouble == "stuck"}
        self._light()
        self._shine()
        for name in self._aside & self._parts.keys():
            self._aside.remove(name)
            log.info("part works again", extra={"part": name})
        wrong = [f"{name}-{trouble}" for name, trouble in troubles.items() if trouble is not None]
        return tuple(sorted([*wrong, *(f"{name}-failed" for name in self._aside)]))

    def offer(self, choices: int) -> None:
        """Light the lamps of so many buttons, from the first place on: they would answer."""
        self._choices = choices
        self._light()

    def shine(self, percent: int) -> None:
        """Let the screen shine at so many percent."""
        self._percent = percent
        self._shine()

    @property
    def alone_s(self) -> float | None:
        """How long nobody was there; `None` where nothing can see that."""
        part = self._parts.get("presence")
        if not isinstance(part, Presence) or "presence" in self._stuck:
            return None
        return self._try("presence", part.alone_s)

    def close(self) -> None:
        """Close all parts. What is closed already stays so."""
        for name in [*self._parts]:
            self._close(name)
        if self._pins is not None:
            self._pins.close()
            self._pins = None

    def _wire(self, wiring: Wiring, data: Path) -> Iterator[tuple[str, _Opener]]:
        """How each part is opened, by its name."""
        root = self._ground.root
        for place, pin in enumerate(wiring.buttons, start=1):
            yield f"button-{place}", partial(self._button, pin, place)
        for place, pin in enumerate(wiring.lamps, start=1):
            yield f"lamp-{place}", partial(self._lamp, pin)
        if wiring.presence is not None:
            yield "presence", partial(self._presence, wiring.presence)
        if wiring.tamper is not None:
            yield "case", partial(self._tamper, wiring.tamper)
        if wiring.backlight is not None:
            folder = root / "sys/class/backlight" / wiring.backlight
            yield "backlight", partial(Backlight, folder)
        if wiring.rtc is not None:
            yield "clock", partial(BatteryClock, root / "sys/class/rtc" / wiring.rtc)
        for name, reading in gauges(root, data):
            yield name, partial(Gauge, reading)

    def _button(self, pin: int, place: int) -> Button:
        pressed = partial(self._listener.pressed, place)
        return Button(pin, self._open_pins(), clock=self._clock, when_pressed=pressed)

    def _lamp(self, pin: int) -> Lamp:
        return Lamp(pin, self._open_pins())

    def _presence(self, pin: int) -> Presence:
        return Presence(
            pin,
            self._open_pins(),
            clock=self._clock,
            when_someone_comes=self._listener.someone_came,
        )

    def _tamper(self, pin: int) -> Tamper:
        return Tamper(pin, self._open_pins())

    def _open_pins(self) -> Factory:
        if self._pins is None:
            self._pins = self._ground.open_pins()
        return self._pins

    def _open(self, name: str) -> None:
        self._parts[name] = self._openers[name]()

    def _light(self) -> None:
        for name, part in [*self._parts.items()]:
            if isinstance(part, Lamp):
                place = int(name.removeprefix("lamp-"))
                button = f"button-{place}"
                answers = button in self._parts and button not in self._stuck
                self._try(name, partial(part.show, place <= self._choices and answers))

    def _shine(self) -> None:
        part = self._parts.get("backlight")
        if isinstance(part, Backlight):
            self._try("backlight", partial(part.shine, self._percent))

    def _try(self, name: str, do: Callable[[], T]) -> T | None:
        """What a part does; one that fails is set aside."""
        try:
            return do()
        except Exception as error:  # noqa: BLE001  # whatever it is, the others and touch go on
            self._close(name)
            if name not in self._aside:
                self._aside.add(name)
                log.warning(
                    "part set aside",
                    extra={"part": name, "reason": type(error).__name__, "detail": str(error)},
                )
            return None

    def _close(self, name: str) -> None:
        """Close a part, if it is open, as well as it can still be closed."""
        part = self._parts.pop(name, None)
        if part is not None:
            with suppress(Exception):  # it was its last
                part.close()
