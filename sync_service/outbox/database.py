"""The store: one encrypted SQLite file that the kiosk and its agent share.

SQLCipher under a raw key, WAL, synchronous=FULL: what was committed survives a power cut. A store
is made whole elsewhere and then put in its place, so a file that is there is a store, or is
refused by a named error before anything is written to it.

::

    OutboxError
    ├── MalformedKeyError       no key can be read there: mend the credential
    ├── PlaintextStoreError     not encrypted: move the file away, keep it, ask who made it
    ├── WrongKeyError           wrong key, or not a store: bring the right key
    ├── DamagedStoreError       pages are damaged: the kiosk begins another, see `renewal`
    ├── FullDiskError           no space: nothing was written; try again when there is some
    ├── NewerStoreError         made by a newer version: install that version
    ├── BusyStoreError          another process held the lock for too long: try again
    ├── NoMemoryError           no memory: nothing was written; try again when there is some
    ├── StoreUnavailableError   folder missing, read-only, failing card: mend it, try again
    ├── UnstampedError          no stamp was given to this store: call `State.begin`
    └── DamagedIdentityError    the identity doesn't open: bring the right key, or enrol anew
"""

import errno
import os
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from shutil import disk_usage
from tempfile import TemporaryDirectory
from typing import Any, Final, Literal, Self, TypeAlias

import sqlcipher3.dbapi2 as sqlcipher
from sqlalchemy import Connection, Engine, create_engine, event, text
from sqlalchemy.engine.interfaces import ExceptionContext
from sqlalchemy.exc import DisconnectionError
from sqlalchemy.pool import ConnectionPoolEntry, QueuePool

from sync_service.contract.chain import first_link
from sync_service.contract.sealing import LOG_ID_LENGTH, MAX_SEALED_LENGTH, STORE_KEY_LENGTH

CREDENTIAL: Final = "store-key"
"""The name of the credential by which systemd hands over the store's key."""

BUSY_TIMEOUT_S: Final = 10.0
"""How long a writer waits for the other process; a card's fsync can take seconds."""

_ALONE_TIMEOUT_S: Final = 1.0  # whoever has a store open does not soon close it

_PLAINTEXT: Final = b"SQLite format 3\x00"
_PAGE_LENGTH: Final = 4096  # SQLCipher 4's own
_SHM_LENGTH: Final = 32 * 1024
_HEX_KEY: Final = re.compile(rb"([0-9A-Fa-f]{64})\r?\n?")
_WRITING: Final = "writing"
_FILE: Final = "file"
_Mode: TypeAlias = Literal["rw", "ro", "alone"]


class OutboxError(Exception):
    """The store, the key or the identity can't be used; the kinds below say what to do."""


class MalformedKeyError(OutboxError):
    """The credential can't be read or holds no key. Mend it; no store was touched."""


class PlaintextStoreError(OutboxError):
    """The file is an unencrypted database. Move it away and keep it; find out who made it."""


class WrongKeyError(OutboxError):
    """The key is wrong, or the file is no store, or its very first page is damaged.

    SQLCipher can't tell these apart. Bring the key the store was made with; the file is as it was.
    """


class DamagedStoreError(OutboxError):
    """Part of the store can't be read back as it was written.

    Keep all its files for the central team; the kiosk begins a new store by itself.
    """


class FullDiskError(OutboxError):
    """There is no space left. Nothing of the transaction was kept; try again when there is some."""


class NewerStoreError(OutboxError):
    """A newer version of the software made the store. Install that version; nothing was changed."""


class BusyStoreError(OutboxError):
    """Another process held the lock for longer than the busy timeout. Try again."""


class NoMemoryError(OutboxError):
    """There is no memory left. Nothing was kept of the transaction; try again when there is."""


class StoreUnavailableError(OutboxError):
    """The folder is missing, read-only or not ours, or the card fails. Mend it and try again."""


