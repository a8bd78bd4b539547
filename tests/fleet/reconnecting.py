"""A herd of kiosks with a day's backlog each, back at once to one collector on PostgreSQL.

Records are sealed and chained, and kiosks enrolled, before the clock starts. Then every kiosk
connects over TLS and delivers, as the agent does it. Afterwards the database is held against what
the kiosks got receipts for. The baseline is PostgreSQL's COPY of the same rows.

Ends with 1 if anything was lost or doubled, or some kiosk did not get rid of all in time.
"""

import asyncio
import logging
import resource
import ssl
import statistics
import sys
import time
from argparse import ArgumentParser
from collections import Counter
from collections.abc import Iterable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from collectors import Served, copy_centre, enrol, make_centre
from herd import Day, Drain, Gate, Kiosk, seal_days, stampede
from intake import COPIED, rows_of
from measuring import folder, say, tell
from postgresql import Cluster
from sqlalchemy import insert, select

from sync_service.collector import tables
from sync_service.collector.config import Centre, host_of
from sync_service.collector.database import open_engine, reading, writing
from sync_service.collector.fleet import Fleet
from sync_service.collector.keyring import Keyring, Signs
from sync_service.contract.chain import Head
from sync_service.contract.publication import PublicationKind
from sync_service.contract.record import half_day_of
from sync_service.contract.signing import Context, Envelope, SigningKey, generate_signing_key
from sync_service.contract.wire import Status, StatusReply, new_nonce

COPIES = 5
OTHER_FILES = 200
"""How many files this process needs besides a connection for each kiosk."""


@dataclass(frozen=True)
class Judgement:
    """What the database lacks of what was acknowledged, and what it has too much."""

    acknowledged: int
    lost: int
    doubled: int


@dataclass(frozen=True)
class Reconnection:
    """What a herd came to: how it drained, what it was beside a COPY, and what was found after."""

    drain: Drain
    judgement: Judgement
    copy_s: float
    peak_mb: float
    collector_cpu_s: float
    herd_cpu_s: float

    @property
    def good(self) -> bool:
        """Whether every record arrived, exactly once."""
        return not (self.judgement.lost or self.judgement.doubled or self.drain.left)


async def enrol_alike(centre: Centre, kiosks: int) -> list[bytes]:
    """The private keys of that many kiosks, put into the database as one more that enrolled.

    To stamp and enrol each by itself would take longer than all the rest.
    """
    await enrol(centre, 1)
    privates = [generate_signing_key() for _ in range(kiosks)]
    keys = [SigningKey(private).verifying_key for private in privates]
    ids = [{"kiosk_id": key.kiosk_id} for key in keys]
    engine = open_engine(centre.database_url)
    async with writing(engine) as connection:
        kiosk = (await connection.execute(select(tables.kiosk))).mappings().one()
        stamped = (await connection.execute(select(tables.stamped))).mappings().one()
        rows = [
            {**kiosk, **own, "public_key": key.public} for own, key in zip(ids, keys, strict=True)
        ]
        await connection.execute(insert(tables.kiosk), rows)
        await connection.execute(insert(tables.stamped), [{**stamped, **own} for own in ids])
    await engine.dispose()
    return privates


async def open_gate(centre: Centre, address: str, private: bytes, day: Day) -> Gate:
    """What kiosks have to know of a collector, and hold, when they come back to it."""
    engine = open_engine(centre.database_url)
    async with reading(engine) as connection:
        stamp_id = (await connection.scalars(select(tables.kiosk.c.stamp_id))).first()
    assert stamp_id is not None
    [key] = Keyring(centre.keys).signing_keys(Signs.RECEIPTS)
    publications = await _offered(Fleet(engine, key), key, SigningKey(private), stamp_id, day)
    await engine.dispose()
    trust = ssl.create_default_context(cafile=centre.authority)
    name = host_of(centre.settings.address)
    return Gate(address, name, trust, key.verifying_key, stamp_id, publications)


async def _offered(
    fleet: Fleet, receipt_key: SigningKey, signing_key: SigningKey, stamp_id: bytes, day: Day
) -> dict[PublicationKind, int]:
    """The serials that a kiosk holds which has taken all that it was ever offered."""
    status = Status(
        kiosk_id=signing_key.verifying_key.kiosk_id,
        nonce=new_nonce(),
        log_id=day.log_id,
        head=Head(0, day.links[0]),
        settled_seq=0,
        oldest_held_seq=0,
        depth=0,
        oldest_waiting=None,
        software="regard/herd",
        clock_synced=True,
        clock_at=int(time.time()),
        uptime_h=0,
        last_error=None,
        publications={},
        stamp_id=stamp_id,
    )
    said = await fleet.hear(signing_key.sign(Context.STATUS, status.encode()), int(time.time()))
    payload = receipt_key.verifying_key.verify(Envelope.unpack(said), Context.STATUS_REPLY)
    return {offer.kind: offer.serial for offer in StatusReply.decode(payload).offers}


