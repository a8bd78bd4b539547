"""The trial of the image: stamped, booted, tapped, its power cut again and again, all delivered.

    image_trial.py IMAGE.img.xz

The machine boots what is on the card: its kernel, its initrd, its kernel command line, to which is
only added what a trial needs (see `trial_shell`). It reaches the collector on the host's loopback
and nothing else."""

import lzma
import shutil
import sys
import time
from collections import Counter
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from random import Random
from threading import Timer
from typing import Any, Final

from card import ROOT, Card
from chain import Chain, ChainError
from citizen import Told, read_export
from expected import draw
from respondent import SHOWN_S, Respondent
from trial_shell import TrialShell, bring, command_line
from views import questionnaire
from virtual_machine import (
    COLLECTOR_ADDRESS,
    Board,
    Build,
    MachineError,
    VirtualMachine,
    connect,
)

from kiosk_app.layout.panel import PANELS

RESULTS: Final = Path("build/image-test").absolute()
PANEL: Final = PANELS["7-800x480"]
POWER_CUTS: Final = 10
LATEST_CUT_S: Final = 60.0
DELIVERED_S: Final = 1800.0
COMMAND_S: Final = 600.0
CARD_BYTES: Final = 4 << 30
STAYS_S: Final = 60.0

UP: Final = "systemctl show -p Id,ActiveState,SubState,MainPID,NRestarts regard-kiosk regard-agent"
ON_A_PI: Final = (
    "maxcpus=2 systemd.default_timeout_start_sec=900 systemd.watchdog_sec=0 module_blacklist=vchiq"
)
"""All four of its processors, on fewer of the host's, would wait for each other; and it is slow.
QEMU's Pi starts anew as soon as its watchdog is set, where a true one waits for it to run out, and
its firmware has no sound or camera to speak of, for want of which their driver may crash."""

# What was told is delivered at once, and not when its half-day is over, which no trial can await.
AT_ONCE: Final = bring(
    "systemd.unit-dropin.regard-agent.service",
    "[Service]\n"
    r'SetCredential=agent.toml:data\x20=\x20"/var/lib/regard/kiosk"\nstamp\x20=\x20'
    r'"/var/lib/regard/regard.stamp"\nhold_half_day\x20=\x20false\n'
    "\nExecStart=\nExecStart=/usr/bin/regard-agent %d/agent.toml\n",
)

LATE_S: Final = 120
"""After how long the data partition appears where it does late: no kiosk waits so long for it."""

LATE: Final = bring(
    "udev.rules.late", f'ACTION=="add", KERNEL=="vda3", PROGRAM="/bin/sleep {LATE_S}"\n'
)


