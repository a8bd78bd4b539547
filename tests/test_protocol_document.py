"""PROTOCOL.md under test: its CDDL and its tables say what the code does."""

import ast
import json
import re
import threading
import tomllib
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from enum import IntEnum, IntFlag
from hashlib import sha256
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from queue import SimpleQueue

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding

from sync_service.agent.backoff import FIRST_S, MAX_RETRY_AFTER_S
from sync_service.agent.client import (
    Collector,
    ContactError,
    ContractBrokenError,
    NotAdmittedError,
    TooMuchError,
    UnreachableError,
)
from sync_service.agent.config import AgentSettings
from sync_service.collector import app, connections, pace, turns
from sync_service.collector.app import Collector as CollectorApp
from sync_service.collector.database import open_engine
from sync_service.collector.enrolment import CODE_VALID_S, MAX_HELD, Enrolments
from sync_service.collector.fleet import Fleet
from sync_service.collector.intake import MAX_BRANCHES, Intake
from sync_service.collector.published import Published
from sync_service.contract import (
    bundle,
    chain,
    codec,
    network,
    pin,
    publication,
    questionnaire,
    record,
    sealing,
    signing,
    stamp,
    wire,
)
from sync_service.contract.bundle import Closing, Part
from sync_service.contract.chain import Head, first_link
from sync_service.contract.codec import decode, encode
from sync_service.contract.error import ChainError, MalformedError, SignatureError
from sync_service.contract.publication import (
    Answer,
    Assignment,
    Invitation,
    Keys,
    Outcome,
    Owed,
    Publication,
    PublicationKind,
    Replies,
    Stands,
)
from sync_service.contract.questionnaire import Questionnaire
from sync_service.contract.record import (
    BUCKETS,
    Ending,
    Fairness,
    Helped,
    InputMode,
    Kind,
    Misuse,
    Moment,
    Response,
    decode_record,
    encode_record,
)
from sync_service.contract.sealing import OpeningKey, SealingAlgorithm
from sync_service.contract.signing import Context, Envelope, SigningAlgorithm, SigningKey
from sync_service.contract.wire import (
    PROBLEMS,
    Batch,
    Enrolment,
    EnrolmentReply,
    Offer,
    Problem,
    Receipt,
    Recorded,
    Standing,
    Status,
    StatusReply,
)
from sync_service.outbox.clock import Clock
from sync_service.outbox.journeys import MAX_JOURNEYS

ROOT = Path(__file__).parents[1]
PAGE = (ROOT / "sync_service" / "PROTOCOL.md").read_text()
CONTRACT = (
    *(bundle, chain, codec, network, pin, publication, questionnaire),
    *(record, sealing, signing, stamp, wire),
)

Check = Callable[[object], bool]


# A reader of CDDL, as far as the page goes; what it doesn't know it refuses to read.

TOKENS = re.compile(
    r""" \s+ | ;.*
    | (?P<text>"[^"]*")
    | (?P<times>[0-9]+\*[0-9]+ | [*+?])
    | (?P<sign>=> | \.\. | \.size | \.regexp | [={}\[\]():,/])
    | (?P<integer>[0-9]+)
    | (?P<name>[a-zA-Z][\w-]*)
    """,
    re.VERBOSE,
)
PRELUDE: dict[str, Check] = {
    "int": lambda value: type(value) is int,
    "bool": lambda value: isinstance(value, bool),
    "true": lambda value: value is True,
    "tstr": lambda value: isinstance(value, str),
    "bstr": lambda value: isinstance(value, bytes),
    "any": lambda value: True,
}


@dataclass(frozen=True)
class Entry:
    """A member of a map or an array: ``low`` to ``high`` of them."""

    low: int
    high: int
    literal: int | str | None
    key: Check | None
    value: Check


