"""A council's sites, kiosks and months of opened records, written straight into the tables.

What kiosks, intake and opening would leave behind, without running them, so that a year of a
dozen sites is there within a second. All that is drawn is drawn from one seed.
"""

import asyncio
from collections import defaultdict
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from random import Random
from typing import TypeVar

from sqlalchemy import Table, insert
from sqlalchemy.ext.asyncio import AsyncEngine

from sync_service.collector import tables
from sync_service.collector.database import open_engine, writing
from sync_service.collector.insight.disclosure import Disclosure
from sync_service.collector.insight.period import Month
from sync_service.collector.publishing import DEFAULT_QUESTIONNAIRES, read_questionnaire
from sync_service.collector.tables import KioskStanding, Opening
from sync_service.contract.publication import (
    Assignment,
    Body,
    Publication,
    Stands,
    publication_digest,
)
from sync_service.contract.record import Ending, InputMode, Misuse, half_day_of
from sync_service.contract.signing import SigningKey
from sync_service.contract.wire import Recorded

T = TypeVar("T")

PUBLISHING = SigningKey(bytes([3] * 32))


def at_noon(day: date) -> int:
    """A moment of that day, in seconds since 1970."""
    return int(datetime.combine(day, time(12), UTC).timestamp())


def half_day(day: date) -> int:
    """The morning of that day."""
    return half_day_of(datetime.combine(day, time(9)))


@dataclass
class Kiosk:
    """One kiosk with its one log. ``lacks`` are the seqs that never arrived."""

    name: str
    site: str
    questionnaire: str
    stamp_id: bytes
    log_id: bytes
    assignment: int
    seq: int = 0
    lacks: range | None = None

    def next_seq(self) -> int:
        """The number of its next record."""
        self.seq += 1
        return self.seq


