"""A small but faithful collector behind real TLS, and a kiosk with a real store."""

import ipaddress
import json
import socket
import socketserver
import ssl
import threading
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from random import Random

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from sync_service.agent.agent import Agent
from sync_service.agent.client import Collector
from sync_service.agent.config import AgentSettings
from sync_service.agent.delivery import Delivery
from sync_service.agent.publications import Publications
from sync_service.contract.chain import Head
from sync_service.contract.publication import (
    Assignment,
    Keys,
    Publication,
    Stands,
    publication_digest,
)
from sync_service.contract.questionnaire import Questionnaire
from sync_service.contract.sealing import OpeningKey
from sync_service.contract.signing import Context, Envelope, SigningKey
from sync_service.contract.stamp import Stamp
from sync_service.contract.wire import (
    BATCHES_PATH,
    ENROLMENTS_PATH,
    MEDIA_TYPE,
    PROBLEM_MEDIA_TYPE,
    PROBLEMS,
    PUBLICATIONS_PATH,
    STATUS_PATH,
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
from sync_service.outbox.database import StoreKey, open_store
from sync_service.outbox.identity import Identity
from sync_service.outbox.outbox import Outbox
from sync_service.outbox.state import State

STAMP_ID = bytes(range(16))
NOON = datetime(2026, 3, 14, 12, tzinfo=UTC)
HALF_DAY = 2 * (NOON.date().toordinal() - 719163) + 1
TODAY = datetime.now(UTC)


class Authority:
    """A certificate authority that signs whatever a test needs."""

    def __init__(self, folder):
        self._folder = folder
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "authority")])
        self._number = 0
        certificate = self._build(self._name, self._key, TODAY + timedelta(days=3650), ca=True)
        self.pem = certificate.public_bytes(serialization.Encoding.PEM)

    def serve(self, host="127.0.0.1", begins=TODAY - timedelta(days=30), days=60):
        """A server's TLS under a certificate for that host."""
        key = ec.generate_private_key(ec.SECP256R1())
        name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "collector")])
        ends = begins + timedelta(days=days)
        certificate = self._build(name, key, ends, begins=begins, host=host)
        self._number += 1
        path = self._folder / f"{self._number}.pem"
        path.write_bytes(
            key.private_bytes(
                serialization.Encoding.PEM,
                serialization.PrivateFormat.PKCS8,
                serialization.NoEncryption(),
            )
            + certificate.public_bytes(serialization.Encoding.PEM)
        )
        tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        tls.load_cert_chain(path)
        return tls

    def _build(self, name, key, ends, *, ca=False, begins=TODAY - timedelta(days=30), host=None):
        builder = (
            x509.CertificateBuilder()
            .subject_name(name)
            .issuer_name(self._name)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(begins)
            .not_valid_after(ends)
            .add_extension(x509.BasicConstraints(ca=ca, path_length=None), critical=True)
        )
        if host is not None:
            try:
                known_as = x509.IPAddress(ipaddress.ip_address(host))
            except ValueError:
                known_as = x509.DNSName(host)
            builder = builder.add_extension(x509.SubjectAlternativeName([known_as]), critical=False)
        return builder.sign(self._key, hashes.SHA256())


@dataclass
class Answer:
    """What goes back over HTTP; a body of None means that the connection just ends."""

    status: int = 200
    body: bytes | None = b""
    media_type: str = MEDIA_TYPE
    headers: dict = field(default_factory=dict)


