"""Enrolment codes, which stamps hold."""

import argparse

from sync_service.collector import enrolment
from sync_service.collector.commands.grammar import Group, add_command, add_kiosk_of_site, add_noun
from sync_service.collector.office import open_office


def add_to(group: Group) -> None:
    """Add ``code``."""
    code = add_noun(group, "code", "enrolment codes")
    withdraw = add_command(
        code, "withdraw", _withdraw, "let a stamp's enrolment code admit no kiosk"
    )
    add_kiosk_of_site(withdraw)


async def _withdraw(args: argparse.Namespace) -> str:
    """Withdraw an enrolment code."""
    async with open_office(args.folder) as office:
        await enrolment.withdraw_code(office.engine, args.site, args.name, office.now)
    return f"The enrolment code of {args.name} at {args.site} is withdrawn."
