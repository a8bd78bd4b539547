"""Journeys: which bundles left this kiosk by hand, and may still be replied to.

A bundle is known by the nonce of its requests, which its reply repeats weeks later. So the nonces
are kept until a reply has come: to that bundle, or to one that was written after it. What is shown
then is stale, as an old reply from the network is.
"""

from collections.abc import Sequence
from typing import Final

from sqlalchemy import Connection, Engine

from sync_service.contract.sealing import LOG_ID_LENGTH
from sync_service.contract.wire import NONCE_LENGTH
from sync_service.outbox.database import reading, writing
from sync_service.outbox.fact import keep_fact, read_fact

MAX_JOURNEYS: Final = 64
"""How many bundles without a reply are remembered; each holds all that those before it did."""

_UNDER_WAY: Final = "journeys"
_RETURNED: Final = "journey_returned"


class Journeys:
    """The bundles of one store. Every method may raise an `OutboxError`."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def begin(self, nonce: bytes, log_id: bytes) -> None:
        """Remember a bundle, before it leaves, and the log that its status is about.

        The oldest of too many is forgotten.
        """
        with writing(self._engine) as connection:
            _keep(connection, [*_under_way(connection), nonce + log_id][-MAX_JOURNEYS:])

    def log_of(self, nonce: bytes) -> bytes | None:
        """The log that a bundle's status was about; None if no reply to it is waited for."""
        with reading(self._engine) as connection:
            logs = {each[:NONCE_LENGTH]: each[NONCE_LENGTH:] for each in _under_way(connection)}
        return logs.get(nonce)

    def returned(self, nonce: bytes) -> bool:
        """Whether the last reply that was settled is the one to this bundle."""
        with reading(self._engine) as connection:
            return bool(read_fact(connection, _RETURNED) == nonce)

    def end(self, nonce: bytes) -> None:
        """Wait no more for a reply to this bundle, now settled, nor to any before it."""
        with writing(self._engine) as connection:
            bundles = _under_way(connection)
            settled = [each.startswith(nonce) for each in bundles]
            _keep(connection, bundles[settled.index(True) + 1 :] if any(settled) else bundles)
            keep_fact(connection, _RETURNED, nonce)


def _under_way(connection: Connection) -> list[bytes]:
    """Of each bundle its nonce and its log's id in one, oldest first."""
    joined = read_fact(connection, _UNDER_WAY) or b""
    length = NONCE_LENGTH + LOG_ID_LENGTH
    return [joined[at : at + length] for at in range(0, len(joined), length)]


def _keep(connection: Connection, bundles: Sequence[bytes]) -> None:
    keep_fact(connection, _UNDER_WAY, b"".join(bundles) or None)