class FakeCollector:
    """Speaks the contract: keeps sealed records by log and seq, and signs what it says.

    ``instead`` sees every message first, and may give another answer than the faithful one.
    """

    CUT = Answer(body=None)
    PORTAL = Answer(200, b"<html>Accept our terms!</html>", "text/html; charset=utf-8")

    def __init__(self, tls):
        self.receipt = SigningKey(bytes([2] * 32))
        self.kiosks = {}
        self.enrols_as = Standing.ENROLLED
        self.stored = {}
        self.links = {}
        self.publications = {}
        self.offers = []
        self.wanted = []
        self.at = int(NOON.timestamp())
        self.heard = []
        self.headers = []
        self.connections = 0
        self.below = ""
        self.instead = lambda message: None
        self._let_go = threading.Event()
        self._server = _Server(("127.0.0.1", 0), partial(_Handler, self))
        self._server.socket = tls.wrap_socket(self._server.socket, server_side=True)
        self.address = f"https://127.0.0.1:{self._server.server_port}"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,))
        self._thread.start()

    def close(self):
        self._let_go.set()
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    def stall(self):
        """Say nothing until the test is over."""
        self._let_go.wait()
        return self.CUT

    @staticmethod
    def problem(code, **headers):
        body = json.dumps(Problem(code).to_document()).encode()
        return Answer(PROBLEMS[code].status, body, PROBLEM_MEDIA_TYPE, headers)

    @staticmethod
    def page(status, **headers):
        """What a proxy says for itself."""
        return Answer(status, b"<html>Bad luck</html>", "text/html", headers)

    def offer(self, publication, key):
        signed = publication.sign(key)
        digest = publication_digest(signed)
        self.publications[digest] = signed
        self.offers.append(Offer(publication.kind, publication.serial, digest))
        return digest

    def of(self, kind):
        """The messages of a kind, as they were heard."""
        return [message for message in self.heard if isinstance(message, kind)]

    def answer(self, path, body):
        if body is None:
            message = bytes.fromhex(path.removeprefix(PUBLICATIONS_PATH))
        else:
            kind, context = {
                STATUS_PATH: (Status, Context.STATUS),
                BATCHES_PATH: (Batch, Context.BATCH),
                ENROLMENTS_PATH: (Enrolment, Context.ENROLMENT),
            }[path]
            envelope = Envelope.unpack(body)
            message = kind.decode(envelope.payload)
            if isinstance(message, Enrolment):
                message.key.verify(envelope, context)
            elif message.kiosk_id in self.kiosks:
                self.kiosks[message.kiosk_id][0].verify(envelope, context)
        self.heard.append(message)
        return self.instead(message) or self.faithful(message)

    def faithful(self, message):
        match message:
            case Status() | Batch() if message.kiosk_id not in self.kiosks:
                return self.problem("unknown-kiosk")
            case Status():
                return self.say(self.status_reply(message))
            case Batch():
                return self.say(self.take_in(message))
            case Enrolment():
                standing = self.enrols_as
                self.kiosks[message.key.kiosk_id] = (message.key, standing)
                return self.say(EnrolmentReply(message.key.kiosk_id, message.nonce, standing))
            case bytes() if message in self.publications:
                return Answer(body=self.publications[message])
        return self.problem("not-found")

    def say(self, message, key=None):
        context = {
            StatusReply: Context.STATUS_REPLY,
            EnrolmentReply: Context.ENROLMENT_REPLY,
            Receipt: Context.RECEIPT,
        }[type(message)]
        return Answer(body=(key or self.receipt).sign(context, message.encode()))

    def status_reply(self, status):
        return StatusReply(
            kiosk_id=status.kiosk_id,
            nonce=status.nonce,
            standing=self.kiosks[status.kiosk_id][1],
            at=self.at,
            log_head=self.head(status.log_id),
            wanted=self.wanted,
            offers=[
                offer
                for offer in self.offers
                if offer.serial > status.publications.get(offer.kind, 0)
            ],
        )

    def take_in(self, batch):
        outcomes = []
        for seq, (sealed, link) in enumerate(
            zip(batch.sealed, batch.links, strict=True), start=batch.first_seq
        ):
            place = (batch.log_id, seq)
            known = place in self.stored
            assert not known or self.stored[place] == sealed
            outcomes.append(Recorded.DUPLICATE if known else Recorded.ACCEPTED)
            self.stored[place], self.links[place] = sealed, link
        return Receipt(
            kiosk_id=batch.kiosk_id,
            nonce=batch.nonce,
            log_id=batch.log_id,
            first_seq=batch.first_seq,
            batch_head=batch.head.link,
            outcomes=outcomes,
            log_head=self.head(batch.log_id),
        )

    def head(self, log_id):
        """The newest record with all before it since the first that is held."""
        seqs = sorted(seq for log, seq in self.stored if log == log_id)
        if not seqs:
            return None
        newest = max(seq for index, seq in enumerate(seqs) if seq == seqs[0] + index)
        return Head(newest, self.links[log_id, newest])


