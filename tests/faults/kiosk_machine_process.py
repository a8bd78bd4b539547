"""The processes of a kiosk's machine, ready to be started and to be killed all at once.

Run as ``kiosk_machine_process.py``, it starts what it is told to on stdin, a line of JSON each, as
a fork of its own, for that takes no time. What they tell goes to stdout, a line each. It is driven
by `kiosk_machine`.
"""

import json
import logging
import os
import signal
import sys
import time
from contextlib import suppress
from datetime import UTC, date, datetime, timedelta
from functools import partial
from pathlib import Path
from random import Random
from threading import Event

from sqlalchemy import Engine, event

from kiosk_app.door import Door
from kiosk_app.in_force import InForce
from kiosk_app.writer import Pace, Store, Writer
from sync_service.contract.record import Moment, Response, half_day_of
from sync_service.contract.wire import Recorded
from sync_service.outbox.clock import Clock
from sync_service.outbox.database import (
    MIGRATIONS,
    OutboxError,
    StoreKey,
    migrate,
    open_store,
)
from sync_service.outbox.outbox import Outbox
from sync_service.outbox.rekeying import rekey
from sync_service.outbox.renewal import open_or_renew
from sync_service.outbox.state import State
from sync_service.settings import read_stamp

COMMENT = 3
"""The code of the item whose answer is the response's number."""

CHECKPOINT_PAGES = 40
"""After so many pages in the -wal file they are written back: seldom enough, and often."""

TODAY = date(2026, 3, 16)
NOON = datetime(2026, 3, 16, 12, tzinfo=UTC)


def tell(*words: object) -> None:
    """Tell the test something, all of it or nothing."""
    os.write(sys.stdout.fileno(), (" ".join(map(str, words)) + "\n").encode())


def paced(engine: Engine, *, durable: bool = True) -> Engine:
    """A store as the product opens it, but for how often it writes back.

    One that is not ``durable`` is the control: SQLite's other setting, by which rows are lost.
    """

    @event.listens_for(engine, "checkout")
    def set_pace(connection, *_):
        connection.execute(f"PRAGMA wal_autocheckpoint = {CHECKPOINT_PAGES}")
        if not durable:
            connection.execute("PRAGMA synchronous = NORMAL")

    return engine


class Respondents:
    """Who stands before the kiosk: one after the other, as soon as the one before was thanked."""

    def __init__(self, writer: Writer, first: int) -> None:
        self._writer = writer
        self._number = first

    def respond(self) -> None:
        self._writer.record(
            Response(
                assignment=1,
                moment=Moment(half_day_of(NOON)),
                language="en",
                questionnaire=1,
                offered=(COMMENT,),
                answers={COMMENT: str(self._number)},
            )
        )

    def recorded(self, now: float) -> None:
        tell("recorded", self._number)
        self._number += 1
        self.respond()

    def record_failed(self, now: float) -> None:
        """They wait."""

    def out_of_service(self, now: float) -> None:
        tell("out-of-service")

    def in_service(self, now: float) -> None:
        tell("in-service")

    def publish(self, in_force: InForce, now: float) -> None:
        """They don't mind."""

    def retire(self, left: int | None, now: float) -> None:
        """Nobody wants that."""


def kiosk(store: str, key: str, stamp: str, first: int, *, durable: bool = True) -> None:
    """Record responses, numbered from ``first``, by the kiosk's own writer."""

    def open_shared_store() -> Store:
        path = Path(store)
        store_key = StoreKey(bytes.fromhex(key))
        sound = open_or_renew(path, store_key, path.with_name("identity"))
        engine = paced(sound, durable=durable)
        state = State(engine)
        state.begin(read_stamp(Path(stamp)))
        return Store(Outbox(engine), state, engine.dispose)

    door, came = Door(), Event()
    door.open(came.set)
    clock = Clock(now=lambda: NOON, error_s=lambda: 0.0)
    writer = Writer(
        open_shared_store,
        clock,
        door,
        timezone="Europe/London",
        put_in_force=partial(InForce.of, spoken=("en",)),
        pace=Pace(poll_s=1, retry_s=0.05),
    )
    respondents = Respondents(writer, first)
    writer.start(respondents)
    respondents.respond()
    while came.wait():
        came.clear()
        door.let_in(time.monotonic())


def agent(store: str, key: str, seed: int) -> None:
    """Settle what waits, and purge, as the agent does with what a collector has received."""
    random = Random(seed)
    with suppress(OutboxError):  # the disk has lost its power, and the machine is about to
        outbox = Outbox(paced(open_store(Path(store), StoreKey(bytes.fromhex(key)))))
        while True:
            run = outbox.next_run(random.randint(1, 8), 10**6, hold=None)
            if run is None:
                time.sleep(0.001)
                continue
            for seq, sealed in enumerate(run.sealed, start=run.first_seq):
                tell("received", seq, sealed.hex())
            outcomes = [Recorded.ACCEPTED] * len(run.sealed)
            outbox.settle(run.log_id, run.first_seq, outcomes, TODAY)
            tell("settled", run.first_seq, run.first_seq + len(run.sealed) - 1)
            if random.random() < 0.5:
                outbox.purge(TODAY + timedelta(days=1))


def renewer(store: str, key: str) -> None:
    """Open a damaged store as the kiosk does."""
    path = Path(store)
    with suppress(OutboxError):
        open_or_renew(path, StoreKey(bytes.fromhex(key)), path.with_name("identity")).dispose()
    tell("done")


def rekeyer(store: str, key: str, new_key: str) -> None:
    """Put a store and its identity under another key."""
    path = Path(store)
    keys = (StoreKey(bytes.fromhex(each)) for each in (key, new_key))
    with suppress(OutboxError):
        rekey(path, *keys, path.with_name("identity"))
    tell("done")


NEXT_VERSION = (
    "ALTER TABLE record ADD COLUMN note TEXT",
    "UPDATE record SET note = 'a word to each'",
    "CREATE INDEX record_note ON record (note)",
)


def migrator(store: str, key: str) -> None:
    """Bring a store to a version after the newest."""
    with suppress(OutboxError):
        engine = open_store(Path(store), StoreKey(bytes.fromhex(key)))
        migrate(engine, (*MIGRATIONS, NEXT_VERSION))
        engine.dispose()
    tell("done")


ROLES = {role.__name__: role for role in (kiosk, agent, renewer, migrator, rekeyer)}


def main() -> None:
    """Start what is told, until stdin ends."""
    logging.disable()  # a kiosk that has lost its disk complains
    started: list[int] = []
    for line in sys.stdin:
        match json.loads(line):
            case {"role": role, **arguments}:
                child = os.fork()
                if child == 0:
                    ROLES[role](**arguments)
                    return
                started.append(child)
            case "die":
                for child in started:
                    os.kill(child, signal.SIGKILL)
                    os.waitpid(child, 0)
                started.clear()
                tell("dead")


if __name__ == "__main__":
    main()
