"""How often faults are tried, and the table of what came of it."""

from dataclasses import dataclass
from random import Random, SystemRandom
from typing import Protocol

import pytest

TALLY = pytest.StashKey["Tally"]()
CLOCKS = pytest.StashKey["ClockTally"]()
WIDTHS = {"1": 1, "2": 2, "to a week": 14, "to a month": 61, "to a quarter": 183, "more": 10**9}
"""How wide an answer is, in half-days."""


class Counted(Protocol):
    """Whatever went through faults: how many, and what became of the responses meanwhile."""

    tried: int
    acknowledged: int
    lost: int
    doubled: int


@dataclass(frozen=True)
class Line:
    fault: str
    tried: int
    acknowledged: int
    lost: int
    doubled: int


class Tally:
    """What each fault cost, to be read at the end."""

    def __init__(self):
        self.lines = []

    def add(self, fault: str, counted: Counted) -> None:
        numbers = (counted.tried, counted.acknowledged, counted.lost, counted.doubled)
        self.lines.append(Line(fault, *numbers))


class ClockTally:
    """What was made of records by kiosks whose clocks went wrong, to be read at the end."""

    def __init__(self):
        self.lines = []

    def add(self, kind, found) -> None:
        shares, narrower = [], 0
        for most in WIDTHS.values():
            within = sum(count for width, count in found.widths.items() if width <= most)
            shares.append((within - narrower) / found.records)
            narrower = within
        self.lines.append((kind, found.records, found.missed, shares))


@pytest.fixture(scope="session")
def clock_tally(pytestconfig):
    return pytestconfig.stash.setdefault(CLOCKS, ClockTally())


@pytest.fixture(scope="session")
def tally(pytestconfig):
    return pytestconfig.stash.setdefault(TALLY, Tally())


@pytest.fixture(scope="session")
def in_full(pytestconfig):
    """Whether every fault is tried as often as it takes to be believed, and not only a little."""
    return pytestconfig.getoption("--in-full")


@pytest.fixture(scope="session")
def cuts(in_full):
    """How many power cuts a store goes through."""
    return 200 if in_full else 10


@pytest.fixture
def random():
    """Chance, another one in each run; a test that fails shows how to have the same again."""
    seed = SystemRandom().getrandbits(32)
    print(f"random = Random({seed})")
    return Random(seed)


def pytest_terminal_summary(terminalreporter, config):
    if (clocks := config.stash.get(CLOCKS, None)) is not None:
        terminalreporter.section("clocks: records, of how many the truth was missed, and widths")
        heads = "".join(f"{head:>14}" for head in WIDTHS)
        terminalreporter.line(f"{'half-days:':44}{'records':>10}{'missed':>8}{heads}")
        for kind, records, missed, shares in clocks.lines:
            told = "".join(f"{share:14.1%}" for share in shares)
            terminalreporter.line(f"{kind:44}{records:10,}{missed:8,}{told}")
    if (tally := config.stash.get(TALLY, None)) is None:
        return
    terminalreporter.section("faults, and what became of the responses")
    heads = ("tried", "acknowledged", "lost", "doubled")
    terminalreporter.line(f"{'':56}" + "".join(f"{head:>14}" for head in heads))
    for line in tally.lines:
        numbers = (line.tried, line.acknowledged, line.lost, line.doubled)
        terminalreporter.line(f"{line.fault:56}" + "".join(f"{each:14,}" for each in numbers))
