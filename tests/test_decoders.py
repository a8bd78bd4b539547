"""Whatever comes from outside, every decoder gives a value or its named error, within bounds.

What comes is random bytes, good bytes that were damaged, and values of the right make with
something hostile in them, sealed or signed as if by an honest hand where that is needed to be
looked at.
"""

import ast
import copy
import tracemalloc
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import date
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from centre import (
    ASSIGNMENT,
    DAY,
    KEY,
    LOG,
    PUBLISHING,
    QUESTIONNAIRE,
    REPLIES,
    RESPONSE,
    STAMP,
    UNSYNCED,
    VERDICT,
)
from hypothesis import given, settings
from hypothesis import strategies as st

from sync_service import contract
from sync_service.collector.enrolment import parse_fingerprint
from sync_service.collector.error import OfficeError
from sync_service.collector.insight.period import read_period
from sync_service.collector.proof.papers import read_paper, write_paper
from sync_service.collector.proof.statements import StatedLog, StatedRun, Statement
from sync_service.collector.pull.cursor import read_cursor, write_cursor
from sync_service.collector.pull.instalments import Position
from sync_service.contract import codec
from sync_service.contract.bundle import BundleWriter, Closing, Part, read_parts
from sync_service.contract.chain import Head, first_link
from sync_service.contract.error import (
    ChainError,
    ContractError,
    MalformedError,
    SignatureError,
    UnknownKeyError,
)
from sync_service.contract.network import Network, PersonalWifi
from sync_service.contract.pin import PinHash
from sync_service.contract.publication import Keys, Publication, PublicationKind, parse_key
from sync_service.contract.record import BUCKETS, Moment, decode_record, encode_record
from sync_service.contract.sealing import UnopenableError, read_header
from sync_service.contract.signing import Context, Envelope, SigningKey, fingerprint
from sync_service.contract.stamp import FILES, Settled, Stamp, StampError
from sync_service.contract.wire import (
    Batch,
    Enrolment,
    EnrolmentReply,
    Offer,
    Receipt,
    Recorded,
    Standing,
    Status,
    StatusReply,
)
from sync_service.outbox.database import StoreKey
from sync_service.outbox.identity import DamagedIdentityError, Identity

KIOSK = SigningKey(bytes([9] * 32))
NONCE = bytes(8)
BATCH = Batch(
    kiosk_id=KIOSK.verifying_key.kiosk_id,
    log_id=LOG,
    first_seq=1,
    previous=first_link(LOG),
    sealed=(bytes(121), bytes(122)),
    nonce=NONCE,
)
MESSAGES = (
    BATCH,
    Receipt(
        kiosk_id=BATCH.kiosk_id,
        nonce=NONCE,
        log_id=LOG,
        first_seq=1,
        batch_head=BATCH.head.link,
        outcomes=(Recorded.ACCEPTED, Recorded.REFUSED_KEY),
        log_head=BATCH.head,
    ),
    Status(
        kiosk_id=BATCH.kiosk_id,
        nonce=NONCE,
        log_id=LOG,
        head=BATCH.head,
        settled_seq=1,
        oldest_held_seq=1,
        depth=1,
        oldest_waiting=date(2026, 3, 14),
        software="regard/test",
        clock_synced=True,
        clock_at=0,
        uptime_h=1,
        last_error="timed-out",
        publications={PublicationKind.KEYS: 1},
        stamp_id=STAMP,
    ),
    StatusReply(
        kiosk_id=BATCH.kiosk_id,
        nonce=NONCE,
        standing=Standing.ENROLLED,
        at=0,
        log_head=Head(1, bytes(32)),
        wanted=((1, 2),),
        offers=(Offer(PublicationKind.KEYS, 1, bytes(32)),),
    ),
    Enrolment(KIOSK.verifying_key, NONCE, STAMP, "ABCD", "regard/test"),
    EnrolmentReply(BATCH.kiosk_id, NONCE, Standing.HELD),
    Closing(BATCH.kiosk_id, NONCE, bytes(32)),
)
RECORDS = (RESPONSE, replace(RESPONSE, moment=Moment(5, UNSYNCED)), VERDICT, DAY)
BODIES = (
    ASSIGNMENT,
    QUESTIONNAIRE,
    REPLIES,
    Keys(KEY.sealing_key, KIOSK.verifying_key, PUBLISHING.verifying_key),
)
PUBLICATIONS = [Publication(1, 0, body).sign(PUBLISHING) for body in BODIES]
WHOLE = Stamp(
    collector="https://collector.example:8443",
    stamp_id=ASSIGNMENT.stamp_id,
    enrolment_code="ABCD-EFGH",
    publishing_key=PUBLISHING.verifying_key,
    authority=b"-----BEGIN CERTIFICATE-----\n",
    keys=PUBLICATIONS[3],
    assignment=PUBLICATIONS[0],
    questionnaire=PUBLICATIONS[1],
    name="desk-1",
    staff_pin=PinHash.of("012345", 1),
    network=Network(PersonalWifi("Council", "quiet words"), "http://proxy.example:3128"),
)
STAMPED = WHOLE.to_files()