@dataclass(frozen=True, slots=True)
class StoreKey:
    """The key of a store: 32 raw bytes, never a passphrase. ``secret`` is shown nowhere.

    Raises:
        MalformedKeyError: not 32 bytes.
    """

    secret: bytes = field(repr=False)

    def __post_init__(self) -> None:
        if len(self.secret) != STORE_KEY_LENGTH:
            raise MalformedKeyError(f"a store's key is {STORE_KEY_LENGTH} bytes")

    @classmethod
    def find(
        cls, named: str | None, environ: Mapping[str, str], credential: str = CREDENTIAL
    ) -> Self:
        """The key in the file ``named``, or else in the credential that systemd hands over.

        Raises:
            MalformedKeyError: there is neither, or no key can be read there.
        """
        if named is not None:
            return cls.read(Path(named))
        folder = environ.get("CREDENTIALS_DIRECTORY")
        if folder is None:
            raise MalformedKeyError(
                f"no file of a key was named, and systemd handed over no credential {credential}:"
                " set store_key, or name the new key, as the command's help says"
            )
        return cls.read(Path(folder, credential))

    @classmethod
    def read(cls, path: Path) -> Self:
        """The key in a credential file: 64 hexadecimal digits on a line, or 32 raw bytes.

        Raises:
            MalformedKeyError: the file can't be read, or holds neither.
        """
        try:
            data = path.read_bytes()
        except OSError as error:
            raise MalformedKeyError(f"{path}: can't be read: {error.strerror}") from None
        if len(data) == STORE_KEY_LENGTH:
            return cls(data)
        if digits := _HEX_KEY.fullmatch(data):
            return cls(bytes.fromhex(digits[1].decode()))
        raise MalformedKeyError(
            f"{path}: must hold 64 hexadecimal digits, or {STORE_KEY_LENGTH} raw bytes"
        )


MIGRATIONS: Final[tuple[tuple[str, ...], ...]] = (
    (
        # A store begins with one log; after a fork it goes on with a new one. The newest is in use.
        """
        CREATE TABLE log (
            number INTEGER PRIMARY KEY,
            log_id BLOB NOT NULL UNIQUE CHECK (length(log_id) = 16),
            head_seq INTEGER NOT NULL CHECK (head_seq >= 0),
            head_link BLOB NOT NULL CHECK (length(head_link) = 32),
            settled_seq INTEGER NOT NULL CHECK (settled_seq BETWEEN 0 AND head_seq)
        ) STRICT
        """,
        # One tree, in the order of the log: a put writes no index but that of what waits.
        f"""
        CREATE TABLE record (
            log INTEGER NOT NULL REFERENCES log (number),
            seq INTEGER NOT NULL CHECK (seq > 0),
            previous BLOB NOT NULL CHECK (length(previous) = 32),
            sealed BLOB NOT NULL CHECK (length(sealed) BETWEEN 1 AND {MAX_SEALED_LENGTH}),
            half_day INTEGER NOT NULL CHECK (half_day >= 0),
            state TEXT NOT NULL CHECK (state IN ('waiting', 'delivered', 'quarantined')),
            outcome INTEGER,
            settled_day TEXT CHECK (length(settled_day) = 10),
            PRIMARY KEY (log, seq),
            CHECK ((state = 'waiting') = (outcome IS NULL)),
            CHECK ((state = 'waiting') = (settled_day IS NULL))
        ) STRICT, WITHOUT ROWID
        """,
        "CREATE INDEX record_waiting ON record (log, seq, half_day) WHERE state = 'waiting'",
        # signed_by is the publishing key that was in force when it was taken.
        """
        CREATE TABLE publication (
            kind TEXT NOT NULL,
            serial INTEGER NOT NULL CHECK (serial > 0),
            signed BLOB NOT NULL,
            signed_by BLOB NOT NULL,
            PRIMARY KEY (kind, serial)
        ) STRICT
        """,
        # A record counts at most 65535 of each; a clock that stands still in time could pass it.
        """
        CREATE TABLE day (
            day TEXT NOT NULL CHECK (length(day) = 10),
            assignment INTEGER NOT NULL CHECK (assignment > 0),
            minutes_available INTEGER NOT NULL CHECK (minutes_available BETWEEN 0 AND 65535),
            minutes_out_of_service INTEGER NOT NULL
                CHECK (minutes_out_of_service BETWEEN 0 AND 65535),
            sessions_begun INTEGER NOT NULL CHECK (sessions_begun BETWEEN 0 AND 65535),
            PRIMARY KEY (day, assignment)
        ) STRICT
        """,
        "CREATE TABLE fact (name TEXT PRIMARY KEY, value ANY NOT NULL) STRICT",
    ),
    # NULL: no sensor noticed that day whether anybody came.
    ("ALTER TABLE day ADD COLUMN approaches INTEGER CHECK (approaches BETWEEN 0 AND 65535)",),
    (
        # What was counted while the clock was not sure, of days that may be others than it said.
        """
        CREATE TABLE unsure_day (
            day TEXT NOT NULL CHECK (length(day) = 10),
            assignment INTEGER NOT NULL CHECK (assignment > 0),
            minutes_available INTEGER NOT NULL CHECK (minutes_available BETWEEN 0 AND 65535),
            minutes_out_of_service INTEGER NOT NULL
                CHECK (minutes_out_of_service BETWEEN 0 AND 65535),
            sessions_begun INTEGER NOT NULL CHECK (sessions_begun BETWEEN 0 AND 65535),
            approaches INTEGER CHECK (approaches BETWEEN 0 AND 65535),
            PRIMARY KEY (day, assignment)
        ) STRICT
        """,
    ),
)
"""What brings a store from one version to the next: statements of one transaction each.

Expand only: what an older version reads and writes stays as it is.
"""


