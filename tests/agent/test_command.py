"""The command as it is started: what it needs, what it says, and how it ends."""

import os
import signal
import subprocess
import sys
from dataclasses import replace

import pytest
from certificates import certificate

from sync_service.contract.network import Ethernet, Network
from sync_service.contract.signing import fingerprint
from sync_service.contract.wire import Batch, Standing, Status
from sync_service.outbox.spare_key import open_spare_key

STORE_KEY = bytes([7] * 32)


@pytest.fixture
def start(closing):
    """Starts the command; it is ended, if it is still there, with the test."""

    def start(*arguments, **environment):
        process = subprocess.Popen(
            [sys.executable, "-m", "sync_service.agent", *map(str, arguments)],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env={**os.environ, **environment},
        )
        closing.enter_context(process)
        closing.callback(process.kill)
        return process

    return start


@pytest.fixture
def settings_of(tmp_path):
    """Writes the settings and the stamp that a kiosk's agent is started with."""

    def settings_of(kiosk, *lines, key=True):
        for name, data in kiosk.stamp.to_files().items():
            (tmp_path / name).write_bytes(data)
        (tmp_path / "store-key").write_text(STORE_KEY.hex())
        told = [f'data = "{tmp_path}"', f'stamp = "{tmp_path}"', *lines]
        if key:
            told.append(f'store_key = "{tmp_path}/store-key"')
        path = tmp_path / "agent.toml"
        path.write_text("\n".join(told))
        return path

    return settings_of


def test_help_tells_a_newcomer_what_to_do(start):
    out, _ = start("--help").communicate()
    assert "regard-agent" in out
    assert "data =" in out
    assert "--once" in out


def test_once_delivers_and_ends_well(start, settings_of, kiosk_of, collector, tmp_path):
    kiosk = kiosk_of(collector)
    kiosk.put(3)
    settings = settings_of(kiosk, key=False)
    process = start(settings, "--once", CREDENTIALS_DIRECTORY=str(tmp_path))
    out, err = process.communicate()
    assert process.returncode == 0
    assert out.splitlines() == [
        f"info enrolment asked for kiosk={fingerprint(kiosk.kiosk_id)} standing=enrolled",
        "info contact made",
        "info delivered what was due depth=0",
    ]
    assert err == ""
    assert kiosk.outbox.extent().settled_seq == 3


def test_whoever_starts_keeps_a_spare_of_the_store_s_key_that_the_centre_can_open(
    start, settings_of, kiosk, centre, tmp_path
):
    start(settings_of(kiosk), "--once").communicate()
    assert open_spare_key(tmp_path / "store.db", [centre.opening]) == kiosk.store_key


def test_the_stamps_proxy_leads_out_and_its_extra_authority_is_trusted(
    start, settings_of, kiosk_of, collector, tunnel
):
    kiosk = kiosk_of(collector)
    network = Network(Ethernet(), tunnel.address, extra_authority=kiosk.stamp.authority.decode())
    looked_into = certificate("An authority that the collector is not of").encode()
    kiosk.stamp = replace(kiosk.stamp, authority=looked_into, network=network)
    process = start(settings_of(kiosk), "--once")
    process.communicate()
    assert process.returncode == 0
    assert {*tunnel.asked_for} == {collector.address.removeprefix("https://")}


def test_a_kiosk_that_is_held_says_by_which_fingerprint_it_is_approved(
    start, settings_of, kiosk_of, collector
):
    kiosk = kiosk_of(collector)
    kiosk.enrolled_at(collector, Standing.HELD)
    process = start(settings_of(kiosk), "--once")
    out, _ = process.communicate()
    assert process.returncode == 1
    assert f"reason=held-kiosk detail={fingerprint(kiosk.kiosk_id)} " in out


def test_once_says_why_it_could_not(start, settings_of, kiosk, collector):
    collector.instead = lambda _: collector.problem("busy", Retry_After="60")
    process = start(settings_of(kiosk), "--once")
    out, _ = process.communicate()
    assert process.returncode == 1
    assert out == "warning no contact reason=busy next_try_in_s=60\n"


@pytest.mark.parametrize(
    ("broken", "named"),
    [
        ("agent.toml", "agent.toml"),
        ("stamp.toml", "stamp.toml"),
        ("collector-ca.pem", "certificate"),
    ],
)
def test_what_it_was_given_and_can_not_use_is_named(
    start, settings_of, kiosk, tmp_path, *, broken, named
):
    settings = settings_of(kiosk)
    (tmp_path / broken).write_text("nonsense")
    process = start(settings)
    out, err = process.communicate()
    assert process.returncode == 2
    assert out == ""
    assert err.startswith("regard-agent: ")
    assert named in err


def test_with_no_key_it_says_where_one_may_come_from(start, settings_of, kiosk):
    process = start(settings_of(kiosk, key=False))
    _, err = process.communicate()
    assert process.returncode == 2
    assert "store_key" in err


