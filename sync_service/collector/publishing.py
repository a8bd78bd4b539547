"""Publishing: what the centre says to kiosks, signed, under serials that only rise."""

import json
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime
from pathlib import Path
from typing import Any, Final

from sqlalchemy import ColumnElement, func, insert, select, true, update
from sqlalchemy.ext.asyncio import AsyncConnection

from sync_service.collector import tables
from sync_service.collector.error import KeyFileError, OfficeError
from sync_service.collector.published import Published
from sync_service.collector.tables import KioskStanding
from sync_service.contract.publication import (
    Assignment,
    Body,
    Keys,
    Publication,
    PublicationKind,
    Replies,
    publication_digest,
)
from sync_service.contract.questionnaire import (
    Questionnaire,
    QuestionnaireError,
    check_successor,
)
from sync_service.contract.signing import Context, Envelope, SigningKey, VerifyingKey
from sync_service.contract.wire import MAX_PUBLICATION_LENGTH

DEFAULT_QUESTIONNAIRES: Final = tuple(
    Path(__file__).parent / "questionnaires" / name for name in ("gp.toml", "library.toml")
)
"""The questionnaires that come with Regard."""

MAX_LOST: Final = 10_000
"""How many serials a kiosk is believed to know that the collector has lost: it may lie."""


@dataclass(frozen=True, slots=True)
class Edition:
    """A publication in force. ``is_new``: it was published just now, not before."""

    kind: PublicationKind
    serial: int
    signed: bytes
    is_new: bool


class Publisher:
    """Signs what the centre says, by that of its ``signing_keys`` which is in force.

    ``publishing_keys`` are the public ones to check publications by. Each method works in the
    caller's writing transaction. What is in force already is not published again.
    """

    def __init__(
        self, signing_keys: Sequence[SigningKey], publishing_keys: Sequence[VerifyingKey]
    ) -> None:
        self._signing_keys = signing_keys
        self._publishing_keys = publishing_keys

    async def questionnaire(
        self, connection: AsyncConnection, questionnaire: Questionnaire, now: int
    ) -> Edition:
        """Publish a version of a questionnaire; from then on it never changes.

        Raises:
            QuestionnaireError: it may not follow the versions that are published.
            OfficeError: it is too large.
        """
        publication = tables.publication.c
        same = publication.questionnaire == questionnaire.id
        serials = await connection.execute(
            select(publication.serial).where(
                publication.kind == PublicationKind.QUESTIONNAIRE.value, same
            )
        )
        before = Published(Questionnaire, self._publishing_keys)
        await before.load(connection, serials.scalars())
        for older in before.values():
            check_successor(older, questionnaire)
        columns = {"questionnaire": questionnaire.id, "version": questionnaire.version}
        return await self._publish(connection, questionnaire, same, columns, now)

    async def replies(self, connection: AsyncConnection, replies: Replies, now: int) -> Edition:
        """Publish what a site's service replies, in place of all it replied before.

        Raises:
            OfficeError: there is no such site, or the replies are too large.
        """
        known = await connection.scalar(
            select(tables.site.c.code).where(tables.site.c.code == replies.site)
        )
        if known is None:
            raise OfficeError(f"site: there is no site {replies.site}")
        same = tables.publication.c.site == replies.site
        return await self._publish(connection, replies, same, {"site": replies.site}, now)

    async def keys(self, connection: AsyncConnection, keys: Keys, now: int) -> Edition:
        """Publish the centre's public keys in force.

        A new publishing key is handed over to: its keys are signed by the one before it, then by
        itself, so that a stamp can hold them; and all else is signed anew, so that a kiosk which
        has taken the new one can take the rest.

        Raises:
            KeyFileError: the private half of the publishing key, in force or new, is not here.
        """
        before = await self.signing_key(connection)
        key = self._private_half(keys.publishing)
        edition = await self._publish(connection, keys, true(), {}, now)
        if key is not before:
            await self._sign_anew(connection, key)
            edition = await _issue(connection, keys, {}, now, key)
        return edition

    async def assignment(
        self, connection: AsyncConnection, assignment: Assignment, now: int
    ) -> Edition:
        """Publish which site a stamped kiosk serves."""
        same = tables.publication.c.stamp_id == assignment.stamp_id
        columns = {
            "stamp_id": assignment.stamp_id,
            "site": assignment.site,
            "questionnaire": assignment.questionnaire,
        }
        return await self._publish(connection, assignment, same, columns, now)

    async def signing_key(self, connection: AsyncConnection) -> SigningKey:
        """The publishing key in force; before anything is published, the newest.

        Raises:
            KeyFileError: its private half is not here.
        """
        keys = await keys_in_force(connection, self._publishing_keys)
        return self._signing_keys[-1] if keys is None else self._private_half(keys.publishing)

    def _private_half(self, public: VerifyingKey) -> SigningKey:
        for key in self._signing_keys:
            if key.verifying_key == public:
                return key
        raise KeyFileError(
            f"the publishing key in force ({public.public.hex()[:8]}…) is not here:"
            " bring its file back from the newest backup of the keys"
        )

    async def _sign_anew(self, connection: AsyncConnection, key: SigningKey) -> None:
        """Sign all that is published but keys by a key, under the same serials."""
        publication = tables.publication.c
        bodies: tuple[type[Body], ...] = (Assignment, Questionnaire, Replies)
        for body in bodies:  # never sign what does not prove itself
            await Published(body, self._publishing_keys).load_all(connection)
        found = await connection.execute(
            select(publication.kind, publication.serial, publication.signed).where(
                publication.kind != PublicationKind.KEYS.value
            )
        )
        for kind, serial, signed in found.all():
            anew = key.sign(Context.PUBLICATION, Envelope.unpack(signed).payload)
            await connection.execute(
                update(tables.publication)
                .where(publication.kind == kind, publication.serial == serial)
                .values(signed=anew, digest=publication_digest(anew))
            )

    async def _publish(
        self,
        connection: AsyncConnection,
        body: Body,
        same: ColumnElement[bool],
        columns: Mapping[str, object],
        now: int,
    ) -> Edition:
        """Publish a body in place of the newest of its kind that is ``same``."""
        in_force = await newest(connection, Publication(0, now, body).kind, same)
        if in_force is not None:
            held = Published(type(body), self._publishing_keys)
            await held.load(connection, [in_force.serial])
            if held[in_force.serial] == body:
                return in_force
        return await _issue(connection, body, columns, now, await self.signing_key(connection))


