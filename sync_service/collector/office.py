"""The office: where the central team's commands are carried out, and the tools that lie there."""

import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path

from argon2 import PasswordHasher
from sqlalchemy.ext.asyncio import AsyncEngine

from sync_service.collector.accounts import Accounts
from sync_service.collector.config import Centre
from sync_service.collector.database import check_schema, open_engine, reading
from sync_service.collector.enrolment import Enrolments
from sync_service.collector.error import OfficeError
from sync_service.collector.fleet import Fleet
from sync_service.collector.insight.disclosure import Disclosure
from sync_service.collector.intake import Intake
from sync_service.collector.keyring import Keyring, Signs
from sync_service.collector.published import Published
from sync_service.collector.publishing import Publisher
from sync_service.collector.replies import Editor
from sync_service.collector.rotation import receipt_key
from sync_service.collector.salvaging import Salvaging
from sync_service.collector.stamping import Stamping
from sync_service.collector.taking import Taking
from sync_service.contract.publication import Keys
from sync_service.contract.signing import SigningKey


@dataclass(frozen=True, slots=True)
class Office:
    """A collector's folder and its database, and what is made of them for the central team.

    ``now`` is when the command was given, in seconds since 1970.
    """

    centre: Centre
    engine: AsyncEngine
    now: int

    @property
    def today(self) -> date:
        """The day, in UTC."""
        return datetime.fromtimestamp(self.now, UTC).date()

    @property
    def keyring(self) -> Keyring:
        """The centre's keys."""
        return Keyring(self.centre.keys)

    async def receipt_key(self) -> SigningKey:
        """What receipts and statements are signed by."""
        async with reading(self.engine) as connection:
            return await receipt_key(connection, self.keyring)

    async def taking(self) -> Taking:
        """What takes in bundles that were carried here."""
        key = await self.receipt_key()
        return Taking(
            self.engine,
            intake=Intake(self.engine, key, Published(Keys, self.keyring.publishing_keys())),
            fleet=Fleet(self.engine, key),
            enrolments=Enrolments(self.engine, key),
            receipt_key=key,
        )

    async def salvaging(self) -> Salvaging:
        """What delivers from the cards of dead kiosks."""
        key, keyring = await self.receipt_key(), self.keyring
        return Salvaging(
            keyring.opening_keys(),
            intake=Intake(self.engine, key, Published(Keys, keyring.publishing_keys())),
            enrolments=Enrolments(self.engine, key),
        )

    @property
    def accounts(self) -> Accounts:
        """Who may sign in to the pages."""
        return Accounts(self.engine, PasswordHasher())

    @property
    def publisher(self) -> Publisher:
        """What signs publications."""
        signing_keys = self.keyring.signing_keys(Signs.PUBLICATIONS)
        return Publisher(signing_keys, self.keyring.publishing_keys())

    @property
    def editor(self) -> Editor:
        """What makes drafts of replies fit to be published."""
        disclosure = Disclosure(self.engine, self.keyring.publishing_keys())
        return Editor(disclosure, self.centre.settings.links)

    @property
    def stamping(self) -> Stamping:
        """What makes stamps."""
        try:
            authority = self.centre.authority.read_bytes()
        except OSError as error:
            raise OfficeError(f"{self.centre.authority}: can't be read: {error.strerror}") from None
        return Stamping(self.engine, self.publisher, self.centre.settings.address, authority)


@asynccontextmanager
async def open_office(folder: Path) -> AsyncIterator[Office]:
    """The office of the collector in a folder, until the end of the block.

    Raises:
        SettingsError: there is none, or its settings can't be used.
        SchemaError: its database is of another version of Regard.
        BusyError: its database is away.
    """
    centre = Centre.read(folder)
    engine = open_engine(centre.database_url)
    try:
        await check_schema(engine)
        yield Office(centre, engine, int(time.time()))
    finally:
        await engine.dispose()
