"""What is said of kiosks on a terminal."""

import re
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from sync_service.agent import client
from sync_service.collector.fleet import SILENT_AFTER_S, KioskLine, KioskState
from sync_service.collector.tables import KioskStanding
from sync_service.collector.wording import (
    told_clock,
    told_parts,
    told_state,
    told_trouble,
    told_waiting,
)
from sync_service.contract.wire import PROBLEMS
from sync_service.outbox import identity, state
from sync_service.outbox.database import OutboxError
from sync_service.outbox.salvage import SalvageError

NOW = int(datetime(2026, 3, 14, 9, 20, tzinfo=UTC).timestamp())
HOUR_S, DAY_S = 3600, 86_400
STAMP = KioskLine(
    site="central",
    name="desk-1",
    withdrawn_at=None,
    expires_at=NOW + DAY_S,
    kiosk_id=None,
    standing=None,
    held_because=None,
    enrolled_at=None,
    revoked_at=None,
    contact_at=None,
    software=None,
    clock_synced=None,
    clock_at=None,
    depth=None,
    oldest_waiting=None,
    last_error=None,
    troubles=None,
    apart=0,
)
ENROLLED = replace(
    STAMP,
    kiosk_id=bytes(16),
    standing=KioskStanding.ENROLLED,
    enrolled_at=NOW - 9 * DAY_S,
    contact_at=NOW - HOUR_S,
    software="regard 0.1.0",
    clock_synced=True,
    clock_at=NOW - HOUR_S,
    depth=0,
)


@pytest.mark.parametrize(
    ("line", "state", "told"),
    [
        (STAMP, KioskState.NEVER_SEEN, "never seen"),
        (
            replace(STAMP, withdrawn_at=NOW),
            KioskState.NEVER_SEEN,
            "never seen; its code was withdrawn",
        ),
        (replace(STAMP, expires_at=NOW), KioskState.NEVER_SEEN, "never seen; its code has expired"),
        (
            replace(ENROLLED, standing=KioskStanding.HELD, held_because="its code has expired"),
            KioskState.HELD,
            "held: its code has expired",
        ),
        (ENROLLED, KioskState.IN_CONTACT, "in contact 2026-03-14 08:20 UTC"),
        (
            replace(ENROLLED, contact_at=NOW - SILENT_AFTER_S),
            KioskState.IN_CONTACT,
            "in contact 2026-03-13 09:20 UTC",
        ),
        (
            replace(ENROLLED, contact_at=NOW - SILENT_AFTER_S - 60),
            KioskState.SILENT,
            "silent since 2026-03-13 09:19 UTC",
        ),
        (
            replace(ENROLLED, contact_at=None),
            KioskState.SILENT,
            "silent since it was enrolled 2026-03-05 09:20 UTC",
        ),
        (
            replace(ENROLLED, standing=KioskStanding.REVOKED, revoked_at=NOW, apart=3),
            KioskState.REVOKED,
            "revoked 2026-03-14 09:20 UTC; 3 records kept apart",
        ),
        (
            replace(ENROLLED, apart=3),
            KioskState.IN_CONTACT,
            "in contact 2026-03-14 08:20 UTC; 3 records kept apart",
        ),
    ],
)
def test_how_a_kiosk_is_is_said_and_since_when(line, state, told):
    assert line.state(NOW) is state
    assert told_state(line, NOW) == told


@pytest.mark.parametrize(
    ("off_s", "told"),
    [
        (0, "right"),
        (-119, "right"),
        (120, "2 minutes fast"),
        (-HOUR_S, "1 hour slow"),
        (25 * HOUR_S, "1 day fast"),
        (-56 * 366 * DAY_S, "56 years slow"),
    ],
)
def test_a_clock_is_right_or_off_by_so_much(off_s, told):
    line = replace(ENROLLED, clock_at=ENROLLED.contact_at + off_s)
    assert told_clock(line) == told
    never_set = replace(line, clock_synced=False)
    assert told_clock(never_set) == f"{told}, never set since it started"
    assert told_clock(replace(line, contact_at=None)) == told_clock(STAMP) == "-"


@pytest.mark.parametrize(
    ("depth", "oldest", "told"),
    [
        (None, None, "-"),
        (0, None, "nothing"),
        (10, "2026-03-01", "10 or more, from 2026-03-01 on"),
        (1, None, "1 or more"),
    ],
)
def test_what_waits_on_a_kiosk_is_said_in_steps(depth, oldest, told):
    assert told_waiting(replace(ENROLLED, depth=depth, oldest_waiting=oldest)) == told


@pytest.mark.parametrize(
    ("troubles", "told"),
    [
        (None, "-"),
        ("button-2-stuck lamp-1-failed", "button 2 stuck, lamp 1 does not work"),
        ("kiosk-retiring lamp-1-failed", "it is being retired, lamp 1 does not work"),
        ("power-low case-was-open", "the power supply is too weak, the case was opened"),
    ],
)
def test_what_is_wrong_with_what_is_bolted_on_is_said_in_plain_words(troubles, told):
    assert told_parts(replace(STAMP, troubles=troubles)) == told


def all_kinds(error):
    return {error} | {kind for each in error.__subclasses__() for kind in all_kinds(each)}


def test_whatever_an_agent_says_went_wrong_is_said_in_plain_words():
    source = Path(client.__file__).read_text(encoding="utf-8")
    codes = set(re.findall(r'Error\(\s*"([a-z-]+)"', source))
    assert "timed-out" in codes
    assert {identity.OutboxError, state.OutboxError} == {OutboxError}  # all of them are imported
    kinds = all_kinds(OutboxError) - {SalvageError}  # which only `recover` meets, at the centre
    codes |= {kind.__name__ for kind in kinds} | PROBLEMS.keys() | {"http-502"}
    for code in codes:
        assert "a fault in its software" not in told_trouble(code), code
    assert told_trouble("FullDiskError") == "its disk is full"
    assert told_trouble("busy") == "the collector said: the collector is busy; come back later"
    assert told_trouble("http-502") == "something on the way answered with HTTP status 502"


def test_a_trouble_that_has_no_name_is_a_fault_in_the_software():
    assert told_trouble("KeyError") == "a fault in its software: KeyError"
    assert told_trouble(None) == "-"