class _Server(ThreadingHTTPServer):
    def handle_error(self, request, client_address):
        """A client that went away is part of the game."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wbufsize = -1

    def __init__(self, collector, *arguments):
        self._collector = collector
        collector.connections += 1
        super().__init__(*arguments)

    def do_POST(self):
        self._answer(self.rfile.read(int(self.headers["Content-Length"])))

    def do_GET(self):
        self._answer(None)

    def _answer(self, body):
        self._collector.headers.append(dict(self.headers))
        answer = self._collector.answer(self.path.removeprefix(self._collector.below), body)
        if answer.body is None:
            self.close_connection = True
            return
        self.send_response(answer.status)
        self.send_header("Content-Type", answer.media_type)
        self.send_header("Content-Length", str(len(answer.body)))
        for name, value in answer.headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()
        self.wfile.write(answer.body)

    def log_message(self, *_):
        """Nobody reads it."""


class Tunnel:
    """An HTTP proxy that knows CONNECT only, and remembers to where."""

    def __init__(self):
        self.asked_for = []
        self._server = socketserver.ThreadingTCPServer(("127.0.0.1", 0), self._handle)
        self.address = f"http://127.0.0.1:{self._server.server_address[1]}"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,))
        self._thread.start()

    def close(self):
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    def _handle(self, request, *_):
        head = b""
        while not head.endswith(b"\r\n\r\n"):
            head += request.recv(1)
        target = head.split()[1].decode()
        self.asked_for.append(target)
        host, _, port = target.partition(":")
        with socket.create_connection((host, int(port))) as beyond:
            request.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
            there = threading.Thread(target=_pump, args=(request, beyond))
            there.start()
            _pump(beyond, request)
            there.join()


def _pump(source, sink):
    with suppress(OSError):
        while data := source.recv(65536):
            sink.sendall(data)
    with suppress(OSError):
        sink.shutdown(socket.SHUT_WR)


class Waits:
    """Remembers how long it was asked to wait, and says stop after so many times."""

    def __init__(self, rounds):
        self.seconds = []
        self.stopped = False
        self._rounds = rounds

    def __call__(self, seconds):
        if seconds:
            self.seconds.append(seconds)
            self.stopped = self.stopped or len(self.seconds) >= self._rounds
        return self.stopped


@dataclass(frozen=True)
class Centre:
    """The centre's keys and what it published."""

    opening: OpeningKey
    receipt: SigningKey
    publishing: SigningKey
    assignment: Assignment
    questionnaire: Questionnaire

    def keys(self, serial, receipt=None, publishing=None):
        keys = Keys(
            self.opening.sealing_key,
            (receipt or self.receipt).verifying_key,
            (publishing or self.publishing).verifying_key,
        )
        return Publication(serial, 0, keys)

    def stamp(self, collector, authority):
        key = self.publishing
        return Stamp(
            collector=collector,
            stamp_id=STAMP_ID,
            enrolment_code="ABCD-EFGH",
            publishing_key=key.verifying_key,
            authority=authority,
            keys=self.keys(1).sign(key),
            assignment=Publication(1, 0, self.assignment).sign(key),
            questionnaire=Publication(1, 0, self.questionnaire).sign(key),
        )


class Caller:
    """A kiosk as far as the wire is concerned: a stamp, a signing key and a clock."""

    def __init__(self, stamp, believe, signing_key, closing):
        self.stamp = stamp
        self.now = NOON
        self.synced = True
        self.clock = Clock(lambda: self.now, lambda: 0.0 if self.synced else None)
        self.signing_key = signing_key
        self.kiosk_id = signing_key.verifying_key.kiosk_id
        self._believe = believe
        self._closing = closing

    def collector(self, **changes):
        settings = {
            "signing_key": self.signing_key,
            "believe": self._believe,
            "clock": self.clock,
            "software": "regard/test",
            "timeout_s": 10,
            **changes,
        }
        collector = Collector(self.stamp.collector, self.stamp.authority, **settings)
        return self._closing.enter_context(collector)

    def enrolled_at(self, collector, standing=Standing.ENROLLED):
        collector.kiosks[self.kiosk_id] = (self.signing_key.verifying_key, standing)
        return self


