"""Messages between a kiosk's agent and the collector, their limits, and what can go wrong.

Every message is a signed envelope (`signing.Envelope`) around a CBOR map with small integer keys.
A request carries a nonce and its reply repeats it, so that an old reply can't be shown again.
"""

import re
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from enum import IntEnum
from functools import cached_property
from http import HTTPStatus
from itertools import groupby
from typing import Final, Self

from sync_service.contract.chain import LINK_LENGTH, Head, links
from sync_service.contract.codec import MAX_INTEGER, Fields, Value, decode, encode, is_integer
from sync_service.contract.error import ChainError, MalformedError
from sync_service.contract.publication import (
    MAX_SERIAL,
    STAMP_ID_LENGTH,
    PublicationKind,
    key_document,
    parse_key,
)
from sync_service.contract.sealing import LOG_ID_LENGTH, MAX_SEALED_LENGTH
from sync_service.contract.signing import KIOSK_ID_LENGTH, VerifyingKey

VERSION: Final = 1
MEDIA_TYPE: Final = "application/vnd.regard+cbor"
PROBLEM_MEDIA_TYPE: Final = "application/problem+json"
BATCHES_PATH: Final = "/v1/batches"
STATUS_PATH: Final = "/v1/status"
ENROLMENTS_PATH: Final = "/v1/enrolments"
PUBLICATIONS_PATH: Final = "/v1/publications/"

MAX_BATCH_RECORDS: Final = 500
MAX_BATCH_LENGTH: Final = 2 * 1024 * 1024
MAX_MESSAGE_LENGTH: Final = 16 * 1024
MAX_PUBLICATION_LENGTH: Final = 256 * 1024
MAX_RANGES: Final = 64
MAX_CODE_LENGTH: Final = 64
MAX_TROUBLES: Final = 32
MAX_TIME: Final = 253_402_300_799  # the last second of the year 9999
NONCE_LENGTH: Final = 8
DIGEST_LENGTH: Final = 32

DEPTH_STEPS: Final = (0, 1, 10, 50, 100, 500, 1000, 5000, 10_000, 50_000, 100_000)
"""How deep an outbox is, told in steps: the highest one reached."""

_TROUBLE: Final = re.compile(r"[a-z][a-z0-9-]{0,31}", re.ASCII)


class Recorded(IntEnum):
    """What became of a record at intake. A number is never used again."""

    ACCEPTED = 0
    DUPLICATE = 1
    REFUSED_LENGTH = 16
    REFUSED_ALGORITHM = 17
    REFUSED_KEY = 18

    @property
    def held(self) -> bool:
        """Whether the collector now holds the record."""
        return self in (Recorded.ACCEPTED, Recorded.DUPLICATE)


class Standing(IntEnum):
    """What a kiosk is to the collector."""

    ENROLLED = 1
    HELD = 2
    REVOKED = 3


def new_nonce() -> bytes:
    """A nonce for one request."""
    return secrets.token_bytes(NONCE_LENGTH)


def depth_step(depth: int) -> int:
    """The step of `DEPTH_STEPS` that a depth has reached."""
    return max(step for step in DEPTH_STEPS if step <= depth)