def open_store(path: Path, key: StoreKey, busy_timeout_s: float = BUSY_TIMEOUT_S) -> Engine:
    """Open the store at ``path``, or make it if nothing is there.

    Where another was begun because this one was damaged, it is that other one, from the next
    transaction on if that happens later. A store that can't be opened is left byte for byte as it
    was.

    Raises:
        OutboxError: one of its kinds; each says what to do.
    """
    with naming_file_errors(path):
        if not newest_store(path).exists():
            create_store(path, key)
        _examine(newest_store(path), key, busy_timeout_s)
    engine = _engine(lambda: newest_store(path), key, busy_timeout_s, "rw")
    try:
        migrate(engine, MIGRATIONS)
    except BaseException:
        engine.dispose()
        raise
    return engine


def newest_store(path: Path) -> Path:
    """The store in use: the last of those that were begun after the one at ``path``."""
    newest = path
    for number in count(2):
        following = path.with_name(f"{path.stem}-{number}{path.suffix}")
        try:
            following.stat()
        except FileNotFoundError:
            break
        except OSError:  # whoever opens it will hear what it is; the one before must not be used
            return following
        newest = following
    return newest


def following_store(path: Path) -> Path:
    """Where a store is begun that shall be used in place of those at ``path`` and after it."""
    newest = newest_store(path)
    number = 2 if newest == path else 1 + int(newest.stem.removeprefix(f"{path.stem}-"))
    return path.with_name(f"{path.stem}-{number}{path.suffix}")


@contextmanager
def writing(engine: Engine) -> Iterator[Connection]:
    """A transaction that holds the write lock from its beginning; commits at the end of `with`."""
    with engine.connect() as connection, connection.execution_options(**{_WRITING: True}).begin():
        yield connection


def reading(engine: Engine) -> AbstractContextManager[Connection]:
    """A transaction that sees the store as it stands at its first statement, and writes nothing."""
    return engine.connect()


@contextmanager
def naming_file_errors(path: Path) -> Iterator[None]:
    """Tell of a failure to read or write files around ``path`` by this package's errors.

    Raises:
        FullDiskError: no space.
        StoreUnavailableError: anything else that the operating system refused.
    """
    try:
        yield
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise FullDiskError(_FULL.message(path)) from error
        raise StoreUnavailableError(f"{_UNAVAILABLE.message(path)}: {error.strerror}") from error


def sync_folder(folder: Path) -> None:
    """Make sure that the names in a folder survive a power cut."""
    _sync_file(folder)


def _sync_file(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def create_store(
    path: Path, key: StoreKey, furnish: Callable[[Connection], None] = lambda connection: None
) -> None:
    """Make a whole store and link it into place; of two processes at once, the first one wins.

    ``furnish`` puts into it what shall be there before its own log begins.
    """

    def begin(connection: Connection) -> None:
        furnish(connection)
        begin_log(connection)

    changes = path.with_name(f"{path.name}-wal")
    if changes.exists() and changes.stat().st_size > 0:
        # SQLite would take them for the new store's own.
        raise DamagedStoreError(
            f"{path}: is gone, but {changes.name} is there, with its latest changes: bring it back"
        )
    with _made_aside(path, key, begin) as fresh:
        try:
            path.hardlink_to(fresh)
        except FileExistsError:
            return
        sync_folder(path.parent)


def replace_store(
    path: Path, key: StoreKey, new_key: StoreKey, copy: Callable[[Connection, Connection], None]
) -> None:
    """Make a whole store under another key, and put it in the place of the one at ``path``.

    ``copy`` fills it, from the one to the other. Until it is done, nobody can open either.

    Raises:
        BusyStoreError: another process has the store open; nothing was changed.
    """
    engine = open_alone(path, key)
    try:
        with engine.connect() as old:
            old.exec_driver_sql("ROLLBACK")  # of the transaction that each connection begins with
            # SQLite goes by names, and would take what is left in the -wal for the new store's.
            old.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)")
            _sync_file(path.with_name(f"{path.name}-wal"))
            with _made_aside(path, new_key, lambda fresh: copy(old, fresh)) as fresh:
                fresh.replace(path)
                sync_folder(path.parent)
    finally:
        engine.dispose()


