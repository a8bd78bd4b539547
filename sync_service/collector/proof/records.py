"""The records of a log, a few at a time, in the order in which their chain goes."""

from collections.abc import AsyncIterator, Sequence
from typing import Any, Final, TypeAlias

from sqlalchemy import Row, select
from sqlalchemy.ext.asyncio import AsyncConnection

from sync_service.collector import tables
from sync_service.contract.chain import digest

Held: TypeAlias = "Row[*tuple[Any, ...]]"
"""What is held of a record: see `read_records`."""

_AT_ONCE: Final = 2000
_record: Final = tables.record.c
_RECORDS: Final = select(
    _record.branch,
    _record.seq,
    _record.previous,
    _record.sealed,
    _record.digest,
    _record.received_at,
    _record.opening,
).order_by(_record.branch, _record.seq)


async def read_records(
    connection: AsyncConnection, log_id: bytes, before: int | None = None
) -> AsyncIterator[Sequence[Held]]:
    """What is held of a log, branch by branch; if ``before`` is given, of what came before then."""
    query = _RECORDS.where(_record.log_id == log_id)
    if before is not None:
        query = query.where(_record.received_at < before)
    found = await connection.stream(query, execution_options={"yield_per": _AT_ONCE})
    async for rows in found.partitions():
        yield rows


def digest_of(held: Held) -> bytes | None:
    """The digest of a record, recomputed if its bytes are held; None if nothing is left of it."""
    if held.sealed is None:
        return held.digest  # type: ignore[no-any-return]  # a row's columns have no types
    return digest(held.sealed)


async def lock_log(connection: AsyncConnection, log_id: bytes) -> None:
    """See that until the transaction ends no record of a log is taken in, and none opened."""
    kiosk, log = tables.kiosk.c, tables.log.c
    of_log = select(log.kiosk_id).where(log.log_id == log_id).scalar_subquery()
    await connection.execute(
        select(kiosk.kiosk_id).where(kiosk.kiosk_id == of_log).with_for_update()
    )
    await connection.execute(
        select(log.log_id).where(log.log_id == log_id).with_for_update(key_share=True)
    )
