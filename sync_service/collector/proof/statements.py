"""Statements: month by month, what the centre holds of every log, signed.

Whoever has a statement can have it compared later with what is stored: nothing that it tells of
can be deleted or altered unseen. It names no site and no kiosk, and holds no record.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime, time
from pathlib import Path
from typing import Annotated, Final, Literal, TypeAlias

import msgspec
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncEngine

from sync_service.collector import tables
from sync_service.collector.database import reading
from sync_service.collector.error import OfficeError
from sync_service.collector.insight.period import Month, read_period
from sync_service.collector.proof.chain_walk import Found, Run, Step, Walk
from sync_service.collector.proof.findings import Finding, Kind
from sync_service.collector.proof.papers import Hex, read_paper, write_paper
from sync_service.collector.proof.records import digest_of, read_records
from sync_service.contract.error import MalformedError, SignatureError
from sync_service.contract.signing import Context, SigningKey, VerifyingKey

Number: TypeAlias = Annotated[int, msgspec.Meta(ge=0)]

_DONE_TO_RECORDS: Final = frozenset(
    {Kind.ALTERED, Kind.SWAPPED, Kind.LINK_DAMAGED, Kind.BYTES_GONE, Kind.REDACTED, Kind.EXPIRED}
)


class StatedRun(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Consecutive records of a branch, and the link of the last, which stands for all before it."""

    branch: Number
    first_seq: Number
    last_seq: Number
    link: Hex


class StatedLog(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What was held of a log: how many records, of how many the bytes, and which runs of them."""

    log: Hex
    records: Number
    bytes_held: Number
    runs: tuple[StatedRun, ...]

    @property
    def log_id(self) -> bytes:
        """The log's id."""
        return bytes.fromhex(self.log)

    def covers(self, finding: Finding) -> bool:
        """Whether something was found that was done to what was held then."""
        return finding.kind in _DONE_TO_RECORDS and any(
            run.branch == finding.branch
            and run.first_seq <= finding.last_seq
            and finding.first_seq <= run.last_seq
            for run in self.runs
        )

    def compare(self, links: Mapping[int, set[bytes]], held: Sequence[Run]) -> Iterator[Finding]:
        """What was held then and is not now.

        ``links`` are those of the last records of its runs, as far as they are held now; ``held``
        are the runs there are now, of whatever branch: a backup may have brought them back on
        another.
        """
        held = sorted(held, key=lambda run: run.first_seq)
        for run in self.runs:
            for first_seq, last_seq in _without(run, held):
                yield Finding(
                    kind=Kind.MISSING, branch=run.branch, first_seq=first_seq, last_seq=last_seq
                )
            now = links.get(run.last_seq)
            if now and bytes.fromhex(run.link) not in now:
                yield Finding(
                    kind=Kind.ALTERED,
                    branch=run.branch,
                    first_seq=run.first_seq,
                    last_seq=run.last_seq,
                    why="they lead to another link than the one stated",
                )


class Statement(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What was held of every log at the end of a month, in UTC, as of ``made_at``."""

    format: Literal[1]
    month: str
    made_at: str
    logs: tuple[StatedLog, ...]


async def make_statement(
    engine: AsyncEngine, month: Month, now: int, receipt_key: SigningKey
) -> str:
    """The signed statement of a month, as JSON.

    Raises:
        OfficeError: the month is not over, in UTC.
    """
    end = int(datetime.combine(month.end, time(), UTC).timestamp())
    if now < end:
        raise OfficeError(f"{month.name} is not over yet")
    log = tables.log.c
    async with reading(engine) as connection:
        found = await connection.scalars(select(log.log_id).order_by(log.log_id))
        log_ids = [*found]
    stated = [await _state(engine, log_id, end) for log_id in log_ids]
    made_at = datetime.fromtimestamp(now, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    statement = Statement(1, month.code, made_at, tuple(each for each in stated if each.records))
    return write_paper(receipt_key, Context.STATEMENT, statement)


def read_statement(path: Path, keys: Sequence[VerifyingKey]) -> Statement:
    """The statement in a file.

    Raises:
        OfficeError: it can't be read, is no statement, or was signed by none of the keys.
    """
    try:
        statement = read_paper(path.read_bytes(), Context.STATEMENT, Statement, keys)
        read_period(statement.month)
    except OSError as error:
        raise OfficeError(f"{path}: can't be read: {error.strerror}") from None
    except (MalformedError, SignatureError, ValueError) as error:
        raise OfficeError(f"{path}: refused: {error}") from None
    return statement


async def _state(engine: AsyncEngine, log_id: bytes, before: int) -> StatedLog:
    """What is held of a log, of what came before a time."""
    records = bytes_held = 0
    runs: list[StatedRun] = []
    branch, walk = 0, Walk(1, None)
    async with reading(engine) as connection:
        async for rows in read_records(connection, log_id, before):
            records += len(rows)
            for row in rows:
                if row.branch != branch:
                    runs += _stated(branch, walk.end(0))
                    branch, walk = row.branch, Walk(row.seq, None)
                bytes_held += row.sealed is not None
                if (known := digest_of(row)) is not None:
                    runs += _stated(branch, walk.take(Step(row.seq, row.previous, known)))
    runs += _stated(branch, walk.end(0))
    return StatedLog(log_id.hex(), records, bytes_held, tuple(runs))


def _stated(branch: int, found: Iterable[Found]) -> list[StatedRun]:
    return [
        StatedRun(branch, run.first_seq, run.last_seq, run.link.hex())
        for run in found
        if isinstance(run, Run)
    ]


def _without(run: StatedRun, held: Sequence[Run]) -> Iterator[tuple[int, int]]:
    """The parts of a run that none of the others, in the order of their seq, has."""
    next_seq = run.first_seq
    for other in held:
        if other.first_seq > run.last_seq:
            break
        if other.first_seq > next_seq:
            yield next_seq, other.first_seq - 1
        next_seq = max(next_seq, other.last_seq + 1)
    if next_seq <= run.last_seq:
        yield next_seq, run.last_seq
