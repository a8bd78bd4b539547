"""A herd: kiosks that lost their collector, and come back to it all at once.

Each is the agent itself, with its batches, waits, patience and distrust, on a real connection of
its own. What is simulated is the machine: its store is in memory, and thousands share a thread,
each in a greenlet that is left wherever the agent would wait.

Ten thousand machines can connect at once, and one that is all of them can't: it would be late for
its own deadlines. So they connect as fast as it can do it promptly, and what a kiosk waits for
that is not counted as the collector's.
"""

import asyncio
import ssl
import time
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field
from datetime import date
from http import HTTPStatus
from itertools import pairwise
from random import Random, SystemRandom

import httpx
from respondents import response
from sqlalchemy.util import await_only, greenlet_spawn

from sync_service.agent.agent import Agent
from sync_service.agent.client import Collector
from sync_service.agent.config import AgentSettings
from sync_service.contract.chain import Head, first_link, links
from sync_service.contract.publication import PublicationKind
from sync_service.contract.record import day_of, encode_record
from sync_service.contract.sealing import LOG_ID_LENGTH, SealingKey
from sync_service.contract.signing import SigningKey, VerifyingKey
from sync_service.contract.wire import Recorded, Standing
from sync_service.outbox.clock import Clock, Times, Told
from sync_service.outbox.outbox import Extent, Run

A_DAY = range(40, 61)
"""How many records a kiosk holds. Most sites hear fewer than ten people a day; these are the
busiest, so that a herd is never easier than one in the field. It still goes into one batch."""

CONNECTING = 32
"""How many connect and shake hands at a time."""

_LOAD = frozenset(
    {
        HTTPStatus.REQUEST_TIMEOUT,
        HTTPStatus.TOO_MANY_REQUESTS,
        HTTPStatus.SERVICE_UNAVAILABLE,
        HTTPStatus.GATEWAY_TIMEOUT,
    }
)
_CONNECTED = frozenset(
    {
        "connection.connect_tcp.failed",
        "connection.start_tls.complete",
        "connection.start_tls.failed",
    }
)


@dataclass(frozen=True)
class Day:
    """A log of a day's records, sealed and chained."""

    log_id: bytes
    half_day: int
    sealed: Sequence[bytes]

    @property
    def links(self) -> list[bytes]:
        """The link before each record, and the last record's own."""
        first = first_link(self.log_id)
        return [first, *links(first, 1, self.sealed)]


def seal_day(public: bytes, half_day: int, seed: int) -> Day:
    """What one kiosk heard in a half-day."""
    random, key = Random(seed), SealingKey(public)
    log_id = random.randbytes(LOG_ID_LENGTH)
    heard = [response(random, half_day) for _ in range(random.choice(A_DAY))]
    return Day(log_id, half_day, [key.seal(encode_record(each), log_id) for each in heard])


def seal_days(public: bytes, half_day: int, kiosks: int) -> list[Day]:
    """A day for each of that many kiosks."""
    every = ([public] * kiosks, [half_day] * kiosks, range(kiosks))
    with ProcessPoolExecutor() as pool:
        return list(pool.map(seal_day, *every, chunksize=20))


class Backlog:
    """A kiosk's outbox, in memory: a log of one day, none of it delivered yet."""

    def __init__(self, day: Day) -> None:
        self._day = day
        self._links = day.links
        self._waiting = dict(enumerate(day.sealed, start=1))
        self._settled_seq = 0
        self.acknowledged: dict[int, bytes] = {}
        self.refused = 0

    @property
    def depth(self) -> int:
        """How many records wait."""
        return len(self._waiting)

    def next_run(self, limit: int, max_length: int, hold: int | None) -> Run | None:
        """As `Outbox.next_run`; the half-day is over, so nothing is held back."""
        due = sorted(self._waiting)[:limit]
        if not due:
            return None
        gap = next(
            (at for at, (one, other) in enumerate(pairwise(due), 1) if other > one + 1), None
        )
        due = due[:gap]
        while len(due) > 1 and sum(len(self._waiting[seq]) for seq in due) > max_length:
            due.pop()
        sealed = tuple(self._waiting[seq] for seq in due)
        return Run(self._day.log_id, due[0], self._links[due[0] - 1], sealed)

    def settle(
        self, log_id: bytes, first_seq: int, outcomes: Sequence[Recorded], day: date
    ) -> None:
        """As `Outbox.settle`."""
        for seq, outcome in enumerate(outcomes, start=first_seq):
            sealed = self._waiting.pop(seq)
            if outcome.held:
                self.acknowledged[seq] = sealed
            else:
                self.refused += 1
        self._settled_seq = max(self._settled_seq, first_seq + len(outcomes) - 1)

    def offer_again(self, log_id: bytes, first_seq: int, last_seq: int) -> int:
        """As `Outbox.offer_again`."""
        again = range(first_seq, last_seq + 1)
        self._waiting |= {seq: self._day.sealed[seq - 1] for seq in again}
        return len(again)

    def purge(self, before: date) -> int:
        """As `Outbox.purge`; nothing is old enough."""
        return 0

    def extent(self, hold: int | None = None) -> Extent:
        """As `Outbox.extent`."""
        return Extent(
            log_id=self._day.log_id,
            head=Head(len(self._day.sealed), self._links[-1]),
            settled_seq=self._settled_seq,
            oldest_held_seq=1,
            depth=self.depth,
            oldest_waiting=day_of(self._day.half_day) if self._waiting else None,
        )

    def former_extents(self, hold: int | None = None) -> list[Extent]:
        """As `Outbox.former_extents`; there is one log."""
        return []


