"""Delivery: what is due goes out in batches, and receipts settle it."""

from collections.abc import Callable
from datetime import date

from sync_service.agent.client import Collector, ContractBrokenError, TooMuchError
from sync_service.contract.wire import MAX_BATCH_RECORDS, Receipt, new_nonce
from sync_service.outbox.outbox import MAX_RUN_LENGTH, Outbox, Run


class Delivery:
    """Delivers a kiosk's outbox.

    ``hold`` gives the half-day that is not over yet, whose records stay; None holds none back.
    ``stopping`` says whether to end after the batch in hand.
    """

    def __init__(
        self,
        outbox: Outbox,
        collector: Collector,
        kiosk_id: bytes,
        *,
        hold: Callable[[], int | None],
        stopping: Callable[[], bool],
    ) -> None:
        self._outbox = outbox
        self._collector = collector
        self._kiosk_id = kiosk_id
        self._hold = hold
        self._stopping = stopping
        self._limit = MAX_BATCH_RECORDS

    def due(self) -> bool:
        """Whether there is anything to deliver."""
        return self._next_run(1) is not None

    def deliver(self, day: date) -> Receipt | None:
        """Deliver all that is due, settled as of ``day``.

        Returns the last receipt, or None if nothing was due. No transaction is open while a
        request is under way.

        A batch that does not get through is halved, down to one record, so that a slow line, or
        one record that can't pass, does not hold up those before it; each success doubles the
        next batch.

        Raises:
            ContactError: no receipt, even for one record; what was not settled stays due.
            OutboxError: the store failed.
        """
        receipt = None
        while not self._stopping() and (run := self._next_run(self._limit)) is not None:
            batch = run.batch(self._kiosk_id, new_nonce())
            try:
                receipt = self._collector.deliver(batch)
            except (TooMuchError, ContractBrokenError) as error:
                self._limit = max(1, len(run.sealed) // 2)
                asked_to_wait = isinstance(error, TooMuchError) and error.retry_after_s is not None
                if len(run.sealed) == 1 or asked_to_wait:
                    raise
                continue
            self._outbox.settle(run.log_id, run.first_seq, receipt.outcomes, day)
            self._limit = min(2 * self._limit, MAX_BATCH_RECORDS)
        return receipt

    def _next_run(self, limit: int) -> Run | None:
        return self._outbox.next_run(limit, MAX_RUN_LENGTH, self._hold())
