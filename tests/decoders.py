"""Every decoder of what comes from outside, with the errors it may raise and what it reads.

`tests/test_decoders.py` tries each by Hypothesis, `make fuzz` by a fuzzer that looks for new ways
through their code; what that found is tried in every run of the tests.
"""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import date
from hashlib import sha256
from io import BytesIO
from pathlib import Path
from typing import Any

import msgspec
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

from sync_service.collector.enrolment import parse_fingerprint
from sync_service.collector.error import OfficeError
from sync_service.collector.insight.period import read_period
from sync_service.collector.proof.expiries import Expiry
from sync_service.collector.proof.papers import read_paper, write_paper
from sync_service.collector.proof.redactions import Redaction
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
from sync_service.contract.publication import (
    Keys,
    Publication,
    PublicationKind,
    key_document,
    parse_key,
)
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
from sync_service.outbox.database import MalformedKeyError, StoreKey
from sync_service.outbox.identity import DamagedIdentityError, Identity
from sync_service.outbox.spare_key import keep_spare_key, open_spare_key, spare_key_path

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
GOLDEN = json.loads((Path(__file__).parent / "contract/golden/version-1.json").read_text())
RUN = StatedRun(branch=0, first_seq=1, last_seq=7, link="00" * 32)
PAPERS = {
    Context.STATEMENT: Statement(
        1, "2026-03", "2026-04-01T00:00:00Z", (StatedLog("00" * 16, 7, 7, (RUN,)),)
    ),
    Context.REDACTION: Redaction("00" * 16, "00" * 32, "names a neighbour", date(2026, 3, 14)),
    Context.EXPIRY: Expiry("00" * 16, 0, ((1, 7), (9, 9)), date(2026, 3, 14)),
}


@dataclass(frozen=True)
class Decoder:
    """What takes bytes from outside, the errors it may raise, and what it reads.

    ``around`` puts bytes where an honest sender would: under its seal or signature. Of what is
    ``cbor`` the values are altered too. Where there is one encoding only, ``encode`` gives it.
    """

    decode: Callable[[bytes], Any]
    errors: type[Exception] | tuple[type[Exception], ...]
    reads: Sequence[bytes]
    around: Callable[[bytes], bytes] = bytes
    encode: Callable[[Any], bytes] | None = None
    cbor: bool = True


def check(decoder: Decoder, data: bytes) -> None:
    """See that bytes give a value or the named error."""
    try:
        value = decoder.decode(data)
    except decoder.errors:
        return
    if decoder.encode is not None:
        assert decoder.encode(value) == data


def places(value: Any) -> list[tuple[Any, Any]]:
    """Every (container, key) in a value."""
    if isinstance(value, dict):
        entries = list(value.items())
    elif isinstance(value, list):
        entries = list(enumerate(value))
    else:
        return []
    return [place for key, inner in entries for place in [(value, key), *places(inner)]]


def padded(encoded: bytes) -> bytes:
    marked = encoded + b"\x80"
    return marked.ljust(next((each for each in BUCKETS if each >= len(marked)), 0), b"\x00")


def parts(*kinds: Part) -> bytes:
    written = BytesIO()
    writer = BundleWriter(written.write)
    for kind in kinds:
        writer.add(kind, KIOSK.sign(Context.BATCH, BATCH.encode()))
    return written.getvalue()


def closed(parts: bytes) -> bytes:
    closing = Closing(BATCH.kiosk_id, NONCE, sha256(parts).digest())
    signed = KIOSK.sign(Context.BUNDLE, closing.encode())
    return parts + bytes([Part.CLOSING]) + len(signed).to_bytes(4, "big") + signed


def packed(files: bytes) -> bytes:
    rest = codec.encode({"digest": sha256(files).digest(), "format": 1})
    return b"\xa3" + codec.encode("files") + files + rest[1:]


def plain(padded: bytes) -> bytes:
    return padded.rstrip(b"\x00")[:-1]


def golden(signed: str) -> bytes:
    return Envelope.unpack(bytes.fromhex(signed)).payload


