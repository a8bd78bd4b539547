"""Pools: the packages of a lock, fetched into a cache and laid out for apt: pool.py LOCK FOLDER

A package lies in the cache under its hash, so that nothing else can be taken for it. It comes from
the host's own mirror of Debian, by apt's own settings.
"""

import hashlib
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

from lock import Lock, LockError, Package

TREE: Final = Path(__file__).parents[2]
CACHE: Final = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "regard/debian"
SUITE: Final = "trixie"
_FETCH: Final = "/usr/lib/apt/apt-helper"
_AT_ONCE: Final = 100


class Cache:
    """A folder of packages, each under its hash."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        folder.mkdir(parents=True, exist_ok=True)

    def path(self, package: Package) -> Path:
        """Where a package lies, or would."""
        return self._folder / f"{package.sha256}.deb"

    def missing(self, packages: Iterable[Package]) -> list[Package]:
        """Those that have to be fetched."""
        return [package for package in packages if not _is_whole(self.path(package), package)]

    def fetch(self, packages: Sequence[Package], mirrors: Sequence[str]) -> None:
        """Fetch packages from the first mirror that has them.

        Raises:
            LockError: no mirror has one of them.
        """
        said = ""
        with TemporaryDirectory(dir=self._folder) as arriving:
            for mirror in mirrors:
                missing = self.missing(packages)
                for start in range(0, len(missing), _AT_ONCE):
                    said += self._fetch_some(missing[start : start + _AT_ONCE], mirror, arriving)
        gone = self.missing(packages)
        if gone:
            names = "\n".join(f"    {package.name} {package.version}" for package in gone)
            raise LockError(
                f"Your mirror of Debian did not give these packages of the lock:\n{names}\n"
                f"{_told_errors(said)}"
                "If it can be reached and has newer ones, renew the lock (make image-lock), try the"
                " image, and commit. To build this very commit, name a mirror in /etc/apt that"
                " keeps old packages."
            )

    def _fetch_some(self, packages: Sequence[Package], mirror: str, folder: str) -> str:
        asked = list[str]()
        for package in packages:
            target = f"{folder}/{package.sha256}.deb"
            asked += [f"{mirror}/{package.path}", target, f"SHA256:{package.sha256}"]
        ended = subprocess.run(
            [_FETCH, "download-file", *asked], capture_output=True, text=True, check=False
        )
        for package in packages:
            arrived = Path(folder, f"{package.sha256}.deb")
            if _is_whole(arrived, package):
                arrived.replace(self.path(package))
        return ended.stderr


def _is_whole(path: Path, package: Package) -> bool:
    if not path.is_file() or path.stat().st_size != package.size:
        return False
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest() == package.sha256


def _told_errors(said: str) -> str:
    errors = dict.fromkeys(re.findall(r"(?m)^E: *(?:Failed to fetch \S+ *)?(.+)$", said))
    return "".join(f"It said: {error.strip()}\n" for error in list(errors)[:3])


def read_mirrors(folder: Path) -> list[str]:
    """The addresses of the host's mirror of Debian."""
    subprocess.run(
        [TREE / "packaging/development/debian-sources", SUITE, folder],
        check=True,
        stdout=subprocess.DEVNULL,
    )
    stanzas = re.findall(r"(?m)^URIs: *(.+)$", (folder / "room.sources").read_text())
    lines = re.findall(r"(?m)^deb +(?:\[[^]]*\] +)?([^\s\[]+)", (folder / "room.list").read_text())
    found = [each.rstrip("/") for line in stanzas for each in line.split()] + lines
    return list(dict.fromkeys(found))


def lay_out(packages: Iterable[Package], cache: Cache, folder: Path) -> None:
    """Make a folder that apt installs from: the packages, and the index that names them."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    paragraphs = list[str]()
    for package in packages:
        name = Path(package.path).name
        shutil.copyfile(cache.path(package), folder / name)
        control = subprocess.run(
            ["dpkg-deb", "--field", folder / name], capture_output=True, text=True, check=True
        ).stdout
        paragraphs.append(
            f"{control}Filename: ./{name}\nSize: {package.size}\nSHA256: {package.sha256}\n"
        )
    index = "\n".join(paragraphs).encode()
    (folder / "Packages").write_bytes(index)
    (folder / "Release").write_text(
        f"Suite: {SUITE}\nCodename: {SUITE}\n"
        f"SHA256:\n {hashlib.sha256(index).hexdigest()} {len(index)} Packages\n"
    )


def main(lock: Path, folder: Path) -> None:
    """Fetch what a lock names, and make its pool."""
    try:
        packages = Lock.read(lock).packages
        cache = Cache(CACHE)
        missing = cache.missing(packages)
        if missing:
            size_mb = sum(package.size for package in missing) / 1e6
            print(f"    fetching {len(missing)} Debian packages, {size_mb:.0f} MB", flush=True)
            with TemporaryDirectory() as sources:
                cache.fetch(missing, read_mirrors(Path(sources)))
        lay_out(packages, cache, folder)
    except LockError as error:
        sys.exit(str(error))


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
