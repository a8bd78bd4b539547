"""The trial of the installed packages: the whole chain by their commands and users, then purge.

`try` runs it as root in an empty Debian 13, right after it has installed the packages there. No
systemd runs in that room: what its units would do is done by hand, with the same users and rights.
"""

import csv
import grp
import os
import pwd
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final

from kiosk_window import KioskWindow

KIOSK: Final = Path("/var/lib/regard")
DATA: Final = KIOSK / "kiosk"
KEYS: Final = Path("/run/regard")
CENTRE: Final = Path("/var/lib/regard-collector/centre")
TRIAL: Final = Path("/run/trial")
READY_S: Final = 60.0


class TrialError(Exception):
    """Something is not as whoever installs the packages may expect."""


def main() -> int:
    """Try everything; 0 if all is as it should be."""
    TRIAL.mkdir(mode=0o755)
    try:
        for step in (
            check_libraries,
            check_commands,
            check_folders,
            respond_and_export,
            check_shared_files,
            remove,
            install_again,
            purge,
        ):
            print(f"trial: {step.__name__.replace('_', ' ')}", flush=True)
            step()
    except TrialError as error:
        print(f"trial: {error}", file=sys.stderr)
        return 1
    print("trial: passed")
    return 0


def check_libraries() -> None:
    """See that all libraries are there which the packages' own are linked with."""
    for folder in (Path("/usr/lib/regard-kiosk"), Path("/usr/lib/regard-collector")):
        beside = ":".join(str(each) for each in folder.rglob("*.libs"))
        for library in folder.rglob("*.so*"):
            if "window_x11" in library.name:  # for X without SDL, which we never use
                continue
            said = run("ldd", str(library), LD_LIBRARY_PATH=beside)
            if "not found" in said:
                raise TrialError(f"{library} is linked with what is not there:\n{said}")


def check_commands() -> None:
    """See that each command explains itself, to anybody, wherever they are."""
    for command in ("regard-kiosk", "regard-agent", "regard-collector"):
        if "usage:" not in run(*as_user("nobody", "nogroup"), command, "--help"):
            raise TrialError(f"{command} --help explains nothing")


def check_folders() -> None:
    """See that folders and users are as the units expect them."""
    expect(KIOSK, "root", "root", 0o755)
    expect(DATA, "root", "regard", 0o2770)
    expect(CENTRE.parent, "regard-collector", "regard-collector", 0o700)
    for unit in ("regard-kiosk", "regard-agent", "regard-collector"):
        if not Path(f"/etc/systemd/system/multi-user.target.wants/{unit}.service").is_symlink():
            raise TrialError(f"{unit}.service is not enabled")


def respond_and_export() -> None:
    """Found a centre, stamp the kiosk, tap a response, deliver it, and find it in an export."""
    run("apt-get", "--quiet=2", "--yes", "install", "--no-install-recommends", "xvfb", "xdotool")
    stamp_kiosk()
    drawn = ("-screen", "0", "1280x800x24", "-nolisten", "tcp", "-displayfd", "1")
    screen = subprocess.Popen(["Xvfb", *drawn], stdout=subprocess.PIPE, text=True)
    centre = as_user("regard-collector", "regard-collector")
    collector = subprocess.Popen([*centre, "regard-collector", "serve", "--folder", str(CENTRE)])
    try:
        assert screen.stdout is not None
        os.environ["DISPLAY"] = f":{screen.stdout.readline().strip()}"
        with Kiosk(settings_for("kiosk", "fullscreen = false\ntrace_view = true\n")) as kiosk:
            respond(kiosk)
            agent = as_service("regard-agent", "agent")
            settings = str(settings_for("agent", "hold_half_day = false\n"))
            wait_for(lambda: succeeds(*agent, "regard-agent", settings, "--once"))
            if kiosk.terminate() != 0:
                raise TrialError("the kiosk did not end well")
        exported = CENTRE.parent / "export"
        export = ("regard-collector", "export", "--folder", str(CENTRE), "--include-current")
        wait_for(lambda: count_exported(exported, *centre, *export) == 1)
    finally:
        for process in (collector, screen):
            process.terminate()
            process.wait()


def stamp_kiosk() -> None:
    """Make a centre with a site, stamp the kiosk for it, and find the key of its store."""
    centre = (*as_user("regard-collector", "regard-collector"), "regard-collector")
    here = ("--folder", str(CENTRE))
    with socket.socket() as probe:  # the room shares the network of the machine around it
        probe.bind(("127.0.0.1", 0))
        address = f"https://localhost:{probe.getsockname()[1]}"
    listening = ("--address", address, "--host", "127.0.0.1")
    run(*centre, "init", str(CENTRE), *listening)
    told = ("--kept-months", "24", "--contact", "en", "the manager")
    run(*centre, "organisation", "add", *here, "council", "Any Council", *told)
    run(*centre, "service", "add", *here, "libraries", "Libraries", "--organisation", "council")
    run(*centre, "place", "add", *here, "W06000015", "Any Town")
    where = ("--service", "libraries", "--place", "W06000015", "--stands", "exit")
    asked = ("--questionnaire", "library", "--languages", "en")
    run(*centre, "site", "add", *here, "central", "Central Library", *where, *asked)
    parcel = CENTRE.parent / "parcel"
    run(*centre, "stamp", *here, "central", "desk-1", str(parcel))
    stamp = KIOSK / "regard.stamp"
    shutil.copy(parcel / "regard.stamp", stamp)
    stamp.chmod(0o640)
    shutil.chown(stamp, "root", "regard")
    KEYS.mkdir(mode=0o700)
    run("/usr/lib/regard-kiosk/find-store-key", str(KIOSK), str(KEYS))
    for folder in (KIOSK, KEYS):
        expect(folder / "store-key", "root", "root", 0o400)


