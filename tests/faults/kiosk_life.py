"""Kiosks that live for months with every kind of clock, while the test knows the true time.

What a kiosk says of the time is said by the kiosk's own clock, and judged by the centre's own
resolver. Only the machine below, the network and the years are made up.
"""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from random import Random
from zoneinfo import ZoneInfo

from sync_service.collector.half_days import Dated, Span, first_half, resolve
from sync_service.contract.record import Moment, half_day_of
from sync_service.outbox.clock import DRIFT, Clock, Times

TIMEZONE = "Europe/London"
HOUR_S, DAY_S, YEAR_S = 3600, 86_400, 365 * 86_400
BEGAN_AT = datetime(2026, 1, 5, tzinfo=UTC).timestamp()
CHUNK = 1000
"""As many records are opened at a time at most, as the opener does."""

_ZONE = ZoneInfo(TIMEZONE)


def half_day_at(at: float) -> int:
    """The true half-day of a true time."""
    return half_day_of(datetime.fromtimestamp(at, _ZONE))


@dataclass(frozen=True)
class Kind:
    """What befalls a kiosk's clock; chances are those between one record and the next.

    ``boots_at`` is what the machine's clock says at a boot, by what it said last and the truth.
    ``set_by`` is the chance that somebody sets it right, ``heard`` that the kiosk has a contact
    with the centre, and delivers; ``jumps`` that it goes somewhere else by itself.
    """

    name: str
    boots_at: Callable[[Random, float, float], float]
    rebooted: float = 0.01
    set_by: float = 0.0
    heard: float = 0.0
    jumps: float = 0.0


def in_1970(random: Random, said: float, truth: float) -> float:
    return random.uniform(0, 60)


def where_it_was(random: Random, said: float, truth: float) -> float:
    return said


def years_off(random: Random, said: float, truth: float) -> float:
    return max(0.0, truth + random.uniform(-60, 70) * YEAR_S)


KINDS = (
    Kind("boots in 1970, set when the network comes", in_1970, set_by=0.02, heard=0.05),
    Kind("goes on from when it was switched off", where_it_was, set_by=0.005, heard=0.02),
    Kind("years off at each boot, set later", years_off, set_by=0.01, heard=0.02),
    Kind("runs backwards and jumps", where_it_was, set_by=0.004, heard=0.01, jumps=0.05),
    Kind("set once, then drifts for months", in_1970, rebooted=0.0002, set_by=0.002, heard=0.001),
    Kind("reboots many times offline", in_1970, rebooted=0.2, set_by=0.0005, heard=0.0005),
    Kind("never set, but hears the centre", in_1970, rebooted=0.02, heard=0.03),
    Kind("never set, and carried by hand at the end", years_off, rebooted=0.02),
)


@dataclass
class Record:
    """What the centre gets of a record, and when what is in it truly was."""

    dated: Dated
    first: int
    last: int


@dataclass
class Found:
    """What came of the records of one kind of kiosk."""

    records: int = 0
    missed: int = 0
    widths: Counter[int] = field(default_factory=Counter)

    def judge(self, record: Record, span: Span) -> None:
        """Count a record, and whether the truth is within its span: of a day record, the day."""
        self.records += 1
        unit = 2 if record.dated.sums_up else 1
        earliest, first, last, latest = (
            half_day // unit for half_day in (span[0], record.first, record.last, span[1])
        )
        self.missed += not earliest <= first <= last <= latest
        self.widths[span[1] - span[0] + 1] += 1


