"""What ``regard-collector keys`` does, one function a command, which gives what to say."""

import argparse
from collections.abc import Mapping
from typing import Final

from sync_service.collector.database import writing
from sync_service.collector.office import open_office
from sync_service.collector.rotation import Rotated, rotate

_THEN: Final[Mapping[Rotated, str]] = {
    Rotated.SEALING: "Start `serve`, or `open --follow`, anew, so that it reads the new key. Keep"
    " the old one: what was sealed to it is opened by it.",
    Rotated.RECEIPT: "Start `serve` anew, so that it signs with the new key. Until then kiosks"
    " believe the old one too.",
    Rotated.PUBLISHING: "Keep the old one until every kiosk has been in contact.",
}


async def rotate_key(args: argparse.Namespace) -> str:
    """Let a new key come into force in place of one of the centre's."""
    rotated = Rotated(args.key)
    async with open_office(args.folder) as office, writing(office.engine) as connection:
        edition = await rotate(connection, office.keyring, rotated, office.now)
    return (
        f"A new {rotated.value} key is published, as {edition.kind.value}, serial {edition.serial}."
        " Kiosks take it at their next contact.\n"
        f"Copy {office.centre.keys} to a safe place now.\n"
        f"{_THEN[rotated]}"
    )
