"""Card images: files with what a memory card holds, of which the boot partition can be written.

mtools read and write that partition, which is FAT, with no mount and nobody's rights. Where it
begins stands in the partition table, of either kind.

An image of ours says so by a file on its boot partition, `regard-image.toml`, with ``format`` 1,
the ``version`` of Regard in it and the day on which it was ``built``.
"""

import os
import subprocess
import tomllib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import date
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import BinaryIO, Final, Self

from sync_service.collector.error import OfficeError
from sync_service.contract.codec import Fields
from sync_service.contract.error import MalformedError
from sync_service.contract.stamp import PACKED_FILE, SETTLED_FILE, Settled, StampError

MARK_FILE: Final = "regard-image.toml"

_SECTOR: Final = 512
_BOOT_SIGNATURE: Final = b"\x55\xaa"
_FAT_TYPES: Final = frozenset(b"\x01\x04\x06\x0b\x0c\x0e\xef")
_GPT_TYPE: Final = 0xEE
_GPT_ENTRIES: Final = 256
_GPT_FAT_TYPES: Final = (
    bytes.fromhex("28732ac11ff8d211ba4b00a0c93ec93b"),  # EFI system, as the disk has it
    bytes.fromhex("a2a0d0ebe5b9334487c068b6b72699c7"),  # basic data
)
_PACKINGS: Final = (b"\xfd7zXZ", b"\x28\xb5\x2f\xfd", b"\x1f\x8b", b"PK\x03\x04", b"BZh")


@dataclass(frozen=True, slots=True)
class Mark:
    """What an image says of itself."""

    version: str
    built: date

    @classmethod
    def read(cls, content: bytes) -> Self:
        """Read the mark of an image.

        Raises:
            OfficeError: it is none that this version knows.
        """
        try:
            fields = Fields(tomllib.loads(content.decode()), "image")
            fields.integer("format", low=1, high=1)
            mark = cls(fields.line("version", 64), fields.day("built"))
            fields.nothing_else()
        except (MalformedError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
            raise OfficeError(f"{MARK_FILE}: {error}") from None
        return mark


class CardImage:
    """A Regard image as a file. Make it by `open`."""

    def __init__(self, path: Path, offset: int, mark: Mark) -> None:
        self.path = path
        self.mark = mark
        self._offset = offset

    @classmethod
    def open(cls, path: Path) -> Self:
        """Find the boot partition of an image.

        Raises:
            OfficeError: it can't be read, or is no image of ours; the message says what to do.
        """
        try:
            with path.open("rb") as file:
                head = file.read(2 * _SECTOR)
                if head.startswith(_PACKINGS):
                    raise OfficeError(f"{path}: is compressed: unpack it first, and name the .img")
                size = os.fstat(file.fileno()).st_size
                offsets = [*_fat_partitions(head, partial(_read_at, file))]
        except OSError as error:
            raise OfficeError(f"{path}: can't be read: {error.strerror}") from None
        for offset in offsets:
            if offset < size:
                content = _Drive(path, offset).read(MARK_FILE)
                if content is not None:
                    return cls(path, offset, Mark.read(content))
        raise OfficeError(
            f"{path}: is no Regard image: nothing on it says so ({MARK_FILE}). Name the .img file"
            " that Regard's images come as"
        )

    def read(self, name: str) -> bytes | None:
        """A file on the boot partition, if it is there."""
        return _Drive(self.path, self._offset).read(name)

    def check_unstamped(self) -> None:
        """See that a stamp may be put on it.

        Raises:
            OfficeError: it holds one, or is a card that a kiosk used.
        """
        left = self.read(SETTLED_FILE)
        if left is not None:
            raise OfficeError(
                f"{self.path}: is of a card that a kiosk used{_told_kiosk(left)}: records that were"
                " never delivered may be on it. Let that kiosk deliver them first, or name a new"
                " image"
            )
        if self.read(PACKED_FILE) is not None:
            raise OfficeError(f"{self.path}: holds a stamp already: name a new image")

    def put(self, name: str, content: bytes) -> None:
        """Write a file onto the boot partition, and see that it is there.

        Raises:
            OfficeError: it can't be written.
        """
        drive = _Drive(self.path, self._offset)
        drive.write(name, content)
        if drive.read(name) != content:
            raise OfficeError(
                f"{self.path}: {name} is not there as it was written: use another disk"
            )


@dataclass(frozen=True, slots=True)
class _Drive:
    """A FAT file system within a file."""

    path: Path
    offset: int

    def read(self, name: str) -> bytes | None:
        listed = self._run("mdir", "-b", f"::/{name}")
        if listed.returncode != 0:
            return None
        return self._done(self._run("mcopy", "-n", f"::/{name}", "-"))

    def write(self, name: str, content: bytes) -> None:
        with TemporaryDirectory() as folder:  # which only its owner may look into
            source = Path(folder, name)
            source.write_bytes(content)
            self._done(self._run("mcopy", "-n", str(source), f"::/{name}"))
        with self.path.open("rb") as file:
            os.fsync(file.fileno())

    def _run(self, command: str, *arguments: str) -> subprocess.CompletedProcess[bytes]:
        drive = f"{self.path.absolute()}@@{self.offset}"
        try:
            return subprocess.run(
                [command, "-i", drive, *arguments],
                capture_output=True,
                check=False,
                env={**os.environ, "MTOOLS_SKIP_CHECK": "1", "MTOOLSRC": os.devnull},
            )
        except FileNotFoundError:
            raise OfficeError(f"{command} is missing: install the Debian package mtools") from None

    def _done(self, ended: subprocess.CompletedProcess[bytes]) -> bytes:
        if ended.returncode != 0:
            said = ended.stderr.decode(errors="replace").strip()
            raise OfficeError(f"{self.path}: its boot partition can't be used: {said}")
        return ended.stdout


def _read_at(file: BinaryIO, at: int, length: int) -> bytes:
    file.seek(at)
    return file.read(length)


def _fat_partitions(head: bytes, read: Callable[[int, int], bytes]) -> Iterator[int]:
    """Where partitions begin that may be FAT, in bytes. ``head`` is two sectors."""
    if head[_SECTOR - 2 : _SECTOR] != _BOOT_SIGNATURE:
        return
    for at in range(446, 510, 16):
        kind, first = head[at + 4], int.from_bytes(head[at + 8 : at + 12], "little")
        if kind == _GPT_TYPE and head[_SECTOR : _SECTOR + 8] == b"EFI PART":
            yield from _gpt_partitions(head[_SECTOR:], read)
            return
        if kind in _FAT_TYPES and first:
            yield first * _SECTOR


def _gpt_partitions(header: bytes, read: Callable[[int, int], bytes]) -> Iterator[int]:
    table, number, size = (
        int.from_bytes(header[72:80], "little"),
        int.from_bytes(header[80:84], "little"),
        int.from_bytes(header[84:88], "little"),
    )
    if not 128 <= size <= _SECTOR:
        return
    entries = read(table * _SECTOR, min(number, _GPT_ENTRIES) * size)
    for at in range(0, len(entries), size):
        if entries[at : at + 16] in _GPT_FAT_TYPES:
            yield int.from_bytes(entries[at + 32 : at + 40], "little") * _SECTOR


def _told_kiosk(left: bytes) -> str:
    try:
        settled = Settled.from_file(left)
    except StampError:
        return ""
    return f", {settled.name or 'unnamed'} at {settled.site_name}"
