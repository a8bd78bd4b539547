"""Whoever stands between a kiosk and its collector and ends TLS: by which certificate, and to do
what with the messages."""

import asyncio
import re
import ssl
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from random import Random

from line import Network

PAGE = b"<html><body><h1>Welcome to our network</h1><a href='/login'>Log in</a></body></html>"


@dataclass(frozen=True)
class Message:
    """A request or a reply of HTTP."""

    head: bytes
    body: bytes

    @classmethod
    async def read(cls, reader: asyncio.StreamReader) -> "Message":
        head = await reader.readuntil(b"\r\n\r\n")
        [length] = re.findall(rb"(?i)content-length: *(\d+)", head) or [b"0"]
        return cls(head, await reader.readexactly(int(length)))

    @property
    def whole(self) -> bytes:
        return self.head + self.body

    def altered(self, random: Random) -> "Message":
        """The same with one bit of the body turned over."""
        if not self.body:
            return self
        body = bytearray(self.body)
        body[random.randrange(len(body))] ^= 1 << random.randrange(8)
        return Message(self.head, bytes(body))


def page(media_type: str = "text/html") -> bytes:
    """What a captive portal answers, whatever it is asked."""
    head = f"HTTP/1.1 200 OK\r\nContent-Type: {media_type}\r\nContent-Length: {len(PAGE)}\r\n\r\n"
    return head.encode() + PAGE


async def portal(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Answer with a page at once, to whoever says anything."""
    await reader.read(1)
    writer.write(page())
    await writer.drain()


Mischief = Callable[[Message], Awaitable[bytes]]
"""What is answered to a request."""


class Middleman:
    """Ends TLS, asks the collector itself, and does as ``mischief`` says, request by request.

    ``mischief`` gets the request and what asks the collector, and gives the reply.
    """

    def __init__(
        self, network: Network, certificate: Path, collector_port: int, random: Random
    ) -> None:
        self.tried = 0
        self.mischief = self.none
        self._collector_port = collector_port
        self._random = random
        self._last: dict[bytes, Message] = {}
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate)
        self._trust = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        self._trust.check_hostname = False
        self._trust.verify_mode = ssl.CERT_NONE
        self.port = network.serve(self._serve, ssl=context)

    async def none(self, request: Message) -> bytes:
        """Pass it on, and the reply back."""
        return (await self._ask(request)).whole

    async def twice(self, request: Message) -> bytes:
        """Send it twice at once, as one who believes that the first was lost."""
        self.tried += 1
        replies = await asyncio.gather(self._ask(request), self._ask(request))
        return self._random.choice(replies).whole

    async def alter(self, request: Message) -> bytes:
        """Turn over a bit of every third message, be it a request or a reply."""
        if alters := self._random.random() < 1 / 3:
            self.tried += 1
        alters_request = self._random.random() < 1 / 2
        if alters and alters_request:
            request = request.altered(self._random)
        reply = await self._ask(request)
        return (reply.altered(self._random) if alters and not alters_request else reply).whole

    async def replay(self, request: Message) -> bytes:
        """Give the reply before this one, every second time, and have the collector take it in."""
        place = request.head.split(None, 2)[1]
        reply = await self._ask(request)
        before, self._last[place] = self._last.get(place, reply), reply
        if self._random.random() < 0.5:
            return reply.whole
        self.tried += 1
        return before.whole

    async def welcome(self, request: Message) -> bytes:
        """Answer with a page, in the collector's name; sometimes as if it were a message."""
        self.tried += 1
        return page(self._random.choice(("text/html", "application/vnd.regard+cbor")))

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while True:
            request = await Message.read(reader)
            writer.write(await self.mischief(request))
            await writer.drain()

    async def _ask(self, request: Message) -> Message:
        reader, writer = await asyncio.open_connection(
            "127.0.0.1", self._collector_port, ssl=self._trust
        )
        try:
            writer.write(request.whole)
            await writer.drain()
            return await Message.read(reader)
        finally:
            writer.transport.abort()
