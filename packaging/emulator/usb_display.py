"""A display at a machine's USB port: for a board whose own screen QEMU does not have.

It is of the kind that Linux' driver ``udl`` draws to. QEMU hands on what is said to it over a
socket, by the usbredir protocol.
"""

import socket
import struct
from enum import IntEnum
from threading import Thread
from typing import Final

from PIL import Image

_HEADER: Final = struct.Struct("<III")  # a message's kind, the length of what follows, its number
_CONTROL: Final = struct.Struct("<BBBBHHH")
_BULK: Final = struct.Struct("<BBHI")

_VENDOR, _PRODUCT = 0x17E9, 0x0001
_FULL_SPEED: Final = 1
_STALL: Final = 4
_AT_ONCE: Final = 64
_DEVICE: Final = struct.pack(
    "<BBHBBBBHHHBBBB", 18, 1, 0x200, 0, 0, 0, 64, _VENDOR, _PRODUCT, 0x100, 0, 0, 0, 1
)
_CONFIGURATION: Final = (
    struct.pack("<BBHBBBBB", 9, 2, 25, 1, 1, 0, 0x80, 250)
    + struct.pack("<BBBBBBBBB", 9, 4, 0, 0, 1, 0xFF, 0, 0, 0)
    + struct.pack("<BBBBHB", 7, 5, 1, 2, _AT_ONCE, 0)
)
_DESCRIPTORS: Final = {0x100: _DEVICE, 0x200: _CONFIGURATION}

_COMMAND: Final = 0xAF
_SET_REGISTER, _COPY, _DRAW = 0x20, 0x6A, 0x6B
_MOST: Final = 256
"""How many pixels are meant where their number is 0."""


class _Kind(IntEnum):
    """What a message of usbredir is about."""

    HELLO = 0
    DEVICE = 1
    INTERFACES = 4
    ENDPOINTS = 5
    CONFIGURE = 6
    CONFIGURED = 8
    CONTROL = 100
    BULK = 101


