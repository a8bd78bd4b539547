"""Organisations, services, places, and the sites where kiosks stand."""

import json
import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from sqlalchemy import Table, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from sync_service.collector import tables
from sync_service.collector.database import reading, writing
from sync_service.collector.error import OfficeError
from sync_service.collector.published import Published
from sync_service.collector.publishing import newest
from sync_service.collector.screen_text import faults_of
from sync_service.contract.error import MalformedError
from sync_service.contract.publication import (
    MAX_CONTACT,
    MAX_KEPT_MONTHS,
    STAMP_ID_LENGTH,
    Assignment,
    PublicationKind,
    Stands,
)
from sync_service.contract.questionnaire import Questionnaire
from sync_service.contract.signing import VerifyingKey

MAX_NAME: Final = 200

_CODE: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}", re.ASCII)
_TAG: Final = re.compile(r"[a-z]{2,3}(-[A-Za-z0-9]+)*", re.ASCII)


@dataclass(frozen=True, slots=True)
class Organisation:
    """Who runs services, and what kiosks tell respondents of their answers.

    ``kept_months`` is for how long answers are kept, ``contact`` whom to ask, by language; a kiosk
    says nothing of what is not there.
    """

    code: str
    name: str
    kept_months: int | None = None
    contact: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Site:
    """Where kiosks stand, and how they ask there. All but the name are codes of other things."""

    code: str
    name: str
    service: str
    place: str
    timezone: str
    languages: tuple[str, ...]
    stands: Stands
    questionnaire: str


async def add_organisation(
    engine: AsyncEngine, organisation: Organisation, links: Collection[str] = ()
) -> None:
    """Add who runs services. ``links`` are the domains that the contact may lead to.

    Raises:
        OfficeError: the code is taken, or something in it can't be used.
    """
    _check_told(organisation, links)
    async with writing(engine) as connection:
        await _add(connection, tables.organisation, _columns(organisation))


async def find_organisation(connection: AsyncConnection, code: str) -> Organisation:
    """Look an organisation up.

    Raises:
        OfficeError: there is none of this code.
    """
    await _require(connection, tables.organisation, code)
    found = await connection.execute(
        select(tables.organisation).where(tables.organisation.c.code == code)
    )
    row = found.one()
    contact = json.loads(row.contact) if row.contact else {}
    return Organisation(row.code, row.name, row.kept_months, contact)


async def change_organisation(
    connection: AsyncConnection, organisation: Organisation, links: Collection[str] = ()
) -> None:
    """Let an organisation be known by another name, or tell something else from now on.

    Its kiosks hear of it by new assignments: see `stamping`.

    Raises:
        OfficeError: something in it can't be used.
    """
    _check_code_and_name(organisation.code, organisation.name)
    _check_told(organisation, links)
    await connection.execute(
        update(tables.organisation)
        .where(tables.organisation.c.code == organisation.code)
        .values(**_columns(organisation))
    )


async def add_service(engine: AsyncEngine, code: str, name: str, organisation: str) -> None:
    """Add what is offered to citizens, such as a library service.

    Raises:
        OfficeError: the organisation is unknown, the code is taken, or can't be used.
    """
    async with writing(engine) as connection:
        await _require(connection, tables.organisation, organisation)
        columns = {"code": code, "name": name, "organisation": organisation}
        await _add(connection, tables.service, columns)


async def add_place(engine: AsyncEngine, code: str, name: str) -> None:
    """Add a district, best under its GSS code.

    Raises:
        OfficeError: the code is taken, or code or name can't be used.
    """
    async with writing(engine) as connection:
        await _add(connection, tables.place, {"code": code, "name": name})


async def add_site(
    engine: AsyncEngine, site: Site, publishing_keys: Sequence[VerifyingKey]
) -> None:
    """Add a site.

    Raises:
        OfficeError: something it names is unknown, its questionnaire is not published in its
            languages, its code is taken, or something in it can't be used.
    """
    _check_code_and_name(site.code, site.name)
    async with writing(engine) as connection:
        await _require(connection, tables.service, site.service)
        await _require(connection, tables.place, site.place)
        await _check_questionnaire(connection, site, publishing_keys)
        try:  # whatever a kiosk could not take as its assignment
            draft = await assignment_to(connection, site, bytes(STAMP_ID_LENGTH))
            Assignment.from_document(draft.to_document())
        except MalformedError as error:
            raise OfficeError(f"the site {site.code} can't be used: {error}") from None
        columns = {
            "service": site.service,
            "place": site.place,
            "timezone": site.timezone,
            "languages": " ".join(site.languages),
            "stands": site.stands.value,
            "questionnaire": site.questionnaire,
        }
        await _add(connection, tables.site, {"code": site.code, "name": site.name, **columns})


