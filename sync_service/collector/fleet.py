"""The fleet: what kiosks say of themselves, what they are asked for, what they are offered."""

import json
import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Final

from sqlalchemy import and_, func, literal, or_, select, tuple_, update
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from sync_service.collector import tables
from sync_service.collector.admission import (
    STANDINGS,
    check_log,
    check_signature,
    find_kiosk,
    read_message,
)
from sync_service.collector.database import reading, writing
from sync_service.collector.error import ProblemError
from sync_service.collector.ranges import Range, merged
from sync_service.collector.tables import KioskStanding, Opening
from sync_service.contract.chain import Head
from sync_service.contract.publication import PublicationKind
from sync_service.contract.signing import Context, SigningKey, fingerprint
from sync_service.contract.wire import MAX_RANGES, Offer, Status, StatusReply

SILENT_AFTER_S: Final = 24 * 3600
"""After how long without a contact a kiosk counts as silent, in seconds.

An agent makes a contact every hour, unless its settings or its collector say otherwise.
"""

_log: Final = logging.getLogger(__name__)


class Fleet:
    """Hears kiosks out at each contact, and says what the centre wants of them."""

    def __init__(self, engine: AsyncEngine, receipt_key: SigningKey) -> None:
        self._engine = engine
        self._receipt_key = receipt_key

    async def hear(self, body: bytes, now: int) -> bytes:
        """Take a signed status in and give the signed reply; ``now`` is seconds since 1970.

        A kiosk that is held or revoked hears that, and is offered keys to believe it by. One that
        goes by another stamp than it is known by has to enrol under that first.

        Raises:
            ProblemError: the message is refused.
            BusyError: the database has no turn to give just now.
        """
        envelope, status = read_message(body, Status)
        async with reading(self._engine) as connection:
            kiosk = await find_kiosk(connection, status.kiosk_id)
        check_signature(envelope, kiosk.key, Context.STATUS)
        log_head: Head | None = None
        forked = False
        wanted: Sequence[Range] = ()
        async with writing(self._engine) as connection:
            kiosk = await find_kiosk(connection, status.kiosk_id, lock=True)
            if status.stamp_id != kiosk.stamp_id and kiosk.standing is not KioskStanding.REVOKED:
                raise ProblemError("unknown-kiosk", "not under this stamp")
            await _note_kiosk(connection, status, now)
            offers = await _keys_offers(connection, status.publications)
            if kiosk.standing is KioskStanding.ENROLLED:
                await check_log(connection, status.log_id, status.kiosk_id, now)
                await _note_log(connection, status, body, now)
                log_head, forked = await _log_head(connection, status)
                wanted = await _wanted(connection, status)
                offers += await _offers(connection, kiosk.stamp_id, status.publications)
        if wanted:
            asked = {"kiosk": fingerprint(status.kiosk_id), "ranges": len(wanted)}
            _log.info("records asked for again", extra=asked)
        reply = StatusReply(
            kiosk_id=status.kiosk_id,
            nonce=status.nonce,
            standing=STANDINGS[kiosk.standing],
            at=now,
            log_head=log_head,
            wanted=wanted,
            offers=offers[:MAX_RANGES],
            forked=forked,
        )
        return self._receipt_key.sign(Context.STATUS_REPLY, reply.encode())


async def ask_again(engine: AsyncEngine, kiosk_id: bytes) -> int:
    """Ask a kiosk, at its next contacts, for what was refused; give the number of records.

    They are asked for once: what is refused again stays refused.
    """
    record = tables.record.c
    refused = and_(
        record.log_id.in_(select(tables.log.c.log_id).where(tables.log.c.kiosk_id == kiosk_id)),
        record.opening == Opening.REFUSED,
    )
    async with writing(engine) as connection:
        number = await connection.scalar(select(func.count()).where(refused))
        await connection.execute(
            update(tables.record).where(refused).values(opening=int(Opening.ASKED))
        )
        return number or 0


class KioskState(Enum):
    """How a kiosk is, in a word."""

    NEVER_SEEN = "never seen"
    HELD = "held"
    IN_CONTACT = "in contact"
    SILENT = "silent"
    REVOKED = "revoked"