@contextmanager
def _made_aside(path: Path, key: StoreKey, furnish: Callable[[Connection], None]) -> Iterator[Path]:
    """A whole store in a folder of its own beside ``path``, until the end of the block."""
    with TemporaryDirectory(dir=path.parent, prefix=f".{path.name}-") as folder:
        fresh = Path(folder) / path.name
        # Kiosk and agent may be two users of one group; its -wal and -shm take after it.
        fresh.touch(mode=0o660)
        engine = _engine(lambda: fresh, key, BUSY_TIMEOUT_S, "rw")
        try:
            migrate(engine, MIGRATIONS)
            with writing(engine) as connection:
                furnish(connection)
        finally:
            engine.dispose()  # the last one out writes everything into the one file
        yield fresh


def _examine(path: Path, key: StoreKey, busy_timeout_s: float) -> None:
    """Refuse what is not our store, without writing to it.

    Hence the read-only connection: even under a wrong key, an ordinary one would write the latest
    changes back from the -wal file when it closes.
    """
    with path.open("rb") as file:
        first_page = file.read(_PAGE_LENGTH)
    if first_page.startswith(_PLAINTEXT):
        raise PlaintextStoreError(
            f"{path}: is not encrypted; move it away, keep it, and find out who made it"
        )
    if len(first_page) < _PAGE_LENGTH:
        # SQLite would take an empty file for a new store, and delete the latest changes beside it.
        raise DamagedStoreError(f"{path}: is cut short, so {_DAMAGED.advice}")
    engine = open_to_read(path, key, busy_timeout_s)
    try:
        with reading(engine) as connection:
            version = _version(connection)
    finally:
        engine.dispose()
    if version > len(MIGRATIONS):
        raise NewerStoreError(
            f"{path}: is of version {version}, this software knows {len(MIGRATIONS)}:"
            " install the newer software"
        )


def open_to_read(path: Path, key: StoreKey, busy_timeout_s: float = BUSY_TIMEOUT_S) -> Engine:
    """The very store at ``path``, in whatever state it is, and never to be written to."""
    return _engine(lambda: path, key, busy_timeout_s, "ro")


def open_alone(path: Path, key: StoreKey) -> Engine:
    """The very store at ``path``, which nobody else can open from the first transaction on.

    Each method of what is made of it raises a `BusyStoreError` if another process has it open.
    """
    return _engine(lambda: path, key, _ALONE_TIMEOUT_S, "alone")


def migrate(engine: Engine, migrations: Sequence[Sequence[str]]) -> None:
    """Bring a store to the version that these migrations end with, one transaction a version."""
    while True:
        with writing(engine) as connection:
            version = _version(connection)
            if version == len(migrations):
                return
            for statement in migrations[version]:
                connection.exec_driver_sql(statement)
            connection.exec_driver_sql(f"PRAGMA user_version = {version + 1}")


def _version(connection: Connection) -> int:
    return int(connection.exec_driver_sql("PRAGMA user_version").scalar_one())


def begin_log(connection: Connection) -> bytes:
    """Begin a log; it is the one in use from then on. Gives its id."""
    log_id = os.urandom(LOG_ID_LENGTH)
    connection.execute(
        text(
            "INSERT INTO log (log_id, head_seq, head_link, settled_seq)"
            " VALUES (:log_id, 0, :link, 0)"
        ),
        {"log_id": log_id, "link": first_link(log_id)},
    )
    return log_id


