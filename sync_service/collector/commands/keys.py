"""The centre's keys: another in place of one, and the sealing key on paper."""

import argparse
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from sync_service.collector.commands.grammar import SPLIT, Group, add_command, add_noun
from sync_service.collector.config import Centre
from sync_service.collector.database import reading, writing
from sync_service.collector.error import OfficeError
from sync_service.collector.keyring import Keyring
from sync_service.collector.office import open_office
from sync_service.collector.publishing import keys_in_force
from sync_service.collector.recovery import read_sheets, write_sheets
from sync_service.collector.rotation import SEALING, Rotated, rotate

_THEN: Final[Mapping[Rotated, str]] = {
    Rotated.SEALING: "Write its recovery sheet: regard-collector keys sheet INTO. Start `serve`, or"
    " `open --follow`, anew, so that it reads the new key. Keep the old one: what was sealed to it"
    " is opened by it.",
    Rotated.RECEIPT: "Start `serve` anew, so that it signs with the new key. Until then kiosks"
    " believe the old one too.",
    Rotated.PUBLISHING: "Keep the old one until every kiosk has been in contact.",
}


def add_to(group: Group) -> None:
    """Add ``keys``."""
    keys = add_noun(group, "keys", "the centre's keys: see docs/keys.md")
    rotation = add_command(
        keys,
        "rotate",
        _rotate,
        "let a new key come into force in place of an old one",
        "Make a new key, and publish it to kiosks, which take it at their next contact; one that"
        " missed several catches up. The old key stays in the folder: keep it. See docs/keys.md.",
    )
    rotation.add_argument(
        "key",
        choices=[rotated.value for rotated in Rotated],
        help="sealing: what kiosks seal to; receipt: what the collector signs its replies with;"
        " publishing: what publications are signed with",
    )
    rotation.add_argument(
        "--sealing",
        choices=list(SEALING),
        help="how a new sealing key seals; without it, as the one in force does",
    )
    sheet = add_command(
        keys,
        "sheet",
        _sheet,
        "write the recovery sheet of the sealing key in force, to be printed",
        "Write the sealing key in force as words, to be printed and kept in a safe: its file can be"
        " made again from them. They are read back and proven before the command ends.",
    )
    sheet.add_argument("into", type=Path, metavar="INTO", help="a new or empty folder")
    sheet.add_argument("--split", action="store_true", help=SPLIT)
    recover = add_command(
        keys,
        "recover",
        _recover,
        "make the file of a sealing key from its recovery sheets",
        "Make the file of a sealing key from its recovery sheet, or from two of the three if it was"
        " split, typed into files. Where the key is here already, this proves the paper.",
    )
    recover.add_argument("sheet", type=Path, nargs="+", metavar="SHEET", help="a sheet as a file")


async def _rotate(args: argparse.Namespace) -> str:
    """Let a new key come into force in place of one of the centre's."""
    rotated = Rotated(args.key)
    algorithm = None if args.sealing is None else SEALING[args.sealing]
    if algorithm is not None and rotated is not Rotated.SEALING:
        raise OfficeError("--sealing says how the sealing key seals: it goes with no other key")
    async with open_office(args.folder) as office, writing(office.engine) as connection:
        edition = await rotate(connection, office.keyring, rotated, office.now, algorithm)
    return (
        f"A new {rotated.value} key is published, as {edition.kind.value}, serial {edition.serial}."
        " Kiosks take it at their next contact.\n"
        f"Copy {office.centre.keys} to a safe place now.\n"
        f"{_THEN[rotated]}"
    )


async def _sheet(args: argparse.Namespace) -> str:
    """Write the recovery sheets of the sealing key in force."""
    async with open_office(args.folder) as office:
        keyring = office.keyring
        async with reading(office.engine) as connection:
            keys = await keys_in_force(connection, keyring.publishing_keys())
        for key in keyring.opening_keys():
            if keys is not None and key.sealing_key == keys.sealing:
                paths = write_sheets(args.into, key, split=args.split)
                break
        else:
            raise OfficeError("the private half of the sealing key in force is not here")
    return (
        f"Print, then delete: {', '.join(map(str, paths))}.\n"
        "The words were read back from the disk, and give the key. To prove the paper, type it into"
        " a file, and: regard-collector keys recover"
    )


async def _recover(args: argparse.Namespace) -> str:
    """Make the file of a sealing key from its recovery sheets."""
    key = read_sheets(args.sheet)
    path = Keyring(Centre.read(args.folder).keys).keep_opening_key(key)
    key_id = key.sealing_key.key_id.hex()
    if path is None:
        return f"The words are right: they give the sealing key {key_id}, which is here already."
    return (
        f"The sealing key {key_id} is back, in {path}.\n"
        "Start `serve`, or `open --follow`, anew: what was sealed to it is opened then."
    )
