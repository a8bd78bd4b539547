"""The collector's tables. Both SQLite and PostgreSQL hold them.

Whatever comes from a log has the log's id at the front of its key, so that the rows of one log
stay together. Rows of a record, and what is opened of it, refer to each other by that key and by
no foreign key: each is written with what it refers to, and PostgreSQL's check of it takes as long
as the writing does. Times are seconds since 1970, UTC; days are ISO dates; half-days count as in
`contract.record.Moment`.
"""

from enum import IntEnum, StrEnum
from typing import Final

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    SmallInteger,
    Table,
    Text,
    UniqueConstraint,
    exists,
)

metadata: Final = MetaData()


class KioskStanding(StrEnum):
    """What a kiosk is to the central team."""

    HELD = "held"
    ENROLLED = "enrolled"
    REVOKED = "revoked"


class Opening(IntEnum):
    """What became of a sealed record at opening. Numbers are stored: never use one again.

    From `UNKNOWN_KEY` on they are those of records that stayed sealed, and can be opened again.
    """

    WAITING = 0
    OPENED = 1
    COPY = 2  # the same sealed bytes were opened from another place in the log
    REFUSED = 3  # at intake: only its digest is held
    ASKED = 4  # refused, and since asked for again
    REDACTED = 5  # by decision of the central team: only its digest is held
    EXPIRED = 6  # opened, and dropped since with all that was opened: only its digest is held
    UNKNOWN_KEY = 10
    UNOPENABLE = 11
    MALFORMED = 12
    UNKNOWN_ASSIGNMENT = 13
    UNKNOWN_QUESTIONNAIRE = 14
    UNKNOWN_ITEM = 15
    NOT_ADMITTED = 16
    UNKNOWN_REPLY = 17
    APART = 18  # it came after its kiosk went astray; a person decides


organisation = Table(
    "organisation",
    metadata,
    Column("code", Text, primary_key=True),
    Column("name", Text, nullable=False),
    # What respondents are told of their answers, unless it was never said.
    Column("kept_months", Integer),
    Column("contact", Text),  # whom to ask: JSON, a text by language
)

service = Table(
    "service",
    metadata,
    Column("code", Text, primary_key=True),
    Column("name", Text, nullable=False),
    Column("organisation", ForeignKey("organisation.code"), nullable=False),
)

place = Table(
    "place",
    metadata,
    Column("code", Text, primary_key=True),
    Column("name", Text, nullable=False),
)

site = Table(
    "site",
    metadata,
    Column("code", Text, primary_key=True),
    Column("name", Text, nullable=False),
    Column("service", ForeignKey("service.code"), nullable=False),
    Column("place", ForeignKey("place.code"), nullable=False),
    Column("timezone", Text, nullable=False),
    Column("languages", Text, nullable=False),  # language tags with spaces between
    Column("stands", Text, nullable=False),
    Column("questionnaire", Text, nullable=False),
    Column("dropped_before", Text),  # the day: of what was made before it, some or all is dropped
)

stamp = Table(
    "stamp",
    metadata,
    Column("stamp_id", LargeBinary, primary_key=True),
    Column("site", ForeignKey("site.code"), nullable=False),
    Column("name", Text, nullable=False),
    Column("created_at", BigInteger, nullable=False),
    Column("code_digest", LargeBinary, nullable=False),
    Column("code_expires_at", BigInteger, nullable=False),
    Column("code_used_at", BigInteger),
    Column("code_withdrawn_at", BigInteger),
    UniqueConstraint("site", "name"),
)

kiosk = Table(
    "kiosk",
    metadata,
    Column("kiosk_id", LargeBinary, primary_key=True),
    Column("public_key", LargeBinary, nullable=False),
    Column("stamp_id", ForeignKey("stamp.stamp_id"), nullable=False),  # it last asked with
    Column("standing", Text, nullable=False),
    Column("held_because", Text),
    Column("asked_at", BigInteger, nullable=False),
    Column("enrolled_at", BigInteger),
    Column("revoked_at", BigInteger),
    # What it said of itself at its last contact.
    Column("contact_at", BigInteger),
    Column("software", Text, nullable=False),
    Column("clock_synced", Boolean),
    Column("clock_at", BigInteger),
    Column("uptime_h", BigInteger),
    Column("depth", BigInteger),
    Column("oldest_waiting", Text),
    Column("last_error", Text),
    Column("troubles", Text),  # with what is bolted to it: short codes, with spaces between
    Column("serials", Text),  # of the publications that it holds: JSON, by kind
)

