"""What ``regard-collector`` does, one function a command. Each gives what to say at the end.

What it does about kiosks is in `kiosk_commands`.
"""

import argparse
import asyncio
import sys
import time
from dataclasses import replace
from datetime import UTC, datetime
from getpass import getpass
from urllib.parse import urlsplit

from sqlalchemy import Table

from sync_service.collector import opening, sites, tables
from sync_service.collector.config import Centre, CollectorSettings, host_of
from sync_service.collector.database import check_begun, migrate, open_engine, reading, writing
from sync_service.collector.error import OfficeError
from sync_service.collector.founding import found
from sync_service.collector.insight.export import export as export_all
from sync_service.collector.insight.writers import Format
from sync_service.collector.office import Office, open_office
from sync_service.collector.publishing import Edition, read_questionnaire
from sync_service.collector.pull.tokens import Tokens
from sync_service.collector.replies import read_draft
from sync_service.collector.rotation import SEALING
from sync_service.collector.serving import serve as serve_kiosks
from sync_service.collector.serving import stopping_by_signal
from sync_service.collector.tables import Opening
from sync_service.collector.wording import aligned, told_counts, told_time
from sync_service.contract.publication import Answer, Invitation, Replies, Reply, Stands
from sync_service.logs import log_to_stdout

_HTTPS_PORT = 443
_PROXIED_PORT = 8080


async def init(args: argparse.Namespace) -> str:
    """Make a collector."""
    if args.behind_proxy and args.authority is None:
        raise OfficeError(
            "name the PEM file of the proxy's certificate authority by --authority: stamps pin it"
        )
    try:
        host, port = host_of(args.address), urlsplit(args.address).port
        settings = CollectorSettings(
            address=args.address,
            names=(host, *(name for name in args.name if name != host)),
            host=args.host or ("127.0.0.1" if args.behind_proxy else "0.0.0.0"),
            port=args.port or (_PROXIED_PORT if args.behind_proxy else port or _HTTPS_PORT),
            tls=not args.behind_proxy,
            database=args.database,
        )
        centre = await found(
            args.folder,
            settings,
            int(time.time()),
            args.authority,
            sealing=SEALING[args.sealing],
            split=args.split,
        )
    except ValueError as error:
        raise OfficeError(str(error)) from None
    return (
        f"The collector is in {centre.folder}.\n"
        f"Copy {centre.keys} to a safe place now: without the sealing key in it, what kiosks send"
        " can never be read.\n"
        f"Print what is in {centre.sheets}, then delete that folder: the words give the sealing key"
        " back. They were read back from the disk, and do.\n"
        f"Then: regard-collector serve --folder {args.folder}"
    )


async def serve(args: argparse.Namespace) -> None:
    """Serve kiosks until a signal comes."""
    log_to_stdout()
    centre = Centre.read(args.folder)
    engine = open_engine(centre.database_url)
    try:
        await check_begun(engine)
        await migrate(engine)
        with stopping_by_signal() as stop:
            await serve_kiosks(centre, engine, stop)
    finally:
        await engine.dispose()


async def open_records(args: argparse.Namespace) -> str | None:
    """Open what waits."""
    if args.follow:
        log_to_stdout()
    async with open_office(args.folder) as office:
        keyring = office.keyring
        opening_keys, publishing_keys = keyring.opening_keys(), keyring.publishing_keys()
        # A key that was missing when they came may be here now.
        await opening.reopen(
            office.engine, opening.REOPENABLE if args.again else {Opening.UNKNOWN_KEY}
        )
        with stopping_by_signal() as stop:
            if args.child:
                asyncio.get_running_loop().add_reader(sys.stdin.fileno(), stop.set)
            await opening.run(
                office.engine,
                opening_keys,
                publishing_keys,
                keyring.record_id_secret(),
                follow=args.follow,
                stop=stop,
            )
        if args.follow:
            return None
        return told_counts(await opening.count_by_outcome(office.engine))


async def organisation_add(args: argparse.Namespace) -> str:
    """Add an organisation."""
    organisation = _told_otherwise(sites.Organisation(args.code, args.name), args)
    async with open_office(args.folder) as office:
        await sites.add_organisation(office.engine, organisation, office.centre.settings.links)
    return f"The organisation {args.code} is added."


async def organisation_change(args: argparse.Namespace) -> str:
    """Change what is said of an organisation, and let its kiosks know."""
    async with open_office(args.folder) as office:
        stamping = office.stamping
        async with writing(office.engine) as connection:
            organisation = await sites.find_organisation(connection, args.code)
            changed = _told_otherwise(organisation, args)
            await sites.change_organisation(connection, changed, office.centre.settings.links)
            number = await stamping.assign_anew(connection, args.code, office.now)
    return f"Kiosks that will hear of it at their next contact: {number}."


async def service_add(args: argparse.Namespace) -> str:
    """Add a service."""
    async with open_office(args.folder) as office:
        await sites.add_service(office.engine, args.code, args.name, args.organisation)
    return f"The service {args.code} is added."


async def place_add(args: argparse.Namespace) -> str:
    """Add a place."""
    async with open_office(args.folder) as office:
        await sites.add_place(office.engine, args.code, args.name)
    return f"The place {args.code} is added."


async def site_add(args: argparse.Namespace) -> str:
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


async def organisation_list(args: argparse.Namespace) -> str:
    """List organisations."""
    return await _list(args, tables.organisation)


async def service_list(args: argparse.Namespace) -> str:
    """List services."""
    return await _list(args, tables.service)


