"""Fuzz every decoder in turn, each in a process of its own, and say what became of it.

What was tried stays in build/fuzz, from where the next run goes on.
"""

import argparse
import hashlib
import re
import subprocess
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from decoders import DECODERS
from inputs import CORPUS, FOUND, file_name, read_inputs, write_inputs

WORK = Path("build/fuzz")
FUZZER = Path(__file__).with_name("fuzzer.py")
LIMITS = (
    "-timeout=10",  # seconds for one input
    "-rss_limit_mb=1024",
    "-max_len=20000",  # over the largest sealed record, and the largest message but a batch
)


@dataclass(frozen=True)
class Told:
    """What libFuzzer told of a run: its log, and whether it ended well."""

    log: str
    ended_well: bool

    def __str__(self) -> str:
        begun = re.search(r"INITED.* rss: (\d+)Mb", self.log)
        tries, places, memory, slowest = map(
            self._last,
            (r"executed_units: (\d+)", r" cov: (\d+)", r" rss: (\d+)Mb", r"unit_time_sec: (\d+)"),
        )
        return (
            f"{tries:>12,} tries {places:>6,} places   slowest {slowest} s"
            f"   memory {begun[1] if begun else '?'} to {memory} MB"
        )

    def _last(self, pattern: str) -> int:
        """The last number that stands so in the log; 0 if none does."""
        return int([0, *re.findall(pattern, self.log)][-1])


class Trial:
    """A decoder, and the folder of the inputs that it was tried with."""

    def __init__(self, decoder: str) -> None:
        self._decoder = decoder
        self._folder = WORK / file_name(decoder)
        self._folder.mkdir(parents=True, exist_ok=True)
        kept = (read_inputs(CORPUS, decoder), read_inputs(FOUND, decoder))
        lay(self._folder, [*DECODERS[decoder].reads, *kept[0], *kept[1]])

    def fuzz(self, seconds: int) -> Told:
        """Look for new ways through the decoder for so long."""
        broken = f"-artifact_prefix={self._folder}-"
        return self._run(self._folder, f"-max_total_time={seconds}", *LIMITS, broken)

    def keep(self) -> int:
        """Write down the fewest inputs that lead wherever one has led; says how many they are."""
        fewest = WORK / f"{file_name(self._decoder)}-fewest"
        fewest.mkdir(exist_ok=True)
        for path in fewest.iterdir():
            path.unlink()
        self._run(fewest, self._folder, "-set_cover_merge=1", *LIMITS)
        inputs = [path.read_bytes() for path in fewest.iterdir()]
        write_inputs(CORPUS, self._decoder, inputs)
        return len(inputs)

    def _run(self, *arguments: Path | str) -> Told:
        name = file_name(self._decoder)  # libFuzzer can't pass on a name with a blank
        command = [FUZZER, f"--decoder={name}", *arguments, "-print_final_stats=1"]
        log = WORK / f"{name}.log"
        with log.open("wb") as stream:
            code = subprocess.run(command, stderr=stream, stdout=stream, check=False).returncode
        return Told(log.read_text(errors="replace"), code == 0)


def lay(folder: Path, inputs: Iterable[bytes]) -> None:
    """Put inputs into a folder, each under the name that libFuzzer would give it."""
    for data in inputs:
        (folder / hashlib.sha1(data).hexdigest()).write_bytes(data)


def main() -> int:
    parser = argparse.ArgumentParser(description="Fuzz every decoder in turn.")
    parser.add_argument("--seconds", type=int, required=True, help="for all of them together")
    parser.add_argument("--decoder", choices=DECODERS, help="fuzz this one alone")
    parser.add_argument("--keep", action="store_true", help="write the corpus anew")
    asked = parser.parse_args()
    if find_spec("atheris") is None:
        parser.exit(1, "Fuzzing needs atheris, which is made for x86-64 alone: do it there.\n")
    names = [asked.decoder] if asked.decoder else [*DECODERS]
    broken = []
    for name in names:
        trial = Trial(name)
        told = trial.fuzz(max(1, asked.seconds // len(names)))
        print(f"{name:24} {told}{'' if told.ended_well else '   BROKEN'}", flush=True)
        if not told.ended_well:
            broken.append(name)
        elif asked.keep:
            print(f"{name:24} {trial.keep():>12,} inputs kept", flush=True)
    if not broken:
        return 0
    print(
        f"\nBroken: {', '.join(broken)}. Each one's log and the input that broke it are in {WORK}."
        " Mend it, and put the input into tests/fuzz/found.",
        file=sys.stderr,
    )
    return 1


if __name__ == "__main__":
    sys.exit(main())
