"""Parcels: what is handed out for each kiosk, its stamp as one file and its sheet to print."""

import re
from collections.abc import Iterable, Mapping, Sequence
from datetime import date
from pathlib import Path
from typing import Final

from sync_service.collector.error import OfficeError
from sync_service.collector.keyring import write_private
from sync_service.collector.sheet import write_sheet
from sync_service.collector.stamping import Stamped
from sync_service.contract.stamp import PACKED_FILE

SHEET_FILE: Final = "sheet.html"


def write_parcel(stamped: Stamped, folder: Path, today: date) -> None:
    """Write a kiosk's parcel into a new or empty folder, for the owner's eyes only.

    Raises:
        OfficeError: the folder holds something or can't be written; nothing of it is left then.
    """
    _write(_content(stamped, today), folder)


def write_parcels(stamped: Sequence[Stamped], folder: Path, today: date) -> None:
    """Write many kiosks' parcels into a new or empty folder, each into a folder of its own there.

    Raises:
        OfficeError: the folder holds something or can't be written; nothing of it is left then.
    """
    files: dict[str, bytes] = {}
    for name, one in zip(_folder_names(stamped), stamped, strict=True):
        files |= {f"{name}/{file}": content for file, content in _content(one, today).items()}
    _write(files, folder)


def remove_parcel(folder: Path) -> None:
    """Remove a parcel that shall not be used."""
    _remove([folder / PACKED_FILE, folder / SHEET_FILE], [folder])


def _content(stamped: Stamped, today: date) -> dict[str, bytes]:
    return {PACKED_FILE: stamped.stamp.pack(), SHEET_FILE: write_sheet(stamped, today).encode()}


def _folder_names(stamped: Iterable[Stamped]) -> list[str]:
    """A name for each that any file system takes, and none twice."""
    names: list[str] = []
    taken: set[str] = set()
    for one in stamped:
        plain = f"{one.order.site}-{re.sub('[^A-Za-z0-9._-]+', '-', one.order.name)}"
        name, number = plain, 1
        while name.casefold() in taken:
            number += 1
            name = f"{plain}-{number}"
        taken.add(name.casefold())
        names.append(name)
    return names


def _write(files: Mapping[str, bytes], folder: Path) -> None:
    written: list[Path] = []
    made: list[Path] = []
    try:
        if not folder.exists():
            folder.mkdir(mode=0o700)
            made.append(folder)
        if any(folder.iterdir()):
            raise OfficeError(f"{folder}: holds something already; name a new or empty folder")
        folder.chmod(0o700)
        for name, content in files.items():
            path = folder / name
            if not path.parent.exists():
                path.parent.mkdir(mode=0o700)
                made.append(path.parent)
            written.append(path)
            write_private(path, content)
    except OSError as error:
        _remove(written, made)
        raise OfficeError(f"{folder}: can't be written: {error.strerror}") from None


def _remove(files: Iterable[Path], folders: Sequence[Path]) -> None:
    for path in files:
        path.unlink(missing_ok=True)
    for folder in reversed(folders):
        folder.rmdir()