class ImageTrial:
    """A stamped card in a machine, beside the chain that it belongs to."""

    def __init__(self, card: Card, chain: Chain, folder: Path) -> None:
        self._card = card
        self._chain = chain
        self._folder = folder
        self._random = Random(1)
        asked = questionnaire("library")
        self._steps = len(asked.ask)
        self.respondent = Respondent(draw(PANEL, asked, "en"), asked, self._random)
        told = card.take_out("cmdline.txt", folder / "boot").read_text().strip()
        self._build = Build(
            board=Board.VIRT,
            disk=card.path,
            kernel=card.take_out("vmlinuz*", folder / "boot"),
            initrd=card.take_out("initrd.img*", folder / "boot"),
            command_line=f"{told} {AT_ONCE}",
            memory_mb=1536,
            screen=(PANEL.width_px, PANEL.height_px),
            collector_port=chain.port,
        )

    def first_start(self) -> None:
        """Start for the first time: the attract screen comes, a tap is thanked, and delivered."""
        with self._start() as machine:
            self._see(machine, "attract")
            self.respondent.respond(machine)
            machine.picture().save(RESULTS / "thanks.png")
            self._wait_for_delivery(machine)

    def cut_power(self) -> None:
        """Without a network, cut the power at random instants while answers are tapped."""
        for number in range(1, POWER_CUTS + 1):
            before = len(self.respondent.thanked)
            with self._start() as machine:
                machine.plug_in(False)
                self.respondent.wait_for(machine, "attract", timeout_s=SHOWN_S)
                after_s = self._random.uniform(0.0, LATEST_CUT_S)
                timer = Timer(after_s, machine.cut_power)
                timer.start()
                # The power goes, at whatever it is.
                with suppress(MachineError):
                    while timer.is_alive():
                        self.respondent.respond(machine)
                timer.join()
            thanked = len(self.respondent.thanked) - before
            print(f"  cut {number}: {after_s:.1f} s after the screen came, {thanked} thanked")

    def deliver(self) -> None:
        """Plug the network in again: each thank-you that was seen arrives, and arrives once."""
        with self._start() as machine:
            self._wait_for_delivery(machine)

    def find_the_data_late(self) -> None:
        """The data partition appears when the kiosk has given up waiting: it asks all the same."""
        with self._start(LATE, command_line(Board.VIRT)) as machine:
            machine.plug_in(False)
            notice = "systemctl is-active regard-notice@data-missing.service"
            shell = _shell(machine)
            machine.wait_until(lambda: shell.succeeds(notice), "the notice", SHOWN_S)
            self.respondent.respond(machine)

    def measure_memory(self) -> None:
        """With 512 MB the screen comes and takes taps; print how much memory is left."""
        with self._start(command_line(Board.VIRT), memory_mb=512) as machine:
            self.respondent.respond(machine)
            run = _shell(machine).run
            print(run("grep -E '^Mem(Total|Available):' /proc/meminfo").rstrip())
            for unit in ("regard-kiosk", "regard-agent"):
                group = f"/sys/fs/cgroup/system.slice/{unit}.service"
                now, peak, limit = run(
                    f"cd {group} && cat memory.current memory.peak memory.max"
                ).split()
                print(f"{unit}: {now} bytes now, {peak} at most, of {limit}")

    def boot_on_a_pi(self) -> None:
        """On a Pi 3, without a network, screen and agent come up, stay up, and take answers.

        Raises:
            MachineError: they do not.
        """
        tree = self._card.take_out("bcm2837-rpi-3-b.dtb", self._folder / "boot")
        told = (ON_A_PI, command_line(Board.PI_3))
        with self._start(*told, board=Board.PI_3, device_tree=tree, memory_mb=1024) as machine:
            run = _shell(machine).run

            def stay_up() -> bool:
                up = run(UP)
                time.sleep(STAYS_S)
                return up.count("SubState=running") == 2 and run(UP) == up

            self._see(machine, "attract", "-on-a-pi")
            machine.wait_until(stay_up, "both to stay up", SHOWN_S)
            up = run(UP)
            self.respondent.respond(machine)
            if (now := run(UP)) != up:
                raise MachineError(f"one did not stay up:\n{now}")
            print(up.rstrip())

    def _start(self, *told: str, **parts: Any) -> VirtualMachine:
        """Switch it on, with more on its command line, and with some parts that are others."""
        all_told = " ".join([self._build.command_line, *told])
        build = replace(self._build, command_line=all_told, **parts)
        return VirtualMachine(build, self._folder / "machine")

    def _see(self, machine: VirtualMachine, screen: str, where: str = "") -> None:
        self.respondent.wait_for(machine, screen, timeout_s=SHOWN_S)
        machine.picture().save(RESULTS / f"{screen}{where}.png")

    def _wait_for_delivery(self, machine: VirtualMachine) -> None:
        thanked = Counter(self.respondent.thanked)
        machine.wait_until(lambda: not thanked - self.exported(), "all to arrive", DELIVERED_S)

    def exported(self) -> Counter[Told]:
        """How often the export has each response that was answered to the end."""
        folder = self._folder / "export"
        shutil.rmtree(folder, ignore_errors=True)
        told = read_export(self._chain.export(folder)).values()
        return Counter(each for each in told if len(each.answers) == self._steps)


def _shell(machine: VirtualMachine) -> TrialShell:
    return TrialShell(connect(machine.shell, lambda: True), COMMAND_S)


def main() -> int:
    """Try the image; 0 if all is as it should be."""
    image = Path(sys.argv[1])
    shutil.rmtree(RESULTS, ignore_errors=True)
    RESULTS.mkdir(parents=True)
    path = RESULTS / "card.img"
    with lzma.open(image) as packed, path.open("wb") as card_file:
        shutil.copyfileobj(packed, card_file)
    try:
        with Chain(RESULTS / "chain", languages=("en",), reached_as=COLLECTOR_ADDRESS) as chain:
            chain.found()
            chain.open_site()
            chain.stamp_kiosk("--panel", PANEL.name, "--image", str(path.absolute()))
            with path.open("r+b") as file:
                file.truncate(max(path.stat().st_size, CARD_BYTES))
            chain.start_collector()
            return judge(ImageTrial(card := Card.read(path), chain, RESULTS), card)
    except (ChainError, MachineError) as error:
        print(f"image: {error}", file=sys.stderr)
        return 1


def judge(trial: ImageTrial, card: Card) -> int:
    """Do all that is tried, and say what came of it."""
    root = card.digest(ROOT)
    for step in (
        trial.first_start,
        trial.cut_power,
        trial.find_the_data_late,
        trial.boot_on_a_pi,
        trial.deliver,
        trial.measure_memory,
    ):
        began = time.monotonic()
        print(f"image: {step.__name__.replace('_', ' ')}", flush=True)
        step()
        print(f"  {time.monotonic() - began:.0f} s", flush=True)
    thanked, unthanked = trial.respondent.thanked, trial.respondent.unthanked
    exported = trial.exported()
    lost = Counter(thanked[:-1]) - exported  # the last was told after all was delivered
    doubled = exported - Counter(thanked) - Counter(unthanked)
    unchanged = card.digest(ROOT) == root
    print(
        f"image: {POWER_CUTS} power cuts, {len(thanked)} thanked, {exported.total()} delivered,"
        f" {lost.total()} lost, {doubled.total()} doubled;"
        f" root {'unchanged' if unchanged else 'CHANGED'}; pictures are in {RESULTS}"
    )
    return 0 if unchanged and not lost and not doubled else 1


if __name__ == "__main__":
    sys.exit(main())
