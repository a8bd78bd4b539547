"""The export: all that is opened, in files."""

import argparse
from datetime import UTC, datetime
from pathlib import Path

from sync_service.collector.commands.grammar import Group, add_command
from sync_service.collector.insight.export import export as export_all
from sync_service.collector.insight.writers import MAX_SHEET_ROWS, Format
from sync_service.collector.office import open_office
from sync_service.collector.wording import told_counts


def add_to(group: Group) -> None:
    """Add ``export``."""
    export = add_command(
        group,
        "export",
        _export,
        "write all that is opened into a new folder, with a description",
        "Responses, verdicts and days, a row each, in a new folder, with a datapackage.json that"
        " says what they mean. Records whose half-day is not over are held back.",
    )
    export.add_argument(
        "--format",
        choices=[kind.value for kind in Format],
        default=Format.CSV.value,
        help="csv, unless another is named; xlsx is one Excel workbook, of at most"
        f" {MAX_SHEET_ROWS:,} rows a sheet",
    )
    export.add_argument(
        "into", type=Path, metavar="FOLDER", help="a folder that does not exist yet"
    )
    export.add_argument(
        "--include-current",
        action="store_true",
        help="export half-days that are not over too; only to try things out",
    )


async def _export(args: argparse.Namespace) -> str:
    """Export all that is opened."""
    async with open_office(args.folder) as office:
        summary = await export_all(
            office.engine,
            args.into,
            office.keyring.publishing_keys(),
            at=datetime.now(UTC),
            kind=Format(args.format),
            include_current=args.include_current,
        )
    return (
        f"{summary.folder}: {summary.responses} responses, {summary.verdicts} verdicts,"
        f" {summary.days} days.\n"
        f"Held back, as their half-day is not over: {summary.held_back}.\n"
        f"{told_counts(summary.outcomes)}"
    )
