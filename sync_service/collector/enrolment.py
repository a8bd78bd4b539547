"""Enrolment: how a kiosk becomes known, and how that ends.

A stamp holds a code that admits one kiosk. A kiosk that can't show a good code is not sent away:
it is held until the central team approves it, comparing its fingerprint by eye.
"""

import base64
import binascii
import logging
import secrets
from hashlib import sha256
from typing import Any, Final

from sqlalchemy import Row, func, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from sync_service.collector import tables
from sync_service.collector.admission import (
    STANDINGS,
    check_signature,
    note_stamped,
    read_message,
)
from sync_service.collector.apart import Apart, keep_apart
from sync_service.collector.database import reading, writing
from sync_service.collector.error import OfficeError, ProblemError
from sync_service.collector.tables import KioskStanding
from sync_service.contract.signing import KIOSK_ID_LENGTH, Context, SigningKey, fingerprint
from sync_service.contract.wire import Enrolment, EnrolmentReply

CODE_VALID_S: Final = 365 * 24 * 3600
"""How long an enrolment code is good, in seconds."""

MAX_HELD: Final = 8
"""How many kiosks of one stamp may be held at a time."""

_ALPHABET: Final = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"  # Crockford's: no I, L, O or U
_MISREAD: Final = str.maketrans("ILO", "110", "- ")
_CODE_LETTERS: Final = 16  # 80 bits: no guessing, so a plain digest keeps it
_GROUP: Final = 4

_log: Final = logging.getLogger(__name__)


def new_code() -> str:
    """A new enrolment code, in groups that a person can read out."""
    letters = "".join(secrets.choice(_ALPHABET) for _ in range(_CODE_LETTERS))
    return "-".join(letters[start : start + _GROUP] for start in range(0, len(letters), _GROUP))


def code_digest(code: str) -> bytes:
    """What the collector keeps of a code; capitals, hyphens, and I, L and O don't matter."""
    return sha256(
        b"regard/1 enrolment code\x00" + code.upper().translate(_MISREAD).encode()
    ).digest()


class Enrolments:
    """Takes kiosks' requests to be known."""

    def __init__(self, engine: AsyncEngine, receipt_key: SigningKey) -> None:
        self._engine = engine
        self._receipt_key = receipt_key

    async def enrol(self, body: bytes, now: int) -> bytes:
        """Take a signed enrolment and give the signed reply with the kiosk's standing.

        A good code enrols the kiosk under its stamp; without one it is held. So is a kiosk that
        is enrolled under another stamp, which it leaves, unless it was admitted under this one
        before. A revoked kiosk stays so; a held one may come back with a good code.

        Raises:
            ProblemError: the message is refused, or too many kiosks of the stamp are held.
            BusyError: the database has no turn to give just now.
        """
        envelope, enrolment = read_message(body, Enrolment)
        check_signature(envelope, enrolment.key, Context.ENROLMENT)
        async with writing(self._engine) as connection:
            standing = await self._decide(connection, enrolment, now)
        reply = EnrolmentReply(enrolment.key.kiosk_id, enrolment.nonce, STANDINGS[standing])
        return self._receipt_key.sign(Context.ENROLMENT_REPLY, reply.encode())

    async def _decide(
        self, connection: AsyncConnection, enrolment: Enrolment, now: int
    ) -> KioskStanding:
        kiosk_id, stamp, kiosk = enrolment.key.kiosk_id, tables.stamp.c, tables.kiosk.c
        found = await connection.execute(
            select(tables.stamp)
            .where(stamp.stamp_id == enrolment.stamp_id)
            .with_for_update(key_share=True)  # whoever approves a kiosk of it need not wait
        )
        stamped = found.one_or_none()
        if stamped is None:
            raise ProblemError("unknown-stamp")
        asked = await connection.execute(
            select(kiosk.standing, kiosk.stamp_id)
            .where(kiosk.kiosk_id == kiosk_id)
            .with_for_update()
        )
        known = asked.one_or_none()
        if known is not None and (
            known.standing == KioskStanding.REVOKED
            or (known.standing == KioskStanding.ENROLLED and known.stamp_id == stamped.stamp_id)
        ):
            return KioskStanding(known.standing)
        returns = await _was_admitted(connection, kiosk_id, stamped.stamp_id)
        held_because = (
            None if returns else await _fault_of_code(connection, stamped, enrolment.code, now)
        )
        if held_because is not None:
            await _check_held(connection, kiosk_id, stamped.stamp_id)
        standing = KioskStanding.ENROLLED if held_because is None else KioskStanding.HELD
        columns = {
            "stamp_id": enrolment.stamp_id,
            "standing": standing.value,
            "held_because": held_because,
            "enrolled_at": now if held_because is None else None,
            "software": enrolment.software,
        }
        if known is None:
            columns |= {"kiosk_id": kiosk_id, "public_key": enrolment.key.public, "asked_at": now}
            await connection.execute(insert(tables.kiosk).values(columns))
            seen = {"kiosk": fingerprint(kiosk_id), "standing": standing.value}
            _log.info("kiosk seen for the first time", extra=seen)
        else:
            await connection.execute(
                update(tables.kiosk).where(kiosk.kiosk_id == kiosk_id).values(columns)
            )
            if known.stamp_id != stamped.stamp_id:
                seen = {"kiosk": fingerprint(kiosk_id), "standing": standing.value}
                _log.info("kiosk came with another stamp", extra=seen)
        if held_because is None and not returns:
            await note_stamped(connection, kiosk_id, stamped.stamp_id, now)
            await connection.execute(
                update(tables.stamp)
                .where(stamp.stamp_id == stamped.stamp_id)
                .values(code_used_at=now)
            )
        return standing