@dataclass(frozen=True)
class Decoder:
    """What takes bytes from outside, the errors it may raise, and what it reads.

    ``around`` puts bytes where an honest sender would: under its seal or signature. Of what is
    ``cbor`` the values are altered too.
    """

    decode: Callable[[bytes], object]
    errors: type[Exception] | tuple[type[Exception], ...]
    reads: Sequence[bytes]
    around: Callable[[bytes], bytes] = bytes
    cbor: bool = True


def padded(encoded: bytes) -> bytes:
    marked = encoded + b"\x80"
    return marked.ljust(next((each for each in BUCKETS if each >= len(marked)), 0), b"\x00")


def bundle(*parts: Part) -> bytes:
    written = BytesIO()
    writer = BundleWriter(written.write)
    for part in parts:
        writer.add(part, KIOSK.sign(Context.BATCH, BATCH.encode()))
    writer.close(KIOSK, Context.BUNDLE, BATCH.kiosk_id, NONCE)
    return written.getvalue()


RUN = StatedRun(branch=0, first_seq=1, last_seq=7, link="00" * 32)
STATEMENT = Statement(1, "2026-03", "2026-04-01T00:00:00Z", (StatedLog("00" * 16, 7, 7, (RUN,)),))


def plain(padded: bytes) -> bytes:
    return padded.rstrip(b"\x00")[:-1]


def text(read: Callable[[str], object]) -> Callable[[bytes], object]:
    return lambda data: read(data.decode("latin-1"))


def stamp_file(name: str) -> Callable[[bytes], object]:
    return lambda data: Stamp.from_files({**STAMPED, name: data})


def identity(folder: Path) -> Decoder:
    """The file that a kiosk keeps its signing key in: whoever holds the card can alter it."""
    key, path = StoreKey(bytes(range(32))), folder / "identity"
    Identity.open(path, key)

    def read(data: bytes) -> Identity:
        path.write_bytes(data)
        return Identity.open(path, key)

    return Decoder(read, DamagedIdentityError, [path.read_bytes()], cbor=False)


DECODERS = {
    "value": Decoder(codec.decode, MalformedError, [message.encode() for message in MESSAGES]),
    "envelope": Decoder(
        Envelope.unpack, MalformedError, [KIOSK.sign(Context.BATCH, BATCH.encode())]
    ),
    **{
        type(message).__name__: Decoder(
            type(message).decode, (MalformedError, ChainError), [message.encode()]
        )
        for message in MESSAGES
    },
    "bundle": Decoder(
        lambda data: [*read_parts(BytesIO(data).read)],
        MalformedError,
        [bundle(Part.BATCH, Part.RECEIPT), bundle()],
        cbor=False,
    ),
    "record": Decoder(
        decode_record, MalformedError, [plain(encode_record(each)) for each in RECORDS], padded
    ),
    "sealed record": Decoder(
        lambda data: decode_record(KEY.open(data, LOG)),
        (MalformedError, UnknownKeyError, UnopenableError),
        [plain(encode_record(each)) for each in RECORDS],
        lambda encoded: KEY.sealing_key.seal(padded(encoded), LOG),
    ),
    "sealed record's header": Decoder(
        read_header,
        (MalformedError, UnknownKeyError),
        [KEY.sealing_key.seal(encode_record(DAY), LOG)],
        cbor=False,
    ),
    "publication": Decoder(
        lambda data: Publication.verify(data, PUBLISHING.verifying_key),
        ContractError,
        [Envelope.unpack(signed).payload for signed in PUBLICATIONS],
        lambda payload: PUBLISHING.sign(Context.PUBLICATION, payload),
    ),
    "public key": Decoder(parse_key, MalformedError, [b"\x01" + bytes(32)], cbor=False),
    "packed stamp": Decoder(Stamp.unpack, StampError, [WHOLE.pack()]),
    "settled": Decoder(Settled.from_file, StampError, [Settled.of(WHOLE).to_file()], cbor=False),
    **{name: Decoder(stamp_file(name), StampError, [STAMPED[name]], cbor=False) for name in FILES},
    "cursor": Decoder(
        text(lambda cursor: read_cursor("responses", cursor)),
        ValueError,
        [write_cursor("responses", Position(7, bytes(8), bytes(16))).encode()],
        cbor=False,
    ),
    "fingerprint": Decoder(
        text(parse_fingerprint), OfficeError, [fingerprint(bytes(16)).encode()], cbor=False
    ),
    "statement": Decoder(
        lambda data: read_paper(data, Context.STATEMENT, Statement, [PUBLISHING.verifying_key]),
        (MalformedError, SignatureError),
        [write_paper(PUBLISHING, Context.STATEMENT, STATEMENT).encode()],
        cbor=False,
    ),
    "period": Decoder(text(read_period), ValueError, [b"2026-03", b"2026-Q1"], cbor=False),
}
OF_CBOR = {name: decoder for name, decoder in DECODERS.items() if decoder.cbor}