@dataclass(frozen=True)
class Batch:
    """Consecutive sealed records of one log, the first of them ``first_seq``.

    ``previous`` is the link before the first; ``head`` follows from the records.
    """

    kiosk_id: bytes
    log_id: bytes
    first_seq: int
    previous: bytes
    sealed: Sequence[bytes]
    nonce: bytes

    @cached_property
    def links(self) -> list[bytes]:
        """The link of each record."""
        return links(self.previous, self.first_seq, self.sealed)

    @property
    def head(self) -> Head:
        """The last record's seq and link."""
        return Head(self.first_seq + len(self.sealed) - 1, self.links[-1])

    def encode(self) -> bytes:
        """The payload to sign, the head included so that the collector can check the chain."""
        return encode(
            {
                0: VERSION,
                1: self.kiosk_id,
                2: self.nonce,
                3: self.log_id,
                4: self.first_seq,
                5: self.previous,
                6: list(self.sealed),
                7: self.head.link,
            }
        )

    @classmethod
    def decode(cls, payload: bytes) -> Self:
        """Read a batch.

        Raises:
            ChainError: the records don't lead from the link before them to the head given.
            MalformedError: not a batch.
        """
        fields = _fields(payload, "batch")
        batch = cls(
            kiosk_id=fields.octets(1, KIOSK_ID_LENGTH),
            nonce=fields.octets(2, NONCE_LENGTH),
            log_id=fields.octets(3, LOG_ID_LENGTH),
            first_seq=fields.integer(4, low=1, high=MAX_INTEGER - MAX_BATCH_RECORDS),
            previous=fields.octets(5, LINK_LENGTH),
            sealed=_parse_sealed(fields.items(6, MAX_BATCH_RECORDS)),
        )
        if fields.octets(7, LINK_LENGTH) != batch.head.link:
            raise ChainError("the chain does not hold within the batch")
        return batch


@dataclass(frozen=True)
class Receipt:
    """What became of each record of a batch, and how far the collector holds the log.

    ``batch_head`` binds the receipt to the very bytes of the batch. ``log_head`` is the newest
    record of this log that the collector holds with all before it since the batch's branch began.
    """

    kiosk_id: bytes
    nonce: bytes
    log_id: bytes
    first_seq: int
    batch_head: bytes
    outcomes: Sequence[Recorded]
    log_head: Head

    def encode(self) -> bytes:
        """The payload to sign. Outcomes are run-length coded."""
        runs: list[Value] = [
            [int(outcome), len(list(run))] for outcome, run in groupby(self.outcomes)
        ]
        return encode(
            {
                0: VERSION,
                1: self.kiosk_id,
                2: self.nonce,
                3: self.log_id,
                4: self.first_seq,
                5: self.batch_head,
                6: runs,
                7: [self.log_head.seq, self.log_head.link],
            }
        )

    @classmethod
    def decode(cls, payload: bytes) -> Self:
        """Read a receipt.

        Raises:
            MalformedError: not a receipt.
        """
        fields = _fields(payload, "receipt")
        return cls(
            kiosk_id=fields.octets(1, KIOSK_ID_LENGTH),
            nonce=fields.octets(2, NONCE_LENGTH),
            log_id=fields.octets(3, LOG_ID_LENGTH),
            first_seq=fields.integer(4, low=1),
            batch_head=fields.octets(5, LINK_LENGTH),
            outcomes=_parse_outcomes(fields.items(6, MAX_BATCH_RECORDS)),
            log_head=_parse_head(fields.items(7, 2), "receipt: 7"),
        )

    def answers(self, batch: Batch) -> bool:
        """Whether this is the receipt of that batch and no other."""
        return (
            self.kiosk_id == batch.kiosk_id
            and self.nonce == batch.nonce
            and self.log_id == batch.log_id
            and self.first_seq == batch.first_seq
            and self.batch_head == batch.head.link
            and len(self.outcomes) == len(batch.sealed)
        )