@dataclass(frozen=True, slots=True, kw_only=True)
class KioskLine:
    """One kiosk as the central team sees it in a list, or a stamp that none has come with.

    Of such a stamp there is only the site, the name, and whether its code still admits a kiosk;
    ``withdrawn_at`` and ``expires_at`` are about that code. What the kiosk says of itself is as of
    its last contact. ``apart`` is how many of its records are kept apart.
    """

    site: str
    name: str
    withdrawn_at: int | None
    expires_at: int
    kiosk_id: bytes | None
    standing: KioskStanding | None
    held_because: str | None
    enrolled_at: int | None
    revoked_at: int | None
    contact_at: int | None
    software: str | None
    clock_synced: bool | None
    clock_at: int | None
    depth: int | None
    oldest_waiting: str | None
    last_error: str | None
    troubles: str | None
    apart: int

    def state(self, now: int) -> KioskState:
        """How it is at a time, in seconds since 1970."""
        match self.standing:
            case None:
                return KioskState.NEVER_SEEN
            case KioskStanding.HELD:
                return KioskState.HELD
            case KioskStanding.REVOKED:
                return KioskState.REVOKED
        heard = self.contact_at is not None and now - self.contact_at <= SILENT_AFTER_S
        return KioskState.IN_CONTACT if heard else KioskState.SILENT


async def list_kiosks(engine: AsyncEngine) -> list[KioskLine]:
    """All kiosks, and the stamps that no kiosk has come with yet, by site and name.

    Not the stamps that their kiosks have left for another.
    """
    stamp, kiosk = tables.stamp.c, tables.kiosk.c
    apart = (
        select(tables.log.c.kiosk_id, func.count().label("apart"))
        .join(tables.record, tables.record.c.log_id == tables.log.c.log_id)
        # Written into the statement, or the index of the records that need someone can't serve it.
        .where(tables.record.c.opening == literal(Opening.APART, literal_execute=True))
        .group_by(tables.log.c.kiosk_id)
        .subquery()
    )
    query = (
        select(
            stamp.site,
            stamp.name,
            stamp.code_withdrawn_at.label("withdrawn_at"),
            stamp.code_expires_at.label("expires_at"),
            kiosk.kiosk_id,
            kiosk.standing,
            kiosk.held_because,
            kiosk.enrolled_at,
            kiosk.revoked_at,
            kiosk.contact_at,
            kiosk.software,
            kiosk.clock_synced,
            kiosk.clock_at,
            kiosk.depth,
            kiosk.oldest_waiting,
            kiosk.last_error,
            kiosk.troubles,
            func.coalesce(apart.c.apart, 0).label("apart"),
        )
        .select_from(tables.stamp)
        .outerjoin(tables.kiosk)
        .outerjoin(apart, apart.c.kiosk_id == kiosk.kiosk_id)
        .where(or_(kiosk.kiosk_id.is_not(None), ~tables.was_used))
        .order_by(stamp.site, stamp.name, kiosk.asked_at)
    )
    async with reading(engine) as connection:
        rows = (await connection.execute(query)).mappings().all()
    return [
        KioskLine(**{**row, "standing": row["standing"] and KioskStanding(row["standing"])})
        for row in rows
    ]


async def _note_kiosk(connection: AsyncConnection, status: Status, now: int) -> None:
    waiting = status.oldest_waiting
    await connection.execute(
        update(tables.kiosk)
        .where(tables.kiosk.c.kiosk_id == status.kiosk_id)
        .values(
            contact_at=now,
            software=status.software,
            clock_synced=status.clock_synced,
            clock_at=status.clock_at,
            uptime_h=status.uptime_h,
            depth=status.depth,
            oldest_waiting=None if waiting is None else waiting.isoformat(),
            last_error=status.last_error,
            troubles=" ".join(status.troubles) or None,
            serials=json.dumps(dict(status.publications)),
        )
    )


async def _note_log(connection: AsyncConnection, status: Status, signed: bytes, now: int) -> None:
    """Keep what a kiosk says of its log, as it signed it; and the farthest it ever said it was."""
    log = tables.log.c
    of_log = log.log_id == status.log_id
    await connection.execute(
        update(tables.log)
        .where(of_log)
        .values(
            said_head_seq=status.head.seq,
            said_head_link=status.head.link,
            said_settled_seq=status.settled_seq,
            said_oldest_held_seq=status.oldest_held_seq,
            said_signed=signed,
            said_at=now,
        )
    )
    farthest = tuple_(log.farthest_settled_seq, log.farthest_head_seq)
    await connection.execute(
        update(tables.log)
        .where(
            of_log,
            log.farthest_signed.is_(None)
            | (farthest <= tuple_(literal(status.settled_seq), literal(status.head.seq))),
        )
        .values(
            farthest_signed=signed,
            farthest_at=now,
            farthest_settled_seq=status.settled_seq,
            farthest_head_seq=status.head.seq,
        )
    )


