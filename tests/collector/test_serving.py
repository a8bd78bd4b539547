"""The collector as it runs: its own process, its own TLS, an opener beside it."""

import asyncio
import csv
import os
import signal
import ssl
import subprocess
import sys
import time
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import pytest
from sqlalchemy import func, select

from sync_service.collector import tables
from sync_service.collector.__main__ import main
from sync_service.collector.authority import Authority
from sync_service.collector.error import OfficeError
from sync_service.collector.serving import keep_opening, serve
from sync_service.contract.signing import Context
from sync_service.contract.wire import BATCHES_PATH, ENROLMENTS_PATH, MEDIA_TYPE, Receipt

ROOT = Path(__file__).parents[2]
PATIENCE_S = 60


@contextmanager
def command(*argv):
    """Run `regard-collector` as a process of its own."""
    process = subprocess.Popen(
        [sys.executable, "-m", "sync_service.collector", *map(str, argv)],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        yield process
    finally:
        process.kill()
        process.wait()
        process.stdout.close()


@contextmanager
def serving(folder):
    """Serve a collector; gives the process and the port."""
    with command("serve", "--folder", folder) as process:
        line = process.stdout.readline()
        assert line.startswith("info listening host=127.0.0.1 port="), line
        yield process, int(line.rpartition("=")[2])


def until(condition):
    """What a condition gives as soon as it holds."""
    give_up_at = time.monotonic() + PATIENCE_S
    while not (found := condition()):
        assert time.monotonic() < give_up_at, "it never came to be"
        time.sleep(0.02)
    return found


def children(pid):
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def alive(pid):
    try:
        return "\nState:\tZ" not in Path(f"/proc/{pid}/status").read_text()
    except FileNotFoundError:
        return False


def end(process):
    process.send_signal(signal.SIGTERM)
    assert process.wait(PATIENCE_S) == 0


def test_what_a_kiosk_delivers_over_tls_is_opened_and_exported(rig, stamped, tmp_path, capsys):
    kiosk = stamped().record(20)
    batch = kiosk.batch()
    trust = ssl.create_default_context(cadata=kiosk.stamp.authority.decode())
    almost_over = datetime.now(UTC) - timedelta(days=380)
    Authority(rig.centre.certificates).issue(["localhost"], almost_over)

    with serving(rig.centre.folder) as (process, port):
        address = f"https://localhost:{port}"
        with httpx.Client(base_url=address, verify=trust, trust_env=False) as client:
            assert client.get("/readyz").status_code == 200
            headers = {"Content-Type": MEDIA_TYPE}
            client.post(ENROLMENTS_PATH, content=kiosk.signed_enrolment(), headers=headers)
            reply = client.post(BATCHES_PATH, content=kiosk.sign(batch), headers=headers)
        assert Receipt.decode(rig.believe(reply.content, Context.RECEIPT)).answers(batch)
        count = select(func.count()).select_from(tables.day)
        until(lambda: rig.read(count) == [(20,)])
        assert not Authority(rig.centre.certificates).renew(["localhost"], datetime.now(UTC))
        [opener] = children(process.pid)
        end(process)
        assert not alive(opener)

    assert main(["export", "--folder", str(rig.centre.folder), str(tmp_path / "export")]) == 0
    assert "20 days" in capsys.readouterr().out
    with (tmp_path / "export/days.csv").open(encoding="utf-8", newline="") as file:
        minutes = sorted(int(row["minutes_available"]) for row in csv.DictReader(file))
    assert minutes == [*range(20)]


@pytest.mark.sqlite_alone
def test_another_authority_does_not_vouch_for_the_collector(rig, tmp_path):
    with serving(rig.centre.folder) as (process, port):
        with (
            httpx.Client(verify=ssl.create_default_context(), trust_env=False) as client,
            pytest.raises(httpx.ConnectError, match="CERTIFICATE_VERIFY_FAILED"),
        ):
            client.get(f"https://localhost:{port}/healthz")
        end(process)


@pytest.mark.sqlite_alone
def test_an_opener_never_outlives_a_server_that_was_killed(rig):
    with serving(rig.centre.folder) as (process, _port):
        [opener] = until(lambda: children(process.pid))
        process.kill()
        until(lambda: not alive(opener))


@pytest.mark.sqlite_alone
def test_an_opener_that_dies_is_started_again(rig):
    async def kill_the_first():
        stop = asyncio.Event()
        others = set(children(os.getpid()))
        keeping = asyncio.create_task(keep_opening(rig.centre.folder, stop, pause_s=0.01))

        async def opener():
            while not (found := set(children(os.getpid())) - others):
                await asyncio.sleep(0.02)
            return found.pop()

        first = await opener()
        os.kill(first, signal.SIGKILL)
        others.add(first)
        second = await opener()
        stop.set()
        await keeping
        return first, second

    first, second = rig.run(kill_the_first())
    assert first != second
    assert not alive(first)
    assert not alive(second)


@pytest.mark.sqlite_alone
def test_an_opener_that_follows_ends_by_a_signal(rig):
    rig.deliver(rig.kiosk().record(3))

    with command("open", "--follow", "--folder", rig.centre.folder) as process:
        assert process.stdout.readline() == "info records opened opened=3\n"
        end(process)


@pytest.mark.sqlite_alone
def test_a_port_that_is_taken_is_named(rig):
    async def serve_twice():
        async with rig.serving() as port:
            settings = rig.centre.settings
            taken = type(settings)(
                address=settings.address, names=settings.names, host="127.0.0.1", port=port
            )
            centre = type(rig.centre)(rig.centre.folder, taken)
            await serve(centre, rig.engine, asyncio.Event())

    with pytest.raises(OfficeError, match=r"can't listen on 127\.0\.0\.1 port \d+: .*in use"):
        rig.run(serve_twice())
