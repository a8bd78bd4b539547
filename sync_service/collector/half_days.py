"""Half-days: when a log's records can have been made, from what their kiosk's clock knew.

All here is pure. What it rests on: that records stand in their log in the order they were made in,
that clocks said to be sure are, that a boot's hours pass as hours do, that the sites of a log share
a time zone, and that the collector's own clock, by which publications and arrivals are dated, is
right. From that it follows that the truth is within each answer, as `tests/faults/test_clocks.py`
tries.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, time
from functools import lru_cache
from math import ceil
from typing import Final
from zoneinfo import ZoneInfo

from sync_service.contract.record import ClockEvidence, Moment, day_of, half_day_of

DRIFT: Final = 0.001
"""How far a boot's hours may differ from true ones: twice what Linux reckons with."""

_HOUR_S: Final = 3600
_NOON: Final = time(12)
_LONG_S: Final = 10**12
"""More seconds than any clock shows."""

Span = tuple[int, int]
"""The half-days, ends included, in which a record can have been made."""


@dataclass(frozen=True, slots=True)
class Dated:
    """What is known of a record's time, beside its place in the log.

    ``assigned_at`` is when its assignment was published, ``arrived_at`` when it arrived, both in
    seconds since 1970; ``timezone`` is the site's. It was made at its ``moment``, unless it only
    ``sums_up`` a day then, as a day record does.
    """

    moment: Moment
    assigned_at: int
    arrived_at: int
    timezone: str
    sums_up: bool = False

    @property
    def believed(self) -> bool:
        """Whether it was made when its kiosk's clock says.

        A sure clock is believed, unless it lies before the record's assignment was published, or
        after the record arrived.
        """
        assigned, arrived = self.widest
        return self.moment.clock_synced and assigned <= self.moment.half_day <= arrived

    @property
    def widest(self) -> Span:
        """From its assignment to its arrival."""
        assigned, arrived = (
            half_day_at(at, self.timezone) for at in (self.assigned_at, self.arrived_at)
        )
        return min(assigned, arrived), arrived


@dataclass(slots=True)
class _Bounds:
    """From when until when something was, the end excluded, in seconds since 1970."""

    since: float = -_LONG_S
    until: float = _LONG_S


def resolve(records: Sequence[Dated], since: int | None) -> list[Span]:
    """The half-days in which each of these records can have been made.

    They stand on one branch of a log, in its order. ``since`` is a half-day that one before them
    was not made before, or `None` if nothing is known of any.

    A record whose clock is believed has one half-day, and bounds those on either side. Of the
    others, those of one boot are as far apart as their uptimes say, to the hour: so when one was
    made bounds when all were. A day record's uptime is that of its writing, so it bounds its boot,
    but its day was before, nobody knows how long.
    """
    boots: dict[bytes, _Bounds] = {}
    bounds = [_Bounds() for _ in records]
    known: float = -_LONG_S
    for record, bound in zip(records, bounds, strict=True):
        if since is not None:
            known = max(known, start_of(since, record.timezone))
            since = None
        known = _look_back(record, bound, boots, known)
    later: float = _LONG_S
    for record, bound in zip(reversed(records), reversed(bounds), strict=True):
        later = _look_ahead(record, bound, boots, later)
    return [_span(*each, boots) for each in zip(records, bounds, strict=True)]


def _look_back(record: Dated, bound: _Bounds, boots: dict[bytes, _Bounds], known: float) -> float:
    """Bound a record by what stands before it; says since when the next one was made."""
    moment = record.moment
    if record.sums_up:
        if moment.evidence is not None:
            _bound_boot(boots, moment.evidence, _Bounds(until=record.arrived_at + 1))
        elif record.believed:
            known = max(known, start_of(first_half(moment.half_day), record.timezone))
        return known
    bound.since = max(known, record.assigned_at)
    bound.until = record.arrived_at + 1
    if record.believed:
        bound.since = max(bound.since, start_of(moment.half_day, record.timezone))
        bound.until = min(bound.until, _end_of(moment.half_day, record.timezone))
    elif moment.evidence is not None:
        _bound_boot(boots, moment.evidence, bound)
    return max(known, bound.since)


def _look_ahead(record: Dated, bound: _Bounds, boots: dict[bytes, _Bounds], later: float) -> float:
    """Bound a record by what stands after it; says until when the one before was made."""
    if record.sums_up:
        return later
    bound.until = min(bound.until, later)
    if record.moment.evidence is not None:
        _bound_boot(boots, record.moment.evidence, bound)
    return bound.until


def _bound_boot(boots: dict[bytes, _Bounds], evidence: ClockEvidence, bound: _Bounds) -> None:
    """Let a record and its boot bound each other, by the hours that had passed."""
    boot = boots.setdefault(evidence.boot, _Bounds())
    least_s = evidence.uptime_h * _HOUR_S * (1 - DRIFT)
    most_s = (evidence.uptime_h + 1) * _HOUR_S * (1 + DRIFT)
    boot.since = max(boot.since, bound.since - most_s)
    boot.until = min(boot.until, bound.until - least_s)
    bound.since = max(bound.since, boot.since + least_s)
    bound.until = min(bound.until, boot.until + most_s)


def _span(record: Dated, bound: _Bounds, boots: dict[bytes, _Bounds]) -> Span:
    if record.believed:
        return record.moment.half_day, record.moment.half_day
    if record.sums_up:
        return record.widest
    if record.moment.evidence is not None:
        _bound_boot(boots, record.moment.evidence, bound)
    earliest = half_day_at(int(bound.since), record.timezone)
    latest = half_day_at(ceil(bound.until) - 1, record.timezone)
    # Some clock lied if they contradict each other, and then nothing is known.
    return (earliest, latest) if earliest <= latest else record.widest


def first_half(half_day: int) -> int:
    """The first half of a half-day's day. A day record may be of a day that goes on."""
    return half_day // 2 * 2


@lru_cache(maxsize=4096)
def half_day_at(at: int, timezone: str) -> int:
    """The half-day of a time in seconds since 1970, in a time zone."""
    return half_day_of(datetime.fromtimestamp(at, ZoneInfo(timezone)))


@lru_cache(maxsize=4096)
def start_of(half_day: int, timezone: str) -> float:
    """When a half-day began in a time zone, in seconds since 1970."""
    return min(_turns(half_day, timezone))


@lru_cache(maxsize=4096)
def _end_of(half_day: int, timezone: str) -> float:
    return max(_turns(half_day + 1, timezone))


def _turns(half_day: int, timezone: str) -> list[float]:
    """When a half-day began; where the clocks were changed at that hour, perhaps twice."""
    local = datetime.combine(
        day_of(half_day), _NOON if half_day % 2 else time(), ZoneInfo(timezone)
    )
    return [local.replace(fold=fold).timestamp() for fold in (0, 1)]
