"""Stamps: making them, and saying what cards, images and stamps hold."""

import argparse
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from sync_service.collector import enrolment
from sync_service.collector.card_image import CardImage
from sync_service.collector.commands.grammar import Group, add_command
from sync_service.collector.error import OfficeError
from sync_service.collector.inspection import Found, Inspector
from sync_service.collector.office import Office, open_office
from sync_service.collector.orders import (
    COLUMNS,
    ROTATIONS,
    Order,
    check_call,
    read_network,
    read_orders,
)
from sync_service.collector.parcels import remove_parcel, write_parcel, write_parcels
from sync_service.collector.stamping import Stamped
from sync_service.contract.stamp import PACKED_FILE


def add_to(group: Group) -> None:
    """Add ``stamp`` and ``inspect``."""
    stamp = add_command(
        group,
        "stamp",
        _stamp,
        "make the stamp of a new kiosk, or of each one on a list",
        "Write what makes an image one site's kiosk, a file to drag onto its card's boot drive, and"
        " a sheet to print for whoever plugs it in. See docs/stamping.md.",
    )
    stamp.add_argument("site", nargs="?", metavar="SITE", help="the code of its site")
    stamp.add_argument(
        "name", nargs="?", metavar="NAME", help="tells the site's kiosks apart: desk-1"
    )
    stamp.add_argument("into", type=Path, metavar="FOLDER", help="a new or empty folder")
    stamp.add_argument(
        "--csv",
        type=Path,
        metavar="FILE",
        help="stamp each kiosk of this list, in place of SITE and NAME: all of them, or none if a"
        f" line is wrong. Its columns may be: {', '.join(COLUMNS)}",
    )
    stamp.add_argument(
        "--panel",
        metavar="NAME",
        help="the kiosk's panel: inches-pixels, as in 7-800x480; by default 10.1-1280x800."
        " A name that is not known is answered with those that are",
    )
    stamp.add_argument(
        "--rotation",
        type=int,
        choices=ROTATIONS,
        help="by how many degrees its picture is turned, against the clock; name the panel as it"
        " hangs",
    )
    stamp.add_argument(
        "--call", metavar="TEXT", help="whom its staff call, for the sheet: 'Ana, 01234 567890'"
    )
    stamp.add_argument(
        "--network",
        type=Path,
        metavar="FILE",
        help="the site's network as a TOML file, with the keys that a list has columns for, from"
        " link on",
    )
    stamp.add_argument(
        "--image", type=Path, metavar="FILE", help="put the stamp onto this Regard image as well"
    )
    inspect = group.add_parser(
        "inspect",
        help="say what a card, an image or a stamp holds",
        description="Say what a card's boot drive, an image or a stamp holds, without its secrets,"
        " and whether a kiosk would start from it. Needs no collector; one that is named says"
        " whether the enrolment code is good still. The exit status is 0 if all is well, 1 if"
        " something is wrong with one of them.",
    )
    inspect.set_defaults(run=_inspect, say=print)
    inspect.add_argument(
        "path", type=Path, nargs="+", metavar="PATH", help="a file, or a folder, or a drive"
    )
    inspect.add_argument(
        "--folder", type=Path, metavar="FOLDER", help="the collector's folder, to ask it as well"
    )
    inspect.add_argument("--json", action="store_true", help="a line of JSON for each")


async def _stamp(args: argparse.Namespace) -> str:
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
    return [Order(args.site, args.name, args.panel, args.rotation or 0, args.call, network)]


async def _inspect(args: argparse.Namespace) -> int:
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
