"""Days: what was counted of each becomes a record when it is over."""

from collections.abc import Iterable
from datetime import datetime, time
from typing import Final

from sync_service.contract.publication import Assignment, Keys
from sync_service.contract.record import DayRecord, Moment, Record, encode_record, half_day_of
from sync_service.outbox.clock import Clock
from sync_service.outbox.outbox import Outbox
from sync_service.outbox.state import DayCount, Held

_NOON: Final = time(12)


def put_days(counts: Iterable[DayCount], outbox: Outbox, held: Held, clock: Clock) -> None:
    """Put the record of each count, and drop the count. Only the process that records may do it.

    That of a day that is not over yet leaves with what else was recorded in this half of it.

    Raises:
        OutboxError: the store failed; what was not put is there to be put again.
    """
    assignment = held.assignment.body
    assert isinstance(assignment, Assignment)
    now = clock.moment(assignment.timezone)
    for count in counts:
        last_half = half_day_of(datetime.combine(count.day, _NOON))
        record = DayRecord(
            assignment=count.assignment,
            moment=Moment(last_half, None if count.sure else clock.evidence()),
            minutes_available=count.minutes_available,
            minutes_out_of_service=count.minutes_out_of_service,
            sessions_begun=count.sessions_begun,
            approaches=count.approaches,
        )
        sealed = seal(record, held, outbox.next_log())
        half_day = min(last_half, now.half_day)
        outbox.put_day(sealed, half_day, count.day, count.assignment, sure=count.sure)


def seal(record: Record, held: Held, log_id: bytes) -> bytes:
    """Seal a record by the key that is in force, for a log."""
    keys = held.keys.body
    assert isinstance(keys, Keys)
    return keys.sealing.seal(encode_record(record), log_id)