class Kiosk(Caller):
    """A stamped kiosk with its agent. Every part is the real one; only time is told to it."""

    def __init__(self, folder, stamp, closing):
        self.folder = folder
        self.store_key = StoreKey(bytes([7] * 32))
        self._engine = open_store(folder / "store.db", self.store_key)
        closing.callback(self._engine.dispose)
        self.outbox = self.opened(Outbox)
        self.state = State(self._engine)
        self.state.begin(stamp)
        self.identity = Identity.open(folder / "identity", self.store_key)

        super().__init__(stamp, self.state.believe, self.identity.signing_key, closing)

    def leave(self):
        """Close the store for good; its path."""
        self._engine.dispose()
        return self.folder / "store.db"

    def opened(self, kind):
        """Another view of the same store."""
        return kind(self._engine)

    def put(self, count, half_day=HALF_DAY - 1):
        first = self.outbox.extent().head.seq + 1
        for number in range(first, first + count):
            self.outbox.put(f"sealed {number}".encode(), half_day)

    def publications(self):
        return Publications(self.collector().publication, self.state)

    def delivery(self, hold=None, stopping=lambda: False, **changes):
        return Delivery(
            self.outbox,
            self.collector(**changes),
            self.identity.kiosk_id,
            hold=lambda: hold,
            stopping=stopping,
        )

    def agent(self, wait=lambda seconds: False, **settings):
        told = AgentSettings(data=str(self.folder), stamp=str(self.folder), **settings)
        return Agent(
            told,
            stamp=self.stamp,
            software="regard/test",
            outbox=self.outbox,
            state=self.state,
            identity=self.identity,
            clock=self.clock,
            collector=self.collector(timeout_s=told.timeout_s, proxy=told.proxy),
            random=Random(1),
            wait=wait,
        )


@pytest.fixture
def waits():
    """Makes a wait that says stop after so many times."""
    return Waits


@pytest.fixture(scope="session")
def authority(tmp_path_factory):
    return Authority(tmp_path_factory.mktemp("authority"))


@pytest.fixture(scope="session")
def certificate(authority):
    return authority.serve()


@pytest.fixture
def closing():
    with ExitStack() as closing:
        yield closing


@pytest.fixture
def serve(closing):
    """Starts a collector under that certificate."""

    def serve(tls):
        collector = FakeCollector(tls)
        closing.callback(collector.close)
        return collector

    return serve


@pytest.fixture
def collector(serve, certificate):
    return serve(certificate)


@pytest.fixture
def tunnel(closing):
    tunnel = Tunnel()
    closing.callback(tunnel.close)
    return tunnel


@pytest.fixture(scope="session")
def centre():
    return Centre(
        opening=OpeningKey(bytes([1] * 32)),
        receipt=SigningKey(bytes([2] * 32)),
        publishing=SigningKey(bytes([3] * 32)),
        assignment=Assignment(
            stamp_id=STAMP_ID,
            site="central-library",
            site_name="Central Library",
            service="libraries",
            organisation="council",
            place="W06000015",
            timezone="Europe/London",
            languages=("en",),
            stands=Stands.EXIT,
            questionnaire="visit",
        ),
        questionnaire=Questionnaire.from_document(
            {
                "id": "visit",
                "version": 1,
                "title": {"en": "Your visit"},
                "languages": ["en"],
                "ask": [["comment"]],
                "items": [
                    {
                        "code": 1,
                        "name": "comment",
                        "kind": "text",
                        "provenance": "New",
                        "source": "for the tests",
                        "max_length": 200,
                        "text": {"en": "What would you like to say?"},
                    }
                ],
            }
        ),
    )


@pytest.fixture
def caller_of(closing, centre, authority):
    """Makes a caller that was stamped for that collector."""

    def caller_of(collector):
        return Caller(
            centre.stamp(collector.address, authority.pem),
            centre.receipt.verifying_key.verify,
            SigningKey(bytes([4] * 32)),
            closing,
        )

    return caller_of


@pytest.fixture
def caller(caller_of, collector):
    """A caller that its collector knows."""
    return caller_of(collector).enrolled_at(collector)


@pytest.fixture
def kiosk_of(tmp_path, closing, centre, authority):
    """Makes a kiosk that was stamped for that collector."""

    def kiosk_of(collector):
        return Kiosk(tmp_path, centre.stamp(collector.address, authority.pem), closing)

    return kiosk_of


@pytest.fixture
def kiosk(kiosk_of, collector):
    """A kiosk that its collector knows."""
    return kiosk_of(collector).enrolled_at(collector)