def test_a_signal_ends_it_while_it_waits_and_no_crash_would_leave_its_memory(
    start, settings_of, kiosk
):
    process = start(settings_of(kiosk))
    assert process.stdout.readline() == "info contact made\n"
    with open(f"/proc/{process.pid}/limits") as limits:
        (core,) = [line.split() for line in limits if line.startswith("Max core file size")]
    assert core[4:6] == ["0", "0"]
    process.terminate()
    out, err = process.communicate()
    assert (process.returncode, out, err) == (0, "", "")


def test_a_store_that_can_not_be_opened_is_said_once_and_waited_for(
    start, settings_of, kiosk, tmp_path
):
    settings = settings_of(kiosk, "backoff_cap_s = 1")
    store = kiosk.leave()
    aside = store.rename(tmp_path / "aside")
    store.write_bytes(b"SQLite format 3\x00" + bytes(4080))
    process = start(settings)
    told = process.stdout.readline()
    assert told.startswith("error can't open reason=PlaintextStoreError detail=")
    aside.rename(store)
    assert process.stdout.readline() == "info contact made\n"


def test_killed_in_mid_delivery_it_sends_the_same_bytes_again(start, settings_of, kiosk, collector):
    kiosk.put(5)
    settings = settings_of(kiosk)
    process = start(settings)

    def instead(message):
        if isinstance(message, Batch):
            collector.take_in(message)
            process.kill()
            return collector.CUT
        return None

    collector.instead = instead
    assert process.wait() == -signal.SIGKILL
    assert kiosk.outbox.extent().settled_seq == 0
    collector.instead = lambda _: None
    again = start(settings, "--once")
    again.communicate()
    assert again.returncode == 0
    first, second = collector.of(Batch)
    assert (first.first_seq, first.sealed) == (second.first_seq, second.sealed)
    assert first.head == second.head == kiosk.outbox.extent().head
    assert kiosk.outbox.extent().settled_seq == 5


def test_no_network_no_clock_and_no_enrolment_do_not_keep_it_from_starting(
    start, settings_of, kiosk_of, collector
):
    kiosk = kiosk_of(collector)
    kiosk.put(1)
    told = [collector.problem("busy")]
    collector.instead = lambda _: told.pop() if told else None
    process = start(settings_of(kiosk, "backoff_cap_s = 1"))
    assert process.stdout.readline().startswith("warning no contact reason=busy")
    assert process.stdout.readline().startswith("info enrolment asked for kiosk=")
    assert process.stdout.readline() == "info contact made\n"
    assert process.stdout.readline() == "info delivered what was due depth=0\n"
    assert collector.of(Status)[-1].last_error == "busy"
    process.send_signal(signal.SIGINT)
    assert process.wait() == 0


def test_carry_leaves_a_bundle_on_a_stick_and_says_so(start, settings_of, kiosk, tmp_path):
    kiosk.put(3)
    stick = tmp_path / "stick"
    stick.mkdir()
    process = start("carry", stick, "--settings", settings_of(kiosk))
    out, err = process.communicate()
    assert (process.returncode, err) == (0, "")
    fingerprint_of_kiosk = fingerprint(kiosk.kiosk_id)
    assert out == f"Written for the centre, as kiosk {fingerprint_of_kiosk}: 3 records.\n"
    [bundle] = (stick / "regard").iterdir()
    assert bundle.name.startswith(fingerprint_of_kiosk)


def test_carry_says_why_a_stick_can_not_be_used(start, settings_of, kiosk, tmp_path):
    process = start("carry", tmp_path / "away", "--settings", settings_of(kiosk))
    _, err = process.communicate()
    assert process.returncode == 1
    assert err == f"regard-agent: {tmp_path / 'away'}: No such file or directory: try again\n"


def test_carry_explains_itself(start):
    out, _ = start("carry", "--help").communicate()
    assert "regard-collector take" in out
    assert "/etc/regard/agent.toml" in out


def test_rekey_gives_the_store_another_key_and_the_agent_goes_on_under_it(
    start, settings_of, kiosk, collector, tmp_path
):
    kiosk.put(3)
    settings = settings_of(kiosk, "hold_half_day = false")
    new_key = tmp_path / "new-key"
    new_key.write_text("ab" * 32)
    held = start("rekey", "--to", new_key, "--settings", settings)
    _, error = held.communicate()
    assert held.returncode == 1
    assert "another process" in error

    kiosk.leave()
    process = start("rekey", "--settings", settings, CREDENTIALS_DIRECTORY=str(tmp_path))
    _, error = process.communicate()
    assert process.returncode == 2
    assert "new-store-key" in error
    new_key.rename(tmp_path / "new-store-key")
    process = start("rekey", "--settings", settings, CREDENTIALS_DIRECTORY=str(tmp_path))
    out, error = process.communicate()
    assert (process.returncode, error) == (0, "")
    assert "under the new key" in out

    assert start(settings, "--once").wait() == 1
    (tmp_path / "new-store-key").rename(tmp_path / "store-key")
    assert start(settings, "--once").wait() == 0
    assert len(collector.stored) == 3


def test_rekey_explains_itself(start):
    out, _ = start("rekey", "--help").communicate()
    assert "Stop the kiosk and its agent first" in out
