"""The whole chain on one machine: a centre, a site, its kiosk and the agent, as real processes.

For the demo and for tests that go from tap to export. Everything lives in one folder and speaks
over loopback only.
"""

import json
import secrets
import socket
import ssl
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from threading import Thread
from typing import Final, Self

import board
from kiosk_window import KioskWindow

SITE: Final = "central-library"
READY_S: Final = 60.0
ENDING_S: Final = 30.0

Heard = Callable[[str], None]


class ChainError(Exception):
    """A part of the chain did not start, or ended badly; its last lines are given."""


class Part:
    """One running command of the chain; what it prints is kept in a file, and heard."""

    def __init__(self, module: str, *arguments: str, folder: Path, log: Path, heard: Heard) -> None:
        self.name = module.rpartition(".")[2]
        self._log = log
        self._heard = heard
        self.process = subprocess.Popen(
            [sys.executable, "-m", module, *arguments],
            cwd=folder,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            encoding="utf-8",
            start_new_session=True,  # Ctrl-C is the chain's to deal with, in the right order
        )
        self._listener = Thread(target=self._listen, daemon=True)
        self._listener.start()

    def stop(self) -> None:
        """End it as systemd does, and wait.

        Raises:
            ChainError: it did not end well, or not in time.
        """
        self.process.terminate()
        try:
            status = self.process.wait(ENDING_S)
        except subprocess.TimeoutExpired:
            self.kill()
            raise ChainError(f"{self.name} did not end in {ENDING_S:.0f} seconds") from None
        self._listener.join()
        if status != 0:
            raise ChainError(f"{self.name} ended with {status}:\n{self.last_lines()}")

    def kill(self) -> None:
        """End it as a crash does."""
        self.process.kill()
        self.process.wait()
        self._listener.join()

    def last_lines(self) -> str:
        """What it printed last."""
        return "\n".join(self._log.read_text(encoding="utf-8").splitlines()[-15:])

    def _listen(self) -> None:
        assert self.process.stdout is not None
        with self.process.stdout as lines, self._log.open("a", encoding="utf-8") as log:
            for line in lines:
                log.write(line)
                log.flush()
                self._heard(line.rstrip("\n"))


