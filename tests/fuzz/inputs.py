"""What decoders are tried with in every run of the tests: a file each, an input a line, in hex.

`corpus` holds the fewest inputs that lead through all code that the fuzzer has found a way to, and
is written by `make fuzz KEEP=1`. `found` holds what once broke a decoder, each with a line that
says how; it is written by hand.
"""

import re
from collections.abc import Iterable
from pathlib import Path

FOLDER = Path(__file__).parent
CORPUS = FOLDER / "corpus"
FOUND = FOLDER / "found"


def file_name(decoder: str) -> str:
    """The name of a decoder's file, and of all that is made of it."""
    return re.sub(r"[^\w.]+", "-", decoder)


def read_inputs(folder: Path, decoder: str) -> list[bytes]:
    """A decoder's inputs; none, if it has no file."""
    path = folder / f"{file_name(decoder)}.hex"
    lines = path.read_text().splitlines() if path.exists() else []
    return [bytes.fromhex(line) for line in lines if not line.startswith("#")]


def write_inputs(folder: Path, decoder: str, inputs: Iterable[bytes]) -> None:
    """Write a decoder's inputs anew, the shortest first."""
    lines = [f"{each.hex()}\n" for each in sorted(inputs, key=lambda each: (len(each), each))]
    (folder / f"{file_name(decoder)}.hex").write_text("".join(lines))