class Grammar:
    """The rules of a text in CDDL. ``grammar[name]`` judges a decoded value."""

    def __init__(self, text):
        self._tokens = list(self._scan(text))
        self.rules = {}
        self.named = set()
        while self._tokens:
            name = self._take("name")
            self._take("sign", "=")
            assert name not in self.rules, f"two rules for {name}"
            self.rules[name] = self._type()

    def __getitem__(self, name):
        return self.rules.get(name) or PRELUDE[name]

    @staticmethod
    def _scan(text):
        at = 0
        while at < len(text):
            found = TOKENS.match(text, at)
            assert found, f"not CDDL that we read: {text[at : at + 40]!r}"
            at = found.end()
            if found.lastgroup:
                yield found.lastgroup, found.group()

    def _next_is(self, kind, text=None, ahead=0):
        if len(self._tokens) <= ahead:
            return False
        found = self._tokens[ahead]
        return found[0] == kind and text in (None, found[1])

    def _take(self, kind, text=None):
        assert self._next_is(kind, text), f"{text or kind} expected at {self._tokens[:4]}"
        return self._tokens.pop(0)[1]

    def _taken(self, kind, text=None):
        return self._take(kind, text) if self._next_is(kind, text) else None

    def _type(self):
        choices = [self._controlled()]
        while self._taken("sign", "/"):
            choices.append(self._controlled())
        return choices[0] if len(choices) == 1 else lambda v: any(check(v) for check in choices)

    def _controlled(self):
        if self._next_is("integer"):
            low = high = int(self._take("integer"))
            if self._taken("sign", ".."):
                high = int(self._take("integer"))
            return lambda v: type(v) is int and low <= v <= high
        check = self._plain()
        if self._taken("sign", ".size"):
            size = self._controlled()
            return lambda v: check(v) and size(len(v.encode() if isinstance(v, str) else v))
        if self._taken("sign", ".regexp"):
            pattern = re.compile(self._take("text")[1:-1])
            return lambda v: check(v) and pattern.fullmatch(v) is not None
        return check

    def _plain(self):
        if text := self._taken("text"):
            return lambda v: v == text[1:-1]
        if self._taken("sign", "("):
            check = self._type()
            self._take("sign", ")")
            return check
        if self._taken("sign", "{"):
            entries = self._entries("}")
            return lambda v: isinstance(v, dict) and fits_map(entries, v)
        if self._taken("sign", "["):
            entries = self._entries("]")
            return lambda v: isinstance(v, list) and fits_array(entries, v)
        name = self._take("name")
        self.named.add(name)
        return lambda v: self[name](v)  # noqa: PLW0108 - the rule may come later

    def _entries(self, end):
        entries = []
        while not self._taken("sign", end):
            entries.append(self._entry())
            self._taken("sign", ",")
        return entries

    def _entry(self):
        low, high = 1, 1
        if times := self._taken("times"):
            if "*" in times[1:]:
                low, high = map(int, times.split("*"))
            else:
                low, high = {"?": (0, 1), "*": (0, 2**64), "+": (1, 2**64)}[times]
        if self._next_is("sign", ":", ahead=1):
            kind, text = self._tokens.pop(0)
            self._take("sign", ":")
            literal = int(text) if kind == "integer" else text.strip('"')
            return Entry(low, high, literal, None, self._type())
        check = self._type()
        if self._taken("sign", "=>"):
            return Entry(low, high, None, check, self._type())
        return Entry(low, high, None, None, check)


def fits_map(entries, members):
    left = dict(members)
    for entry in entries:
        if entry.literal is not None:
            if entry.literal in left:
                if not entry.value(left.pop(entry.literal)):
                    return False
            elif entry.low > 0:
                return False
    for entry in entries:
        if entry.key is not None:
            fitting = [k for k, v in left.items() if entry.key(k) and entry.value(v)]
            if not entry.low <= len(fitting) <= entry.high:
                return False
            for key in fitting:
                del left[key]
    return not left


def fits_array(entries, values):
    at = 0
    for entry in entries:
        start = at
        while at < len(values) and at - start < entry.high and entry.value(values[at]):
            at += 1
        if at - start < entry.low:
            return False
    return at == len(values)


BLOCKS = re.findall(r"^```cddl\n(.*?)^```$", PAGE, re.DOTALL | re.MULTILINE)
GRAMMAR = Grammar("".join(BLOCKS))


# One document of each form, as the golden files have it where they have one.

