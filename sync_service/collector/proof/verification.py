"""Verification: the chain of a log recomputed from what is stored, and compared with what its kiosk
signed of it.

Records are read as they come from the database, and none is held.
"""

from collections import defaultdict
from collections.abc import AsyncIterator, Container, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple

from sqlalchemy import and_, delete, select, update
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from sync_service.collector import tables
from sync_service.collector.database import reading, writing
from sync_service.collector.proof.chain_walk import Fault, Found, Gap, Misfit, Run, Step, Walk
from sync_service.collector.proof.expiries import Expiry, read_expiries
from sync_service.collector.proof.findings import Finding, Kind, utc_day
from sync_service.collector.proof.records import Held, digest_of, read_records
from sync_service.collector.proof.redactions import Redaction, read_redactions
from sync_service.collector.proof.signed_heads import read_heads
from sync_service.collector.proof.statements import StatedLog
from sync_service.collector.tables import Opening
from sync_service.contract.chain import Head, first_link
from sync_service.contract.signing import VerifyingKey

_KINDS: Final[Mapping[Fault, Kind]] = {
    Fault.ALTERED: Kind.ALTERED,
    Fault.SWAPPED: Kind.SWAPPED,
    Fault.LINK: Kind.LINK_DAMAGED,
}


@dataclass(frozen=True, slots=True)
class LogName:
    """A log, and whose it is: the site and the name of its kiosk, if they are known."""

    log_id: bytes
    site: str = "?"
    kiosk: str = "?"


async def list_logs(
    engine: AsyncEngine, site: str | None = None, kiosk: str | None = None
) -> list[LogName]:
    """All logs, or those of one site, or of one kiosk there; by site and kiosk."""
    log, stamp = tables.log.c, tables.stamp.c
    query = (
        select(log.log_id, stamp.site, stamp.name)
        .select_from(tables.log)
        .join(tables.kiosk)
        .join(tables.stamp)
        .order_by(stamp.site, stamp.name, log.begun_at, log.log_id)
    )
    if site is not None:
        query = query.where(stamp.site == site)
    if kiosk is not None:
        query = query.where(stamp.name == kiosk)
    async with reading(engine) as connection:
        return [LogName(*row) for row in await connection.execute(query)]


class _Branch(NamedTuple):
    """A branch as the collector has noted it down at intake."""

    branch: int
    begun_at: int
    from_seq: int
    whole_seq: int
    whole_link: bytes
    head_seq: int
    head_link: bytes


class Verification:
    """Looks at logs. ``records`` counts the records that it has looked at.

    ``receipt_keys`` are the public ones that ever were in force.
    """

    def __init__(self, engine: AsyncEngine, receipt_keys: Sequence[VerifyingKey]) -> None:
        self.records = 0
        self._engine = engine
        self._receipt_keys = receipt_keys
        self._overstated: list[tuple[bytes, _Branch, _Branch | None]] = []

    async def look_at(self, log_id: bytes) -> AsyncIterator[Finding]:
        """What there is to say of a log, as it is at one moment; nothing, if it is whole."""
        async with reading(self._engine) as connection:
            look = _Look(connection, log_id, self._receipt_keys)
            async for finding in look.findings():
                yield finding
        self.records += look.records
        self._overstated += [(log_id, noted, held) for noted, held in look.overstated()]

    async def ask_again(self) -> int:
        """Let kiosks be asked for what was found missing, as far as they still have it.

        What intake had noted of branches made it believe that it held that, too. Says of how many
        branches this is put right; one that has grown meanwhile is left to the next look.
        """
        number = 0
        async with writing(self._engine) as connection:
            for log_id, noted, held in self._overstated:
                columns = noted._asdict()
                this = and_(
                    tables.branch.c.log_id == log_id,
                    *(tables.branch.c[name] == value for name, value in columns.items()),
                )
                change = (
                    delete(tables.branch).where(this)
                    if held is None
                    else update(tables.branch).where(this).values(held._asdict())
                )
                number += (await connection.execute(change)).rowcount
        self._overstated.clear()
        return number

    async def compare(self, stated: StatedLog) -> AsyncIterator[Finding]:
        """What was done to a log since a statement; nothing, if all is held that it tells of."""
        async with reading(self._engine) as connection:
            look = _Look(connection, stated.log_id, self._receipt_keys)
            async for finding in look.comparison(stated):
                yield finding
        self.records += look.records


