"""Taking batches in over HTTP, on PostgreSQL and on SQLite, against COPY of the same rows.

Batches are sealed and signed before the clock starts, and opening is paused; it is measured after,
by itself. Both databases wait for the disk.

Opening is told in four figures, all of records a second. ``opening_per_s``: of one opener, by the
clock on the wall and with all its waiting for the database; the slower of the two databases.
``opening_..._per_cpu_s``: of the processor time of the opener's process, which holds what SQLite
does, and not what PostgreSQL does. ``unseal_and_decode_per_s``: seals opened and records decoded,
in memory. ``unsealing_per_s``: seals opened and no more, which no code of ours can make faster.
"""

import asyncio
import http.client
import statistics
import time
from argparse import ArgumentParser
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from random import Random

from collectors import Served, copy_centre, enrol, make_centre
from measuring import folder, median_ratio, say, take_turns, tell
from postgresql import Cluster
from respondents import response
from sqlalchemy import func, select

from sync_service.collector import tables
from sync_service.collector.config import Centre
from sync_service.collector.database import open_engine, reading
from sync_service.collector.keyring import Keyring, Signs
from sync_service.collector.opening import Opener
from sync_service.collector.tables import Opening
from sync_service.contract.chain import first_link
from sync_service.contract.record import decode_record, encode_record
from sync_service.contract.sealing import LOG_ID_LENGTH, SealingKey
from sync_service.contract.signing import Context, Envelope, SigningKey
from sync_service.contract.wire import (
    BATCHES_PATH,
    MAX_BATCH_RECORDS,
    MEDIA_TYPE,
    Batch,
    Receipt,
    Recorded,
    new_nonce,
)

KIOSKS = 8
CONNECTIONS = 4
ROUNDS = 9
COPIED = """
    CREATE TABLE copied (
        log_id bytea, branch integer, seq bigint, previous bytea NOT NULL, sealed bytea,
        digest bytea, received_at bigint NOT NULL, outcome smallint NOT NULL,
        opening smallint NOT NULL, PRIMARY KEY (log_id, branch, seq)
    )
"""


@dataclass(frozen=True)
class SignedBatch:
    """A batch as it is sent, and what it is made of."""

    body: bytes
    batch: Batch


def rows_of(
    log_id: bytes, first_seq: int, befores: Iterable[bytes], sealed: Sequence[bytes]
) -> Iterator[tuple[object, ...]]:
    """What intake writes of consecutive records, given the link before each, and after the last."""
    settled = (None, 1_770_000_000, int(Recorded.ACCEPTED), int(Opening.WAITING))
    for seq, (before, each) in enumerate(zip(befores, sealed, strict=False), first_seq):
        yield log_id, 0, seq, before, each, *settled


Round = Sequence[Sequence[SignedBatch]]
"""What is delivered at a time: some batches of each kiosk."""


def seal_log(public: bytes, private: bytes, batches: int, seed: int) -> list[SignedBatch]:
    """A kiosk's log of that many full batches, sealed and signed."""
    sealing_key, signing_key = SealingKey(public), SigningKey(private)
    random = Random(seed)
    encoded = [encode_record(response(random)) for _ in range(MAX_BATCH_RECORDS)]
    log_id = random.randbytes(LOG_ID_LENGTH)
    previous = first_link(log_id)
    made = []
    for number in range(batches):
        batch = Batch(
            kiosk_id=signing_key.verifying_key.kiosk_id,
            log_id=log_id,
            first_seq=1 + number * MAX_BATCH_RECORDS,
            previous=previous,
            sealed=tuple(sealing_key.seal(plain, log_id) for plain in encoded),
            nonce=new_nonce(),
        )
        previous = batch.links[-1]
        made.append(SignedBatch(signing_key.sign(Context.BATCH, batch.encode()), batch))
    return made


