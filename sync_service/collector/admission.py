"""Who may speak: messages taken apart, kiosks looked up, signatures and logs' owners checked."""

from dataclasses import dataclass
from typing import Final, TypeVar

from sqlalchemy import bindparam, insert, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection

from sync_service.collector import tables
from sync_service.collector.error import ProblemError
from sync_service.collector.tables import KioskStanding
from sync_service.contract.error import ChainError, MalformedError, SignatureError
from sync_service.contract.signing import Context, Envelope, VerifyingKey
from sync_service.contract.wire import Batch, Enrolment, Standing, Status

M = TypeVar("M", Batch, Status, Enrolment)

STANDINGS = {
    KioskStanding.HELD: Standing.HELD,
    KioskStanding.ENROLLED: Standing.ENROLLED,
    KioskStanding.REVOKED: Standing.REVOKED,
}
"""What a kiosk is told of its standing."""


@dataclass(frozen=True, slots=True)
class KnownKiosk:
    """What is known of a kiosk that speaks."""

    public_key: bytes
    standing: KioskStanding
    stamp_id: bytes

    @property
    def key(self) -> VerifyingKey:
        """What its messages are signed by."""
        return VerifyingKey(self.public_key)


# Made once: to put a query together takes longer than to send it.
_FIND_KIOSK: Final = select(
    tables.kiosk.c.public_key, tables.kiosk.c.standing, tables.kiosk.c.stamp_id
).where(tables.kiosk.c.kiosk_id == bindparam("kiosk_id"))
_LOCK_KIOSK: Final = _FIND_KIOSK.with_for_update()
_FIND_OWNER: Final = select(tables.log.c.kiosk_id).where(tables.log.c.log_id == bindparam("log_id"))


def read_message(body: bytes, kind: type[M]) -> tuple[Envelope, M]:
    """Take a signed message apart; nothing in it is believed yet.

    Raises:
        ProblemError: malformed, or chain-broken.
    """
    try:
        envelope = Envelope.unpack(body)
        return envelope, kind.decode(envelope.payload)
    except ChainError as error:
        raise ProblemError("chain-broken", str(error)) from None
    except MalformedError as error:
        raise ProblemError("malformed", str(error)) from None


def check_signature(envelope: Envelope, key: VerifyingKey, context: Context) -> None:
    """See that the key signed the message.

    Raises:
        ProblemError: bad-signature.
    """
    try:
        key.verify(envelope, context)
    except SignatureError:
        raise ProblemError("bad-signature") from None


async def find_kiosk(
    connection: AsyncConnection, kiosk_id: bytes, *, lock: bool = False
) -> KnownKiosk:
    """Look up a kiosk; if ``lock``, no other transaction deals with it until this one ends.

    Raises:
        ProblemError: unknown-kiosk.
    """
    query = _LOCK_KIOSK if lock else _FIND_KIOSK
    row = (await connection.execute(query, {"kiosk_id": kiosk_id})).one_or_none()
    if row is None:
        raise ProblemError("unknown-kiosk")
    public_key, standing, stamp_id = row
    return KnownKiosk(public_key, KioskStanding(standing), stamp_id)


def check_enrolled(kiosk: KnownKiosk) -> None:
    """See that a kiosk may deliver.

    Raises:
        ProblemError: held-kiosk or revoked-kiosk.
    """
    if kiosk.standing is not KioskStanding.ENROLLED:
        raise ProblemError(f"{kiosk.standing.value}-kiosk")


async def note_stamped(
    connection: AsyncConnection, kiosk_id: bytes, stamp_id: bytes, now: int
) -> None:
    """Keep that a kiosk is admitted under a stamp, unless it was so before."""
    stamped = tables.stamped.c
    before = select(stamped.since).where(stamped.kiosk_id == kiosk_id, stamped.stamp_id == stamp_id)
    if await connection.scalar(before) is None:
        await connection.execute(
            insert(tables.stamped).values(kiosk_id=kiosk_id, stamp_id=stamp_id, since=now)
        )


async def check_log(connection: AsyncConnection, log_id: bytes, kiosk_id: bytes, now: int) -> None:
    """See that a log is this kiosk's; one not known yet becomes so.

    So does that of a kiosk that had its stamp: one that lost its identity and was approved anew
    goes on with the log that is in its store, and speaks from now on for whatever stamps that
    kiosk had.

    Raises:
        ProblemError: foreign-log.
    """
    log, kiosk, stamped = tables.log.c, tables.kiosk.c, tables.stamped.c
    owner = await connection.scalar(_FIND_OWNER, {"log_id": log_id})
    if owner is None:
        try:
            async with connection.begin_nested():
                await connection.execute(
                    insert(tables.log).values(log_id=log_id, kiosk_id=kiosk_id, begun_at=now)
                )
        except IntegrityError:  # another kiosk came with it at the same moment
            owner = await connection.scalar(_FIND_OWNER, {"log_id": log_id})
        else:
            owner = kiosk_id
    if owner != kiosk_id:
        stamp_id = await connection.scalar(select(kiosk.stamp_id).where(kiosk.kiosk_id == kiosk_id))
        owners = await connection.scalars(select(stamped.stamp_id).where(stamped.kiosk_id == owner))
        stamps = set(owners)
        if stamp_id not in stamps:
            raise ProblemError("foreign-log")
        for each in stamps:
            await note_stamped(connection, kiosk_id, each, now)
        await connection.execute(
            update(tables.log).where(log.log_id == log_id).values(kiosk_id=kiosk_id)
        )
