"""Connections: how many there may be, and how long one may keep the collector waiting.

Whoever connects can shake hands for ever, send a request's head a byte at a time, or not read the
reply; uvicorn has no deadline for any of it. Here each has one, and when there are too many
connections, the one that has waited longest for a request makes room: whoever comes with a request
in hand is always let in.
"""

import asyncio
import logging
import math
import resource
import socket
import ssl
from contextlib import AbstractContextManager, nullcontext
from typing import ClassVar, Final

import uvicorn
from starlette.types import ASGIApp
from uvicorn.protocols.http.h11_impl import H11Protocol

from sync_service.collector.error import OfficeError

HEAD_DEADLINE_S: Final = 10.0
"""How long a request's head may take to arrive, and TLS to shake hands before it, in seconds."""

UNREAD_DEADLINE_S: Final = 60.0
"""How long nothing of a reply may be taken in, in seconds."""

MAX_CONNECTIONS: Final = 1000
"""How many there may be at a time."""

_ENDING_S: Final = 10
_FILES: Final = 4 * MAX_CONNECTIONS  # for those that still shake hands too, and the database

_log: Final = logging.getLogger(__name__)


class Connection(H11Protocol):
    """A connection that is ended if no request's head comes in time.

    The time runs while no request is under way: from the handshake on, and from each reply on.
    """

    head_deadline_s: ClassVar[float] = HEAD_DEADLINE_S
    most: ClassVar[int] = MAX_CONNECTIONS

    _deadline: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Let it in, in place of another if there are too many."""
        super().connection_made(transport)
        if len(self.connections) > self.most:
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
        if self._deadline is None:
            super().shutdown()
        else:
            self.timeout_keep_alive_handler()

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
        elif self._deadline is None:
            self._deadline = self.loop.call_later(
                self.head_deadline_s, self.timeout_keep_alive_handler
            )

    def _stop_waiting(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None

    def _make_room(self) -> None:
        waiting = {
            each: each._deadline.when()
            for each in self.connections
            if isinstance(each, Connection) and each._deadline is not None
        }
        min(waiting, key=waiting.__getitem__, default=self).transport.abort()


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
        return self._connection(self.config, self.server_state, self.lifespan.state)


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