class UsbDisplay:
    """A display of a size in pixels, plugged in. It is unplugged when the machine goes off."""

    def __init__(self, connection: socket.socket, width: int, height: int) -> None:
        self._connection = connection
        self._size = (width, height)
        self._edid = edid(width, height)
        self._pixels = bytearray(2 * width * height)
        self._undone = b""
        Thread(target=self._serve, daemon=True).start()

    def picture(self) -> Image.Image:
        """What it shows now."""
        swapped = bytearray(self._pixels)
        swapped[::2], swapped[1::2] = self._pixels[1::2], self._pixels[::2]
        return Image.frombytes("RGB", self._size, bytes(swapped), "raw", "BGR;16")

    def _serve(self) -> None:
        with self._connection, self._connection.makefile("rb") as messages:
            self._plug_in()
            while header := messages.read(_HEADER.size):
                kind, length, number = _HEADER.unpack(header)
                self._answer(kind, number, messages.read(length))

    def _plug_in(self) -> None:
        # Of what usbredir has learnt over time, it knows the size of an endpoint's packets.
        self._say(_Kind.HELLO, 0, b"regard".ljust(64, b"\0") + struct.pack("<I", 1 << 4))
        interfaces = [b"\0".ljust(32, b"\0")] * 4
        interfaces[1] = b"\xff".ljust(32, b"\0")
        self._say(_Kind.INTERFACES, 0, struct.pack("<I", 1) + b"".join(interfaces))
        kinds = bytearray(b"\xff" * 32)
        kinds[0], kinds[1], kinds[16] = 0, 2, 0  # control, and one of bulk, outwards
        sizes = [0] * 32
        sizes[0], sizes[1], sizes[16] = 64, _AT_ONCE, 64
        self._say(_Kind.ENDPOINTS, 0, bytes(kinds) + bytes(64) + struct.pack("<32H", *sizes))
        self._say(_Kind.DEVICE, 0, struct.pack("<BBBBHH", _FULL_SPEED, 0, 0, 0, _VENDOR, _PRODUCT))

    def _answer(self, kind: int, number: int, content: bytes) -> None:
        if kind == _Kind.CONFIGURE:
            self._say(_Kind.CONFIGURED, number, b"\0" + content)
        elif kind == _Kind.CONTROL:
            endpoint, request, to, _, value, index, length = _CONTROL.unpack_from(content)
            told = self._tell(to, request, value, length)
            status = _STALL if told is None else 0
            given = told or b""
            length = len(given) if to & 0x80 else length
            head = _CONTROL.pack(endpoint, request, to, status, value, index, length)
            self._say(_Kind.CONTROL, number, head + given)
        elif kind == _Kind.BULK:
            self._draw(content[_BULK.size :])
            self._say(_Kind.BULK, number, content[: _BULK.size])

    def _tell(self, to: int, request: int, value: int, length: int) -> bytes | None:
        """What is to be answered to a request to the device; none if it knows none such."""
        match to, request:
            case 0x80, 0x06 if value in _DESCRIPTORS:
                return _DESCRIPTORS[value][:length]
            case 0xC0, 0x02:  # a byte of the EDID
                return bytes((0, self._edid[value >> 8]))
            case 0x80, 0x00:  # its state: nothing special
                return bytes(2)
            case (0x40, 0x12) | (0x02, 0x01):  # a channel is selected, an endpoint cleared
                return b""
        return None

    def _draw(self, data: bytes) -> None:
        """Take in commands, of which the last may not have come as a whole."""
        stream = self._undone + data
        at = 0
        try:
            while at < len(stream):
                at = self._do(stream, at)
        except IndexError:
            pass  # the rest of it comes with what follows
        self._undone = stream[at:]

    def _do(self, stream: bytes, at: int) -> int:
        """Do the command that begins ``at``; gives where the next does.

        Raises:
            IndexError: it goes on beyond the end.
        """
        command = stream[at + 1]
        if command == _COMMAND:  # this one only fills up
            return at + 1
        if command == _DRAW:
            return self._draw_run(stream, at)
        end = at + {_SET_REGISTER: 4, _COPY: 9}[command]
        stream[end - 1]
        return end

    def _draw_run(self, stream: bytes, at: int) -> int:
        place = int.from_bytes(stream[at + 2 : at + 5])
        left = 2 * (stream[at + 5] or _MOST)
        at += 6
        run = b""
        while left > len(run):
            length = 2 * (stream[at] or _MOST)
            each = stream[at + 1 : at + 1 + length]
            at += 1 + length
            stream[at - 1]
            run += each
            if len(run) < left:  # the last pixel goes on
                run += each[-2:] * stream[at]
                at += 1
        self._pixels[place : place + len(run)] = run
        return at

    def _say(self, kind: _Kind, number: int, content: bytes) -> None:
        self._connection.sendall(_HEADER.pack(kind, len(content), number) + content)


def edid(width: int, height: int) -> bytes:
    """How a display of this size in pixels describes itself to what draws on it."""
    across, down = 256, 45  # what is not seen of a line and of a picture
    clock = (width + across) * (height + down) * 60 // 10_000
    timing = struct.pack("<H", clock) + bytes(
        (
            *(width & 0xFF, across & 0xFF, (width >> 8) << 4 | across >> 8),
            *(height & 0xFF, down & 0xFF, (height >> 8) << 4 | down >> 8),
            *(40, 48, 3 << 4 | 3, 0),  # when the next line and the next picture are called for
            *(154, 86, 0, 0, 0, 0x18),  # of 7 inches, in millimetres
        )
    )
    unused = b"\0\0\0\x10".ljust(18, b"\0")
    described = (
        b"\0\xff\xff\xff\xff\xff\xff\0"
        + b"\x48\xe4\x01\0\x01\0\0\0\x01\x24"  # whose and which it is, and of what year
        + b"\x01\x03\x80\x0f\x09\x78\x0a"
        + bytes(13)
        + b"\x01\x01" * 8  # no other sizes
        + timing
        + unused * 3
        + b"\0"
    )
    return described + bytes((-sum(described) % 256,))
