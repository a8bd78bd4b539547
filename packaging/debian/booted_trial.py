"""The trial of the packages in a booted machine: installed by apt, drawn and tapped, purged.

`boot` runs it, with the folder of the machine's disk, kernel and initrd. Here systemd runs the
units as at a site, and the screen is drawn by the kernel's own means, as an ordinary user.
"""

import shutil
import sys
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory
from typing import Final

from citizen import Told, read_export
from expected import draw
from respondent import SHOWN_S, Respondent
from trial_shell import TrialShell, bring, command_line
from views import questionnaire
from virtual_machine import Board, Build, MachineError, VirtualMachine, connect

from kiosk_app.layout.panel import DEFAULT_PANEL, PANELS

PICTURES: Final = Path("build/packages-booted")
CENTRE: Final = "/var/lib/regard-collector/centre"
EXPORT: Final = "/var/lib/regard-collector/export"
STAMP: Final = "/var/lib/regard-collector/parcel/regard.stamp"
READ_DISK: Final = "head -c 1 /dev/vda"
LISTEN: Final = "python3.13 -c 'import socket; socket.create_server((\"127.0.0.1\", 0))'"
COLLECTOR: Final = (
    "cd / && setpriv --reuid=regard-collector --regid=regard-collector --init-groups"
    " regard-collector"
)
# It is slow. QEMU 7.2 emulates AVX2, which the collector needs, not well enough for what Mesa makes
# of it.
EMULATED: Final = "systemd.default_timeout_start_sec=900 " + bring(
    "systemd.unit-dropin.regard-kiosk.service",
    "[Service]\nEnvironment=GALLIUM_OVERRIDE_CPU_CAPS=sse4.1 LP_NATIVE_VECTOR_WIDTH=128\n",
)
COMMAND_S: Final = 1800.0
"""How long a command may take: apt's, in an emulated machine."""

HOLDS_S: Final = 900.0


