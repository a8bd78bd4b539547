"""Stamping: what makes an image one site's kiosk."""

import secrets
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass

from sqlalchemy import insert, select, true, update
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from kiosk_app.layout.fit import StampJudge
from sync_service.collector import tables
from sync_service.collector.database import writing
from sync_service.collector.enrolment import CODE_VALID_S, code_digest, new_code
from sync_service.collector.error import OfficeError
from sync_service.collector.orders import Order
from sync_service.collector.publishing import Edition, Publisher, newest
from sync_service.collector.sites import MAX_NAME, assignment_to, find_site
from sync_service.contract.pin import PIN_COST, PinHash, new_pin
from sync_service.contract.publication import STAMP_ID_LENGTH, Assignment, PublicationKind
from sync_service.contract.stamp import Stamp, StampError


@dataclass(frozen=True, slots=True)
class Stamped:
    """A kiosk that was stamped. Its ``pin`` is known here and on its sheet only."""

    order: Order
    stamp: Stamp
    assignment: Assignment
    pin: str


@dataclass(frozen=True, slots=True)
class Stamping:
    """Makes stamps. ``address`` is where kiosks find the collector, ``authority`` the PEM of the
    certificate authority they trust for it, ``pin_cost`` what it costs to try a staff PIN.
    """

    engine: AsyncEngine
    publisher: Publisher
    address: str
    authority: bytes
    pin_cost: int = PIN_COST

    async def stamp(
        self, orders: Sequence[Order], now: int, keep: Callable[[Sequence[Stamped]], None]
    ) -> None:
        """Make the stamps of new kiosks, all of them or none, and hand them to ``keep``.

        Nothing is kept here either if ``keep`` raises an error.

        Raises:
            OfficeError: a site is unknown, a name is taken, or no kiosk would start from a stamp;
                the message names each order that can't be carried out, and why.
        """
        pins = [new_pin() for _ in orders]
        with ThreadPoolExecutor() as threads:  # before anybody has to wait for the database
            hashes = [*threads.map(lambda pin: PinHash.of(pin, self.pin_cost), pins)]
        judge = StampJudge()
        made: list[Stamped] = []
        faults: list[str] = []
        async with writing(self.engine) as connection:
            for order, pin, staff_pin in zip(orders, pins, hashes, strict=True):
                try:
                    stamp, assignment = await self._make(connection, order, staff_pin, now)
                    _check(stamp, judge)
                    made.append(Stamped(order, stamp, assignment, pin))
                except OfficeError as error:
                    faults += [f"{order.where}{line}" for line in str(error).splitlines()]
            if faults:
                raise OfficeError("\n".join(faults))
            keep(made)

    async def _make(
        self, connection: AsyncConnection, order: Order, staff_pin: PinHash, now: int
    ) -> tuple[Stamp, Assignment]:
        stamp_id, code = secrets.token_bytes(STAMP_ID_LENGTH), new_code()
        with _of_column("site"):
            site = await find_site(connection, order.site)
        with _of_column("name"):
            _check_name(order.name)
            await _refuse_taken(connection, site.code, order.name)
        await connection.execute(
            insert(tables.stamp).values(
                stamp_id=stamp_id,
                site=site.code,
                name=order.name,
                created_at=now,
                code_digest=code_digest(code),
                code_expires_at=now + CODE_VALID_S,
            )
        )
        assignment = await assignment_to(connection, site, stamp_id)
        assigned = await self.publisher.assignment(connection, assignment, now)
        keys = await newest(connection, PublicationKind.KEYS, true())
        questionnaire = await newest(
            connection,
            PublicationKind.QUESTIONNAIRE,
            tables.publication.c.questionnaire == site.questionnaire,
        )
        stamp = Stamp(
            collector=self.address,
            stamp_id=stamp_id,
            enrolment_code=code,
            publishing_key=(await self.publisher.signing_key(connection)).verifying_key,
            authority=self.authority,
            keys=_signed(keys, "keys"),
            assignment=assigned.signed,
            questionnaire=_signed(questionnaire, "questionnaire"),
            panel=order.panel,
            rotation=order.rotation,
            name=order.name,
            staff_pin=staff_pin,
            network=order.network,
        )
        return stamp, assignment

    async def move(self, site_code: str, name: str, to_site: str, now: int) -> Edition:
        """Assign a kiosk to another site, or to its own as that is now.

        It hears of it at its next contact. Records that it made before keep their site.

        Raises:
            OfficeError: there is no such kiosk or site, the kiosk has left for another stamp, or
                the name is taken there.
        """
        stamp = tables.stamp.c
        async with writing(self.engine) as connection:
            stamp_id = await connection.scalar(
                select(stamp.stamp_id).where(stamp.site == site_code, stamp.name == name)
            )
            if stamp_id is None:
                raise OfficeError(f"no kiosk {name} was stamped for the site {site_code}")
            await _refuse_left(connection, stamp_id, f"{name} at {site_code}")
            site = await find_site(connection, to_site)
            if site.code != site_code:
                await _refuse_taken(connection, site.code, name)
            await connection.execute(
                update(tables.stamp).where(stamp.stamp_id == stamp_id).values(site=site.code)
            )
            assignment = await assignment_to(connection, site, stamp_id)
            return await self.publisher.assignment(connection, assignment, now)

    async def assign_anew(self, connection: AsyncConnection, organisation: str, now: int) -> int:
        """Assign each kiosk of an organisation to its site as that is now; says how many changed.

        Works in the caller's writing transaction. They hear of it at their next contact.
        """
        found = await connection.execute(
            select(tables.stamp.c.stamp_id, tables.stamp.c.site)
            .join(tables.site, tables.site.c.code == tables.stamp.c.site)
            .join(tables.service, tables.service.c.code == tables.site.c.service)
            .where(tables.service.c.organisation == organisation)
            .order_by(tables.stamp.c.site, tables.stamp.c.name)
        )
        changed = 0
        for stamp_id, site_code in found.all():
            site = await find_site(connection, site_code)
            assignment = await assignment_to(connection, site, stamp_id)
            changed += (await self.publisher.assignment(connection, assignment, now)).is_new
        return changed


