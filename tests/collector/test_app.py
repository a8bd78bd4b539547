import asyncio
import json
import logging
from contextlib import AsyncExitStack
from dataclasses import replace
from random import Random

import httpx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import func, select, text

from sync_service.collector import tables
from sync_service.collector.database import open_engine, reading, writing
from sync_service.collector.pace import Pace
from sync_service.collector.turns import MAX_TURNS, Turns
from sync_service.contract.codec import decode, encode
from sync_service.contract.signing import Context, Envelope
from sync_service.contract.wire import (
    BATCHES_PATH,
    ENROLMENTS_PATH,
    MAX_BATCH_LENGTH,
    MAX_BATCH_RECORDS,
    MAX_MESSAGE_LENGTH,
    MEDIA_TYPE,
    PROBLEM_MEDIA_TYPE,
    PROBLEMS,
    PUBLICATIONS_PATH,
    STATUS_PATH,
    EnrolmentReply,
    Receipt,
    Recorded,
    Standing,
    StatusReply,
)

HEADERS = {"Content-Type": MEDIA_TYPE}


class Http:
    """Speaks to a rig's collector: over real HTTP by stories, or with one request."""

    def __init__(self, rig):
        self._rig = rig

    def tell(self, story, collector=None):
        """Run a story, which is given a client and the port."""

        async def run():
            async with (
                self._rig.serving(collector) as port,
                httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", trust_env=False) as client,
            ):
                return await story(client, port)

        return self._rig.run(run())

    def post(self, path, body, collector=None, headers=HEADERS):
        """Post one body, past the web server."""
        return self._ask("POST", path, collector, content=body, headers=headers)

    def get(self, path, collector=None, method="GET"):
        """Ask for one path, past the web server."""
        return self._ask(method, path, collector)

    def _ask(self, method, path, collector, **what):
        transport = httpx.ASGITransport((collector or self._rig.collector).app())

        async def ask():
            async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
                return await client.request(method, path, **what)

        return self._rig.run(ask())


@pytest.fixture
def http(rig):
    return Http(rig)


def problem(reply):
    """The code of a problem, whose body is checked to be as it should."""
    assert reply.headers["Content-Type"] == PROBLEM_MEDIA_TYPE
    document = reply.json()
    kind = PROBLEMS[document["code"]]
    assert reply.status_code == document["status"] == kind.status
    assert document["title"] == kind.title
    assert document["type"] == f"urn:regard:problem:{document['code']}"
    return document["code"]


# What the routes lead to


def test_a_kiosk_enrols_delivers_and_says_how_it_is(rig, http, stamped):
    kiosk = stamped().record(3)
    batch = kiosk.batch()

    async def story(client, _port):
        replies = []
        for path, body in (
            (ENROLMENTS_PATH, kiosk.signed_enrolment()),
            (BATCHES_PATH, kiosk.sign(batch)),
            (STATUS_PATH, kiosk.signed_status()),
        ):
            replies.append(await client.post(path, content=body, headers=HEADERS))
        return replies

    replies = http.tell(story)

    assert [reply.status_code for reply in replies] == [200, 200, 200]
    assert {reply.headers["Content-Type"] for reply in replies} == {MEDIA_TYPE}
    enrolled, received, heard = (reply.content for reply in replies)
    enrolment = EnrolmentReply.decode(rig.believe(enrolled, Context.ENROLMENT_REPLY))
    assert enrolment.standing == Standing.ENROLLED
    receipt = Receipt.decode(rig.believe(received, Context.RECEIPT))
    assert receipt.answers(batch)
    status = StatusReply.decode(rig.believe(heard, Context.STATUS_REPLY))
    assert status.log_head == kiosk.head()


def test_a_publication_is_fetched_by_its_digest(rig, http):
    [(digest, signed)] = rig.read(
        select(tables.publication.c.digest, tables.publication.c.signed).where(
            tables.publication.c.kind == "keys"
        )
    )

    reply = http.get(PUBLICATIONS_PATH + digest.hex())

    assert (reply.status_code, reply.content) == (200, signed)
    assert reply.headers["Content-Type"] == MEDIA_TYPE
    assert "immutable" in reply.headers["Cache-Control"]


def test_nothing_of_the_server_is_told_in_headers(http):
    reply = http.tell(lambda client, _port: client.get("/healthz"))
    assert set(reply.headers) == {"content-length", "content-type"}