class BootedTrial:
    """A machine in which the packages are tried, step by step."""

    def __init__(self, machine: VirtualMachine, respondent: Respondent) -> None:
        self._machine = machine
        self._respondent = respondent
        shell = connect(machine.shell, lambda: True)
        self._run = TrialShell(shell, COMMAND_S).run

    def install(self) -> None:
        """Install both packages by apt, as whoever installs them does."""
        self._apt("install /root/packages/*.deb")

    def stamp(self) -> None:
        """Make a centre with a site, stamp the kiosk for it, and start everything."""
        here = f"--folder {CENTRE}"
        for command in (
            f"init {CENTRE} --address https://localhost:8443 --host 127.0.0.1",
            f"organisation add {here} council 'Any Council' --kept-months 24"
            " --contact en 'the manager'",
            f"service add {here} libraries Libraries --organisation council",
            f"place add {here} W06000015 'Any Town'",
            f"site add {here} central 'Central Library' --service libraries --place W06000015"
            " --stands exit --questionnaire library --languages en",
            f"stamp {here} central desk-1 {Path(STAMP).parent}",
        ):
            self._run(f"{COLLECTOR} {command}")
        self._run(f"install --group regard --mode 640 {STAMP} /var/lib/regard/regard.stamp")
        self._run("echo 'hold_half_day = false' >>/etc/regard/agent.toml")
        # In place of starting the machine anew: only as it begins does systemd see what it can
        # enforce, and libbpf came after.
        self._run("systemctl daemon-reexec")
        self._run("systemctl restart regard-collector regard-kiosk regard-agent")

    def show_attract_screen(self) -> None:
        """See that the screen invites, before anything was touched."""
        self._see("attract")

    def check_rights(self) -> None:
        """See as whom the services run, and that their limits are in force."""
        for unit, user in (("regard-kiosk", "regard-screen"), ("regard-agent", "regard-agent")):
            process = self._run(f"systemctl show --value -p MainPID {unit}").strip()
            status = self._run(f"cat /proc/{process}/status")
            number = self._run(f"id -u {user}").strip()
            for held in (f"Uid:\t{number}\t", "CapEff:\t0000000000000000", "NoNewPrivs:\t1"):
                if held not in status:
                    raise MachineError(f"{unit}: not as {held!r} says:\n{status}")
            group = f"/sys/fs/cgroup/system.slice/{unit}.service"
            limit, swap, peak = (
                self._run(f"cat {group}/memory.{name}").strip()
                for name in ("max", "swap.max", "peak")
            )
            print(f"  {unit}: {user}, at most {limit} bytes and {swap} of swap, so far {peak}")
            if limit == "max" or swap != "0":
                raise MachineError(f"{unit} may take all memory")
            # Root may read the disk and listen at a port, but not in the services' place.
            place = f"sh -c 'echo $$ >{group}/cgroup.procs || exit 0; exec \"$@\"' -"
            for forbidden in (READ_DISK, LISTEN):
                self._run(f"{forbidden} >/dev/null")
                self._run(f"! {place} {forbidden} >/dev/null 2>&1")

    def respond(self) -> None:
        """Tap a response, from the first answer to thanks."""
        self._respondent.respond(self._machine)
        self._machine.picture().save(PICTURES / "thanks.png")

    def deliver(self) -> None:
        """See that what was told is what the collector's export has."""
        told = Counter(self._respondent.thanked)
        self._wait(lambda: Counter(self._exported()) == told, "the export of what was told")

    def hang(self) -> None:
        """Have the screen hang: the watchdog ends it, and it comes back."""
        before = self._run("systemctl show --value -p MainPID regard-kiosk").strip()
        self._run(f"kill -STOP {before}")

        def is_another() -> bool:
            now = self._run("systemctl show --value -p MainPID regard-kiosk").strip()
            return now not in ("0", before)

        self._wait(is_another, "the end of a screen that hangs")
        self._run(f"journalctl -u regard-kiosk | grep -q 'Killing process {before} .*SIGABRT'")
        self._see("attract")

    def remove(self) -> None:
        """Remove the packages: the data stays, and nothing runs."""
        said = self._apt("remove regard-kiosk regard-collector")
        if "stays in /var/lib/regard." not in said:
            raise MachineError(f"it was not said that the data stays:\n{said}")
        self._run(f"test -e /var/lib/regard/kiosk/store.db && test -e {CENTRE}/collector.db")
        self._check_nothing_runs()

    def install_again(self) -> None:
        """Install them again: they go on where they were."""
        self.install()
        self._see("attract")
        self.respond()
        self.deliver()

    def purge(self) -> None:
        """Purge the packages: what is deleted is said, and nothing runs or is left."""
        said = self._apt("purge regard-kiosk regard-collector")
        for gone in ("/var/lib/regard", "/etc/regard", "/var/lib/regard-collector"):
            if f"Deleting {gone}:" not in said:
                raise MachineError(f"it was not said that {gone} is deleted:\n{said}")
        self._check_nothing_runs()
        places = "/etc /run /usr /var/lib"
        # Generators made of the kernel command line what the trial has brought along.
        left = self._run(f"find {places} -name 'regard*' -not -path '*/generator.early/*'")
        if left:
            raise MachineError(f"left behind:\n{left}")

    def _see(self, screen: str) -> None:
        self._respondent.wait_for(self._machine, screen, timeout_s=SHOWN_S)
        self._machine.picture().save(PICTURES / f"{screen}.png")

    def _apt(self, what: str) -> str:
        return self._run(f"DEBIAN_FRONTEND=noninteractive apt-get --yes {what}")

    def _exported(self) -> list[Told]:
        self._run(f"{COLLECTOR} export --folder {CENTRE} --include-current {EXPORT}")
        rows = self._run(f"cat {EXPORT}/responses.csv && rm -r {EXPORT}")
        with TemporaryDirectory() as folder:
            Path(folder, "responses.csv").write_text(rows, encoding="utf-8", newline="")
            return [*read_export(Path(folder)).values()]

    def _check_nothing_runs(self) -> None:
        running = self._run("grep -ls regard- /proc/[0-9]*/cgroup", check=False)
        if running:
            raise MachineError(f"something runs still: {running}")

    def _wait(self, holds: Callable[[], bool], what: str) -> None:
        self._machine.wait_until(holds, what, HOLDS_S)


def main() -> int:
    """Try everything; 0 if all is as it should be."""
    work = Path(sys.argv[1])
    shutil.rmtree(PICTURES, ignore_errors=True)
    PICTURES.mkdir(parents=True)
    panel, asked = PANELS[DEFAULT_PANEL], questionnaire("library")
    build = Build(
        board=Board.PC,
        disk=work / "disk.img",
        kernel=work / "vmlinuz",
        initrd=work / "initrd.img",
        command_line=f"root=LABEL=root rw quiet loglevel=4 {command_line(Board.PC)} {EMULATED}",
        memory_mb=1536,
        screen=(panel.width_px, panel.height_px),
    )
    respondent = Respondent(draw(panel, asked, "en"), asked, Random(1))
    try:
        with VirtualMachine(build, work / "machine") as machine:
            trial = BootedTrial(machine, respondent)
            for step in (
                trial.install,
                trial.stamp,
                trial.show_attract_screen,
                trial.check_rights,
                trial.respond,
                trial.deliver,
                trial.hang,
                trial.remove,
                trial.install_again,
                trial.purge,
            ):
                began = time.monotonic()
                print(f"booted: {step.__name__.replace('_', ' ')}", flush=True)
                step()
                print(f"  {time.monotonic() - began:.0f} s", flush=True)
    except MachineError as error:
        print(f"booted: {error}", file=sys.stderr)
        return 1
    print(f"booted: passed; pictures are in {PICTURES}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