@dataclass
class Memory:
    """A kiosk's state and identity: what it holds of publications, and who it is."""

    signing_key: SigningKey
    publications: dict[PublicationKind, int]
    standing: Standing = Standing.ENROLLED
    last_error: str | None = None
    troubles: tuple[str, ...] = ()
    retiring: bool = False
    last_contact: date | None = None

    @property
    def kiosk_id(self) -> bytes:
        """The bytes by which the collector knows this kiosk."""
        return self.signing_key.verifying_key.kiosk_id

    def serials(self) -> dict[PublicationKind, int]:
        """The serial held of each kind."""
        return self.publications

    def note_standing(self, standing: Standing) -> None:
        """Keep what the collector says the kiosk is."""
        self.standing = standing

    def note_error(self, code: str | None) -> None:
        """Keep what went wrong."""
        self.last_error = code

    def note_contact(self, day: date) -> None:
        """Keep when all went well."""
        self.last_contact = day

    def times(self) -> Times:
        """What is known of the time: its clock needs no help."""
        return Times()

    def note_signed_time(self, told: Told) -> None:
        """Keep nothing of it."""


@dataclass(frozen=True)
class Stamp:
    """What an enrolled kiosk's agent still needs of its stamp."""

    stamp_id: bytes


@dataclass(frozen=True)
class Gate:
    """Where the herd comes to: a collector's address, the name that its certificate is for, trust
    in it, and what the kiosks hold of it.
    """

    address: str
    name: str
    trust: ssl.SSLContext
    receipt_key: VerifyingKey
    stamp_id: bytes
    publications: dict[PublicationKind, int]


@dataclass
class Tally:
    """What the herd's requests came to: how long each took, in seconds, and how each ended."""

    took_s: list[float] = field(default_factory=list)
    ends: Counter[str] = field(default_factory=Counter)
    wasted: int = 0

    def note(self, took_s: float, end: str, *, wasted: bool) -> None:
        """Count a request; ``wasted`` if it was refused for load, timed out or was cut off."""
        self.took_s.append(took_s)
        self.ends[end] += 1
        self.wasted += wasted


class Machine:
    """The one that is the machine of every kiosk, and connects so many of them at a time."""

    def __init__(self) -> None:
        self._free = asyncio.Semaphore(CONNECTING)

    async def lend(self) -> float:
        """Wait until it is free for a connection to be made; how long that took, in seconds."""
        begun = time.perf_counter()
        await self._free.acquire()
        return time.perf_counter() - begun

    def take_back(self) -> None:
        """Have it free for another."""
        self._free.release()