def test_health_and_readiness(rig, http):
    assert http.get("/healthz").text == "alive\n"
    assert http.get("/readyz").text == "ready\n"
    rig.write(text("UPDATE alembic_version SET version_num = '9999'"))
    assert http.get("/healthz").status_code == 200
    not_ready = http.get("/readyz")
    assert (not_ready.status_code, not_ready.text) == (503, "not ready\n")


# Problems


@pytest.mark.parametrize("path", [BATCHES_PATH, STATUS_PATH, ENROLMENTS_PATH])
def test_a_body_that_is_no_message_is_malformed(http, path):
    assert problem(http.post(path, b"\xff")) == "malformed"


def test_what_intake_refuses_is_told_as_its_problem(rig, http):
    kiosk, other = rig.kiosk().record(), rig.kiosk()

    body = other.key.sign(Context.BATCH, kiosk.batch().encode())

    assert problem(http.post(BATCHES_PATH, body)) == "bad-signature"


@pytest.mark.parametrize("path", ["/", "/v1", "/v1/batches/", "/docs", PUBLICATIONS_PATH])
def test_an_unknown_address_is_not_found(http, path):
    assert problem(http.get(path)) == "not-found"


@pytest.mark.parametrize("digest", ["00" * 32, "00" * 31, "xyz", "ŵ", "00" * 32 + "/"])
def test_an_unknown_publication_is_not_found(http, digest):
    assert problem(http.get(PUBLICATIONS_PATH + digest)) == "not-found"


@pytest.mark.parametrize(
    ("method", "path"),
    [("GET", BATCHES_PATH), ("PUT", STATUS_PATH), ("POST", "/healthz"), ("DELETE", "/readyz")],
)
def test_a_method_that_does_not_fit_is_refused(http, method, path):
    reply = http.get(path, method=method)

    assert problem(reply) == "wrong-method"
    assert method not in reply.headers["Allow"]


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Content-Type": "application/cbor"},
        {"Content-Type": "application/json"},
        {"Content-Type": MEDIA_TYPE, "Content-Encoding": "gzip"},
    ],
)
def test_another_media_type_is_refused(rig, http, headers):
    body = rig.kiosk().record().signed_batch()

    reply = http.post(BATCHES_PATH, body, headers=headers)

    assert problem(reply) == "wrong-media-type"
    assert reply.headers["Connection"] == "close"


def test_a_media_type_in_other_letters_and_with_parameters_is_the_same(rig, http):
    body = rig.kiosk().record().signed_batch()

    reply = http.post(BATCHES_PATH, body, headers={"Content-Type": f"{MEDIA_TYPE.upper()}; v=1"})

    assert reply.status_code == 200


@pytest.mark.parametrize(
    ("path", "limit"),
    [
        (BATCHES_PATH, MAX_BATCH_LENGTH),
        (STATUS_PATH, MAX_MESSAGE_LENGTH),
        (ENROLMENTS_PATH, MAX_MESSAGE_LENGTH),
    ],
)
def test_a_body_over_its_limit_is_refused_as_soon_as_it_says_so(http, path, limit):
    async def announce(_client, port):
        return await talk(
            port,
            f"POST {path} HTTP/1.1",
            f"Content-Length: {limit + 1}",
            f"Content-Type: {MEDIA_TYPE}",
        )

    assert b"413" in http.tell(announce).splitlines()[0]


