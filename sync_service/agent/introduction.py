"""How a kiosk introduces itself to the centre: by its enrolment, and by its status."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Final

from sync_service.contract.publication import Assignment
from sync_service.contract.stamp import Stamp
from sync_service.contract.wire import Enrolment, Status, depth_step, new_nonce
from sync_service.outbox.clock import Clock
from sync_service.outbox.identity import Identity
from sync_service.outbox.outbox import Outbox
from sync_service.outbox.state import State

RETIRING: Final = "kiosk-retiring"
"""The short code by which a kiosk that is being retired says so, among those of its troubles."""


class Introduction:
    """What one kiosk says of itself, at the moment it is asked. ``software`` is what it runs.

    ``hold_half_day``: nothing is said of the half-day that is not over yet.
    """

    def __init__(
        self,
        *,
        stamp: Stamp,
        software: str,
        outbox: Outbox,
        state: State,
        identity: Identity,
        clock: Clock,
        hold_half_day: bool,
    ) -> None:
        self._stamp = stamp
        self._software = software
        self._outbox = outbox
        self._state = state
        self._identity = identity
        self._clock = clock
        self._hold_half_day = hold_half_day

    def enrolment(self, nonce: bytes) -> Enrolment:
        """The request to be known."""
        return Enrolment(
            key=self._identity.signing_key.verifying_key,
            nonce=nonce,
            stamp_id=self._stamp.stamp_id,
            code=self._stamp.enrolment_code,
            software=self._software,
        )

    def status(self, nonce: bytes) -> Status:
        """How the kiosk is."""
        extent = self._outbox.extent(hold=self.hold())
        return Status(
            kiosk_id=self._identity.kiosk_id,
            nonce=nonce,
            log_id=extent.log_id,
            head=extent.head,
            settled_seq=extent.settled_seq,
            oldest_held_seq=extent.oldest_held_seq,
            depth=depth_step(extent.depth),
            oldest_waiting=extent.oldest_waiting,
            software=self._software,
            clock_synced=self._clock.synced(),
            clock_at=int(self._clock.now().timestamp()),
            uptime_h=self._clock.uptime_h,
            last_error=self._state.last_error,
            publications=self._state.serials(),
            stamp_id=self._stamp.stamp_id,
            troubles=self._troubles(),
        )

    def _troubles(self) -> tuple[str, ...]:
        """What is wrong with what is bolted to the kiosk; and that it goes, if it does."""
        return (*([RETIRING] if self._state.retiring else []), *self._state.troubles)

    def about_former_logs(self, status: Status) -> Iterator[Status]:
        """The same as a status says, but about each log before the one in use."""
        for extent in self._outbox.former_extents(hold=self.hold()):
            yield replace(
                status,
                nonce=new_nonce(),
                log_id=extent.log_id,
                head=extent.head,
                settled_seq=extent.settled_seq,
                oldest_held_seq=extent.oldest_held_seq,
            )

    def hold(self) -> int | None:
        """The half-day that is not over yet at the site, if its records are to be held."""
        if not self._hold_half_day:
            return None
        assignment = self._state.publications().assignment.body
        assert isinstance(assignment, Assignment)
        return self._clock.moment(assignment.timezone).half_day
