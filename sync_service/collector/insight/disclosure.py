"""Disclosure: the one door to figures. What is shown to anyone has come through here.

- Nothing rests on fewer than ten responses, and no two figures, of whatever periods and shown
  whenever, differ by fewer: see `blocks`.
- Every block's counts are rounded to 5 before anything is reckoned from them, so shares, intervals
  and quarters tell nothing that the rounded counts don't. The interval allows for the rounding.
- Figures are given for whole calendar months and quarters that are over, and change on one day of
  the month only: see `period`.
- What is not shown has a reason. "Nobody answered", "switched off", "not heard from" and "too few"
  are different facts.

How long kiosks could be answered, and when they reported, are facts about machines: they pass.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Final, NamedTuple
from zoneinfo import ZoneInfo

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from sync_service.collector import tables
from sync_service.collector.database import reading
from sync_service.collector.error import CollectorError
from sync_service.collector.insight.blocks import LEAST, Arrival, Blocks, gather
from sync_service.collector.insight.completeness import (
    KioskReport,
    LogReport,
    count_unopened,
    report_kiosks,
    report_logs,
)
from sync_service.collector.insight.figure import (
    AskedItem,
    Count,
    Figure,
    Figures,
    LogFault,
    Overview,
    Place,
    Share,
    SiteHistory,
    Unshown,
)
from sync_service.collector.insight.measures import (
    Availability,
    ItemKey,
    SiteMeasures,
    measure,
    top_box,
)
from sync_service.collector.insight.period import (
    Month,
    Period,
    Quarter,
    last_release,
    last_shown,
)
from sync_service.collector.published import Published
from sync_service.contract.publication import PublicationKind
from sync_service.contract.questionnaire import Item, Questionnaire
from sync_service.contract.signing import VerifyingKey

MONTHS_SHOWN: Final = 12
"""How many months of a site are shown."""

QUARTERS_SHOWN: Final = 4
"""How many of its quarters."""


class NotShownError(CollectorError):
    """There is no such site, or the period is not shown yet: say so to whoever asks."""


def shown_months(release: date) -> list[Month]:
    """The months of a site that a release shows, oldest first."""
    last = last_shown(release)
    return [last.after(number) for number in range(1 - MONTHS_SHOWN, 1)]


def shown_quarters(release: date) -> list[Quarter]:
    """The quarters of a site that a release shows, oldest first."""
    last = last_shown(release).quarter
    if last.end > release:
        last = last.after(-1)
    return [last.after(number) for number in range(1 - QUARTERS_SHOWN, 1)]


class Disclosure:
    """Opens the door. ``publishing_keys`` are the public ones that ever were in force."""

    def __init__(self, engine: AsyncEngine, publishing_keys: Sequence[VerifyingKey]) -> None:
        self._engine = engine
        self._questionnaires = Published(Questionnaire, publishing_keys)

    async def overview(self, today: date, period: Period | None = None) -> Overview:
        """All sites in one period; without one, in the last month that is shown.

        Raises:
            NotShownError: the period is not over, or not shown yet.
            BusyError: the database has no turn to give just now.
            SignatureError: a questionnaire in the database was signed by none of the keys.
        """
        release = last_release(today)
        if period is None:
            period = last_shown(release)
        _refuse_early(period, release)
        async with reading(self._engine) as connection:
            centre = await self._read(connection)
            measured = await measure(connection, self._questionnaires, [period.quarter], release)
            unopened = await count_unopened(connection)
        sites = [_Site(row, centre, measured.get(row.code), release) for row in centre.sites]
        return Overview(
            period=period,
            released_on=release,
            sites=[(site.place(), site.figures(period)) for site in sites],
            faults=centre.faults(),
            unopened={outcome: Count.of(number) for outcome, number in unopened.items()},
        )

    async def history(self, today: date, code: str) -> SiteHistory:
        """One site through time.

        Raises:
            NotShownError: there is no such site.
            BusyError: the database has no turn to give just now.
            SignatureError: a questionnaire in the database was signed by none of the keys.
        """
        release = last_release(today)
        months, quarters = shown_months(release), shown_quarters(release)
        run = [min(months[0].quarter, quarters[0])]
        while run[-1] < months[-1].quarter:
            run.append(run[-1].after(1))
        async with reading(self._engine) as connection:
            centre = await self._read(connection)
            row = centre.site(code)
            measured = await measure(connection, self._questionnaires, run, release, code)
        measures = measured.get(code)
        site = _Site(row, centre, measures, release)
        return SiteHistory(
            place=site.place(),
            released_on=release,
            items=site.asked,
            months=[site.figures(month) for month in months],
            quarters=[site.figures(quarter) for quarter in quarters],
            unplaced=Count.of(measures.unplaced[None] if measures else 0),
            faults=centre.faults(code),
        )

    async def count(
        self, today: date, code: str, period: Period, name: str, options: Collection[str]
    ) -> Count | Unshown:
        """How many people gave one of these answers to a rating at a site in a period.

        They are counted in the very blocks that the rating's figure is made of.

        Raises:
            NotShownError: there is no such site, its questionnaire has no such rating or scored
                options, or the period is not over, or not shown yet.
            BusyError: the database has no turn to give just now.
            SignatureError: a questionnaire in the database was signed by none of the keys.
        """
        release = last_release(today)
        _refuse_early(period, release)
        async with reading(self._engine) as connection:
            centre = await self._read(connection)
            row = centre.site(code)
            rating = centre.rating(row.questionnaire, name)
            scored = [option.name for option in rating.options if option.scored]
            if not options or not set(options) <= set(scored):
                raise NotShownError(f"{name} counts these options: {', '.join(scored)}")
            measured = await measure(
                connection,
                self._questionnaires,
                [period.quarter],
                release,
                code,
                counts=lambda _, option: option.name in options,
            )
        return _Site(row, centre, measured.get(code), release).count(name, period)

    async def _read(self, connection: AsyncConnection) -> "_Centre":
        """What there is to measure, every questionnaire that was published included."""
        publication = tables.publication.c
        serials = await connection.execute(
            select(publication.serial).where(
                publication.kind == PublicationKind.QUESTIONNAIRE.value
            )
        )
        await self._questionnaires.load(connection, serials.scalars())
        found = await connection.execute(
            select(
                tables.site.c.code,
                tables.site.c.name,
                tables.site.c.timezone,
                tables.site.c.questionnaire,
                tables.site.c.dropped_before,
                tables.service.c.name.label("service"),
                tables.organisation.c.name.label("organisation"),
                tables.place.c.name.label("place"),
            )
            .select_from(tables.site)
            .join(tables.service)
            .join(tables.organisation)
            .join(tables.place)
        )
        sites = sorted(
            (_SiteRow(*row) for row in found), key=lambda row: (row.name.casefold(), row.code)
        )
        timezones = {row.code: ZoneInfo(row.timezone) for row in sites}
        return _Centre(
            sites,
            await report_kiosks(connection, timezones),
            await report_logs(connection, timezones),
            sorted(self._questionnaires.values(), key=lambda each: each.version),
        )


class _SiteRow(NamedTuple):
    """A site, with the names of what it belongs to."""

    code: str
    name: str
    timezone: str
    questionnaire: str
    dropped_before: str | None
    service: str
    organisation: str
    place: str


@dataclass(frozen=True, slots=True)
class _Centre:
    """The sites by name, the kiosks, the logs, and the questionnaires, newest last."""

    sites: Sequence[_SiteRow]
    kiosks: Sequence[KioskReport]
    logs: Sequence[LogReport]
    questionnaires: Sequence[Questionnaire]

    def site(self, code: str) -> _SiteRow:
        row = next((row for row in self.sites if row.code == code), None)
        if row is None:
            raise NotShownError(f"there is no site {code}")
        return row

    def rating(self, questionnaire: str, name: str) -> Item:
        """The rating of this name in the newest version of a questionnaire."""
        newest = [version for version in self.questionnaires if version.id == questionnaire][-1]
        ratings = {item.name: item for item in newest.items if item.kind == "rating"}
        if name not in ratings:
            raise NotShownError(f"{questionnaire} has these ratings: {', '.join(ratings)}")
        return ratings[name]

    def faults(self, site: str | None = None) -> list[LogFault]:
        return [
            LogFault(
                name=log.name,
                site=log.site,
                log=log.log,
                missing=Count.of(log.missing) if log.missing else None,
                forked_on=log.forked_on,
            )
            for log in self.logs
            if site is None or log.site == site
        ]

    def asked(self, questionnaire: str, also: Iterable[ItemKey]) -> dict[ItemKey, AskedItem]:
        """The ratings that a questionnaire asks now, in their order; and those asked ``also``."""
        items: dict[ItemKey, Item] = {}
        now: list[ItemKey] = []
        for version in self.questionnaires:
            items |= {ItemKey(version.id, item.code): item for item in version.items}
            if version.id == questionnaire:
                asked = (version.by_name(name) for step in version.ask for name in step)
                now = [ItemKey(version.id, item.code) for item in asked if item.kind == "rating"]
        return {key: _asked(key, items[key]) for key in (*now, *sorted(also))}


class _Site:
    """One site on its way through the door."""

    def __init__(
        self, row: _SiteRow, centre: _Centre, measures: SiteMeasures | None, release: date
    ) -> None:
        self._row = row
        self._timezone = ZoneInfo(row.timezone)
        self._kiosks = centre.kiosks
        self._measures = measures or SiteMeasures()
        self._responses = gather(self._measures.responses, release)
        asked = centre.asked(row.questionnaire, self._measures.items)
        self._items = {
            item: gather(self._measures.items.get(key, ()), release) for key, item in asked.items()
        }

    @property
    def asked(self) -> Sequence[AskedItem]:
        return tuple(self._items)

    def place(self) -> Place:
        row = self._row
        return Place(
            code=row.code,
            name=row.name,
            service=row.service,
            organisation=row.organisation,
            place=row.place,
            kiosks=[kiosk for kiosk in self._kiosks if kiosk.site == row.code],
        )

    def count(self, name: str, period: Period) -> Count | Unshown:
        """How many of the answers to a rating of its questionnaire were measured."""
        here = (self._row.questionnaire, name)
        item = next((each for each in self.asked if (each.questionnaire, each.name) == here), None)
        if item is None:  # it is not asked now, and was not answered then
            return Unshown.NOBODY
        figure = self.figures(period).items[item]
        if isinstance(figure, Unshown):
            return figure
        number = sum(block.of_them for block in self._items[item][period])
        enough = min(number, figure.of_them) >= LEAST
        return Count(figure.of_them) if enough else Unshown.TOO_FEW

    def figures(self, period: Period) -> Figures:
        stood = [
            kiosk
            for kiosk in self._kiosks
            if kiosk.stood_at(self._row.code, period, self._timezone)
        ]
        unheard = [kiosk.name for kiosk in stood if not kiosk.has_reported(period)]
        misuse = sum(self._measures.misuse[part] for part in period.parts)
        availability = sum(
            (self._measures.availability[part] for part in period.parts if isinstance(part, Month)),
            Availability(),
        )
        why = Unshown.TOO_FEW
        if period.start.isoformat() < (self._row.dropped_before or ""):
            return self._dropped(period, unheard)
        if not misuse and not _number(self._measures.responses, period):
            if not stood:
                why = Unshown.NO_KIOSK
            elif unheard:
                why = Unshown.NOT_HEARD
            elif not availability.minutes:
                why = Unshown.SWITCHED_OFF
            else:
                why = Unshown.NOBODY
        return Figures(
            period=period,
            responses=_figure(self._responses, period, why),
            items={item: _figure(blocks, period, why) for item, blocks in self._items.items()},
            misuse=Count.of(misuse),
            availability=availability,
            unheard=unheard,
        )

    def _dropped(self, period: Period, unheard: Sequence[str]) -> Figures:
        """A period from which something is dropped by now: what is left would be a wrong figure,
        and with what was shown before it would tell of those who are gone.
        """
        return Figures(
            period=period,
            responses=Unshown.DROPPED,
            items=dict.fromkeys(self._items, Unshown.DROPPED),
            misuse=Count.of(0),
            availability=Availability(),
            unheard=unheard,
        )


def _refuse_early(period: Period, release: date) -> None:
    if period.end > release:
        raise NotShownError(f"{period.name} is not shown yet")


def _number(arrivals: Iterable[Arrival], period: Period) -> int:
    return sum(arrival.tally.n for arrival in arrivals if arrival.period in period.parts)


def _figure(blocks: Blocks, period: Period, why: Unshown) -> Figure:
    of_period = blocks.get(period)
    return Share.of(of_period) if of_period else why


def _asked(key: ItemKey, item: Item) -> AskedItem:
    return AskedItem(
        questionnaire=key.questionnaire,
        name=item.name,
        question=_english(item.text),
        top=_english(top_box(item).text),
    )


def _english(texts: Mapping[str, str]) -> str:
    return texts.get("en") or next(iter(texts.values()))
