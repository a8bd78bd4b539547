"""Connections that dawdle: each has an end, and none is in the way of one that asks."""

import asyncio
import resource
import socket
import ssl
import subprocess
import sys
import tracemalloc
from contextlib import asynccontextmanager
from datetime import UTC, datetime

import pytest
from starlette.applications import Starlette
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from sync_service.collector.authority import Authority
from sync_service.collector.connections import Connection, Server, listen

LARGE = 32 * 1024 * 1024
PATIENCE_S = 60


class Impatient(Connection):
    """A connection with little time."""

    head_deadline_s = 0.1


class Few(Connection):
    """A connection of which three are many, and four too many."""

    many, most = 3, 4
    grace_s = 0


class Graced(Few):
    """One that is trusted to have a request with it, however long it takes to be read."""

    grace_s = 60


async def greet(request):
    await request.body()
    return PlainTextResponse("hello\n")


async def give_much(request):
    return Response(bytes(LARGE))


class Site:
    """An application, served; ``held`` lets go what it holds."""

    def __init__(self, server, port, served):
        self.server = server
        self.port = port
        self.served = served
        self.held = asyncio.Event()
        self._clients = []

    @property
    def connections(self):
        return len(self.server.server_state.connections)

    async def connect(self, **options):
        """Connect, and give both streams."""
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port, **options)
        self._clients.append(writer)
        return reader, writer

    async def enter(self):
        """Connect, and give both streams once the server has let us in."""
        before = set(self.server.server_state.connections)
        streams = await self.connect()
        await until(lambda: self.server.server_state.connections - before)
        return streams

    async def get(self, path="/", **options):
        """A whole exchange."""
        reader, writer = await self.connect(**options)
        writer.write(request(path, "Connection: close"))
        return await reader.read()

    def close(self):
        """Hang up on all that was connected."""
        for writer in self._clients:
            writer.close()


def request(path="/", *headers):
    return "\r\n".join([f"GET {path} HTTP/1.1", "Host: localhost", *headers, "", ""]).encode()


async def rest(reader):
    """What still comes until the end, whichever way the end comes."""
    try:
        return await reader.read()
    except ConnectionError:
        return b""


async def until(condition):
    async with asyncio.timeout(PATIENCE_S):
        while not condition():
            await asyncio.sleep(0.001)


@asynccontextmanager
async def serving(connection=Connection, context=None, unread_deadline_s=60):
    async def hold(request):
        await site.held.wait()
        return PlainTextResponse("held\n")

    app = Starlette(
        routes=[
            Route("/", greet, methods=["GET", "POST"]),
            Route("/much", give_much),
            Route("/held", hold),
        ]
    )
    server = Server(app, context, connection)
    listening = listen("127.0.0.1", 0, unread_deadline_s)
    task = asyncio.create_task(server.serve(sockets=[listening]))
    await until(lambda: server.started)
    site = Site(server, listening.getsockname()[1], task)
    try:
        yield site
    finally:
        site.held.set()
        site.close()
        server.should_exit = True
        await task


def ended(story):
    """Run a story, which must end by itself."""

    async def run():
        async with asyncio.timeout(PATIENCE_S):
            return await story()

    return asyncio.run(run())


def test_a_connection_that_says_nothing_is_ended():
    async def story():
        async with serving(Impatient) as site:
            reader, _ = await site.connect()
            assert await rest(reader) == b""
            assert site.connections == 0

    ended(story)


def test_a_head_that_comes_a_byte_at_a_time_has_the_same_deadline():
    async def story():
        async with serving(Impatient) as site:
            reader, writer = await site.connect()
            writer.write(request()[:-4])

            async def drip():
                while True:
                    await asyncio.sleep(0.01)
                    writer.write(b"t")
                    await writer.drain()

            dripping = asyncio.create_task(drip())
            assert await rest(reader) == b""
            with pytest.raises(ConnectionError):
                await dripping

    ended(story)


def test_a_head_without_end_is_refused():
    async def story():
        async with serving() as site:
            reader, writer = await site.connect()
            writer.write(request()[:-4] + b"x" * 20_000)
            assert b" 400 " in await reader.readline()
            await rest(reader)

    ended(story)