GOLDEN = json.loads((ROOT / "tests/contract/golden/version-1.json").read_text())
KIOSK = SigningKey(bytes([4] * 32))
CENTRE = SigningKey(bytes([3] * 32))
OPENING = OpeningKey(bytes([1] * 32))
LOG = bytes(16)
HEAD = Head(7, bytes(32))
STATUS = Status(
    kiosk_id=KIOSK.verifying_key.kiosk_id,
    nonce=bytes(8),
    log_id=LOG,
    head=Head(1000, bytes(32)),
    settled_seq=900,
    oldest_held_seq=1,
    depth=100,
    oldest_waiting=date(2026, 3, 14),
    software="regard 0.1.0",
    clock_synced=True,
    clock_at=1_773_480_000,
    uptime_h=100,
    last_error="timed-out",
    publications=dict.fromkeys(PublicationKind, 5),
    stamp_id=bytes(16),
    troubles=("button-2-stuck",),
)
STATUS_REPLY = StatusReply(
    kiosk_id=bytes(16),
    nonce=bytes(8),
    standing=Standing.ENROLLED,
    at=1_773_480_000,
    log_head=HEAD,
    wanted=[(1, 7)],
    offers=[Offer(PublicationKind.KEYS, 2, bytes(32))],
    forked=True,
)
ENROLMENT = Enrolment(KIOSK.verifying_key, bytes(8), bytes(16), "ABCD-EFGH-JKMN", "regard 0.1.0")
TEXTS = {"en": "A sign", "cy": "Arwydd"}
REPLIES = Replies(
    "central-library",
    (
        Owed(code=1, said=TEXTS, due=date(2026, 3, 14), signed_by=TEXTS, expires=date(2026, 9, 1)),
        Answer(
            code=2,
            said=TEXTS,
            outcome=Outcome.WILL,
            reply=TEXTS,
            signed_by=TEXTS,
            due=date(2026, 5, 1),
        ),
        Invitation(code=3, what=TEXTS, when=TEXTS, whom=TEXTS, expires=date(2026, 5, 1)),
    ),
)
ASSIGNMENT = Assignment(
    stamp_id=bytes(16),
    site="central-library",
    site_name="Central Library",
    service="libraries",
    organisation="council",
    place="W06000015",
    timezone="Europe/London",
    languages=("en", "cy"),
    stands=Stands.EXIT,
    questionnaire="visit",
    organisation_name="Northvale Council",
    contact=TEXTS,
    kept_months=24,
)
QUESTIONNAIRE = Questionnaire.from_document(
    {
        "id": "visit",
        "version": 1,
        "title": {"en": "Your visit"},
        "languages": ["en"],
        "ask": [["dignity"], ["comment"]],
        "items": [
            {
                "code": 1,
                "name": "dignity",
                "kind": "rating",
                "text": {"en": "Were you treated with respect?"},
                "provenance": "Adapted",
                "source": "for the tests",
                "needs": "invitation",
                "options": [
                    {"code": 1, "name": "yes", "text": {"en": "Yes"}},
                    {"code": 2, "name": "no", "text": {"en": "No"}},
                    {
                        "code": 16,
                        "name": "not_yet",
                        "text": {"en": "Not seen yet"},
                        "scored": False,
                        "only_where": "waiting",
                    },
                ],
            },
            {
                "code": 2,
                "name": "comment",
                "kind": "text",
                "text": {"en": "Anything else?"},
                "provenance": "New",
                "max_length": 200,
                "notice": {"en": ["Please don't name anyone."]},
            },
        ],
    }
)


def padded(plain):
    length = next((bucket for bucket in BUCKETS if bucket > len(plain)), BUCKETS[-1])
    return (plain + b"\x80").ljust(length, b"\x00")


def published(body):
    return decode(Envelope.unpack(Publication(3, 1_773_480_000, body).sign(CENTRE)).payload)


def read_record(document):
    decode_record(padded(encode(document)))


def read_publication(document):
    Publication.verify(CENTRE.sign(Context.PUBLICATION, encode(document)), CENTRE.verifying_key)


def read_envelope(document):
    KIOSK.verifying_key.verify(Envelope.unpack(encode(document)), Context.BATCH)


def reader(kind):
    return lambda document: kind.decode(encode(document))


def golden_plain(name):
    return decode(bytes.fromhex(GOLDEN["records"][name]["padded"]).rstrip(b"\x00")[:-1])


def golden_payload(signed):
    return decode(Envelope.unpack(bytes.fromhex(signed)).payload)


