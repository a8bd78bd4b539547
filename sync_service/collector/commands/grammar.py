"""How commands are put together: by nouns, and by the arguments that many of them take."""

import argparse
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, Final

SPLIT: Final = "split the sealing key over three recovery sheets, of which any two give it back"
"""What ``--split`` does."""

Run = Callable[[argparse.Namespace], Awaitable[str | int | None]]
"""What a command does: gives what to say at the end, or the exit status."""

Group = Any  # argparse gives its groups of subcommands no public type


def add_command(
    group: Group, name: str, run: Run, help_text: str, description: str | None = None
) -> argparse.ArgumentParser:
    """Add a command that works in a collector's folder."""
    command: argparse.ArgumentParser = group.add_parser(
        name, help=help_text, description=description or f"{help_text[0].upper()}{help_text[1:]}."
    )
    command.add_argument(
        "--folder",
        type=Path,
        default=Path(),
        metavar="FOLDER",
        help="the collector's folder; without it, the one you are in",
    )
    command.set_defaults(run=run)
    return command


def add_noun(group: Group, name: str, help_text: str) -> Group:
    """Add a noun, which has commands of its own."""
    noun = group.add_parser(
        name, help=help_text, description=f"{help_text[0].upper()}{help_text[1:]}."
    )
    return noun.add_subparsers(title="commands", required=True, metavar="COMMAND")


def add_kiosk_of_site(command: argparse.ArgumentParser) -> None:
    """Let a command be about a kiosk, named by its site and its name there."""
    command.add_argument("site", metavar="SITE", help="the code of its site")
    command.add_argument("name", metavar="NAME", help="tells the site's kiosks apart: desk-1")
