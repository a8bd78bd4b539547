"""Measures: what opened records add up to, site by site and month by month.

For each item of kind rating: scored answers, and how many of them are in the top box, which is the
first scored option. For responses: how many, and how many were abandoned. For kiosks: the days and
minutes that they could be answered.

A record counts in a period if it was surely made in it: the earliest and the latest half-day it
can be from both lie there. One that straddles two months of a quarter counts in the quarter only;
one that straddles two quarters counts in none, and is said. Responses with signs of misuse count
in no figure, and are said too.

Nothing here may be shown: figures go through `disclosure`.
"""

from collections import Counter, defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, time
from typing import Any, NamedTuple, TypeAlias

from sqlalchemy import ColumnElement, Select, Table, and_, case, func, literal, select
from sqlalchemy.ext.asyncio import AsyncConnection

from sync_service.collector import tables
from sync_service.collector.insight.blocks import Arrival, Tally
from sync_service.collector.insight.period import Month, Period, Quarter, releases
from sync_service.contract.publication import PublicationKind
from sync_service.contract.questionnaire import Item, Option, Questionnaire
from sync_service.contract.record import Ending, Misuse, half_day_of


class ItemKey(NamedTuple):
    """An item through all versions of its questionnaire, within which its code means the same."""

    questionnaire: str
    code: int


Counts: TypeAlias = Callable[[Item, Option], bool]
"""Whether an answer, by its option, is one of those that are measured."""


@dataclass(frozen=True, slots=True)
class Availability:
    """How long a site's kiosks could be answered in a period.

    ``days``: on which one could. Minutes are of all its kiosks together.
    """

    days: int = 0
    minutes: int = 0
    minutes_out_of_service: int = 0

    def __add__(self, other: "Availability") -> "Availability":
        return Availability(
            self.days + other.days,
            self.minutes + other.minutes,
            self.minutes_out_of_service + other.minutes_out_of_service,
        )


@dataclass(frozen=True, slots=True)
class SiteMeasures:
    """What one site's records add up to.

    Of ``responses`` the abandoned ones are measured; of an item's scored answers, those in the
    top box, or whichever were asked for. ``misuse`` counts the responses with signs of it,
    ``unplaced`` those of no sure quarter.
    """

    responses: list[Arrival] = field(default_factory=list)
    items: defaultdict[ItemKey, list[Arrival]] = field(default_factory=lambda: defaultdict(list))
    misuse: Counter[Period] = field(default_factory=Counter)
    unplaced: Counter[None] = field(default_factory=Counter)
    availability: defaultdict[Month, Availability] = field(
        default_factory=lambda: defaultdict(Availability)
    )


def in_top_box(item: Item, option: Option) -> bool:
    """Whether an option is a rating's best scored one."""
    return option == top_box(item)


async def measure(
    connection: AsyncConnection,
    questionnaires: Mapping[int, Questionnaire],
    quarters: Sequence[Quarter],
    release: date,
    site: str | None = None,
    *,
    counts: Counts = in_top_box,
) -> Mapping[str, SiteMeasures]:
    """Measure the sites, or only one, over a run of quarters as of a release; by the site's code.

    ``questionnaires`` are all that were published, by their serial; ``counts`` says which of an
    item's answers are measured.
    """
    calendar = _Calendar(quarters, release)
    sites: defaultdict[str, SiteMeasures] = defaultdict(SiteMeasures)
    await _count_responses(connection, calendar, site, sites)
    await _count_answers(connection, calendar, site, questionnaires, sites, counts=counts)
    await _count_days(connection, calendar, site, sites)
    return sites


async def _count_responses(
    connection: AsyncConnection,
    calendar: "_Calendar",
    site: str | None,
    sites: Mapping[str, SiteMeasures],
) -> None:
    response = tables.response
    placed = calendar.placed(
        response,
        site,
        response.c.ending,
        (response.c.misuse != Misuse.NONE).label("misused"),
    ).subquery()
    found = await connection.execute(
        select(*placed.c, func.count().label("number")).group_by(*placed.c)
    )
    for row in found:
        measures, period = sites[row.site], calendar.period(row.earliest, row.latest)
        if period is None:
            measures.unplaced[None] += row.number
        elif row.misused:
            measures.misuse[period] += row.number
        else:
            abandoned = row.number if row.ending == Ending.ABANDONED else 0
            measures.responses.append(
                calendar.arrival(row.released, period, Tally(row.number, abandoned))
            )