DOCUMENTS = {
    **{f"golden {name}": ("record", read_record, golden_plain(name)) for name in GOLDEN["records"]},
    "golden batch": ("batch", reader(Batch), golden_payload(GOLDEN["batch"])),
    "golden receipt": ("receipt", reader(Receipt), golden_payload(GOLDEN["receipt"])),
    **{
        f"golden {name}": ("publication", read_publication, golden_payload(signed))
        for name, signed in GOLDEN["publications"].items()
    },
    "envelope": ("envelope", read_envelope, decode(KIOSK.sign(Context.BATCH, b"payload"))),
    "status": ("status", reader(Status), decode(STATUS.encode())),
    "status reply": ("status-reply", reader(StatusReply), decode(STATUS_REPLY.encode())),
    "enrolment": ("enrolment", reader(Enrolment), decode(ENROLMENT.encode())),
    "enrolment reply": (
        "enrolment-reply",
        reader(EnrolmentReply),
        decode(EnrolmentReply(bytes(16), bytes(8), Standing.HELD).encode()),
    ),
    "closing": (
        "closing",
        reader(Closing),
        decode(Closing(bytes(16), bytes(8), bytes(32)).encode()),
    ),
    "keys": (
        "publication",
        read_publication,
        published(Keys(OPENING.sealing_key, CENTRE.verifying_key, CENTRE.verifying_key)),
    ),
    "assignment": ("publication", read_publication, published(ASSIGNMENT)),
    "replies": ("publication", read_publication, published(REPLIES)),
    "questionnaire": ("publication", read_publication, published(QUESTIONNAIRE)),
    **{
        path.name: ("publication", read_publication, published(Questionnaire.from_document(body)))
        for path in (ROOT / "sync_service/collector/questionnaires").glob("*.toml")
        for body in [tomllib.loads(path.read_text())]
    },
}
LIKE_ANOTHER = {f"golden {name}" for name in GOLDEN["publications"]}
ALTERED = [name for name in DOCUMENTS if name not in LIKE_ANOTHER and not name.endswith(".toml")]
"""Our own publications have more in them than the golden ones."""

LISTS = (1, 8, 9, 12, 13, 24, 25, 32, 33, 64, 65, 500, 501)
TEXTS = (1, 10, 11, 35, 36, 64, 65, 200, 201, 500, 501, 2000, 2001)
STRINGS = (1, 4, 5, 7, 8, 9, 15, 16, 17, 31, 32, 33, 34, 63, 64, 65, 1217, 1218, 17529, 17530)
EDGES = (1, 3, 9, 18, 23, 255, 500, 600, 2000, 65535, 2**20, 5_865_793, 2**32, 2**63 - 501, 2**63)
VALUES = (
    *(None, True, False, "", b"", [], {}, {1: 1}, {"en": "x"}, "2026-03-14", "14 March"),
    *sorted({edge + step for edge in EDGES for step in (-1, 0, 1)}),
    *("\N{GRINNING FACE}" * length for length in TEXTS),
    *(bytes(length) for length in STRINGS),
)


def alterations(value):
    """The value altered at one place or another: what stands there, or how much of it."""
    yield from VALUES
    if isinstance(value, dict):
        yield {**value, 1000: "of a later version"}
        yield {**value, "later": "of a later version"}
        for key, member in value.items():
            yield {k: v for k, v in value.items() if k != key}
            for other in alterations(member):
                yield {**value, key: other}
    if isinstance(value, list):
        yield value[:-1]
        for length in LISTS:
            yield (value * length)[:length]
        for row, member in enumerate(value):
            for other in alterations(member):
                yield [*value[:row], other, *value[row + 1 :]]


BEYOND_CDDL = re.compile(
    r"was answered or skipped that was not offered|both answered and skipped|comes twice"
    r"|no time zone|known algorithm|unknown sealing algorithm|different language tags"
    r"|wanted must be \[first seq, last seq\]|outcomes must be \[outcome, count\]"
    r"|must be a date such as|not padded to a bucket|not deterministic CBOR"
    r"|all integers or all text"
)
"""What the code refuses, and CDDL can't."""

BEYOND_CDDL_IN_QUESTIONNAIRES = re.compile(
    r"every language in `languages`|unknown key|is blank|stands here twice|is already that of"
    r"|no item has the name|is asked already|scored|may leave it out|same lines in every language"
    r"|one session could be given|control character"
)


@dataclass(frozen=True)
class Disagreement:
    document: object
    reason: str


def disagreement(rule, read, document):
    """Where the code and the CDDL don't agree on a document, if so."""
    formal = GRAMMAR[rule](document)
    try:
        read(document)
    except (ChainError, SignatureError):
        return None
    except questionnaire.QuestionnaireError as error:
        reasons = [p for p in error.problems if not BEYOND_CDDL_IN_QUESTIONNAIRES.search(p)]
        return Disagreement(document, str(error)) if formal and reasons else None
    except MalformedError as error:
        beyond = BEYOND_CDDL.search(str(error))
        return Disagreement(document, str(error)) if formal and not beyond else None
    return None if formal else Disagreement(document, "taken")


def test_the_cddl_names_no_rule_that_is_not_there():
    assert GRAMMAR.named <= GRAMMAR.rules.keys() | PRELUDE.keys()


def test_the_cddl_has_no_rule_that_nothing_uses():
    judged = {rule for rule, _, _ in DOCUMENTS.values()}
    assert GRAMMAR.rules.keys() == GRAMMAR.named - PRELUDE.keys() | judged


