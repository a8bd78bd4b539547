"""Intake: what kiosks deliver is verified, stored sealed, and receipted, in one transaction.

Intake judges only what it can see: lengths, algorithm and key id, the signature, the chain within
the batch, the kiosk's standing. What a record says is for `opening`.
"""

import logging
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import Row as SQLRow
from sqlalchemy import bindparam, exists, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from sync_service.collector import tables
from sync_service.collector.admission import (
    check_enrolled,
    check_log,
    check_signature,
    find_kiosk,
    read_message,
)
from sync_service.collector.branches import Branch, Row, Stretch, place
from sync_service.collector.database import insert_columns, reading, writing
from sync_service.collector.error import ProblemError
from sync_service.collector.published import Published
from sync_service.collector.tables import Opening
from sync_service.contract.chain import Head, digest, link
from sync_service.contract.error import MalformedError, UnknownKeyError
from sync_service.contract.publication import Keys
from sync_service.contract.sealing import HEADER_LENGTH, read_header
from sync_service.contract.signing import Context, SigningKey, VerifyingKey, fingerprint
from sync_service.contract.wire import Batch, Receipt, Recorded

MAX_BRANCHES: Final = 256
"""How many branches of one log are kept."""

_log: Final = logging.getLogger(__name__)

_branch: Final = tables.branch.c
# Made once: to put a query together takes longer than to send it.
_BRANCHES: Final = (
    select(
        _branch.branch,
        _branch.from_seq,
        _branch.whole_seq,
        _branch.whole_link,
        _branch.head_seq,
        _branch.head_link,
        exists().where(tables.redaction.c.log_id == bindparam("log_id")).label("redacted"),
    )
    .where(_branch.log_id == bindparam("log_id"))
    .order_by(_branch.branch)
)
_REDACTED: Final = select(tables.redaction.c.digest).where(
    tables.redaction.c.log_id == bindparam("log_id")
)
_GROW: Final = update(tables.branch).where(
    _branch.log_id == bindparam("of_log"), _branch.branch == bindparam("of_branch")
)


class Intake:
    """Takes batches in. ``published_keys`` say which keys a record may be sealed to."""

    def __init__(
        self, engine: AsyncEngine, receipt_key: SigningKey, published_keys: Published[Keys]
    ) -> None:
        self._engine = engine
        self._receipt_key = receipt_key
        self._published_keys = published_keys
        self._verifying_keys: dict[bytes, VerifyingKey] = {}

    async def take(self, body: bytes, now: int) -> bytes:
        """Take a signed batch in and give its signed receipt; ``now`` is seconds since 1970.

        What the receipt says is held is on the disk. The same batch again is a success; every
        record of it is then a duplicate. The receipt's ``log_head`` is the newest record of the
        branch on which the batch's last record stands that none is missing before, counted from
        the lowest seq held of that branch; a refused record is not missing.

        Raises:
            ProblemError: the batch is refused whole, and nothing of it is stored. So it is if it
                would begin one more than `MAX_BRANCHES`.
            BusyError: the database has no turn to give just now.
        """
        envelope, batch = read_message(body, Batch)
        check_signature(envelope, await self._verifying_key(batch.kiosk_id), Context.BATCH)
        verdicts = await self._judge(batch.sealed)
        async with writing(self._engine) as connection:
            # Locked, so that equal batches at once take turns.
            check_enrolled(await find_kiosk(connection, batch.kiosk_id, lock=True))
            await check_log(connection, batch.log_id, batch.kiosk_id, now)
            outcomes, log_head = await _Entry(connection, batch, verdicts, now).store()
        counts = Counter(outcome.name.lower() for outcome in outcomes)
        # Who delivers when is nobody's business: with a witness, it would tell whose record it is.
        _log.info("batch taken in", extra=counts)
        receipt = Receipt(
            kiosk_id=batch.kiosk_id,
            nonce=batch.nonce,
            log_id=batch.log_id,
            first_seq=batch.first_seq,
            batch_head=batch.head.link,
            outcomes=outcomes,
            log_head=log_head,
        )
        return self._receipt_key.sign(Context.RECEIPT, receipt.encode())

    async def _verifying_key(self, kiosk_id: bytes) -> VerifyingKey:
        """What an enrolled kiosk signs by. An id is that of a key, so what was seen stays true."""
        if kiosk_id not in self._verifying_keys:
            async with reading(self._engine) as connection:
                kiosk = await find_kiosk(connection, kiosk_id)
            check_enrolled(kiosk)
            self._verifying_keys[kiosk_id] = kiosk.key
        return self._verifying_keys[kiosk_id]

    async def _judge(self, sealed: Sequence[bytes]) -> list[Recorded]:
        """What each record by itself is: accepted, or refused."""
        verdicts = self._judge_by(self._key_ids(), sealed)
        if Recorded.REFUSED_KEY in verdicts:  # a key published since we last looked, perhaps
            async with reading(self._engine) as connection:
                await self._published_keys.load_all(connection)
            verdicts = self._judge_by(self._key_ids(), sealed)
        return verdicts

    def _key_ids(self) -> set[bytes]:
        return {keys.sealing.key_id for keys in self._published_keys.values()}

    @staticmethod
    def _judge_by(key_ids: set[bytes], sealed: Iterable[bytes]) -> list[Recorded]:
        verdicts = []
        alike: dict[tuple[bytes, int], Recorded] = {}  # by all that can be seen; few differ
        for record in sealed:
            seen = record[:HEADER_LENGTH], len(record)
            if seen not in alike:
                alike[seen] = _judge_one(key_ids, record)
            verdicts.append(alike[seen])
        return verdicts