class Chain:
    """A centre with one site, and the kiosk that stands there. Leaving the block ends all parts.

    ``languages`` are the site's. ``heard`` gets each part's name and each line it prints.
    ``reached_at`` is the port at which kiosks find the collector, if something is in between, and
    ``reached_as`` the name by which they do;
    ``database`` the URL of an empty PostgreSQL database, in place of a file.
    """

    def __init__(
        self,
        folder: Path,
        *,
        languages: tuple[str, ...] = ("en", "cy"),
        questionnaire: str = "library",
        heard: Callable[[str, str], None] = lambda part, line: None,
        reached_at: int | None = None,
        reached_as: str = "localhost",
        database: str | None = None,
    ) -> None:
        self.folder = folder
        self.centre = folder / "centre"
        self.stamp = folder / "stamp"
        self.data = folder / "kiosk"
        self.logs = folder / "logs"
        self.store_key = folder / "store.key"
        self._languages = languages
        self._questionnaire = questionnaire
        self._heard = heard
        self._parts: dict[str, Part] = {}
        self.window: KioskWindow | None = None
        self.port = _free_port()
        self._address = f"https://{reached_as}:{reached_at or self.port}"
        self._database = database

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        """End whatever still runs; what must end well was stopped before."""
        if self.window is not None and self.window.running:
            with suppress(subprocess.TimeoutExpired):
                self.window.terminate(ENDING_S)
            self.window.__exit__()
        for name in ("agent", "collector"):
            part = self._parts.get(name)
            if part is not None and part.process.poll() is None:
                with suppress(ChainError):
                    part.stop()

    # At the centre

    def found(self) -> None:
        """Make the centre: its keys, its certificate authority, its database."""
        for folder in (self.data, self.logs):
            folder.mkdir(parents=True)
        self.collector(
            *("init", str(self.centre), "--address", self._address, "--name", "localhost"),
            *("--host", "127.0.0.1", "--port", str(self.port)),
            *(() if self._database is None else ("--database", self._database)),
        )

    def open_site(self) -> None:
        """Enter a site, and who runs it."""
        self.collector(
            *("organisation", "add", "council", "Any Council", "--kept-months", "24"),
            *("--contact", "en", "the library manager, on 01234 567890"),
            *("--contact", "cy", "rheolwr y llyfrgell, ar 01234 567890"),
        )
        self.collector("service", "add", "libraries", "Libraries", "--organisation", "council")
        self.collector("place", "add", "W06000015", "Any Town")
        self.collector(
            *("site", "add", SITE, "Central Library", "--service", "libraries"),
            *("--place", "W06000015", "--stands", "exit", "--questionnaire", self._questionnaire),
            *("--languages", *self._languages),
        )

    def stamp_kiosk(self, *how: str) -> None:
        """Write the folder that makes a kiosk this site's; ``how`` is told to the command."""
        self.collector("stamp", SITE, "by-the-door", str(self.stamp), *how)

    def start_collector(self) -> None:
        """Start the collector, which starts its opener, and wait until it is ready."""
        part = self._start("collector", "sync_service.collector", "serve")
        trust = ssl.create_default_context(cafile=str(self.centre / "tls" / "authority.pem"))
        deadline = time.monotonic() + READY_S
        while time.monotonic() < deadline:
            if part.process.poll() is not None:
                break
            with suppress(urllib.error.URLError, OSError):
                address = f"https://localhost:{self.port}/readyz"
                with urllib.request.urlopen(address, context=trust, timeout=5):
                    return
            time.sleep(0.1)
        raise ChainError(f"the collector is not ready:\n{part.last_lines()}")

    def stop_collector(self) -> None:
        """End the collector and its opener."""
        self._parts["collector"].stop()

    def kill_collector(self) -> None:
        """End the collector as a crash does; its opener notices and ends too."""
        self._parts["collector"].kill()

    @property
    def collector_process(self) -> subprocess.Popen[str]:
        """The collector, as the operating system knows it."""
        return self._parts["collector"].process

    def export(self, folder: Path) -> Path:
        """Export what was opened, that of the present half-day too; gives the folder."""
        self.collector("export", str(folder), "--include-current")
        return folder

    def collector(self, *arguments: str) -> str:
        """Run one of the collector's commands to its end; gives what it printed.

        Raises:
            ChainError: it ended badly.
        """
        done = subprocess.run(
            [sys.executable, "-m", "sync_service.collector", *arguments],
            cwd=self.centre if self.centre.exists() else self.folder,
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode != 0:
            raise ChainError(f"regard-collector {' '.join(arguments)}: {done.stderr.strip()}")
        return done.stdout

    # At the site

    def start_kiosk(
        self,
        *,
        fullscreen: bool = False,
        idle_timeout_s: int = 30,
        restarts: bool = False,
        hardware: bool = False,
    ) -> KioskWindow:
        """Start the kiosk on the display that the environment names, with fake hardware or none."""
        if not self.store_key.exists():
            self.store_key.write_text(secrets.token_hex(32))
            self.store_key.chmod(0o600)
        settings = self._settings(
            "kiosk",
            fullscreen=fullscreen,
            idle_timeout_s=idle_timeout_s,
            thanks_s=3,
            trace_view=True,
            **(board.SETTINGS if hardware else {}),
        )
        self.window = KioskWindow(settings, self._hear_kiosk, restarts=restarts)
        return self.window

    def start_agent(self, **other: str | float) -> None:
        """Start the agent at a pace that can be watched, holding nothing back.

        ``other`` are settings that shall be others.
        """
        paced: dict[str, str | float] = {
            "hold_half_day": False,
            "poll_s": 0.5,
            "contact_s": 5,
            "backoff_cap_s": 2,
            "timeout_s": 10,
            "ask_again_s": 2,
        }
        settings = self._settings("agent", **paced | other)
        self._start("agent", "sync_service.agent", str(settings))

    @property
    def agent_process(self) -> subprocess.Popen[str]:
        """The agent, as the operating system knows it."""
        return self._parts["agent"].process

    def stop_agent(self) -> None:
        """End the agent."""
        self._parts["agent"].stop()

    def kill_agent(self) -> None:
        """End the agent as a crash does."""
        self._parts["agent"].kill()

    def _hear_kiosk(self, line: str) -> None:
        with (self.logs / "kiosk.log").open("a", encoding="utf-8") as log:
            log.write(f"{line}\n")
        self._heard("kiosk", line)

    def _start(self, name: str, module: str, *arguments: str) -> Part:
        part = Part(
            module,
            *arguments,
            folder=self.centre if name == "collector" else self.data,
            log=self.logs / f"{name}.log",
            heard=lambda line: self._heard(name, line),
        )
        self._parts[name] = part
        return part

    def _settings(self, name: str, **members: str | float | list[int]) -> Path:
        paths = {"data": self.data, "stamp": self.stamp, "store_key": self.store_key}
        settings = {key: str(path) for key, path in paths.items()} | members
        lines = (f"{key} = {json.dumps(value)}\n" for key, value in settings.items())
        path = self.folder / f"{name}.toml"
        path.write_text("".join(lines))  # what stands here is the same in JSON and in TOML
        return path


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
