"""Whom kiosks stand for, and where: organisations, services, places, sites."""

import argparse
from dataclasses import replace

from sqlalchemy import Table

from sync_service.collector import sites, tables
from sync_service.collector.commands.grammar import Group, add_command, add_noun
from sync_service.collector.database import writing
from sync_service.collector.office import open_office
from sync_service.collector.wording import aligned
from sync_service.contract.publication import Stands


def add_to(group: Group) -> None:
    """Add ``organisation``, ``service``, ``place`` and ``site``."""
    organisation = add_noun(group, "organisation", "who runs services")
    add = add_command(organisation, "add", _add_organisation, "add an organisation")
    _add_code_and_name(add, "council")
    change = add_command(
        organisation,
        "change",
        _change_organisation,
        "change an organisation's name, or what its kiosks tell of it",
        "Change an organisation's name, or what its kiosks tell respondents of their answers. What"
        " is not named stays as it is. Its kiosks hear of it at their next contact.",
    )
    change.add_argument("code", metavar="CODE", help="what it is known by for ever")
    change.add_argument("--name", metavar="NAME", help="what people call it from now on")
    for command in (add, change):
        command.add_argument(
            "--kept-months",
            type=int,
            metavar="N",
            help="for how many months answers are kept, and dropped then; 0: for ever, and kiosks"
            " don't say",
        )
        command.add_argument(
            "--contact",
            nargs=2,
            action="append",
            default=[],
            metavar=("TAG", "TEXT"),
            help="whom to ask about one's answers, once for each language, as in:"
            " --contact en 'the desk'; '': kiosks don't say",
        )
    add_command(organisation, "list", _list_organisation, "list organisations")

    service = add_noun(group, "service", "what is offered to citizens")
    add = add_command(service, "add", _add_service, "add a service")
    _add_code_and_name(add, "libraries")
    add.add_argument("--organisation", required=True, metavar="CODE", help="who runs it")
    add_command(service, "list", _list_service, "list services")

    place = add_noun(group, "place", "districts")
    add = add_command(place, "add", _add_place, "add a place")
    _add_code_and_name(add, "its GSS code")
    add_command(place, "list", _list_place, "list places")

    site = add_noun(group, "site", "where kiosks stand")
    add = add_command(site, "add", _add_site, "add a site")
    _add_code_and_name(add, "central")
    add.add_argument("--service", required=True, metavar="CODE", help="the service it is of")
    add.add_argument("--place", required=True, metavar="CODE", help="the place it is in")
    add.add_argument(
        "--languages",
        required=True,
        nargs="+",
        metavar="TAG",
        help="the languages offered, in their order, as in: en cy",
    )
    add.add_argument(
        "--stands",
        required=True,
        choices=[stands.value for stands in Stands],
        help="where in the building its kiosks stand",
    )
    add.add_argument(
        "--questionnaire", required=True, metavar="ID", help="what is asked, as in: library"
    )
    add.add_argument(
        "--timezone",
        default="Europe/London",
        metavar="ZONE",
        help="its time zone; without it, Europe/London",
    )
    add_command(site, "list", _list_site, "list sites")


def _add_code_and_name(add: argparse.ArgumentParser, example: str) -> None:
    add.add_argument("code", metavar="CODE", help=f"what it is known by for ever, as in: {example}")
    add.add_argument("name", metavar="NAME", help="what people call it")


async def _add_organisation(args: argparse.Namespace) -> str:
    """Add an organisation."""
    organisation = _told_otherwise(sites.Organisation(args.code, args.name), args)
    async with open_office(args.folder) as office:
        await sites.add_organisation(office.engine, organisation, office.centre.settings.links)
    return f"The organisation {args.code} is added."


async def _change_organisation(args: argparse.Namespace) -> str:
    """Change what is said of an organisation, and let its kiosks know."""
    async with open_office(args.folder) as office:
        stamping = office.stamping
        async with writing(office.engine) as connection:
            organisation = await sites.find_organisation(connection, args.code)
            changed = _told_otherwise(organisation, args)
            await sites.change_organisation(connection, changed, office.centre.settings.links)
            number = await stamping.assign_anew(connection, args.code, office.now)
    return f"Kiosks that will hear of it at their next contact: {number}."


async def _add_service(args: argparse.Namespace) -> str:
    """Add a service."""
    async with open_office(args.folder) as office:
        await sites.add_service(office.engine, args.code, args.name, args.organisation)
    return f"The service {args.code} is added."


async def _add_place(args: argparse.Namespace) -> str:
    """Add a place."""
    async with open_office(args.folder) as office:
        await sites.add_place(office.engine, args.code, args.name)
    return f"The place {args.code} is added."


async def _add_site(args: argparse.Namespace) -> str:
    """Add a site."""
    site = sites.Site(
        code=args.code,
        name=args.name,
        service=args.service,
        place=args.place,
        timezone=args.timezone,
        languages=tuple(args.languages),
        stands=Stands(args.stands),
        questionnaire=args.questionnaire,
    )
    async with open_office(args.folder) as office:
        await sites.add_site(office.engine, site, office.keyring.publishing_keys())
    return f"The site {args.code} is added."


async def _list_organisation(args: argparse.Namespace) -> str:
    """List organisations."""
    return await _list(args, tables.organisation)


async def _list_service(args: argparse.Namespace) -> str:
    """List services."""
    return await _list(args, tables.service)


async def _list_place(args: argparse.Namespace) -> str:
    """List places."""
    return await _list(args, tables.place)


async def _list_site(args: argparse.Namespace) -> str:
    """List sites."""
    return await _list(args, tables.site)


def _told_otherwise(
    organisation: sites.Organisation, args: argparse.Namespace
) -> sites.Organisation:
    """An organisation as the arguments have it; what they don't say stays as it was."""
    contact = {**organisation.contact, **dict(args.contact)}
    kept_months = organisation.kept_months if args.kept_months is None else args.kept_months
    return replace(
        organisation,
        name=args.name or organisation.name,
        contact={language: text for language, text in contact.items() if text},
        kept_months=kept_months or None,
    )


async def _list(args: argparse.Namespace, table: Table) -> str:
    async with open_office(args.folder) as office:
        rows = await sites.list_rows(office.engine, table)
    return aligned([table.columns.keys(), *rows])
