"""Tokens: who may pull responses over HTTP."""

import argparse

from sync_service.collector.commands.grammar import Group, add_command, add_noun
from sync_service.collector.office import open_office
from sync_service.collector.pull.tokens import Tokens
from sync_service.collector.wording import aligned


def add_to(group: Group) -> None:
    """Add ``token``."""
    token = add_noun(group, "token", "who may pull responses over HTTP")
    add = add_command(
        token,
        "add",
        _add,
        "make a token to pull with",
        "Make a token for an analyst of the central team, who can then pull every response over"
        " HTTP: see docs/pull.md. It is shown once.",
    )
    add.add_argument("name", metavar="NAME", help="who or what will use it, as in: ana-laptop")
    add_command(token, "list", _list, "list tokens, and the day each was last used")
    revoke = add_command(token, "revoke", _revoke, "let a token open nothing more")
    revoke.add_argument("name", metavar="NAME", help="its name, as `token list` shows it")


async def _add(args: argparse.Namespace) -> str:
    """Make a token to pull with."""
    async with open_office(args.folder) as office:
        token = await Tokens(office.engine).add(args.name, office.today)
    return (
        f"{token}\n"
        f"This is the token {args.name}. It is shown this once, and lets its holder read every"
        " response: hand it over as you would a key."
    )


async def _list(args: argparse.Namespace) -> str:
    """List tokens."""
    async with open_office(args.folder) as office:
        tokens = await Tokens(office.engine).list()
    heads = ("name", "made", "last used", "revoked")
    rows = [
        (token.name, token.made_on, token.used_on or "-", token.revoked_on or "-")
        for token in tokens
    ]
    return aligned([heads, *rows])


async def _revoke(args: argparse.Namespace) -> str:
    """Revoke a token."""
    async with open_office(args.folder) as office:
        await Tokens(office.engine).revoke(args.name, office.today)
    return f"The token {args.name} is revoked."
