"""Carrying by hand: what a kiosk and the centre say to each other by a stick, without a network.

Each visit settles what the centre has sent since, then leaves a new bundle: the requests that the
agent would make over the network, all under one nonce. The centre's reply to it may be there at
the next visit, or at none; every bundle holds all that still waits, so none is needed.
"""

from collections import Counter, deque
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

from sync_service.agent.client import (
    ContactError,
    UnprovenError,
    UnreachableError,
    believe_reply,
)
from sync_service.agent.introduction import Introduction
from sync_service.agent.publications import Publications
from sync_service.agent.wishes import heed
from sync_service.contract.bundle import BundleWriter, Closing, Part, read_parts
from sync_service.contract.error import CutShortError, MalformedError, SignatureError
from sync_service.contract.publication import publication_digest
from sync_service.contract.signing import Context, Envelope, fingerprint
from sync_service.contract.wire import (
    MAX_BATCH_RECORDS,
    Receipt,
    Recorded,
    Standing,
    StatusReply,
    new_nonce,
)
from sync_service.outbox.clock import Clock
from sync_service.outbox.identity import Identity
from sync_service.outbox.journeys import Journeys
from sync_service.outbox.outbox import MAX_RUN_LENGTH, Outbox, Run
from sync_service.outbox.state import State
from sync_service.stick import SentBy, Stick, StickFile


class CarriedError(Exception):
    """A reply on a stick can't be used; the message says why. Nothing is lost: go on without it."""


class Carrier:
    """Carries one kiosk's records and publications by a stick. ``say`` tells whoever holds it."""

    def __init__(
        self,
        stick: Stick,
        *,
        introduction: Introduction,
        outbox: Outbox,
        state: State,
        identity: Identity,
        journeys: Journeys,
        clock: Clock,
        retention_days: int,
        say: Callable[[str], object],
    ) -> None:
        self._stick = stick
        self._introduction = introduction
        self._outbox = outbox
        self._state = state
        self._identity = identity
        self._journeys = journeys
        self._clock = clock
        self._retention_days = retention_days
        self._say = say

    def visit(self) -> bool:
        """Settle what the centre sent, then write a new bundle; whether no reply was refused.

        Pulled out at any instant, the stick holds the bundle from before, the new one, or both.

        Raises:
            OSError: the stick can't be read or written; what was settled is settled.
            OutboxError: the store failed.
        """
        own = fingerprint(self._identity.kiosk_id)
        before = [file for file in self._stick.files() if file.fingerprint == own]
        refused = False
        for file in before:
            if file.sent_by is SentBy.CENTRE:
                try:
                    self._say(self._settle(file))
                except CarriedError as error:
                    self._say(f"Refused: {file.path.name}: {error}.")
                    refused = True
        written = self._write()
        self._stick.remove(before)
        self._say(f"Written for the centre, as kiosk {own}: {written} records.")
        return not refused

    def _settle(self, file: StickFile) -> str:
        """Settle a reply of the centre; what to say of it."""
        if not file.whole:
            raise CarriedError("it was not written to its end")
        try:
            reply = _CarriedReply(file.path, self._state.believe)
        except CutShortError:
            raise CarriedError("it was not written to its end") from None
        except MalformedError:
            raise CarriedError("it was altered, or is damaged") from None
        if reply.closing.kiosk_id != self._identity.kiosk_id:
            raise CarriedError("it is for another kiosk")
        if self._journeys.returned(reply.closing.nonce):
            return "The centre's reply was settled before."
        log_id = self._journeys.log_of(reply.closing.nonce)
        if log_id is None:
            raise CarriedError("it is older than what was settled, or to no bundle of this kiosk's")
        try:
            return self._settle_whole(reply, log_id)
        except (ContactError, SignatureError):
            raise CarriedError("it was not signed by this kiosk's centre") from None

    def _settle_whole(self, reply: "_CarriedReply", log_id: bytes) -> str:
        """Settle a reply to a bundle that was written of that log."""
        publications = Publications(reply.publication, self._state)
        status = _believed(reply, publications)
        reply.believe_closing()
        self._identity.note_standing(status.standing)
        publications.take(status.offers)
        today = datetime.fromtimestamp(status.at, UTC).date()  # the centre's clock is signed
        outcomes: Counter[bool] = Counter()
        for receipt in reply.receipts():
            outcomes.update(each.held for each in self._apply(receipt, reply.closing.nonce, today))
        heed(status, log_id, self._outbox)
        self._outbox.purge(today - timedelta(days=self._retention_days))
        self._state.note_contact(today)
        if status.at > self._clock.not_before():  # nobody knows how long it was on its way
            self._state.note_signed_time(self._clock.told(status.at))
            self._clock.heed(self._state.times())
        self._journeys.end(reply.closing.nonce)
        told = f"The centre's reply of {today}: {outcomes[True]} records delivered"
        told += f", {outcomes[False]} kept aside." if outcomes[False] else "."
        return told + _TOLD_STANDING[status.standing]

    def _apply(self, receipt: Receipt, nonce: bytes, today: date) -> list[Recorded]:
        """Settle the records of a receipt, if they are those that it is about."""
        run = self._outbox.held_run(receipt.log_id, receipt.first_seq, len(receipt.outcomes))
        if run is None:  # delivered another way since, and purged
            return []
        if not receipt.answers(run.batch(self._identity.kiosk_id, nonce)):
            raise CarriedError("it is about other records than this kiosk has")
        self._outbox.settle(run.log_id, run.first_seq, receipt.outcomes, today)
        return [*receipt.outcomes]

    def _write(self) -> int:
        """Write a new bundle; how many records are in it."""
        key, kiosk_id, nonce = self._identity.signing_key, self._identity.kiosk_id, new_nonce()
        enrolment, status = self._introduction.enrolment(nonce), self._introduction.status(nonce)
        self._journeys.begin(nonce, status.log_id)
        records = 0
        with self._stick.writing(kiosk_id, nonce, SentBy.KIOSK) as write:
            bundle = BundleWriter(write)
            bundle.add(Part.ENROLMENT, key.sign(Context.ENROLMENT, enrolment.encode()))
            bundle.add(Part.STATUS, key.sign(Context.STATUS, status.encode()))
            for run in self._runs():
                batch = run.batch(kiosk_id, nonce)
                bundle.add(Part.BATCH, key.sign(Context.BATCH, batch.encode()))
                records += len(run.sealed)
            bundle.close(key, Context.BUNDLE, kiosk_id, nonce)
        return records

    def _runs(self) -> Iterator[Run]:
        """All that is due, one batch's worth after the other; no transaction stays open."""
        if self._identity.standing is Standing.REVOKED:
            return
        hold, run = self._introduction.hold(), None
        while True:
            run = self._outbox.next_run(MAX_BATCH_RECORDS, MAX_RUN_LENGTH, hold, after=run)
            if run is None:
                return
            yield run


