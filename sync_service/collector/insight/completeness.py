"""Completeness: which kiosks have reported, and what is missing of their logs.

A silent kiosk, one that nobody answers and one that is switched off look alike in the figures;
here they are told apart. Days are those of the site's own time, and no finer is told. The numbers
of records go through `disclosure` like all others.
"""

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, time
from typing import Final
from zoneinfo import ZoneInfo

from sqlalchemy import and_, case, func, literal, or_, select
from sqlalchemy.ext.asyncio import AsyncConnection

from sync_service.collector import tables
from sync_service.collector.insight.period import Period
from sync_service.collector.tables import KioskStanding, Opening
from sync_service.contract.publication import PublicationKind
from sync_service.contract.signing import fingerprint

_LOG_SHOWN: Final = 8


@dataclass(frozen=True, slots=True)
class Stay:
    """A kiosk's time at a site, in seconds since 1970; without an end, it is there still."""

    site: str
    since: int
    until: int | None


@dataclass(frozen=True, slots=True)
class KioskReport:
    """A kiosk, or a stamp that no kiosk has come with yet, and when it last reported.

    ``contact_on`` is the day of its last contact and ``waiting_since`` the day of the oldest
    record that it had not delivered then, both None if there is none.
    """

    name: str
    fingerprint: str | None
    standing: KioskStanding | None
    contact_on: date | None
    waiting_since: date | None
    stays: Sequence[Stay]

    @property
    def site(self) -> str:
        """Where it stands now."""
        return self.stays[-1].site

    def has_reported(self, period: Period) -> bool:
        """Whether it was in contact after a period, and had no record of it left to deliver."""
        return (
            self.standing is KioskStanding.ENROLLED
            and self.contact_on is not None
            and self.contact_on >= period.end
            and (self.waiting_since is None or self.waiting_since >= period.end)
        )

    def stood_at(self, site: str, period: Period, timezone: ZoneInfo) -> bool:
        """Whether it was assigned to a site at any time in a period."""
        start, end = (
            int(datetime.combine(day, time(), timezone).timestamp())
            for day in (period.start, period.end)
        )
        return any(
            stay.site == site and stay.since < end and (stay.until is None or stay.until > start)
            for stay in self.stays
        )


@dataclass(frozen=True, slots=True)
class LogReport:
    """A log that something is wrong with: records are missing from it, or it has forked.

    ``log`` is the beginning of its id, ``forked_on`` the day on which a second branch came to
    light.
    """

    name: str
    site: str
    log: str
    missing: int
    forked_on: date | None


async def report_kiosks(
    connection: AsyncConnection, timezones: Mapping[str, ZoneInfo]
) -> list[KioskReport]:
    """All kiosks of which something is to be expected, by name. ``timezones`` are by site.

    Not those that are revoked, nor stamps whose code was withdrawn before a kiosk came with it or
    which their kiosks have left for another.
    """
    stays = await _stays(connection)
    admissions = await _admissions(connection)
    stamp, kiosk = tables.stamp.c, tables.kiosk.c
    found = await connection.execute(
        select(
            stamp.stamp_id,
            stamp.site,
            stamp.name,
            kiosk.kiosk_id,
            kiosk.standing,
            kiosk.contact_at,
            kiosk.oldest_waiting,
        )
        .join_from(tables.stamp, tables.kiosk, isouter=True)
        .where(
            or_(
                kiosk.standing != KioskStanding.REVOKED.value,
                and_(kiosk.kiosk_id.is_(None), stamp.code_withdrawn_at.is_(None), ~tables.was_used),
            )
        )
        .order_by(stamp.name, kiosk.asked_at)
    )
    return [
        KioskReport(
            name=row.name,
            fingerprint=None if row.kiosk_id is None else fingerprint(row.kiosk_id),
            standing=None if row.standing is None else KioskStanding(row.standing),
            contact_on=_day(row.contact_at, timezones[row.site]),
            waiting_since=row.oldest_waiting and date.fromisoformat(row.oldest_waiting),
            stays=[
                *(
                    stay
                    for stamp_id, until in admissions[row.kiosk_id]
                    if stamp_id != row.stamp_id
                    for stay in _cut(stays[stamp_id], until)
                ),
                *stays[row.stamp_id],
            ],
        )
        for row in found
    ]


