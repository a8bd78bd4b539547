"""What a kiosk's store keeps, looked at as nobody at the site can: opened by the centre's key."""

from dataclasses import dataclass
from pathlib import Path

from kiosk_machine_process import COMMENT

from sync_service.contract.chain import Head, digest, first_link, link
from sync_service.contract.record import Response, decode_record
from sync_service.contract.sealing import OpeningKey
from sync_service.outbox.database import StoreKey, open_store, reading
from sync_service.outbox.outbox import Outbox


@dataclass(frozen=True)
class Kept:
    """The sealed records of the log in use, by their seq, and where each of them stands."""

    log_id: bytes
    head: Head
    sealed: dict[int, bytes]
    state: dict[int, str]

    @classmethod
    def look(cls, path: Path, key: StoreKey) -> "Kept":
        """Open a store and read all of it; what SQLCipher and SQLite find damaged fails here."""
        engine = open_store(path, key)
        try:
            with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
                # What the power interrupted is written back from the -wal file first: SQLCipher's
                # own check reads nothing else than the store's main file.
                connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)")
                assert connection.exec_driver_sql("PRAGMA cipher_integrity_check").all() == []
            with reading(engine) as connection:
                check = connection.exec_driver_sql("PRAGMA integrity_check").scalar_one()
                assert check == "ok"
                rows = connection.exec_driver_sql("SELECT * FROM record ORDER BY seq").all()
            extent = Outbox(engine).extent()
            return cls(
                extent.log_id,
                extent.head,
                {row.seq: row.sealed for row in rows},
                {row.seq: row.state for row in rows},
            )
        finally:
            engine.dispose()

    def check_chain(self, elsewhere: dict[int, bytes]) -> None:
        """Follow the chain to the head, over what is kept and what was purged and is elsewhere."""
        sealed = elsewhere | self.sealed
        head = Head(0, first_link(self.log_id))
        for seq in range(1, self.head.seq + 1):
            head = Head(seq, link(head.link, seq, digest(sealed[seq])))
        assert head == self.head


def number_of(sealed: bytes, log_id: bytes, opening: OpeningKey) -> int:
    """The number of a response that the machine's kiosk recorded."""
    response = decode_record(opening.open(sealed, log_id))
    assert isinstance(response, Response)
    return int(response.answers[COMMENT])