async def judge(centre: Centre, kiosks: Iterable[Kiosk]) -> Judgement:
    """Hold what a collector has against what kiosks got receipts for.

    A record is lost if it does not stand at its place with its own bytes. Doubled is whatever else
    stands there: the same once more, on another branch or at another place, or one of nobody's.
    """
    record = tables.record.c
    engine = open_engine(centre.database_url)
    async with reading(engine) as connection:
        rows = await connection.execute(select(record.log_id, record.seq, record.sealed))
        held = Counter((log_id, seq, sealed) for log_id, seq, sealed in rows)
    await engine.dispose()
    acknowledged = {
        (each.log_id, seq, sealed)
        for each in kiosks
        for seq, sealed in each.backlog.acknowledged.items()
    }
    return Judgement(
        acknowledged=len(acknowledged),
        lost=len(acknowledged - held.keys()),
        doubled=held.total() - len(acknowledged & held.keys()),
    )


async def copy_s(cluster: Cluster, days: Sequence[Day]) -> float:
    """How long COPY takes for the rows that come of these days, in seconds: the median of some."""
    rows = [row for day in days for row in rows_of(day.log_id, 1, day.links, day.sealed)]
    connection = await cluster.connect()
    took = []
    for _ in range(COPIES):
        await connection.execute(COPIED)
        begun = time.perf_counter()
        await connection.copy_records_to_table("copied", records=rows)
        took.append(time.perf_counter() - begun)
        await connection.execute("DROP TABLE copied")
    await connection.close()
    return statistics.median(took)


def allow_connections(kiosks: int) -> None:
    """Let this process hold a connection for each kiosk.

    Raises:
        ValueError: the system does not let it.
    """
    most = kiosks + OTHER_FILES
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if resource.RLIM_INFINITY != hard < most:
        raise ValueError(f"{kiosks} kiosks need {most} open files: raise `ulimit -Hn` to that")
    if resource.RLIM_INFINITY != soft < most:
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, hard))


class Rig:
    """A collector on a PostgreSQL of its own, and kiosks that may deliver to it."""

    def __init__(self, place: Path, cluster: Cluster, kiosks: int) -> None:
        allow_connections(kiosks)
        self._cluster = cluster
        self._runner = asyncio.Runner()
        say(f"enrolling {kiosks} kiosks and sealing a day of each")
        made = self._runner.run(make_centre(place / "made", tls=True))
        url = cluster.url(cluster.create())
        self.centre = self._runner.run(copy_centre(made, place / "centre", url))
        self._privates = self._runner.run(enrol_alike(self.centre, kiosks))
        [opening_key] = Keyring(self.centre.keys).opening_keys()
        yesterday = half_day_of(datetime.now(UTC)) - 2
        self._days = seal_days(opening_key.sealing_key.public, yesterday, kiosks)

    def reconnect(self, within_s: float) -> Reconnection:
        """Let all come back at once, and see what came of it."""
        with Served.by_command(self.centre) as served:
            opening = open_gate(self.centre, served.address, self._privates[0], self._days[0])
            gate = self._runner.run(opening)
            say(f"{sum(len(day.sealed) for day in self._days)} records wait; all come back")
            collector_before, herd_before = served.cpu_s, time.process_time()
            drain = self._runner.run(stampede(self._privates, self._days, gate, within_s))
            herd_cpu_s = time.process_time() - herd_before
            collector_cpu_s = served.cpu_s - collector_before
            peak_mb = served.peak_mb
        return Reconnection(
            drain=drain,
            judgement=self.judge(drain),
            copy_s=self._runner.run(copy_s(self._cluster, self._days)),
            peak_mb=peak_mb,
            collector_cpu_s=collector_cpu_s,
            herd_cpu_s=herd_cpu_s,
        )

    def judge(self, drain: Drain) -> Judgement:
        """Hold the database against the receipts."""
        return self._runner.run(judge(self.centre, drain.kiosks))

    def close(self) -> None:
        """Put it away."""
        self._runner.close()


def main() -> int:
    parser = ArgumentParser(description=__doc__)
    parser.add_argument("--kiosks", type=int, default=2000, help="without it: %(default)s")
    parser.add_argument(
        "--within-s", type=float, default=3600, help="how long they may take: %(default)s"
    )
    args = parser.parse_args()
    logging.disable(logging.WARNING)  # thousands of agents say that they were told to wait

    with ExitStack() as stack:
        place = stack.enter_context(folder())
        cluster = stack.enter_context(Cluster.started(durable=True))
        rig = Rig(place, cluster, args.kiosks)
        stack.callback(rig.close)
        came = rig.reconnect(args.within_s)

    tally = came.drain.tally
    say(f"requests by their ends: {dict(tally.ends)}")
    cuts = statistics.quantiles(tally.took_s, n=100)
    tell(
        "fleet",
        figures={
            "kiosks": args.kiosks,
            "acknowledged": came.judgement.acknowledged,
            "lost": came.judgement.lost,
            "doubled": came.judgement.doubled,
            "left": came.drain.left,
            "drain_s": came.drain.took_s,
            "longest_waited_s": came.drain.longest_waited_s,
            "request_p50_s": cuts[49],
            "request_p99_s": cuts[98],
            "requests": len(tally.took_s),
            "peak_rss_mb": came.peak_mb,
            "collector_cpu_s": came.collector_cpu_s,
            "herd_cpu_s": came.herd_cpu_s,
        },
        baselines={"copy_s": came.copy_s},
        ratios={
            "drain_to_copy": came.drain.took_s / came.copy_s,
            "wasted_requests": tally.wasted / len(tally.took_s),
        },
    )
    return 0 if came.good else 1


if __name__ == "__main__":
    sys.exit(main())