@pytest.mark.parametrize("name", DOCUMENTS)
def test_what_the_code_writes_is_what_the_cddl_says(name):
    rule, read, document = DOCUMENTS[name]
    read(document)
    assert GRAMMAR[rule](document)


@pytest.mark.parametrize("name", ALTERED)
def test_code_and_cddl_agree_on_what_is_altered_at_one_place(name):
    rule, read, document = DOCUMENTS[name]
    for altered in alterations(document):
        assert disagreement(rule, read, altered) is None


# The tables.


def table(*headers):
    """The rows of the table with these headers, each by header."""
    start = PAGE.index(f"| {' | '.join(headers)} |\n")
    lines = PAGE[start:].split("\n\n", 1)[0].splitlines()
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines[2:]]
    return [dict(zip(headers, row, strict=True)) for row in rows]


def unquoted(cell):
    return cell.strip("`")


def of_enumeration(kind):
    """What the page says the numbers of an enumeration are."""
    [row] = [
        row
        for row in table("enumeration", "numbers")
        if row["enumeration"].startswith(f"`{kind.__name__}`")
    ]
    pairs = (pair.strip().split(" ", 1) for pair in row["numbers"].split(","))
    return {int(number): name for number, name in pairs}


@pytest.mark.parametrize(
    "kind",
    [
        *(Kind, Ending, InputMode, Fairness, Helped, Misuse),
        *(Recorded, Standing, SealingAlgorithm, SigningAlgorithm, Part),
    ],
)
def test_the_numbers_of_enumerations_are_those_of_the_code(kind):
    assert of_enumeration(kind) == {int(m): m.name.lower().replace("_", " ") for m in kind}


def test_every_enumeration_of_numbers_in_the_contract_is_on_the_page():
    found = {
        name
        for module in CONTRACT
        for name, value in vars(module).items()
        if isinstance(value, type) and issubclass(value, IntEnum | IntFlag)
        if value.__module__ == module.__name__
    }
    on_page = {row["enumeration"].split("`")[1] for row in table("enumeration", "numbers")}
    assert on_page == found


def keys_in_table(words):
    """The keys of a kind of record, as the table under these words has them."""
    lines = PAGE[PAGE.index(words) :].split("\n\n")[1].splitlines()
    keys = []
    for line in lines[2:]:
        first, _, last = line.split("|")[1].strip().partition(" to ")
        keys += range(int(first), int(last or first) + 1)
    return keys


def keys_in_cddl(rule):
    block = re.search(rf"^{rule} = {{\n(.*?)^}}", "".join(BLOCKS), re.DOTALL | re.MULTILINE)
    return [int(key) for key in re.findall(r"^ *\??\s*(\d+):", block[1], re.MULTILINE)]


@pytest.mark.parametrize(
    ("words", "rule"),
    [("**A response**", "response"), ("**A verdict**", "verdict"), ("**A day rec", "day-record")],
)
def test_the_tables_of_records_have_the_keys_of_the_cddl(words, rule):
    assert keys_in_table(words) == keys_in_cddl(rule)


def test_every_message_stands_with_its_context():
    rows = table("message", "signed by", "context")
    contexts = {row["message"]: unquoted(row["context"]) for row in rows}
    assert contexts == {c.name.lower().replace("_", " "): c.value.decode() for c in Context}


def test_every_label_that_is_hashed_stands_on_the_page():
    sources = (path.read_text() for path in (ROOT / "sync_service").rglob("*.py"))
    labels = {label for source in sources for label in re.findall(r'b"(regard/1 [a-z -]+)', source)}
    assert len(labels) > len(Context)
    assert {label for label in labels if label not in PAGE} == set()


def limits_of_the_code():
    """Every public number, and row of numbers, of the contract."""
    limits = {}
    for module in CONTRACT:
        for name, value in vars(module).items():
            if name.isupper() and not name.startswith("_") and isinstance(value, int | tuple):
                numbers = value if isinstance(value, tuple) else (value,)
                if all(isinstance(number, int) for number in numbers):
                    assert limits.setdefault(name, numbers) == numbers, f"two kinds of {name}"
    return limits


def limits_of_the_page():
    """The tables of limits: of the contract, and of each end."""
    section = PAGE[PAGE.index("\n## Limits\n") : PAGE.index("\n## Time\n")]
    found = re.findall(r"^\| `(\w+)` \| ([\d, ]+) \|", section, re.MULTILINE)
    return {name: tuple(map(int, values.split(","))) for name, values in found}


