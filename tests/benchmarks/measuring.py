"""How a benchmark measures: ways take turns, so that what disturbs one disturbs all, and medians
are compared. Its last line is one JSON object.
"""

import json
import os
import statistics
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from time import perf_counter

ON_DISK = Path("/var/tmp")
"""Where files are on a disk; /tmp may be memory."""


@contextmanager
def folder() -> Iterator[Path]:
    """A folder for the benchmark's files."""
    with TemporaryDirectory(dir=ON_DISK, prefix="regard-bench-") as made:
        yield Path(made)


def take_turns(rounds: int, ways: Mapping[str, Callable[[], object]]) -> dict[str, list[float]]:
    """How long each way took, in seconds, in each round; a first round is not counted."""
    took: dict[str, list[float]] = {name: [] for name in ways}
    for number in range(rounds + 1):
        for name, way in ways.items():
            begun = perf_counter()
            way()
            ended = perf_counter()
            if number:
                took[name].append(ended - begun)
    return took


def median_ratio(of: list[float], to: list[float]) -> float:
    """The median of the ratios, round by round."""
    return statistics.median(one / other for one, other in zip(of, to, strict=True))


def say(line: str) -> None:
    """Say how far it has come, where it does not get into the result."""
    print(line, file=sys.stderr, flush=True)


def tell(
    bench: str,
    *,
    figures: Mapping[str, float],
    baselines: Mapping[str, float],
    ratios: Mapping[str, float],
) -> None:
    """End with the line of JSON; before it, how busy the machine is."""
    print("load averages over 1, 5 and 15 minutes:", *(f"{load:.1f}" for load in os.getloadavg()))
    parts = {"figures": figures, "baselines": baselines, "ratios": ratios}
    rounded = {
        part: {
            name: value if isinstance(value, int) else float(f"{value:.4g}")  # counts are exact
            for name, value in values.items()
        }
        for part, values in parts.items()
    }
    print(json.dumps({"bench": bench, **rounded}))
