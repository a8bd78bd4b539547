"""The writer: the one thread that seals and stores. A card's fsync can take seconds; it waits."""

import logging
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from concurrent.futures import TimeoutError as FutureTimeoutError
from dataclasses import dataclass
from datetime import date
from functools import partial
from queue import Empty, SimpleQueue
from typing import Protocol, TypeAlias

from kiosk_app.days import put_days, seal
from kiosk_app.door import Door
from kiosk_app.error import KioskError, NotAskableError
from kiosk_app.in_force import InForce
from sync_service.contract.publication import Publication
from sync_service.contract.record import Response, Verdict
from sync_service.outbox.clock import Clock
from sync_service.outbox.database import DamagedStoreError, OutboxError
from sync_service.outbox.outbox import Outbox
from sync_service.outbox.state import DayCount, Held, State

log = logging.getLogger(__name__)


class UnsavedError(KioskError):
    """The kiosk had to stop while the store took nothing: something is lost. Look at the store."""


class Listener(Protocol):
    """Who is told how the writer fares, on the main thread: the kiosk."""

    def recorded(self, now: float) -> None:
        """The response is committed."""

    def record_failed(self, now: float) -> None:
        """The response could not be committed yet."""

    def out_of_service(self, now: float) -> None:
        """The store takes nothing at present."""

    def in_service(self, now: float) -> None:
        """The store takes what it is given."""

    def publish(self, in_force: InForce, now: float) -> None:
        """Something new is in force."""

    def retire(self, left: int | None, now: float) -> None:
        """The kiosk is being retired, with so much left to deliver; `None`: no longer."""


@dataclass(frozen=True, slots=True)
class Store:
    """An open store, by its two sides, and how to close it."""

    outbox: Outbox
    state: State
    close: Callable[[], None]


@dataclass(frozen=True, slots=True)
class Pace:
    """How often the writer looks for publications, and tries again what failed, in seconds."""

    poll_s: float = 5.0
    retry_s: float = 2.0


@dataclass(slots=True)
class _Entry:
    """A record on its way into the store: sealed once for a log, and offered until it is in.

    ``told``: nobody waits, or no longer, to be told that it is not in yet.
    """

    record: Response | Verdict
    log_id: bytes = b""
    sealed: bytes = b""
    told: bool = False


_Count: TypeAlias = Callable[[State, int], None]
"""Counts something under the assignment of that serial."""


