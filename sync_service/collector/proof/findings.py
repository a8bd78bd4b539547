"""Findings: what `verification` has to say of a log, in plain words."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import date, timedelta
from enum import Enum
from functools import lru_cache
from typing import Final


class Kind(Enum):
    """What is found. Whatever is not one of `NOTES` is wrong."""

    MISSING = "missing"
    ALTERED = "altered"
    SWAPPED = "swapped"
    LINK_DAMAGED = "link damaged"
    BYTES_GONE = "bytes gone"
    FORK = "fork"
    ROLLBACK = "rollback"
    CONTRADICTION = "contradiction"
    NOT_SIGNED = "not signed"
    REFUSED = "refused"
    REDACTED = "redacted"
    EXPIRED = "expired"
    AT_KIOSK = "at the kiosk"


NOTES: Final = frozenset({Kind.REFUSED, Kind.REDACTED, Kind.EXPIRED, Kind.AT_KIOSK})
"""What is as it should be, and worth telling."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One thing found on a branch, from ``first_seq`` to ``last_seq``, both included.

    ``since`` and ``until`` are days in UTC; which ones depends on the kind. ``why`` is a clause
    that says by what it is known.
    """

    kind: Kind
    branch: int = 0
    first_seq: int
    last_seq: int
    since: date | None = None
    until: date | None = None
    why: str = ""

    @property
    def is_wrong(self) -> bool:
        """Whether it is something missing or wrong."""
        return self.kind not in NOTES

    @property
    def records(self) -> str:
        """Which records it is about."""
        if self.first_seq == self.last_seq:
            return f"record {self.first_seq}{self.on_branch}"
        return f"records {self.first_seq} to {self.last_seq}{self.on_branch}"

    @property
    def on_branch(self) -> str:
        """Which branch that is, if it is not the log's first one."""
        return f" of branch {self.branch}" if self.branch else ""

    def goes_on_with(self, other: "Finding") -> bool:
        """Whether another one says the same of the next record."""
        return (other.kind, other.branch, other.why) == (
            self.kind,
            self.branch,
            self.why,
        ) and other.first_seq == self.last_seq + 1

    def and_then(self, other: "Finding") -> "Finding":
        """This one and the one that it goes on with, in one."""
        return replace(self, last_seq=other.last_seq, until=other.until)

    def to_document(self) -> dict[str, object]:
        """As a program reads it."""
        return {
            "kind": self.kind.value,
            "wrong": self.is_wrong,
            "branch": self.branch,
            "first_seq": self.first_seq,
            "last_seq": self.last_seq,
            "since": self.since and self.since.isoformat(),
            "until": self.until and self.until.isoformat(),
            "told": told(self),
        }


_SENTENCES: Final[Mapping[Kind, str]] = {
    Kind.MISSING: "Missing: {records}{between}",
    Kind.ALTERED: "Altered: {which} what the kiosk signed",
    Kind.SWAPPED: "Swapped: records {first} and {last}{branch} stand in each other's place",
    Kind.LINK_DAMAGED: ("Damaged: the link kept beside {records}; what the kiosk signed is whole"),
    Kind.BYTES_GONE: "Emptied: the bytes of {records} are gone, and nothing signed says why",
    Kind.FORK: (
        "Fork: {records} came{on} beside others of the same numbers; a card was cloned, or an old"
        " copy of it put back"
    ),
    Kind.ROLLBACK: (
        "Gone back: the kiosk had signed{on} that we hold record {last}, and then{until} that we"
        " hold none after {before}; an old copy of its store was put back, or two kiosks have the"
        " same"
    ),
    Kind.CONTRADICTION: "Contradicted: the kiosk signed{on} for another {records}",
    Kind.NOT_SIGNED: "Not signed",
    Kind.REFUSED: "Refused: {records} came{span}, and only the digest is kept",
    Kind.REDACTED: "Redacted{span}: {records}",
    Kind.EXPIRED: "Expired: {records} came{span}, and had been kept long enough",
    Kind.AT_KIOSK: "Not delivered yet: {records}, as the kiosk signed{on}",
}


def told(finding: Finding) -> str:
    """A finding as a sentence."""
    only = finding.first_seq == finding.last_seq
    said = _SENTENCES[finding.kind].format(
        records=finding.records,
        which=f"{finding.records} is not" if only else f"among {finding.records}, not all are",
        first=finding.first_seq,
        last=finding.last_seq,
        before=finding.first_seq - 1,
        branch=finding.on_branch,
        on=_on(finding.since),
        until=_on(finding.until),
        span=_span(finding),
        between=_between(finding),
    )
    return f"{said}: {finding.why}." if finding.why else f"{said}."


ADVICE: Final[Mapping[Kind, str]] = {
    Kind.MISSING: (
        "What is missing can be asked for again, by `--ask-again`: a kiosk keeps what it delivered"
        " for 90 days. What it no longer has is in a backup, or lost."
    ),
    Kind.ALTERED: "Bring the database back from the newest backup in which the log is whole.",
    Kind.FORK: (
        "Both lines are kept and opened. Find out whose card it is: compare what the site's"
        " kiosks say by `regard-collector kiosk list`."
    ),
}
"""What to do about it, where that is not plain."""


def utc_day(seconds: int) -> date:
    """The day of a time, in UTC."""
    return _day(seconds // 86_400)


@lru_cache(maxsize=4096)
def _day(number: int) -> date:
    return date(1970, 1, 1) + timedelta(days=number)


def told_day(on: date) -> str:
    """A day as people write it."""
    return f"{on.day} {on:%B %Y}"


def _on(on: date | None) -> str:
    return f" on {told_day(on)}" if on else ""


def _span(finding: Finding) -> str:
    if finding.since is None or finding.until is None or finding.since == finding.until:
        return _on(finding.since or finding.until)
    return f" from {told_day(finding.since)} to {told_day(finding.until)}"


def _between(finding: Finding) -> str:
    if finding.since and finding.since == finding.until:
        return f", among what came on {told_day(finding.since)}"
    if finding.since and finding.until:
        return f", between what came on {told_day(finding.since)} and on {told_day(finding.until)}"
    if finding.since:
        return f", after what came on {told_day(finding.since)}"
    if finding.until:
        return f", before what came on {told_day(finding.until)}"
    return ""
