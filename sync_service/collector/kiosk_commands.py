"""What ``regard-collector`` does about kiosks, one function a command.

Each gives what to say at the end.
"""

import argparse
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, date, datetime, time

from sync_service.collector import apart, enrolment, fleet
from sync_service.collector.card_image import CardImage
from sync_service.collector.error import OfficeError
from sync_service.collector.inspection import Found, Inspector
from sync_service.collector.office import Office, open_office
from sync_service.collector.orders import Order, check_call, read_network, read_orders
from sync_service.collector.parcels import remove_parcel, write_parcel, write_parcels
from sync_service.collector.stamping import Stamped
from sync_service.collector.wording import (
    aligned,
    told_clock,
    told_parts,
    told_salvaged,
    told_state,
    told_taken,
    told_trouble,
    told_waiting,
)
from sync_service.contract.signing import fingerprint
from sync_service.contract.stamp import PACKED_FILE
from sync_service.stick import SentBy, Stick


async def kiosk_list(args: argparse.Namespace) -> str:
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
    """Stamp a kiosk, or each one on a list."""
    orders = _orders(args)
    image = None if args.image is None else CardImage.open(args.image)
    if image is not None:
        image.check_unstamped()
    async with open_office(args.folder) as office:

        def keep(stamped: Sequence[Stamped]) -> None:
            if args.csv is not None:
                write_parcels(stamped, args.into, office.today)
                return
            [one] = stamped
            write_parcel(one, args.into, office.today)
            if image is not None:
                try:
                    image.put(PACKED_FILE, one.stamp.pack())
                except OfficeError:
                    remove_parcel(args.into)
                    raise

        await office.stamping.stamp(orders, office.now, keep)
    if args.csv is not None:
        told = f"The stamps and sheets of {len(orders)} kiosks are in {args.into}, a folder each."
    else:
        told = f"The stamp and the sheet of {args.name} at {args.site} are in {args.into}."
    if image is not None:
        told += (
            f"\nThe stamp is on {image.path}, too: flash a card with that, for this kiosk alone."
        )
    return (
        f"{told}\nPrint each sheet, then delete it: the PIN on it is kept nowhere else.\n"
        f"A stamp ({PACKED_FILE}) holds an enrolment code that is good for one kiosk and one year:"
        " keep it to yourself."
    )


async def inspect(args: argparse.Namespace) -> int:
    """Say what cards, images and stamps hold, and what the collector that is named knows of it."""
    inspector = Inspector()
    found = [inspector.inspect(path) for path in args.path]
    if args.folder is not None:
        async with open_office(args.folder) as office:
            found = [await _asked_of(office, one) for one in found]
    for one in found:
        args.say(one.to_json() if args.json else one.to_text())
    return int(any(one.faults for one in found))


async def _asked_of(office: Office, found: Found) -> Found:
    """What was found, and whether its code is good still."""
    stamp = found.stamp
    if stamp is None:
        return found
    fault = await enrolment.fault_of_stamp(
        office.engine, stamp.stamp_id, stamp.enrolment_code, office.now
    )
    return found if fault is None else replace(found, faults=(*found.faults, fault))


def _orders(args: argparse.Namespace) -> list[Order]:
    of_one = (args.site, args.name, args.panel, args.rotation, args.call, args.network, args.image)
    if args.csv is not None:
        if any(each is not None for each in of_one):
            raise OfficeError(
                "with --csv, name only the folder to write into: all else stands on the list, and"
                " an image takes one stamp"
            )
        return read_orders(args.csv)
    if args.site is None or args.name is None:
        raise OfficeError("name the site, the kiosk and a folder; or list many kiosks by --csv")
    if args.call is not None:
        check_call(args.call)
    network = None if args.network is None else read_network(args.network)
    return [
        Order(args.site, args.name, args.panel, args.rotation or 0, args.call, network),
    ]


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


async def recover(args: argparse.Namespace) -> int:
    """Deliver what a dead kiosk's card holds: 0 if all was taken, 1 if anything was refused."""
    async with open_office(args.folder) as office:
        salvaging = await office.salvaging()
        found = await salvaging.recover(args.store, office.now)
    args.say(told_salvaged(fingerprint(found.kiosk_id), found))
    return int(bool(found.taken.refused))