async def report_logs(
    connection: AsyncConnection, timezones: Mapping[str, ZoneInfo]
) -> list[LogReport]:
    """The logs that something is wrong with, by site and kiosk. ``timezones`` are by site."""
    stays = await _stays(connection)
    branch = tables.branch.c
    # Where a log has forked, a seq that any of its branches holds is not missing.
    reach = (
        select(
            branch.log_id,
            func.min(branch.from_seq).label("from_seq"),
            func.max(branch.whole_seq).label("whole_seq"),
            func.max(branch.head_seq).label("head_seq"),
            func.min(case((branch.branch > 0, branch.begun_at))).label("forked_at"),
        )
        .group_by(branch.log_id)
        .subquery()
    )
    log, stamp = tables.log.c, tables.stamp.c
    # What the kiosk has a receipt for and the collector does not hold was lost by the collector.
    last = case(
        (log.said_settled_seq > reach.c.head_seq, log.said_settled_seq), else_=reach.c.head_seq
    )
    suspect = or_(reach.c.from_seq > 1, reach.c.whole_seq < last, reach.c.forked_at.is_not(None))
    held = (
        select(func.count(tables.record.c.seq.distinct()))
        .where(tables.record.c.log_id == log.log_id)
        .scalar_subquery()
    )
    found = await connection.execute(
        select(
            stamp.stamp_id,
            stamp.site,
            stamp.name,
            log.log_id,
            (last - held).label("missing"),
            reach.c.forked_at,
        )
        .select_from(tables.log)
        .join(reach, reach.c.log_id == log.log_id)
        .join(tables.kiosk)
        .join(tables.stamp)
        .where(suspect)
        .order_by(stamp.site, stamp.name, log.log_id)
    )
    return [
        LogReport(
            name=row.name,
            site=stays[row.stamp_id][-1].site,
            log=row.log_id.hex()[:_LOG_SHOWN],
            missing=row.missing,
            forked_on=_day(row.forked_at, timezones[row.site]),
        )
        for row in found
        if row.missing or row.forked_at is not None
    ]


async def count_unopened(connection: AsyncConnection) -> Counter[Opening]:
    """How many records wait to be opened, and how many could not be, by what stood against it."""
    opening = tables.record.c.opening
    counts: Counter[Opening] = Counter()
    # Written into the statements, or the indices of these records can't serve them.
    for unopened in (
        opening == literal(Opening.WAITING, literal_execute=True),
        opening >= literal(Opening.UNKNOWN_KEY, literal_execute=True),
    ):
        found = await connection.execute(
            select(opening, func.count()).where(unopened).group_by(opening)
        )
        counts.update({Opening(outcome): number for outcome, number in found})
    return counts


async def _stays(connection: AsyncConnection) -> Mapping[bytes, Sequence[Stay]]:
    """Where each stamp's kiosks were assigned to, in order."""
    publication = tables.publication.c
    found = await connection.execute(
        select(publication.stamp_id, publication.site, publication.published_at)
        .where(publication.kind == PublicationKind.ASSIGNMENT.value)
        .order_by(publication.serial)
    )
    stays: defaultdict[bytes, list[Stay]] = defaultdict(list)
    for stamp_id, site, since in found:
        before = stays[stamp_id]
        if before:
            before[-1] = replace(before[-1], until=since)
        before.append(Stay(site, since, None))
    return stays


async def _admissions(
    connection: AsyncConnection,
) -> Mapping[bytes, Sequence[tuple[bytes, int | None]]]:
    """The stamps that each kiosk was admitted under, in order, and until when it had each."""
    stamped = tables.stamped.c
    found = await connection.execute(
        select(stamped.kiosk_id, stamped.stamp_id, stamped.since).order_by(stamped.since)
    )
    admissions: defaultdict[bytes, list[tuple[bytes, int | None]]] = defaultdict(list)
    for kiosk_id, stamp_id, since in found:
        before = admissions[kiosk_id]
        if before:
            before[-1] = (before[-1][0], since)
        before.append((stamp_id, None))
    return admissions


def _cut(stays: Sequence[Stay], until: int | None) -> Sequence[Stay]:
    """The stays, or parts of them, before a moment."""
    if until is None:
        return stays
    return [
        replace(stay, until=until if stay.until is None else min(stay.until, until))
        for stay in stays
        if stay.since < until
    ]


def _day(at: int | None, timezone: ZoneInfo) -> date | None:
    return None if at is None else datetime.fromtimestamp(at, timezone).date()
