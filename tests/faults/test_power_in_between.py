"""Power cuts while a store goes to a newer version, to another file, and to another key."""

import shutil
from collections import Counter
from contextlib import suppress

import pytest
from disk import Disk
from kiosk_machine import Machine
from kiosk_machine_process import NEXT_VERSION

from sync_service.outbox.database import (
    MIGRATIONS,
    NewerStoreError,
    StoreKey,
    WrongKeyError,
    open_store,
    open_to_read,
    reading,
)
from sync_service.outbox.identity import DamagedIdentityError, Identity
from sync_service.outbox.outbox import Outbox
from sync_service.outbox.rekeying import rekey
from sync_service.outbox.renewal import open_or_renew

KEY = StoreKey(bytes(range(32)))
NEW_KEY = StoreKey(bytes(range(32, 64)))
RECORDS = 200
PAGE_LENGTH = 4096


def sealed(number):
    return number.to_bytes(4, "big") * 30


def read(engine):
    """How often each sealed record is in a store that is whole."""
    try:
        with reading(engine) as connection:
            assert connection.exec_driver_sql("PRAGMA integrity_check").scalar_one() == "ok"
            found = connection.exec_driver_sql("SELECT sealed FROM record").scalars()
            return Counter(bytes(each) for each in found)
    finally:
        engine.dispose()


class Work:
    """Something done to a store full of records, over and over, until the power goes."""

    def __init__(self, folder, role, look, **told):
        self.tried = self.acknowledged = self.lost = self.doubled = 0
        self._role = role
        self._look = look
        self._told = told
        self._made = folder / "store.db"
        engine = open_store(self._made, KEY)
        for number in range(RECORDS):
            Outbox(engine).put(sealed(number), half_day=0)
        engine.dispose()
        Identity.open(folder / "identity", KEY)

    def damage(self):
        """Flip a bit in a page of records."""
        content = bytearray(self._made.read_bytes())
        content[-4 * PAGE_LENGTH] ^= 1
        self._made.write_bytes(content)

    def go_through(self, disk, machine, random, cuts):
        """Cut the power at each of so many instants, and look at what is left."""
        changes = self._do(disk, machine, None, None)
        expected = self._look(disk.folder / "store.db")
        for _ in range(cuts):
            survival = random.choice((None, random.getrandbits(32)))
            self._do(disk, machine, random.randrange(changes), survival)
            found = self._look(disk.folder / "store.db")
            self.tried += 1
            self.acknowledged += expected.total()
            self.lost += (expected - found).total()
            self.doubled += (found - expected).total()

    def _do(self, disk, machine, cut_after, survival):
        """Do it once to a fresh copy; gives how many changes that was to the disk."""
        for left in disk.folder.iterdir():
            shutil.rmtree(left) if left.is_dir() else left.unlink()
        store = disk.folder / "store.db"
        for name in ("store.db", "identity"):
            shutil.copy(self._made.with_name(name), disk.folder)
            disk.sync(disk.folder / name)
        before = disk.changes
        if cut_after is not None:
            disk.cut_after(cut_after, survival)
        machine.start(self._role, store=str(store), key=KEY.secret.hex(), **self._told)
        assert machine.hear() == ["done"]
        machine.die()
        changes = disk.changes - before
        disk.power()
        return changes


@pytest.fixture
def bench(tmp_path):
    """A disk, and a machine that works on it."""
    with Disk.mounted(tmp_path / "disk") as disk, Machine.ready() as machine:
        yield disk, machine


def look_at_either_version(path):
    with suppress(NewerStoreError):
        return read(open_store(path, KEY))
    engine = open_to_read(path, KEY)
    with reading(engine) as connection:
        version = connection.exec_driver_sql("PRAGMA user_version").scalar_one()
        notes = connection.exec_driver_sql("SELECT count(note) FROM record").scalar_one()
    assert (version, notes) == (len((*MIGRATIONS, NEXT_VERSION)), RECORDS)
    return read(engine)


def look_after_renewal(path):
    return read(open_or_renew(path, KEY, path.with_name("identity")))


def look_under_either_key(path):
    """Whichever key opens the store opens the identity, and doing it again ends what was begun."""
    try:
        engine, key = open_store(path, KEY), KEY
    except WrongKeyError:
        engine, key = open_store(path, NEW_KEY), NEW_KEY
    found = read(engine)
    kiosk_id = Identity.open(path.with_name("identity"), key).kiosk_id
    rekey(path, KEY, NEW_KEY, path.with_name("identity"))
    assert Identity.open(path.with_name("identity"), NEW_KEY).kiosk_id == kiosk_id
    assert read(open_store(path, NEW_KEY)) == found
    with pytest.raises(DamagedIdentityError):
        Identity.open(path.with_name("identity"), KEY)
    return found


def test_a_store_is_of_one_version_or_the_next_whenever_the_power_goes(
    bench, random, cuts, tmp_path, tally
):
    work = Work(tmp_path, "migrator", look_at_either_version)
    work.go_through(*bench, random, cuts)
    tally.add("power cut while migrating", work)

    assert (work.lost, work.doubled) == (0, 0)
    assert work.acknowledged == cuts * RECORDS


def test_what_can_be_read_of_a_damaged_store_is_kept_whenever_the_power_goes(
    bench, random, cuts, tmp_path, tally
):
    work = Work(tmp_path, "renewer", look_after_renewal)
    work.damage()
    work.go_through(*bench, random, cuts)
    tally.add("power cut while renewing a damaged store", work)

    assert (work.lost, work.doubled) == (0, 0)
    assert cuts * RECORDS / 2 < work.acknowledged < cuts * RECORDS


def test_store_and_identity_are_under_one_key_whenever_the_power_goes(
    bench, random, cuts, tmp_path, tally
):
    told = {"new_key": NEW_KEY.secret.hex()}
    work = Work(tmp_path, "rekeyer", look_under_either_key, **told)
    work.go_through(*bench, random, cuts)
    tally.add("power cut while the store's key is replaced", work)

    assert (work.lost, work.doubled) == (0, 0)
    assert work.acknowledged == cuts * RECORDS