def test_a_body_over_its_limit_that_does_not_say_so_is_refused_as_it_comes(http):
    async def pieces():
        for _ in range(MAX_MESSAGE_LENGTH // 1024 + 1):
            yield bytes(1024)

    assert problem(http.post(STATUS_PATH, pieces())) == "too-large"


def test_a_batch_of_five_hundred_long_comments_fits(rig, http):
    kiosk = rig.kiosk()
    kiosk.sealed = [kiosk.sealing_key.seal(bytes(2048), kiosk.log_id)] * MAX_BATCH_RECORDS

    assert http.post(BATCHES_PATH, kiosk.signed_batch()).status_code == 200


async def talk(port, *lines, body=b"", wait=True):
    """Send the lines of a request and part of a body, and give what comes back."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write("\r\n".join([*lines, "Host: localhost", "", ""]).encode() + body)
    await writer.drain()
    reply = await reader.read() if wait else b""
    writer.close()
    await writer.wait_closed()
    return reply


def test_a_body_slower_than_its_deadline_is_ended(rig, http):
    body = rig.kiosk().record().signed_batch()
    impatient = replace(rig.collector, body_deadline_s=0.05)

    async def dawdle(_client, port):
        return await talk(
            port,
            f"POST {BATCHES_PATH} HTTP/1.1",
            f"Content-Length: {len(body)}",
            f"Content-Type: {MEDIA_TYPE}",
            body=body[:-1],
        )

    head, _, content = http.tell(dawdle, impatient).partition(b"\r\n\r\n")

    assert head.startswith(b"HTTP/1.1 408 ")
    assert b"connection: close" in head.lower()
    assert json.loads(content)["code"] == "too-slow"
    assert rig.read(select(func.count()).select_from(tables.record)) == [(0,)]


def test_a_body_that_ends_early_is_truncated(rig):
    """As any ASGI server may tell it; uvicorn has nobody left to answer to."""
    body = rig.kiosk().record().signed_batch()
    coming = [
        {"type": "http.request", "body": body[:-9], "more_body": True},
        {"type": "http.disconnect"},
    ]
    sent = []
    scope = {
        "type": "http",
        "http_version": "1.1",
        "method": "POST",
        "scheme": "http",
        "path": BATCHES_PATH,
        "root_path": "",
        "query_string": b"",
        "headers": [(b"content-type", MEDIA_TYPE.encode())],
    }

    async def receive():
        return coming.pop(0)

    async def send(message):
        sent.append(message)

    rig.run(rig.collector.app()(scope, receive, send))

    assert sent[0]["status"] == 400
    assert json.loads(sent[1]["body"])["code"] == "truncated"


@pytest.mark.parametrize("uploads", [20, 200])
def test_uploads_dropped_in_mid_body_change_nothing_for_the_next(rig, http, caplog, uploads):
    caplog.set_level(logging.WARNING)
    kiosk = rig.kiosk().record(50)
    body = kiosk.signed_batch()

    async def drop_many(client, port):
        dropped = (
            talk(
                port,
                f"POST {BATCHES_PATH} HTTP/1.1",
                f"Content-Length: {len(body)}",
                f"Content-Type: {MEDIA_TYPE}",
                body=body[: len(body) * number // uploads],
                wait=False,
            )
            for number in range(uploads)
        )
        await asyncio.gather(*dropped)
        assert rig.engine.pool.checkedout() == 0
        return await client.post(BATCHES_PATH, content=body, headers=HEADERS)

    reply = http.tell(drop_many)

    receipt = Receipt.decode(rig.believe(reply.content, Context.RECEIPT))
    assert receipt.outcomes == (Recorded.ACCEPTED,) * 50
    assert rig.held(kiosk.log_id) == {0: [*range(1, 51)]}
    assert caplog.records == []


def spoil(kiosk, how):
    """A signed batch of a kiosk's records with something done to it."""
    good = kiosk.signed_batch()
    match how:
        case "truncated":
            return good[:-1]
        case "cut off after the envelope's head":
            return good[:3]
        case "doubled":
            return good + good
        case "with a record doubled" | "with records reordered":
            members = decode(kiosk.batch().encode())
            records = members[6]
            members[6] = records + records[-1:] if "doubled" in how else records[::-1]
            return kiosk.key.sign(Context.BATCH, encode(members))
        case "with halves swapped":
            return good[len(good) // 2 :] + good[: len(good) // 2]
        case "oversized":
            return good + bytes(MAX_BATCH_LENGTH)
        case "random":
            return Random(1).randbytes(len(good))
    return b""


@pytest.mark.parametrize(
    ("how", "code"),
    [
        ("truncated", "malformed"),
        ("cut off after the envelope's head", "malformed"),
        ("doubled", "malformed"),
        ("with a record doubled", "chain-broken"),
        ("with records reordered", "chain-broken"),
        ("with halves swapped", "malformed"),
        ("oversized", "too-large"),
        ("random", "malformed"),
        ("empty", "malformed"),
    ],
)
def test_a_spoiled_body_is_refused_and_changes_nothing_for_the_next(rig, http, how, code):
    kiosk = rig.kiosk().record(5)
    spoiled, good = spoil(kiosk, how), kiosk.signed_batch()

    async def post_both(client, _port):
        return [
            await client.post(BATCHES_PATH, content=body, headers=HEADERS)
            for body in (spoiled, good, spoiled)
        ]

    first, taken, last = http.tell(post_both)

    assert problem(first) == problem(last) == code
    receipt = Receipt.decode(rig.believe(taken.content, Context.RECEIPT))
    assert receipt.outcomes == (Recorded.ACCEPTED,) * 5
    assert rig.held(kiosk.log_id) == {0: [*range(1, 6)]}


def test_sixteen_equal_batches_at_once_over_http(rig, http):
    kiosk = rig.kiosk().record(10)
    batch = kiosk.batch()
    body = kiosk.sign(batch)

    async def post_all(client, _port):
        posts = [client.post(BATCHES_PATH, content=body, headers=HEADERS) for _ in range(16)]
        return await asyncio.gather(*posts)

    replies = http.tell(post_all)

    receipts = [Receipt.decode(rig.believe(reply.content, Context.RECEIPT)) for reply in replies]
    assert all(receipt.answers(batch) for receipt in receipts)
    assert sum(receipt.outcomes[0] is Recorded.ACCEPTED for receipt in receipts) == 1
    assert rig.held(kiosk.log_id) == {0: [*range(1, 11)]}


def test_a_busy_database_asks_for_a_little_patience(rig, http):
    engine = open_engine(rig.centre.database_url, busy_timeout_s=0.01)
    kiosk = rig.kiosk().record()

    async def deliver_while_another_writes(client, _port):
        async with writing(rig.engine) as connection:
            await connection.execute(select(tables.kiosk).with_for_update())
            refused = await client.post(BATCHES_PATH, content=kiosk.signed_batch(), headers=HEADERS)
            health = await client.get("/healthz")
        taken = await client.post(BATCHES_PATH, content=kiosk.signed_batch(), headers=HEADERS)
        await engine.dispose()
        return refused, health, taken

    refused, health, taken = http.tell(deliver_while_another_writes, rig.collector_on(engine))

    assert problem(refused) == "busy"
    assert int(refused.headers["Retry-After"]) >= 1
    assert (health.status_code, taken.status_code) == (200, 200)


class Herd:
    """Holds on to every batch until it is told to let them go, and then takes them in."""

    def __init__(self, intake):
        self._intake = intake
        self.arrived = 0
        self.let_go = asyncio.Event()

    async def take(self, body, now):
        self.arrived += 1
        await self.let_go.wait()
        return await self._intake.take(body, now)


def test_more_batches_than_may_wait_are_told_when_to_come_and_health_is_told_meanwhile(
    rig, http, caplog
):
    herd = Herd(rig.collector.intake)
    patient = MAX_TURNS + 5
    collector = replace(rig.collector, intake=herd, turns=Turns(max_waiting=5))
    kiosk = rig.kiosk().record(patient + 30)
    bodies = [kiosk.signed_batch(seq, seq) for seq in range(1, patient + 31)]

    async def come_at_once(client, _port):
        def post(body):
            return asyncio.create_task(client.post(BATCHES_PATH, content=body, headers=HEADERS))

        client.timeout = None
        coming = [post(body) for body in bodies]
        while herd.arrived < MAX_TURNS:
            await asyncio.sleep(0.001)
        while sum(reply.done() for reply in coming) < 30:
            await asyncio.sleep(0.001)
        refused = [await reply for reply in coming if reply.done()]
        health = [await client.get(path) for path in ("/healthz", "/readyz")]
        herd.let_go.set()
        replies = await asyncio.gather(*coming)
        again = [await post(body) for body in bodies]
        return [each for each in replies if each not in refused], refused, again, health

    taken, refused, again, health = http.tell(come_at_once, collector)

    assert len(taken) == patient
    assert {problem(reply) for reply in refused} == {"busy"}
    assert all(int(reply.headers["Retry-After"]) >= 1 for reply in refused)
    assert {reply.status_code for reply in [*taken, *again, *health]} == {200}
    assert len([entry for entry in caplog.records if entry.message == "busy"]) < 10
    assert rig.held(kiosk.log_id) == {0: [*range(1, patient + 31)]}


def test_a_database_that_is_long_in_answering_is_told_as_not_ready_soon(rig, http):
    hurried = replace(rig.collector, ready_deadline_s=0.5)

    async def ask_while_all_connections_are_taken(client, _port):
        async with AsyncExitStack() as stack:
            for _ in range(rig.engine.pool.size()):
                await stack.enter_async_context(reading(rig.engine))
            taken = await client.get("/readyz"), await client.get("/healthz")
        return *taken, await client.get("/readyz")

    not_ready, alive, ready = http.tell(ask_while_all_connections_are_taken, hurried)

    assert (not_ready.status_code, not_ready.text) == (503, "not ready\n")
    assert (alive.text, ready.text) == ("alive\n", "ready\n")


def test_bodies_that_would_fill_the_memory_are_told_when_to_come(rig, http):
    body = rig.kiosk().record().signed_batch()
    full = replace(rig.collector, turns=Turns(max_arriving=len(body) - 1))

    async def post_often(client, _port):
        return [await client.post(BATCHES_PATH, content=body, headers=HEADERS) for _ in range(2)]

    for reply in http.tell(post_often, full):
        assert problem(reply) == "busy"
        assert int(reply.headers["Retry-After"]) >= 1
    enough = replace(rig.collector, turns=Turns(max_arriving=len(body)))
    assert [reply.status_code for reply in http.tell(post_often, enough)] == [200, 200]


def test_whoever_asks_to_be_enrolled_too_often_is_told_when_to_come(rig, http, stamped):
    kiosk = stamped()
    body = kiosk.signed_enrolment()
    paced = replace(rig.collector, pace=Pace(of_one=2))

    async def ask(client, _port):
        first, second, third = [
            await client.post(ENROLMENTS_PATH, content=body, headers=HEADERS) for _ in range(3)
        ]
        status = kiosk.signed_status()
        return first, second, third, await client.post(STATUS_PATH, content=status, headers=HEADERS)

    first, second, third, status = http.tell(ask, paced)

    assert {first.status_code, second.status_code, status.status_code} == {200}
    assert problem(third) == "too-often"
    assert 1 <= int(third.headers["Retry-After"]) <= 200


def test_behind_a_proxy_enrolments_are_counted_by_whom_the_proxy_speaks_for(rig, http, stamped):
    body = stamped().signed_enrolment()
    paced = replace(rig.collector, pace=Pace(of_one=1))

    def codes(collector):
        async def ask(client, _port):
            replies = []
            for address in ("192.0.2.1", "192.0.2.2", "192.0.2.2"):
                headers = {**HEADERS, "X-Forwarded-For": f"10.0.0.1, {address}"}
                replies.append(await client.post(ENROLMENTS_PATH, content=body, headers=headers))
            return [reply.status_code for reply in replies]

        return http.tell(ask, collector)

    assert codes(replace(paced, behind_proxy=True)) == [200, 200, 429]
    assert codes(replace(rig.collector, pace=Pace(of_one=1))) == [200, 429, 429]


class BrokenIntake:
    """Has a bug."""

    async def take(self, body, now):
        raise RuntimeError(f"can't divide {len(body)} by zero")


def test_a_bug_is_told_as_internal_and_logged_without_the_body(rig, http, caplog):
    kiosk = rig.kiosk().record()
    body = kiosk.signed_batch()
    broken = replace(rig.collector, intake=BrokenIntake())

    reply = http.post(BATCHES_PATH, body, broken)

    assert problem(reply) == "internal"
    assert "divide" not in reply.text
    [logged] = [entry for entry in caplog.records if entry.levelno >= logging.ERROR]
    assert (logged.message, logged.path) == ("bug in the collector", BATCHES_PATH)
    assert logged.exc_info
    assert kiosk.sealed[0].hex() not in caplog.text


# Anything at all


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_any_bytes_get_a_reply_or_a_problem(rig, http, data):
    """Random bodies, good ones cut or altered, and payloads that are anything, signed well."""
    kiosk = rig.kiosk().record(3)
    good = {
        BATCHES_PATH: kiosk.signed_batch(),
        STATUS_PATH: kiosk.signed_status(),
        ENROLMENTS_PATH: kiosk.signed_enrolment(),
    }
    contexts = {
        BATCHES_PATH: Context.BATCH,
        STATUS_PATH: Context.STATUS,
        ENROLMENTS_PATH: Context.ENROLMENT,
    }
    path = data.draw(st.sampled_from([*good]))
    place = data.draw(st.integers(0, len(good[path]) - 1))
    payload = Envelope.unpack(good[path]).payload
    body = data.draw(
        st.one_of(
            st.binary(),
            st.just(good[path][:place]),
            st.just(good[path][:place] + b"\x00" + good[path][place + 1 :]),
            st.binary().map(lambda payload: kiosk.key.sign(contexts[path], payload)),
            st.just(kiosk.key.sign(contexts[path], payload[: place % len(payload)])),
        )
    )

    reply = http.post(path, body)

    assert reply.status_code == 200 or problem(reply) in {
        "malformed",
        "chain-broken",
        "bad-signature",
        "unknown-kiosk",
    }
