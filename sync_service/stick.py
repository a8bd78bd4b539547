"""The stick: a folder that is carried between kiosks without a network and the centre.

In its folder ``regard`` lie files that are named by a kiosk's fingerprint and by the nonce of a
visit: ``TUQX-….0123456789abcdef.bundle`` from the kiosk, ``….reply`` from the centre. One that is
not written to its end yet is named ``….part`` too. The stick may be FAT and pulled at any instant,
so no file is ever written over, and none believed for its name.
"""

import os
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import Final

from sync_service.contract.signing import fingerprint

_FOLDER: Final = "regard"
_NAME: Final = re.compile(
    r"(?P<fingerprint>[A-Z2-7]{4}(?:-[A-Z2-7]{1,4})+)\.(?P<nonce>[0-9a-f]{16})"
    r"\.(?P<sent_by>bundle|reply)(?P<part>\.part)?"
)


class SentBy(Enum):
    """Whose a file on a stick is; the end of its name."""

    KIOSK = "bundle"
    CENTRE = "reply"


@dataclass(frozen=True, slots=True)
class StickFile:
    """A file on a stick, as far as its name says. ``whole``: it was written to its end."""

    path: Path
    fingerprint: str
    sent_by: SentBy
    whole: bool


class Stick:
    """What is ours in the folder of a stick. Every method may raise `OSError`: it was pulled."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder / _FOLDER

    def files(self) -> list[StickFile]:
        """Our files, by kiosk."""
        if not self._folder.exists():
            return []
        found = ((path, _NAME.fullmatch(path.name)) for path in sorted(self._folder.iterdir()))
        return [
            StickFile(path, name["fingerprint"], SentBy(name["sent_by"]), whole=not name["part"])
            for path, name in found
            if name
        ]

    @contextmanager
    def writing(
        self, kiosk_id: bytes, nonce: bytes, sent_by: SentBy
    ) -> Iterator[Callable[[bytes], object]]:
        """Gives what writes a file; at the end of `with` it has its name and is on the stick.

        If that fails, there is at worst a ``.part`` that nobody reads.
        """
        if not self._folder.exists():
            self._folder.mkdir()
            _sync(self._folder.parent)
        path = self._folder / f"{fingerprint(kiosk_id)}.{nonce.hex()}.{sent_by.value}"
        part = path.with_name(f"{path.name}.part")
        try:
            with part.open("wb") as file:
                yield file.write
                file.flush()
                os.fsync(file.fileno())
            part.replace(path)
        except BaseException:
            with suppress(OSError):
                part.unlink(missing_ok=True)
            raise
        _sync(self._folder)

    def remove(self, files: list[StickFile]) -> None:
        """Remove files that have served."""
        for file in files:
            file.path.unlink(missing_ok=True)
        _sync(self._folder)


def _sync(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