async def _refuse_taken(connection: AsyncConnection, site: str, name: str) -> None:
    stamp = tables.stamp.c
    taken = await connection.scalar(
        select(stamp.created_at).where(stamp.site == site, stamp.name == name)
    )
    if taken is not None:
        raise OfficeError(f"a kiosk {name} was stamped for the site {site} before: name another")


async def _refuse_left(connection: AsyncConnection, stamp_id: bytes, what: str) -> None:
    kiosk = tables.kiosk.c
    used = await connection.scalar(
        select(tables.was_used).where(tables.stamp.c.stamp_id == stamp_id)
    )
    heir = await connection.scalar(
        select(kiosk.kiosk_id).where(kiosk.stamp_id == stamp_id).limit(1)
    )
    if used and heir is None:
        raise OfficeError(
            f"the kiosk that was {what} goes by another stamp now:"
            " see `regard-collector kiosk list`"
        )


def _signed(edition: Edition | None, what: str) -> bytes:
    if edition is None:
        raise OfficeError(f"nothing of the kind {what} is published: publish it first")
    return edition.signed


def _check_name(name: str) -> None:
    if not 1 <= len(name) <= MAX_NAME or not name.isprintable():
        raise OfficeError(f"{name!r} can't be a name: use 1 to {MAX_NAME} printable characters")


def _check(stamp: Stamp, judge: StampJudge) -> None:
    """See that a kiosk would start from a stamp, as it will be read there."""
    try:
        refused = judge.why_refused(Stamp.unpack(stamp.pack()))
    except StampError as error:
        raise OfficeError(f"no kiosk would start from this stamp: {error}") from None
    if refused is not None:
        raise OfficeError(f"panel: no kiosk would start from this stamp: {refused}")


@contextmanager
def _of_column(column: str) -> Iterator[None]:
    """Put the name of an order's column before what is wrong there."""
    try:
        yield
    except OfficeError as error:
        raise OfficeError(f"{column}: {error}") from None