async def keys_in_force(
    connection: AsyncConnection, publishing_keys: Sequence[VerifyingKey]
) -> Keys | None:
    """The keys that were published last; None before the first."""
    edition = await newest(connection, PublicationKind.KEYS, true())
    if edition is None:
        return None
    published = Published(Keys, publishing_keys)
    await published.load(connection, [edition.serial])
    return published[edition.serial]


async def _issue(
    connection: AsyncConnection,
    body: Body,
    columns: Mapping[str, object],
    now: int,
    key: SigningKey,
) -> Edition:
    """Publish a body under the next serial, signed by a key."""
    draft = Publication(0, now, body)
    publication = replace(draft, serial=await _next_serial(connection, draft.kind))
    signed = publication.sign(key)
    if len(signed) > MAX_PUBLICATION_LENGTH:
        raise OfficeError(
            f"a publication has at most {MAX_PUBLICATION_LENGTH} bytes,"
            f" and this would have {len(signed)}: shorten its texts"
        )
    await connection.execute(
        insert(tables.publication).values(
            kind=draft.kind.value,
            serial=publication.serial,
            digest=publication_digest(signed),
            signed=signed,
            published_at=now,
            **columns,
        )
    )
    return Edition(draft.kind, publication.serial, signed, is_new=True)


async def _next_serial(connection: AsyncConnection, kind: PublicationKind) -> int:
    """A serial above all of its kind, those too that only kiosks still know of.

    A collector restored from a backup has lost what it published since, but kiosks hold it, and
    records name it. Used twice, a serial would say another thing of records than their kiosk did,
    and no kiosk would take what comes second.
    """
    publication, kiosk = tables.publication.c, tables.kiosk.c
    highest = await connection.scalar(
        select(func.max(publication.serial)).where(publication.kind == kind.value)
    )
    known = highest or 0
    told = await connection.scalars(
        select(kiosk.serials).where(
            kiosk.standing == KioskStanding.ENROLLED.value, kiosk.serials.is_not(None)
        )
    )
    held: list[int] = [json.loads(serials).get(kind.value, 0) for serials in told]
    return max([known, *(serial for serial in held if serial <= known + MAX_LOST)]) + 1


async def newest(
    connection: AsyncConnection, kind: PublicationKind, same: ColumnElement[bool]
) -> Edition | None:
    """The publication of a kind with the highest serial among those that are ``same``."""
    publication = tables.publication.c
    found = await connection.execute(
        select(publication.serial, publication.signed)
        .where(publication.kind == kind.value, same)
        .order_by(publication.serial.desc())
        .limit(1)
    )
    row = found.one_or_none()
    return None if row is None else Edition(kind, row.serial, row.signed, is_new=False)


def read_questionnaire(path: Path) -> Questionnaire:
    """Read a questionnaire that was written as a TOML file.

    Raises:
        OfficeError: it can't be read, or breaks the rules; the message names every place.
    """
    try:
        return Questionnaire.from_document(read_toml(path))
    except QuestionnaireError as error:
        raise OfficeError("\n".join(f"{path}: {problem}" for problem in error.problems)) from None


def read_toml(path: Path) -> dict[str, Any]:
    """Read a TOML file as the contract's documents are, its dates as text.

    Raises:
        OfficeError: it can't be read, or is none.
    """
    try:
        document = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise OfficeError(f"{path}: can't be read: {error.strerror}") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise OfficeError(f"{path}: not TOML: {error}") from None
    return {key: _with_days_as_text(value) for key, value in document.items()}


def _with_days_as_text(value: Any) -> Any:
    """A TOML value, its dates written as the contract writes them."""
    match value:
        case dict():
            return {key: _with_days_as_text(member) for key, member in value.items()}
        case list():
            return [_with_days_as_text(member) for member in value]
        case date() if not isinstance(value, datetime):
            return value.isoformat()
    return value
