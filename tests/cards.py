"""Small images of cards: a partition table of either kind, and a boot partition by mtools."""

import os
import subprocess

MARK = b'format = 1\nversion = "0.1.0"\nbuilt = "2026-11-25"\n'
FIRST = 2048
"""The first sector of the boot partition."""

SECTORS = 4096
_FAT = b"\x0c"
_LINUX = b"\x83"


def card_image(path, files=(("regard-image.toml", MARK),), *, table="mbr"):
    """Make an image with these files on its boot partition; gives its path."""
    with path.open("wb") as file:
        file.write(mbr() if table == "mbr" else gpt())
        file.truncate((FIRST + SECTORS + 64) * 512)
    run("mformat", "-i", drive(path), "-T", str(SECTORS), "::")
    for name, content in files:
        put(path, name, content)
    return path


def put(path, name, content):
    """Write a file onto the boot partition of an image."""
    source = path.with_name("to-be-put")
    source.write_bytes(content)
    run("mcopy", "-o", "-i", drive(path), str(source), f"::/{name}")
    source.unlink()


def drive(path):
    return f"{path}@@{FIRST * 512}"


def run(*command):
    environment = {**os.environ, "MTOOLS_SKIP_CHECK": "1"}
    subprocess.run(command, check=True, capture_output=True, env=environment)


def mbr():
    """A card as Raspberry Pi's are: FAT to boot from, then Linux."""
    rest = FIRST + SECTORS
    entries = entry(_FAT, FIRST, SECTORS) + entry(_LINUX, rest, 64)
    return bytes(446) + entries.ljust(64, b"\0") + b"\x55\xaa"


def entry(kind, first, sectors):
    return bytes(4) + kind + bytes(3) + first.to_bytes(4, "little") + sectors.to_bytes(4, "little")


def gpt():
    """The same with the newer kind of table; Linux stands first in it."""
    protective = bytes(446) + entry(b"\xee", 1, 2**32 - 1).ljust(64, b"\0") + b"\x55\xaa"
    header = b"EFI PART".ljust(72, b"\0") + (2).to_bytes(8, "little")
    header += (128).to_bytes(4, "little") + (128).to_bytes(4, "little")
    linux = bytes.fromhex("af3dc60f838472478e793d69d8477de4")
    basic = bytes.fromhex("a2a0d0ebe5b9334487c068b6b72699c7")
    entries = gpt_entry(linux, FIRST + SECTORS, 64) + gpt_entry(basic, FIRST, SECTORS)
    return protective + header.ljust(512, b"\0") + entries


def gpt_entry(kind, first, sectors):
    last = first + sectors - 1
    return (kind + bytes(16) + first.to_bytes(8, "little") + last.to_bytes(8, "little")).ljust(
        128, b"\0"
    )
