"""The agent's rounds: one contact after another, for ever, at the pace that each allows."""

import logging
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, date, datetime, timedelta
from random import Random
from typing import Final

from sync_service.agent.backoff import Backoff
from sync_service.agent.client import (
    Collector,
    ContractBrokenError,
    NotAdmittedError,
    UnprovenError,
    UnreachableError,
)
from sync_service.agent.config import AgentSettings
from sync_service.agent.delivery import Delivery
from sync_service.agent.introduction import Introduction
from sync_service.agent.publications import Publications
from sync_service.agent.wishes import heed
from sync_service.contract.signing import fingerprint
from sync_service.contract.stamp import Stamp
from sync_service.contract.wire import Receipt, Standing, Status, StatusReply, depth_step, new_nonce
from sync_service.outbox.clock import Clock
from sync_service.outbox.database import OutboxError
from sync_service.outbox.identity import Identity
from sync_service.outbox.outbox import Outbox
from sync_service.outbox.state import State

log = logging.getLogger(__name__)

_NOT_TRIED: Final = "not tried yet"


class Agent:
    """Carries one kiosk's records out and publications in.

    ``wait`` sleeps that many seconds, or until told to stop, and says which: true is stop.
    ``software`` is what the kiosk runs, as its status and enrolment tell it.
    """

    def __init__(
        self,
        settings: AgentSettings,
        *,
        stamp: Stamp,
        software: str,
        outbox: Outbox,
        state: State,
        identity: Identity,
        clock: Clock,
        collector: Collector,
        random: Random,
        wait: Callable[[float], bool],
    ) -> None:
        self._settings = settings
        self._outbox = outbox
        self._state = state
        self._identity = identity
        self._clock = clock
        self._collector = collector
        self._random = random
        self._wait = wait
        self._backoff = Backoff(random, settings.backoff_cap_s)
        self._introduction = Introduction(
            stamp=stamp,
            software=software,
            outbox=outbox,
            state=state,
            identity=identity,
            clock=clock,
            hold_half_day=settings.hold_half_day,
        )
        self._publications = Publications(collector.publication, state)
        self._delivery = Delivery(
            outbox,
            collector,
            identity.kiosk_id,
            hold=self._introduction.hold,
            stopping=lambda: wait(0),
        )
        self._contact_in_s = 0.0
        self._trouble: str | None = _NOT_TRIED

    def run(self) -> None:
        """Go on until told to stop."""
        pause_s = 0.0
        while not self._wait(pause_s):
            pause_s = self._round()

    def once(self) -> bool:
        """Make one contact, and say whether it went well."""
        self._round()
        return self._trouble is None

    def _round(self) -> float:
        """Make a contact if it is time for one or anything is due; the pause that follows."""
        try:
            self._clock.heed(self._state.times())
            if self._contact_in_s <= 0 or self._delivery.due():
                self._contact()
            pause_s = self._near(self._settings.poll_s)
            self._contact_in_s -= pause_s
            return pause_s
        except UnreachableError as error:
            pause_s = self._backoff.next_s(error.retry_after_s)
            trouble, detail = error.code, error.detail
        except NotAdmittedError as error:
            pause_s = self._near(self._settings.ask_again_s)
            trouble, detail = error.code, error.detail
        except ContractBrokenError as error:
            pause_s = self._backoff.last_s()
            trouble, detail = error.code, error.detail
        except OutboxError as error:
            pause_s = self._backoff.next_s()
            trouble, detail = type(error).__name__, str(error)
        except Exception as error:
            pause_s = self._backoff.last_s()
            trouble, detail = type(error).__name__, ""
            if trouble != self._trouble:
                log.exception("bug in the agent")
        self._note_trouble(trouble, detail, pause_s)
        return pause_s

    def _contact(self) -> None:
        """Say how the kiosk is, take what is offered, deliver what is due, purge what is old.

        Raises:
            ContactError: no contact, or one that ended early.
            OutboxError: the store failed.
        """
        status, reply = self._introduce()
        # By the collector's clock, which is signed; the kiosk's may be years wrong.
        today = datetime.fromtimestamp(reply.at, UTC).date()
        self._identity.note_standing(reply.standing)
        self._publications.take(reply.offers)
        if reply.standing is not Standing.ENROLLED:
            raise NotAdmittedError(f"{reply.standing.name.lower()}-kiosk", self._fingerprint)
        heed(reply, status.log_id, self._outbox)
        if self._state.last_contact != today:
            self._offer_former_logs(status)
        receipt = self._delivery.deliver(today)
        self._outbox.purge(today - timedelta(days=self._settings.retention_days))
        self._note_success(today)
        if receipt is not None:
            depth = depth_step(self._outbox.extent().depth)
            log.info("delivered what was due", extra={"depth": depth})
        # Whoever lost something will say what it wants at the next status; and of a kiosk that
        # goes, the last status shall say that nothing waits.
        soon = receipt is not None and (self._lost_something(receipt) or self._state.retiring)
        self._contact_in_s = 0 if soon else self._near(self._settings.contact_s)

    def _offer_former_logs(self, status: Status) -> None:
        """Hear what the collector wants of the logs before the one in use."""
        for about in self._introduction.about_former_logs(status):
            with suppress(ContractBrokenError):  # it wants nothing of a log that it won't hear of
                for first_seq, last_seq in self._collector.status(about).wanted:
                    self._outbox.offer_again(about.log_id, first_seq, last_seq)

    def _introduce(self) -> tuple[Status, StatusReply]:
        """A status and the reply to it, after enrolling where that is the matter."""
        try:
            return self._ask()
        except NotAdmittedError as error:
            if error.code != "unknown-kiosk":
                raise
        with suppress(UnprovenError):  # by a newer key, which the reply to a status offers
            self._enrol()
        return self._ask()

    def _ask(self) -> tuple[Status, StatusReply]:
        """A status and its reply, after taking newer keys where it can't be believed without."""
        try:
            return self._report()
        except UnprovenError as error:
            if not self._publications.take(error.keys):
                raise
        return self._report()

    def _report(self) -> tuple[Status, StatusReply]:
        """A status and its reply, whose time is kept if the collector's certificate holds then."""
        status, asked_s = self._introduction.status(new_nonce()), self._clock.elapsed_s
        reply = self._collector.status(status)
        if self._collector.vouches_for(reply.at):
            self._state.note_signed_time(self._clock.told(reply.at, asked_s))
            self._clock.heed(self._state.times())
        return status, reply

    def _enrol(self) -> None:
        enrolment = self._introduction.enrolment(new_nonce())
        standing = self._collector.enrol(enrolment).standing
        self._identity.note_standing(standing)
        log.info(
            "enrolment asked for",
            extra={"kiosk": self._fingerprint, "standing": standing.name.lower()},
        )

    @property
    def _fingerprint(self) -> str:
        """What the central team compares when it approves a kiosk."""
        return fingerprint(self._identity.kiosk_id)

    def _lost_something(self, receipt: Receipt) -> bool:
        """Whether the collector holds less of the log than it has given receipts for."""
        extent = self._outbox.extent()
        return receipt.log_id == extent.log_id and receipt.log_head.seq < extent.settled_seq

    def _note_success(self, today: date) -> None:
        if self._state.last_contact != today:
            self._state.note_contact(today)
        if self._state.last_error is not None:
            self._state.note_error(None)
        if self._trouble is not None:
            log.info("contact made")
        self._trouble = None
        self._backoff.reset()

    def _note_trouble(self, trouble: str, detail: str, pause_s: float) -> None:
        if trouble == self._trouble:
            return
        self._trouble = trouble
        log.warning(
            "no contact",
            extra={"reason": trouble, "detail": detail, "next_try_in_s": round(pause_s)},
        )
        with suppress(OutboxError):  # the store may be the very thing that failed
            self._state.note_error(trouble)

    def _near(self, span_s: float) -> float:
        """A span a little shorter by chance, so that a fleet does not come all at once."""
        return self._random.uniform(0.8 * span_s, span_s)