def _judge_one(key_ids: set[bytes], record: bytes) -> Recorded:
    try:
        accepted = read_header(record).key_id in key_ids
    except UnknownKeyError:
        return Recorded.REFUSED_ALGORITHM
    except MalformedError:
        return Recorded.REFUSED_LENGTH
    return Recorded.ACCEPTED if accepted else Recorded.REFUSED_KEY


@dataclass(frozen=True)
class _Entry:
    """One batch on its way into its log. ``verdicts`` say what each record by itself is."""

    connection: AsyncConnection
    batch: Batch
    verdicts: Sequence[Recorded]
    now: int

    async def store(self) -> tuple[list[Recorded], Head]:
        """Write what is not held yet; give each record's outcome, and the receipt's head."""
        found = (await self.connection.execute(_BRANCHES, {"log_id": self.batch.log_id})).all()
        branches = {row.branch: _read_branch(row) for row in found}
        becomes = await self._openings(redacted=any(row.redacted for row in found))
        before = Head(self.batch.first_seq - 1, self.batch.previous)
        joined = next((branch for branch in branches.values() if branch.head == before), None)
        rows: Mapping[int, Mapping[int, Row]] = {}
        if joined is not None:  # as nearly always: what comes is next
            stretches = [Stretch(joined.number, 0, len(self.batch.sealed))]
        else:
            rows = await self._rows(branches)
            digests = [digest(sealed) for sealed in self.batch.sealed]
            stretches = place(self.batch, digests, [*branches.values()], rows)
            if any(stretch.branch >= MAX_BRANCHES for stretch in stretches):
                raise ProblemError("too-many-branches")
        outcomes: list[Recorded] = []
        log_head = before
        for stretch in stretches:
            branch = branches.get(stretch.branch)
            self._log_edges(stretch, branch)
            if branch is None:
                branch = await self._begin(stretch)
            outcomes += await self._write(stretch, rows.get(branch.number, {}), becomes)
            log_head = await self._grow(stretch, branch)
        return outcomes, log_head

    async def _rows(self, numbers: Iterable[int]) -> Mapping[int, Mapping[int, Row]]:
        """What is held of each branch where the batch would stand, and one seq to either side."""
        record = tables.record.c
        found = await self.connection.execute(
            select(
                record.branch,
                record.seq,
                record.previous,
                record.sealed,
                record.digest,
                record.opening,
            ).where(
                record.log_id == self.batch.log_id,
                record.branch.in_(numbers),  # so that the key is used
                record.seq.between(self.batch.first_seq - 1, self.batch.head.seq + 1),
            )
        )
        rows: defaultdict[int, dict[int, Row]] = defaultdict(dict)
        for number, seq, previous, sealed, known_digest, opening in found:
            rows[number][seq] = Row(
                previous,
                known_digest if sealed is None else digest(sealed),
                refused=opening in (Opening.REFUSED, Opening.ASKED),
            )
        return rows

    async def _openings(self, *, redacted: bool) -> list[Opening]:
        """What each record is to be, if it is new; ``redacted``: some of the log are."""
        gone: set[bytes] = set()
        if redacted:
            gone.update(await self.connection.scalars(_REDACTED, {"log_id": self.batch.log_id}))
        return [
            Opening.REFUSED
            if not verdict.held
            else Opening.REDACTED
            if gone and digest(sealed) in gone
            else Opening.WAITING
            for verdict, sealed in zip(self.verdicts, self.batch.sealed, strict=True)
        ]

    def _reach(self, stretch: Stretch) -> tuple[int, Head]:
        """A stretch's first seq, and its last record."""
        first_seq, links = self.batch.first_seq, self.batch.links
        return first_seq + stretch.start, Head(first_seq + stretch.end - 1, links[stretch.end - 1])

    async def _begin(self, stretch: Stretch) -> Branch:
        first_seq, last = self._reach(stretch)
        branch = Branch(stretch.branch, first_seq, last, last)
        await self.connection.execute(
            insert(tables.branch).values(
                log_id=self.batch.log_id, begun_at=self.now, **_columns(branch)
            )
        )
        return branch

    async def _write(
        self, stretch: Stretch, held: Mapping[int, Row], becomes: Sequence[Opening]
    ) -> list[Recorded]:
        """Write the records of a stretch that are not held; give each record's outcome."""
        outcomes: list[Recorded] = []
        # Alike ones together, as indices in the batch; nearly always, all are new and accepted.
        new: defaultdict[tuple[Recorded, Opening], list[int]] = defaultdict(list)
        offered_again: defaultdict[tuple[Recorded, Opening], list[int]] = defaultdict(list)
        for index in range(stretch.start, stretch.end):
            row = held.get(self.batch.first_seq + index)
            if row is not None and not row.refused:
                outcomes.append(Recorded.DUPLICATE)
            else:
                outcomes.append(self.verdicts[index])
                alike = self.verdicts[index], becomes[index]
                (new if row is None else offered_again)[alike].append(index)
        for (verdict, opening), indices in new.items():
            await self._insert(stretch.branch, verdict, opening, indices)
        for (verdict, opening), indices in offered_again.items():
            await self._fill_in(stretch.branch, verdict, opening, indices)
        return outcomes

    async def _insert(
        self, branch: int, verdict: Recorded, opening: Opening, indices: Sequence[int]
    ) -> None:
        """Write records for which no row stands."""
        befores = (self.batch.previous, *self.batch.links)
        kept = [self._kept(index, opening) for index in indices]
        await insert_columns(
            self.connection,
            tables.record,
            {
                "seq": [self.batch.first_seq + index for index in indices],
                "previous": [befores[index] for index in indices],
                "sealed": [sealed for sealed, _ in kept],
                "digest": [record_digest for _, record_digest in kept],
            },
            {"log_id": self.batch.log_id, "branch": branch, **self._judged(verdict, opening)},
        )

    async def _fill_in(
        self, branch: int, verdict: Recorded, opening: Opening, indices: Sequence[int]
    ) -> None:
        """Write records over the rows that stand for them since they were refused."""
        record = tables.record.c
        await self.connection.execute(
            update(tables.record)
            .where(
                record.log_id == self.batch.log_id,
                record.branch == branch,
                record.seq == bindparam("of_seq"),
            )
            .values(
                sealed=bindparam("now_sealed"),
                digest=bindparam("now_digest"),
                **self._judged(verdict, opening),
            ),
            [
                {"of_seq": self.batch.first_seq + index, "now_sealed": sealed, "now_digest": known}
                for index, (sealed, known) in (
                    (index, self._kept(index, opening)) for index in indices
                )
            ],
        )

    def _kept(self, index: int, opening: Opening) -> tuple[bytes | None, bytes | None]:
        """The sealed bytes; of a refused or redacted record only the digest, which proves that it
        was there.
        """
        sealed = self.batch.sealed[index]
        return (sealed, None) if opening is Opening.WAITING else (None, digest(sealed))

    def _judged(self, verdict: Recorded, opening: Opening) -> dict[str, object]:
        return {"received_at": self.now, "outcome": int(verdict), "opening": int(opening)}

    async def _grow(self, stretch: Stretch, branch: Branch) -> Head:
        """Let a branch reach over a stretch that was written; give how far it is whole then."""
        first_seq, last = self._reach(stretch)
        whole = branch.whole
        if last.seq + 1 < branch.from_seq:  # wholly before all it held
            whole = last
        elif first_seq <= whole.seq + 1 and last.seq > whole.seq:
            whole = last
            if last.seq < branch.head.seq:  # a gap was filled: the run goes on to the next one
                whole = await self._end_of_run(branch.number, last)
        grown = Branch(
            branch.number,
            min(branch.from_seq, first_seq),
            whole,
            last if last.seq > branch.head.seq else branch.head,
        )
        if grown != branch:
            where = {"of_log": self.batch.log_id, "of_branch": branch.number}
            await self.connection.execute(_GROW, where | _columns(grown))
        return whole

    async def _end_of_run(self, number: int, start: Head) -> Head:
        """The last record, from ``start`` on, before the next gap."""
        record, following = tables.record.c, tables.record.alias("following").c
        query = (
            select(record.seq, record.previous, record.sealed, record.digest)
            .where(
                record.log_id == self.batch.log_id,
                record.branch == number,
                record.seq >= start.seq,
                ~exists().where(
                    following.log_id == self.batch.log_id,
                    following.branch == number,
                    following.seq == record.seq + 1,
                ),
            )
            .order_by(record.seq)
            .limit(1)
        )
        seq, previous, sealed, held_digest = (await self.connection.execute(query)).one()
        return Head(seq, link(previous, seq, held_digest if sealed is None else digest(sealed)))

    def _log_edges(self, stretch: Stretch, branch: Branch | None) -> None:
        """Name a fork or a gap when it comes to be."""
        first_seq, _ = self._reach(stretch)
        where = {
            "kiosk": fingerprint(self.batch.kiosk_id),
            "log": self.batch.log_id.hex(),
            "branch": stretch.branch,
        }
        if branch is None and stretch.branch > 0:
            _log.warning("log forked", extra={**where, "from_seq": first_seq})
        missing_from = 1 if branch is None else branch.head.seq + 1
        if first_seq > missing_from and (branch is not None or stretch.branch == 0):
            gap = {"from_seq": missing_from, "to_seq": first_seq - 1}
            _log.warning("records missing", extra={**where, **gap})


def _read_branch(row: "SQLRow[*tuple[Any, ...]]") -> Branch:
    whole, head = Head(row.whole_seq, row.whole_link), Head(row.head_seq, row.head_link)
    return Branch(row.branch, row.from_seq, whole, head)


def _columns(branch: Branch) -> dict[str, int | bytes]:
    return {
        "branch": branch.number,
        "from_seq": branch.from_seq,
        "whole_seq": branch.whole.seq,
        "whole_link": branch.whole.link,
        "head_seq": branch.head.seq,
        "head_link": branch.head.link,
    }
