"""What a thief finds: neither answers nor keys, wherever they look.

A long comment, a choice with a unique code, the store's key and the kiosk's signing key are
looked for, in every encoding they are likely to have, in every file that a real kiosk and a real
agent leave behind: while they run, after they ended, and after the kiosk crashed in mid-answer.
"""

import os
import resource
import signal
import subprocess
import sys
import tempfile
from contextlib import contextmanager
from pathlib import Path

import pytest
from chain import Chain
from sqlalchemy import text
from traces import encodings, files_below, traces

from sync_service.contract.error import UnknownKeyError
from sync_service.contract.sealing import OpeningKey
from sync_service.outbox.database import StoreKey, open_store, reading
from sync_service.outbox.identity import Identity

COMMENT = "the quick brown canary sang of marzipan in the reading room until the lamps went out"
CHOICE = 3_735_928_559

QUESTIONNAIRE = f"""
id = "canaries"
version = 1
languages = ["en"]
title.en = "For the forensic test"
ask = [["colour"], ["comment"]]

[[items]]
code = 1
name = "colour"
kind = "choice"
provenance = "New"
text.en = "Which colour?"
options = [
    {{ code = {CHOICE}, name = "canary_yellow", text.en = "Yellow" }},
    {{ code = 2, name = "blue", text.en = "Blue" }},
]

[[items]]
code = 2
name = "comment"
kind = "text"
provenance = "New"
text.en = "Anything else?"
max_length = 200
"""


@contextmanager
def unlimited_cores():
    """Let processes started inside leave cores, if they don't forbid it themselves."""
    before = resource.getrlimit(resource.RLIMIT_CORE)
    resource.setrlimit(resource.RLIMIT_CORE, (before[1], before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_CORE, before)


def abort(process):
    """Crash a process; says whether the kernel dumped its memory."""
    process.send_signal(signal.SIGABRT)
    ended = os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
    process.wait()
    assert ended.si_code in (os.CLD_KILLED, os.CLD_DUMPED)
    return ended.si_code == os.CLD_DUMPED


def write(window, words):
    """Tap a text on the kiosk's keyboard."""
    window.wait_for("asking", item=2)
    window.tap("write")
    window.next_view()
    window.settle()
    for letter in words:
        window.tap("key-space" if letter == " " else f"key-{letter}", settled=False)


@pytest.fixture
def world(tmp_path, monkeypatch):
    """Everything a process could write to, in one folder: home, temporary files, where it runs."""
    places = {name: tmp_path / name for name in ("home", "temporary", "working")}
    for place in places.values():
        place.mkdir()
    monkeypatch.setenv("HOME", str(places["home"]))
    monkeypatch.setenv("TMPDIR", str(places["temporary"]))
    monkeypatch.setattr(tempfile, "tempdir", str(places["temporary"]))
    monkeypatch.chdir(places["working"])
    return tmp_path


def test_neither_answers_nor_keys_are_left_where_a_thief_can_look(world):
    with (
        unlimited_cores(),
        Chain(world / "chain", languages=("en",), questionnaire="canaries") as c,
    ):
        c.found()
        (c.folder / "canaries.toml").write_text(QUESTIONNAIRE)
        c.collector("publish", "questionnaire", str(c.folder / "canaries.toml"))
        c.open_site()
        c.stamp_kiosk()
        c.start_collector()
        window = c.start_kiosk()
        c.start_agent()

        window.wait_for("attract", item=1)
        window.tap("answer-1-en")
        write(window, COMMENT)
        secrets = {"the comment": COMMENT.encode(), "its end": COMMENT[-24:].encode()}
        secrets |= secrets_of(c)
        looked_in = [world / "home", world / "temporary", world / "working", c.data, c.logs]
        assert traces(secrets, looked_in) == [], "while the comment is on the screen"

        window.tap("next")
        window.wait_for("thanks")
        window.wait_for("attract")
        assert traces(secrets, looked_in) == [], "while kiosk and agent run"
        check_that_the_kiosk_can_open_nothing(c)

        window.tap("answer-1-en")
        write(window, COMMENT)
        assert not abort(window.process), "a crash of the kiosk dumped its memory"
        assert not abort(c.agent_process), "a crash of the agent dumped its memory"
        assert traces(secrets, looked_in) == [], "after the crash"

        # The rig can find what is there: the credential file is the one named exception.
        assert traces(secrets, [c.folder]) != []
        found = {name for name in traces(secrets, [c.store_key.parent]) if "store.key" in name}
        assert any(name.startswith("the store's key") for name in found)


def secrets_of(chain):
    """The keys of a kiosk, and its unique choice as it stands in a record."""
    store_key = StoreKey.read(chain.store_key)
    identity = Identity.open(chain.data / "identity", store_key)
    return {
        "the choice": CHOICE.to_bytes(4, "big"),
        "the choice's number": str(CHOICE).encode(),
        "the choice's name": b"canary_yellow",
        "the store's key": store_key.secret,
        "the signing key": identity._private,
    }


def check_that_the_kiosk_can_open_nothing(chain):
    """Try all that a kiosk holds, at every offset, as the key that its records are sealed to."""
    store_key = StoreKey.read(chain.store_key)
    identity = Identity.open(chain.data / "identity", store_key)
    held = [store_key.secret, identity._private]
    held += [path.read_bytes() for path in files_below([chain.stamp])]
    engine = open_store(chain.data / "store.db", store_key)
    with reading(engine) as connection:
        log_id = connection.execute(text("SELECT log_id FROM log")).scalar_one()
        sealed = connection.execute(text("SELECT sealed FROM record LIMIT 1")).scalar_one()
        for table in ("log", "record", "publication", "fact"):
            for row in connection.execute(text(f"SELECT * FROM {table}")):
                held += [bytes(cell) for cell in row if isinstance(cell, bytes)]
    engine.dispose()
    tried = {data[at : at + 32] for data in held for at in range(len(data) - 31)}
    assert len(tried) > 1000
    for candidate in tried:
        with pytest.raises(UnknownKeyError):
            OpeningKey(candidate).open(sealed, log_id)


def test_the_search_finds_a_secret_in_each_encoding_and_in_a_core(world):
    secret = os.urandom(32)
    for number, form in enumerate(sorted(encodings(secret))):
        planted = world / "home" / f"planted-{number}"
        planted.write_bytes(b"before" + form + b"after")
        assert traces({"it": secret}, [world / "home"]) == [f"it in {planted}"]
        planted.unlink()
    hoard = (
        f"import time; kept = bytes.fromhex('{secret.hex()}'); print(flush=True); time.sleep(60)"
    )
    with unlimited_cores():
        careless = subprocess.Popen([sys.executable, "-c", hoard], stdout=subprocess.PIPE)
        careless.stdout.readline()
        careless.stdout.close()
        assert abort(careless), (
            "this machine dumps no cores, so it can't show that the kiosk doesn't"
        )
    pattern = Path("/proc/sys/kernel/core_pattern").read_text()
    if "/" not in pattern and not pattern.startswith("|"):
        assert any("core" in trace for trace in traces({"it": secret}, [world / "working"]))