hostile = st.one_of(
    st.sampled_from(
        [
            *(None, True, False, 0, 1, -1, 2**31, 2**32, 2**63 - 1, 2**63, 2**64 - 1, -(2**63)),
            *("", "x", "x" * 70, "\x00", "\x1b[2J", "\u202e", "1970-01-01", "-1"),
            *(b"", b"\x00" * 15, b"\x00" * 16, b"\x00" * 32, b"\xff" * 33, b"\x00" * 16_442),
            *([], {}, [[]], [{}], {0: 1}, {"en": ""}, [1, 2], [1, b""], [0] * 600, [[1, 1]] * 65),
        ]
    ),
    st.integers(-5, 300),
    st.text(max_size=8),
    st.binary(max_size=40),
)


def check(decoder: Decoder, data: bytes) -> None:
    """See that bytes give a value or the named error."""
    try:
        decoder.decode(data)
    except decoder.errors:
        return


def places(value: Any) -> list[tuple[Any, Any]]:
    """Every (container, key) in a value."""
    if isinstance(value, dict):
        entries = list(value.items())
    elif isinstance(value, list):
        entries = list(enumerate(value))
    else:
        return []
    return [place for key, inner in entries for place in [(value, key), *places(inner)]]


@st.composite
def damaged(draw: st.DrawFn, data: bytes) -> bytes:
    """Bytes with some cut out, doubled, put in, swapped or altered."""
    for _ in range(draw(st.integers(1, 3))):
        first, last = sorted((draw(st.integers(0, len(data))), draw(st.integers(0, len(data)))))
        before, middle, after = data[:first], data[first:last], data[last:]
        match draw(st.sampled_from(["cut", "end", "double", "put", "swap", "alter"])):
            case "cut":
                data = before + after
            case "end":
                data = before
            case "double":
                data = before + middle + middle + after
            case "put":
                data = before + draw(st.binary(max_size=9)) + middle + after
            case "swap":
                data = before + after + middle
            case "alter":
                data = before + bytes([draw(st.integers(0, 255))]) + (middle + after)[1:]
    return data


@st.composite
def altered(draw: st.DrawFn, value: Any) -> Any:
    """A value with something in it replaced, left out, added or doubled."""
    value = copy.deepcopy(value)
    for _ in range(draw(st.integers(1, 3))):
        around = places(value)
        if not around:
            break
        container, key = draw(st.sampled_from(around))
        match draw(st.sampled_from(["replace", "move", "drop", "add", "double"])):
            case "replace":
                container[key] = copy.deepcopy(draw(hostile))
            case "move":
                other, there = draw(st.sampled_from(around))
                container[key] = copy.deepcopy(other[there])
            case "drop":
                del container[key]
            case "add" if isinstance(container, dict):
                other_key = draw(st.integers(0, 99) if type(key) is int else st.text(max_size=4))
                container[other_key] = copy.deepcopy(draw(hostile))
            case _ if isinstance(container, list):
                container += copy.deepcopy(container)
    return value


@pytest.mark.parametrize("decoder", DECODERS.values(), ids=DECODERS)
def test_what_is_good_is_read(decoder: Decoder) -> None:
    for data in decoder.reads:
        decoder.decode(decoder.around(data))


@pytest.mark.parametrize("decoder", DECODERS.values(), ids=DECODERS)
@settings(max_examples=60)
@given(data=st.binary(max_size=300))
def test_any_bytes_give_a_value_or_the_named_error(decoder: Decoder, data: bytes) -> None:
    check(decoder, data)
    check(decoder, decoder.around(data))