stamped = Table(
    "stamped",
    metadata,
    # Every stamp that a kiosk was ever admitted under, and when it first was.
    Column("kiosk_id", ForeignKey("kiosk.kiosk_id"), primary_key=True),
    Column("stamp_id", ForeignKey("stamp.stamp_id"), primary_key=True),
    Column("since", BigInteger, nullable=False),
)

was_used: Final = exists().where(stamped.c.stamp_id == stamp.c.stamp_id)
"""Whether a kiosk was ever admitted under a stamp."""

publication = Table(
    "publication",
    metadata,
    Column("kind", Text, primary_key=True),
    Column("serial", BigInteger, primary_key=True, autoincrement=False),
    Column("digest", LargeBinary, nullable=False, unique=True),
    Column("signed", LargeBinary, nullable=False),
    Column("published_at", BigInteger, nullable=False),
    Column("stamp_id", ForeignKey("stamp.stamp_id")),  # whom an assignment is meant for
    Column("site", ForeignKey("site.code")),  # whose replies, or where assigned
    Column("questionnaire", Text),  # the questionnaire's own id ...
    Column("version", BigInteger),  # ... and version
    UniqueConstraint("questionnaire", "version"),
)

log = Table(
    "log",
    metadata,
    Column("log_id", LargeBinary, primary_key=True),
    Column("kiosk_id", ForeignKey("kiosk.kiosk_id"), nullable=False),
    Column("begun_at", BigInteger, nullable=False),
    # The kiosk's own head, settled and oldest held seq, as of its last status.
    Column("said_head_seq", BigInteger),
    Column("said_head_link", LargeBinary),
    Column("said_settled_seq", BigInteger),
    Column("said_oldest_held_seq", BigInteger),
    # That status as the kiosk signed it; and of all, the one by which it had come farthest.
    Column("said_signed", LargeBinary),
    Column("said_at", BigInteger),
    Column("farthest_signed", LargeBinary),
    Column("farthest_at", BigInteger),
    Column("farthest_settled_seq", BigInteger),
    Column("farthest_head_seq", BigInteger),
)

branch = Table(
    "branch",
    metadata,
    Column("log_id", ForeignKey("log.log_id"), primary_key=True),
    Column("branch", Integer, primary_key=True, autoincrement=False),
    Column("begun_at", BigInteger, nullable=False),
    # Its lowest seq, and the newest record that none is missing before, from there on.
    Column("from_seq", BigInteger, nullable=False),
    Column("whole_seq", BigInteger, nullable=False),
    Column("whole_link", LargeBinary, nullable=False),
    # Its newest record, whatever is missing before it.
    Column("head_seq", BigInteger, nullable=False),
    Column("head_link", LargeBinary, nullable=False),
)

record = Table(
    "record",
    metadata,
    Column("log_id", LargeBinary, primary_key=True),
    Column("branch", Integer, primary_key=True, autoincrement=False),
    Column("seq", BigInteger, primary_key=True, autoincrement=False),
    Column("previous", LargeBinary, nullable=False),  # the link before it
    Column("sealed", LargeBinary),
    Column("digest", LargeBinary),  # only where the sealed bytes are not held
    Column("received_at", BigInteger, nullable=False),
    Column("outcome", SmallInteger, nullable=False),  # contract.wire.Recorded
    Column("opening", SmallInteger, nullable=False),
)
redaction = Table(
    "redaction",
    metadata,
    # Which record it is, wherever in the log it stands; it is never let in again.
    Column("log_id", LargeBinary, primary_key=True),
    Column("digest", LargeBinary, primary_key=True),
    Column("record_id", LargeBinary),  # by which analysts know it, if it was opened
    Column("redacted_on", Text, nullable=False),
    Column("paper", Text, nullable=False),  # signed: see `proof.redactions`
)

expiry = Table(
    "expiry",
    metadata,
    # Of which records of a branch the bytes were dropped, as they had been kept long enough.
    Column("log_id", LargeBinary, primary_key=True),
    Column("branch", Integer, primary_key=True, autoincrement=False),
    Column("paper", Text, nullable=False),  # signed: see `proof.expiries`
)

Index(
    "record_waiting",
    record.c.log_id,
    record.c.branch,
    record.c.seq,
    sqlite_where=record.c.opening == Opening.WAITING,
    postgresql_where=record.c.opening == Opening.WAITING,
)
Index(
    "record_asked",
    record.c.log_id,
    record.c.seq,
    sqlite_where=record.c.opening == Opening.ASKED,
    postgresql_where=record.c.opening == Opening.ASKED,
)
Index(
    "record_stuck",
    record.c.opening,
    sqlite_where=record.c.opening >= Opening.UNKNOWN_KEY,
    postgresql_where=record.c.opening >= Opening.UNKNOWN_KEY,
)