class _Look:
    """One look at a log."""

    def __init__(
        self, connection: AsyncConnection, log_id: bytes, receipt_keys: Sequence[VerifyingKey]
    ) -> None:
        self.records = 0
        self._connection = connection
        self._log_id = log_id
        self._receipt_keys = receipt_keys
        self._redactions: Mapping[bytes, Redaction] = {}
        self._expiries: Mapping[int, Expiry] = {}
        self._walks: list[_BranchWalk] = []

    async def findings(self) -> AsyncIterator[Finding]:
        """All there is to say."""
        heads = await read_heads(self._connection, self._log_id)
        async for finding in self._walk(heads.seqs):
            yield finding
        links = self._links()
        for each in self._walks:
            for finding in each.fork(links):
                yield finding
        held_seq = max((each.last_seq for each in self._walks), default=0)
        for finding in heads.compare(links, held_seq):
            yield finding

    async def comparison(self, stated: StatedLog) -> AsyncIterator[Finding]:
        """What there is to say of what a statement tells of."""
        async for finding in self._walk({run.last_seq for run in stated.runs}):
            if stated.covers(finding):
                yield finding
        held = [run for each in self._walks for run in each.runs]
        for finding in stated.compare(self._links(), held):
            yield finding

    def overstated(self) -> Iterator[tuple[_Branch, _Branch | None]]:
        """Branches of which more is noted than is held: what is noted, and what should be."""
        for each in self._walks:
            noted, held = each.noted, each.held()
            if held is None:
                yield noted, None
            elif (
                held.from_seq > noted.from_seq
                or held.whole_seq < noted.whole_seq
                or held.head_seq < noted.head_seq
            ):
                yield noted, held

    def _links(self) -> Mapping[int, set[bytes]]:
        """The links that were looked out for, on all branches, by their seq."""
        links: defaultdict[int, set[bytes]] = defaultdict(set)
        for each in self._walks:
            for seq, link in each.walk.links.items():
                links[seq].add(link)
        return links

    async def _walk(self, also_wanted: set[int]) -> AsyncIterator[Finding]:
        """Walk along every branch."""
        branches = await self._branches()
        signed = self._connection, self._log_id, self._receipt_keys
        self._redactions = await read_redactions(*signed)
        self._expiries = await read_expiries(*signed)
        wanted = also_wanted | {branch.from_seq - 1 for branch in branches.values()}
        along: _BranchWalk | None = None
        async for rows in read_records(self._connection, self._log_id):
            self.records += len(rows)
            for row in rows:
                if along is None or along.noted.branch != row.branch:
                    for finding in along.end() if along else ():
                        yield finding
                    noted = branches.pop(row.branch, None) or _noted_by(row)
                    along = self._begin(noted, wanted)
                for finding in along.take(row):
                    yield finding
        for finding in along.end() if along else ():
            yield finding
        for noted in branches.values():  # of which nothing is held
            for finding in self._begin(noted, wanted).end():
                yield finding

    def _begin(self, noted: _Branch, wanted: Container[int]) -> "_BranchWalk":
        expiry = self._expiries.get(noted.branch)
        walk = _BranchWalk(self._log_id, noted, wanted, self._redactions, expiry)
        self._walks.append(walk)
        return walk

    async def _branches(self) -> dict[int, _Branch]:
        branch = tables.branch.c
        found = await self._connection.execute(
            select(*(branch[name] for name in _Branch._fields))
            .where(branch.log_id == self._log_id)
            .order_by(branch.branch)
        )
        return {row.branch: _Branch(*row) for row in found}