@pytest.mark.parametrize("decoder", DECODERS.values(), ids=DECODERS)
@settings(max_examples=60)
@given(data=st.data())
def test_damaged_bytes_give_a_value_or_the_named_error(
    decoder: Decoder, data: st.DataObject
) -> None:
    good = data.draw(st.sampled_from(decoder.reads))
    check(decoder, data.draw(damaged(decoder.around(good))))
    check(decoder, decoder.around(data.draw(damaged(good))))


@pytest.mark.parametrize("decoder", OF_CBOR.values(), ids=OF_CBOR)
@settings(max_examples=120)
@given(data=st.data())
def test_a_hostile_value_gives_a_value_or_the_named_error(
    decoder: Decoder, data: st.DataObject
) -> None:
    good = codec.decode(data.draw(st.sampled_from(decoder.reads)))
    hostile = data.draw(altered(good))
    try:
        encoded = codec.encode(hostile)
    except TypeError:  # keys of two types, which no CBOR of ours can say
        return
    check(decoder, decoder.around(encoded))


def test_an_identity_file_gives_an_identity_or_the_named_error(tmp_path: Path) -> None:
    decoder = identity(tmp_path)
    [good] = decoder.reads

    @settings(max_examples=100)
    @given(st.binary(max_size=200) | damaged(good))
    def check_all(data: bytes) -> None:
        check(decoder, data)

    check_all()


MIB = 1024 * 1024
BOMBS = {
    "empty maps": b"\x9a\x00\x0f\xff\xff" + b"\xa0" * (MIB - 1),
    "empty byte strings": b"\x9a\x00\x0f\xff\xff" + b"\x40" * (MIB - 1),
    "as many values as are allowed": b"\x99\x7f\xff" + b"\xa0" * 32_767,
    "a map of as many": codec.encode({number: 0 for number in range(16_000)}),
    "an array said to be huge": b"\x9b" + b"\xff" * 8,
    "a string said to be huge": b"\x5b\x7f" + b"\xff" * 7 + bytes(MIB),
    "arrays within arrays": b"\x81" * MIB,
    "maps within maps": b"\xa1\x00" * (MIB // 2),
    "tags within tags": b"\xc1" * MIB,
    "an indefinite array": b"\x9f" * MIB,
    "a long text": codec.encode("x" * MIB),
    "bad UTF-8": b"\x7a\x00\x0f\xff\xff" + b"\xc3" * MIB,
    "a long number": b"\xc2\x5a\x00\x0f\xff\xff" + b"\xff" * MIB,
    "digits": b"9" * MIB,
    "brackets": b"[" * MIB,
}


@pytest.mark.parametrize("bomb", BOMBS.values(), ids=BOMBS)
def test_no_bytes_make_a_decoder_fill_the_memory(bomb: bytes) -> None:
    others = {type(message).__name__ for message in MESSAGES[1:]}  # begin as the first one does
    for name in DECODERS.keys() - others:
        decoder = DECODERS[name]
        for data in (bomb, decoder.around(bomb)):
            tracemalloc.start()
            check(decoder, data)
            _, peak = tracemalloc.get_traced_memory()
            tracemalloc.stop()
            # A few copies of what came, and what a decoder may build of the profile's values.
            assert peak <= 8 * len(data) + 8 * MIB, name


def decoders_of_the_contract() -> set[str]:
    """Whatever takes bytes, and says which errors it raises for them."""
    found = set()
    for path in Path(contract.__file__).parent.glob("*.py"):
        for node in ast.parse(path.read_text(encoding="utf-8")).body:
            for each in node.body if isinstance(node, ast.ClassDef) else [node]:
                if not isinstance(each, ast.FunctionDef) or each.name.startswith("_"):
                    continue
                takes = {ast.unparse(one.annotation) for one in each.args.args if one.annotation}
                says = ast.get_docstring(each) or ""
                if takes & {"bytes", "Mapping[str, bytes]"} and "Raises:" in says:
                    owner = f"{node.name}." if isinstance(node, ast.ClassDef) else ""
                    found.add(owner + each.name)
    return found


def test_every_decoder_of_the_contract_is_among_them() -> None:
    assert decoders_of_the_contract() == {
        *(f"{type(message).__name__}.decode" for message in MESSAGES),
        "Envelope.unpack",
        "OpeningKey.open",
        "Publication.verify",
        "Settled.from_file",
        "Stamp.from_files",
        "Stamp.unpack",
        "decode",
        "decode_record",
        "parse_key",
        "read_header",
    }