def test_every_limit_stands_with_its_value():
    of_ends = {
        "BODY_DEADLINE_S": (int(app.BODY_DEADLINE_S),),
        "CODE_VALID_S": (CODE_VALID_S,),
        "FIRST_S": (int(FIRST_S),),
        "HEAD_DEADLINE_S": (int(connections.HEAD_DEADLINE_S),),
        "LONGEST_LINE_S": (int(turns.LONGEST_LINE_S),),
        "LONGEST_WAIT_S": (int(turns.LONGEST_WAIT_S),),
        "MAX_ARRIVING": (turns.MAX_ARRIVING,),
        "MAX_BRANCHES": (MAX_BRANCHES,),
        "MANY_CONNECTIONS": (connections.MANY_CONNECTIONS,),
        "MAX_CONNECTIONS": (connections.MAX_CONNECTIONS,),
        "MAX_HELD": (MAX_HELD,),
        "MAX_OF_ADDRESS": (pace.MAX_OF_ADDRESS,),
        "MAX_OF_ALL": (pace.MAX_OF_ALL,),
        "MAX_JOURNEYS": (MAX_JOURNEYS,),
        "MAX_RETRY_AFTER_S": (MAX_RETRY_AFTER_S,),
        "MAX_TURNS": (turns.MAX_TURNS,),
        "MAX_WAITING": (turns.MAX_WAITING,),
        "READY_DEADLINE_S": (int(app.READY_DEADLINE_S),),
        "UNREAD_DEADLINE_S": (int(connections.UNREAD_DEADLINE_S),),
    }
    assert limits_of_the_page() == limits_of_the_code() | of_ends


@pytest.mark.parametrize("setting", re.findall(r"(\d+)[^,;(]*? \(`(\w+_\w+)`\)", PAGE))
def test_the_agents_settings_are_by_default_what_the_page_says(setting):
    value, name = setting
    assert getattr(AgentSettings(data="data", stamp="stamp"), name) == int(value)


def test_all_of_the_agents_settings_that_are_numbers_stand_on_the_page():
    settings = AgentSettings(data="data", stamp="stamp")
    numbers = [n for n in settings.__struct_fields__ if type(getattr(settings, n)) in (int, float)]
    assert [name for name in numbers if f"(`{name}`)" not in PAGE] == []


def test_the_routes_are_those_of_the_collector():
    engine = open_engine("sqlite+aiosqlite:///never-opened.db")
    collector = CollectorApp(
        engine=engine,
        intake=Intake(engine, KIOSK, Published(Keys, [])),
        fleet=Fleet(engine, KIOSK),
        enrolments=Enrolments(engine, KIOSK),
    )
    served = {
        (method, route.path)
        for route in collector.app().routes
        for method in route.methods - {"HEAD"}
    }
    rows = table("method and path", "body", "at most", "success", "media type of the success")
    limits = {}
    for row in rows:
        method, path = row["method and path"].split(" ")
        limits[method, unquoted(path)] = row["at most"]
    assert limits.keys() == served
    assert limits["POST", wire.BATCHES_PATH] == f"{wire.MAX_BATCH_LENGTH} bytes"
    for path in (wire.STATUS_PATH, wire.ENROLMENTS_PATH):
        assert limits["POST", path] == f"{wire.MAX_MESSAGE_LENGTH} bytes"


def test_the_media_types_stand_on_the_page():
    assert f"`{wire.MEDIA_TYPE}`" in PAGE
    assert f"`{wire.PROBLEM_MEDIA_TYPE}`" in PAGE


PROBLEM_ROWS = {unquoted(row["code"]): row for row in table("code", "status", "when", "the agent")}


def test_every_problem_stands_with_its_status():
    statuses = {code: int(row["status"]) for code, row in PROBLEM_ROWS.items()}
    assert statuses == {code: int(kind.status) for code, kind in PROBLEMS.items()}


@pytest.fixture(scope="module")
def refusals():
    """A server that answers every request with the next problem put into its queue."""
    problems = SimpleQueue()

    class Refusing(BaseHTTPRequestHandler):
        def do_GET(self):
            problem = problems.get()
            body = json.dumps(problem.to_document()).encode()
            self.send_response(problem.kind.status)
            self.send_header("Content-Type", wire.PROBLEM_MEDIA_TYPE)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_):
            pass

    with HTTPServer(("127.0.0.1", 0), Refusing) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        collector = Collector(
            f"http://127.0.0.1:{server.server_port}",
            certificate(),
            signing_key=KIOSK,
            believe=CENTRE.verifying_key.verify,
            clock=Clock(error_s=lambda: 0.0),
            software="regard/test",
            timeout_s=10,
        )
        with collector:
            yield lambda code: problems.put(Problem(code)) or collector
        server.shutdown()
        thread.join()


