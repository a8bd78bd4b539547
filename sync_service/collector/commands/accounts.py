"""Accounts: who may sign in to the pages."""

import argparse
import sys
from getpass import getpass

from sync_service.collector.commands.grammar import Group, add_command, add_noun
from sync_service.collector.error import OfficeError
from sync_service.collector.office import open_office
from sync_service.collector.wording import aligned, told_time


def add_to(group: Group) -> None:
    """Add ``account``."""
    account = add_noun(group, "account", "who may sign in to the pages")
    add = add_command(
        account,
        "add",
        _add,
        "add an account",
        "Add an account. The password is asked for, or read as one line of standard input. As long"
        " as there is no account, the pages are shown on this machine only.",
    )
    add_command(account, "list", _list, "list accounts")
    remove = add_command(
        account, "remove", _remove, "remove an account, and sign it out everywhere"
    )
    for command in (add, remove):
        command.add_argument("name", metavar="NAME", help="who signs in, as in: Morwenna")


async def _add(args: argparse.Namespace) -> str:
    """Add an account; its password comes from the terminal, or as a line of standard input."""
    async with open_office(args.folder) as office:
        await office.accounts.add(args.name, _read_password(), office.now)
    return f"{args.name} can sign in now."


async def _list(args: argparse.Namespace) -> str:
    """List accounts."""
    async with open_office(args.folder) as office:
        accounts = await office.accounts.list()
    rows = [
        (account.name, told_time(account.made_at), told_time(account.signed_in_at))
        for account in accounts
    ]
    return aligned([("name", "added", "last signed in"), *rows])


async def _remove(args: argparse.Namespace) -> str:
    """Remove an account."""
    async with open_office(args.folder) as office:
        await office.accounts.remove(args.name)
        left = await office.accounts.exist()
    told = f"{args.name} can't sign in any more, and is signed out everywhere."
    if left:
        return told
    return f"{told}\nThere is no account now: the pages are shown on this machine only."


def _read_password() -> str:
    """A password, typed twice where someone can mistype it."""
    if not sys.stdin.isatty():
        return sys.stdin.readline().rstrip("\n")
    password = getpass("Password: ")
    if getpass("The same again: ") != password:
        raise OfficeError("the two are not the same: nothing was done")
    return password
