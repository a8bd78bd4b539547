"""What two processes and sudden deaths do to a log: nothing."""

import random
import subprocess
import sys
from datetime import date
from pathlib import Path

import pytest

from sync_service.contract.chain import Head, digest, first_link, link
from sync_service.contract.wire import Recorded
from sync_service.outbox.database import open_store, reading
from sync_service.outbox.outbox import Outbox

ROOT = Path(__file__).parents[2]
TODAY = date(2026, 3, 16)


@pytest.fixture
def start_kiosks(path, key):
    """Starts processes that begin at once to put so many records; ends them with the test."""
    started = []

    def start(kiosks, count):
        for _ in range(kiosks):
            kiosk = subprocess.Popen(
                [sys.executable, Path(__file__).with_name("kiosk_process.py"), path, str(count)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                text=True,
                env={"PYTHONPATH": str(ROOT)},
            )
            started.append(kiosk)
        for kiosk in started[-kiosks:]:
            assert kiosk.stdout.readline() == "ready\n"
        for kiosk in started[-kiosks:]:
            kiosk.stdin.write(f"{key.secret.hex()}\n")
            kiosk.stdin.flush()
        return started[-kiosks:]

    yield start
    for kiosk in started:
        with kiosk:
            kiosk.kill()


def walk(engine):
    """Follow the chain through a log of which nothing was purged, and give its head."""
    outbox = Outbox(engine)
    head = Head(0, first_link(outbox.log_id))
    with reading(engine) as connection:
        for row in connection.exec_driver_sql("SELECT * FROM record ORDER BY seq"):
            assert row.seq == head.seq + 1
            assert row.previous == head.link
            head = Head(row.seq, link(row.previous, row.seq, digest(row.sealed)))
    return head


def test_processes_that_make_a_store_at_once_share_one_log(path, key, start_kiosks):
    for kiosk in start_kiosks(3, 5):
        assert kiosk.wait() == 0

    assert [file.name for file in path.parent.iterdir()] == [path.name]
    engine = open_store(path, key)
    assert walk(engine).seq == 15
    engine.dispose()


def test_the_chain_holds_however_often_the_kiosk_is_killed(path, key, start_kiosks):
    chance = random.Random(7)
    safe = 0
    while safe < 200:
        (kiosk,) = start_kiosks(1, 200)
        for _ in range(chance.randint(20, 60)):
            safe = int(kiosk.stdout.readline())
        kiosk.kill()  # while it puts the next ones
        rest = kiosk.stdout.read().split()
        safe = int(rest[-1]) if rest else safe
        kiosk.wait()

        engine = open_store(path, key)
        head = walk(engine)
        assert head == Outbox(engine).extent().head
        assert head.seq in (safe, safe + 1)  # the last one may be safe, and not said to be
        safe = head.seq
        engine.dispose()


def test_what_is_put_by_one_process_is_delivered_by_another_meanwhile(engine, start_kiosks):
    outbox = Outbox(engine)
    kiosks = start_kiosks(2, 60)
    delivered = []
    while len(delivered) < 120:
        run = outbox.next_run(limit=7, max_length=10**6, hold=None)
        if run is None:
            assert any(kiosk.poll() is None for kiosk in kiosks) or outbox.extent().depth
            continue
        outcomes = [Recorded.ACCEPTED] * len(run.sealed)
        outbox.settle(run.log_id, run.first_seq, outcomes, TODAY)
        delivered += range(run.first_seq, run.first_seq + len(run.sealed))
    for kiosk in kiosks:
        assert kiosk.wait() == 0

    assert delivered == list(range(1, 121))
    assert walk(engine) == outbox.extent().head
    assert outbox.extent().depth == 0