def certificate():
    key = Ed25519PrivateKey.generate()
    name = x509.Name([])
    now = datetime.now(UTC)
    builder = x509.CertificateBuilder(name, name, key.public_key(), 1, now, now + timedelta(days=1))
    return builder.sign(key, None).public_bytes(Encoding.PEM)


AGENTS_WORDS = {
    ContractBrokenError: "contract broken",
    NotAdmittedError: "not admitted",
    TooMuchError: "too much",
    UnreachableError: "unreachable",
}


@pytest.mark.parametrize("code", PROBLEMS)
def test_the_agent_takes_each_problem_as_the_page_says(code, refusals):
    with pytest.raises(ContactError) as refused:
        refusals(code).publication(bytes(32))
    assert PROBLEM_ROWS[code]["the agent"] == AGENTS_WORDS[refused.type]
    assert refused.value.code == code


def costs():
    """What the page says of sizes, measured anew."""
    response = Response(
        assignment=1,
        moment=Moment(41_052),
        language="en",
        questionnaire=1,
        offered=(1, 2, 3, 4),
        answers={1: 1, 2: 1, 3: 2, 4: 1},
    )
    encoded = encode_record(response)
    sealed = OPENING.sealing_key.seal(encoded, LOG)

    def batch(number):
        return Batch(
            STATUS.kiosk_id, LOG, 1, first_link(LOG), [sealed] * number, bytes(wire.NONCE_LENGTH)
        )

    def keys_with(key):
        keys = Keys(key.sealing_key, CENTRE.verifying_key, CENTRE.verifying_key)
        return len(Publication(1, STATUS.clock_at, keys).sign(CENTRE))

    full = len(KIOSK.sign(Context.BATCH, batch(500).encode()))
    quantum_safe = OpeningKey(bytes(32), SealingAlgorithm.MLKEM768_X25519)
    larger = quantum_safe.sealing_key.seal(encoded, LOG)
    full_of_larger = len(
        KIOSK.sign(Context.BATCH, replace(batch(500), sealed=[larger] * 500).encode())
    )
    accepted = [Recorded.ACCEPTED] * 500
    receipt = Receipt(
        STATUS.kiosk_id, bytes(8), LOG, 1, batch(500).head.link, accepted, batch(500).head
    )
    status = replace(STATUS, last_error=None)
    nothing_to_say = replace(
        STATUS_REPLY, log_head=Head(1000, bytes(32)), wanted=[], offers=[], forked=False
    )
    return {
        "encoded": len(encoded.rstrip(b"\x00")) - 1,
        "padded": len(encoded),
        "sealed": len(sealed),
        "a batch of one": len(KIOSK.sign(Context.BATCH, batch(1).encode())),
        "a batch of 500": full,
        "each record in a batch of 500": round(full / 500, 1),
        "sealed, by ML-KEM-768 with X25519": len(larger),
        "a batch of 500 of those": full_of_larger,
        "each of those in a batch of 500": round(full_of_larger / 500, 1),
        "the keys publication, with X25519": keys_with(OPENING),
        "the same with ML-KEM-768 and X25519": keys_with(quantum_safe),
        "the receipt for 500 that were accepted": len(
            CENTRE.sign(Context.RECEIPT, receipt.encode())
        ),
        "a status": len(KIOSK.sign(Context.STATUS, replace(status, troubles=()).encode())),
        "a status reply with nothing to say": len(
            CENTRE.sign(Context.STATUS_REPLY, nothing_to_say.encode())
        ),
    }


def test_the_costs_are_those_of_the_code():
    assert {row["what"]: float(row["bytes"]) for row in table("what", "bytes")} == costs()


def test_the_sizes_of_sealed_records_are_those_of_the_code():
    assert ", ".join(map(str, BUCKETS[:-1])) + f" or {BUCKETS[-1]} bytes" in PAGE
    lengths = ("public key", "encapsulated key", "sealed, over its bucket")
    for row in table("algorithm", "KEM", *lengths):
        algorithm = SealingAlgorithm(int(row["algorithm"]))
        key = OpeningKey(bytes(32), algorithm).sealing_key
        overhead = int(row["sealed, over its bucket"])
        assert len(key.public) == int(row["public key"])
        assert overhead == 1 + 8 + int(row["encapsulated key"]) + 16
        for bucket in (BUCKETS[0], BUCKETS[-1]):
            assert len(key.seal(bytes(bucket), LOG)) == bucket + overhead
            assert re.search(rf"\b{bucket + overhead}\b", PAGE)