class _BranchWalk:
    """A walk along a branch, and what was found there."""

    def __init__(
        self,
        log_id: bytes,
        noted: _Branch,
        wanted: Container[int],
        redactions: Mapping[bytes, Redaction],
        expiry: Expiry | None,
    ) -> None:
        self.noted = noted
        self.joins: Head | None = None
        """What the first record says that it follows from."""
        self.last_seq = noted.head_seq
        from_seq = noted.from_seq if noted.branch else 1
        self.walk = Walk(
            from_seq,
            first_link(log_id) if from_seq == 1 else None,
            ends={noted.head_seq: noted.head_link, noted.whole_seq: noted.whole_link},
            wanted=wanted,
        )
        self.runs: list[Run] = []
        self._came_at: int | None = None  # when the last one did
        self._redactions = redactions
        self._expiry = expiry
        self._note: Finding | None = None  # to which more records may be added

    def take(self, row: Held) -> Iterator[Finding]:
        """Go on to the next record."""
        known = digest_of(row)
        if known is None:  # nothing of it is left to go by: it is missing
            return
        if self.joins is None:
            self.joins = Head(row.seq - 1, row.previous)
        for found in self.walk.take(Step(row.seq, row.previous, known)):
            yield from self._told(found, row.received_at)
        if row.sealed is None:
            yield from self._add(self._why_empty(row))
        self._came_at = row.received_at
        self.last_seq = max(self.last_seq, row.seq)

    def end(self) -> Iterator[Finding]:
        """There are no more records."""
        for found in self.walk.end(self.noted.head_seq):
            yield from self._told(found, None)
        if self._note is not None:
            yield self._note

    def held(self) -> _Branch | None:
        """What should be noted of the branch; None if nothing of it is held."""
        if not self.runs:
            return None
        whole = self.runs[0]
        for run in self.runs[1:]:
            if run.first_seq > whole.last_seq + 1:
                break
            whole = run
        return self.noted._replace(
            from_seq=self.runs[0].first_seq,
            whole_seq=whole.last_seq,
            whole_link=whole.link,
            head_seq=self.runs[-1].last_seq,
            head_link=self.runs[-1].link,
        )

    def fork(self, links: Mapping[int, Container[bytes]]) -> Iterator[Finding]:
        """What there is to say if it is not the log's first branch, given the links of them all."""
        number, from_seq = self.noted.branch, self.noted.from_seq
        if number == 0:
            return
        yield Finding(
            kind=Kind.FORK,
            branch=number,
            first_seq=from_seq,
            last_seq=self.last_seq,
            since=utc_day(self.noted.begun_at),
        )
        if self.joins is None or self.joins.seq != from_seq - 1 or from_seq == 1:
            return
        if self.joins.link not in links.get(from_seq - 1, ()):
            yield Finding(
                kind=Kind.MISSING,
                branch=number,
                first_seq=from_seq - 1,
                last_seq=from_seq - 1,
                until=utc_day(self.noted.begun_at),
            )

    def _told(self, found: Found, next_at: int | None) -> Iterator[Finding]:
        match found:
            case Gap(first_seq, last_seq):
                yield Finding(
                    kind=Kind.MISSING,
                    branch=self.noted.branch,
                    first_seq=first_seq,
                    last_seq=last_seq,
                    since=None if self._came_at is None else utc_day(self._came_at),
                    until=None if next_at is None else utc_day(next_at),
                )
            case Run():
                self.runs.append(found)
            case Misfit(fault, first_seq, last_seq):
                yield Finding(
                    kind=_KINDS[fault],
                    branch=self.noted.branch,
                    first_seq=first_seq,
                    last_seq=last_seq,
                )

    def _why_empty(self, row: Held) -> Finding:
        """Why the bytes of a record are not held."""
        kind, on, why = Kind.BYTES_GONE, utc_day(row.received_at), ""
        if row.opening in (Opening.REFUSED, Opening.ASKED):
            kind = Kind.REFUSED
        elif (redaction := self._redactions.get(row.digest)) is not None:
            kind, on, why = Kind.REDACTED, redaction.on, redaction.reason
        elif self._expiry is not None and self._expiry.covers(row.seq):
            kind = Kind.EXPIRED
        return Finding(
            kind=kind,
            branch=self.noted.branch,
            first_seq=row.seq,
            last_seq=row.seq,
            since=on,
            until=on,
            why=why,
        )

    def _add(self, finding: Finding) -> Iterator[Finding]:
        """Add to what is noted, or begin anew."""
        if self._note is not None and self._note.goes_on_with(finding):
            finding = self._note.and_then(finding)
        elif self._note is not None:
            yield self._note
        self._note = finding


def _noted_by(row: Held) -> _Branch:
    """What is to be thought of a branch that nothing is noted of, by its first record."""
    nothing = (0, b"", 0, b"")
    return _Branch(row.branch, row.received_at, row.seq, *nothing)