class Kiosk(KioskWindow):
    """The installed kiosk's window."""

    def _start(self) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [*as_service("regard-screen", "kiosk"), "regard-kiosk", self._settings],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            encoding="utf-8",
        )


def respond(kiosk: KioskWindow) -> None:
    """Tap an answer to each item until thanks come."""
    seen = kiosk.wait_for("attract")
    while seen.screen != "thanks":
        if seen.screen in ("attract", "asking"):
            answers = [name for name in seen.buttons if name.startswith("answer-")]
            kiosk.tap(answers[0] if answers else "skip" if "skip" in seen.buttons else "next")
        seen = kiosk.next_view()


def check_shared_files() -> None:
    """See that the store is screen's and agent's, and the identity the agent's to write."""
    expect(DATA / "store.db", "regard-screen", "regard", 0o660)
    expect(DATA / "identity", "regard-agent", "regard", 0o640)


def remove() -> None:
    """Remove the packages: the data stays, and that is said."""
    said = run("apt-get", "--yes", "remove", "regard-kiosk", "regard-collector")
    for kept in (KIOSK, CENTRE.parent):
        if f"stays in {kept}" not in said and f"stay in {kept}" not in said:
            raise TrialError(f"it was not said that {kept} stays:\n{said}")
    for kept_file in (DATA / "store.db", KIOSK / "store-key", CENTRE / "collector.db"):
        if not kept_file.exists():
            raise TrialError(f"{kept_file} is gone")
    for left in (Path("/usr/lib/regard-kiosk"), Path("/usr/lib/regard-collector")):
        if left.exists():
            raise TrialError(f"{left} was left behind")


def install_again() -> None:
    """Install them again: what was recorded is there, and so are the settings."""
    packages = [str(path) for path in sorted(Path.cwd().glob("*.deb"))]
    run("apt-get", "--quiet=2", "--yes", "install", "--no-install-recommends", *packages)
    expect(DATA / "store.db", "regard-screen", "regard", 0o660)
    check_commands()


def purge() -> None:
    """Purge the packages: what is deleted is named, and gone."""
    said = run("apt-get", "--yes", "purge", "regard-kiosk", "regard-collector")
    for gone in (KIOSK, Path("/etc/regard"), CENTRE.parent):
        if f"Deleting {gone}:" not in said:
            raise TrialError(f"it was not said that {gone} is deleted:\n{said}")
    left = [
        *Path("/var/lib").glob("regard*"),
        *Path("/etc").glob("regard*"),
        *Path("/usr/lib").glob("regard*"),
        *Path("/etc/systemd/system").rglob("regard*"),
        *Path("/var/lib/systemd").rglob("regard*"),
    ]
    if left:
        raise TrialError(f"left behind: {', '.join(map(str, left))}")


def as_user(user: str, group: str) -> tuple[str, ...]:
    """What runs a command as a user, in a folder that is everybody's, in the same process."""
    rights = (f"--reuid={user}", f"--regid={group}", "--init-groups", "--no-new-privs")
    return ("setpriv", *rights, "env", "--chdir=/")


def as_service(user: str, name: str) -> tuple[str, ...]:
    """What runs a command as its unit would: as its user, with the key as a credential."""
    credentials = TRIAL / f"credentials-{name}"
    if not credentials.exists():
        credentials.mkdir(mode=0o500)
        key = credentials / "store-key"
        shutil.copy(KEYS / "store-key", key)
        for path in (key, credentials):
            shutil.chown(path, user, "regard")
    # A shell for the umask; then the command takes its place.
    masked = ("sh", "-c", 'umask 0007; exec "$0" "$@"')
    return (*as_user(user, "regard"), f"CREDENTIALS_DIRECTORY={credentials}", *masked)


def settings_for(name: str, more: str) -> Path:
    """The installed settings of a command, with others for the trial."""
    path = TRIAL / f"{name}.toml"
    path.write_text(Path(f"/etc/regard/{name}.toml").read_text() + more)
    return path


def count_exported(folder: Path, *export: str) -> int:
    """How many responses an export has."""
    shutil.rmtree(folder, ignore_errors=True)
    run(*export, str(folder))
    with (folder / "responses.csv").open(encoding="utf-8-sig", newline="") as file:
        return sum(1 for _ in csv.DictReader(file))


def expect(path: Path, owner: str, group: str, mode: int) -> None:
    """See whose a file is, and who may use it."""
    status = path.stat()
    names = pwd.getpwuid(status.st_uid).pw_name, grp.getgrgid(status.st_gid).gr_name
    if (*names, status.st_mode & 0o7777) != (owner, group, mode):
        raise TrialError(f"{path} is {names[0]}:{names[1]} {status.st_mode & 0o7777:o}")


def wait_for(holds: Callable[[], bool]) -> None:
    """Wait until something holds."""
    deadline = time.monotonic() + READY_S
    while not holds():
        if time.monotonic() > deadline:
            raise TrialError("what was waited for did not come")
        time.sleep(0.5)


def succeeds(*command: str) -> bool:
    """Whether a command ends with 0."""
    return subprocess.run(command, check=False).returncode == 0


def run(*command: str, **environment: str) -> str:
    """What a command prints, which must end with 0."""
    done = subprocess.run(
        command,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
        env=os.environ | environment | {"DEBIAN_FRONTEND": "noninteractive"},
    )
    if done.returncode != 0:
        raise TrialError(f"{' '.join(command)} ended with {done.returncode}:\n{done.stdout}")
    return done.stdout


if __name__ == "__main__":
    sys.exit(main())
