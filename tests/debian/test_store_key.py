"""The store's key at a kiosk's start: by chance on the card, or from a key that the board has."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from sync_service.outbox.database import StoreKey

SCRIPTS = Path(__file__).parents[2] / "packaging/debian/regard-kiosk/usr/lib/regard-kiosk"

FIRMWARE = '''\
#!{python}
"""A Pi's firmware, as its command line tells of it; the key of slot 1 stands in a file."""

import hmac
import sys
from pathlib import Path

command, *pairs = sys.argv[1:]
told = dict(zip(pairs[::2], pairs[1::2], strict=True))
burnt = Path({burnt!r})
if command != "hmac" or told["--key-id"] != "1" or not burnt.exists():
    print("Last crypto error: 6 (Key not set (all zeros))", file=sys.stderr)
    sys.exit(247)
message = Path(told["--in"]).read_bytes()
assert 0 < len(message) <= 2048
Path(told["--out"]).write_bytes(hmac.digest(burnt.read_bytes(), message, "sha256")[:{length}])
'''


class Board:
    """A board, with or without a key burnt into it and the firmware's tool, and a card in it."""

    def __init__(self, folder):
        self.card, self.memory = folder / "card", folder / "run"
        self._burnt = folder / "otp"
        self._path = folder / "bin"
        for each in (self.card, self.memory, self._path):
            each.mkdir()

    @property
    def key(self):
        return StoreKey.read(self.memory / "store-key")

    @property
    def on_card(self):
        return sorted(os.listdir(self.card))

    def burn(self, key, length=32):
        """Burn a key, and install the tool."""
        self._burnt.write_bytes(key)
        tool = self._path / "rpi-fw-crypto"
        told = {"python": sys.executable, "burnt": str(self._burnt), "length": length}
        tool.write_text(FIRMWARE.format(**told))
        tool.chmod(0o755)

    def blank(self):
        """As boards come: the tool is there, and no key."""
        self.burn(b"")
        self._burnt.unlink()

    def start(self):
        """Start the kiosk anew; gives the exit status, and what was said."""
        shutil.rmtree(self.memory)
        self.memory.mkdir()
        return self.find()

    def find(self):
        return self._run("find-store-key", self.card, self.memory)

    def derive(self, salt, into):
        return self._run("derive-store-key", salt, into)

    def _run(self, script, *arguments):
        done = subprocess.run(
            [SCRIPTS / script, *arguments],
            env={"PATH": f"{self._path}:/usr/bin:/bin"},
            capture_output=True,
            text=True,
            check=False,
        )
        return done.returncode, done.stdout + done.stderr


@pytest.fixture
def board(tmp_path):
    return Board(tmp_path)


def test_a_board_without_a_key_gets_one_by_chance_that_stays_on_the_card(board):
    status, said = board.start()
    first = board.key

    assert (status, "by chance" in said) == (0, True)
    assert board.on_card == ["store-key"]
    assert board.start() == (0, "")
    assert board.key == first == StoreKey.read(board.card / "store-key")


def test_a_board_whose_key_was_never_burnt_is_one_without(board):
    board.blank()
    assert board.start()[0] == 0
    assert board.on_card == ["store-key"]


def test_a_key_that_the_board_gives_is_the_same_at_each_start_and_never_on_the_card(board):
    board.burn(b"of this board")
    status, said = board.start()
    first = board.key

    assert (status, "derived from the board's own" in said) == (0, True)
    assert board.on_card == ["store-key.salt"]
    assert first.secret not in (board.card / "store-key.salt").read_bytes()
    assert board.start() == (0, "")
    assert board.key == first
    (board.card / "store-key.salt").unlink()
    board.start()
    assert board.key != first, "the salt makes another card's key another"


def test_only_its_owner_may_read_a_key_and_nothing_is_left_beside_it(board):
    for burn in (board.blank, lambda: board.burn(b"of this board")):
        for each in (*board.card.iterdir(), *board.memory.iterdir()):
            each.unlink()
        for remnant in ("store-key.part", "store-key.message"):  # the power was cut the first time
            (board.memory / remnant).touch(mode=0o400)
        burn()
        assert board.find()[0] == 0
        assert os.listdir(board.memory) == ["store-key"]
        for each in (*board.card.iterdir(), *board.memory.iterdir()):
            assert each.stat().st_mode & 0o777 == 0o400


def test_a_kiosk_that_began_with_a_key_by_chance_keeps_it_when_the_board_gets_one(board):
    board.start()
    first = board.key
    board.burn(b"of this board")
    assert board.start() == (0, "")
    assert board.key == first


def test_a_card_in_a_board_without_its_key_gets_no_other_and_it_is_said_what_to_do(board):
    board.burn(b"of this board")
    board.start()
    board.blank()
    status, said = board.start()
    assert (status, "Put the card back" in said) == (1, True)
    assert os.listdir(board.memory) == []
    assert board.on_card == ["store-key.salt"]


def test_what_is_no_key_is_not_taken_for_one(board):
    board.burn(b"of this board")
    board.start()
    board.burn(b"of this board", length=31)
    status, said = board.start()
    assert (status, "no key of 32 bytes" in said) == (1, True)


def test_a_kiosk_goes_over_to_its_board_by_one_rename(board):
    """As docs/keys.md has it: the salt counts, so a power cut leaves the one key or the other."""
    board.start()
    by_chance = board.key
    board.burn(b"of this board")
    salt = board.card / "store-key.salt"
    prepared = salt.with_name("store-key.salt.new")
    subprocess.run([SCRIPTS / "make-store-key", prepared], check=True)
    board.derive(prepared, board.memory / "store-key.new")
    derived = StoreKey.read(board.memory / "store-key.new")
    assert board.start() == (0, "")
    assert board.key == by_chance
    prepared.rename(salt)
    assert board.start() == (0, "")
    assert board.key == derived != by_chance
