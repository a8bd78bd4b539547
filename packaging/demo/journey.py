"""Follows each record hop by hop, by looking into the two databases that it passes through."""

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing, suppress
from pathlib import Path
from threading import Event, Thread
from typing import Final

from sqlalchemy import Engine, text

from sync_service.collector.tables import Opening
from sync_service.outbox.database import OutboxError, StoreKey, open_store, reading

_LOOK_S: Final = 0.2

Say = Callable[[str, str], None]


class Journey:
    """Says of every record where it has come to, as soon as it is seen there.

    ``store`` is the kiosk's, opened by the key in ``store_key``; ``database`` the collector's.
    ``say`` gets who has the record, and what became of it.
    """

    def __init__(self, store: Path, store_key: Path, database: Path, say: Say) -> None:
        self._store = store
        self._store_key = store_key
        self._database = database
        self._say = say
        self._said: set[tuple[int, str]] = set()
        self._recorded: set[int] = set()
        self._opened: set[int] = set()
        self._ended = Event()
        self._thread = Thread(target=self._follow, daemon=True)

    def start(self) -> None:
        """Begin to look."""
        self._thread.start()

    def stop(self) -> None:
        """Look a last time, and end."""
        self._ended.set()
        self._thread.join()

    def wait_for_all(self, count: int, timeout_s: float) -> bool:
        """Wait until ``count`` records were made and all that were made are opened."""
        for _ in range(int(timeout_s / _LOOK_S)):
            if len(self._recorded) >= count and self._opened >= self._recorded:
                return True
            self._ended.wait(_LOOK_S)
        return False

    def _follow(self) -> None:
        engine = open_store(self._store, StoreKey.read(self._store_key))
        try:
            ended = False
            while not ended:
                ended = self._ended.wait(_LOOK_S)
                self._look(engine)
        finally:
            engine.dispose()

    def _look(self, engine: Engine) -> None:
        kept = self._in_outbox(engine)
        opened = dict(self._at_collector())
        for seq, (length, state) in kept.items():
            self._recorded.add(seq)
            self._tell(seq, "outbox", f"sealed, {length} bytes, committed")
            if seq in opened:
                self._tell(seq, "collector", "taken in, still sealed")
            if state == "delivered":
                self._tell(seq, "agent", "settled by a signed receipt")
            if opened.get(seq, Opening.WAITING) is not Opening.WAITING:
                self._opened.add(seq)
                self._tell(seq, "opener", opened[seq].name.lower())

    def _tell(self, seq: int, who: str, what: str) -> None:
        if (seq, who) not in self._said:
            self._said.add((seq, who))
            self._say(who, f"record {seq}: {what}")

    def _in_outbox(self, engine: Engine) -> dict[int, tuple[int, str]]:
        with suppress(OutboxError), reading(engine) as connection:
            rows = connection.execute(text("SELECT seq, length(sealed), state FROM record"))
            return {seq: (length, state) for seq, length, state in rows}
        return {}

    def _at_collector(self) -> Iterator[tuple[int, Opening]]:
        # Read-only, and without the collector's own code: only to see what is there.
        with (
            suppress(sqlite3.OperationalError),
            closing(sqlite3.connect(f"{self._database.as_uri()}?mode=ro", uri=True)) as database,
        ):
            for seq, opening in database.execute("SELECT seq, opening FROM record"):
                yield seq, Opening(opening)
