"""Blocks: how responses are gathered so that no figure tells of fewer than ten.

Figures can be compared: a month with the same month as it was shown before a late kiosk reported,
a quarter with its months. What one can learn from that is the difference. So all that is ever
shown is made of blocks of at least `LEAST` responses that are never divided afterwards: whatever is
added or subtracted, nothing smaller than a block comes out. What is too little for a block of its
own waits, unseen, for more.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Final, TypeAlias

from sync_service.collector.insight.period import Period, releases

LEAST: Final = 10
"""The fewest responses that a figure may rest on."""


@dataclass(frozen=True, slots=True)
class Tally:
    """``n`` responses, and how many of them are what is measured, such as in the top box."""

    n: int = 0
    of_them: int = 0

    def __add__(self, other: "Tally") -> "Tally":
        return Tally(self.n + other.n, self.of_them + other.of_them)


@dataclass(frozen=True, slots=True)
class Arrival:
    """What came for one release. ``period`` is the smallest that all of it surely belongs to."""

    period: Period
    release: date
    tally: Tally


Blocks: TypeAlias = Mapping[Period, Sequence[Tally]]


def gather(arrivals: Iterable[Arrival], release: date) -> Blocks:
    """The blocks of every period that is over, as of a release.

    At each release, what waits of a month becomes a block as soon as it is enough. When a quarter
    is over, so does all that still waits of its months together; such a block is the quarter's
    only. A quarter has its months' blocks as well.
    """
    by_quarter: defaultdict[Period, list[Arrival]] = defaultdict(list)
    for arrival in arrivals:
        by_quarter[arrival.period.quarter].append(arrival)
    blocks: defaultdict[Period, list[Tally]] = defaultdict(list)
    for quarter, arrived in by_quarter.items():
        waiting: dict[Period, Tally] = {}
        for day in releases(quarter.start, release):
            for arrival in arrived:
                if arrival.release == day:
                    before = waiting.get(arrival.period, Tally())
                    waiting[arrival.period] = before + arrival.tally
            for month in quarter.quarter.months:
                if month.end <= day and waiting.get(month, Tally()).n >= LEAST:
                    blocks[month].append(waiting.pop(month))
            if quarter.end <= day:
                together = sum(waiting.values(), Tally())
                if together.n >= LEAST:
                    blocks[quarter].append(together)
                    waiting.clear()
        if quarter.end <= release:
            for month in quarter.quarter.months:
                blocks[quarter] += blocks.get(month, [])
    return blocks