_TOLD_STANDING = {
    Standing.ENROLLED: "",
    Standing.HELD: " This kiosk waits to be approved by the central team.",
    Standing.REVOKED: " This kiosk was revoked: the centre takes nothing more from it.",
}


def _believed(reply: "_CarriedReply", publications: Publications) -> StatusReply:
    """The status reply, after taking newer keys where it can't be believed without."""
    try:
        return reply.status()
    except UnprovenError as error:
        if not publications.take(error.keys):
            raise
    return reply.status()


class _CarriedReply:
    """A reply of the centre, read part by part from the stick; one part at a time is in memory.

    ``believe`` gives the payload of what a receipt key of the centre signed.

    Raises:
        CutShortError: it was not written to its end.
        MalformedError: it was altered, or is none.
    """

    def __init__(self, path: Path, believe: Callable[[Envelope, Context], bytes]) -> None:
        self._path = path
        self._believed = believe
        with path.open("rb") as file:
            [(_, signed)] = deque(read_parts(file.read), maxlen=1)
        self._signed_closing = Envelope.unpack(signed)
        self.closing = Closing.decode(self._signed_closing.payload)
        self._asked = (self.closing.kiosk_id, self.closing.nonce)

    def believe_closing(self) -> None:
        """See that the centre put the reply together as it is.

        Raises:
            SignatureError: it did not.
        """
        self._believed(self._signed_closing, Context.BUNDLE_REPLY)

    def status(self) -> StatusReply:
        """What the collector says, as at a contact.

        Raises:
            UnprovenError: the receipt key held did not sign it; it may offer newer keys.
            ContactError: it can't be believed.
        """
        signed = next(self._parts(Part.STATUS_REPLY), b"")
        return believe_reply(signed, Context.STATUS_REPLY, StatusReply, self._asked, self._believed)

    def receipts(self) -> Iterator[Receipt]:
        """The receipts for what was in the bundle.

        Raises:
            ContactError: one can't be believed.
        """
        for signed in self._parts(Part.RECEIPT):
            yield believe_reply(signed, Context.RECEIPT, Receipt, self._asked, self._believed)

    def publication(self, digest: bytes) -> bytes:
        """The publication that was carried under that digest.

        Raises:
            UnreachableError: there is none.
        """
        for signed in self._parts(Part.PUBLICATION):
            if publication_digest(signed) == digest:
                return signed
        raise UnreachableError("not-carried")

    def _parts(self, wanted: Part) -> Iterator[bytes]:
        with self._path.open("rb") as file:
            for part, signed in read_parts(file.read):
                if part is wanted:
                    yield signed
