"""A small centre with one kiosk, whose records are held as intake leaves them."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

from sqlalchemy import insert, select

from sync_service.collector import tables
from sync_service.collector.database import migrate, open_engine, reading, writing
from sync_service.collector.opening import Opener
from sync_service.collector.tables import Opening
from sync_service.contract.chain import LINK_LENGTH
from sync_service.contract.publication import (
    Answer,
    Assignment,
    Outcome,
    Publication,
    Replies,
    Stands,
    publication_digest,
)
from sync_service.contract.questionnaire import Questionnaire
from sync_service.contract.record import (
    ClockEvidence,
    DayRecord,
    Ending,
    Fairness,
    Helped,
    InputMode,
    Misuse,
    Moment,
    Response,
    Verdict,
    encode_record,
    half_day_of,
)
from sync_service.contract.sealing import OpeningKey
from sync_service.contract.signing import SigningKey

KEY = OpeningKey(bytes([1] * 32))
OTHER_KEY = OpeningKey(bytes([2] * 32))
PUBLISHING = SigningKey(bytes([3] * 32))
SECRET = bytes([4] * 32)

STAMP = bytes([5] * 16)
OTHER_STAMP = bytes([6] * 16)
KIOSK = bytes([7] * 16)
LOG = bytes([8] * 16)

STAMPED_AT = int(datetime(2026, 3, 2, 9, tzinfo=UTC).timestamp())
RECEIVED_AT = int(datetime(2026, 3, 14, 15, tzinfo=UTC).timestamp())
MORNING = half_day_of(datetime(2026, 3, 10, 9))
UNSYNCED = ClockEvidence(b"boot", 5)

ASSIGNMENT = Assignment(
    stamp_id=STAMP,
    site="central-library",
    site_name="Central Library",
    service="libraries",
    organisation="council",
    place="W06000015",
    timezone="Europe/London",
    languages=("en", "cy"),
    stands=Stands.EXIT,
    questionnaire="visit",
)


def rating(code, name):
    return {
        "code": code,
        "name": name,
        "kind": "rating",
        "provenance": "New",
        "text": {"en": f"How about {name}?", "cy": f"Beth am {name}?"},
        "options": [
            {"code": 1, "name": "yes", "text": {"en": "Yes", "cy": "Ie"}},
            {"code": 2, "name": "no", "text": {"en": "No", "cy": "Na"}},
        ],
    }


QUESTIONNAIRE = Questionnaire.from_document(
    {
        "id": "visit",
        "version": 1,
        "title": {"en": "Your visit", "cy": "Eich ymweliad"},
        "languages": ["en", "cy"],
        "ask": [["dignity"], ["involvement"], ["comment"]],
        "items": [
            rating(1, "dignity"),
            rating(2, "involvement"),
            {
                "code": 3,
                "name": "comment",
                "kind": "text",
                "provenance": "New",
                "max_length": 40,
                "text": {"en": "Anything else?", "cy": "Unrhyw beth arall?"},
            },
        ],
    }
)
REPLIES = Replies(
    "central-library",
    (
        Answer(
            code=4,
            said={"en": "It was cold."},
            outcome=Outcome.DID,
            reply={"en": "We mended it."},
            signed_by={"en": "The manager"},
        ),
    ),
)
RESPONSE = Response(
    assignment=1,
    moment=Moment(MORNING),
    language="cy",
    questionnaire=1,
    offered=(2, 1, 3),
    answers={1: 2, 3: "Diolch"},
    skipped=(2,),
    ending=Ending.ABANDONED,
    input_mode=InputMode.KEYPAD,
    single_tap=True,
    text_size=2,
    helped=Helped.YES,
    age_band=3,
    misuse=Misuse.TOO_FAST,
)
VERDICT = Verdict(
    assignment=1,
    moment=Moment(MORNING),
    language="en",
    replies=1,
    reply=4,
    fairness=Fairness.PARTLY,
)
DAY = DayRecord(
    assignment=1,
    moment=Moment(MORNING),
    minutes_available=480,
    minutes_out_of_service=3,
    sessions_begun=17,
    approaches=61,
)


def seal(record, key=KEY, log_id=LOG):
    return key.sealing_key.seal(encode_record(record), log_id)


class Centre:
    """A centre's database, worked on in one loop."""

    def __init__(self, url, runner):
        self.run = runner.run
        self.engine = open_engine(url)
        self.opener = Opener(self.engine, [KEY], [PUBLISHING.verifying_key], SECRET)

    def furnish(self):
        """Let there be two sites, a kiosk with its log, and a publication of each kind."""
        self.run(migrate(self.engine))
        self.write(insert(tables.organisation), {"code": "council", "name": "Council"})
        service = {"code": "libraries", "name": "Libraries", "organisation": "council"}
        self.write(insert(tables.service), service)
        self.write(insert(tables.place), {"code": "W06000015", "name": "Cardiff"})
        site = {
            "service": "libraries",
            "place": "W06000015",
            "timezone": "Europe/London",
            "languages": "en cy",
            "stands": "exit",
            "questionnaire": "visit",
        }
        for code in ("central-library", "branch-library"):
            self.write(insert(tables.site), {"code": code, "name": code, **site})
        self.stamp(STAMP)
        self.enrol(KIOSK, STAMP)
        self.begin_log(LOG)
        self.publish(1, ASSIGNMENT)
        self.publish(1, QUESTIONNAIRE)
        self.publish(1, REPLIES)

    def write(self, statement, rows=None):
        async def write():
            async with writing(self.engine) as connection:
                await connection.execute(statement, rows)

        self.run(write())

    def read(self, statement):
        async def read():
            async with reading(self.engine) as connection:
                return (await connection.execute(statement)).mappings().all()

        return self.run(read())

    def row(self, table):
        [row] = self.read(select(table))
        return row

    def enrol(self, kiosk_id, stamp_id, **said):
        self.write(
            insert(tables.kiosk),
            {
                "kiosk_id": kiosk_id,
                "public_key": b"",
                "stamp_id": stamp_id,
                "standing": "enrolled",
                "asked_at": STAMPED_AT,
                "software": "test",
                **said,
            },
        )
        self.admit(kiosk_id, stamp_id)

    def admit(self, kiosk_id, stamp_id, since=STAMPED_AT):
        """Keep that a kiosk was admitted under a stamp."""
        row = {"kiosk_id": kiosk_id, "stamp_id": stamp_id, "since": since}
        self.write(insert(tables.stamped), row)

    def stamp(self, stamp_id, site="central-library"):
        self.write(
            insert(tables.stamp),
            {
                "stamp_id": stamp_id,
                "site": site,
                "name": f"desk-{stamp_id[0]}",
                "created_at": STAMPED_AT,
                "code_digest": b"",
                "code_expires_at": STAMPED_AT,
            },
        )

    def publish(self, serial, body, key=PUBLISHING, kind=None, at=STAMPED_AT):
        publication = Publication(serial, at, body)
        signed = publication.sign(key)
        meant = isinstance(body, Assignment)
        self.write(
            insert(tables.publication),
            {
                "kind": kind or publication.kind.value,
                "serial": serial,
                "digest": publication_digest(signed),
                "signed": signed,
                "published_at": at,
                "stamp_id": body.stamp_id if meant else None,
                "site": body.site if meant else None,
            },
        )

    def begin_log(self, log_id, branch=0):
        if branch == 0:
            self.write(
                insert(tables.log), {"log_id": log_id, "kiosk_id": KIOSK, "begun_at": RECEIVED_AT}
            )
        head = {"head_seq": 1, "head_link": b"", "whole_seq": 1, "whole_link": b""}
        self.write(
            insert(tables.branch),
            {"log_id": log_id, "branch": branch, "from_seq": 1, "begun_at": RECEIVED_AT, **head},
        )

    def hold(self, *sealed, first_seq=1, log_id=LOG, branch=0, received_at=RECEIVED_AT):
        """Hold sealed records, or records to seal, as consecutive ones of a branch."""
        self.write(
            insert(tables.record),
            [
                {
                    "log_id": log_id,
                    "branch": branch,
                    "seq": seq,
                    "previous": bytes(LINK_LENGTH),
                    "sealed": each if isinstance(each, bytes) else seal(each, log_id=log_id),
                    "received_at": received_at,
                    "outcome": 0,
                    "opening": Opening.WAITING,
                }
                for seq, each in enumerate(sealed, start=first_seq)
            ],
        )

    def open(self):
        """Open what waits, and say what became of it."""
        return dict(self.run(self.opener.open_waiting()))

    def outcomes(self):
        """What became of each record, by its seq."""
        rows = self.read(select(tables.record).order_by(tables.record.c.seq))
        return {row["seq"]: Opening(row["opening"]) for row in rows}


def furnish(url: str) -> None:
    """Make a furnished centre in an empty database."""
    with centre_at(url) as centre:
        centre.furnish()


@contextmanager
def centre_at(url: str) -> Iterator[Centre]:
    """A furnished centre in its database, until the end of the block."""
    with asyncio.Runner() as runner:
        centre = Centre(url, runner)
        yield centre
        runner.run(centre.engine.dispose())


@cache
def _furnished() -> bytes:
    """The file of a furnished centre: made once, and copied for each that wants one."""
    with TemporaryDirectory() as folder:
        path = Path(folder) / "collector.sqlite"
        furnish(f"sqlite+aiosqlite:///{path}")
        return path.read_bytes()


@contextmanager
def begun_centre(folder: Path) -> Iterator[Centre]:
    """A furnished centre in a folder, on SQLite, until the end of the block."""
    path = folder / "collector.sqlite"
    path.write_bytes(_furnished())
    with centre_at(f"sqlite+aiosqlite:///{path}") as centre:
        yield centre