async def _log_head(connection: AsyncConnection, status: Status) -> tuple[Head | None, bool]:
    """How far the log is whole here, and whether it has forked.

    That is on the kiosk's own branch if that is known, else on the longest. A cloned card's branch
    is known by its head once all of it has arrived.
    """
    branch = tables.branch.c
    found = await connection.execute(
        select(branch.whole_seq, branch.whole_link, branch.head_seq, branch.head_link)
        .where(branch.log_id == status.log_id)
        .order_by(branch.whole_seq.desc(), branch.branch)
    )
    branches = [(Head(*each[:2]), Head(*each[2:])) for each in found]
    own = [whole for whole, head in branches if head == status.head]
    known = own or [whole for whole, _ in branches]
    return known[0] if known else None, len(branches) > 1


async def _wanted(connection: AsyncConnection, status: Status) -> list[Range]:
    """What the kiosk still holds, and the central team has asked for or has not got.

    Where a log has forked, a seq that any of its branches holds is not missing.
    """
    if status.oldest_held_seq == 0:
        return []
    asked = await connection.execute(
        select(tables.record.c.seq).where(
            tables.record.c.log_id == status.log_id,
            tables.record.c.opening == Opening.ASKED,
            tables.record.c.seq >= status.oldest_held_seq,
        )
    )
    missing = await _missing(connection, status)
    return merged([*missing, *((seq, seq) for seq in asked.scalars())])[:MAX_RANGES]


async def _missing(connection: AsyncConnection, status: Status) -> list[Range]:
    """The gaps in what is held of all that the kiosk has settled and still holds."""
    low, high = status.oldest_held_seq, status.settled_seq
    branch, record = tables.branch.c, tables.record.c
    on_log = branch.log_id == status.log_id
    whole = select(branch.branch).where(on_log, branch.from_seq <= low, branch.whole_seq >= high)
    if low > high or (await connection.execute(whole)).first() is not None:
        return []  # as nearly always, and without a look at a record
    held = (
        select(record.seq)
        .where(
            record.log_id == status.log_id,
            record.branch.in_(select(branch.branch).where(on_log)),  # so that the key is used
            record.seq.between(low, high),
        )
        .distinct()
        .cte("held")
    )
    first, last = (
        await connection.execute(select(func.min(held.c.seq), func.max(held.c.seq)))
    ).one()
    if first is None:
        return [(low, high)]
    following = func.lead(held.c.seq).over(order_by=held.c.seq).label("following")
    steps = select(held.c.seq, following).subquery()
    gaps = await connection.execute(
        select(steps.c.seq + 1, steps.c.following - 1)
        .where(steps.c.following > steps.c.seq + 1)
        .order_by(steps.c.seq)
        .limit(MAX_RANGES)
    )
    ranges = [(low, first - 1), *((start, end) for start, end in gaps), (last + 1, high)]
    return [(start, end) for start, end in ranges if start <= end]


async def _keys_offers(
    connection: AsyncConnection, held: Mapping[PublicationKind, int]
) -> list[Offer]:
    """All keys that a kiosk has missed, oldest first: each proves itself by those before it."""
    publication = tables.publication.c
    keys = await connection.execute(
        select(publication.serial, publication.digest)
        .where(
            publication.kind == PublicationKind.KEYS.value,
            publication.serial > held.get(PublicationKind.KEYS, 0),
        )
        .order_by(publication.serial)
    )
    return [Offer(PublicationKind.KEYS, serial, digest) for serial, digest in keys]


async def _offers(
    connection: AsyncConnection, stamp_id: bytes, held: Mapping[PublicationKind, int]
) -> list[Offer]:
    """The publications of its site that a kiosk does not hold, in the order to be taken.

    A kiosk that was moved replaces another site's questionnaire and replies, whatever their
    serials: a serial rises among those that can replace each other.
    """
    publication = tables.publication.c
    columns = (publication.serial, publication.digest)
    offers = []
    newest_first = publication.serial.desc()
    assigned = await connection.execute(
        select(*columns, publication.site, publication.questionnaire)
        .where(
            publication.kind == PublicationKind.ASSIGNMENT.value,
            publication.stamp_id == stamp_id,
        )
        .order_by(newest_first)
        .limit(1)
    )
    serial, digest, site, questionnaire = assigned.one()
    if serial > held.get(PublicationKind.ASSIGNMENT, 0):
        offers.append(Offer(PublicationKind.ASSIGNMENT, serial, digest))
    for kind, of_same in (
        (PublicationKind.QUESTIONNAIRE, publication.questionnaire == questionnaire),
        (PublicationKind.REPLIES, publication.site == site),
    ):
        found = await connection.execute(
            select(*columns).where(publication.kind == kind.value, of_same).order_by(newest_first)
        )
        serials = {serial: digest for serial, digest in found}
        newest = next(iter(serials), None)
        if newest is not None and (held.get(kind) not in serials or newest > held[kind]):
            offers.append(Offer(kind, newest, serials[newest]))
    return offers
