"""Erasure: what is dropped by its age, and one record by hand."""

import argparse

from sync_service.collector.commands.grammar import Group, add_command
from sync_service.collector.database import forget_deleted
from sync_service.collector.error import OfficeError
from sync_service.collector.office import open_office
from sync_service.collector.proof.findings import told_day
from sync_service.collector.proof.redactions import find_by_id, find_by_place
from sync_service.collector.proof.redactions import redact as redact_record
from sync_service.collector.retention import count_emptied, list_kept
from sync_service.collector.wording import aligned


def add_to(group: Group) -> None:
    """Add ``retention`` and ``redact``."""
    add_command(
        group,
        "retention",
        _retention,
        "say for how long things are kept, and what is dropped",
        "Say for how long answers and sealed records are kept, and before which day they are"
        " dropped. `serve` does it, once a day. How long answers are kept is said by"
        " `organisation change --kept-months`, sealed records by sealed_months in collector.toml.",
    )
    redact = add_command(
        group,
        "redact",
        _redact,
        "drop one record for ever, such as one that names a person",
        "Drop a record's sealed bytes for ever, and all that was opened of it. That it was there,"
        " its digest, the day and your reason are kept, signed, so that it shows as redacted and"
        " not as missing. docs/proof.md says what that does not reach.",
    )
    redact.add_argument(
        "id", nargs="?", metavar="ID", help="its response_id, verdict_id or day_id in an export"
    )
    redact.add_argument("--log", metavar="HEX", help="or: its log, by the beginning of its id")
    redact.add_argument("--seq", type=int, metavar="N", help="and its number there")
    redact.add_argument(
        "--branch", type=int, default=0, metavar="N", help="on a branch of that log; without it, 0"
    )
    redact.add_argument(
        "--reason",
        required=True,
        metavar="TEXT",
        help="why, for whoever asks later; it is kept, so put nothing into it that shall be gone",
    )
    redact.add_argument("--yes", action="store_true", help="do it; without it, only say what")


async def _retention(args: argparse.Namespace) -> str:
    """Say for how long things are kept."""
    async with open_office(args.folder) as office:
        kept = await list_kept(office.engine)
        emptied = await count_emptied(office.engine)
    sealed_months = office.centre.settings.sealed_months
    sealed = f"{_months(sealed_months)} after they came" if sealed_months else "as long as answers"
    heads = ("site", "organisation", "answers are kept", "dropped before")
    rows = [
        (
            each.site,
            each.organisation,
            "for ever" if each.kept_months is None else _months(each.kept_months),
            each.dropped_before or "-",
        )
        for each in kept
    ]
    return (
        f"{aligned([heads, *rows])}\n"
        f"Sealed records that are opened are kept {sealed}; what is not, until it is opened.\n"
        f"Dropped so far: the sealed bytes of {emptied.sealed + emptied.opened:,} records, and of"
        f" {emptied.opened:,} of these, all."
    )


def _months(number: int) -> str:
    return "1 month" if number == 1 else f"{number} months"


async def _redact(args: argparse.Namespace) -> str:
    """Redact a record."""
    async with open_office(args.folder) as office:
        if (args.id is None) == (args.log is None or args.seq is None):
            raise OfficeError("name a record by its id, or by --log and --seq")
        if args.id is not None:
            target = await find_by_id(office.engine, args.id)
        else:
            target = await find_by_place(office.engine, args.log, args.branch, args.seq)
        what = f"the {target.kind} from {target.site} that came on {told_day(target.received_on)}"
        if not args.yes:
            raise OfficeError(
                f"This would drop {what}, for ever, with all that was opened of it. Nothing is done"
                " yet: add --yes."
            )
        key = await office.receipt_key()
        await redact_record(office.engine, target, args.reason, office.today, key)
        await forget_deleted(office.engine)
    return (
        f"Redacted: {what}. Its digest, the reason and the day are kept, signed.\n"
        "It is still in backups that were made before, and with whoever has exported or pulled it:"
        " see docs/proof.md."
    )