@dataclass(frozen=True, kw_only=True)
class Status:
    """What a kiosk's agent says of itself at each contact.

    ``head`` is the newest record of the log; ``settled_seq`` the newest that a receipt settled;
    ``oldest_held_seq`` the oldest still kept. ``depth`` is told in steps (`depth_step`),
    ``oldest_waiting`` by the day. ``publications`` gives the serial held of each kind.
    ``last_error`` is a short code, never a text; ``troubles`` are short codes of what is wrong
    with what is bolted to the kiosk. ``stamp_id`` says which stamp it goes by.
    """

    kiosk_id: bytes
    nonce: bytes
    log_id: bytes
    head: Head
    settled_seq: int
    oldest_held_seq: int
    depth: int
    oldest_waiting: date | None
    software: str
    clock_synced: bool
    clock_at: int
    uptime_h: int
    last_error: str | None
    publications: Mapping[PublicationKind, int]
    stamp_id: bytes
    troubles: Sequence[str] = ()

    def encode(self) -> bytes:
        """The payload to sign."""
        members: dict[int, Value] = {
            0: VERSION,
            1: self.kiosk_id,
            2: self.nonce,
            3: self.log_id,
            4: [self.head.seq, self.head.link],
            5: self.settled_seq,
            6: self.oldest_held_seq,
            7: self.depth,
            9: self.software,
            10: self.clock_synced,
            11: self.clock_at,
            12: self.uptime_h,
            14: {kind.value: serial for kind, serial in self.publications.items()},
            15: self.stamp_id,
        }
        if self.oldest_waiting is not None:
            members[8] = self.oldest_waiting.isoformat()
        if self.last_error is not None:
            members[13] = self.last_error
        if self.troubles:
            members[16] = list(self.troubles[:MAX_TROUBLES])
        return encode(members)

    @classmethod
    def decode(cls, payload: bytes) -> Self:
        """Read a status.

        Raises:
            MalformedError: not a status.
        """
        fields = _fields(payload, "status")
        return cls(
            kiosk_id=fields.octets(1, KIOSK_ID_LENGTH),
            nonce=fields.octets(2, NONCE_LENGTH),
            log_id=fields.octets(3, LOG_ID_LENGTH),
            head=_parse_head(fields.items(4, 2), "status: 4"),
            settled_seq=fields.integer(5),
            oldest_held_seq=fields.integer(6),
            depth=fields.integer(7),
            oldest_waiting=fields.day(8) if 8 in fields else None,
            software=fields.line(9, 64),
            clock_synced=fields.flag(10),
            clock_at=fields.integer(11),
            uptime_h=fields.integer(12),
            last_error=fields.line(13, 64) if 13 in fields else None,
            publications=_parse_serials(fields.document(14)),
            stamp_id=fields.octets(15, STAMP_ID_LENGTH),
            troubles=_parse_troubles(fields.items(16, MAX_TROUBLES)) if 16 in fields else (),
        )


@dataclass(frozen=True, slots=True)
class Offer:
    """A publication to be had: its kind, its serial, and the digest it is fetched by."""

    kind: PublicationKind
    serial: int
    digest: bytes


@dataclass(frozen=True)
class StatusReply:
    """What the collector says at a contact.

    ``wanted`` are ranges of seq, ends included, that the kiosk is asked to offer again;
    ``offers`` are publications newer than those held, in the order they must be taken.
    ``at`` is the collector's time in seconds since 1970, UTC. ``forked``: the log has more than
    one branch, so whoever writes on it had better begin another.
    """

    kiosk_id: bytes
    nonce: bytes
    standing: Standing
    at: int
    log_head: Head | None
    wanted: Sequence[tuple[int, int]]
    offers: Sequence[Offer]
    forked: bool = False

    def encode(self) -> bytes:
        """The payload to sign."""
        members: dict[int, Value] = {
            0: VERSION,
            1: self.kiosk_id,
            2: self.nonce,
            3: self.standing,
            4: self.at,
            6: [list(wanted) for wanted in self.wanted],
            7: [[offer.kind.value, offer.serial, offer.digest] for offer in self.offers],
        }
        if self.log_head is not None:
            members[5] = [self.log_head.seq, self.log_head.link]
        if self.forked:
            members[8] = True
        return encode(members)

    @classmethod
    def decode(cls, payload: bytes) -> Self:
        """Read a status reply.

        Raises:
            MalformedError: not a status reply.
        """
        fields = _fields(payload, "status reply")
        return cls(
            kiosk_id=fields.octets(1, KIOSK_ID_LENGTH),
            nonce=fields.octets(2, NONCE_LENGTH),
            standing=fields.member(3, Standing),
            at=fields.integer(4, high=MAX_TIME),
            log_head=_parse_head(fields.items(5, 2), "status reply: 5") if 5 in fields else None,
            wanted=[_parse_range(value) for value in fields.items(6, MAX_RANGES)],
            offers=_parse_offers(fields.items(7, MAX_RANGES)),
            forked=8 in fields and fields.flag(8),
        )


