"""What ``regard-collector`` does to prove its logs, one function a command."""

import argparse
import json
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from hashlib import sha256

from sync_service.collector.database import forget_deleted, reading
from sync_service.collector.error import OfficeError
from sync_service.collector.insight.period import Month, read_period
from sync_service.collector.office import Office, open_office
from sync_service.collector.proof.findings import ADVICE, Finding, Kind, told, told_day
from sync_service.collector.proof.redactions import find_by_id, find_by_place
from sync_service.collector.proof.redactions import redact as redact_record
from sync_service.collector.proof.statements import make_statement, read_statement
from sync_service.collector.proof.verification import LogName, Verification, list_logs
from sync_service.collector.published import Published
from sync_service.collector.retention import count_emptied, list_kept
from sync_service.collector.wording import aligned
from sync_service.contract.error import MalformedError
from sync_service.contract.publication import Keys
from sync_service.contract.signing import VerifyingKey


async def verify(args: argparse.Namespace) -> int:
    """Look at every log, or those asked for; 0 if all is whole, else 1."""
    async with open_office(args.folder) as office:
        logs = await list_logs(office.engine, args.site, args.name)
        if args.site is not None and not logs:
            raise OfficeError("no kiosk of that site and name has a log here")
        report = _Report(args.say, as_json=args.json)
        verification = Verification(office.engine, await _receipt_keys(office))
        whole = "all is whole"
        if args.statement is None:
            looks = [(log, verification.look_at(log.log_id)) for log in logs]
        else:
            keys = await _receipt_keys(office) if args.key is None else [_read_key(args.key)]
            statement = read_statement(args.statement, keys)
            month = read_period(statement.month).name
            whole = f"all is there that the statement of {month} tells of"
            named = {log.log_id.hex(): log for log in logs}
            looks = [
                (named.get(stated.log) or LogName(stated.log_id), verification.compare(stated))
                for stated in statement.logs
                if args.site is None or stated.log in named
            ]
        for log, findings in looks:
            async for finding in findings:
                report.tell(log, finding)
        asked = await verification.ask_again() if args.ask_again else 0
    report.sum_up(len(looks), verification.records, whole)
    if asked and not args.json:
        args.say("Kiosks will be asked for what is missing at their next contacts.")
    return 1 if report.wrong else 0


async def statement(args: argparse.Namespace) -> str:
    """Make the statement of a month."""
    try:
        month = read_period(args.month)
    except ValueError as error:
        raise OfficeError(str(error)) from None
    if not isinstance(month, Month):
        raise OfficeError("a statement is of a month, such as 2026-10")
    async with open_office(args.folder) as office:
        key = await office.receipt_key()
        paper = await make_statement(office.engine, month, office.now, key)
    if args.into is None:
        return paper.rstrip()
    try:
        with args.into.open("x", encoding="ascii") as file:
            file.write(paper)
    except OSError as error:
        raise OfficeError(f"{args.into}: can't be written: {error.strerror}") from None
    return (
        f"The statement of {month.name} is in {args.into}. Keep it where whoever runs this machine"
        " can't change it.\n"
        f"Its SHA-256 is {sha256(paper.encode()).hexdigest()}.\n"
        f"The key that signed it is {key.verifying_key.public.hex()}."
    )


async def redact(args: argparse.Namespace) -> str:
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


async def retention(args: argparse.Namespace) -> str:
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


async def _receipt_keys(office: Office) -> Sequence[VerifyingKey]:
    """The public receipt keys that ever were published."""
    published = Published(Keys, office.keyring.publishing_keys())
    async with reading(office.engine) as connection:
        await published.load_all(connection)
    return [keys.receipt for keys in published.values()]


def _months(number: int) -> str:
    return "1 month" if number == 1 else f"{number} months"


def _read_key(text: str) -> VerifyingKey:
    try:
        return VerifyingKey(bytes.fromhex(text))
    except (ValueError, MalformedError):
        raise OfficeError("a key is 64 hexadecimal digits") from None


@dataclass
class _Report:
    """Tells what is found, as it is found."""

    say: Callable[[str], object]
    as_json: bool
    wrong: Counter[Kind] = field(default_factory=Counter)
    _told_of: LogName | None = None
    _wrong_logs: set[bytes] = field(default_factory=set)

    def tell(self, log: LogName, finding: Finding) -> None:
        if finding.is_wrong:
            self.wrong[finding.kind] += 1
            self._wrong_logs.add(log.log_id)
        if self.as_json:
            name = {"log": log.log_id.hex(), "site": log.site, "kiosk": log.kiosk}
            self.say(json.dumps(name | finding.to_document()))
            return
        if self._told_of != log:
            self._told_of = log
            self.say(f"{log.site}, {log.kiosk}, log {log.log_id.hex()}:")
        self.say(f"  {told(finding)}")

    def sum_up(self, logs: int, records: int, whole: str) -> None:
        """Say how many logs and records were looked at; and ``whole``, if nothing is wrong."""
        wrong_logs = len(self._wrong_logs)
        if self.as_json:
            self.say(json.dumps({"logs": logs, "records": records, "wrong_logs": wrong_logs}))
            return
        looked = f"Looked at {records:,} records of {logs:,} logs"
        if not self.wrong:
            self.say(f"{looked}: {whole}.")
            return
        self.say(f"{looked}: in {wrong_logs:,} of them, something is missing or wrong.")
        for kind, advice in ADVICE.items():
            if self.wrong[kind]:
                self.say(advice)
