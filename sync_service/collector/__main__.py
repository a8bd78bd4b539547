"""The command ``regard-collector``."""

import argparse
import asyncio
import sys
from collections.abc import Sequence
from importlib.metadata import version
from typing import Final

from sqlalchemy.exc import SQLAlchemyError

from sync_service.collector.commands import (
    accounts,
    codes,
    deliveries,
    erasure,
    export,
    fleet,
    keys,
    operation,
    proof,
    publications,
    sites,
    stamps,
    tokens,
)
from sync_service.collector.error import CollectorError
from sync_service.contract.error import ContractError
from sync_service.settings import SettingsError

DESCRIPTION: Final = """\
The central side of Regard: takes in what kiosks send, opens it, publishes to kiosks, exports.
"""

EPILOGUE: Final = """\
To begin:

  regard-collector init /srv/regard --address https://collector.example:8443
  regard-collector serve --folder /srv/regard

Then, with --folder /srv/regard each time, or from within that folder:

  regard-collector organisation add council "Northvale Council" --kept-months 24 \\
      --contact en "the library manager" --contact cy "rheolwr y llyfrgell"
  regard-collector place add E07000999 "Northvale"
  regard-collector service add libraries "Libraries" --organisation council
  regard-collector site add central "Central Library" --service libraries --place E07000999 \\
      --languages en cy --stands exit --questionnaire library
  regard-collector stamp central desk-1 stamps/desk-1
  regard-collector inspect stamps/desk-1
  regard-collector kiosk list
  regard-collector account add Morwenna
  regard-collector export /tmp/regard-2026-03
  regard-collector verify

Each command explains itself: regard-collector site add --help
"""


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command: 0 if it did what was asked, 2 if it can't be done; or as it says itself."""
    args = _parser().parse_args(argv)
    try:
        said = asyncio.run(args.run(args))
    except SQLAlchemyError as error:
        # Its first line says what is wrong; the rest is SQL.
        print(f"The database can't be used: {str(error).splitlines()[0]}", file=sys.stderr)
        return 2
    except (CollectorError, ContractError, SettingsError) as error:
        print(error, file=sys.stderr)
        return 2
    if isinstance(said, int):
        return said
    if said:
        print(said)
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="regard-collector",
        description=DESCRIPTION,
        epilog=EPILOGUE,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=f"regard {version('regard')}")
    group = parser.add_subparsers(title="commands", required=True, metavar="COMMAND")
    operation.add_to(group)
    sites.add_to(group)
    stamps.add_to(group)
    fleet.add_to(group)
    deliveries.add_to(group)
    codes.add_to(group)
    publications.add_to(group)
    keys.add_to(group)
    accounts.add_to(group)
    export.add_to(group)
    tokens.add_to(group)
    proof.add_to(group)
    erasure.add_to(group)
    return parser


if __name__ == "__main__":
    sys.exit(main())
