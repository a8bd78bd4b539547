"""A card in a machine: an image of one with what it starts from, and what each partition holds."""

import hashlib
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Self

BOOT, ROOT, DATA = 1, 2, 3

_SECTOR: Final = 512
_TABLE: Final = 446
_ENTRY: Final = 16
_AT_ONCE: Final = 1 << 20


@dataclass(frozen=True)
class Partition:
    """Where a partition is, in bytes."""

    start: int
    length: int


@dataclass(frozen=True)
class Card:
    """The image of a card, with a partition table of the older kind. Make it by `read`."""

    path: Path
    partitions: tuple[Partition, ...]

    @classmethod
    def read(cls, path: Path) -> Self:
        """Find the partitions of an image."""
        with path.open("rb") as file:
            table = file.read(_SECTOR)[_TABLE:]
        entries = (table[at : at + _ENTRY] for at in range(0, 4 * _ENTRY, _ENTRY))
        return cls(
            path,
            tuple(
                Partition(
                    int.from_bytes(entry[8:12], "little") * _SECTOR,
                    int.from_bytes(entry[12:16], "little") * _SECTOR,
                )
                for entry in entries
            ),
        )

    def digest(self, number: int) -> str:
        """The SHA-256 of a partition's bytes."""
        partition = self.partitions[number - 1]
        digest = hashlib.sha256()
        left = partition.length
        with self.path.open("rb") as file:
            file.seek(partition.start)
            while left:
                data = file.read(min(left, _AT_ONCE))
                digest.update(data)
                left -= len(data)
        return digest.hexdigest()

    def take_out(self, pattern: str, folder: Path) -> Path:
        """Copy the one file of the boot drive that a pattern names into a folder, by mtools."""
        folder.mkdir(parents=True, exist_ok=True)
        drive = f"{self.path}@@{self.partitions[BOOT - 1].start}"
        before = set(folder.iterdir())
        subprocess.run(["mcopy", "-n", "-i", drive, f"::{pattern}", str(folder)], check=True)
        [taken] = set(folder.iterdir()) - before
        return taken
