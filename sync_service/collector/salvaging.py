"""Salvaging: what the card of a dead kiosk still holds is delivered, as the kiosk would have.

The one place where the collector looks into a kiosk's store; what it finds there is signed by the
kiosk's own key and goes through the same intake as ever.
"""

from dataclasses import dataclass
from pathlib import Path

from sync_service.collector.enrolment import Enrolments
from sync_service.collector.error import OfficeError, ProblemError
from sync_service.collector.intake import Intake
from sync_service.collector.taking import Taken
from sync_service.contract.sealing import OpeningKey
from sync_service.contract.signing import Context
from sync_service.contract.wire import Enrolment, new_nonce
from sync_service.outbox.salvage import Salvage, SalvageError, salvaged

_NO_CODE = "salvaged"  # admits nobody: such a kiosk is held until it is approved


@dataclass(frozen=True, slots=True)
class Salvaged:
    """What became of a store: whose it was, and what was taken of it.

    ``damaged``: not all of it can be read. ``has_identity``: it came as the kiosk that it was.
    """

    kiosk_id: bytes
    taken: Taken
    damaged: bool
    has_identity: bool


class Salvaging:
    """Delivers what stores of dead kiosks hold; ``opening_keys`` open their spare keys."""

    def __init__(
        self, opening_keys: list[OpeningKey], *, intake: Intake, enrolments: Enrolments
    ) -> None:
        self._opening_keys = opening_keys
        self._intake = intake
        self._enrolments = enrolments

    async def recover(self, store: Path, now: int) -> Salvaged:
        """Deliver what a store holds and was not delivered; ``now`` is seconds since 1970.

        The store is not written to. The same store again is a success.

        Raises:
            OfficeError: nothing can be read of it.
            BusyError: the database has no turn to give just now.
        """
        taken = Taken()
        try:
            with salvaged(store, self._opening_keys) as salvage:
                key = salvage.signing_key
                for run in salvage.runs():
                    batch = run.batch(key.verifying_key.kiosk_id, new_nonce())
                    signed = key.sign(Context.BATCH, batch.encode())
                    try:
                        await self._deliver(signed, salvage, taken, now)
                    except ProblemError as error:
                        taken.refuse(error)
                return Salvaged(
                    kiosk_id=key.verifying_key.kiosk_id,
                    taken=taken,
                    damaged=salvage.damaged,
                    has_identity=salvage.has_identity,
                )
        except SalvageError as error:
            raise OfficeError(str(error)) from None

    async def _deliver(self, signed: bytes, salvage: Salvage, taken: Taken, now: int) -> None:
        """Deliver a batch; whoever is not known yet asks to be enrolled first, and is held."""
        try:
            taken.note(await self._intake.take(signed, now))
        except ProblemError as error:
            if error.problem.code != "unknown-kiosk" or salvage.stamp_id is None:
                raise
        else:
            return
        enrolment = Enrolment(
            key=salvage.signing_key.verifying_key,
            nonce=new_nonce(),
            stamp_id=salvage.stamp_id,
            code=_NO_CODE,
            software="salvaged",
        )
        asks = salvage.signing_key.sign(Context.ENROLMENT, enrolment.encode())
        await self._enrolments.enrol(asks, now)
        taken.note(await self._intake.take(signed, now))
