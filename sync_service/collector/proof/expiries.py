"""Expiries: of which records the bytes were dropped because they had been kept long enough, signed.

There is one paper for each branch, which grows. It names ranges of seq; their digests stay with
the records.
"""

from bisect import bisect_right
from collections.abc import Iterable, Mapping, Sequence
from datetime import date

import msgspec
from sqlalchemy import delete, insert, select
from sqlalchemy.ext.asyncio import AsyncConnection

from sync_service.collector import tables
from sync_service.collector.proof.papers import Hex, read_paper, write_paper
from sync_service.collector.ranges import Range, merged
from sync_service.contract.error import ContractError
from sync_service.contract.signing import Context, SigningKey, VerifyingKey


class Expiry(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Which records of a branch have expired, in rising ranges; and when the last of them did."""

    log: Hex
    branch: int
    ranges: tuple[Range, ...]
    on: date

    def covers(self, seq: int) -> bool:
        """Whether a record is one of them."""
        place = bisect_right(self.ranges, seq, key=_first)
        return place > 0 and seq <= self.ranges[place - 1][1]


async def read_expiries(
    connection: AsyncConnection, log_id: bytes, receipt_keys: Sequence[VerifyingKey]
) -> Mapping[int, Expiry]:
    """The expiries of a log that the centre has signed, by branch."""
    expiry = tables.expiry.c
    found = await connection.execute(
        select(expiry.branch, expiry.paper).where(expiry.log_id == log_id)
    )
    signed: dict[int, Expiry] = {}
    for branch, text in found:
        try:
            paper = read_paper(text, Context.EXPIRY, Expiry, receipt_keys)
        except ContractError:
            continue
        if (paper.log, paper.branch) == (log_id.hex(), branch):
            signed[branch] = paper
    return signed


async def write_expiries(
    connection: AsyncConnection,
    log_id: bytes,
    seqs: Mapping[int, Iterable[int]],
    *,
    on: date,
    receipt_key: SigningKey,
    receipt_keys: Sequence[VerifyingKey],
) -> None:
    """Put in writing that more records of a log have expired; ``seqs`` are theirs, by branch."""
    before = await read_expiries(connection, log_id, receipt_keys)
    expiry = tables.expiry.c
    for branch, expired in seqs.items():
        ranges = [(seq, seq) for seq in expired]
        if branch in before:
            ranges += before[branch].ranges
        paper = Expiry(log_id.hex(), branch, tuple(merged(ranges)), on)
        await connection.execute(
            delete(tables.expiry).where(expiry.log_id == log_id, expiry.branch == branch)
        )
        await connection.execute(
            insert(tables.expiry).values(
                log_id=log_id,
                branch=branch,
                paper=write_paper(receipt_key, Context.EXPIRY, paper),
            )
        )


def _first(each: Range) -> int:
    return each[0]