def text(read: Callable[[str], object]) -> Callable[[bytes], object]:
    return lambda data: read(data.decode("latin-1"))


def paper(context: Context, kind: type[msgspec.Struct]) -> Callable[[bytes], object]:
    return lambda data: read_paper(data, context, kind, [PUBLISHING.verifying_key])


def stamp_file(name: str) -> Callable[[bytes], object]:
    return lambda data: Stamp.from_files({**STAMPED, name: data})


def spare_key(folder: Path) -> Decoder:
    """The file that holds the store's key, sealed: whoever holds the card can alter it."""
    store = folder / "store.db"
    keep_spare_key(store, StoreKey(bytes(range(32))), KEY.sealing_key)
    path = spare_key_path(store)

    def read(data: bytes) -> StoreKey:
        path.write_bytes(data)
        return open_spare_key(store, [KEY])

    return Decoder(read, (MalformedKeyError, ContractError), [path.read_bytes()], cbor=False)


def identity(folder: Path) -> Decoder:
    """The file that a kiosk keeps its signing key in: whoever holds the card can alter it."""
    key, path = StoreKey(bytes(range(32))), folder / "identity"
    Identity.open(path, key)

    def read(data: bytes) -> Identity:
        path.write_bytes(data)
        return Identity.open(path, key)

    return Decoder(read, DamagedIdentityError, [path.read_bytes()], cbor=False)


GOLDEN_MESSAGES = {Batch: [golden(GOLDEN["batch"])], Receipt: [golden(GOLDEN["receipt"])]}
PLAIN = [
    *(plain(encode_record(each)) for each in RECORDS),
    *(plain(bytes.fromhex(each["padded"])) for each in GOLDEN["records"].values()),
]
DECODERS = {
    "value": Decoder(
        codec.decode,
        MalformedError,
        [message.encode() for message in MESSAGES],
        encode=codec.encode,
    ),
    "envelope": Decoder(
        Envelope.unpack,
        MalformedError,
        [KIOSK.sign(Context.BATCH, BATCH.encode()), bytes.fromhex(GOLDEN["batch"])],
        encode=Envelope.pack,
    ),
    **{
        type(message).__name__: Decoder(
            type(message).decode,
            (MalformedError, ChainError),
            [message.encode(), *GOLDEN_MESSAGES.get(type(message), ())],
        )
        for message in MESSAGES
    },
    "bundle": Decoder(
        lambda data: [*read_parts(BytesIO(data).read)],
        MalformedError,
        [parts(Part.BATCH, Part.RECEIPT), parts()],
        closed,
        cbor=False,
    ),
    "record": Decoder(decode_record, MalformedError, PLAIN, padded, encode=encode_record),
    "sealed record": Decoder(
        lambda data: decode_record(KEY.open(data, LOG)),
        (MalformedError, UnknownKeyError, UnopenableError),
        PLAIN,
        lambda encoded: KEY.sealing_key.seal(padded(encoded), LOG),
    ),
    "sealed store key": Decoder(
        KEY.open_store_key,
        (MalformedError, UnknownKeyError, UnopenableError),
        [KEY.sealing_key.seal_store_key(bytes(32))],
        cbor=False,
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
        [
            *(Envelope.unpack(signed).payload for signed in PUBLICATIONS),
            *(golden(signed) for signed in GOLDEN["publications"].values()),
        ],
        lambda payload: PUBLISHING.sign(Context.PUBLICATION, payload),
    ),
    "public key": Decoder(
        parse_key, MalformedError, [b"\x01" + bytes(32)], encode=key_document, cbor=False
    ),
    "packed stamp": Decoder(Stamp.unpack, StampError, [codec.encode(STAMPED)], packed),
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
    **{
        context.name.lower(): Decoder(
            paper(context, type(body)),
            (MalformedError, SignatureError),
            [write_paper(PUBLISHING, context, body).encode()],
            cbor=False,
        )
        for context, body in PAPERS.items()
    },
    "period": Decoder(text(read_period), ValueError, [b"2026-03", b"2026-Q1"], cbor=False),
}
