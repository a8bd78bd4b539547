"""Signed heads: how far a log reaches by what its kiosk signed, against what is held of it.

Two statuses of a log are kept as its kiosk signed them: the newest, and the one by which it had
come farthest.
"""

from collections.abc import Container, Iterator, Mapping
from dataclasses import dataclass

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection

from sync_service.collector import tables
from sync_service.collector.proof.findings import Finding, Kind, told_day, utc_day
from sync_service.contract.chain import Head
from sync_service.contract.error import ContractError
from sync_service.contract.signing import Context, Envelope, VerifyingKey
from sync_service.contract.wire import Status


@dataclass(frozen=True, slots=True)
class SignedHead:
    """A log's head as its kiosk signed it, how far receipts had settled it, and when that came."""

    head: Head
    settled_seq: int
    came_at: int


@dataclass(frozen=True, slots=True)
class SignedHeads:
    """What a kiosk signed of its log: newest and farthest, as far as there is any.

    ``unsigned`` are the times at which statuses came that are kept as the kiosk's, and are not.
    """

    newest: SignedHead | None
    farthest: SignedHead | None
    unsigned: tuple[int, ...]

    @property
    def seqs(self) -> set[int]:
        """The records that it signed for as its newest."""
        return {each.head.seq for each in (self.newest, self.farthest) if each is not None}

    def compare(self, links: Mapping[int, Container[bytes]], held_seq: int) -> Iterator[Finding]:
        """What there is to say of a log whose newest record is ``held_seq``.

        ``links`` are those of the records in ``seqs``, as far as they are held.
        """
        for came_at in self.unsigned:
            yield Finding(
                kind=Kind.NOT_SIGNED,
                first_seq=1,
                last_seq=held_seq,
                why=f"the status of {told_day(utc_day(came_at))} that is kept as the kiosk's",
            )
        for each in dict.fromkeys((self.farthest, self.newest)):
            if each is not None and each.head.link not in links.get(
                each.head.seq, [each.head.link]
            ):
                yield Finding(
                    kind=Kind.CONTRADICTION,
                    first_seq=each.head.seq,
                    last_seq=each.head.seq,
                    since=utc_day(each.came_at),
                )
        if self.newest is None or self.farthest is None:
            return
        settled_seq = self.farthest.settled_seq
        if settled_seq > held_seq:
            signed_on = told_day(utc_day(self.farthest.came_at))
            yield Finding(
                kind=Kind.MISSING,
                first_seq=held_seq + 1,
                last_seq=settled_seq,
                why=f"the kiosk signed on {signed_on} that it has our receipt",
            )
        if self.newest.settled_seq < settled_seq:
            yield Finding(
                kind=Kind.ROLLBACK,
                first_seq=self.newest.settled_seq + 1,
                last_seq=settled_seq,
                since=utc_day(self.farthest.came_at),
                until=utc_day(self.newest.came_at),
            )
        if self.newest.head.seq > max(held_seq, settled_seq):
            yield Finding(
                kind=Kind.AT_KIOSK,
                first_seq=max(held_seq, settled_seq) + 1,
                last_seq=self.newest.head.seq,
                since=utc_day(self.newest.came_at),
            )


async def read_heads(connection: AsyncConnection, log_id: bytes) -> SignedHeads:
    """What the kiosk of a log signed of it."""
    log = tables.log.c
    found = await connection.execute(
        select(log.said_signed, log.said_at, log.farthest_signed, log.farthest_at).where(
            log.log_id == log_id
        )
    )
    row = found.one()
    heads: list[SignedHead | None] = []
    unsigned: list[int] = []
    for signed, came_at in ((row.said_signed, row.said_at), (row.farthest_signed, row.farthest_at)):
        head = None
        if signed is not None:
            head = await _read_head(connection, log_id, signed, came_at)
            if head is None:
                unsigned.append(came_at)
        heads.append(head)
    newest, farthest = heads
    return SignedHeads(newest, farthest, tuple(unsigned))


async def _read_head(
    connection: AsyncConnection, log_id: bytes, signed: bytes, came_at: int
) -> SignedHead | None:
    """What a status says of a log, if a kiosk signed it."""
    kiosk = tables.kiosk.c
    try:
        envelope = Envelope.unpack(signed)
        status = Status.decode(envelope.payload)
        public_key = await connection.scalar(
            select(kiosk.public_key).where(kiosk.kiosk_id == status.kiosk_id)
        )
        key = VerifyingKey(public_key or b"")
        key.verify(envelope, Context.STATUS)
    except ContractError:
        return None
    if key.kiosk_id != status.kiosk_id or status.log_id != log_id:
        return None
    return SignedHead(status.head, status.settled_seq, came_at)
