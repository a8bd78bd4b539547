"""Records: what a kiosk seals. Their plain form, before sealing and after opening.

A record is a CBOR map with small integer keys, padded to a bucket so that its sealed length
tells little of what was answered. A member at its default is left out, so that of every record
there is one encoding; members this version doesn't know are kept and exported as unknown.
The formats stand in PROTOCOL.md.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from enum import IntEnum, IntFlag
from typing import Final

from sync_service.contract.codec import (
    Fields,
    Value,
    decode,
    encode,
    integers,
    is_integer,
    without_defaults,
)
from sync_service.contract.error import MalformedError

BUCKETS: Final = (64, 128, 256, 512, 1024, 2048, 4096, 8192, 16384)
"""Lengths in bytes of a padded record; the smallest holds a response of six ratings."""

MAX_CODE: Final = 2**32 - 1
MAX_ITEMS: Final = 64
MAX_TEXT: Final = 2000
BOOT_LENGTH: Final = 4

_EPOCH: Final = date(1970, 1, 1)
_LAST_HALF_DAY: Final = 2 * (date.max - _EPOCH).days + 1
_PAD: Final = b"\x80"


class Kind(IntEnum):
    """What a record is."""

    RESPONSE = 1
    VERDICT = 2
    DAY = 3


class Ending(IntEnum):
    """How a session ended."""

    COMPLETED = 1
    ABANDONED = 2


class InputMode(IntEnum):
    """How the respondent answered."""

    TOUCH = 1
    KEYPAD = 2
    BUTTONS = 3


class Fairness(IntEnum):
    """A respondent's verdict on a reply: is this a fair answer?"""

    FAIR = 1
    PARTLY = 2
    UNFAIR = 3


class Helped(IntEnum):
    """Whether someone helped the respondent to answer."""

    NO = 1
    YES = 2


class Misuse(IntFlag):
    """Signs of misuse, by timing only and blind to the answers. A flag hides, never deletes."""

    NONE = 0
    TOO_FAST = 1
    REPEATED = 2


@dataclass(frozen=True, slots=True)
class ClockEvidence:
    """What is known of the time where the half-day is not sure.

    ``boot`` is the first 4 bytes of the boot's random id; ``uptime_h`` the whole hours since.
    """

    boot: bytes
    uptime_h: int


@dataclass(frozen=True, slots=True)
class Moment:
    """When: a date and half of it in the site's own time, and no finer.

    ``half_day`` counts halves of days since 1970-01-01: even before noon, odd from noon on.
    ``evidence`` is there only where that is not sure.
    """

    half_day: int
    evidence: ClockEvidence | None = None

    @property
    def day(self) -> date:
        """The date by the kiosk's clock."""
        return day_of(self.half_day)

    @property
    def clock_synced(self) -> bool:
        """Whether the kiosk's clock was sure of it."""
        return self.evidence is None


def half_day_of(local: datetime) -> int:
    """The half-day of a time, taken as it stands in the site's own time zone."""
    return max(0, 2 * (local.date() - _EPOCH).days + (local.hour >= 12))