def test_after_a_reply_the_next_request_has_its_own_time():
    async def story():
        async with serving(Impatient) as site:
            reader, writer = await site.connect()
            clock = asyncio.get_running_loop().time
            enough = clock() + 3 * Impatient.head_deadline_s
            while clock() < enough:
                writer.write(request())
                assert await reader.readuntil(b"hello\n")
            assert await rest(reader) == b""

    ended(story)


def test_requests_sent_together_are_answered_one_by_one():
    async def story():
        async with serving(Impatient) as site:
            reader, writer = await site.connect()
            writer.write(request() * 5)
            assert (await reader.read()).count(b"hello") == 5

    ended(story)


def test_a_request_that_is_under_way_is_not_ended():
    async def story():
        async with serving(Impatient) as site:
            reader, writer = await site.connect()
            writer.write(b"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 2\r\n\r\na")
            await asyncio.sleep(3 * Impatient.head_deadline_s)
            writer.write(b"b")
            assert await reader.readuntil(b"hello\n")

    ended(story)


def test_a_body_that_nobody_waits_for_does_not_keep_a_connection():
    async def story():
        async with serving(Impatient) as site:
            reader, writer = await site.connect()
            writer.write(request("/none", "Content-Length: 9"))
            assert b"404" in await reader.readline()
            await rest(reader)
            assert site.connections == 0

    ended(story)


def test_a_long_reply_over_a_slow_line_is_sent_to_its_end():
    async def story():
        async with serving(Impatient) as site:
            reader, writer = await site.connect()
            writer.write(request("/much"))
            await reader.readuntil(b"\r\n\r\n")
            await asyncio.sleep(3 * Impatient.head_deadline_s)
            length = 0
            while piece := await reader.read(1024 * 1024):
                length += len(piece)
            assert length == LARGE

    ended(story)


def test_whoever_takes_in_nothing_of_a_reply_is_cut_off():
    async def story():
        async with serving(unread_deadline_s=0.3) as site:
            _, writer = await site.connect()
            writer.transport.pause_reading()
            writer.write(request("/much"))
            await until(lambda: site.connections == 0)

    ended(story)


@pytest.fixture
def contexts(tmp_path):
    """TLS contexts for a server and for its client."""
    authority = Authority.make(tmp_path / "tls", datetime.now(UTC))
    authority.issue(["localhost"], datetime.now(UTC))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.load_into(context)
    trusting = ssl.create_default_context(cafile=tmp_path / "tls" / "authority.pem")
    return context, trusting


def test_a_handshake_that_does_not_come_is_waited_for_as_long_as_a_head(contexts):
    context, trusting = contexts

    async def story():
        async with serving(Impatient, context) as site:
            silent, _ = await site.connect()
            options = {"ssl": trusting, "server_hostname": "localhost"}
            assert b"hello" in await site.get(**options)
            assert await rest(silent) == b""
            quiet, _ = await site.connect(**options)
            assert await rest(quiet) == b""

    ended(story)


def test_who_dawdles_over_a_handshake_makes_room_like_any_other(contexts):
    context, trusting = contexts

    async def story():
        async with serving(Few, context) as site:
            dawdling = [await site.enter() for _ in range(Few.many)]
            assert b"hello" in await site.get(ssl=trusting, server_hostname="localhost")
            assert await rest(dawdling[0][0]) == b""
            assert site.connections <= Few.most

    ended(story)


def test_a_handshake_that_fails_leaves_nothing_behind(contexts):
    context, _ = contexts

    async def story():
        async with serving(context=context) as site:
            for words in (b"GET / HTTP/1.1\r\n\r\n", b""):
                reader, writer = await site.enter()
                writer.write(words)
                writer.write_eof()
                await rest(reader)
            await until(lambda: site.connections == 0)

    ended(story)


def test_a_connection_keeps_no_more_than_a_record_of_tls(contexts):
    context, _ = contexts

    async def story():
        async with serving(context=context) as site:
            tracemalloc.start()
            entered = [await site.enter() for _ in range(20)]
            held, _ = tracemalloc.get_traced_memory()
            tracemalloc.stop()
            assert held / len(entered) < 100 * 1024

    ended(story)


def test_those_who_come_are_let_in_between_the_steps_of_what_is_under_way():
    async def story():
        async with serving() as site:
            reader, writer = await site.enter()
            crowd = [socket.create_connection(("127.0.0.1", site.port)) for _ in range(100)]
            writer.write(request())
            await reader.readuntil(b"hello\n")
            assert site.connections < 50
            await until(lambda: site.connections == 101)
            for each in crowd:
                each.close()

    ended(story)


