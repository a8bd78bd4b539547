"""A PostgreSQL of one's own: made by whoever needs it, on a socket in a folder, and ended after."""

import asyncio
import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Self

import asyncpg
from children import children_of

PROGRAMS = Path("/usr/lib/postgresql")  # Debian's, one folder a version
OWNER = "regard"
START_S = 60.0


class PostgreSQLError(Exception):
    """It could not be started; the message says what it said."""


class Cluster:
    """A server and its databases, in a folder that only its owner and root may enter.

    Only one that is ``durable`` waits for the disk.
    """

    def __init__(self, folder: Path, *, durable: bool) -> None:
        self.folder = folder
        self._durable = durable
        self._made = 0
        if os.geteuid() == 0:
            shutil.chown(folder, "postgres", "postgres")
        make = ("initdb", "--auth=trust", "--encoding=UTF8", "--locale=C.UTF-8", "--no-sync")
        subprocess.run(
            _command(*make, f"--username={OWNER}", f"--pgdata={folder / 'data'}"),
            check=True,
            stdout=subprocess.DEVNULL,
        )

    @classmethod
    @contextmanager
    def started(cls, *, durable: bool = False) -> Iterator[Self]:
        """A new one, until the end of the block."""
        # What shall wait for a disk must lie on one: /tmp may be memory.
        parent = "/var/tmp" if durable else None
        folder = Path(tempfile.mkdtemp(dir=parent, prefix="regard-postgresql-"))
        try:
            cluster = cls(folder, durable=durable)
            cluster.start()
            try:
                yield cluster
            finally:
                cluster.stop()
        finally:
            shutil.rmtree(folder)

    def start(self) -> None:
        """Start the server, and wait until it answers."""
        settings = {"listen_addresses": "", "unix_socket_directories": self.folder}
        if not self._durable:
            settings |= {"fsync": "off", "full_page_writes": "off"}
        options = [option for name, to in settings.items() for option in ("-c", f"{name}={to}")]
        with (self.folder / "log").open("wb") as log:
            self._server = subprocess.Popen(
                _command("postgres", "-D", self.folder / "data", *options), stdout=log, stderr=log
            )
        # Kept, because to connect takes longer than most of what it is used for.
        self._runner = asyncio.Runner(loop_factory=asyncio.new_event_loop)
        self._connection = self._runner.run(self._wait())

    def stop(self) -> None:
        """Stop the server; whoever is still connected is sent away."""
        self._hang_up()
        self._server.send_signal(signal.SIGINT)
        self._server.wait()

    def kill(self) -> None:
        """End the server as a crash does, with all its processes; it can be started again."""
        self._hang_up()
        processes = [self._server.pid, *children_of(self._server.pid)]
        for process in processes:
            with suppress(ProcessLookupError):  # such as the one that served who just hung up
                os.kill(process, signal.SIGKILL)
        self._server.wait()
        while any(Path(f"/proc/{process}").exists() for process in processes):
            time.sleep(0.01)  # their shared memory goes with the last of them

    def url(self, database: str) -> str:
        """How the collector opens one of its databases."""
        return f"postgresql+asyncpg://{OWNER}@/{database}?host={self.folder}"

    def create(self, template: str = "template1") -> str:
        """Make a database, a copy of another; gives its name."""
        self._made += 1
        name = f"made_{self._made}"
        # Its files are copied as they are, not through the log, which takes twice as long.
        self.execute(f"CREATE DATABASE {name} TEMPLATE {template} STRATEGY FILE_COPY")
        return name

    def drop(self, database: str) -> None:
        """Remove a database, whoever is still connected to it."""
        self.execute(f"DROP DATABASE {database} WITH (FORCE)")

    def execute(self, statement: str) -> None:
        """Run a statement, in no database in particular."""
        self._runner.run(self._connection.execute(statement))

    async def connect(self, database: str = "postgres") -> asyncpg.Connection:
        """A connection of the driver's own."""
        return await asyncpg.connect(host=str(self.folder), user=OWNER, database=database)

    def _hang_up(self) -> None:
        self._runner.run(self._connection.close())
        self._runner.close()

    async def _wait(self) -> asyncpg.Connection:
        """Wait until it answers; gives the first connection."""
        async with asyncio.timeout(START_S):
            while self._server.poll() is None:
                try:
                    return await self.connect()
                except (OSError, asyncpg.CannotConnectNowError):
                    await asyncio.sleep(0.02)
        raise PostgreSQLError((self.folder / "log").read_text())


def _command(program: str, *arguments: object) -> list[str]:
    """How a program of PostgreSQL is run: not as root, which it refuses, and never outliving us."""
    versions = sorted(PROGRAMS.glob("*/bin"), key=lambda path: int(path.parent.name))
    as_postgres = ("--reuid=postgres", "--regid=postgres", "--clear-groups")
    return [
        "setpriv",
        "--pdeathsig=INT",
        *(as_postgres if os.geteuid() == 0 else ()),
        *("--", str(versions[-1] / program)),
        *map(str, arguments),
    ]