def day_of(half_day: int) -> date:
    """The date that a half-day belongs to."""
    return _EPOCH + timedelta(days=half_day // 2)


@dataclass(frozen=True, slots=True, kw_only=True)
class Response:
    """One respondent's answers to the items offered, and how they were given.

    ``questionnaire`` and ``assignment`` are serials of the publications in force.
    ``offered`` are item codes in the order offered; ``answers`` gives an option's code, or text,
    by item code; ``skipped`` are item codes passed over, which is not "doesn't apply".
    ``single_tap``: the whole session was one tap. ``text_size`` counts steps above the ordinary.
    """

    assignment: int
    moment: Moment
    language: str
    questionnaire: int
    offered: tuple[int, ...]
    answers: Mapping[int, int | str]
    skipped: tuple[int, ...] = ()
    ending: Ending = Ending.COMPLETED
    input_mode: InputMode = InputMode.TOUCH
    single_tap: bool = False
    text_size: int = 0
    helped: Helped | None = None
    age_band: int | None = None
    misuse: Misuse = Misuse.NONE
    unknown: Mapping[int, Value] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What a respondent thinks of a reply; linked to no response.

    ``replies`` is the serial of the publication the reply was shown from, ``reply`` its code.
    """

    assignment: int
    moment: Moment
    language: str
    replies: int
    reply: int
    fairness: Fairness
    unknown: Mapping[int, Value] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class DayRecord:
    """One day of one kiosk, so that silence can be told from absence.

    Minutes that the kiosk could be answered, minutes that it showed out of service, the number of
    sessions begun, and how often someone came near, where a sensor notices that.
    """

    assignment: int
    moment: Moment
    minutes_available: int
    minutes_out_of_service: int
    sessions_begun: int
    approaches: int | None = None
    unknown: Mapping[int, Value] = field(default_factory=dict)


Record = Response | Verdict | DayRecord


def encode_record(record: Record) -> bytes:
    """The record's one encoding, padded to its bucket.

    Raises:
        MalformedError: the record breaks the contract, or is larger than the largest bucket.
    """
    plain = encode(_members(record))
    _parse(decode(plain))  # what we write must be what we would accept
    return _pad(plain)


def decode_record(padded: bytes) -> Record:
    """The record that `encode_record` encoded.

    Raises:
        MalformedError: the bytes hold no record, or one of a kind unknown to this version.
    """
    members = decode(_unpad(padded))
    record = _parse(members)
    if _members(record) != members:
        raise MalformedError("record: a member at its default must be left out")
    return record


def _members(record: Record) -> dict[int, Value]:
    match record:
        case Response():
            members = _response_members(record)
        case Verdict():
            members = {
                0: Kind.VERDICT,
                4: record.language,
                5: record.replies,
                6: record.reply,
                7: record.fairness,
            }
        case DayRecord():
            members = {
                0: Kind.DAY,
                5: record.minutes_available,
                6: record.minutes_out_of_service,
                7: record.sessions_begun,
                **without_defaults({8: (record.approaches, None)}),
            }
    members[1] = record.assignment
    members[2] = record.moment.half_day
    if record.moment.evidence is not None:
        members[3] = [record.moment.evidence.boot, record.moment.evidence.uptime_h]
    return {**record.unknown, **members}


def _response_members(response: Response) -> dict[int, Value]:
    return {
        0: Kind.RESPONSE,
        4: response.language,
        5: response.questionnaire,
        6: list(response.offered),
        7: dict(response.answers),
        9: response.ending,
        10: response.input_mode,
        **without_defaults(
            {
                8: (list(response.skipped), []),
                11: (response.single_tap, False),
                12: (response.text_size, 0),
                13: (response.helped, None),
                14: (response.age_band, None),
                15: (int(response.misuse), 0),
            }
        ),
    }


def _parse(members: Value) -> Record:
    fields = Fields(members, "record")
    kind = fields.member(0, Kind)
    assignment = fields.integer(1, low=1)
    moment = Moment(fields.integer(2, high=_LAST_HALF_DAY), _parse_evidence(fields))
    match kind:
        case Kind.RESPONSE:
            return _parse_response(fields, assignment, moment)
        case Kind.VERDICT:
            return Verdict(
                assignment=assignment,
                moment=moment,
                language=fields.text(4, high=35),
                replies=fields.integer(5, low=1),
                reply=fields.integer(6, low=1, high=MAX_CODE),
                fairness=fields.member(7, Fairness),
                unknown=fields.unknown(),
            )
        case Kind.DAY:
            return DayRecord(
                assignment=assignment,
                moment=moment,
                minutes_available=fields.integer(5, high=65535),
                minutes_out_of_service=fields.integer(6, high=65535),
                sessions_begun=fields.integer(7, high=65535),
                approaches=fields.integer(8, high=65535) if 8 in fields else None,
                unknown=fields.unknown(),
            )


def _parse_evidence(fields: Fields) -> ClockEvidence | None:
    if 3 not in fields:
        return None
    match fields.items(3, high=2):
        case [bytes(boot), uptime_h] if len(boot) == BOOT_LENGTH and is_integer(uptime_h, 0, 2**20):
            return ClockEvidence(boot, uptime_h)
    raise MalformedError("record: 3 must be [4 bytes of the boot's id, hours of uptime]")


def _parse_response(fields: Fields, assignment: int, moment: Moment) -> Response:
    response = Response(
        assignment=assignment,
        moment=moment,
        language=fields.text(4, high=35),
        questionnaire=fields.integer(5, low=1),
        offered=integers(fields.items(6, high=MAX_ITEMS), "items offered", 1, MAX_CODE),
        answers=_parse_answers(fields.mapping(7, high=MAX_ITEMS)),
        skipped=integers(
            fields.items(8, high=MAX_ITEMS) if 8 in fields else [], "items skipped", 1, MAX_CODE
        ),
        ending=fields.member(9, Ending),
        input_mode=fields.member(10, InputMode),
        single_tap=fields.flag(11) if 11 in fields else False,
        text_size=fields.integer(12, low=1, high=9) if 12 in fields else 0,
        helped=fields.member(13, Helped) if 13 in fields else None,
        age_band=fields.integer(14, low=1, high=23) if 14 in fields else None,
        misuse=Misuse(fields.integer(15, low=1, high=255)) if 15 in fields else Misuse.NONE,
        unknown=fields.unknown(),
    )
    offered = set(response.offered)
    if not (set(response.answers) <= offered and set(response.skipped) <= offered):
        raise MalformedError("record: an item was answered or skipped that was not offered")
    if set(response.answers) & set(response.skipped):
        raise MalformedError("record: an item was both answered and skipped")
    return response


def _parse_answers(values: Mapping[int, Value]) -> dict[int, int | str]:
    answers: dict[int, int | str] = {}
    for code, value in values.items():
        if not 1 <= code <= MAX_CODE:
            raise MalformedError("record: an item's code is out of range")
        match value:
            case _ if is_integer(value, 1, MAX_CODE):
                answers[code] = value
            case str() if 1 <= len(value) <= MAX_TEXT:
                answers[code] = value
            case _:
                raise MalformedError("record: an answer must be an option's code or a short text")
    return answers


def _pad(plain: bytes) -> bytes:
    for bucket in BUCKETS:
        if len(plain) < bucket:
            return (plain + _PAD).ljust(bucket, b"\x00")
    raise MalformedError(f"record: longer than {BUCKETS[-1] - 1} bytes")


def _unpad(padded: bytes) -> bytes:
    plain, pad, rest = padded.rpartition(_PAD)
    if not pad or rest.strip(b"\x00") or len(padded) not in BUCKETS:
        raise MalformedError("record: not padded to a bucket")
    if _pad(plain) != padded:
        raise MalformedError("record: padded to a larger bucket than it needs")
    return plain