def test_who_says_no_farewell_does_not_keep_the_server_from_ending(contexts):
    context, trusting = contexts

    async def story():
        async with serving(context=context) as site:
            reader, writer = await site.connect(ssl=trusting, server_hostname="localhost")
            writer.write(request())
            await reader.readuntil(b"hello\n")
            writer.transport.pause_reading()
            site.server.should_exit = True
            before_it_gives_up_s = site.server.config.timeout_graceful_shutdown / 2
            served, _ = await asyncio.wait({site.served}, timeout=before_it_gives_up_s)
            writer.transport.resume_reading()
            assert served

    ended(story)


def test_when_there_are_many_the_one_that_waited_longest_makes_room():
    async def story():
        async with serving(Few) as site:
            first, second, third, fourth = [await site.enter() for _ in range(4)]
            assert await rest(first[0]) == b""
            second[1].write(request())
            assert await second[0].readuntil(b"hello\n")
            fifth = await site.enter()
            assert await rest(third[0]) == b""
            for reader, writer in (second, fourth, fifth):
                writer.write(request())
                assert await reader.readuntil(b"hello\n")

    ended(story)


def test_who_is_served_makes_no_room_and_who_comes_when_there_is_none_waits_outside():
    async def story():
        async with serving(Few) as site:
            served = []
            for number in range(1, 5):
                served.append(await site.enter())
                served[-1][1].write(request("/held"))
                await until(lambda so_many=number: len(site.server.server_state.tasks) == so_many)
            reader, writer = await site.connect()
            writer.write(request())
            for _ in range(20):  # passes of the loop: time enough to let it in
                await asyncio.sleep(0)
            assert site.connections == Few.most
            site.held.set()
            for other, _ in served:
                assert await other.readuntil(b"held\n")
            assert await reader.readuntil(b"hello\n")

    ended(story)


def test_who_has_just_come_makes_no_room_as_its_request_may_be_on_the_way():
    async def story():
        async with serving(Graced) as site:
            entered = [await site.enter() for _ in range(4)]
            _, writer = await site.connect()
            writer.write(request())
            for reader, writer in entered:
                writer.write(request())
                assert await reader.readuntil(b"hello\n")

    ended(story)


def test_whoever_can_t_be_let_in_does_not_keep_out_those_who_come_after():
    failures = iter([MemoryError(), OSError("no files")])

    class Failing(Connection):
        def __init__(self, *args):
            if (failure := next(failures, None)) is not None:
                raise failure
            super().__init__(*args)

    async def story():
        async with serving(Failing) as site:
            for _ in range(2):
                reader, _ = await site.connect()
                assert await rest(reader) == b""
            assert b"hello" in await site.get()

    ended(story)


def test_a_fleet_that_comes_all_at_once_is_let_in():
    class Fleet(Connection):
        many = 50

    async def story():
        async with serving(Fleet) as site:
            replies = await asyncio.gather(*(site.get() for _ in range(300)))
            assert all(b"hello" in reply for reply in replies)

    ended(story)


def test_five_hundred_idle_connections_are_in_nobody_s_way():
    class Some(Connection):
        many = 50
        grace_s = 0

    async def story():
        async with serving(Some) as site:
            for _ in range(500):
                await site.connect()
            for _ in range(5):
                assert b"hello" in await site.get()
            assert site.connections <= Some.many

    ended(story)


def test_no_reply_waits_for_the_other_side_to_say_that_it_has_the_first_part():
    with (
        listen("127.0.0.1", 0) as listening,
        socket.create_connection(listening.getsockname()),
        listening.accept()[0] as accepted,
    ):
        assert accepted.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)


def test_a_process_may_open_as_many_files_as_there_may_be_connections():
    lowered = (
        "import resource as r; from sync_service.collector.connections import allow_files;"
        "r.setrlimit(r.RLIMIT_NOFILE, (256, {hard})); allow_files();"
        "print(r.getrlimit(r.RLIMIT_NOFILE)[0])"
    )
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    for most, allowed in ((hard, min(hard, 9000)), (1000, 1000)):
        command = [sys.executable, "-c", lowered.format(hard=most)]
        said = subprocess.run(command, check=True, capture_output=True, text=True).stdout
        assert int(said) == allowed
