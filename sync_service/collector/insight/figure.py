"""Figures as they may be shown. They come from `disclosure` only.

Counts are rounded to 5 and never under ten; one that is not can't be made into a figure.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from enum import Enum, auto
from typing import Final, Self, TypeAlias

from sync_service.collector.insight.blocks import LEAST, Tally
from sync_service.collector.insight.completeness import KioskReport
from sync_service.collector.insight.interval import interval
from sync_service.collector.insight.measures import Availability
from sync_service.collector.insight.period import Period
from sync_service.collector.tables import Opening

STEP: Final = 5
"""What counts are rounded to."""


@dataclass(frozen=True, slots=True)
class Count:
    """A number of responses or records, rounded to 5; None if they are fewer than ten."""

    about: int | None

    def __post_init__(self) -> None:
        if self.about is not None:
            _check(self.about)
            if self.about < LEAST:
                raise ValueError("a count of fewer than ten must not be shown")

    @classmethod
    def of(cls, number: int) -> Self:
        """A number as it may be shown."""
        return cls(_rounded(number) if number >= LEAST else None)


@dataclass(frozen=True, slots=True)
class Share:
    """A share with its 95 % interval, from 0 to 1: ``of_them`` among ``n`` responses.

    Both are rounded to 5, and the rest is reckoned from them alone. ``roundings`` says in how
    many blocks they came.
    """

    n: int
    of_them: int
    roundings: int

    def __post_init__(self) -> None:
        _check(self.n)
        _check(self.of_them)
        if self.n < LEAST * self.roundings or not 0 <= self.of_them <= self.n:
            raise ValueError("a share of fewer than ten must not be shown")

    @classmethod
    def of(cls, blocks: Iterable[Tally]) -> Self:
        """What the blocks of a period come to. There must be one."""
        rounded = [(_rounded(block.n), _rounded(block.of_them)) for block in blocks]
        return cls(sum(n for n, _ in rounded), sum(of for _, of in rounded), len(rounded))

    @property
    def share(self) -> float:
        """The share itself."""
        return self.of_them / self.n

    @property
    def low(self) -> float:
        """The interval's lower end."""
        return interval(self.n, self.of_them, self.roundings)[0]

    @property
    def high(self) -> float:
        """The interval's upper end."""
        return interval(self.n, self.of_them, self.roundings)[1]


class Unshown(Enum):
    """Why there is no figure."""

    TOO_FEW = auto()
    NOBODY = auto()
    SWITCHED_OFF = auto()
    NOT_HEARD = auto()
    NO_KIOSK = auto()
    DROPPED = auto()


Figure: TypeAlias = Share | Unshown


@dataclass(frozen=True, slots=True)
class AskedItem:
    """An item as it is asked now: its question, and the answer that is its top box."""

    questionnaire: str
    name: str
    question: str
    top: str


@dataclass(frozen=True, slots=True)
class Figures:
    """A site's figures for one period.

    Of the responses, the share is of those abandoned; of an item's scored answers, of those in
    the top box. ``misuse`` are the responses with signs of misuse, which count in no figure.
    ``unheard`` names the kiosks that have not reported past the period's end.
    """

    period: Period
    responses: Figure
    items: Mapping[AskedItem, Figure]
    misuse: Count
    availability: Availability
    unheard: Sequence[str]

    def by_name(self, name: str) -> tuple[AskedItem, Figure] | None:
        """The item of this name and its figure; None if it is not asked here."""
        return next(((item, self.items[item]) for item in self.items if item.name == name), None)


@dataclass(frozen=True, slots=True)
class Place:
    """A site: its name, whose service it gives, and the kiosks that stand there now."""

    code: str
    name: str
    service: str
    organisation: str
    place: str
    kiosks: Sequence[KioskReport]


@dataclass(frozen=True, slots=True)
class LogFault:
    """A log with records missing, or forked: the kiosk, its site, the beginning of the log's id."""

    name: str
    site: str
    log: str
    missing: Count | None
    forked_on: date | None


@dataclass(frozen=True, slots=True)
class Overview:
    """All sites, in the order of their names, in one period.

    ``unopened`` are the records that wait to be opened, or could not be, by what stood against
    it. ``released_on`` is the day on which what is shown was brought up to date.
    """

    period: Period
    released_on: date
    sites: Sequence[tuple[Place, Figures]]
    faults: Sequence[LogFault]
    unopened: Mapping[Opening, Count]


@dataclass(frozen=True, slots=True)
class SiteHistory:
    """A site's months and quarters, oldest first. ``unplaced``: responses of no sure quarter."""

    place: Place
    released_on: date
    items: Sequence[AskedItem]
    months: Sequence[Figures]
    quarters: Sequence[Figures]
    unplaced: Count
    faults: Sequence[LogFault]


def _rounded(number: int) -> int:
    return STEP * ((number + STEP // 2) // STEP)


def _check(number: int) -> None:
    if number % STEP:
        raise ValueError("a count must be rounded before it is shown")