class Line(httpx.BaseTransport):
    """A kiosk's connection: httpx's asynchronous one, for code that knows of no other threads."""

    def __init__(self, gate: Gate, tally: Tally, machine: Machine) -> None:
        self._line = httpx.AsyncHTTPTransport(verify=gate.trust)
        self._name = gate.name
        self._tally = tally
        self._machine = machine
        self._not_counted_s = 0.0

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """Send a request, and leave the greenlet until its reply is there."""
        begun, self._not_counted_s = time.perf_counter(), 0.0
        try:
            reply = await_only(self._exchange(request))
        except httpx.TransportError as error:
            self._note(begun, type(error).__name__, wasted=True)
            raise
        self._note(begun, str(reply.status_code), wasted=reply.status_code in _LOAD)
        return reply

    def close(self) -> None:
        """Hang up."""
        await_only(self._line.aclose())

    async def _exchange(self, request: httpx.Request) -> httpx.Response:
        request.extensions |= {"sni_hostname": self._name, "trace": self._connect_in_turn}
        reply = await self._line.handle_async_request(request)
        content = httpx.ByteStream(await reply.aread())
        return httpx.Response(reply.status_code, headers=reply.headers, stream=content)

    async def _connect_in_turn(self, event: str, _: object) -> None:
        """What httpcore calls at each step of an exchange."""
        if event == "connection.connect_tcp.started":
            self._not_counted_s = await self._machine.lend()
        elif event in _CONNECTED:
            self._machine.take_back()

    def _note(self, begun: float, end: str, *, wasted: bool) -> None:
        took_s = time.perf_counter() - begun - self._not_counted_s
        self._tally.note(took_s, end, wasted=wasted)


class LinedCollector(Collector):
    """The agent's own collector, at the end of a `Line`."""

    def __init__(self, gate: Gate, signing_key: SigningKey, line: Line, timeout_s: float) -> None:
        self._line = line
        super().__init__(
            gate.address,
            b"",  # the line brings its trust, one for the whole herd
            signing_key=signing_key,
            believe=gate.receipt_key.verify,
            clock=Clock(error_s=lambda: 0.0),
            software="regard/herd",
            timeout_s=timeout_s,
        )

    def _connect(self) -> httpx.Client:
        return httpx.Client(
            base_url=self._address, transport=self._line, timeout=self._timeout_s, trust_env=False
        )


class Kiosk:
    """One kiosk of a herd, back with its backlog."""

    def __init__(self, private: bytes, day: Day, gate: Gate) -> None:
        self.log_id = day.log_id
        self.backlog = Backlog(day)
        self.waited_s = 0.0
        self._memory = Memory(SigningKey(private), gate.publications)
        self._gate = gate

    async def come_back(self, tally: Tally, machine: Machine) -> None:
        """Deliver all that waits, as the agent does."""
        await greenlet_spawn(self._run, tally, machine)

    def _run(self, tally: Tally, machine: Machine) -> None:
        settings = AgentSettings(data="memory", stamp="memory", hold_half_day=False)
        line = Line(self._gate, tally, machine)
        signing_key = self._memory.signing_key
        with LinedCollector(self._gate, signing_key, line, settings.timeout_s) as collector:
            Agent(
                settings,
                stamp=Stamp(self._gate.stamp_id),
                software="regard/herd",
                outbox=self.backlog,
                state=self._memory,
                identity=self._memory,
                clock=Clock(error_s=lambda: 0.0),
                collector=collector,
                random=SystemRandom(),
                wait=self._wait,
            ).run()

    def _wait(self, seconds: float) -> bool:
        """The agent's pause; it is told to stop once nothing waits."""
        if self.backlog.depth and seconds:
            self.waited_s += seconds
            await_only(asyncio.sleep(seconds))
        return not self.backlog.depth


@dataclass(frozen=True)
class Drain:
    """How a herd got rid of what it held."""

    kiosks: Sequence[Kiosk]
    tally: Tally
    took_s: float

    @property
    def left(self) -> int:
        """How many records still wait, or were refused."""
        return sum(each.backlog.depth + each.backlog.refused for each in self.kiosks)

    @property
    def longest_waited_s(self) -> float:
        """The most that one kiosk spent between its tries."""
        return max(each.waited_s for each in self.kiosks)


async def stampede(
    privates: Sequence[bytes], days: Sequence[Day], gate: Gate, within_s: float
) -> Drain:
    """Let all come back at once, until nothing waits any more, or the time is over."""
    kiosks = [Kiosk(private, day, gate) for private, day in zip(privates, days, strict=True)]
    tally, machine = Tally(), Machine()
    begun = time.perf_counter()
    coming = []
    for each in kiosks:
        coming.append(asyncio.create_task(each.come_back(tally, machine)))
        await asyncio.sleep(0)  # those that have come go on meanwhile
    done, late = await asyncio.wait(coming, timeout=within_s)
    took_s = time.perf_counter() - begun
    for each in late:
        each.cancel()
    await asyncio.gather(*late, return_exceptions=True)
    for each in done:
        each.result()  # what broke a kiosk is a bug of this rig
    return Drain(kiosks, tally, took_s)
