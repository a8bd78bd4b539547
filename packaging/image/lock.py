"""Locks: which Debian packages an image is made of, exactly.

A lock is a text file: a line with the day on which it was made, then a line for each package, with
its name, version, architecture, size in bytes, SHA-256 and path at any mirror of Debian.
"""

import re
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Final, Self

_HEAD: Final = "# Made by `make image-lock`: name, version, architecture, size, SHA-256, path"
_NAME: Final = r"[a-z0-9][a-z0-9+.-]+"
_LINE: Final = re.compile(
    rf"({_NAME}) ([0-9][A-Za-z0-9.+:~-]*) (all|amd64|arm64) ([1-9][0-9]*) ([0-9a-f]{{64}})"
    r" (pool/(?:[A-Za-z0-9+.~_%-]+/)+[A-Za-z0-9+.~_%-]+\.deb)"
)
_DAY: Final = re.compile(r"resolved ([0-9]{4}-[0-9]{2}-[0-9]{2})")
_WANTED: Final = re.compile(rf"{_NAME}(?:/[a-z-]+)?")


class LockError(Exception):
    """A lock or a list that can't be used; the message says where, and what to do."""


@dataclass(frozen=True, slots=True)
class Package:
    """A Debian package, down to its bytes. ``path`` is where a mirror has it."""

    name: str
    version: str
    architecture: str
    size: int
    sha256: str
    path: str

    @classmethod
    def read(cls, line: str) -> Self | None:
        """Read a line of a lock, if it is one."""
        found = _LINE.fullmatch(line)
        if found is None:
            return None
        name, version, architecture, size, sha256, path = found.groups()
        return cls(name, version, architecture, int(size), sha256, path)

    def to_line(self) -> str:
        """The line of a lock."""
        return (
            f"{self.name} {self.version} {self.architecture} {self.size} {self.sha256} {self.path}"
        )


@dataclass(frozen=True, slots=True)
class Lock:
    """All packages of a root, and the ``day`` on which they were the newest."""

    day: date
    packages: tuple[Package, ...]

    @classmethod
    def read(cls, path: Path) -> Self:
        """Read a lock.

        Raises:
            LockError: a line is not one of a lock's, or a package is named twice.
        """
        day, packages = None, dict[str, Package]()
        for number, line in enumerate(path.read_text().splitlines(), 1):
            if line.startswith("#"):
                continue
            if day is None and (found := _DAY.fullmatch(line)):
                day = date.fromisoformat(found[1])
                continue
            package = Package.read(line)
            if package is None or package.name in packages:
                raise LockError(f"{path}: line {number} can't be used: renew it (make image-lock)")
            packages[package.name] = package
        if day is None:
            raise LockError(f"{path}: does not say of which day it is: renew it (make image-lock)")
        return cls(day, tuple(packages.values()))

    def write(self, path: Path) -> None:
        """Write a lock, in the order of the packages' names."""
        ordered = sorted(self.packages, key=lambda package: package.name)
        lines = [_HEAD, f"resolved {self.day}", *(package.to_line() for package in ordered)]
        path.write_text("".join(f"{line}\n" for line in lines))


def read_wanted(paths: Iterable[Path]) -> tuple[str, ...]:
    """Read lists of wanted packages: one a line, perhaps with a suite, and its reason after a #.

    What a later list names replaces what an earlier one says of the same package.

    Raises:
        LockError: a line is neither.
    """
    wanted = dict[str, str]()
    for path in paths:
        for number, line in enumerate(path.read_text().splitlines(), 1):
            asked = line.partition("#")[0].strip()
            if asked and not _WANTED.fullmatch(asked):
                raise LockError(f"{path}: line {number} is no package's name")
            if asked:
                wanted[asked.partition("/")[0]] = asked
    return tuple(wanted.values())


def read_needed(control: Path) -> tuple[str, ...]:
    """What one of our own packages depends on, by its control file."""
    found = re.search(r"(?m)^Depends: (.+)$", control.read_text())
    return tuple(re.findall(rf"(?:^|, )({_NAME})", found[1])) if found else ()


def main(path: Path) -> None:
    """Print the names of a lock's packages, as mmdebstrap takes them."""
    print(",".join(package.name for package in Lock.read(path).packages))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
