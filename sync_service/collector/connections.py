"""Connections: how many there may be, and how long one may keep the collector waiting.

Whoever connects can shake hands for ever, send a request's head a byte at a time, or not read the
reply; uvicorn has no deadline for any of it. Here each has one, and where there are many
connections, the one that has waited longest for a request makes room: whoever comes with a request
in hand is let in, also when a whole fleet does.
"""

import asyncio
import logging
import math
import resource
import socket
import ssl
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
_FILES: Final = MAX_CONNECTIONS + 4000  # for those that still shake hands, and for the database

_log: Final = logging.getLogger(__name__)


class Connection(H11Protocol):
    """A connection that is ended if no request's head comes in time.

    The time runs while no request is under way: from the handshake on, and from each reply on.
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

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Let it in, in place of another if there are many."""
        super().connection_made(transport)
        if len(self.connections) > self.many:
            self._make_room()
        self._watch()

    def connection_lost(self, exc: Exception | None) -> None:
        """Let it go."""
        super().connection_lost(exc)
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

    def _make_room(self) -> None:
        longest = next(iter(self._waiting), None)
        if longest is not None and longest._waited_s() >= self.grace_s:
            longest._stop_waiting()
            longest.transport.abort()
        elif len(self.connections) > self.most:
            self.transport.abort()

    def _waited_s(self) -> float:
        return self.loop.time() - (self._waiting[self].when() - self.head_deadline_s)


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
            ssl_context_factory=None if context is None else lambda *_: context,
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
        self._waiting: OrderedDict[Connection, asyncio.TimerHandle] = OrderedDict()

    def capture_signals(self) -> AbstractContextManager[None]:  # type: ignore[override]
        """Catch none."""
        return nullcontext()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Begin to listen. uvicorn's own way gives TLS no deadline for its handshake."""
        loop = asyncio.get_running_loop()
        self.servers = [
            await loop.create_server(
                self._connect,
                sock=listening,
                ssl=self.config.ssl,
                ssl_handshake_timeout=self._connection.head_deadline_s if self.config.ssl else None,
                backlog=self.config.backlog,
            )
            for listening in sockets or ()
        ]
        self.started = True
        for listening in sockets or ():
            host, port, *_ = listening.getsockname()
            _log.info("listening", extra={"host": host, "port": port})

    def _connect(self) -> Connection:
        state = self.lifespan.state
        return self._connection(self.config, self.server_state, state, self._waiting)


def listen(host: str, port: int, unread_deadline_s: float = UNREAD_DEADLINE_S) -> socket.socket:
    """A socket to serve on. Whoever takes in nothing of a reply for so long is cut off.

    Raises:
        OfficeError: one can't listen there.
    """
    try:
        listening = socket.create_server(
            (host, port), family=socket.AF_INET6 if ":" in host else socket.AF_INET
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
