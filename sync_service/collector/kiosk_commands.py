"""What ``regard-collector`` does about kiosks, one function a command.

Each gives what to say at the end.
"""

import argparse
from datetime import UTC, date, datetime, time

from sync_service.collector import apart, enrolment, fleet
from sync_service.collector.error import OfficeError
from sync_service.collector.office import open_office
from sync_service.collector.wording import (
    aligned,
    told_clock,
    told_state,
    told_taken,
    told_trouble,
    told_waiting,
)
from sync_service.contract.signing import fingerprint
from sync_service.stick import SentBy, Stick


async def kiosk_list(args: argparse.Namespace) -> str:
    """List kiosks."""
    async with open_office(args.folder) as office:
        lines = await fleet.list_kiosks(office.engine)
    heads = ("site", "name", "fingerprint", "state", "version", "clock", "waiting", "last error")
    rows = [
        (
            line.site,
            line.name,
            fingerprint(line.kiosk_id) if line.kiosk_id else "-",
            told_state(line, office.now),
            line.software or "-",
            told_clock(line),
            told_waiting(line),
            told_trouble(line.last_error),
        )
        for line in lines
    ]
    return aligned([heads, *rows])


async def kiosk_approve(args: argparse.Namespace) -> str:
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


async def kiosk_revoke(args: argparse.Namespace) -> str:
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


async def kiosk_reinstate(args: argparse.Namespace) -> str:
    """Let a revoked kiosk be what it was before."""
    kiosk_id = enrolment.parse_fingerprint(args.fingerprint)
    async with open_office(args.folder) as office:
        standing = await enrolment.reinstate(office.engine, kiosk_id)
    return (
        f"The kiosk {fingerprint(kiosk_id)} is {standing.value} again. It asks again within a day,"
        " or at once after its agent is restarted."
    )


async def kiosk_accept(args: argparse.Namespace) -> str:
    """Accept the records of a kiosk that are kept apart."""
    kiosk_id = enrolment.parse_fingerprint(args.fingerprint)
    async with open_office(args.folder) as office:
        number = await apart.accept(office.engine, kiosk_id)
    return f"Records that were kept apart, and wait now to be opened like any other: {number}."


async def kiosk_move(args: argparse.Namespace) -> str:
    """Assign a kiosk to another site."""
    async with open_office(args.folder) as office:
        edition = await office.stamping.move(args.site, args.name, args.to, office.now)
    if not edition.is_new:
        return f"{args.name} is assigned to {args.to} already."
    return f"{args.name} is assigned to {args.to} from its next contact on."


async def kiosk_ask_again(args: argparse.Namespace) -> str:
    """Ask a kiosk for what was refused."""
    kiosk_id = enrolment.parse_fingerprint(args.fingerprint)
    async with open_office(args.folder) as office:
        number = await fleet.ask_again(office.engine, kiosk_id)
    return f"Records that will be asked for at the kiosk's next contact: {number}."


async def code_withdraw(args: argparse.Namespace) -> str:
    """Withdraw an enrolment code."""
    async with open_office(args.folder) as office:
        await enrolment.withdraw_code(office.engine, args.site, args.name, office.now)
    return f"The enrolment code of {args.name} at {args.site} is withdrawn."


async def stamp(args: argparse.Namespace) -> str:
    """Make a kiosk's stamp."""
    async with open_office(args.folder) as office:
        await office.stamping.stamp(args.site, args.name, args.into, office.now, args.panel)
    return (
        f"The stamp of {args.name} at {args.site} is in {args.into}.\n"
        "It holds an enrolment code that is good for one kiosk and one year: keep it to yourself."
    )


def _day_begins_at(day: date, today: date) -> int:
    if day > today:
        raise OfficeError(f"{day} is still to come: --since is when the kiosk went astray")
    return int(datetime.combine(day, time(), UTC).timestamp())


async def take(args: argparse.Namespace) -> int:
    """Take in what was carried here by a stick: 0 if all was taken, 1 if anything was refused."""
    stick = Stick(args.stick)
    async with open_office(args.folder) as office:
        taking = await office.taking()
        try:
            bundles = [file for file in stick.files() if file.sent_by is SentBy.KIOSK]
        except OSError as error:
            raise OfficeError(f"{args.stick}: can't be read: {error.strerror}") from None
        if not bundles:
            raise OfficeError(f"{args.stick}: no kiosk has left anything here")
        refused = False
        for file in bundles:
            taken = await taking.take(stick, file, office.now)
            args.say(told_taken(file.fingerprint, taken))
            refused |= bool(taken.refused)
    return int(refused)