async def place_list(args: argparse.Namespace) -> str:
    """List places."""
    return await _list(args, tables.place)


async def site_list(args: argparse.Namespace) -> str:
    """List sites."""
    return await _list(args, tables.site)


async def questionnaire_check(args: argparse.Namespace) -> str:
    """Check a questionnaire's file."""
    questionnaire = read_questionnaire(args.file)
    return f"{args.file} can be published as {questionnaire.id}, version {questionnaire.version}."


async def publish_questionnaire(args: argparse.Namespace) -> str:
    """Publish a questionnaire."""
    questionnaire = read_questionnaire(args.file)
    async with open_office(args.folder) as office, writing(office.engine) as connection:
        edition = await office.publisher.questionnaire(connection, questionnaire, office.now)
    return _told_edition(edition)


async def replies_check(args: argparse.Namespace) -> str:
    """Check a file of replies."""
    async with open_office(args.folder) as office:
        replies = await _finished(office, args)
    told = [f"{args.file} can be published for {replies.site}. Its kiosks will show:"]
    for reply in replies.replies:
        told.append(f"\n{reply.code}. {_told_kind(reply)}")
        told += [
            f"  {name}.{language}: {text}"
            for name, texts in reply.texts.items()
            for language, text in texts.items()
        ]
    return "\n".join(told)


async def publish_replies(args: argparse.Namespace) -> str:
    """Publish a site's replies."""
    async with open_office(args.folder) as office:
        replies = await _finished(office, args)
        async with writing(office.engine) as connection:
            edition = await office.publisher.replies(connection, replies, office.now)
    return _told_edition(edition)


async def account_add(args: argparse.Namespace) -> str:
    """Add an account; its password comes from the terminal, or as a line of standard input."""
    async with open_office(args.folder) as office:
        await office.accounts.add(args.name, _read_password(), office.now)
    return f"{args.name} can sign in now."


async def account_list(args: argparse.Namespace) -> str:
    """List accounts."""
    async with open_office(args.folder) as office:
        accounts = await office.accounts.list()
    rows = [
        (account.name, told_time(account.made_at), told_time(account.signed_in_at))
        for account in accounts
    ]
    return aligned([("name", "added", "last signed in"), *rows])


async def account_remove(args: argparse.Namespace) -> str:
    """Remove an account."""
    async with open_office(args.folder) as office:
        await office.accounts.remove(args.name)
        left = await office.accounts.exist()
    told = f"{args.name} can't sign in any more, and is signed out everywhere."
    if left:
        return told
    return f"{told}\nThere is no account now: the pages are shown on this machine only."


async def export(args: argparse.Namespace) -> str:
    """Export all that is opened."""
    async with open_office(args.folder) as office:
        summary = await export_all(
            office.engine,
            args.into,
            office.keyring.publishing_keys(),
            at=datetime.now(UTC),
            kind=Format(args.format),
            include_current=args.include_current,
        )
    return (
        f"{summary.folder}: {summary.responses} responses, {summary.verdicts} verdicts,"
        f" {summary.days} days.\n"
        f"Held back, as their half-day is not over: {summary.held_back}.\n"
        f"{told_counts(summary.outcomes)}"
    )


async def token_add(args: argparse.Namespace) -> str:
    """Make a token to pull with."""
    async with open_office(args.folder) as office:
        token = await Tokens(office.engine).add(args.name, office.today)
    return (
        f"{token}\n"
        f"This is the token {args.name}. It is shown this once, and lets its holder read every"
        " response: hand it over as you would a key."
    )


async def token_list(args: argparse.Namespace) -> str:
    """List tokens."""
    async with open_office(args.folder) as office:
        tokens = await Tokens(office.engine).list()
    heads = ("name", "made", "last used", "revoked")
    rows = [
        (token.name, token.made_on, token.used_on or "-", token.revoked_on or "-")
        for token in tokens
    ]
    return aligned([heads, *rows])


async def token_revoke(args: argparse.Namespace) -> str:
    """Revoke a token."""
    async with open_office(args.folder) as office:
        await Tokens(office.engine).revoke(args.name, office.today)
    return f"The token {args.name} is revoked."


async def _finished(office: Office, args: argparse.Namespace) -> Replies:
    """The replies in a file, fit to be published."""
    draft = read_draft(args.file)
    async with reading(office.engine) as connection:
        site = await sites.find_site(connection, draft.replies.site)
    return await office.editor.finish(draft, site.languages, office.today)


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


def _read_password() -> str:
    """A password, typed twice where someone can mistype it."""
    if not sys.stdin.isatty():
        return sys.stdin.readline().rstrip("\n")
    password = getpass("Password: ")
    if getpass("The same again: ") != password:
        raise OfficeError("the two are not the same: nothing was done")
    return password


def _told_edition(edition: Edition) -> str:
    what = f"{edition.kind.value}, serial {edition.serial}"
    if edition.is_new:
        return f"Published: {what}. Kiosks take it at their next contact."
    return f"Nothing to do: the same is published already, as {what}."


def _told_kind(reply: Reply) -> str:
    """What a reply is, and its days."""
    told = [type(reply).__name__.lower()]
    if isinstance(reply, Answer):
        told.append(reply.outcome.value)
    if not isinstance(reply, Invitation) and reply.due is not None:
        told.append(f"due {reply.due}")
    if reply.expires is not None:
        told.append(f"until {reply.expires}")
    return ", ".join(told)