async def _was_admitted(connection: AsyncConnection, kiosk_id: bytes, stamp_id: bytes) -> bool:
    """Whether a kiosk was admitted under a stamp before."""
    stamped = tables.stamped.c
    since = await connection.scalar(
        select(stamped.since).where(stamped.kiosk_id == kiosk_id, stamped.stamp_id == stamp_id)
    )
    return since is not None


async def _check_held(connection: AsyncConnection, kiosk_id: bytes, stamp_id: bytes) -> None:
    """See that one more kiosk of a stamp may be held.

    Raises:
        ProblemError: too-many-held.
    """
    kiosk = tables.kiosk.c
    others = await connection.scalar(
        select(func.count()).where(
            kiosk.stamp_id == stamp_id,
            kiosk.standing == KioskStanding.HELD.value,
            kiosk.kiosk_id != kiosk_id,
        )
    )
    if (others or 0) >= MAX_HELD:
        raise ProblemError("too-many-held")


async def _fault_of_code(
    connection: AsyncConnection, stamped: Row[Any], code: str, now: int
) -> str | None:
    """Why a code does not admit a kiosk, in words for the central team; None if it does."""
    if code_digest(code) != stamped.code_digest:
        return "its enrolment code is not the one of its stamp"
    if stamped.code_withdrawn_at is not None:
        return "its enrolment code was withdrawn"
    if stamped.code_used_at is not None:
        admitted = tables.stamped.c
        user = await connection.scalar(
            select(admitted.kiosk_id)
            .where(admitted.stamp_id == stamped.stamp_id, admitted.since == stamped.code_used_at)
            .limit(1)
        )
        by = f" by the kiosk {fingerprint(user)}" if user is not None else ""
        return f"its enrolment code was used already{by}"
    if now >= stamped.code_expires_at:
        return "its enrolment code has expired"
    return None


def parse_fingerprint(text: str) -> bytes:
    """The kiosk id of a fingerprint as a person gives it.

    Raises:
        OfficeError: not a whole fingerprint.
    """
    letters = text.upper().replace("-", "").replace(" ", "")
    try:
        kiosk_id = base64.b32decode(letters + "=" * (-len(letters) % 8))
    except (binascii.Error, ValueError):
        kiosk_id = b""
    if len(kiosk_id) != KIOSK_ID_LENGTH:
        raise OfficeError(
            f"{text} is not a whole fingerprint: copy it as `regard-collector kiosk list` shows it"
        )
    return kiosk_id


async def approve(engine: AsyncEngine, kiosk_id: bytes, now: int) -> list[bytes]:
    """Enrol a kiosk that is held, under the stamp that it last asked with.

    Gives the ids of the other kiosks that are enrolled under this stamp.

    Raises:
        OfficeError: it is not held.
    """
    kiosk = tables.kiosk.c
    async with writing(engine) as connection:
        standing = await _standing(connection, kiosk_id)
        if standing is not KioskStanding.HELD:
            raise OfficeError(
                f"the kiosk {fingerprint(kiosk_id)} is not held: it is {standing.value}"
            )
        await connection.execute(
            update(tables.kiosk)
            .where(kiosk.kiosk_id == kiosk_id)
            .values(standing=KioskStanding.ENROLLED, held_because=None, enrolled_at=now)
        )
        stamp_id = await connection.scalar(select(kiosk.stamp_id).where(kiosk.kiosk_id == kiosk_id))
        assert stamp_id is not None
        await note_stamped(connection, kiosk_id, stamp_id, now)
        others = await connection.scalars(
            select(kiosk.kiosk_id)
            .where(
                kiosk.stamp_id == stamp_id,
                kiosk.standing == KioskStanding.ENROLLED.value,
                kiosk.kiosk_id != kiosk_id,
            )
            .order_by(kiosk.enrolled_at)
        )
        return [*others]


