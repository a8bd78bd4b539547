"""The fleet: which kiosks there are, and which of them are believed."""

import argparse
from datetime import UTC, date, datetime, time

from sync_service.collector import apart, enrolment, fleet
from sync_service.collector.commands.grammar import Group, add_command, add_kiosk_of_site, add_noun
from sync_service.collector.error import OfficeError
from sync_service.collector.office import open_office
from sync_service.collector.wording import (
    aligned,
    told_clock,
    told_parts,
    told_state,
    told_trouble,
    told_waiting,
)
from sync_service.contract.signing import fingerprint


def add_to(group: Group) -> None:
    """Add ``kiosk``."""
    kiosk = add_noun(group, "kiosk", "the fleet")
    add_command(
        kiosk,
        "list",
        _list,
        "list kiosks, and how they are",
        "List kiosks, and the stamps that no kiosk has come with yet. A kiosk is silent after a day"
        " without a contact. Its version, its clock, what waits on it and what last went wrong are"
        " as it said at its last contact.",
    )
    approve = add_command(
        kiosk,
        "approve",
        _approve,
        "enrol a kiosk that is held",
        "Enrol a kiosk that is held. Compare the fingerprint with the one that the kiosk's"
        " regard-agent prints.",
    )
    revoke = add_command(
        kiosk,
        "revoke",
        _revoke,
        "end a kiosk's enrolment: it can deliver nothing more",
        "End a kiosk's enrolment: it can deliver nothing more. If it was stolen, or somebody had"
        " it in hand, say by --since from which day on it can't be trusted.",
    )
    revoke.add_argument(
        "--since",
        type=_day,
        metavar="DAY",
        help="what came on this day (UTC) or later is kept apart, counted and handed out nowhere,"
        " until you accept it; as in 2026-03-14",
    )
    reinstate = add_command(
        kiosk,
        "reinstate",
        _reinstate,
        "undo a kiosk's revocation",
        "Let a revoked kiosk be what it was before, enrolled or held. What is kept apart of it"
        " stays so until you accept it.",
    )
    accept = add_command(
        kiosk,
        "accept",
        _accept,
        "count the records that were kept apart since a kiosk went astray",
        "Let the records of a kiosk that were kept apart be opened and counted like any other."
        " To keep them apart again: kiosk revoke FINGERPRINT --since DAY.",
    )
    ask_again = add_command(
        kiosk, "ask-again", _ask_again, "ask a kiosk once more for the records that were refused"
    )
    for command in (approve, revoke, reinstate, accept, ask_again):
        command.add_argument(
            "fingerprint", metavar="FINGERPRINT", help="as `regard-collector kiosk list` shows it"
        )
    move = add_command(
        kiosk,
        "move",
        _move,
        "assign a kiosk to another site",
        "Assign a kiosk to another site. Records that it made before keep their site.",
    )
    add_kiosk_of_site(move)
    move.add_argument("to", metavar="TO", help="the code of the site to assign it to")


def _day(text: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is no day such as 2026-03-14") from None


async def _list(args: argparse.Namespace) -> str:
    """List kiosks."""
    async with open_office(args.folder) as office:
        lines = await fleet.list_kiosks(office.engine)
    heads = (
        *("site", "name", "fingerprint", "state", "version", "clock", "waiting"),
        *("hardware", "last error"),
    )
    rows = [
        (
            line.site,
            line.name,
            fingerprint(line.kiosk_id) if line.kiosk_id else "-",
            told_state(line, office.now),
            line.software or "-",
            told_clock(line),
            told_waiting(line),
            told_parts(line),
            told_trouble(line.last_error),
        )
        for line in lines
    ]
    return aligned([heads, *rows])


async def _approve(args: argparse.Namespace) -> str:
    """Approve a kiosk that is held."""
    kiosk_id = enrolment.parse_fingerprint(args.fingerprint)
    async with open_office(args.folder) as office:
        others = await enrolment.approve(office.engine, kiosk_id, office.now)
    told = (
        f"The kiosk {fingerprint(kiosk_id)} is enrolled. It asks again within a day, or at once"
        " after its agent is restarted."
    )
    if not others:
        return told
    return (
        f"{told}\nEnrolled under the same stamp: {', '.join(map(fingerprint, others))}."
        " Revoke them if this one replaces them."
    )


async def _revoke(args: argparse.Namespace) -> str:
    """Revoke a kiosk, and keep apart what came since it went astray."""
    kiosk_id = enrolment.parse_fingerprint(args.fingerprint)
    async with open_office(args.folder) as office:
        since = None if args.since is None else _day_begins_at(args.since, office.today)
        kept = await enrolment.revoke(office.engine, kiosk_id, office.now, since)
    told = f"The kiosk {fingerprint(kiosk_id)} is revoked: nothing more is taken from it."
    if kept is None:
        return told
    told += f"\nRecords kept apart, as they came on {args.since} or later: {kept.records}."
    if kept.handed_out:
        told += (
            f"\nOf these, {kept.handed_out} could be pulled before: tell your analysts to pull"
            " once more from the beginning."
        )
    if kept.records:
        told += "\nTo count them all the same: regard-collector kiosk accept FINGERPRINT"
    return told


async def _reinstate(args: argparse.Namespace) -> str:
    """Let a revoked kiosk be what it was before."""
    kiosk_id = enrolment.parse_fingerprint(args.fingerprint)
    async with open_office(args.folder) as office:
        standing = await enrolment.reinstate(office.engine, kiosk_id)
    return (
        f"The kiosk {fingerprint(kiosk_id)} is {standing.value} again. It asks again within a day,"
        " or at once after its agent is restarted."
    )


async def _accept(args: argparse.Namespace) -> str:
    """Accept the records of a kiosk that are kept apart."""
    kiosk_id = enrolment.parse_fingerprint(args.fingerprint)
    async with open_office(args.folder) as office:
        number = await apart.accept(office.engine, kiosk_id)
    return f"Records that were kept apart, and wait now to be opened like any other: {number}."


async def _ask_again(args: argparse.Namespace) -> str:
    """Ask a kiosk for what was refused."""
    kiosk_id = enrolment.parse_fingerprint(args.fingerprint)
    async with open_office(args.folder) as office:
        number = await fleet.ask_again(office.engine, kiosk_id)
    return f"Records that will be asked for at the kiosk's next contact: {number}."


async def _move(args: argparse.Namespace) -> str:
    """Assign a kiosk to another site."""
    async with open_office(args.folder) as office:
        edition = await office.stamping.move(args.site, args.name, args.to, office.now)
    if not edition.is_new:
        return f"{args.name} is assigned to {args.to} already."
    return f"{args.name} is assigned to {args.to} from its next contact on."


def _day_begins_at(day: date, today: date) -> int:
    if day > today:
        raise OfficeError(f"{day} is still to come: --since is when the kiosk went astray")
    return int(datetime.combine(day, time(), UTC).timestamp())