def a_stamp(**members):
    """The golden stamp, with members that older stamps have not."""
    golden = stamp.Stamp.from_files(
        {name: bytes.fromhex(content) for name, content in GOLDEN["stamp"].items()}
    )
    return replace(golden, **members)


def test_the_stamp_has_the_files_and_keys_that_the_page_names():
    assert tuple(unquoted(row["file"]) for row in table("file", "what")) == stamp.FILES
    full = a_stamp(
        panel="7-800x480",
        rotation=90,
        name="desk",
        staff_pin=pin.PinHash.of("012345", 1),
        network=network.Network(None),
    )
    settings = tomllib.loads(full.to_files()["stamp.toml"].decode())
    rows = table("key of `stamp.toml`", "value")
    assert {unquoted(row["key of `stamp.toml`"]) for row in rows} == settings.keys()
    assert re.fullmatch(r"scrypt:1:[0-9a-f]{32}:[0-9a-f]{64}", settings["staff_pin"])


def test_a_network_has_the_links_and_keys_that_the_page_names():
    rows = {
        unquoted(row["`link`"]): re.findall(r"`(\w+)`", row["keys"])
        for row in table("`link`", "keys")
    }
    named = {key for keys in rows.values() for key in keys} - {"peap", "ttls"}
    assert {"link", *named} == {*network.KEYS}
    assert {*re.findall("`(peap|ttls)`", PAGE)} == {each.value for each in network.Method}
    for link in rows.keys() - {"every link"}:
        with pytest.raises(MalformedError, match=f"with the link {link}"):
            network.Network.from_document({"link": link, "nothing": "x"})


def test_a_packed_stamp_is_what_the_page_says():
    packed = decode(a_stamp().pack())
    rows = table("key of `regard.stamp`", "value")
    assert {unquoted(row["key of `regard.stamp`"]) for row in rows} == packed.keys()
    assert packed["files"] == a_stamp().to_files()
    assert packed["digest"] == sha256(encode(packed["files"])).digest()
    left = tomllib.loads(stamp.Settled.of(a_stamp(name="desk")).to_file().decode())
    assert {"format", "stamp_id", "site", "site_name", "name"} == left.keys()


# The tests that show what is promised.

NAMED = re.compile(r"`(tests/[\w/]+\.py)::(test_\w+)`")


def section(heading):
    """A section of the page, with those below it."""
    return PAGE[PAGE.index(f"\n## {heading}\n") :].split("\n## ", 2)[1]


def rows_shown_by(heading):
    """The rows of a section's tables, without their heads."""
    lines = [line for line in section(heading).splitlines() if line.startswith("|")]
    heads = ("| promise | shown by |", "| | what | shown by |")
    return [line for line in lines if line not in heads and not line.startswith("|---")]


def functions_of(path):
    """The names of a file's functions."""
    tree = ast.parse((ROOT / path).read_text(encoding="utf-8"))
    return {node.name for node in tree.body if isinstance(node, ast.FunctionDef)}


@pytest.mark.parametrize("path", sorted({path for path, _ in NAMED.findall(PAGE)}))
def test_every_test_that_the_page_names_exists(path):
    assert {name for named, name in NAMED.findall(PAGE) if named == path} <= functions_of(path)


def test_every_promise_names_its_test():
    promises = rows_shown_by("Promises")
    assert promises
    assert [row for row in promises if not NAMED.search(row)] == []


def test_every_threat_names_its_test_or_says_that_nothing_shows_it():
    threats = rows_shown_by("Threat model")
    assert threats
    for row in threats:
        shown_by = row.strip("| ").rpartition(" | ")[2]
        assert NAMED.search(shown_by) or shown_by.startswith("not shown"), row


def test_the_threat_model_says_of_everybody_what_they_can_and_can_not_do():
    for threat in section("Threat model").split("\n### ")[1:]:
        assert set(re.findall(r"^\| ([a-z']+) \| ", threat, re.MULTILINE)) == {"can", "can't"}


def test_every_link_on_the_page_leads_somewhere():
    anchors = {
        heading.lower().replace(" ", "-")
        for heading in re.findall(r"^##+ (.*)$", PAGE, re.MULTILINE)
    }
    links = re.findall(r"\]\(([^)]+)\)", PAGE)
    assert len(links) > len(anchors) / 2
    for link in links:
        if link.startswith("#"):
            assert link[1:] in anchors, link
        else:
            assert (ROOT / "sync_service" / link).resolve().exists(), link
