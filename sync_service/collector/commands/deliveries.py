"""What comes by no network: on a stick, or on the card of a dead kiosk."""

import argparse
from pathlib import Path

from sync_service.collector.commands.grammar import Group, add_command
from sync_service.collector.error import OfficeError
from sync_service.collector.office import open_office
from sync_service.collector.wording import told_salvaged, told_taken
from sync_service.contract.signing import fingerprint
from sync_service.stick import SentBy, Stick


def add_to(group: Group) -> None:
    """Add ``take`` and ``recover``."""
    take = add_command(
        group,
        "take",
        _take,
        "take in what a stick has brought from kiosks without a network",
        "Take in what `regard-agent carry` has left on a stick, from any number of kiosks, and"
        " leave the replies on it: receipts, what was published, and how each kiosk stands. The"
        " exit status is 0 if all was taken, 1 if anything was refused. See docs/carrying.md.",
    )
    take.add_argument("stick", type=Path, metavar="STICK", help="the folder of the stick")
    take.set_defaults(say=print)
    recover = add_command(
        group,
        "recover",
        _recover,
        "deliver what the card of a dead kiosk still holds; needs the sealing key",
        "Deliver the records in a dead kiosk's store that were not delivered, as the kiosk would"
        " have. Its spare key, its identity and its -wal file must lie beside it, as they do on"
        " the card; none of them is written to. The exit status is 0 if all was taken, 1 if"
        " anything was refused. See docs/carrying.md.",
    )
    recover.add_argument(
        "store", type=Path, metavar="STORE", help="the store's file, as in /media/card/store.db"
    )
    recover.set_defaults(say=print)


async def _take(args: argparse.Namespace) -> int:
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


async def _recover(args: argparse.Namespace) -> int:
    """Deliver what a dead kiosk's card holds: 0 if all was taken, 1 if anything was refused."""
    async with open_office(args.folder) as office:
        salvaging = await office.salvaging()
        found = await salvaging.recover(args.store, office.now)
    args.say(told_salvaged(fingerprint(found.kiosk_id), found))
    return int(bool(found.taken.refused))