async def revoke(
    engine: AsyncEngine, kiosk_id: bytes, now: int, since: int | None = None
) -> Apart | None:
    """End a kiosk's enrolment, or its wait for it: from now on it can deliver nothing.

    ``since`` is when it went astray, if it did, in seconds since 1970: what came of it since then
    is kept apart. That can be said of a kiosk that is revoked already, too.

    Raises:
        OfficeError: there is no such kiosk, or it is revoked already and there is no ``since``.
    """
    async with writing(engine) as connection:
        if await _standing(connection, kiosk_id) is not KioskStanding.REVOKED:
            await connection.execute(
                update(tables.kiosk)
                .where(tables.kiosk.c.kiosk_id == kiosk_id)
                .values(standing=KioskStanding.REVOKED, revoked_at=now)
            )
        elif since is None:
            raise OfficeError(f"the kiosk {fingerprint(kiosk_id)} is revoked already")
        return None if since is None else await keep_apart(connection, kiosk_id, since)


async def reinstate(engine: AsyncEngine, kiosk_id: bytes) -> KioskStanding:
    """Undo a kiosk's revocation; give what it is again, enrolled or held.

    What is kept apart of it stays so until it is accepted.

    Raises:
        OfficeError: there is no such kiosk, or it is not revoked.
    """
    kiosk = tables.kiosk.c
    async with writing(engine) as connection:
        standing = await _standing(connection, kiosk_id)
        if standing is not KioskStanding.REVOKED:
            raise OfficeError(
                f"the kiosk {fingerprint(kiosk_id)} is not revoked: it is {standing.value}"
            )
        enrolled_at = await connection.scalar(
            select(kiosk.enrolled_at).where(kiosk.kiosk_id == kiosk_id)
        )
        standing = KioskStanding.HELD if enrolled_at is None else KioskStanding.ENROLLED
        await connection.execute(
            update(tables.kiosk)
            .where(kiosk.kiosk_id == kiosk_id)
            .values(standing=standing, revoked_at=None)
        )
    return standing


async def fault_of_stamp(engine: AsyncEngine, stamp_id: bytes, code: str, now: int) -> str | None:
    """Why a stamp would not enrol a kiosk by itself, and what to do; None if it would."""
    async with reading(engine) as connection:
        found = await connection.execute(
            select(tables.stamp).where(tables.stamp.c.stamp_id == stamp_id)
        )
        stamped = found.one_or_none()
        if stamped is None:
            return "this collector made no such stamp: stamp the kiosk anew"
        fault = await _fault_of_code(connection, stamped, code, now)
    if fault is None:
        return None
    return f"{fault}: a kiosk that comes with it is held until you approve it, or stamp another"


async def withdraw_code(engine: AsyncEngine, site: str, name: str, now: int) -> None:
    """Let the enrolment code of a stamp admit no kiosk any more.

    Raises:
        OfficeError: there is no such stamp, or its code was used or withdrawn already.
    """
    stamp = tables.stamp.c
    async with writing(engine) as connection:
        found = await connection.execute(
            select(tables.stamp).where(stamp.site == site, stamp.name == name).with_for_update()
        )
        stamped = found.one_or_none()
        if stamped is None:
            raise OfficeError(f"no kiosk {name} was stamped for the site {site}")
        if stamped.code_used_at is not None:
            raise OfficeError(
                f"the code of {name} at {site} was used already: revoke the kiosk instead"
            )
        if stamped.code_withdrawn_at is not None:
            raise OfficeError(f"the code of {name} at {site} was withdrawn already")
        await connection.execute(
            update(tables.stamp)
            .where(stamp.stamp_id == stamped.stamp_id)
            .values(code_withdrawn_at=now)
        )


async def _standing(connection: AsyncConnection, kiosk_id: bytes) -> KioskStanding:
    kiosk = tables.kiosk.c
    standing = await connection.scalar(
        select(kiosk.standing).where(kiosk.kiosk_id == kiosk_id).with_for_update()
    )
    if standing is None:
        raise OfficeError(
            f"no kiosk with the fingerprint {fingerprint(kiosk_id)} has asked to be enrolled"
        )
    return KioskStanding(standing)
