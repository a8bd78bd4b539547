"""Connections: how many there may be, and how long one may keep the collector waiting.

Whoever connects can shake hands for ever, send a request's head a byte at a time, or not read the
reply; uvicorn has no deadline for any of it. Here each has one, and where there are many
connections, the one that has waited longest for a request makes room: whoever comes with a request
in hand is let in, also when a whole fleet does.

A fleet is let in one by one, between the steps of all that goes on, and waits outside until then.
Were all let in at once, their handshakes would keep each other waiting until each deadline is over.
"""

import asyncio
import logging
import math
import resource
import socket
import ssl
from asyncio.sslproto import SSLProtocol
from collections import OrderedDict
from contextlib import AbstractContextManager, nullcontext
from typing import Any, ClassVar, Final

import uvicorn
from starlette.types import ASGIApp
from uvicorn.protocols.http.h11_impl import H11Protocol
from uvicorn.server import ServerState

from sync_service.collector.error import OfficeError

HEAD_DEADLINE_S: Final = 10.0
"""How long a request's head may take to arrive, and TLS to shake hands before it, in seconds."""

UNREAD_DEADLINE_S: Final = 60.0
"""How long nothing of a reply may be taken in, in seconds."""

MANY_CONNECTIONS: Final = 1000
"""From how many on those that wait for a request make room."""

MAX_CONNECTIONS: Final = 8000
"""How many there may be at a time, whatever comes with them."""

_GRACE_S: Final = 1.0  # so long ago it came that we would have read a request that came with it
_ENDING_S: Final = 10
_FILES: Final = MAX_CONNECTIONS + 1000  # for the database, and whatever else the process opens
_OUTSIDE: Final = 4096  # how many may wait outside; beyond, the kernel lets them knock again
_FULL_PAUSE_S: Final = 0.1
_FAILED_PAUSE_S: Final = 0.5

_log: Final = logging.getLogger(__name__)


class Connection(H11Protocol):
    """A connection that is ended if no request's head comes in time.

    The time runs while no request is under way: from the handshake on, and from each reply on. The
    handshake itself has as much.
    """

    head_deadline_s: ClassVar[float] = HEAD_DEADLINE_S
    grace_s: ClassVar[float] = _GRACE_S
    many: ClassVar[int] = MANY_CONNECTIONS
    most: ClassVar[int] = MAX_CONNECTIONS

    def __init__(
        self,
        config: uvicorn.Config,
        server_state: ServerState,
        app_state: dict[str, Any],
        waiting: "OrderedDict[Connection, asyncio.TimerHandle]",
    ) -> None:
        super().__init__(config, server_state, app_state)
        self._waiting = waiting  # of all connections: the one that has waited longest first

    def approach(self, transport: asyncio.Transport) -> None:
        """Let it shake hands, before it is there."""
        self.connections.add(self)
        self.transport = transport
        self._watch()

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Let it in."""
        self._stop_waiting()
        super().connection_made(transport)
        self._watch()

    def connection_lost(self, exc: Exception | None) -> None:
        """Let it go."""
        super().connection_lost(exc)
        self.leave()

    def leave(self) -> None:
        """Count it no more."""
        self.connections.discard(self)
        self._stop_waiting()

    def handle_events(self) -> None:
        """Take in what has come."""
        super().handle_events()
        self._watch()

    def on_response_complete(self) -> None:
        """Wait for the next request, unless it is there already."""
        super().on_response_complete()
        self._watch()

    def shutdown(self) -> None:
        """End the connection, or make the request under way its last."""
        if self in self._waiting:
            self.timeout_keep_alive_handler()
        else:
            super().shutdown()

    def timeout_keep_alive_handler(self) -> None:
        """End the connection, unless a reply is still on its way over a slow line."""
        self._stop_waiting()
        if self.transport.get_write_buffer_size() > 0:
            self._watch()
        else:
            self.transport.abort()  # TLS would wait for the other side's farewell

    def _watch(self) -> None:
        """Let the time run exactly while no request is under way."""
        if self.transport.is_closing() or (self.cycle and not self.cycle.response_complete):
            self._stop_waiting()
        elif self not in self._waiting:
            self._waiting[self] = self.loop.call_later(
                self.head_deadline_s, self.timeout_keep_alive_handler
            )

    def _stop_waiting(self) -> None:
        if (deadline := self._waiting.pop(self, None)) is not None:
            deadline.cancel()

    def make_room(self) -> bool:
        """End it if it has waited long enough for a request to have come with it, and say so."""
        began_at = self._waiting[self].when() - self.head_deadline_s
        if self.loop.time() - began_at < self.grace_s:
            return False
        self.leave()
        self.transport.abort()
        return True


class Handshake(SSLProtocol):
    """TLS below a connection.

    asyncio's own keeps a quarter of a megabyte for each, which is zeroed first: the tenth part of
    what a herd costs in time, and nearly all in memory. One record of TLS is enough.
    """

    max_size = 16 * 1024

    def __init__(self, connection: Connection, context: ssl.SSLContext) -> None:
        nobody: Any = None  # waits for its end, which asyncio allows for and its types don't
        super().__init__(connection.loop, connection, context, nobody, server_side=True)
        self._connection = connection

    # A stream's protocol is given a `Transport`; asyncio's types name its base.
    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Begin to shake hands."""
        self._connection.approach(transport)
        super().connection_made(transport)

    def connection_lost(self, exc: BaseException | None) -> None:
        """Let the connection go, though it was never there."""
        super().connection_lost(exc)
        self._connection.leave()