class Life:
    """One kiosk, from its first boot on. ``found`` counts what the resolver makes of it."""

    def __init__(self, kind: Kind, random: Random, found: Found) -> None:
        self._kind = kind
        self._random = random
        self._found = found
        self._truth = BEGAN_AT + random.uniform(0, 300) * DAY_S
        self._assigned_at = int(self._truth - random.uniform(0, 100) * DAY_S)
        self._rate = 1 + random.uniform(-DRIFT, DRIFT) * 0.9
        self._said = self._truth
        self._times = Times(published_at=self._assigned_at)
        self._clock = Clock(
            lambda: datetime.fromtimestamp(self._said, UTC),
            self._error_s,
            lambda: self._elapsed_s,
            lambda: self._boot,
        )
        self._undelivered: list[Record] = []
        self._since = 0
        self._counted: tuple[Moment, int, int] | None = None
        self._boot_up()

    def live(self, records: int) -> None:
        """Record so often, whatever befalls the clock meanwhile, and deliver."""
        chance, kind = self._random.random, self._kind
        for _ in range(records):
            self._pass(self._random.choice((60, 600, 3 * HOUR_S, 9 * HOUR_S)) * chance())
            if chance() < kind.rebooted:
                self._truth += self._random.choice((60, HOUR_S, 3 * DAY_S)) * chance()
                self._boot_up()
            if chance() < kind.jumps:
                self._said = max(0.0, self._said + self._random.gauss(0, 20) * DAY_S)
                self._set_at = None
            if chance() < kind.set_by:
                self._said = self._set_at = self._truth + self._random.uniform(-0.5, 0.5)
            if chance() < kind.heard:
                self._hear()
            self._record()
        self._truth += DAY_S
        self._deliver()

    def _boot_up(self) -> None:
        self._boot = self._random.randbytes(4)
        self._elapsed_s = self._random.uniform(1, 30)
        self._set_at: float | None = None
        self._said = self._kind.boots_at(self._random, self._said, self._truth)

    def _error_s(self) -> float | None:
        """As `clock_error_s` reckons it."""
        return None if self._set_at is None else 1 + DRIFT * max(0.0, self._said - self._set_at)

    def _pass(self, seconds: float) -> None:
        self._truth += seconds
        self._elapsed_s += seconds * self._rate
        self._said += seconds * self._rate

    def _hear(self) -> None:
        """Make a contact: what was recorded is delivered, and the centre says what time it is."""
        asked_s = self._elapsed_s
        self._pass(self._random.expovariate(1))
        at = int(self._truth)
        self._pass(self._random.expovariate(1))
        self._times = Times(self._clock.told(at, asked_s), self._times.seen, self._assigned_at)
        self._clock.heed(self._times)
        self._deliver()

    def _record(self) -> None:
        self._times = Times(self._times.signed, self._clock.seen(), self._assigned_at)
        self._clock.heed(self._times)
        moment, truth = self._clock.moment(TIMEZONE), half_day_at(self._truth)
        self._keep(moment, truth, truth, sums_up=False)
        self._count(moment, truth)

    def _count(self, moment: Moment, truth: int) -> None:
        """Count for the day; one that is over is recorded, as the kiosk's writer does it."""
        counted = self._counted
        if counted is not None:
            before, first, _ = counted
            if (before.day, before.clock_synced) == (moment.day, moment.clock_synced):
                self._counted = before, first, truth
                return
            afternoon = 2 * (before.half_day // 2) + 1
            evidence = None if before.clock_synced else self._clock.evidence()
            self._keep(Moment(afternoon, evidence), first, counted[2], sums_up=True)
        self._counted = moment, truth, truth

    def _keep(self, moment: Moment, first: int, last: int, *, sums_up: bool) -> None:
        dated = Dated(moment, self._assigned_at, 0, TIMEZONE, sums_up)
        self._undelivered.append(Record(dated, first, last))

    def _deliver(self) -> None:
        """All that waits arrives, and is opened a chunk at a time."""
        arrived_at = int(self._truth)
        while chunk := self._undelivered[:CHUNK]:
            del self._undelivered[:CHUNK]
            arrived = [
                Dated(
                    record.dated.moment,
                    record.dated.assigned_at,
                    arrived_at,
                    TIMEZONE,
                    record.dated.sums_up,
                )
                for record in chunk
            ]
            spans = resolve(arrived, self._since)
            for record, span in zip(chunk, spans, strict=True):
                self._found.judge(record, span)
            self._since = max(self._since, *map(_since, chunk, spans))


def _since(record: Record, span: Span) -> int:
    """What a record says of those behind it, as the opener asks its tables."""
    return first_half(span[0]) if record.dated.sums_up else span[0]
