"""Makes locks: asks apt, at the host's mirror of Debian, what a root is made of now."""

import re
import subprocess
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

from lock import Lock, LockError, Package, read_needed, read_wanted
from pool import SUITE, TREE

HERE: Final = Path(__file__).parent
KIOSK: Final = TREE / "packaging/debian/regard-kiosk/DEBIAN/control"
_CHOSEN: Final = re.compile(r"(?m)^Inst (\S+) \((\S+) ")


class Apt:
    """An apt of one architecture, which knows of no installed package. Make it in ``folder``."""

    def __init__(self, folder: Path, architecture: str, *, backports: bool) -> None:
        self._folder = folder
        for name in ("lists/partial", "cache/archives/partial", "etc"):
            (folder / name).mkdir(parents=True)
        (folder / "status").touch()
        sources = folder / "etc"
        subprocess.run(
            [TREE / "packaging/development/debian-sources", SUITE, sources, "non-free-firmware"],
            check=True,
            stdout=subprocess.DEVNULL,
        )
        if backports:
            _add_backports(sources)
        self._options = [
            f"--option=APT::Architecture={architecture}",
            f"--option=APT::Architectures={architecture}",
            "--option=APT::Install-Recommends=false",
            f"--option=Dir::State={folder}",
            f"--option=Dir::State::status={folder}/status",
            f"--option=Dir::Cache={folder}/cache",
            "--option=Dir::Etc::sourcelist=/dev/null",
            f"--option=Dir::Etc::sourceparts={sources}",
            "--option=Dir::Etc::preferencesparts=/dev/null",
            "--option=Dir::Etc::preferences=/dev/null",
        ]
        self._run("apt-get", "--quiet=2", "update")

    def resolve(self, wanted: Sequence[str]) -> list[Package]:
        """What is installed if these packages are, and all that every Debian has."""
        planned = self._run("apt-get", "--simulate", "install", "?essential", *wanted)
        chosen = _CHOSEN.findall(planned)
        shown = self._run("apt-cache", "show", *(f"{name}={version}" for name, version in chosen))
        found = [_read_paragraph(each) for each in shown.split("\n\n") if each.strip()]
        return list({package.name: package for package in found}.values())

    def _run(self, command: str, *arguments: str) -> str:
        ended = subprocess.run(
            [command, *self._options, *arguments], capture_output=True, text=True, check=False
        )
        if ended.returncode != 0:
            raise LockError(f"apt could not say: {ended.stderr.strip() or ended.stdout.strip()}")
        return ended.stdout


def _add_backports(sources: Path) -> None:
    suites = re.compile(rf"(?m)^(Suites:.*)\b{SUITE}(?=\s|$)")
    lines = re.compile(rf"(?m)^(deb .*\s){SUITE}(\s.*)$")
    for path, pattern, more in (
        (sources / "room.sources", suites, rf"\1{SUITE} {SUITE}-backports"),
        (sources / "room.list", lines, rf"\g<0>\n\1{SUITE}-backports\2"),
    ):
        path.write_text(pattern.sub(more, path.read_text()))


def _read_paragraph(paragraph: str) -> Package:
    fields = dict(re.findall(r"(?m)^([A-Z][A-Za-z0-9-]*): (.*)$", paragraph))
    return Package(
        name=fields["Package"],
        version=fields["Version"],
        architecture=fields["Architecture"],
        size=int(fields["Size"]),
        sha256=fields["SHA256"],
        path=fields["Filename"],
    )


def renew(name: str, architecture: str, wanted: Sequence[str]) -> None:
    """Make one lock anew, and say what became of it."""
    path = HERE / f"{name}.lock"
    before = set(Lock.read(path).packages) if path.exists() else set()
    with TemporaryDirectory() as folder:
        backports = any(each.endswith("-backports") for each in wanted)
        packages = Apt(Path(folder), architecture, backports=backports).resolve(wanted)
    if before == set(packages):
        print(f"{path.name}: nothing is newer")
        return
    Lock(datetime.now(UTC).date(), tuple(packages)).write(path)
    size_mb = sum(package.size for package in packages) / 1e6
    new = len(set(packages) - before)
    print(f"{path.name}: {len(packages)} packages, {size_mb:.0f} MB; {new} of them new")


def main() -> None:
    """Renew all locks."""
    packages, needed = HERE / "packages.txt", read_needed(KIOSK)
    try:
        renew("workshop", "amd64", read_wanted([HERE / "workshop.txt"]))
        renew("packages", "arm64", [*needed, *read_wanted([packages])])
        renew("pi5", "arm64", [*needed, *read_wanted([packages, HERE / "pi5.txt"])])
    except LockError as error:
        sys.exit(str(error))


if __name__ == "__main__":
    main()