def seal_rounds(
    centre: Centre, privates: Sequence[bytes], rounds: int, records: int
) -> list[Round]:
    """All that is delivered, round by round."""
    [opening_key] = Keyring(centre.keys).opening_keys()
    each = records // (rounds * len(privates) * MAX_BATCH_RECORDS)
    with ProcessPoolExecutor() as pool:
        logs = pool.map(
            seal_log,
            [opening_key.sealing_key.public] * len(privates),
            privates,
            [each * rounds] * len(privates),
            range(len(privates)),
        )
        logs = list(logs)
    return [[log[start : start + each] for log in logs] for start in range(0, each * rounds, each)]


class Kiosks:
    """Delivers rounds to a collector, over several connections at a time."""

    def __init__(self, centre: Centre, port: int, rounds: Sequence[Round]) -> None:
        self._port = port
        self._rounds = iter(rounds)
        self._receipt_key = Keyring(centre.keys).signing_keys(Signs.RECEIPTS)[0].verifying_key
        self._replied: list[tuple[SignedBatch, bytes]] = []

    def deliver(self) -> None:
        """Deliver the next round."""
        logs = next(self._rounds)
        with ThreadPoolExecutor(CONNECTIONS) as threads:
            shares = [logs[number::CONNECTIONS] for number in range(CONNECTIONS)]
            for replied in threads.map(self._deliver, shares):
                self._replied += replied

    def check(self) -> None:
        """See that every record delivered got a good receipt."""
        for signed, reply in self._replied:
            payload = self._receipt_key.verify(Envelope.unpack(reply), Context.RECEIPT)
            receipt = Receipt.decode(payload)
            assert receipt.answers(signed.batch)
            assert set(receipt.outcomes) == {Recorded.ACCEPTED}

    def _deliver(self, logs: Round) -> list[tuple[SignedBatch, bytes]]:
        replied = []
        connection = http.client.HTTPConnection("127.0.0.1", self._port)
        for batches in zip(*logs, strict=True):
            for signed in batches:
                headers = {"Content-Type": MEDIA_TYPE}
                connection.request("POST", BATCHES_PATH, signed.body, headers)
                reply = connection.getresponse()
                content = reply.read()
                assert reply.status == http.HTTPStatus.OK, content
                replied.append((signed, content))
        connection.close()
        return replied


class Copy:
    """Copies rounds into a table with a key and no more."""

    def __init__(self, cluster: Cluster, runner: asyncio.Runner, rounds: Sequence[Round]) -> None:
        self._runner = runner
        self._rounds = iter(rounds)
        self._connection = runner.run(cluster.connect())
        runner.run(self._connection.execute(COPIED))
        self._rows: list[tuple[object, ...]] = []

    def prepare(self) -> None:
        """Make the rows of the next round."""
        batches = [signed.batch for log in next(self._rounds) for signed in log]
        self._rows = [
            row
            for each in batches
            for row in rows_of(
                each.log_id, each.first_seq, (each.previous, *each.links), each.sealed
            )
        ]

    def copy(self) -> None:
        """Copy them."""
        self._runner.run(self._connection.copy_records_to_table("copied", records=self._rows))

    def close(self) -> None:
        self._runner.run(self._connection.close())


async def count_held(centre: Centre) -> int:
    """How many records a collector holds."""
    engine = open_engine(centre.database_url)
    async with reading(engine) as connection:
        held = await connection.scalar(select(func.count()).select_from(tables.record))
    await engine.dispose()
    return held or 0


@dataclass(frozen=True)
class Opened:
    """How fast an opener was: records a second, and a second of its processor time."""

    per_s: float
    per_cpu_s: float


async def open_for(centre: Centre, seconds: float) -> Opened:
    """Open what waits for some time."""
    keyring = Keyring(centre.keys)
    engine = open_engine(centre.database_url)
    opener = Opener(
        engine, keyring.opening_keys(), keyring.publishing_keys(), keyring.record_id_secret()
    )
    stop = asyncio.Event()
    asyncio.get_running_loop().call_later(seconds, stop.set)
    begun, begun_cpu = time.perf_counter(), time.process_time()
    counts = await opener.open_waiting(stop)
    took, took_cpu = time.perf_counter() - begun, time.process_time() - begun_cpu
    await engine.dispose()
    assert set(counts) == {Opening.OPENED}, counts
    return Opened(counts.total() / took, counts.total() / took_cpu)


