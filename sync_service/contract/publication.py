"""Publications: what the centre signs for kiosks. A newer one of a kind replaces the older.

Each has a kind, a serial that only rises within its kind, and a body that is a document with
text keys. A kiosk takes one only if the publishing key signed it, its serial is higher than that
of the one held, and it is meant for this kiosk.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from enum import StrEnum
from hashlib import sha256
from typing import Final, Self, TypeAlias
from zoneinfo import ZoneInfo

from sync_service.contract.codec import Fields, Value, decode, encode
from sync_service.contract.error import MalformedError
from sync_service.contract.questionnaire import Questionnaire
from sync_service.contract.record import MAX_CODE
from sync_service.contract.sealing import SealingAlgorithm, SealingKey
from sync_service.contract.signing import (
    PUBLIC_LENGTH,
    Context,
    Envelope,
    SigningAlgorithm,
    SigningKey,
    VerifyingKey,
)

STAMP_ID_LENGTH: Final = 16
MAX_SERIAL: Final = 2**32 - 1
MAX_REPLIES: Final = 32
MAX_LANGUAGES: Final = 24
MAX_REPLY_TEXT: Final = 500
MAX_CONTACT: Final = 200
MAX_KEPT_MONTHS: Final = 600
MAX_KEY_LENGTH: Final = 4096


class Stands(StrEnum):
    """Where in the building a kiosk stands."""

    EXIT = "exit"
    DESK = "desk"
    WAITING = "waiting"


class Outcome(StrEnum):
    """What an answer says: we did, we will, we can't, we passed it to someone."""

    DID = "did"
    WILL = "will"
    CANNOT = "cannot"
    PASSED = "passed"


class PublicationKind(StrEnum):
    """What a publication holds."""

    QUESTIONNAIRE = "questionnaire"
    REPLIES = "replies"
    KEYS = "keys"
    ASSIGNMENT = "assignment"


@dataclass(frozen=True, slots=True)
class Assignment:
    """Which site a stamped kiosk serves, and how it asks there.

    ``stamp_id`` says which kiosk is meant. ``questionnaire`` is the id of what is asked,
    ``languages`` those offered, in the site's order; two make a bilingual site.

    The last three are what respondents are told of their answers: who asks, whom to turn to, in
    each language, and for how many months answers are kept. What the centre never said is not
    there.
    """

    stamp_id: bytes
    site: str
    site_name: str
    service: str
    organisation: str
    place: str
    timezone: str
    languages: tuple[str, ...]
    stands: Stands
    questionnaire: str
    organisation_name: str | None = None
    contact: Mapping[str, str] = field(default_factory=dict)
    kept_months: int | None = None

    @classmethod
    def from_document(cls, document: Mapping[str, Value]) -> Self:
        """Read the body of an assignment.

        Raises:
            MalformedError: the document is not an assignment.
        """
        fields = Fields(dict(document), "assignment")
        assignment = cls(
            stamp_id=fields.octets("stamp_id", STAMP_ID_LENGTH),
            site=fields.text("site", 64),
            site_name=fields.text("site_name", 200),
            service=fields.text("service", 64),
            organisation=fields.text("organisation", 64),
            place=fields.text("place", 64),
            timezone=fields.text("timezone", 64),
            languages=_parse_languages(fields.items("languages", MAX_LANGUAGES)),
            stands=fields.member("stands", Stands),
            questionnaire=fields.text("questionnaire", 64),
            organisation_name=(
                fields.text("organisation_name", 200) if "organisation_name" in fields else None
            ),
            contact=(
                _parse_texts(fields, "contact", "assignment", MAX_CONTACT)
                if "contact" in fields
                else {}
            ),
            kept_months=(
                fields.integer("kept_months", low=1, high=MAX_KEPT_MONTHS)
                if "kept_months" in fields
                else None
            ),
        )
        fields.nothing_else()
        try:
            ZoneInfo(assignment.timezone)
        except (KeyError, ValueError, OSError):
            raise MalformedError(f"assignment: no time zone {assignment.timezone!r}") from None
        return assignment

    def to_document(self) -> dict[str, Value]:
        """The body of the publication."""
        document: dict[str, Value] = {
            "stamp_id": self.stamp_id,
            "site": self.site,
            "site_name": self.site_name,
            "service": self.service,
            "organisation": self.organisation,
            "place": self.place,
            "timezone": self.timezone,
            "languages": list(self.languages),
            "stands": self.stands.value,
            "questionnaire": self.questionnaire,
        }
        if self.organisation_name is not None:
            document["organisation_name"] = self.organisation_name
        if self.contact:
            document["contact"] = dict(self.contact)
        if self.kept_months is not None:
            document["kept_months"] = self.kept_months
        return document


