"""Proof that nothing is missing from any log, and nothing altered."""

import argparse
import json
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path

from sync_service.collector.commands.grammar import Group, add_command
from sync_service.collector.database import reading
from sync_service.collector.error import OfficeError
from sync_service.collector.insight.period import Month, read_period
from sync_service.collector.office import Office, open_office
from sync_service.collector.proof.findings import ADVICE, Finding, Kind, told
from sync_service.collector.proof.statements import make_statement, read_statement
from sync_service.collector.proof.verification import LogName, Verification, list_logs
from sync_service.collector.published import Published
from sync_service.contract.error import MalformedError
from sync_service.contract.publication import Keys
from sync_service.contract.signing import VerifyingKey


def add_to(group: Group) -> None:
    """Add ``verify`` and ``statement``."""
    verify = add_command(
        group,
        "verify",
        _verify,
        "see that nothing is missing from any log, and nothing altered",
        "Recompute the chain of every log from what is stored, and compare it with what kiosks"
        " signed; or with a statement that was made before. docs/proof.md says how to read what it"
        " says. The exit status is 0 if all is whole, 1 if something is missing or wrong.",
    )
    verify.add_argument("site", nargs="?", metavar="SITE", help="only the logs of this site")
    verify.add_argument("name", nargs="?", metavar="NAME", help="only those of this kiosk there")
    verify.add_argument(
        "--json", action="store_true", help="a line of JSON for each finding, and one that sums up"
    )
    verify.add_argument(
        "--ask-again",
        action="store_true",
        help="let kiosks be asked for what is missing, as far as they still have it",
    )
    verify.add_argument(
        "--statement",
        type=Path,
        metavar="FILE",
        help="see that all which this statement tells of is still there as it was",
    )
    verify.add_argument(
        "--key",
        metavar="HEX",
        help="the public key that the statement must be signed by; without it, any receipt key"
        " that was published here",
    )
    verify.set_defaults(say=print)
    statement = add_command(
        group,
        "statement",
        _statement,
        "state what is held of every log at the end of a month, signed",
        "State what is held of every log at the end of a month, in UTC, signed with the receipt"
        " key, so that whoever keeps the statement can have it compared later.",
    )
    statement.add_argument("month", metavar="MONTH", help="a month that is over, as in: 2026-10")
    statement.add_argument(
        "into", nargs="?", type=Path, metavar="FILE", help="a new file; without it, it is printed"
    )


async def _verify(args: argparse.Namespace) -> int:
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


async def _statement(args: argparse.Namespace) -> str:
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


async def _receipt_keys(office: Office) -> Sequence[VerifyingKey]:
    """The public receipt keys that ever were published."""
    published = Published(Keys, office.keyring.publishing_keys())
    async with reading(office.engine) as connection:
        await published.load_all(connection)
    return [keys.receipt for keys in published.values()]


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
