"""Settling in: a kiosk takes its stamp from its card's boot drive, and leaves no secret there.

The boot drive is FAT: any laptop reads it, and it keeps no journal. So the stamp goes to the
kiosk's own data, whole, before the one on the boot drive is overwritten and removed; when the
power goes in between, the next start goes on from there. A laboratory may bring back what was
overwritten on a memory card: that is why the enrolment code enrols one kiosk only.
"""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Final

from sync_service.contract.stamp import (
    MAX_PACKED_LENGTH,
    PACKED_FILE,
    SETTLED_FILE,
    MissingStampError,
    Settled,
    Stamp,
    StampError,
)
from sync_service.outbox.database import sync_folder
from sync_service.outbox.whole_file import write_whole

_CHUNK: Final = 1 << 20


def settle_in(boot: Path, settled: Path, judge: Callable[[Stamp], None]) -> Stamp:
    """Take the stamp on a boot drive, if there is one, and keep it at ``settled``.

    ``judge`` raises an error for a stamp that this kiosk can't go by. Gives the stamp that is kept;
    safe at every start.

    Raises:
        MissingStampError: there is no stamp.
        StampError: the one on the boot drive is refused, and left there; or it can't be taken from
            there. What was kept before is kept still.
    """
    try:
        brought, kept = _read(boot / PACKED_FILE), _read(settled)
        if brought is not None and (kept is None or not _is_left_of(brought, kept)):
            judge(Stamp.unpack(brought))
            write_whole(settled, brought)
            kept = _read(settled)
        if kept is None:
            raise MissingStampError(
                f"{boot}: there is no stamp ({PACKED_FILE}): copy the one that the central team"
                " made for this kiosk there"
            )
        stamp = Stamp.unpack(kept)
        if brought is not None:
            _note(boot / SETTLED_FILE, Settled.of(stamp))
            erase(boot / PACKED_FILE)
    except OSError as error:
        raise StampError(f"{error.filename or boot}: {error.strerror}") from None
    return stamp


def erase_taken(boot: Path, settled: Path) -> None:
    """Erase the stamp on a boot drive if it is the one that is kept, perhaps overwritten in part.

    Raises:
        OSError: it can't be done.
    """
    brought, kept = _read(boot / PACKED_FILE), _read(settled)
    if brought is not None and kept is not None and _is_left_of(brought, kept):
        erase(boot / PACKED_FILE)


def _read(path: Path) -> bytes | None:
    try:
        with path.open("rb") as file:
            return file.read(MAX_PACKED_LENGTH + 1)
    except FileNotFoundError:
        return None


def _is_left_of(brought: bytes, kept: bytes) -> bool:
    """Whether this is the stamp that is kept, perhaps overwritten in part."""
    return len(brought) == len(kept) and all(
        one in (other, 0) for one, other in zip(brought, kept, strict=True)
    )


def _note(left: Path, settled: Settled) -> None:
    """Say whose card it is. Where the power goes meanwhile, the stamp is there still."""
    with left.open("wb") as file:
        file.write(settled.to_file())
        file.flush()
        os.fsync(file.fileno())
    sync_folder(left.parent)


def erase(path: Path) -> None:
    """Overwrite a file and remove it; then that survives a power cut.

    Raises:
        OSError: it can't be done.
    """
    with path.open("r+b") as file:
        left = path.stat().st_size
        while left > 0:
            left -= file.write(bytes(min(left, _CHUNK)))
        file.flush()
        os.fsync(file.fileno())
    path.unlink()
    sync_folder(path.parent)
