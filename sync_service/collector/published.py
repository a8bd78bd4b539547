"""Publications as they stand in the database, verified and held by their serial."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from typing import Final, TypeVar

from sqlalchemy import ColumnElement, select
from sqlalchemy.ext.asyncio import AsyncConnection

from sync_service.collector import tables
from sync_service.contract.error import SignatureError
from sync_service.contract.publication import (
    Assignment,
    Body,
    Keys,
    Publication,
    PublicationKind,
    Replies,
)
from sync_service.contract.questionnaire import Questionnaire
from sync_service.contract.signing import VerifyingKey

B = TypeVar("B", bound=Body)

_KINDS: Final[Mapping[type[object], PublicationKind]] = {
    Assignment: PublicationKind.ASSIGNMENT,
    Keys: PublicationKind.KEYS,
    Questionnaire: PublicationKind.QUESTIONNAIRE,
    Replies: PublicationKind.REPLIES,
}
_AT_ONCE: Final = 500


class Published(Mapping[int, B]):
    """What the centre published of one kind, as far as it was loaded, by serial.

    A publication never changes, so one that is held is not read again; one that was not there is
    looked for again at the next `load`. ``keys`` are public publishing keys to begin with; those
    that came into force later are learned from the keys publications that hand over to them.
    """

    def __init__(self, body: type[B], keys: Sequence[VerifyingKey]) -> None:
        self._body = body
        self._keys = list(keys)
        self._held: dict[int, B] = {}
        self._published_at: dict[int, int] = {}

    def __getitem__(self, serial: int) -> B:
        return self._held[serial]

    def __iter__(self) -> Iterator[int]:
        return iter(self._held)

    def __len__(self) -> int:
        return len(self._held)

    def published_at(self, serial: int) -> int:
        """When what is held under this serial was published, in seconds since 1970, UTC.

        Raises:
            KeyError: nothing is held under it.
        """
        return self._published_at[serial]

    async def load(self, connection: AsyncConnection, serials: Iterable[int]) -> None:
        """Hold what is published under these serials; what is not there stays unknown.

        Raises:
            SignatureError: a publication was signed by none of the keys that can be known: the
                database was altered, or is another centre's.
            MalformedError: signed, but not of this version of the contract.
        """
        missing = sorted(set(serials) - self._held.keys())
        for start in range(0, len(missing), _AT_ONCE):
            wanted = tables.publication.c.serial.in_(missing[start : start + _AT_ONCE])
            await self._load(connection, wanted)

    async def load_all(self, connection: AsyncConnection) -> None:
        """Hold all that is published; raises what `load` raises."""
        kind, serial = tables.publication.c.kind, tables.publication.c.serial
        found = await connection.scalars(select(serial).where(kind == _KINDS[self._body].value))
        await self.load(connection, found)

    async def _load(self, connection: AsyncConnection, wanted: ColumnElement[bool]) -> None:
        kind = _KINDS[self._body]
        found = await connection.execute(
            select(tables.publication.c.serial, tables.publication.c.signed)
            .where(tables.publication.c.kind == kind.value, wanted)
            .order_by(tables.publication.c.serial)
        )
        for serial, signed in found.all():
            what = f"{kind.value} {serial}"
            publication = self._verify(signed)
            if publication is None:
                await self._learn(connection)
                publication = self._verify(signed)
            if publication is None:
                raise SignatureError(f"{what}: signed by none of the publishing keys known")
            if publication.serial != serial or not isinstance(publication.body, self._body):
                raise SignatureError(f"{what}: another publication stands in its place")
            self._held[serial] = publication.body
            self._published_at[serial] = publication.published_at

    async def _learn(self, connection: AsyncConnection) -> None:
        """Know the publishing keys that known ones have handed over to."""
        found = await connection.scalars(
            select(tables.publication.c.signed)
            .where(tables.publication.c.kind == PublicationKind.KEYS.value)
            .order_by(tables.publication.c.serial)
        )
        for signed in found:
            publication = self._verify(signed)
            if publication is not None and isinstance(publication.body, Keys):
                successor = publication.body.publishing
                self._keys += [] if successor in self._keys else [successor]

    def _verify(self, signed: bytes) -> Publication | None:
        for key in reversed(self._keys):  # most was signed by the newest
            with suppress(SignatureError):
                return Publication.verify(signed, key)
        return None
