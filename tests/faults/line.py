"""The line between a kiosk and its collector, as it is: slow, lossy, cut, led astray.

All of it runs on one thread and on loopback. What a `Line` does to a connection is its fault; it
asks for it anew at each connection.
"""

import asyncio
import socket
import struct
import threading
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Self

CHUNK = 4096
TICK_S = 0.1
TURNS = 10

Handler = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


class Network:
    """Servers on loopback, until the end of the block."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._servers: list[asyncio.Server] = []
        self._tasks: set[asyncio.Task[None]] = set()  # the loop itself holds them only weakly
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        asyncio.run_coroutine_threadsafe(self._end(), self._loop).result()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def serve(self, handler: Handler, **tls: object) -> int:
        """Let a handler have what connects; gives the port."""
        serving = asyncio.start_server(self._kept(handler), "127.0.0.1", 0, **tls)
        server = asyncio.run_coroutine_threadsafe(serving, self._loop).result()
        self._servers.append(server)
        return server.sockets[0].getsockname()[1]

    def call(self, function: Callable[[], None]) -> None:
        """Call a function where the servers run."""
        self._loop.call_soon_threadsafe(function)

    def _kept(self, handler: Handler) -> Callable[..., None]:
        """The handler, which may break at any time; then, or when it ends, it is hung up."""

        async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            with suppress(OSError, EOFError, asyncio.LimitOverrunError):
                await handler(reader, writer)

        def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            def hang_up(task: asyncio.Task[None]) -> None:
                writer.transport.abort()
                self._tasks.discard(task)

            task = asyncio.create_task(handle(reader, writer))
            task.add_done_callback(hang_up)
            self._tasks.add(task)

        return connected

    async def _end(self) -> None:
        for server in self._servers:
            server.close()
        for _ in range(TURNS):  # who was at the door is let in, and then out
            await asyncio.sleep(0)
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        for _ in range(TURNS):  # what was hung up is closed at the loop's next turn
            await asyncio.sleep(0)


@dataclass(frozen=True)
class Way:
    """How bytes travel in one direction.

    ``altered_at``: the place of a byte that comes out as another. ``ends_at``: how many come out
    before the whole connection ends.
    """

    delay_s: float = 0.0
    bytes_per_s: float | None = None
    altered_at: int | None = None
    ends_at: int | None = None

    async def carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Carry bytes until they end."""
        size = CHUNK if self.bytes_per_s is None else int(self.bytes_per_s * TICK_S)
        carried = 0
        while chunk := bytearray(await reader.read(size)):
            await asyncio.sleep(self.delay_s if self.bytes_per_s is None else TICK_S)
            if self.altered_at is not None and 0 <= self.altered_at - carried < len(chunk):
                chunk[self.altered_at - carried] ^= 0x10
            if self.ends_at is not None and carried + len(chunk) >= self.ends_at:
                writer.write(chunk[: self.ends_at - carried])
                await writer.drain()
                raise EOFError
            carried += len(chunk)
            writer.write(chunk)
            await writer.drain()
        writer.write_eof()


@dataclass(frozen=True)
class Passage:
    """What becomes of a connection: where it leads, and how its bytes travel there and back.

    ``resets``: where it ends, it ends by a reset.
    """

    port: int
    there: Way = Way()
    back: Way = Way()
    resets: bool = False


Fault = Callable[[], Passage | None]
"""What becomes of the next connection. None: nobody is there."""


class Line:
    """A port from which connections are led on as its fault says, and counted."""

    def __init__(self, network: Network, fault: Fault) -> None:
        self.tried = 0
        self._network = network
        self._fault = fault
        self._held: set[asyncio.StreamWriter] = set()
        self.port = network.serve(self._lead)

    def have(self, fault: Fault) -> None:
        """Have another fault, and end what was connected under the one before."""

        def change() -> None:
            self._fault = fault
            for writer in self._held:
                writer.transport.abort()

        self._network.call(change)

    async def _lead(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.tried += 1
        passage = self._fault()
        if passage is not None:
            self._held.add(writer)
            try:
                await self._pass(passage, reader, writer)
            finally:
                self._held.discard(writer)

    async def _pass(
        self, passage: Passage, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        far_reader, far_writer = await asyncio.open_connection("127.0.0.1", passage.port)
        try:
            async with asyncio.TaskGroup() as both:
                both.create_task(passage.there.carry(reader, far_writer))
                both.create_task(passage.back.carry(far_reader, writer))
        except* (OSError, EOFError):
            if passage.resets:
                for end in (writer, far_writer):
                    at_once = struct.pack("ii", 1, 0)
                    end.get_extra_info("socket").setsockopt(
                        socket.SOL_SOCKET, socket.SO_LINGER, at_once
                    )
        finally:
            far_writer.transport.abort()


class Gate:
    """An HTTP proxy: leads on to where it is asked to, or answers with its ``refusal``."""

    def __init__(self, network: Network) -> None:
        self.tried = 0
        self.refusal: bytes | None = None
        self.port = network.serve(self._lead)

    async def _lead(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.tried += 1
        head = await reader.readuntil(b"\r\n\r\n")
        if self.refusal is not None:
            writer.write(self.refusal)
            await writer.drain()
            return
        _, target, _ = head.split(None, 2)
        host, _, port = target.decode().partition(":")
        far_reader, far_writer = await asyncio.open_connection(host, int(port))
        writer.write(b"HTTP/1.1 200 Connection established\r\n\r\n")
        try:
            async with asyncio.TaskGroup() as both:
                both.create_task(Way().carry(reader, far_writer))
                both.create_task(Way().carry(far_reader, writer))
        finally:
            far_writer.transport.abort()