@dataclass(frozen=True)
class Enrolment:
    """A kiosk asks to be known. Signed by the key it brings.

    ``stamp_id`` says which stamp it started from, ``code`` is that stamp's enrolment code.
    """

    key: VerifyingKey
    nonce: bytes
    stamp_id: bytes
    code: str
    software: str

    def encode(self) -> bytes:
        """The payload to sign."""
        return encode(
            {
                0: VERSION,
                1: key_document(self.key),
                2: self.nonce,
                3: self.stamp_id,
                4: self.code,
                5: self.software,
            }
        )

    @classmethod
    def decode(cls, payload: bytes) -> Self:
        """Read an enrolment.

        Raises:
            MalformedError: not an enrolment.
        """
        fields = _fields(payload, "enrolment")
        return cls(
            key=parse_key(fields.octets(1, 2, 4096)),
            nonce=fields.octets(2, NONCE_LENGTH),
            stamp_id=fields.octets(3, STAMP_ID_LENGTH),
            code=fields.text(4, MAX_CODE_LENGTH),
            software=fields.line(5, 64),
        )


@dataclass(frozen=True, slots=True)
class EnrolmentReply:
    """What the kiosk is to the collector from now on."""

    kiosk_id: bytes
    nonce: bytes
    standing: Standing

    def encode(self) -> bytes:
        """The payload to sign."""
        return encode({0: VERSION, 1: self.kiosk_id, 2: self.nonce, 3: self.standing})

    @classmethod
    def decode(cls, payload: bytes) -> Self:
        """Read an enrolment's reply.

        Raises:
            MalformedError: not an enrolment's reply.
        """
        fields = _fields(payload, "enrolment reply")
        return cls(
            kiosk_id=fields.octets(1, KIOSK_ID_LENGTH),
            nonce=fields.octets(2, NONCE_LENGTH),
            standing=fields.member(3, Standing),
        )


@dataclass(frozen=True, slots=True)
class ProblemKind:
    """One row of the table of problems."""

    status: HTTPStatus
    title: str


PROBLEMS: Final[Mapping[str, ProblemKind]] = {
    "malformed": ProblemKind(HTTPStatus.BAD_REQUEST, "The body is not a message of the contract"),
    "truncated": ProblemKind(HTTPStatus.BAD_REQUEST, "The body ended early"),
    "chain-broken": ProblemKind(HTTPStatus.BAD_REQUEST, "The chain does not hold within the batch"),
    "bad-signature": ProblemKind(
        HTTPStatus.FORBIDDEN, "The message was not signed by the kiosk it names"
    ),
    "unknown-kiosk": ProblemKind(HTTPStatus.FORBIDDEN, "The kiosk is not enrolled"),
    "held-kiosk": ProblemKind(HTTPStatus.FORBIDDEN, "The kiosk waits for approval"),
    "revoked-kiosk": ProblemKind(HTTPStatus.FORBIDDEN, "The kiosk was revoked"),
    "foreign-log": ProblemKind(HTTPStatus.FORBIDDEN, "The log belongs to another kiosk"),
    "unknown-stamp": ProblemKind(HTTPStatus.FORBIDDEN, "No kiosk was stamped with this id"),
    "too-many-held": ProblemKind(
        HTTPStatus.FORBIDDEN, "Too many kiosks of the stamp wait for approval"
    ),
    "not-found": ProblemKind(HTTPStatus.NOT_FOUND, "There is nothing under this address"),
    "wrong-method": ProblemKind(HTTPStatus.METHOD_NOT_ALLOWED, "The method does not fit here"),
    "too-many-branches": ProblemKind(HTTPStatus.CONFLICT, "The log has forked too often"),
    "too-slow": ProblemKind(HTTPStatus.REQUEST_TIMEOUT, "The body took too long to arrive"),
    "too-large": ProblemKind(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, "The body is too large"),
    "wrong-media-type": ProblemKind(
        HTTPStatus.UNSUPPORTED_MEDIA_TYPE, f"The body must be {MEDIA_TYPE}"
    ),
    "too-often": ProblemKind(
        HTTPStatus.TOO_MANY_REQUESTS, "Too many have asked to be enrolled; come back later"
    ),
    "internal": ProblemKind(HTTPStatus.INTERNAL_SERVER_ERROR, "The collector failed"),
    "busy": ProblemKind(HTTPStatus.SERVICE_UNAVAILABLE, "The collector is busy; come back later"),
}
"""All problems by their stable code, as RFC 9457 bodies. A retired code is never used again."""


