"""Taking in by hand: bundles that were carried from kiosks by a stick, and the replies to them.

What is in a bundle goes through the same enrolment, intake and fleet as what comes over HTTP, and
is signed in the same way; so nothing is trusted that would not be trusted from the network.
"""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncEngine

from sync_service.collector import tables
from sync_service.collector.database import reading
from sync_service.collector.enrolment import Enrolments
from sync_service.collector.error import OlderBundleError, ProblemError
from sync_service.collector.fleet import Fleet
from sync_service.collector.intake import Intake
from sync_service.contract.bundle import BundleWriter, Closing, Part, read_parts
from sync_service.contract.error import CutShortError, MalformedError, SignatureError
from sync_service.contract.signing import Context, Envelope, SigningKey, fingerprint
from sync_service.contract.wire import Enrolment, Receipt, Recorded, Standing, Status, StatusReply
from sync_service.stick import SentBy, Stick, StickFile


@dataclass
class Taken:
    """What became of a bundle. ``refused`` is why it, or a part of it, was not taken.

    ``standing`` is what its kiosk is, if it was heard; then a reply was written.
    """

    outcomes: Counter[Recorded] = field(default_factory=Counter)
    standing: Standing | None = None
    refused: list[str] = field(default_factory=list)

    def note(self, receipt: bytes) -> None:
        """Count what a signed receipt says."""
        self.outcomes.update(Receipt.decode(Envelope.unpack(receipt).payload).outcomes)

    def refuse(self, error: ProblemError) -> None:
        """Keep why something was refused, once."""
        title = error.problem.kind.title
        reason = title[0].lower() + title[1:]
        self.refused += [] if reason in self.refused else [reason]


class Taking:
    """Takes bundles in, and writes the replies to them onto the stick that they came by."""

    def __init__(
        self,
        engine: AsyncEngine,
        *,
        intake: Intake,
        fleet: Fleet,
        enrolments: Enrolments,
        receipt_key: SigningKey,
    ) -> None:
        self._engine = engine
        self._intake = intake
        self._fleet = fleet
        self._enrolments = enrolments
        self._receipt_key = receipt_key

    async def take(self, stick: Stick, file: StickFile, now: int) -> Taken:
        """Take one bundle in; ``now`` is seconds since 1970.

        The same bundle again is a success. What a kiosk said earlier than what is known of it
        already is not heard; its records are taken all the same.

        Raises:
            BusyError: the database has no turn to give just now.
        """
        taken = Taken()
        try:
            if not file.whole:
                raise CutShortError("written to its end is a file without .part")
            bundle = _Bundle(file.path)
            if fingerprint(bundle.status.kiosk_id) != file.fingerprint:
                raise MalformedError("the file bears another kiosk's name")
            with stick.writing(bundle.status.kiosk_id, bundle.status.nonce, SentBy.CENTRE) as write:
                await self._exchange(bundle, BundleWriter(write), taken, now)
        except CutShortError:
            taken.refused.append("it was not written to its end")
        except MalformedError:
            taken.refused.append("it was altered, or is damaged")
        except SignatureError:
            taken.refused.append("it was altered: its kiosk did not sign it")
        except OlderBundleError as error:
            taken.refused = [str(error)]
        except ProblemError as error:
            taken.refuse(error)
        except OSError as error:
            taken.standing = None
            taken.refused.append(f"the stick can't be read or written: {error.strerror}")
        return taken

    async def _exchange(
        self, bundle: "_Bundle", reply: BundleWriter, taken: Taken, now: int
    ) -> None:
        """Do as the collector does at a contact, and write down what it says.

        Raises:
            ProblemError: the kiosk is not heard.
        """
        older = await self._knows_more(bundle.status)
        if not older:
            await self._enrolments.enrol(bundle.signed_enrolment, now)
        for signed in bundle.batches():
            try:
                receipt = await self._intake.take(signed, now)
            except ProblemError as error:
                taken.refuse(error)
            else:
                reply.add(Part.RECEIPT, receipt)
                taken.note(receipt)
        if older and not taken.outcomes[Recorded.ACCEPTED]:
            raise OlderBundleError("it is older than what is here, and has nothing new")
        signed_status = await self._fleet.hear(bundle.signed_status, now)
        reply.add(Part.STATUS_REPLY, signed_status)
        status = StatusReply.decode(Envelope.unpack(signed_status).payload)
        for offer in status.offers:
            reply.add(Part.PUBLICATION, await self._publication(offer.digest))
        reply.close(self._receipt_key, Context.BUNDLE_REPLY, status.kiosk_id, status.nonce)
        taken.standing = status.standing

    async def _knows_more(self, status: Status) -> bool:
        """Whether the kiosk has said before that it had come farther with this log."""
        log = tables.log.c
        async with reading(self._engine) as connection:
            farthest = await connection.execute(
                select(log.farthest_settled_seq, log.farthest_head_seq).where(
                    log.log_id == status.log_id,
                    log.kiosk_id == status.kiosk_id,
                    log.farthest_signed.is_not(None),
                )
            )
            known = farthest.one_or_none()
        return known is not None and (status.settled_seq, status.head.seq) < tuple(known)

    async def _publication(self, digest: bytes) -> bytes:
        publication = tables.publication.c
        async with reading(self._engine) as connection:
            found = await connection.execute(
                select(publication.signed).where(publication.digest == digest)
            )
        signed: bytes = found.scalar_one()
        return signed


class _Bundle:
    """A kiosk's bundle, read part by part from the stick; one part at a time is in memory.

    It proves itself before anything in it is looked at: the enrolment brings the key that must
    have signed the closing.

    Raises:
        CutShortError: it was not written to its end.
        MalformedError: it was altered, or is none.
        SignatureError: the kiosk that it names did not sign it.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        first: dict[Part, bytes] = {}
        for part, signed in self._parts():
            first.setdefault(part, signed)
        if not {Part.ENROLMENT, Part.STATUS} <= first.keys():
            raise MalformedError("a bundle has an enrolment and a status")
        self.signed_enrolment, self.signed_status = first[Part.ENROLMENT], first[Part.STATUS]
        key = Enrolment.decode(Envelope.unpack(self.signed_enrolment).payload).key
        closing = Closing.decode(key.verify(Envelope.unpack(first[Part.CLOSING]), Context.BUNDLE))
        self.status = Status.decode(Envelope.unpack(self.signed_status).payload)
        if not closing.kiosk_id == self.status.kiosk_id == key.kiosk_id:
            raise SignatureError("the parts are of different kiosks")
        if closing.nonce != self.status.nonce:
            raise MalformedError("the parts are of different bundles")

    def batches(self) -> Iterator[bytes]:
        """The signed batches, in their order."""
        return (signed for part, signed in self._parts() if part is Part.BATCH)

    def _parts(self) -> Iterator[tuple[Part, bytes]]:
        with self._path.open("rb") as file:
            yield from read_parts(file.read)
