"""Stamping: the folder of small files that makes an image one site's kiosk."""

import secrets
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import insert, select, true, update
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from kiosk_app.layout.fit import why_refused
from sync_service.collector import tables
from sync_service.collector.database import writing
from sync_service.collector.enrolment import CODE_VALID_S, code_digest, new_code
from sync_service.collector.error import OfficeError
from sync_service.collector.keyring import write_private
from sync_service.collector.publishing import Edition, Publisher, newest
from sync_service.collector.sites import MAX_NAME, assignment_to, find_site
from sync_service.contract.publication import STAMP_ID_LENGTH, PublicationKind
from sync_service.contract.stamp import Stamp, StampError


@dataclass(frozen=True, slots=True)
class Stamping:
    """Makes stamps. ``address`` is where kiosks find the collector, ``authority`` the PEM of the
    certificate authority they trust for it.
    """

    engine: AsyncEngine
    publisher: Publisher
    address: str
    authority: bytes

    async def stamp(
        self, site_code: str, name: str, folder: Path, now: int, panel: str | None = None
    ) -> Stamp:
        """Make the stamp of a new kiosk at a site and write it into a folder.

        ``name`` tells the site's kiosks apart; ``panel`` names the new one's panel, if it is not
        the usual one. Nothing is kept unless the folder is written.

        Raises:
            OfficeError: the site is unknown, the name is taken, the folder holds something or
                can't be written, or no kiosk would start from the stamp.
        """
        if not 1 <= len(name) <= MAX_NAME or not name.isprintable():
            raise OfficeError(f"{name!r} can't be a name: use 1 to {MAX_NAME} printable characters")
        stamp_id, code = secrets.token_bytes(STAMP_ID_LENGTH), new_code()
        async with writing(self.engine) as connection:
            site = await find_site(connection, site_code)
            await _refuse_taken(connection, site.code, name)
            await connection.execute(
                insert(tables.stamp).values(
                    stamp_id=stamp_id,
                    site=site.code,
                    name=name,
                    created_at=now,
                    code_digest=code_digest(code),
                    code_expires_at=now + CODE_VALID_S,
                )
            )
            assignment = await assignment_to(connection, site, stamp_id)
            assigned = await self.publisher.assignment(connection, assignment, now)
            keys = await newest(connection, PublicationKind.KEYS, true())
            questionnaire = await newest(
                connection,
                PublicationKind.QUESTIONNAIRE,
                tables.publication.c.questionnaire == site.questionnaire,
            )
            stamp = Stamp(
                collector=self.address,
                stamp_id=stamp_id,
                enrolment_code=code,
                publishing_key=(await self.publisher.signing_key(connection)).verifying_key,
                authority=self.authority,
                keys=_signed(keys, "keys"),
                assignment=assigned.signed,
                questionnaire=_signed(questionnaire, "questionnaire"),
                panel=panel,
            )
            _write(stamp, folder)
        return stamp

    async def move(self, site_code: str, name: str, to_site: str, now: int) -> Edition:
        """Assign a kiosk to another site, or to its own as that is now.

        It hears of it at its next contact. Records that it made before keep their site.

        Raises:
            OfficeError: there is no such kiosk or site, the kiosk has left for another stamp, or
                the name is taken there.
        """
        stamp = tables.stamp.c
        async with writing(self.engine) as connection:
            stamp_id = await connection.scalar(
                select(stamp.stamp_id).where(stamp.site == site_code, stamp.name == name)
            )
            if stamp_id is None:
                raise OfficeError(f"no kiosk {name} was stamped for the site {site_code}")
            await _refuse_left(connection, stamp_id, f"{name} at {site_code}")
            site = await find_site(connection, to_site)
            if site.code != site_code:
                await _refuse_taken(connection, site.code, name)
            await connection.execute(
                update(tables.stamp).where(stamp.stamp_id == stamp_id).values(site=site.code)
            )
            assignment = await assignment_to(connection, site, stamp_id)
            return await self.publisher.assignment(connection, assignment, now)

    async def assign_anew(self, connection: AsyncConnection, organisation: str, now: int) -> int:
        """Assign each kiosk of an organisation to its site as that is now; says how many changed.

        Works in the caller's writing transaction. They hear of it at their next contact.
        """
        found = await connection.execute(
            select(tables.stamp.c.stamp_id, tables.stamp.c.site)
            .join(tables.site, tables.site.c.code == tables.stamp.c.site)
            .join(tables.service, tables.service.c.code == tables.site.c.service)
            .where(tables.service.c.organisation == organisation)
            .order_by(tables.stamp.c.site, tables.stamp.c.name)
        )
        changed = 0
        for stamp_id, site_code in found.all():
            site = await find_site(connection, site_code)
            assignment = await assignment_to(connection, site, stamp_id)
            changed += (await self.publisher.assignment(connection, assignment, now)).is_new
        return changed


async def _refuse_taken(connection: AsyncConnection, site: str, name: str) -> None:
    stamp = tables.stamp.c
    taken = await connection.scalar(
        select(stamp.created_at).where(stamp.site == site, stamp.name == name)
    )
    if taken is not None:
        raise OfficeError(f"a kiosk {name} was stamped for the site {site} before: name another")


async def _refuse_left(connection: AsyncConnection, stamp_id: bytes, what: str) -> None:
    kiosk = tables.kiosk.c
    used = await connection.scalar(
        select(tables.was_used).where(tables.stamp.c.stamp_id == stamp_id)
    )
    heir = await connection.scalar(
        select(kiosk.kiosk_id).where(kiosk.stamp_id == stamp_id).limit(1)
    )
    if used and heir is None:
        raise OfficeError(
            f"the kiosk that was {what} goes by another stamp now:"
            " see `regard-collector kiosk list`"
        )


def _signed(edition: Edition | None, what: str) -> bytes:
    if edition is None:
        raise OfficeError(f"nothing of the kind {what} is published: publish it first")
    return edition.signed


def _write(stamp: Stamp, folder: Path) -> None:
    """Write a stamp's files into a new or empty folder, for the owner's eyes only."""
    files = stamp.to_files()
    try:
        Stamp.from_files(files)
    except StampError as error:
        raise OfficeError(f"no kiosk would start from this stamp: {error}") from None
    refused = why_refused(stamp)
    if refused is not None:
        raise OfficeError(f"no kiosk would start from this stamp: {refused}")
    written: list[Path] = []
    try:
        folder.mkdir(mode=0o700, exist_ok=True)
        if any(folder.iterdir()):
            raise OfficeError(f"{folder}: holds something already; name a new or empty folder")
        folder.chmod(0o700)
        for name, content in files.items():
            written.append(folder / name)
            write_private(folder / name, content)
    except OSError as error:
        for path in written:
            path.unlink(missing_ok=True)
        raise OfficeError(f"{folder}: can't be written: {error.strerror}") from None