class Server(uvicorn.Server):
    """Serves an application; without a TLS context, in plain HTTP.

    It leaves signals to whoever started it, and says when it is there.
    """

    def __init__(
        self,
        app: ASGIApp,
        context: ssl.SSLContext | None,
        connection: type[Connection] = Connection,
    ) -> None:
        config = uvicorn.Config(
            app,
            loop="asyncio",
            http=connection,
            ws="none",
            lifespan="off",
            proxy_headers=False,
            server_header=False,
            date_header=False,
            access_log=False,  # who delivered when is nobody's business
            log_config=None,
            timeout_keep_alive=math.ceil(connection.head_deadline_s),
            timeout_graceful_shutdown=_ENDING_S,
        )
        super().__init__(config)
        self._connection = connection
        self._context = context
        self._receiving: list[asyncio.Task[None]] = []
        self._waiting: OrderedDict[Connection, asyncio.TimerHandle] = OrderedDict()

    def capture_signals(self) -> AbstractContextManager[None]:  # type: ignore[override]
        """Catch none."""
        return nullcontext()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Begin to let in whoever comes."""
        self.servers = []
        for listening in sockets or ():
            listening.setblocking(False)
            self._receiving.append(asyncio.create_task(self._receive(listening)))
            host, port, *_ = listening.getsockname()
            _log.info("listening", extra={"host": host, "port": port})
        self.started = True

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Let nobody in any more, and end what is under way."""
        for receiving in self._receiving:
            receiving.cancel()
        await asyncio.gather(*self._receiving, return_exceptions=True)
        await super().shutdown(sockets)

    async def _receive(self, listening: socket.socket) -> None:
        """Let in one after another, for ever.

        It takes a pass of the loop for each, so that whatever is under way comes first.
        """
        loop = asyncio.get_running_loop()
        while True:
            try:
                accepted, _ = await loop.sock_accept(listening)
                try:
                    while not self._has_room():
                        await asyncio.sleep(_FULL_PAUSE_S)
                    await loop.connect_accepted_socket(self._protocol, accepted)
                except BaseException:
                    accepted.close()
                    raise
            except ConnectionError:
                continue  # it is gone again
            except Exception as error:  # noqa: BLE001 - no files, no memory: others will come
                _log.warning("nobody can be let in", extra={"reason": type(error).__name__})
                await asyncio.sleep(_FAILED_PAUSE_S)

    def _has_room(self) -> bool:
        """Whether one more may come in, in place of another if there are many."""
        present = len(self.server_state.connections)
        if present < self._connection.many:
            return True
        longest = next(iter(self._waiting), None)
        made_room = longest is not None and longest.make_room()
        return made_room or present < self._connection.most

    def _protocol(self) -> asyncio.BaseProtocol:
        state = self.lifespan.state
        connection = self._connection(self.config, self.server_state, state, self._waiting)
        return connection if self._context is None else Handshake(connection, self._context)


def listen(host: str, port: int, unread_deadline_s: float = UNREAD_DEADLINE_S) -> socket.socket:
    """A socket to serve on. Whoever takes in nothing of a reply for so long is cut off.

    Raises:
        OfficeError: one can't listen there.
    """
    try:
        listening = socket.create_server(
            (host, port),
            family=socket.AF_INET6 if ":" in host else socket.AF_INET,
            backlog=_OUTSIDE,
        )
    except OSError as error:
        raise OfficeError(
            f"can't listen on {host} port {port}: {error.strerror};"
            " set host and port in collector.toml"
        ) from None
    # Connections have both from here. Without the first a reply's body, which goes out after its
    # head, waits until the other side has said that it has the head: 40 ms.
    listening.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, True)
    milliseconds = int(unread_deadline_s * 1000)
    listening.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, milliseconds)
    return listening


def allow_files() -> None:
    """Let this process open as many files as there may be connections, if the system does."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    most = _FILES if hard == resource.RLIM_INFINITY else min(_FILES, hard)
    if soft != resource.RLIM_INFINITY and soft < most:
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, hard))
