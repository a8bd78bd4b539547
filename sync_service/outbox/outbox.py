"""The outbox: the kiosk's append-only log of sealed records, and how far it is delivered.

::

    put         settle: held              purge
    ────▶ waiting ───────▶ delivered ───────────▶ gone
            ▲ │ ▲              │
            │ │ └──────────────┘ offer_again
            │ │ settle: refused
            │ └──────────▶ quarantined
            └──────────────────┘ offer_again

Nothing else deletes. The chain goes on over what was purged: each record keeps the link before it,
and the log its head. A store has several logs if one of them forked, because the card was cloned
or an old copy of it put back: the newest is in use, and all are delivered.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any, Final

from sqlalchemy import Connection, Engine, Row, text

from sync_service.contract.chain import Head, digest, link
from sync_service.contract.record import day_of
from sync_service.contract.wire import MAX_BATCH_LENGTH, MAX_BATCH_RECORDS, Batch, Recorded
from sync_service.outbox.database import begin_log, reading, writing
from sync_service.outbox.fact import keep_fact, read_fact

MAX_RUN_LENGTH: Final = MAX_BATCH_LENGTH - 512 - 5 * MAX_BATCH_RECORDS
"""How long the sealed records of one batch may be, in bytes.

The rest is for the map, the signature, and the head of each byte string around the records.
"""

_LOGS: Final = "SELECT number, log_id, head_seq, head_link, settled_seq FROM log"
_FORKED: Final = "forked"
"""The fact that holds the id of the log that forked last."""


@dataclass(frozen=True, slots=True)
class Run:
    """Consecutive waiting records of one log, the first of them ``first_seq``.

    ``previous`` is the link before the first: what a batch is made of.
    """

    log_id: bytes
    first_seq: int
    previous: bytes
    sealed: tuple[bytes, ...]

    def batch(self, kiosk_id: bytes, nonce: bytes) -> Batch:
        """The batch in which a kiosk delivers it."""
        return Batch(
            kiosk_id=kiosk_id,
            log_id=self.log_id,
            first_seq=self.first_seq,
            previous=self.previous,
            sealed=self.sealed,
            nonce=nonce,
        )


@dataclass(frozen=True, slots=True)
class Extent:
    """How far a log has come, and what waits.

    ``settled_seq`` is the newest seq that a receipt settled, ``oldest_held_seq`` the oldest still
    kept; 0 where there is none. ``depth`` counts the waiting records of all logs, and
    ``oldest_waiting`` is the day of the one to be delivered first.
    """

    log_id: bytes
    head: Head
    settled_seq: int
    oldest_held_seq: int
    depth: int
    oldest_waiting: date | None


@dataclass(frozen=True, slots=True)
class Undelivered:
    """How many records are nowhere but here: those that wait, and those that the centre refused."""

    waiting: int
    quarantined: int

    @property
    def number(self) -> int:
        """All of them."""
        return self.waiting + self.quarantined


class Outbox:
    """The log in a store, from the kiosk's `put` to the agent's `settle`.

    Every method may raise an `OutboxError`; then nothing was changed, unless the commit itself
    failed: its result may be there all the same. Each may be called again safely.
    """

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    @property
    def log_id(self) -> bytes:
        """The id of the log in use: what a record must be sealed for."""
        with reading(self._engine) as connection:
            return bytes(_log_in_use(connection).log_id)

    def next_log(self) -> bytes:
        """The id of the log that the next record goes into, and must be sealed for.

        Where the log in use is known to have forked, another is begun. So only the process that
        records may ask, and only for a record that was not put yet.
        """
        with reading(self._engine) as connection:
            if not _has_forked(connection):
                return bytes(_log_in_use(connection).log_id)
        with writing(self._engine) as connection:
            return begin_log(connection)

    def note_fork(self, log_id: bytes) -> bool:
        """Keep in mind that a log has forked; says whether that is news."""
        with writing(self._engine) as connection:
            news = bool(read_fact(connection, _FORKED) != log_id)
            if news:
                keep_fact(connection, _FORKED, log_id)
        return news

    def put(self, sealed: bytes, half_day: int) -> int:
        """Append a sealed record; when this returns, it survives a power cut. Gives its seq.

        ``half_day`` is that of the record's moment. Putting the newest record once more changes
        nothing, so that a put whose result was not learned can be repeated.
        """
        with writing(self._engine) as connection:
            return _append(connection, sealed, half_day)

    def put_day(
        self, sealed: bytes, half_day: int, day: date, assignment: int, *, sure: bool = True
    ) -> None:
        """Append a sealed day record and drop its counters, in one.

        Does nothing if there are none of that day under that assignment: it was put before.
        """
        table = "day" if sure else "unsure_day"
        with writing(self._engine) as connection:
            counted = connection.execute(
                text(f"DELETE FROM {table} WHERE day = :day AND assignment = :assignment"),
                {"day": day.isoformat(), "assignment": assignment},
            )
            if counted.rowcount:
                _append(connection, sealed, half_day)

    def next_run(
        self, limit: int, max_length: int, hold: int | None, after: Run | None = None
    ) -> Run | None:
        """The records to deliver next: the first that wait, of the oldest log with any.

        At most ``limit`` records and ``max_length`` bytes of them, but one at least; it ends where
        a seq is not waiting, and before the first record of the half-day ``hold``, which no later
        record of its log overtakes. Only what comes after the run ``after`` counts, if one is
        given: so all that waits can be looked through. `None`: nothing is due.
        """
        with reading(self._engine) as connection:
            waiting = connection.execute(
                text(
                    "SELECT log_id, seq, previous, sealed, half_day"
                    " FROM record JOIN log ON log.number = record.log"
                    " WHERE state = 'waiting' AND (log, seq) > (:log, :seq)"
                    " ORDER BY log, seq LIMIT :limit"
                ),
                {"limit": limit, **_end_of(connection, after)},
            ).all()
        due: list[Row[tuple[bytes, int, bytes, bytes, int]]] = []
        length = 0
        for record in waiting:
            length += len(record.sealed)
            if record.half_day == hold:
                break
            if due:
                follows = (record.log_id, record.seq) == (due[-1].log_id, due[-1].seq + 1)
                if not follows or length > max_length:
                    break
            due.append(record)
        return _run_of(due) if due else None

    def held_run(self, log_id: bytes, first_seq: int, count: int) -> Run | None:
        """So many records of a log from a seq on, in whatever state; None if not all are held."""
        with reading(self._engine) as connection:
            held = connection.execute(
                text(
                    "SELECT log_id, seq, previous, sealed"
                    " FROM record JOIN log ON log.number = record.log"
                    " WHERE log_id = :log_id AND seq BETWEEN :first_seq AND :last_seq ORDER BY seq"
                ),
                {"log_id": log_id, "first_seq": first_seq, "last_seq": first_seq + count - 1},
            ).all()
        return _run_of(held) if held and len(held) == count else None

    def settle(
        self, log_id: bytes, first_seq: int, outcomes: Sequence[Recorded], day: date
    ) -> None:
        """Apply a receipt's outcomes, one a record from ``first_seq`` on.

        What the collector holds is delivered as of ``day``, what it refused is quarantined. Only
        waiting records change, so that settling twice is settling once.
        """
        settled = [
            {
                "log_id": log_id,
                "seq": seq,
                "state": "delivered" if outcome.held else "quarantined",
                "outcome": int(outcome),
                "day": day.isoformat(),
            }
            for seq, outcome in enumerate(outcomes, start=first_seq)
        ]
        with writing(self._engine) as connection:
            connection.execute(
                text(
                    "UPDATE record SET state = :state, outcome = :outcome, settled_day = :day"
                    " WHERE log = (SELECT number FROM log WHERE log_id = :log_id)"
                    " AND seq = :seq AND state = 'waiting'"
                ),
                settled,
            )
            connection.execute(
                text(
                    "UPDATE log SET settled_seq = max(settled_seq, :last_seq)"
                    " WHERE log_id = :log_id"
                ),
                {"log_id": log_id, "last_seq": first_seq + len(outcomes) - 1},
            )

    def offer_again(self, log_id: bytes, first_seq: int, last_seq: int) -> int:
        """Let what is still held of a range of seq, ends included, wait once more; how many do."""
        with writing(self._engine) as connection:
            again = connection.execute(
                text(
                    "UPDATE record SET state = 'waiting', outcome = NULL, settled_day = NULL"
                    " WHERE log = (SELECT number FROM log WHERE log_id = :log_id)"
                    " AND seq BETWEEN :first_seq AND :last_seq AND state <> 'waiting'"
                ),
                {"log_id": log_id, "first_seq": first_seq, "last_seq": last_seq},
            )
            return again.rowcount

    def purge(self, before: date) -> int:
        """Delete what was delivered before a day, and nothing else; how many records that were."""
        with writing(self._engine) as connection:
            purged = connection.execute(
                text("DELETE FROM record WHERE state = 'delivered' AND settled_day < :before"),
                {"before": before.isoformat()},
            )
            return purged.rowcount

    def extent(self, hold: int | None = None) -> Extent:
        """How far the log in use has come, and what waits, at one moment.

        The records that `next_run` would hold back for the half-day ``hold`` are left out, as if
        they were not made yet: whoever asks every hour must not learn in which hour they were.
        """
        with reading(self._engine) as connection:
            return _extent(connection, _log_in_use(connection), hold)

    def undelivered(self) -> Undelivered:
        """What would be lost with this store, of all its logs."""
        with reading(self._engine) as connection:
            waiting, quarantined = connection.exec_driver_sql(
                "SELECT count(*) FILTER (WHERE state = 'waiting'), count(*) FROM record"
                " WHERE state <> 'delivered'"
            ).one()
        return Undelivered(waiting, quarantined - waiting)

    def former_extents(self, hold: int | None = None) -> list[Extent]:
        """The same of the logs before the one in use, of which anything is still held."""
        with reading(self._engine) as connection:
            logs = connection.exec_driver_sql(
                f"{_LOGS} WHERE number < (SELECT max(number) FROM log)"
                " AND EXISTS (SELECT 1 FROM record WHERE log = number) ORDER BY number"
            ).all()
            return [_extent(connection, log, hold) for log in logs]


def _run_of(records: Sequence[Row[Any]]) -> Run:
    return Run(
        log_id=records[0].log_id,
        first_seq=records[0].seq,
        previous=records[0].previous,
        sealed=tuple(record.sealed for record in records),
    )


def _end_of(connection: Connection, run: Run | None) -> dict[str, int]:
    """Where in the order of all records a run ends; before them all, if there is none."""
    if run is None:
        return {"log": 0, "seq": 0}
    log = connection.execute(
        text("SELECT number FROM log WHERE log_id = :log_id"), {"log_id": run.log_id}
    ).scalar_one()
    return {"log": log, "seq": run.first_seq + len(run.sealed) - 1}


def _log_in_use(connection: Connection) -> Row[Any]:
    return connection.exec_driver_sql(f"{_LOGS} ORDER BY number DESC LIMIT 1").one()


def _extent(connection: Connection, log: Row[Any], hold: int | None) -> Extent:
    first_held = connection.execute(
        text(
            "SELECT seq, previous FROM record"
            " WHERE log = :log AND state = 'waiting' AND half_day = :hold"
            " ORDER BY seq LIMIT 1"
        ),
        {"log": log.number, "hold": hold},
    ).one_or_none()
    head = (
        Head(log.head_seq, log.head_link)
        if first_held is None
        else Head(first_held.seq - 1, first_held.previous)
    )
    told = {"log": log.number, "head_seq": head.seq}
    oldest_held_seq = connection.execute(
        text("SELECT min(seq) FROM record WHERE log = :log AND seq <= :head_seq"), told
    ).scalar_one()
    waiting = (
        "FROM record WHERE state = 'waiting' AND (log < :log OR log = :log AND seq <= :head_seq)"
    )
    depth = connection.execute(text(f"SELECT count(*) {waiting}"), told).scalar_one()
    first_half_day = connection.execute(
        text(f"SELECT half_day {waiting} ORDER BY log, seq LIMIT 1"), told
    ).scalar()
    return Extent(
        log_id=log.log_id,
        head=head,
        settled_seq=log.settled_seq,
        oldest_held_seq=oldest_held_seq or 0,
        depth=depth,
        oldest_waiting=None if first_half_day is None else day_of(first_half_day),
    )


def _has_forked(connection: Connection) -> bool:
    """Whether the log in use is the one that is known to have forked."""
    return bool(read_fact(connection, _FORKED) == _log_in_use(connection).log_id)


def _append(connection: Connection, sealed: bytes, half_day: int) -> int:
    # The driver's own SQL here and above: `text` costs as much as the disk does.
    log, head_seq, head_link, newest = connection.exec_driver_sql(
        "SELECT number, head_seq, head_link, sealed FROM log"
        " LEFT JOIN record ON record.log = log.number AND record.seq = log.head_seq"
        " ORDER BY number DESC LIMIT 1"
    ).one()
    if newest == sealed:
        return int(head_seq)
    head = Head(head_seq + 1, link(head_link, head_seq + 1, digest(sealed)))
    connection.exec_driver_sql(
        "INSERT INTO record (log, seq, previous, sealed, half_day, state)"
        " VALUES (?, ?, ?, ?, ?, 'waiting')",
        (log, head.seq, head_link, sealed, half_day),
    )
    connection.exec_driver_sql(
        "UPDATE log SET head_seq = ?, head_link = ? WHERE number = ?", (head.seq, head.link, log)
    )
    return head.seq