def _engine(find: Callable[[], Path], key: StoreKey, busy_timeout_s: float, mode: _Mode) -> Engine:
    def connect() -> Any:
        return _connect(find(), key, busy_timeout_s, mode)

    engine = create_engine(
        "sqlite://",
        module=sqlcipher,
        creator=connect,
        # Open connections are kept and lent to whichever thread asks: the dialect's own choice
        # keeps one a thread and never closes it, and with none kept, every transaction would end
        # as the last one out and write the whole -wal back.
        poolclass=QueuePool,
        hide_parameters=True,
    )

    @event.listens_for(engine, "connect")
    def remember_file(connection: Any, record: ConnectionPoolEntry) -> None:
        record.info[_FILE] = _file_at(find())

    @event.listens_for(engine, "checkout")
    def see_that_it_is_there(connection: Any, record: ConnectionPoolEntry, *_: object) -> None:
        """What is put into a file that nobody finds any more would be thanked for, and lost."""
        if record.info[_FILE] != _file_at(find()):
            raise DisconnectionError  # and so another connection is made, if there is a store

    @event.listens_for(engine, "begin")
    def begin(connection: Connection) -> None:
        writes = connection.get_execution_options().get(_WRITING, False)
        connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")

    @event.listens_for(engine, "handle_error")
    def name_error(context: ExceptionContext) -> OutboxError | None:
        path = find()
        if isinstance(context.original_exception, MemoryError):
            return _NO_MEMORY.error(_NO_MEMORY.message(path))
        code = getattr(context.original_exception, "sqlite_errorcode", 0)
        fault = _FAULTS.get(code)
        if fault is None:
            return None
        if code == sqlcipher.SQLITE_IOERR and _is_full(path):
            fault = _FULL
        # A connection that met a damaged page or a failing card is of no more use.
        context.is_disconnect = fault.ends_connection
        return fault.error(fault.message(path))

    return engine


def _connect(path: Path, key: StoreKey, busy_timeout_s: float, mode: _Mode) -> Any:
    connection = sqlcipher.connect(
        f"{path.absolute().as_uri()}?mode={'ro' if mode == 'ro' else 'rw'}",
        uri=True,
        timeout=busy_timeout_s,
        isolation_level=None,  # we say BEGIN ourselves
        check_same_thread=False,  # the pool lends a connection to one thread at a time
    )
    try:
        for pragma in (
            "cipher_log_level = NONE",  # before all else: it writes pages to stderr otherwise
            f"key = \"x'{key.secret.hex()}'\"",
            *(("locking_mode = EXCLUSIVE",) if mode == "alone" else ()),
            "journal_mode = WAL",
            "synchronous = FULL",
            "foreign_keys = ON",
            "secure_delete = ON",
            "temp_store = MEMORY",  # a temporary file would not be encrypted
            "cache_size = -1024",  # KiB; the default, 8 MB, fills as months of records come
        ):
            connection.execute(f"PRAGMA {pragma}")
    except sqlcipher.Error:
        connection.close()
        raise
    return connection


def _file_at(path: Path) -> tuple[int, int] | None:
    """Which file has that name now."""
    try:
        status = path.stat()
    except OSError:
        return None
    return status.st_dev, status.st_ino


def _is_full(path: Path) -> bool:
    """Whether the disk has no room even for the -shm file; SQLite calls that an I/O error."""
    try:
        return disk_usage(path.parent).free < _SHM_LENGTH
    except OSError:
        return False


@dataclass(frozen=True, slots=True)
class _Fault:
    """What one of SQLite's error codes means here."""

    error: type[OutboxError]
    advice: str
    ends_connection: bool = False

    def message(self, path: Path) -> str:
        return f"{path}: {self.advice}"


_UNAVAILABLE: Final = _Fault(
    StoreUnavailableError,
    "can't be read or written; see that its folder is there and ours, and that the card is sound",
    ends_connection=True,
)
_FULL: Final = _Fault(FullDiskError, "no space is left; free some, nothing else is lost")
_DAMAGED: Final = _Fault(
    DamagedStoreError, "damaged; keep all its files, and start a new store", ends_connection=True
)
_NO_MEMORY: Final = _Fault(NoMemoryError, "no memory is left; free some, nothing else is lost")
_BUSY: Final = _Fault(BusyStoreError, "another process held the lock for too long; try again")

_FAULTS: Final[dict[int, _Fault]] = {
    sqlcipher.SQLITE_NOTADB: _Fault(
        WrongKeyError,
        "the key is wrong, or this is no store, or its first page is damaged; bring the right key",
        ends_connection=True,
    ),
    sqlcipher.SQLITE_CORRUPT: _DAMAGED,
    sqlcipher.SQLITE_FULL: _FULL,
    sqlcipher.SQLITE_BUSY: _BUSY,
    sqlcipher.SQLITE_READONLY: _UNAVAILABLE,
    sqlcipher.SQLITE_CANTOPEN: _UNAVAILABLE,
    sqlcipher.SQLITE_IOERR: _UNAVAILABLE,
    sqlcipher.SQLITE_PERM: _UNAVAILABLE,
    sqlcipher.SQLITE_PROTOCOL: _UNAVAILABLE,
}