class Writer:
    """Writes responses, verdicts, counts and day records, and watches for publications.

    ``open_store`` opens a sound store under the kiosk's stamp; it is called on the writer's
    thread, and again until it succeeds, once a day, and when the store is found damaged.
    ``put_in_force`` puts together what the centre published, or says why it can't be asked here;
    ``timezone`` is the site's by the stamp. Everything that it tells its listener goes through the
    door. Of what becomes of a verdict it tells nothing: whoever gave it was thanked for it and has
    left.
    """

    def __init__(
        self,
        open_store: Callable[[], Store],
        clock: Clock,
        door: Door,
        *,
        timezone: str,
        put_in_force: Callable[[Publication, Publication, Publication | None], InForce],
        pace: Pace,
    ) -> None:
        self._open_store = open_store
        self._clock = clock
        self._door = door
        self._timezone = timezone
        self._put_in_force = put_in_force
        self._pace = pace
        self._inbox: SimpleQueue[_Entry | _Count | None] = SimpleQueue()
        self._entries: deque[_Entry] = deque()
        self._counts: deque[_Count] = deque()
        self._store: Store | None = None
        self._revision: int | None = None
        self._held: Held | None = None
        self._left: int | None = None
        self._opened_on: date | None = None
        self._finished_on: date | None = None
        self._well: bool | None = None
        self._taken = 0
        self._stored = 0
        self._closing = False
        self._given_up = False
        self._listener: Listener
        self._ended: Future[None]

    # On the main thread

    def start(self, listener: Listener) -> None:
        """Begin to write. If the writer ever dies of a bug, the main thread gets its error."""
        self._listener = listener
        threads = ThreadPoolExecutor(max_workers=1, thread_name_prefix="writer")
        self._ended = threads.submit(self._run)
        self._ended.add_done_callback(lambda ended: self._door.post(lambda now: ended.result()))
        threads.shutdown(wait=False)

    def record(self, record: Response | Verdict) -> None:
        """Take a response or a verdict to be sealed and stored."""
        self._taken += 1
        self._inbox.put(_Entry(record, told=isinstance(record, Verdict)))

    def count_session(self) -> None:
        """Count a session begun."""
        moment = self._clock.moment(self._timezone)
        day, sure = moment.day, moment.clock_synced
        self._inbox.put(lambda state, serial: state.count_session(day, serial, sure=sure))

    def count_minute(self, available: bool, *, watched: bool = False) -> None:
        """Count a minute in which the kiosk could be answered, or was out of service.

        ``watched``: it would have been noticed if somebody had come near.
        """
        minutes = (1, 0) if available else (0, 1)
        moment, seen = self._clock.moment(self._timezone), self._clock.seen()
        day, sure, approaches = moment.day, moment.clock_synced, 0 if watched else None
        self._inbox.put(
            lambda state, serial: state.count_minutes(
                DayCount(day, serial, *minutes, 0, approaches, sure), seen
            )
        )

    def count_approach(self) -> None:
        """Count that someone came near."""
        moment = self._clock.moment(self._timezone)
        day, sure = moment.day, moment.clock_synced
        self._inbox.put(lambda state, serial: state.count_approach(day, serial, sure=sure))

    def note_troubles(self, troubles: tuple[str, ...]) -> None:
        """Keep what is wrong around the screen, for the agent to tell."""
        self._inbox.put(lambda state, serial: state.note_troubles(troubles))

    def close(self, timeout_s: float) -> None:
        """Store what is still to be stored, and end.

        Raises:
            UnsavedError: the store took a record neither at once nor within the time.
        """
        self._inbox.put(None)
        try:
            self._ended.result(timeout_s)
        except FutureTimeoutError:
            self._given_up = True
        if self._stored < self._taken:
            raise UnsavedError("a record could not be stored before the kiosk had to stop")

    # On the writer's thread

    def _run(self) -> None:
        while True:
            self._take_in()
            try:
                self._work()
            except OutboxError as error:
                self._fail(error)
            else:
                self._recover()
            if self._closing and (self._given_up or not self._entries):
                break
        self._close_store()

    def _take_in(self) -> None:
        """Wait for something to do, and take all there is."""
        pause_s = {None: 0.0, True: self._pace.poll_s, False: self._pace.retry_s}[self._well]
        try:
            job = self._inbox.get(timeout=pause_s)
            while True:
                match job:
                    case _Entry():
                        self._entries.append(job)
                    case None:
                        self._closing = True
                    case count:
                        self._counts.append(count)
                job = self._inbox.get_nowait()
        except Empty:
            return

    def _work(self) -> None:
        """Do all there is to do; what fails stays first, to be tried again.

        Raises:
            OutboxError: the store does not take it at present.
        """
        if self._opened_on != self._today():
            self._close_store()
        if self._store is None:
            self._store, self._opened_on = self._open_store(), self._today()
        self._clock.heed(self._store.state.times())
        held = self._publications(self._store.state)
        while self._entries:
            entry = self._entries[0]
            self._put(entry, self._store.outbox, held)
            self._entries.popleft()
            self._stored += 1
            if isinstance(entry.record, Response):
                self._door.post(self._listener.recorded)
        while self._counts:
            self._counts[0](self._store.state, held.assignment.serial)
            self._counts.popleft()
        self._finish_days(self._store, held)
        self._tell_of_retiring(self._store)

    def _publications(self, state: State) -> Held:
        """What the store holds; the listener is told of what is new in it."""
        revision = state.revision()
        if self._held is not None and revision == self._revision:
            return self._held
        held = state.publications()
        self._held, self._revision = held, revision
        try:
            in_force = self._put_in_force(held.questionnaire, held.assignment, held.replies)
        except NotAskableError as error:
            log.warning("publications not asked", extra={"reason": str(error)})
        else:
            self._timezone = in_force.assignment.timezone
            self._door.post(partial(self._listener.publish, in_force))
        return held

    def _put(self, entry: _Entry, outbox: Outbox, held: Held) -> None:
        # What may be in the store already is never sealed for a log that was begun since.
        log_id = outbox.log_id if entry.sealed else outbox.next_log()
        if entry.log_id != log_id:
            entry.sealed = seal(entry.record, held, log_id)
            entry.log_id = log_id
        outbox.put(entry.sealed, entry.record.moment.half_day)

    def _finish_days(self, store: Store, held: Held) -> None:
        """Put the records of the days that are over."""
        today = self._today()
        if today == self._finished_on:
            return
        put_days(store.state.finished_days(today), store.outbox, held, self._clock)
        self._finished_on = today

    def _tell_of_retiring(self, store: Store) -> None:
        """Tell the listener if the kiosk is being retired, and how much is left to deliver."""
        left = store.outbox.undelivered().number if store.state.retiring else None
        if left != self._left:
            self._left = left
            self._door.post(partial(self._listener.retire, left))

    def _close_store(self) -> None:
        if self._store is not None:
            self._store.close()
            self._store = None

    def _fail(self, error: OutboxError) -> None:
        if isinstance(error, DamagedStoreError):
            self._close_store()
            self._held = None  # another store may hold others
        for entry in self._entries:
            if not entry.told:
                entry.told = True
                self._door.post(self._listener.record_failed)
        if self._well is not False:
            self._well = False
            log.error(
                "out of service", extra={"reason": type(error).__name__, "detail": str(error)}
            )
            self._door.post(self._listener.out_of_service)

    def _recover(self) -> None:
        if self._well is not True:
            self._well = True
            log.info("in service")
            self._door.post(self._listener.in_service)

    def _today(self) -> date:
        return self._clock.moment(self._timezone).day