def _of_record() -> list[Column[object]]:
    """The columns by which an opened record is known, and what all of them have."""
    return [
        Column("log_id", LargeBinary, primary_key=True),
        Column("branch", Integer, primary_key=True, autoincrement=False),
        Column("seq", BigInteger, primary_key=True, autoincrement=False),
        Column("record_id", LargeBinary, nullable=False),
        Column("assignment", BigInteger, nullable=False),
        Column("half_day", BigInteger, nullable=False),  # as the kiosk's clock had it
        Column("clock_synced", Boolean, nullable=False),
        Column("earliest_half_day", BigInteger, nullable=False),
        Column("latest_half_day", BigInteger, nullable=False),
        Column("received_day", Text, nullable=False),
        Column("unknown", Text),  # members of a later contract, as JSON
        Column("instalment", BigInteger),  # in which the pull API hands it out; None: in none yet
    ]


response = Table(
    "response",
    metadata,
    *_of_record(),
    Column("questionnaire", BigInteger, nullable=False),  # its publication's serial
    Column("language", Text, nullable=False),
    Column("ending", SmallInteger, nullable=False),
    Column("input_mode", SmallInteger, nullable=False),
    Column("single_tap", Boolean, nullable=False),
    Column("text_size", SmallInteger, nullable=False),
    Column("helped", SmallInteger),
    Column("age_band", SmallInteger),
    Column("misuse", SmallInteger, nullable=False),
    Column("offered", Text, nullable=False),  # item codes with spaces between, in their order
    Column("skipped", Text, nullable=False),
)
Index("response_by_id", response.c.record_id, response.c.log_id, unique=True)
Index("response_by_instalment", response.c.instalment, response.c.record_id)

answer = Table(
    "answer",
    metadata,
    Column("log_id", LargeBinary, primary_key=True),
    Column("branch", Integer, primary_key=True, autoincrement=False),
    Column("seq", BigInteger, primary_key=True, autoincrement=False),
    Column("item", BigInteger, primary_key=True, autoincrement=False),
    Column("option", BigInteger),
    Column("text", Text),
)

verdict = Table(
    "verdict",
    metadata,
    *_of_record(),
    Column("language", Text, nullable=False),
    Column("replies", BigInteger, nullable=False),  # its publication's serial
    Column("reply", BigInteger, nullable=False),
    Column("fairness", SmallInteger, nullable=False),
)
Index("verdict_by_id", verdict.c.record_id, verdict.c.log_id, unique=True)
Index("verdict_by_instalment", verdict.c.instalment, verdict.c.record_id)

day = Table(
    "day",
    metadata,
    *_of_record(),
    Column("minutes_available", Integer, nullable=False),
    Column("minutes_out_of_service", Integer, nullable=False),
    Column("sessions_begun", Integer, nullable=False),
    Column("approaches", Integer),
)
Index("day_by_id", day.c.record_id, day.c.log_id, unique=True)
Index("day_by_instalment", day.c.instalment, day.c.record_id)

account = Table(
    "account",
    metadata,
    Column("name", Text, primary_key=True),
    Column("password", Text, nullable=False),  # as argon2 encodes it: salt, costs and digest
    Column("made_at", BigInteger, nullable=False),
    Column("signed_in_at", BigInteger),
)

sign_in = Table(
    "sign_in",
    metadata,
    Column("token_digest", LargeBinary, primary_key=True),
    Column("account", ForeignKey("account.name"), nullable=False),
    Column("begun_at", BigInteger, nullable=False),
)

# What the pull API hands out together. Number 0 holds nothing: all cursors begin after it.
instalment = Table(
    "instalment",
    metadata,
    Column("number", BigInteger, primary_key=True, autoincrement=False),
    Column("tag", LargeBinary, nullable=False),  # random; tells it from another of its number
    Column("closed_on", Text, nullable=False, unique=True),
    # The half-days that its responses are from, ends included.
    Column("first_half_day", BigInteger),
    Column("last_half_day", BigInteger),
    Column("told", Text),  # what else there was to tell when it was closed; of the newest only
)

pull_token = Table(
    "pull_token",
    metadata,
    Column("name", Text, primary_key=True),
    Column("digest", LargeBinary, nullable=False, unique=True),
    Column("made_on", Text, nullable=False),
    Column("used_on", Text),
    Column("revoked_on", Text),
)
