import ctypes
import os
import shutil
import sqlite3
import subprocess
import threading
from contextlib import contextmanager

import pytest
import sqlcipher3
from sqlalchemy import event
from sqlalchemy.exc import IntegrityError

from sync_service.outbox.database import (
    BusyStoreError,
    DamagedStoreError,
    FullDiskError,
    MalformedKeyError,
    NewerStoreError,
    NoMemoryError,
    PlaintextStoreError,
    StoreKey,
    StoreUnavailableError,
    WrongKeyError,
    open_store,
    reading,
    writing,
)
from sync_service.outbox.outbox import Outbox

PAGE_LENGTH = 4096
WRONG_KEY = StoreKey(bytes(32))
CANARY = b"a comment that nobody may read"


def sealed(number, length=121):
    return number.to_bytes(4, "big") * (length // 4)


def beside(path, suffix):
    return path.with_name(path.name + suffix)


def files(path):
    """The bytes of a store and of the latest changes beside it."""
    stored = [file for file in (path, beside(path, "-wal")) if file.exists()]
    return {file.name: content for file in stored if (content := file.read_bytes())}


def fill(path, key, count=3):
    engine = open_store(path, key)
    outbox = Outbox(engine)
    for number in range(count):
        outbox.put(sealed(number), half_day=0)
    engine.dispose()


def put_until_it_fails(outbox):
    for number in range(1000):
        outbox.put(sealed(number, 4096), half_day=0)


def leave_as_a_crash_would(path, key, folder):
    """Copy an open store: its newest records are in the -wal file only."""
    engine = open_store(path, key)
    outbox = Outbox(engine)
    outbox.put(sealed(7), half_day=0)
    folder.mkdir()
    for suffix in ("", "-wal"):
        shutil.copy(beside(path, suffix), folder)
    engine.dispose()
    return folder / path.name


def seqs(path, key):
    engine = open_store(path, key)
    try:
        run = Outbox(engine).next_run(500, 10**6, hold=None)
    finally:
        engine.dispose()
    return [] if run is None else list(range(run.first_seq, run.first_seq + len(run.sealed)))


# The key


@pytest.mark.parametrize(
    "content",
    [b"0f" * 32, b"0F" * 32 + b"\n", b"0f" * 32 + b"\r\n", b"\x0f" * 32],
    ids=["digits", "a line of digits", "a line from elsewhere", "raw bytes"],
)
def test_a_credential_file_gives_the_key(tmp_path, content):
    credential = tmp_path / "store-key"
    credential.write_bytes(content)

    assert StoreKey.read(credential) == StoreKey(b"\x0f" * 32)


@pytest.mark.parametrize(
    "content",
    [b"", b"0f" * 31, b"0f" * 33, b"0g" * 32, b"x'" + b"0f" * 31, b"\x0f" * 33, b" " * 64],
)
def test_what_is_no_key_is_never_taken_as_a_passphrase(tmp_path, content):
    credential = tmp_path / "store-key"
    credential.write_bytes(content)

    with pytest.raises(MalformedKeyError, match="store-key: must hold 64 hexadecimal digits"):
        StoreKey.read(credential)


def test_a_missing_credential_is_named(tmp_path):
    with pytest.raises(MalformedKeyError, match="store-key: can't be read: No such file"):
        StoreKey.read(tmp_path / "store-key")


def test_a_key_of_another_length_is_refused():
    with pytest.raises(MalformedKeyError):
        StoreKey(b"too short")


def test_a_key_is_shown_nowhere(path, key):
    fill(path, key)
    with pytest.raises(WrongKeyError) as caught:
        open_store(path, WRONG_KEY)

    for shown in (repr(key), str(key), repr(caught.value), str(caught.value)):
        assert key.secret.hex() not in shown
        assert repr(key.secret)[2:-1] not in shown
        assert WRONG_KEY.secret.hex() not in shown


# A store that opens


def test_a_new_store_leaves_nothing_else_in_its_folder(path, key):
    fill(path, key, count=0)

    assert [file.name for file in path.parent.iterdir()] == [path.name]


def test_a_store_and_the_files_beside_it_are_for_their_owner_and_group_only(path, key):
    before = os.umask(0)
    try:
        engine = open_store(path, key)
        Outbox(engine).put(sealed(1), half_day=0)
        modes = {file.name: file.stat().st_mode & 0o777 for file in path.parent.iterdir()}
        engine.dispose()
    finally:
        os.umask(before)

    assert modes == {path.name: 0o660, f"{path.name}-wal": 0o660, f"{path.name}-shm": 0o660}


def test_nothing_in_a_store_can_be_read_without_its_key(engine, outbox, path, key):
    outbox.put(CANARY * 4, half_day=0)

    for file in path.parent.iterdir():
        content = file.read_bytes()
        assert CANARY not in content
        assert b"SQLite format 3" not in content
        assert b"CREATE TABLE" not in content
        assert key.secret not in content


def test_every_connection_is_durable_encrypted_and_tidy(engine):
    with reading(engine) as one, reading(engine) as other:
        for connection in (one, other):
            assert {
                pragma: connection.exec_driver_sql(f"PRAGMA {pragma}").scalar_one()
                for pragma in (
                    "journal_mode",
                    "synchronous",
                    "foreign_keys",
                    "secure_delete",
                    "temp_store",
                    "cache_size",
                    "busy_timeout",
                )
            } == {
                "journal_mode": "wal",
                "synchronous": 2,
                "foreign_keys": 1,
                "secure_delete": 1,
                "temp_store": 2,
                "cache_size": -1024,
                "busy_timeout": 10_000,
            }


def test_every_table_is_strict(engine):
    with reading(engine) as connection:
        tables = connection.exec_driver_sql("PRAGMA table_list").all()

    assert {
        table.name: table.strict for table in tables if not table.name.startswith("sqlite_")
    } == {"log": 1, "record": 1, "publication": 1, "day": 1, "unsure_day": 1, "fact": 1}


def test_a_store_comes_back_with_the_same_log(path, key):
    engine = open_store(path, key)
    log_id = Outbox(engine).log_id
    engine.dispose()
    fill(path, key)

    engine = open_store(path, key)
    assert Outbox(engine).log_id == log_id
    assert Outbox(engine).extent().head.seq == 3
    engine.dispose()


def test_each_store_has_a_log_of_its_own(tmp_path, key):
    logs = set()
    for name in ("one", "other"):
        engine = open_store(tmp_path / name, key)
        logs.add(Outbox(engine).log_id)
        engine.dispose()

    assert len(logs) == 2


def test_a_writer_does_not_wait_for_readers_nor_they_for_it(engine, outbox):
    with reading(engine) as connection:
        count = "SELECT count(*) FROM record"
        assert connection.exec_driver_sql(count).scalar_one() == 0
        outbox.put(sealed(1), half_day=0)
        assert connection.exec_driver_sql(count).scalar_one() == 0

    with reading(engine) as connection:
        assert connection.exec_driver_sql(count).scalar_one() == 1


def test_a_transaction_that_fails_leaves_nothing(engine, outbox):
    def fail_half_way():
        with writing(engine) as connection:
            connection.exec_driver_sql("UPDATE log SET head_seq = 9")
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail_half_way()

    assert outbox.extent().head.seq == 0


def test_threads_share_a_store(engine, outbox):
    threads = [
        threading.Thread(target=lambda n=number: outbox.put(sealed(n), half_day=0))
        for number in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert outbox.extent().head.seq == 8


def test_a_bug_shows_its_statement_and_never_what_was_in_it(engine, outbox):
    with pytest.raises(IntegrityError) as caught:
        outbox.put(CANARY * 4, half_day=-1)

    assert "INSERT INTO record" in str(caught.value)
    assert CANARY.decode() not in str(caught.value)


# A store that doesn't


@contextmanager
def left_as_it_was(path):
    before = files(path)
    yield
    assert files(path) == before


def test_a_plaintext_store_is_refused(path, key):
    connection = sqlite3.connect(path)
    connection.execute("CREATE TABLE record (sealed BLOB)")
    connection.close()

    with left_as_it_was(path), pytest.raises(PlaintextStoreError, match="not encrypted"):
        open_store(path, key)


def test_a_wrong_key_is_refused(path, key):
    fill(path, key)

    with left_as_it_was(path), pytest.raises(WrongKeyError, match="bring the right key"):
        open_store(path, WRONG_KEY)
    assert seqs(path, key) == [1, 2, 3]


def test_a_wrong_key_does_not_touch_what_a_crash_left(path, key, tmp_path):
    path = leave_as_a_crash_would(path, key, tmp_path / "after the crash")

    with left_as_it_was(path), pytest.raises(WrongKeyError):
        open_store(path, WRONG_KEY)
    assert seqs(path, key) == [1]


def test_a_wrong_key_does_not_disturb_the_process_that_has_the_right_one(engine, outbox, path):
    outbox.put(sealed(1), half_day=0)

    with left_as_it_was(path), pytest.raises(WrongKeyError):
        open_store(path, WRONG_KEY)
    assert outbox.put(sealed(2), half_day=0) == 2


@pytest.mark.parametrize("content", [b"not a store\n" * 1000, bytes(2 * PAGE_LENGTH)])
def test_what_is_no_store_is_refused(path, key, content):
    path.write_bytes(content)

    with left_as_it_was(path), pytest.raises(WrongKeyError):
        open_store(path, key)


def test_a_refusal_writes_nothing_to_the_journal_of_the_machine(path, key, capfd):
    fill(path, key)
    with pytest.raises(WrongKeyError):
        open_store(path, WRONG_KEY)

    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize("length", [0, 1, 100, PAGE_LENGTH - 1])
def test_a_file_cut_short_is_never_taken_for_a_new_store(path, key, tmp_path, length):
    path = leave_as_a_crash_would(path, key, tmp_path / "after the crash")
    path.write_bytes(path.read_bytes()[:length])

    with left_as_it_was(path), pytest.raises(DamagedStoreError, match="is cut short"):
        open_store(path, key)


def test_records_left_without_their_store_are_never_mixed_into_a_new_one(path, key, tmp_path):
    path = leave_as_a_crash_would(path, key, tmp_path / "after the crash")
    path.unlink()

    with left_as_it_was(path), pytest.raises(DamagedStoreError, match="bring it back"):
        open_store(path, key)


def test_a_store_of_a_newer_version_is_refused(path, key):
    engine = open_store(path, key)
    with writing(engine) as connection:
        connection.exec_driver_sql("PRAGMA user_version = 9")
    engine.dispose()

    with left_as_it_was(path), pytest.raises(NewerStoreError, match=r"version 9.* knows 3"):
        open_store(path, key)


def test_a_store_of_an_older_version_is_brought_to_this_one_with_all_that_is_in_it(path, key):
    engine = open_store(path, key)
    with writing(engine) as connection:
        connection.exec_driver_sql("INSERT INTO day VALUES ('2026-03-09', 1, 600, 15, 42, NULL)")
        connection.exec_driver_sql("ALTER TABLE day DROP COLUMN approaches")
        connection.exec_driver_sql("DROP TABLE unsure_day")
        connection.exec_driver_sql("PRAGMA user_version = 1")
    engine.dispose()

    engine = open_store(path, key)
    with reading(engine) as connection:
        rows = connection.exec_driver_sql("SELECT * FROM day").all()
    engine.dispose()
    assert rows == [("2026-03-09", 1, 600, 15, 42, None)]


def damage(path, page):
    """Flip a bit of a page, the first being 1."""
    content = bytearray(path.read_bytes())
    content[(page - 1) * PAGE_LENGTH + 2000] ^= 1
    path.write_bytes(content)


def page_of(path, key, table):
    engine = open_store(path, key)
    with reading(engine) as connection:
        page = connection.exec_driver_sql(
            "SELECT rootpage FROM sqlite_schema WHERE name = ?", (table,)
        ).scalar_one()
    engine.dispose()
    return page


def test_a_damaged_first_page_can_not_be_told_from_a_wrong_key(path, key):
    fill(path, key)
    damage(path, 1)

    with left_as_it_was(path), pytest.raises(WrongKeyError, match="or its first page is damaged"):
        open_store(path, key)


@pytest.mark.parametrize("table", ["log", "record", "publication", "day", "fact"])
def test_one_flipped_bit_in_any_other_page_is_damage(path, key, table):
    fill(path, key)
    damage(path, page_of(path, key, table))
    engine = open_store(path, key)

    with (
        left_as_it_was(path),
        pytest.raises(DamagedStoreError, match="keep all its files"),
        reading(engine) as connection,
    ):
        connection.exec_driver_sql(f"SELECT * FROM {table}")
    engine.dispose()


def test_a_store_that_lost_its_last_pages_is_damaged(path, key):
    fill(path, key, count=100)
    path.write_bytes(path.read_bytes()[: 3 * PAGE_LENGTH])

    with left_as_it_was(path), pytest.raises(DamagedStoreError, match="keep all its files"):
        seqs(path, key)


def test_damage_among_old_records_does_not_keep_a_new_one_out(path, key):
    fill(path, key, count=400)
    damage(path, path.stat().st_size // PAGE_LENGTH // 2)  # page after page of records
    engine = open_store(path, key)
    outbox = Outbox(engine)

    with pytest.raises(DamagedStoreError):
        outbox.next_run(500, 10**6, hold=None)
    assert outbox.put(sealed(999), half_day=0) == 401
    engine.dispose()


def test_a_full_disk_is_named_and_loses_nothing(small_disk, key):
    path = small_disk / "outbox.db"
    engine = open_store(path, key)
    outbox = Outbox(engine)
    with pytest.raises(FullDiskError, match="no space is left"):
        put_until_it_fails(outbox)
    head = outbox.extent().head.seq
    engine.dispose()

    assert head > 10
    assert seqs(path, key) == list(range(1, head + 1))


def test_a_kiosk_records_again_once_there_is_space(small_disk, key):
    path = small_disk / "outbox.db"
    engine = open_store(path, key)
    outbox = Outbox(engine)
    ballast = small_disk / "ballast"
    with ballast.open("wb") as file, pytest.raises(OSError, match="No space left"):
        file.write(bytes(2**20))
    with pytest.raises(FullDiskError):
        put_until_it_fails(outbox)
    head = outbox.extent().head.seq
    ballast.unlink()

    assert outbox.put(sealed(100), half_day=0) == head + 1
    engine.dispose()
    assert seqs(path, key) == list(range(1, head + 2))


def test_no_store_is_begun_on_a_full_disk(small_disk, key):
    with (small_disk / "ballast").open("wb") as file, pytest.raises(OSError, match="No space left"):
        file.write(bytes(2**20))

    with pytest.raises(FullDiskError):
        open_store(small_disk / "outbox.db", key)
    assert [file.name for file in small_disk.iterdir()] == ["ballast"]


def test_a_full_disk_is_named_when_a_kiosk_starts(small_disk, key):
    path = small_disk / "outbox.db"
    fill(path, key)
    with (small_disk / "ballast").open("wb") as file, pytest.raises(OSError, match="No space left"):
        file.write(bytes(2**20))

    with left_as_it_was(path), pytest.raises(FullDiskError):
        open_store(path, key)


def test_a_store_that_may_not_grow_is_a_full_disk(engine, outbox):
    @event.listens_for(engine, "checkout")
    def limit(connection, *_):
        connection.execute("PRAGMA max_page_count = 20")

    with pytest.raises(FullDiskError):
        put_until_it_fails(outbox)


def test_a_lock_held_for_too_long_is_named(engine, path, key):
    impatient = open_store(path, key, busy_timeout_s=0.01)
    with writing(engine), pytest.raises(BusyStoreError, match="try again"):
        Outbox(impatient).put(sealed(1), half_day=0)

    assert Outbox(impatient).put(sealed(1), half_day=0) == 1
    impatient.dispose()


def test_a_store_locked_when_a_kiosk_starts_is_named(engine, path, key):
    with writing(engine), pytest.raises(BusyStoreError):
        open_store(path, key, busy_timeout_s=0.01)


def test_a_missing_folder_is_named(tmp_path, key):
    with pytest.raises(StoreUnavailableError, match="No such file or directory"):
        open_store(tmp_path / "nowhere" / "outbox.db", key)


def test_a_folder_in_the_place_of_the_store_is_named(path, key):
    path.mkdir()

    with pytest.raises(StoreUnavailableError, match="Is a directory"):
        open_store(path, key)


def test_a_read_only_disk_is_named(small_disk, key):
    path = small_disk / "outbox.db"
    fill(path, key)
    subprocess.run(["mount", "-o", "remount,ro", small_disk], check=True)

    with left_as_it_was(path), pytest.raises(StoreUnavailableError, match="its folder is there"):
        open_store(path, key)


def test_a_store_whose_folder_went_away_is_named(path, key):
    engine = open_store(path, key)
    engine.dispose()
    shutil.rmtree(path.parent)

    with pytest.raises(StoreUnavailableError):
        Outbox(engine).put(sealed(1), half_day=0)


def test_nothing_is_put_into_an_open_store_that_nobody_finds_any_more(engine, outbox, path):
    outbox.put(sealed(1), half_day=0)
    elsewhere = path.parent.rename(path.parent.with_name("elsewhere"))
    with pytest.raises(StoreUnavailableError, match="its folder is there"):
        outbox.put(sealed(2), half_day=0)

    elsewhere.rename(path.parent)
    assert outbox.put(sealed(2), half_day=0) == 2


@contextmanager
def no_memory_for_sqlite():
    limit = ctypes.CDLL(sqlcipher3._sqlite3.__file__).sqlite3_hard_heap_limit64
    limit.argtypes, limit.restype = [ctypes.c_int64], ctypes.c_int64
    limit(1)
    try:
        yield
    finally:
        limit(0)


def test_no_memory_is_named_and_loses_nothing(engine, outbox):
    outbox.put(sealed(1), half_day=0)
    with no_memory_for_sqlite(), pytest.raises(NoMemoryError, match="no memory is left"):
        outbox.put(sealed(2), half_day=0)

    assert outbox.put(sealed(2), half_day=0) == 2
