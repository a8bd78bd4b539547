"""The wiring: which parts are bolted to a kiosk, and where each is found."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Wiring:
    """The parts that there are. Pins are numbered as the chip does: 17 is GPIO17, on header pin 11.

    ``buttons`` are the answer buttons from the first place on, ``lamps`` the lamps in them, in the
    same order. ``presence`` is the pin of a motion sensor, ``tamper`` that of a switch that is
    closed while the case is shut. ``backlight`` is the panel's name in ``/sys/class/backlight``,
    ``rtc`` that of a clock with a battery in ``/sys/class/rtc``.
    """

    buttons: tuple[int, ...] = ()
    lamps: tuple[int, ...] = ()
    presence: int | None = None
    tamper: int | None = None
    backlight: str | None = None
    rtc: str | None = None
