"""Refusals: why a kiosk can't start, as its screen tells it to staff."""

from contextlib import suppress
from pathlib import Path

from kiosk_app.error import ForeignRecordsError, NotAskableError, OtherPanelError, UnknownPanelError
from kiosk_app.view import Notice, NoticeKind
from sync_service.contract.stamp import MissingStampError, NewerStampError, StampError
from sync_service.outbox.database import OutboxError
from sync_service.outbox.whole_file import write_whole


def notice_of(error: Exception) -> Notice:
    """What is told of an error that keeps a kiosk from starting."""
    match error:
        case ForeignRecordsError():
            return Notice(NoticeKind.STAMP_FOREIGN, error.waiting)
        case MissingStampError():
            return Notice(NoticeKind.NO_STAMP)
        case NewerStampError():
            return Notice(NoticeKind.STAMP_NEWER)
        case StampError():
            return Notice(NoticeKind.STAMP_DAMAGED)
        case NotAskableError() | UnknownPanelError():
            return Notice(NoticeKind.STAMP_UNFIT)
        case OtherPanelError():
            return Notice(NoticeKind.OTHER_PANEL)
        case OutboxError():
            return Notice(NoticeKind.DATA_MISSING)
    return Notice(NoticeKind.SETTINGS)


def keep_refusal(path: Path, notice: Notice | None) -> None:
    """Keep why the stamp on the boot drive was refused, for the screen to tell; None: it was not.

    It is lost where it can't be written: then the screen says that there is no stamp.
    """
    with suppress(OSError):
        if notice is None:
            path.unlink(missing_ok=True)
        else:
            write_whole(path, str(notice).encode())


def read_refusal(path: Path) -> Notice | None:
    """Why the stamp on the boot drive was refused, if one was."""
    try:
        return Notice.parse(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