@dataclass(frozen=True, slots=True)
class Problem:
    """One problem as it goes over the wire (RFC 9457)."""

    code: str
    detail: str = ""
    kind: ProblemKind = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "kind", PROBLEMS[self.code])

    def to_document(self) -> dict[str, object]:
        """The members of the JSON body."""
        document: dict[str, object] = {
            "type": f"urn:regard:problem:{self.code}",
            "title": self.kind.title,
            "status": int(self.kind.status),
            "code": self.code,
        }
        if self.detail:
            document["detail"] = self.detail
        return document


def _fields(payload: bytes, what: str) -> Fields:
    fields = Fields(decode(payload), what)
    fields.integer(0, low=VERSION, high=VERSION)
    return fields


def _parse_troubles(values: list[Value]) -> tuple[str, ...]:
    codes = tuple(value for value in values if isinstance(value, str) and _TROUBLE.fullmatch(value))
    if len(codes) < len(values):
        raise MalformedError("status: 16 must be short codes")
    return codes


def _parse_sealed(values: list[Value]) -> tuple[bytes, ...]:
    sealed = tuple(
        value
        for value in values
        if isinstance(value, bytes) and 1 <= len(value) <= MAX_SEALED_LENGTH
    )
    if not sealed or len(sealed) != len(values):
        raise MalformedError(f"batch: records must be 1 to {MAX_SEALED_LENGTH} bytes each")
    return sealed


def _parse_outcomes(values: list[Value]) -> tuple[Recorded, ...]:
    outcomes: list[Recorded] = []
    for value in values:
        match value:
            case [outcome, count] if (
                is_integer(outcome)
                and outcome in set(Recorded)
                and is_integer(count, 1, MAX_BATCH_RECORDS - len(outcomes))
            ):
                outcomes += [Recorded(outcome)] * count
            case _:
                raise MalformedError("receipt: outcomes must be [outcome, count]")
    return tuple(outcomes)


def _parse_head(values: list[Value], what: str) -> Head:
    match values:
        case [seq, bytes(link)] if is_integer(seq) and len(link) == LINK_LENGTH:
            return Head(seq, link)
    raise MalformedError(f"{what} must be [seq, link]")


def _parse_range(value: Value) -> tuple[int, int]:
    match value:
        case [first, last] if is_integer(first, 1) and is_integer(last, first):
            return first, last
    raise MalformedError("status reply: wanted must be [first seq, last seq]")


def _parse_offers(values: list[Value]) -> list[Offer]:
    known = {member.value: member for member in PublicationKind}
    offers: list[Offer] = []
    for value in values:
        match value:
            case [str(kind), serial, bytes(digest)] if (
                is_integer(serial, 1, MAX_SERIAL) and len(digest) == DIGEST_LENGTH
            ):
                if kind in known:  # a kind of a later version is none of ours
                    offers.append(Offer(known[kind], serial, digest))
            case _:
                raise MalformedError("status reply: an offer must be [kind, serial, digest]")
    return offers


def _parse_serials(document: Mapping[str, Value]) -> dict[PublicationKind, int]:
    known = {member.value: member for member in PublicationKind}
    serials: dict[PublicationKind, int] = {}
    for name, serial in document.items():
        if not is_integer(serial, 1, MAX_SERIAL):
            raise MalformedError("status: publications must be serials by kind")
        if name in known:  # a kind of a later version is none of ours
            serials[known[name]] = serial
    return serials
