"""Redactions: records that the centre decides to hold no more, such as one that names a person.

The bytes of such a record are dropped, and all that was opened of it. Its digest stays, so that the
chain still holds, with the reason and the day, signed; and it is never let in again.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any, Final

import msgspec
from sqlalchemy import (
    ColumnElement,
    Select,
    Table,
    delete,
    insert,
    select,
    tuple_,
    update,
)
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from sync_service.collector import tables
from sync_service.collector.database import reading, writing
from sync_service.collector.error import OfficeError
from sync_service.collector.opened import TABLES, Place, place_of
from sync_service.collector.proof.findings import utc_day
from sync_service.collector.proof.papers import Hex, read_paper, write_paper
from sync_service.collector.proof.records import lock_log
from sync_service.collector.tables import Opening
from sync_service.contract.chain import digest
from sync_service.contract.error import ContractError
from sync_service.contract.publication import PublicationKind
from sync_service.contract.signing import Context, SigningKey, VerifyingKey

MAX_REASON: Final = 200
"""How long a reason may be, in characters."""

_KINDS: Final[Mapping[Table, str]] = {
    tables.response: "response",
    tables.verdict: "verdict",
    tables.day: "day record",
}
_record: Final = tables.record.c


class Redaction(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """That a record of a log is held no more, why, and since which day."""

    log: Hex
    digest: Hex
    reason: str
    on: date


@dataclass(frozen=True, slots=True)
class Target:
    """A record that may be redacted: where it stands and what it is, without a word of it.

    ``site`` is where it was made, or if it was not opened, that of its kiosk.
    """

    place: Place
    kind: str
    site: str
    received_on: date


async def find_by_id(engine: AsyncEngine, record_id: str) -> Target:
    """The opened record that analysts know by an id, in hexadecimal.

    Raises:
        OfficeError: there is none.
    """
    try:
        wanted = bytes.fromhex(record_id)
    except ValueError:
        wanted = b""
    async with reading(engine) as connection:
        for table in TABLES.values():
            found = await connection.execute(
                select(*place_of(table)).where(table.c.record_id == wanted)
            )
            if (row := found.first()) is not None:
                return await _describe(connection, tuple(row))
    raise OfficeError(f"no response, verdict or day has the id {record_id}")


async def find_by_place(engine: AsyncEngine, log: str, branch: int, seq: int) -> Target:
    """The record at a place; of its log's id, the beginning is enough if no other has the same.

    Raises:
        OfficeError: there is no such record, or several logs begin like that.
    """
    async with reading(engine) as connection:
        log_ids = [
            log_id
            for log_id in await connection.scalars(select(tables.log.c.log_id))
            if log_id.hex().startswith(log.lower())
        ]
        if len(log_ids) != 1:
            raise OfficeError(f"{len(log_ids)} logs have an id that begins with {log}: name one")
        return await _describe(connection, (log_ids[0], branch, seq))


async def redact(
    engine: AsyncEngine, target: Target, reason: str, on: date, receipt_key: SigningKey
) -> None:
    """Drop a record's bytes, wherever in its log they stand, and all that was opened of it.

    Raises:
        OfficeError: the reason is none, or there is nothing left to drop.
    """
    if not 1 <= len(reason) <= MAX_REASON or not reason.isprintable():
        raise OfficeError(f"a reason is 1 to {MAX_REASON} printable characters")
    log_id = target.place[0]
    async with writing(engine) as connection:
        await lock_log(connection, log_id)
        found = await connection.execute(
            select(_record.sealed, _record.digest, _record.opening).where(*_at(target.place))
        )
        sealed, known, opening = found.one()
        if opening == Opening.REDACTED:
            raise OfficeError("that record is redacted already")
        if opening == Opening.EXPIRED:
            raise OfficeError("that record was kept long enough, and is dropped already")
        known = known if sealed is None else digest(sealed)
        if known is None:
            raise OfficeError("nothing is left of that record: see `regard-collector verify`")
        # The same bytes have the same digest, but it stands beside a record only without them.
        same = (_record.log_id == log_id) & (
            (_record.digest == known) | (_record.sealed.is_not(None) & (_record.sealed == sealed))
        )
        places = select(*place_of(tables.record)).where(same)
        record_id = await _drop_opened(connection, places)
        await connection.execute(
            update(tables.record)
            .where(same)
            .values(sealed=None, digest=known, opening=int(Opening.REDACTED))
        )
        paper = Redaction(log_id.hex(), known.hex(), reason, on)
        await connection.execute(
            insert(tables.redaction).values(
                log_id=log_id,
                digest=known,
                record_id=record_id,
                redacted_on=on.isoformat(),
                paper=write_paper(receipt_key, Context.REDACTION, paper),
            )
        )


async def read_redactions(
    connection: AsyncConnection, log_id: bytes, receipt_keys: Sequence[VerifyingKey]
) -> Mapping[bytes, Redaction]:
    """The redactions of a log that the centre has signed, by the digest of the record."""
    redaction = tables.redaction.c
    found = await connection.execute(
        select(redaction.digest, redaction.paper).where(redaction.log_id == log_id)
    )
    signed: dict[bytes, Redaction] = {}
    for known, text in found:
        try:
            paper = read_paper(text, Context.REDACTION, Redaction, receipt_keys)
        except ContractError:
            continue
        if (paper.log, paper.digest) == (log_id.hex(), known.hex()):
            signed[known] = paper
    return signed


async def _describe(connection: AsyncConnection, place: Place) -> Target:
    record = await connection.execute(select(_record.received_at).where(*_at(place)))
    received_at = record.scalar_one_or_none()
    if received_at is None:
        raise OfficeError(f"record {place[2]} of branch {place[1]} of that log is not held")
    for table, kind in _KINDS.items():
        publication = tables.publication.c
        site = await connection.scalar(
            select(publication.site)
            .join_from(table, tables.publication, publication.serial == table.c.assignment)
            .where(*_at(place, table), publication.kind == PublicationKind.ASSIGNMENT.value)
        )
        if site is not None:
            return Target(place, kind, site, utc_day(received_at))
    site = await connection.scalar(
        select(tables.stamp.c.site)
        .select_from(tables.log)
        .join(tables.kiosk)
        .join(tables.stamp)
        .where(tables.log.c.log_id == place[0])
    )
    return Target(place, "record that is not opened", site or "?", utc_day(received_at))


async def _drop_opened(connection: AsyncConnection, places: Select[Any]) -> bytes | None:
    """Drop what was opened of records; gives the id by which they were known, all the same one."""
    record_id = None
    for table in (tables.answer, *TABLES.values()):
        of_them = tuple_(*place_of(table)).in_(places)
        if table is not tables.answer:
            found = await connection.execute(select(table.c.record_id).where(of_them))
            record_id = found.scalar() or record_id
        await connection.execute(delete(table).where(of_them))
    return record_id


def _at(place: Place, table: Table = tables.record) -> list[ColumnElement[bool]]:
    return [column == part for column, part in zip(place_of(table), place, strict=True)]
