"""Small files beside the store, each whole or not there."""

import os
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory

from sync_service.outbox.database import sync_folder

FILE_MODE = 0o640
"""Kiosk and agent may be two users of one group, and each reads what the other wrote."""


def write_whole(
    path: Path, data: bytes, put_in_place: Callable[[Path, Path], None] = os.replace
) -> None:
    """Write a file whole elsewhere, then put it in its place; then it survives a power cut.

    Raises:
        OSError: it can't be written; what was there is as it was.
    """
    with TemporaryDirectory(dir=path.parent, prefix=f".{path.name}-") as aside:
        fresh = Path(aside) / path.name
        fresh.touch(mode=FILE_MODE)
        with fresh.open("wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        put_in_place(fresh, path)
    sync_folder(path.parent)