class Council:
    """Gathers rows, and writes them into an engine's database."""

    def __init__(self, opened_on: date) -> None:
        self.opened_on = opened_on
        self.questionnaires = {
            questionnaire.id: questionnaire
            for questionnaire in map(read_questionnaire, DEFAULT_QUESTIONNAIRES)
        }
        self._random = Random(3)
        self._rows: dict[Table, list[dict[str, object]]] = {
            table: [] for table in tables.metadata.sorted_tables
        }
        self._serials: dict[str, int] = defaultdict(int)
        self._kiosks: list[Kiosk] = []
        self._add(tables.organisation, code="council", name="Penwith Council")
        self._add(tables.service, code="libraries", name="Libraries", organisation="council")
        self._add(tables.service, code="surgeries", name="GP surgeries", organisation="council")
        self._add(tables.place, code="E06000052", name="Penwith")
        self._asked = {
            questionnaire.id: self._publish(
                questionnaire,
                opened_on,
                questionnaire=questionnaire.id,
                version=questionnaire.version,
            )
            for questionnaire in self.questionnaires.values()
        }

    def site(self, code: str, name: str, questionnaire: str = "library") -> str:
        """Add a site and give its code."""
        self._add(
            tables.site,
            code=code,
            name=name,
            service={"library": "libraries", "gp": "surgeries"}[questionnaire],
            place="E06000052",
            timezone="Europe/London",
            languages="en cy",
            stands="exit",
            questionnaire=questionnaire,
        )
        return code

    def kiosk(
        self,
        site: str,
        name: str = "Front desk",
        *,
        questionnaire: str = "library",
        since: date | None = None,
        contact_on: date | None = None,
        waiting_since: date | None = None,
        standing: KioskStanding | None = KioskStanding.ENROLLED,
    ) -> Kiosk:
        """Add a kiosk; without a standing, a stamp that no kiosk has come with yet."""
        since = since or self.opened_on
        stamp_id = self._random.randbytes(16)
        self._add(
            tables.stamp,
            stamp_id=stamp_id,
            site=site,
            name=name,
            created_at=at_noon(since),
            code_digest=self._random.randbytes(32),
            code_expires_at=at_noon(since + timedelta(days=365)),
        )
        kiosk = Kiosk(name, site, questionnaire, stamp_id, self._random.randbytes(16), 0)
        self.assign(kiosk, site, since)
        if standing is not None:
            kiosk_id = self._random.randbytes(16)
            self._add(
                tables.kiosk,
                kiosk_id=kiosk_id,
                public_key=self._random.randbytes(32),
                stamp_id=stamp_id,
                standing=standing.value,
                asked_at=at_noon(since),
                enrolled_at=at_noon(since),
                contact_at=None if contact_on is None else at_noon(contact_on),
                software="regard/0.1.0",
                oldest_waiting=None if waiting_since is None else waiting_since.isoformat(),
            )
            if standing is not KioskStanding.HELD:
                since_s = at_noon(since)
                self._add(tables.stamped, kiosk_id=kiosk_id, stamp_id=stamp_id, since=since_s)
            self._add(tables.log, log_id=kiosk.log_id, kiosk_id=kiosk_id, begun_at=at_noon(since))
            self._kiosks.append(kiosk)
        return kiosk

    def assign(self, kiosk: Kiosk, site: str, on: date) -> None:
        """Assign a kiosk to a site; records made from now on are made there."""
        kiosk.site = site
        kiosk.assignment = self._publish(
            Assignment(
                stamp_id=kiosk.stamp_id,
                site=site,
                site_name=site,
                service="libraries",
                organisation="council",
                place="E06000052",
                timezone="Europe/London",
                languages=("en", "cy"),
                stands=Stands.EXIT,
                questionnaire=kiosk.questionnaire,
            ),
            on,
            stamp_id=kiosk.stamp_id,
            site=site,
        )

    def respond(
        self,
        kiosk: Kiosk,
        on: date,
        answers: Mapping[str, int],
        *,
        until: date | None = None,
        received_on: date | None = None,
        ending: Ending = Ending.COMPLETED,
        misuse: Misuse = Misuse.NONE,
    ) -> None:
        """Add a response: options' codes by items' names. ``until``: made then at the latest."""
        questionnaire = self.questionnaires[kiosk.questionnaire]
        codes = {questionnaire.by_name(name).code: code for name, code in answers.items()}
        place = self._opened(
            tables.response,
            kiosk,
            on,
            until or on,
            received_on or (until or on) + timedelta(days=1),
            questionnaire=self._asked[questionnaire.id],
            language="en",
            ending=ending.value,
            input_mode=InputMode.TOUCH.value,
            single_tap=False,
            text_size=0,
            misuse=misuse.value,
            offered=" ".join(map(str, codes)),
            skipped="",
        )
        for code, option in codes.items():
            self._add(tables.answer, **place, item=code, option=option)

    def month(
        self,
        kiosk: Kiosk,
        month: Month,
        number: int,
        *,
        dignity: float = 0.85,
        involvement: float = 0.6,
        abandoned: float = 0.08,
        misused: int = 0,
        received_on: date | None = None,
    ) -> None:
        """Add a month of responses, spread over its days, with these shares in the top boxes."""
        for row in range(number):
            answers = {
                "dignity": self._answer(dignity, last=3),
                "involvement": self._answer(involvement, last=3),
            }
            answers |= self._random.choice(
                (
                    {"joined_up": self._answer(0.5, last=3)},
                    {"involved": self._answer(0.15, last=5)},
                    {"willing": self._answer(0.25, last=3)},
                )
            )
            left_early = self._random.random() < abandoned
            self.respond(
                kiosk,
                month.start + timedelta(days=row * month.days // number),
                {"dignity": answers["dignity"]} if left_early else answers,
                received_on=received_on,
                ending=Ending.ABANDONED if left_early else Ending.COMPLETED,
                misuse=Misuse.TOO_FAST if row < misused else Misuse.NONE,
            )

    def days(
        self,
        kiosk: Kiosk,
        month: Month,
        days: Iterable[int] = range(1, 32),
        *,
        minutes: int = 540,
        out_of_service: int = 0,
    ) -> None:
        """Add the day records of some days of a month."""
        for number in days:
            if number <= month.days:
                day = month.start + timedelta(days=number - 1)
                self._opened(
                    tables.day,
                    kiosk,
                    day,
                    day,
                    day + timedelta(days=1),
                    minutes_available=minutes,
                    minutes_out_of_service=out_of_service,
                    sessions_begun=0,
                )

    def lose(self, kiosk: Kiosk, number: int) -> None:
        """Let some records never arrive."""
        kiosk.lacks = range(kiosk.seq + 1, kiosk.seq + number + 1)
        kiosk.seq += number

    def fork(self, kiosk: Kiosk, on: date) -> None:
        """Let a copy of the kiosk's card come to light."""
        self._branch(kiosk, 1, range(kiosk.seq, kiosk.seq + 1), kiosk.seq, on)

    def seal(self, kiosk: Kiosk, number: int, opening: Opening, received_on: date) -> None:
        """Add records that are not opened."""
        for _ in range(number):
            self._record(kiosk, received_on, opening)

    def disclosing(self, database: str, question: Callable[[Disclosure], Awaitable[T]]) -> T:
        """What the door says, asked once all of it is written into an empty database."""

        async def ask() -> T:
            engine = open_engine(database)
            try:
                await self.write(engine)
                return await question(Disclosure(engine, [PUBLISHING.verifying_key]))
            finally:
                await engine.dispose()

        return asyncio.run(ask())

    async def write(self, engine: AsyncEngine) -> None:
        """Write all of it."""
        for kiosk in self._kiosks:
            if kiosk.seq:
                whole = kiosk.lacks.start - 1 if kiosk.lacks else kiosk.seq
                self._branch(kiosk, 0, range(1, kiosk.seq + 1), whole, self.opened_on)
        async with writing(engine) as connection:
            for table, rows in self._rows.items():
                if rows:
                    columns = {name for row in rows for name in row}
                    full = [{name: row.get(name) for name in columns} for row in rows]
                    await connection.execute(insert(table), full)

    def _answer(self, top: float, last: int) -> int:
        return 1 if self._random.random() < top else self._random.randint(2, last)

    def _publish(self, body: Body, on: date, **columns: object) -> int:
        publication = Publication(1, at_noon(on), body)
        kind = publication.kind.value
        self._serials[kind] += 1
        serial = self._serials[kind]
        signed = Publication(serial, at_noon(on), body).sign(PUBLISHING)
        self._add(
            tables.publication,
            kind=kind,
            serial=serial,
            digest=publication_digest(signed),
            signed=signed,
            published_at=at_noon(on),
            **columns,
        )
        return serial

    def _opened(
        self,
        table: Table,
        kiosk: Kiosk,
        earliest: date,
        latest: date,
        received_on: date,
        **columns: object,
    ) -> dict[str, object]:
        place = self._record(kiosk, received_on, Opening.OPENED)
        self._add(
            table,
            **place,
            record_id=self._random.randbytes(16),
            assignment=kiosk.assignment,
            half_day=half_day(latest),
            clock_synced=earliest == latest,
            earliest_half_day=half_day(earliest),
            latest_half_day=half_day(latest),
            received_day=received_on.isoformat(),
            **columns,
        )
        return place

    def _record(self, kiosk: Kiosk, received_on: date, opening: Opening) -> dict[str, object]:
        place: dict[str, object] = {"log_id": kiosk.log_id, "branch": 0, "seq": kiosk.next_seq()}
        self._add(
            tables.record,
            **place,
            previous=bytes(32),
            sealed=b"sealed",
            received_at=at_noon(received_on),
            outcome=Recorded.ACCEPTED.value,
            opening=opening.value,
        )
        return place

    def _branch(self, kiosk: Kiosk, number: int, seqs: range, whole: int, on: date) -> None:
        self._add(
            tables.branch,
            log_id=kiosk.log_id,
            branch=number,
            begun_at=at_noon(on),
            from_seq=seqs.start,
            whole_seq=whole,
            whole_link=bytes(32),
            head_seq=seqs.stop - 1,
            head_link=bytes(32),
        )

    def _add(self, table: Table, **columns: object) -> None:
        self._rows[table].append(columns)
