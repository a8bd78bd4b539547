"""Periods: the calendar months and quarters that figures are given for, and when they are shown.

Figures are brought up to date once a month, on the release day, with what was received before it.
In between they stand still, so that nobody learns by watching them what came today.
"""

import re
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Final, Self, TypeAlias

RELEASE_DAY: Final = 8
"""The day of a month on which the month before is first shown: a week for what is on its way."""

_MONTHS: Final = 12
_IN_QUARTER: Final = 3
_NAMES: Final = (
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
)
_CODE: Final = re.compile(r"([1-9][0-9]{3})-(?:(0[1-9]|1[0-2])|Q([1-4]))", re.ASCII)


@dataclass(frozen=True, slots=True, order=True)
class Month:
    """A calendar month; ``number`` is 1 to 12."""

    year: int
    number: int

    @classmethod
    def of(cls, day: date) -> Self:
        """The month of a day."""
        return cls(day.year, day.month)

    @property
    def start(self) -> date:
        """Its first day."""
        return date(self.year, self.number, 1)

    @property
    def end(self) -> date:
        """The day after its last."""
        return self.after(1).start

    @property
    def days(self) -> int:
        """How many days it has."""
        return (self.end - self.start).days

    @property
    def quarter(self) -> "Quarter":
        """The quarter that it is part of."""
        return Quarter(self.year, (self.number - 1) // _IN_QUARTER + 1)

    @property
    def parts(self) -> "tuple[Period, ...]":
        """The periods that lie in it: itself."""
        return (self,)

    @property
    def code(self) -> str:
        """As in addresses and files: 2026-10."""
        return f"{self.year}-{self.number:02}"

    @property
    def name(self) -> str:
        """As people say it: October 2026."""
        return f"{_NAMES[self.number - 1]} {self.year}"

    def after(self, months: int) -> "Month":
        """The month so many later, or earlier if negative."""
        year, number = divmod(self.year * _MONTHS + self.number - 1 + months, _MONTHS)
        return Month(year, number + 1)


@dataclass(frozen=True, slots=True, order=True)
class Quarter:
    """Three calendar months; ``number`` is 1 to 4."""

    year: int
    number: int

    @property
    def months(self) -> tuple[Month, ...]:
        """Its months, in order."""
        first = Month(self.year, (self.number - 1) * _IN_QUARTER + 1)
        return tuple(first.after(months) for months in range(_IN_QUARTER))

    @property
    def start(self) -> date:
        """Its first day."""
        return self.months[0].start

    @property
    def end(self) -> date:
        """The day after its last."""
        return self.months[-1].end

    @property
    def days(self) -> int:
        """How many days it has."""
        return (self.end - self.start).days

    @property
    def quarter(self) -> "Quarter":
        """Itself."""
        return self

    @property
    def parts(self) -> "tuple[Period, ...]":
        """The periods that lie in it, itself included."""
        return (*self.months, self)

    @property
    def code(self) -> str:
        """As in addresses and files: 2026-Q4."""
        return f"{self.year}-Q{self.number}"

    @property
    def name(self) -> str:
        """As people say it: October to December 2026."""
        first, *_, last = self.months
        return f"{_NAMES[first.number - 1]} to {last.name}"

    def after(self, quarters: int) -> "Quarter":
        """The quarter so many later, or earlier if negative."""
        return self.months[0].after(_IN_QUARTER * quarters).quarter


Period: TypeAlias = Month | Quarter


def read_period(code: str) -> Period:
    """The period of a code.

    Raises:
        ValueError: it is no code of a month or a quarter.
    """
    found = _CODE.fullmatch(code)
    if found is None:
        raise ValueError(f"{code!r} is no period: 2026-10 is a month, 2026-Q4 a quarter")
    year, month, quarter = found.groups()
    return Month(int(year), int(month)) if month else Quarter(int(year), int(quarter))


def last_release(today: date) -> date:
    """The newest release day that is not after ``today``."""
    month = Month.of(today)
    return (month if today.day >= RELEASE_DAY else month.after(-1)).start + timedelta(
        days=RELEASE_DAY - 1
    )


def releases(start: date, last: date) -> tuple[date, ...]:
    """The release days after ``start``, up to and with ``last``."""
    found = []
    while last > start:
        found.append(last)
        last = last_release(last - timedelta(days=1))
    return tuple(reversed(found))


def last_shown(release: date) -> Month:
    """The newest month that a release shows."""
    return Month.of(release).after(-1)
