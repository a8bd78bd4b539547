"""A key, a place for a store, and what is opened there."""

import subprocess

import pytest

from sync_service.outbox.database import StoreKey, open_store
from sync_service.outbox.outbox import Outbox
from sync_service.outbox.state import State


@pytest.fixture
def key():
    return StoreKey(bytes(range(32)))


@pytest.fixture
def path(tmp_path):
    folder = tmp_path / "store folder"  # with a space, as any folder may have
    folder.mkdir()
    return folder / "outbox.db"


@pytest.fixture
def engine(path, key):
    engine = open_store(path, key)
    yield engine
    engine.dispose()


@pytest.fixture
def outbox(engine):
    return Outbox(engine)


@pytest.fixture
def state(engine):
    return State(engine)


@pytest.fixture
def small_disk(tmp_path):
    """A folder on a disk of its own, of half a mebibyte."""
    folder = tmp_path / "small disk"
    folder.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=512k", "tmpfs", folder],
        check=False,
        capture_output=True,
    )
    if mounted.returncode != 0:
        pytest.skip("only root can mount a small disk")
    yield folder
    subprocess.run(["umount", "--lazy", folder], check=True)
