"""Records kept apart: those of a revoked kiosk that came since a day on which it went astray.

They are taken out of all that is counted and handed out, and stay sealed, until a person accepts
them; then they are opened like any other. What decides is when they came, by the collector's own
clock: whoever has the kiosk can let its records say what they like.
"""

from dataclasses import dataclass

from sqlalchemy import ColumnElement, delete, func, select, tuple_, update
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from sync_service.collector import tables
from sync_service.collector.database import writing
from sync_service.collector.tables import Opening


@dataclass(frozen=True, slots=True)
class Apart:
    """How many records are newly kept apart, and how many of them analysts may have by now."""

    records: int
    handed_out: int


async def keep_apart(connection: AsyncConnection, kiosk_id: bytes, since: int) -> Apart:
    """Keep apart what came of a kiosk's logs since then, in seconds since 1970.

    If a copy of one came before, the copy is opened in its place. What was opened of a record whose
    sealed bytes are dropped stays, as it could not be brought back.
    """
    record = tables.record.c
    of_kiosk = await _lock_logs(connection, kiosk_id)
    came_since = of_kiosk & record.sealed.is_not(None) & (record.received_at >= since)
    new = came_since & (record.opening != int(Opening.APART))
    number = await connection.scalar(select(func.count()).where(new))
    handed_out = 0
    places = select(record.log_id, record.branch, record.seq).where(new)
    for table in (tables.answer, tables.response, tables.verdict, tables.day):
        rows = tuple_(table.c.log_id, table.c.branch, table.c.seq).in_(places)
        if table is not tables.answer:
            pulled = select(func.count()).where(rows, table.c.instalment.is_not(None))
            handed_out += await connection.scalar(pulled) or 0
        await connection.execute(delete(table).where(rows))
    copies = (
        of_kiosk
        & record.sealed.is_not(None)
        & (record.received_at < since)
        & (record.opening == int(Opening.COPY))
    )
    for which, becomes in ((new, Opening.APART), (copies, Opening.WAITING)):
        await connection.execute(update(tables.record).where(which).values(opening=int(becomes)))
    return Apart(number or 0, handed_out)


async def accept(engine: AsyncEngine, kiosk_id: bytes) -> int:
    """Let a kiosk's records that are kept apart wait to be opened; say how many they are."""
    async with writing(engine) as connection:
        apart = (await _lock_logs(connection, kiosk_id)) & (
            tables.record.c.opening == int(Opening.APART)
        )
        number = await connection.scalar(select(func.count()).where(apart))
        await connection.execute(
            update(tables.record).where(apart).values(opening=int(Opening.WAITING))
        )
        return number or 0


async def _lock_logs(connection: AsyncConnection, kiosk_id: bytes) -> ColumnElement[bool]:
    """The condition of being in a log of a kiosk's. No opener writes of them meanwhile."""
    log = tables.log.c
    logs = await connection.scalars(
        select(log.log_id)
        .where(log.kiosk_id == kiosk_id)
        .order_by(log.log_id)
        .with_for_update(key_share=True)
    )
    return tables.record.c.log_id.in_([*logs])