async def _count_answers(
    connection: AsyncConnection,
    calendar: "_Calendar",
    site: str | None,
    questionnaires: Mapping[int, Questionnaire],
    sites: Mapping[str, SiteMeasures],
    *,
    counts: Counts,
) -> None:
    response, answer = tables.response, tables.answer
    placed = (
        calendar.placed(response, site, response.c.questionnaire, answer.c.item, answer.c.option)
        .join(
            answer,
            and_(
                answer.c.log_id == response.c.log_id,
                answer.c.branch == response.c.branch,
                answer.c.seq == response.c.seq,
            ),
        )
        .where(response.c.misuse == Misuse.NONE, answer.c.option.is_not(None))
        .subquery()
    )
    found = await connection.execute(
        select(*placed.c, func.count().label("number")).group_by(*placed.c)
    )
    for row in found:
        questionnaire, period = (
            questionnaires[row.questionnaire],
            calendar.period(row.earliest, row.latest),
        )
        item = questionnaire.item(row.item)
        option = item.option(row.option)
        if period is None or item.kind != "rating" or not option.scored:
            continue
        counted = row.number if counts(item, option) else 0
        sites[row.site].items[ItemKey(questionnaire.id, item.code)].append(
            calendar.arrival(row.released, period, Tally(row.number, counted))
        )


async def _count_days(
    connection: AsyncConnection,
    calendar: "_Calendar",
    site: str | None,
    sites: Mapping[str, SiteMeasures],
) -> None:
    day = tables.day
    placed = calendar.placed(
        day,
        site,
        (day.c.earliest_half_day // 2).label("on"),
        day.c.minutes_available,
        day.c.minutes_out_of_service,
    ).subquery()
    where = (placed.c.site, placed.c.earliest, placed.c.latest)
    found = await connection.execute(
        select(
            *where,
            func.count(case((placed.c.minutes_available > 0, placed.c.on)).distinct()).label(
                "days"
            ),
            func.sum(placed.c.minutes_available).label("minutes"),
            func.sum(placed.c.minutes_out_of_service).label("minutes_out_of_service"),
        ).group_by(*where)
    )
    for row in found:
        period = calendar.period(row.earliest, row.latest)
        if isinstance(period, Month):
            sites[row.site].availability[period] = Availability(
                row.days, row.minutes, row.minutes_out_of_service
            )


class _Calendar:
    """The months measured and the releases they come in; in statements, numbers from 0."""

    def __init__(self, quarters: Sequence[Quarter], release: date) -> None:
        self._months = [month for quarter in quarters for month in quarter.months]
        self._starts = [_half_day(month.start) for month in self._months]
        self._end = _half_day(self._months[-1].end)
        self._releases = releases(quarters[0].start, release)

    def placed(self, table: Table, site: str | None, *columns: ColumnElement[Any]) -> Select[Any]:
        """The records that may be from these months and came in time: where and when from.

        Their site is the one that their kiosk was assigned to when it made them.
        """
        assignment = tables.publication
        query = (
            select(
                assignment.c.site,
                self._month_of(table.c.earliest_half_day).label("earliest"),
                self._month_of(table.c.latest_half_day).label("latest"),
                self._release_of(table.c.received_day).label("released"),
                *columns,
            )
            .select_from(table)
            .join(
                assignment,
                and_(
                    assignment.c.kind == PublicationKind.ASSIGNMENT.value,
                    assignment.c.serial == table.c.assignment,
                ),
            )
            .where(
                table.c.latest_half_day >= self._starts[0],
                table.c.earliest_half_day < self._end,
                table.c.received_day < self._releases[-1].isoformat(),
            )
        )
        return query if site is None else query.where(assignment.c.site == site)

    def period(self, earliest: int, latest: int) -> Period | None:
        """The smallest period that placed records are surely from; None if no quarter is."""
        if earliest < 0 or latest >= len(self._months):
            return None
        first, last = self._months[earliest], self._months[latest]
        if first == last:
            return first
        return first.quarter if first.quarter == last.quarter else None

    def arrival(self, released: int, period: Period, tally: Tally) -> Arrival:
        """What was counted of placed records."""
        return Arrival(period, self._releases[released], tally)

    def _month_of(self, half_day: ColumnElement[int]) -> ColumnElement[int]:
        ends = [*self._starts[1:], self._end]
        return case(
            (half_day < self._starts[0], -1),
            *((half_day < end, number) for number, end in enumerate(ends)),
            else_=len(ends),
        )

    def _release_of(self, received_day: ColumnElement[str]) -> ColumnElement[int]:
        last = len(self._releases) - 1
        earlier = (
            (received_day < release.isoformat(), number)
            for number, release in enumerate(self._releases[:-1])
        )
        return case(*earlier, else_=last) if last else literal(last)


def top_box(item: Item) -> Option:
    """A rating's best scored option."""
    return next(option for option in item.options if option.scored)


def _half_day(day: date) -> int:
    return half_day_of(datetime.combine(day, time()))
