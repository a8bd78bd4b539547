"""A disk that forgets: what was written stays in memory until it is synced, and may be lost.

Run as ``disk_process.py FOLDER``, it is mounted there until it is unmounted; `disk` drives it,
by an extended attribute of its root. It promises as little as POSIX does:

- What was written into a file survives a power cut once that file was synced. Of what was written
  since, any of the writes may survive without the others, and one of them in part.
- A name that was made, changed or removed survives once its folder was synced. Until then it may
  be lost, with all that was done to names after it: file systems keep a journal of those.
"""

import ctypes
import errno
import json
import os
import signal
import stat
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from itertools import count
from random import Random

from mfusepy import FUSE, Operations

CONTROL = "user.regard.disk"
BLOCK = 4096
SECTOR = 512
HIDDEN = ".fuse_hidden"
"""What libfuse renames a file to that is removed while it is open, until it is closed."""

_PR_SET_PDEATHSIG = 1  # of <linux/prctl.h>


@dataclass
class Write:
    """Bytes that were written into a file at a place."""

    offset: int
    data: bytes

    def apply(self, content: bytearray) -> None:
        content.extend(bytes(max(0, self.offset - len(content))))
        content[self.offset : self.offset + len(self.data)] = self.data

    def torn(self, random: Random) -> "Write":
        """As much of it as got onto the disk when the power went in the middle."""
        sectors = random.randint(0, len(self.data) // SECTOR)
        return Write(self.offset, self.data[: sectors * SECTOR])


@dataclass
class Resize:
    """A file made longer or shorter."""

    length: int

    def apply(self, content: bytearray) -> None:
        content.extend(bytes(max(0, self.length - len(content))))
        del content[self.length :]


@dataclass(eq=False)
class File:
    """A file: as it is seen, as the disk has it, and what leads from the one to the other."""

    number: int
    mode: int
    seen: bytearray = field(default_factory=bytearray)
    kept: bytearray = field(default_factory=bytearray)
    unsynced: list[Write | Resize] = field(default_factory=list)

    def change(self, change: Write | Resize) -> None:
        change.apply(self.seen)
        self.unsynced.append(change)

    def sync(self) -> None:
        for change in self.unsynced:
            change.apply(self.kept)
        self.unsynced.clear()

    def lose_power(self, random: Random | None) -> None:
        """Be as the disk has it. By chance, some of what was not synced may be there too."""
        if random is not None:
            chance = random.choice((0.0, 0.5, 1.0))
            got = [change for change in self.unsynced if random.random() < chance]
            if got and random.random() < 0.5:
                at = random.randrange(len(got))
                if isinstance(torn := got[at], Write):
                    got[at] = torn.torn(random)
            for change in got:
                change.apply(self.kept)
        self.unsynced.clear()
        self.seen = bytearray(self.kept)


@dataclass(eq=False)
class Folder:
    """A folder: the names in it as they are seen, and as the disk has them."""

    number: int
    mode: int
    seen: dict[str, "File | Folder"] = field(default_factory=dict)
    kept: dict[str, "File | Folder"] = field(default_factory=dict)


Named = tuple[Folder, str, File | Folder | None]
"""In that folder, that name now stands for that; None: for nothing."""


def fail(number: int) -> OSError:
    return OSError(number, os.strerror(number))


class Disk(Operations):
    """The disk's whole content, in memory."""

    use_ns = True

    def __init__(self) -> None:
        self._numbers = count(2)
        self._root = Folder(1, stat.S_IFDIR | 0o755)
        self._journal: list[list[Named]] = []
        self._handles: dict[int, File | Folder] = {}
        self._handle_numbers = count(1)
        self._hidden: dict[str, File | Folder] = {}
        self._changes = 0
        self._powered = True
        self._cut_after: int | None = None
        self._survival: int | None = None
        self._space: int | None = None
        self._read_only = False

    # What `disk` asks for

    def setxattr(self, path: str, name: str, value: bytes, options: int, position: int = 0) -> int:
        if name != CONTROL:
            raise fail(errno.ENOTSUP)
        match json.loads(value):
            case {"cut_after": after, "survival": survival}:
                self._cut_after = None if after is None else self._changes + after
                self._survival = survival
            case {"power": True}:
                self._powered = True
            case {"space": space}:
                self._space = space
            case {"read_only": read_only}:
                self._read_only = read_only
        return 0

    def getxattr(self, path: str, name: str, position: int = 0) -> bytes:
        if name != CONTROL:
            raise fail(errno.ENODATA)
        return json.dumps({"power": self._powered, "changes": self._changes}).encode()

    def _cut(self) -> None:
        random = None if self._survival is None else Random(self._survival)
        kept = 0 if random is None else random.randint(0, len(self._journal))
        self._keep_names(kept)
        self._journal.clear()
        for node in self._all():
            if isinstance(node, File):
                node.lose_power(random)
            else:
                node.seen = dict(node.kept)
        self._handles.clear()
        self._hidden.clear()
        self._powered = False
        self._cut_after = None

    def _keep_names(self, until: int) -> None:
        for change in self._journal[:until]:
            for folder, name, node in change:
                if node is None:
                    folder.kept.pop(name, None)
                else:
                    folder.kept[name] = node
        del self._journal[:until]

    def _all(self) -> Iterator[File | Folder]:
        """All that is on the disk, by the names it has there."""
        waiting: list[File | Folder] = [self._root]
        while waiting:
            node = waiting.pop()
            yield node
            if isinstance(node, Folder):
                waiting += node.kept.values()

    # What a file system does

    def _check_power(self) -> None:
        if not self._powered:
            raise fail(errno.EIO)

    def _change(self) -> None:
        """Whatever changes the disk passes here; this is where the power goes."""
        self._check_power()
        self._changes += 1
        if self._cut_after is not None and self._changes > self._cut_after:
            self._cut()
            raise fail(errno.EIO)
        if self._read_only:
            raise fail(errno.EROFS)

    def _find(self, path: str) -> File | Folder:
        """What has this path."""
        self._check_power()
        if path in self._hidden:
            return self._hidden[path]
        node: File | Folder = self._root
        for name in filter(None, path.split("/")):
            if not isinstance(node, Folder):
                raise fail(errno.ENOTDIR)
            if name not in node.seen:
                raise fail(errno.ENOENT)
            node = node.seen[name]
        return node

    def _place(self, path: str) -> tuple[Folder, str]:
        parent, _, name = path.rpartition("/")
        folder = self._find(parent)
        if not isinstance(folder, Folder):
            raise fail(errno.ENOTDIR)
        return folder, name

    def _rename(self, *changes: Named) -> None:
        for folder, name, node in changes:
            if node is None:
                del folder.seen[name]
            else:
                folder.seen[name] = node
        self._journal.append(list(changes))

    def _open(self, node: File | Folder) -> int:
        handle = next(self._handle_numbers)
        self._handles[handle] = node
        return handle

    def _opened(self, handle: int) -> File | Folder:
        self._check_power()
        if handle not in self._handles:  # it was opened before the power went
            raise fail(errno.EIO)
        return self._handles[handle]

    def _make_room(self, more: int) -> None:
        if more > 0 and self._space is not None and self._used() + more > self._space:
            raise fail(errno.ENOSPC)

    def _used(self) -> int:
        def used(folder: Folder) -> Iterable[int]:
            for node in folder.seen.values():
                if isinstance(node, Folder):
                    yield from used(node)
                else:
                    yield -(-len(node.seen) // BLOCK) * BLOCK

        return sum(used(self._root))

    def statfs(self, path: str) -> dict[str, int]:
        total = 2**40 if self._space is None else self._space
        free = max(0, total - self._used()) // BLOCK
        return {
            "f_bsize": BLOCK,
            "f_frsize": BLOCK,
            "f_blocks": total // BLOCK,
            "f_bfree": free,
            "f_bavail": free,
            "f_namemax": 255,
        }

    def getattr(self, path: str, fh: int | None = None) -> dict[str, int]:
        if path == "/":  # there to be asked for its attribute, without power too
            node: File | Folder = self._root
        else:
            node = self._find(path) if fh is None else self._opened(fh)
        is_file = isinstance(node, File)
        return {
            "st_ino": node.number,
            "st_mode": node.mode,
            "st_nlink": 1 if is_file else 2,
            "st_uid": os.getuid(),
            "st_gid": os.getgid(),
            "st_size": len(node.seen) if is_file else 0,
        }

    def opendir(self, path: str) -> int:
        return self._open(self._find(path))

    def readdir(self, path: str, fh: int) -> list[tuple[str, dict[str, int], int]]:
        folder = self._opened(fh)
        named = {".": folder, "..": folder, **folder.seen}
        return [
            (name, {"st_ino": node.number, "st_mode": node.mode}, 0) for name, node in named.items()
        ]

    def fsyncdir(self, path: str, datasync: int, fh: int) -> int:
        self._change()
        folder = self._opened(fh)
        touched = [
            place
            for place, change in enumerate(self._journal, start=1)
            if any(folder is named for named, _, _ in change)
        ]
        self._keep_names(max(touched, default=0))
        return 0

    def mkdir(self, path: str, mode: int) -> int:
        self._change()
        folder, name = self._place(path)
        self._rename((folder, name, Folder(next(self._numbers), stat.S_IFDIR | mode)))
        return 0

    def rmdir(self, path: str) -> int:
        self._change()
        folder, name = self._place(path)
        if folder.seen[name].seen:
            raise fail(errno.ENOTEMPTY)
        self._rename((folder, name, None))
        return 0

    def create(self, path: str, mode: int, flags: int) -> int:
        self._change()
        self._make_room(BLOCK)
        folder, name = self._place(path)
        file = File(next(self._numbers), stat.S_IFREG | stat.S_IMODE(mode))
        self._rename((folder, name, file))
        return self._open(file)

    def open(self, path: str, flags: int) -> int:
        file = self._find(path)
        if self._read_only and flags & os.O_ACCMODE != os.O_RDONLY:
            raise fail(errno.EROFS)
        return self._open(file)

    def release(self, path: str, fh: int) -> int:
        self._handles.pop(fh, None)
        return 0

    releasedir = release

    def read(self, path: str, size: int, offset: int, fh: int) -> bytes:
        return bytes(self._opened(fh).seen[offset : offset + size])

    def write(self, path: str, data: bytes, offset: int, fh: int) -> int:
        file = self._opened(fh)
        self._change()
        self._make_room(offset + len(data) - len(file.seen))
        file.change(Write(offset, data))
        return len(data)

    def truncate(self, path: str, length: int, fh: int | None = None) -> int:
        file = self._find(path)
        self._change()
        self._make_room(length - len(file.seen))
        file.change(Resize(length))
        return 0

    def fsync(self, path: str, datasync: int, fh: int) -> int:
        file = self._opened(fh)
        self._change()
        file.sync()
        return 0

    def unlink(self, path: str) -> int:
        if self._hidden.pop(path, None) is None:
            self._change()
            self._rename((*self._place(path), None))
        return 0

    def rename(self, old: str, new: str) -> int:
        self._change()
        node = self._find(old)
        if HIDDEN in new:
            self._hidden[new] = node
            self._rename((*self._place(old), None))
        else:
            self._rename((*self._place(old), None), (*self._place(new), node))
        return 0

    def link(self, target: str, source: str) -> int:
        self._change()
        node = self._find(source)
        self._rename((*self._place(target), node))
        return 0

    def chmod(self, path: str, mode: int) -> int:
        self._find(path).mode = mode
        return 0

    def chown(self, path: str, uid: int, gid: int) -> int:
        return 0

    def utimens(self, path: str, times: tuple[int, int] | None = None) -> int:
        return 0


if __name__ == "__main__":
    # It must not outlive whoever started it; at this signal it unmounts itself.
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
    FUSE(
        Disk(),
        sys.argv[1],
        foreground=True,
        nothreads=True,  # one thing after another, as `Disk` does it
        fsname="regard-faults",
        use_ino=True,
        # The kernel remembers nothing that a power cut may have changed.
        attr_timeout=0,
        entry_timeout=0,
        negative_timeout=0,
    )
