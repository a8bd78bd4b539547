"""How what is known is said in English, on a terminal."""

import re
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Final

from sync_service.collector.fleet import KioskLine, KioskState
from sync_service.collector.salvaging import Salvaged
from sync_service.collector.tables import Opening
from sync_service.collector.taking import Taken
from sync_service.contract.wire import PROBLEMS, Recorded, Standing

_RIGHT_S: Final = 120  # a clock that is off by less is right: messages take their time
_SPANS: Final = (("year", 31_557_600), ("day", 86_400), ("hour", 3600), ("minute", 60))

_TROUBLES: Final[Mapping[str, str]] = {
    "timed-out": "a request took too long",
    "cut-off": "the connection was cut in the middle",
    "no-connection": "it found no way to the collector",
    "not-ours": "something on the way answered in the collector's place",
    "unproven-reply": "a reply was not signed by the receipt key it holds",
    "replayed-reply": "a reply was to another request",
    "malformed-reply": "it could not read a reply: its software may be too old",
    "wrong-digest": "a publication came altered",
    "BusyStoreError": "its store was in use",
    "DamagedIdentityError": "its identity file is damaged",
    "DamagedStoreError": "its store is damaged",
    "FullDiskError": "its disk is full",
    "MalformedKeyError": "its store's key is no key",
    "NewerStoreError": "its store was made by newer software",
    "NoMemoryError": "it ran out of memory",
    "OutboxError": "its store failed",
    "PlaintextStoreError": "its store is not encrypted",
    "StoreUnavailableError": "its store can't be opened",
    "UnstampedError": "it was given no stamp",
    "WrongKeyError": "its store's key is the wrong one",
}
"""What an agent's short codes of troubles mean."""


_PARTS: Final[Mapping[str, str]] = {
    "card-worn": "the memory card is worn out: replace it",
    "case-open": "the case is open",
    "case-was-open": "the case was opened",
    "hardware-failed": "nothing but the screen works",
    "hardware-hangs": "something bolted to it does not answer, and nothing but the screen works",
    "kiosk-retiring": "it is being retired",
    "memory-low": "little memory is left",
    "power-low": "the power supply is too weak",
    "processor-slowed": "the processor was slowed down",
    "space-low": "the memory card is nearly full",
    "temperature-high": "it is too hot",
}
"""What short codes of troubles with what is bolted to a kiosk mean, where they don't say it."""


def told_state(line: KioskLine, now: int) -> str:
    """How a kiosk is, and since when."""
    apart = f"; {line.apart} records kept apart" if line.apart else ""
    match line.state(now):
        case KioskState.NEVER_SEEN if line.withdrawn_at is not None:
            return "never seen; its code was withdrawn"
        case KioskState.NEVER_SEEN if now >= line.expires_at:
            return "never seen; its code has expired"
        case KioskState.HELD:
            return f"held: {line.held_because}{apart}"
        case KioskState.IN_CONTACT:
            return f"in contact {told_time(line.contact_at)}{apart}"
        case KioskState.SILENT if line.contact_at is None:
            return f"silent since it was enrolled {told_time(line.enrolled_at)}{apart}"
        case KioskState.SILENT:
            return f"silent since {told_time(line.contact_at)}{apart}"
        case KioskState.REVOKED:
            return f"revoked {told_time(line.revoked_at)}{apart}"
    return "never seen"


def told_clock(line: KioskLine) -> str:
    """Whether a kiosk's clock was right at its last contact."""
    if line.clock_at is None or line.contact_at is None:
        return "-"
    unsure = "" if line.clock_synced else ", never set since it started"
    off_s = line.clock_at - line.contact_at
    if abs(off_s) < _RIGHT_S:
        return f"right{unsure}"
    number, name = next((abs(off_s) // s, name) for name, s in _SPANS if abs(off_s) >= s)
    plural = "" if number == 1 else "s"
    return f"{number} {name}{plural} {'fast' if off_s > 0 else 'slow'}{unsure}"


def told_waiting(line: KioskLine) -> str:
    """How much a kiosk had still to deliver at its last contact."""
    if line.depth is None:
        return "-"
    if line.depth == 0:
        return "nothing"
    since = f", from {line.oldest_waiting} on" if line.oldest_waiting else ""
    return f"{line.depth} or more{since}"


def told_parts(line: KioskLine) -> str:
    """What was wrong, at a kiosk's last contact, with what is bolted to it."""
    return ", ".join(map(_told_part, (line.troubles or "").split())) or "-"


def _told_part(code: str) -> str:
    part, _, word = code.rpartition("-")
    if code in _PARTS:
        return _PARTS[code]
    return f"{part.replace('-', ' ')} {'does not work' if word == 'failed' else word}"


def told_trouble(code: str | None) -> str:
    """What last went wrong at a kiosk's agent, by the short code it gives."""
    if code is None:
        return "-"
    if code in _TROUBLES:
        return _TROUBLES[code]
    if code in PROBLEMS:
        return f"the collector said: {PROBLEMS[code].title.lower()}"
    if status := re.fullmatch(r"http-(\d{3})", code):
        return f"something on the way answered with HTTP status {status[1]}"
    return f"a fault in its software: {code}"


def told_taken(kiosk: str, taken: Taken) -> str:
    """What became of a bundle that was carried here from a kiosk."""
    told = _told_outcomes(kiosk, taken)
    if taken.standing is Standing.HELD:
        told.append(
            f"  Once it is approved, take this stick again: regard-collector kiosk approve {kiosk}"
        )
    if taken.standing is not None:
        told.append("  The reply is on the stick: bring it back to the kiosk.")
    return "\n".join(told)


def told_salvaged(kiosk: str, found: Salvaged) -> str:
    """What became of the store of a dead kiosk."""
    told = _told_outcomes(kiosk, found.taken)
    if found.damaged:
        told.append("  Part of the store is damaged: what can be read of it was delivered.")
    if not found.has_identity:
        told.append(
            "  Its identity can't be read, so it comes as another kiosk of its stamp. If it waits"
            f" for approval: regard-collector kiosk approve {kiosk}, then recover it again."
        )
    return "\n".join(told)


def _told_outcomes(kiosk: str, taken: Taken) -> list[str]:
    counts = taken.outcomes
    aside = sum(number for outcome, number in counts.items() if not outcome.held)
    new, here = counts[Recorded.ACCEPTED], counts[Recorded.DUPLICATE]
    refused = f", {aside} not to be taken" if aside else ""
    told = [f"{kiosk}: {new} new, {here} here already{refused}."]
    return told + [f"  Refused: {reason}." for reason in taken.refused]


def told_time(seconds: int | None) -> str:
    """A time, to the minute; a dash if there is none."""
    if seconds is None:
        return "-"
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d %H:%M UTC")


def told_counts(counts: Mapping[Opening, int]) -> str:
    """What became of all records."""
    told = (
        f"{outcome.name.lower().replace('_', ' ')} {counts[outcome]}" for outcome in sorted(counts)
    )
    return f"All records: {', '.join(told) or 'none yet'}."


def aligned(rows: Iterable[Sequence[str]]) -> str:
    """Rows of text as columns; the last one is left as long as it is."""
    rows = [*rows]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = ("  ".join(map(str.ljust, row, widths)).rstrip() for row in rows)
    return "\n".join(lines)