def unseal_for(
    centre: Centre, logs: Round, seconds: float, then: Callable[[bytes], object] = bytes
) -> float:
    """How many records a second are unsealed, and what then is done with each."""
    [key] = Keyring(centre.keys).opening_keys()
    done = 0
    begun = time.perf_counter()
    while time.perf_counter() < begun + seconds:
        for [signed, *_] in logs:
            for sealed in signed.batch.sealed:
                then(key.open(sealed, signed.batch.log_id))
            done += len(signed.batch.sealed)
    return done / (time.perf_counter() - begun)


def main() -> None:
    parser = ArgumentParser(description=__doc__)
    parser.add_argument("--records", type=int, default=1_000_000, help="without it: %(default)s")
    parser.add_argument(
        "--opening-s", type=float, default=10, help="how long each opener runs: %(default)s"
    )
    args = parser.parse_args()
    least = (ROUNDS + 1) * KIOSKS * MAX_BATCH_RECORDS
    if args.records < least:
        parser.error(f"--records: {least} at least, a batch a round for each kiosk")

    with ExitStack() as stack:
        place = stack.enter_context(folder())
        runner = stack.enter_context(asyncio.Runner())
        cluster = stack.enter_context(Cluster.started(durable=True))
        sqlite = runner.run(make_centre(place / "sqlite"))
        privates = runner.run(enrol(sqlite, KIOSKS))
        url = cluster.url(cluster.create())
        postgresql = runner.run(copy_centre(sqlite, place / "postgresql", url))
        say(f"sealing {args.records} records")
        rounds = seal_rounds(sqlite, privates, ROUNDS + 1, args.records)
        each = sum(len(signed.batch.sealed) for log in rounds[0] for signed in log)

        copy = Copy(cluster, runner, rounds)
        stack.callback(copy.close)
        served = {
            "postgres": stack.enter_context(Served.by_command(postgresql)),
            "sqlite": stack.enter_context(Served.by_command(sqlite)),
        }
        kiosks = {
            name: Kiosks(sqlite, collector.port, rounds) for name, collector in served.items()
        }
        before = {name: collector.resident_mb for name, collector in served.items()}
        say(f"delivering {ROUNDS + 1} rounds of {each} records")
        took = take_turns(
            ROUNDS,
            {
                "prepare": copy.prepare,
                "copy": copy.copy,
                "postgres": kiosks["postgres"].deliver,
                "sqlite": kiosks["sqlite"].deliver,
            },
        )
        grown = {name: served[name].resident_mb - before[name] for name in served}
        for name, centre in (("postgres", postgresql), ("sqlite", sqlite)):
            kiosks[name].check()
            assert runner.run(count_held(centre)) == each * (ROUNDS + 1)

        say("opening")
        opened = {
            name: runner.run(open_for(centre, args.opening_s))
            for name, centre in (("postgres", postgresql), ("sqlite", sqlite))
        }
        unsealed = unseal_for(sqlite, rounds[0], 3)
        decoded = unseal_for(sqlite, rounds[0], 3, decode_record)

    slowest = min(each.per_s for each in opened.values())
    per_s = {name: each / statistics.median(took[name]) for name in took}
    tell(
        "intake",
        figures={
            "postgres_per_s": per_s["postgres"],
            "sqlite_per_s": per_s["sqlite"],
            "rss_growth_mb": max(grown.values()),
            "opening_per_s": slowest,
            "opening_postgres_per_s": opened["postgres"].per_s,
            "opening_postgres_per_cpu_s": opened["postgres"].per_cpu_s,
            "opening_sqlite_per_s": opened["sqlite"].per_s,
            "opening_sqlite_per_cpu_s": opened["sqlite"].per_cpu_s,
            "unseal_and_decode_per_s": decoded,
        },
        baselines={"copy_per_s": per_s["copy"], "unsealing_per_s": unsealed},
        ratios={
            "postgres_to_copy": median_ratio(took["copy"], took["postgres"]),
            "sqlite_to_copy": median_ratio(took["copy"], took["sqlite"]),
            "opening_to_unsealing": slowest / unsealed,
        },
    )


if __name__ == "__main__":
    main()