@dataclass(frozen=True, slots=True)
class Keys:
    """The centre's public keys in force: sealed to, receipts signed by, publications signed by.

    A new publishing key comes in a publication signed by the key before it.
    """

    sealing: SealingKey
    receipt: VerifyingKey
    publishing: VerifyingKey

    @classmethod
    def from_document(cls, document: Mapping[str, Value]) -> Self:
        """Read the body of a keys publication.

        Raises:
            MalformedError: the document does not hold the three keys.
        """
        fields = Fields(dict(document), "keys")
        sealing = fields.octets("sealing", 2, MAX_KEY_LENGTH)
        if sealing[0] not in set(SealingAlgorithm):
            raise MalformedError("keys: an unknown sealing algorithm")
        keys = cls(
            sealing=SealingKey(sealing[1:], SealingAlgorithm(sealing[0])),
            receipt=parse_key(fields.octets("receipt", 2, MAX_KEY_LENGTH)),
            publishing=parse_key(fields.octets("publishing", 2, MAX_KEY_LENGTH)),
        )
        fields.nothing_else()
        return keys

    def to_document(self) -> dict[str, Value]:
        """The body of the publication."""
        return {
            "sealing": bytes([self.sealing.algorithm]) + self.sealing.public,
            "receipt": key_document(self.receipt),
            "publishing": key_document(self.publishing),
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Owed:
    """What people told the service, and by when it owes them an answer."""

    code: int
    said: Mapping[str, str]
    due: date
    signed_by: Mapping[str, str]
    expires: date | None = None

    @property
    def texts(self) -> dict[str, Mapping[str, str]]:
        """Each text in its languages, by its name."""
        return {"said": self.said, "signed_by": self.signed_by}


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """You said, we did; or we will (by ``due``), we can't, we passed it to someone."""

    code: int
    said: Mapping[str, str]
    outcome: Outcome
    reply: Mapping[str, str]
    signed_by: Mapping[str, str]
    due: date | None = None
    expires: date | None = None

    @property
    def texts(self) -> dict[str, Mapping[str, str]]:
        """Each text in its languages, by its name."""
        return {"said": self.said, "reply": self.reply, "signed_by": self.signed_by}


@dataclass(frozen=True, slots=True, kw_only=True)
class Invitation:
    """A way to help the service improve: what, when, whom to ask."""

    code: int
    what: Mapping[str, str]
    when: Mapping[str, str]
    whom: Mapping[str, str]
    expires: date | None = None

    @property
    def texts(self) -> dict[str, Mapping[str, str]]:
        """Each text in its languages, by its name."""
        return {"what": self.what, "when": self.when, "whom": self.whom}


Reply = Owed | Answer | Invitation


@dataclass(frozen=True, slots=True)
class Replies:
    """All that a site's service replies at present, for its attract screens."""

    site: str
    replies: tuple[Reply, ...]

    @classmethod
    def from_document(cls, document: Mapping[str, Value]) -> Self:
        """Read the body of a replies publication.

        Raises:
            MalformedError: a reply is not as it should be; the message names which.
        """
        fields = Fields(dict(document), "replies")
        site = fields.text("site", 64)
        replies = tuple(
            _parse_reply(value, f"replies[{number}]")
            for number, value in enumerate(fields.items("replies", MAX_REPLIES))
        )
        fields.nothing_else()
        if len({reply.code for reply in replies}) != len(replies):
            raise MalformedError("replies: a code comes twice")
        return cls(site, replies)

    def to_document(self) -> dict[str, Value]:
        """The body of the publication."""
        return {"site": self.site, "replies": [_reply_document(reply) for reply in self.replies]}


Body: TypeAlias = Questionnaire | Assignment | Keys | Replies


@dataclass(frozen=True, slots=True)
class Publication:
    """One thing the centre says to kiosks. ``published_at`` is in seconds since 1970, UTC."""

    serial: int
    published_at: int
    body: Body

    @property
    def kind(self) -> PublicationKind:
        """What the body is."""
        match self.body:
            case Questionnaire():
                return PublicationKind.QUESTIONNAIRE
            case Assignment():
                return PublicationKind.ASSIGNMENT
            case Keys():
                return PublicationKind.KEYS
            case Replies():
                return PublicationKind.REPLIES

    def sign(self, key: SigningKey) -> bytes:
        """The signed publication's bytes: what is stored, fetched and stamped."""
        payload: dict[int, Value] = {
            0: 1,
            1: self.kind.value,
            2: self.serial,
            3: self.published_at,
            4: self.body.to_document(),
        }
        return key.sign(Context.PUBLICATION, encode(payload))

    @classmethod
    def verify(cls, signed: bytes, key: VerifyingKey) -> Self:
        """The publication in signed bytes.

        Raises:
            SignatureError: the publishing key did not sign it.
            MalformedError: signed, but not a publication of this version.
        """
        payload = key.verify(Envelope.unpack(signed), Context.PUBLICATION)
        fields = Fields(decode(payload), "publication")
        fields.integer(0, low=1, high=1)
        kind = fields.member(1, PublicationKind)
        serial = fields.integer(2, low=1, high=MAX_SERIAL)
        published_at = fields.integer(3)
        body = _BODIES[kind].from_document(fields.document(4))
        fields.nothing_else()
        return cls(serial, published_at, body)


_BODIES: Final[dict[PublicationKind, type[Body]]] = {
    PublicationKind.QUESTIONNAIRE: Questionnaire,
    PublicationKind.ASSIGNMENT: Assignment,
    PublicationKind.KEYS: Keys,
    PublicationKind.REPLIES: Replies,
}


def publication_digest(signed: bytes) -> bytes:
    """The name a signed publication is fetched by: the SHA-256 of its bytes."""
    return sha256(signed).digest()


def key_document(key: VerifyingKey) -> bytes:
    """A public signing key with its algorithm id before it, as stamps and keys hold it."""
    return bytes([SigningAlgorithm.ED25519]) + key.public


def parse_key(data: bytes) -> VerifyingKey:
    """The public signing key that `key_document` wrote.

    Raises:
        MalformedError: not a public signing key of a known algorithm.
    """
    if data[:1] != bytes([SigningAlgorithm.ED25519]) or len(data) != 1 + PUBLIC_LENGTH:
        raise MalformedError("not a public signing key of a known algorithm")
    return VerifyingKey(data[1:])


def _parse_languages(values: list[Value]) -> tuple[str, ...]:
    languages = tuple(value for value in values if isinstance(value, str) and value)
    if not languages or len(languages) != len(values) or len(set(languages)) != len(languages):
        raise MalformedError("assignment: languages must be one or more different language tags")
    return languages


def _parse_reply(value: Value, what: str) -> Reply:
    fields = Fields(value, what)
    kind = fields.text("kind", 16)
    code = fields.integer("code", low=1, high=MAX_CODE)
    expires = fields.day("expires") if "expires" in fields else None
    reply: Reply
    match kind:
        case "owed":
            reply = Owed(
                code=code,
                said=_parse_texts(fields, "said", what),
                due=fields.day("due"),
                signed_by=_parse_texts(fields, "signed_by", what),
                expires=expires,
            )
        case "answer":
            reply = Answer(
                code=code,
                said=_parse_texts(fields, "said", what),
                outcome=fields.member("outcome", Outcome),
                reply=_parse_texts(fields, "reply", what),
                signed_by=_parse_texts(fields, "signed_by", what),
                due=fields.day("due") if "due" in fields else None,
                expires=expires,
            )
        case "invitation":
            reply = Invitation(
                code=code,
                what=_parse_texts(fields, "what", what),
                when=_parse_texts(fields, "when", what),
                whom=_parse_texts(fields, "whom", what),
                expires=expires,
            )
        case _:
            raise MalformedError(f"{what}: kind must be owed, answer or invitation")
    fields.nothing_else()
    return reply


def _parse_texts(
    fields: Fields, key: str, what: str, longest: int = MAX_REPLY_TEXT
) -> dict[str, str]:
    """A text in each language, by language tag."""
    texts: dict[str, str] = {}
    for language, text in fields.document(key).items():
        if not isinstance(text, str) or not 1 <= len(text) <= longest:
            raise MalformedError(f"{what}: {key}.{language} must be 1 to {longest} characters")
        texts[language] = text
    if not 1 <= len(texts) <= MAX_LANGUAGES:
        raise MalformedError(f"{what}: {key} needs a text in one language or more")
    return texts


def _reply_document(reply: Reply) -> dict[str, Value]:
    document: dict[str, Value] = {"code": reply.code}
    document.update({name: dict(text) for name, text in reply.texts.items()})
    match reply:
        case Owed():
            document["kind"] = "owed"
            document["due"] = reply.due.isoformat()
        case Answer():
            document["kind"] = "answer"
            document["outcome"] = reply.outcome.value
            if reply.due is not None:
                document["due"] = reply.due.isoformat()
        case Invitation():
            document["kind"] = "invitation"
    if reply.expires is not None:
        document["expires"] = reply.expires.isoformat()
    return document
