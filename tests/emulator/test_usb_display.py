"""The display at a USB port, against one who plays QEMU and the machine's driver."""

import socket
import struct

import pytest
from usb_display import UsbDisplay, edid

WIDTH, HEIGHT = 40, 20
HEADER = struct.Struct("<III")
CONTROL = struct.Struct("<BBBBHHH")
BULK = struct.Struct("<BBHI")
RED, BLUE = b"\xf8\x00", b"\x00\x1f"
PLUGGED_IN = [0, 4, 5, 1]  # hello, its interfaces, its endpoints, the device


class Driver:
    """What a machine's driver asks for by QEMU, and what it is answered."""

    def __init__(self, connection):
        self._connection = connection
        self._messages = connection.makefile("rb")
        self.plugged_in = [self.hear()[0] for _ in PLUGGED_IN]

    def hear(self):
        kind, length, number = HEADER.unpack(self._messages.read(HEADER.size))
        return kind, number, self._messages.read(length)

    def say(self, kind, number, content):
        self._connection.sendall(HEADER.pack(kind, len(content), number) + content)
        answer = self.hear()
        assert answer[:2] == (kind if kind >= 100 else kind + 2, number)
        return answer[2]

    def ask(self, to, request, value, index, length):
        answer = self.say(100, 7, CONTROL.pack(0x80, request, to, 0, value, index, length))
        status, given = CONTROL.unpack_from(answer)[3], answer[CONTROL.size :]
        return given if status == 0 else None

    def draw(self, commands):
        answer = self.say(101, 8, BULK.pack(1, 0, len(commands), 0) + commands)
        assert answer == BULK.pack(1, 0, len(commands), 0)  # all was taken


@pytest.fixture
def plugged():
    ours, theirs = socket.socketpair()
    display = UsbDisplay(theirs, WIDTH, HEIGHT)
    with ours:
        yield display, Driver(ours)


def run(place, pixels, *spans):
    return b"\xaf\x6b" + (2 * place).to_bytes(3) + bytes((pixels,)) + b"".join(spans)


def colours(display):
    picture = display.picture()
    return {colour for _, colour in picture.getcolors()}


def test_a_display_says_what_it_is_and_how_large(plugged):
    _, driver = plugged

    assert driver.plugged_in == PLUGGED_IN
    assert driver.ask(0x80, 6, 0x100, 0, 64)[8:10] == b"\xe9\x17"  # whose driver is called for
    assert len(driver.ask(0x80, 6, 0x200, 0, 9)) == 9
    assert driver.ask(0x80, 6, 0x5F00, 0, 255) is None
    assert driver.say(6, 3, b"\x01") == b"\x00\x01"
    told = bytes(driver.ask(0xC0, 2, at << 8, 0xA1, 2)[1] for at in range(128))
    assert told == edid(WIDTH, HEIGHT)


@pytest.mark.parametrize(("width", "height"), [(800, 480), (1920, 1080)])
def test_a_size_is_told_in_the_way_that_all_displays_tell_it(width, height):
    told = edid(width, height)

    assert (len(told), sum(told) % 256) == (128, 0)
    assert told[54 + 2] | (told[54 + 4] & 0xF0) << 4 == width
    assert told[54 + 5] | (told[54 + 7] & 0xF0) << 4 == height


def test_what_is_drawn_is_seen_where_it_was_drawn(plugged):
    display, driver = plugged
    assert colours(display) == {(0, 0, 0)}

    driver.draw(b"\xaf\x20\xff\x00" + run(WIDTH, 3, b"\x03" + RED + BLUE + RED) + b"\xaf\xaf")

    seen = display.picture()
    assert [seen.getpixel((x, 1)) for x in range(4)] == [
        (255, 0, 0),
        (0, 0, 255),
        (255, 0, 0),
        (0, 0, 0),
    ]


def test_a_pixel_may_go_on_and_a_command_come_in_pieces(plugged):
    display, driver = plugged
    rows = b"".join(run(WIDTH * y, WIDTH, b"\x02" + RED + BLUE, b"\x26") for y in range(HEIGHT))
    copied = b"\xaf\x6a" + bytes(7)

    for at in range(0, len(rows + copied), 7):
        driver.draw((rows + copied)[at : at + 7])

    seen = display.picture()
    assert colours(display) == {(255, 0, 0), (0, 0, 255)}
    assert seen.crop((1, 0, WIDTH, HEIGHT)).getcolors() == [((WIDTH - 1) * HEIGHT, (0, 0, 255))]


def test_256_pixels_are_told_as_none():
    ours, theirs = socket.socketpair()
    display = UsbDisplay(theirs, 256, 1)
    with ours:
        Driver(ours).draw(run(0, 0, b"\x00" + RED * 256))

    assert colours(display) == {(255, 0, 0)}