async def find_site(connection: AsyncConnection, code: str) -> Site:
    """Look a site up.

    Raises:
        OfficeError: there is none of this code.
    """
    await _require(connection, tables.site, code)
    found = await connection.execute(select(tables.site).where(tables.site.c.code == code))
    row = found.one()
    return Site(
        code=row.code,
        name=row.name,
        service=row.service,
        place=row.place,
        timezone=row.timezone,
        languages=tuple(row.languages.split()),
        stands=Stands(row.stands),
        questionnaire=row.questionnaire,
    )


async def assignment_to(connection: AsyncConnection, site: Site, stamp_id: bytes) -> Assignment:
    """What makes a stamped kiosk one of this site."""
    code = await connection.scalar(
        select(tables.service.c.organisation).where(tables.service.c.code == site.service)
    )
    organisation = await find_organisation(connection, code or "")
    return Assignment(
        stamp_id=stamp_id,
        site=site.code,
        site_name=site.name,
        service=site.service,
        organisation=organisation.code,
        place=site.place,
        timezone=site.timezone,
        languages=site.languages,
        stands=site.stands,
        questionnaire=site.questionnaire,
        organisation_name=organisation.name,
        contact=organisation.contact,
        kept_months=organisation.kept_months,
    )


async def list_rows(engine: AsyncEngine, table: Table) -> list[tuple[str, ...]]:
    """All rows of one of the four tables, as text, by code."""
    async with reading(engine) as connection:
        found = await connection.execute(select(table).order_by(table.c.code))
        return [tuple("-" if cell is None else str(cell) for cell in row) for row in found]


async def _add(connection: AsyncConnection, table: Table, columns: Mapping[str, object]) -> None:
    code, name = str(columns["code"]), str(columns["name"])
    _check_code_and_name(code, name)
    taken = await connection.scalar(select(table.c.name).where(table.c.code == code))
    if taken is not None:
        raise OfficeError(f"the {table.name} {code} is there already: {taken}")
    await connection.execute(insert(table).values(**columns))


def _check_code_and_name(code: str, name: str) -> None:
    if not _CODE.fullmatch(code):
        raise OfficeError(
            f"{code!r} can't be a code: use letters, digits, dots, hyphens and underscores,"
            " a letter or digit first, at most 64"
        )
    if not 1 <= len(name) <= MAX_NAME or not name.isprintable():
        raise OfficeError(f"{name!r} can't be a name: use 1 to {MAX_NAME} printable characters")


def _check_told(organisation: Organisation, links: Collection[str]) -> None:
    months = organisation.kept_months
    if months is not None and not 1 <= months <= MAX_KEPT_MONTHS:
        raise OfficeError(f"answers can be kept for 1 to {MAX_KEPT_MONTHS} months, not {months}")
    for language, text in organisation.contact.items():
        if not _TAG.fullmatch(language):
            raise OfficeError(f"{language!r} is no language tag: use such as en or cy")
        faults = [*faults_of(text, links)]
        if len(text) > MAX_CONTACT:
            faults.append(f"is longer than {MAX_CONTACT} characters")
        if faults:
            raise OfficeError(f"the contact in {language}: {'; '.join(faults)}")


def _columns(organisation: Organisation) -> dict[str, object]:
    told = json.dumps(organisation.contact, ensure_ascii=False, sort_keys=True)
    return {
        "code": organisation.code,
        "name": organisation.name,
        "kept_months": organisation.kept_months,
        "contact": told if organisation.contact else None,
    }


async def _require(connection: AsyncConnection, table: Table, code: str) -> None:
    known = await connection.scalar(select(table.c.code).where(table.c.code == code))
    if known is None:
        raise OfficeError(
            f"there is no {table.name} {code}: add it first, by `regard-collector {table.name} add`"
        )


async def _check_questionnaire(
    connection: AsyncConnection, site: Site, publishing_keys: Sequence[VerifyingKey]
) -> None:
    edition = await newest(
        connection,
        PublicationKind.QUESTIONNAIRE,
        tables.publication.c.questionnaire == site.questionnaire,
    )
    if edition is None:
        raise OfficeError(
            f"no questionnaire {site.questionnaire} is published:"
            " publish it first, by `regard-collector publish questionnaire`"
        )
    published = Published(Questionnaire, publishing_keys)
    await published.load(connection, [edition.serial])
    missing = sorted(set(site.languages) - set(published[edition.serial].languages))
    if missing:
        raise OfficeError(
            f"the questionnaire {site.questionnaire} is not published in {', '.join(missing)}"
        )
