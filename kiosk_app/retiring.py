"""Retiring: a kiosk asks no more, lets all that it holds be delivered, and then is wiped.

Whoever wants that leaves a file on the boot drive. Each start looks for it before screen and agent
run. They hear of it through the store, where the last day is closed; a start that finds nothing
left there wipes the kiosk. Wiping begins with a mark beside the stamp, which goes last: whenever
the power is cut, either nothing was wiped, or the next start wipes the rest.
"""

from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from kiosk_app.days import put_days
from kiosk_app.error import KioskError
from kiosk_app.settling import erase, erase_taken
from sync_service.contract.stamp import SETTLED_FILE
from sync_service.outbox.clock import Clock
from sync_service.outbox.database import (
    StoreKey,
    newest_store,
    open_alone,
    open_store,
    sync_folder,
)
from sync_service.outbox.outbox import Outbox
from sync_service.outbox.state import State
from sync_service.outbox.whole_file import write_whole

REQUEST: Final = "retire-this-kiosk"
"""The name of the file, or the folder, on the boot drive by which a kiosk is retired."""

_REQUESTS: Final = (REQUEST, f"{REQUEST}.txt")  # which some laptops append and don't show
_MARK: Final = "regard.wiping"


class RetiringError(KioskError):
    """The kiosk holds what is nowhere else, so it was not wiped. Let that be delivered."""


@dataclass(frozen=True, slots=True)
class Retirement:
    """The retiring of a kiosk, whose ``store`` is in the folder ``data``.

    ``keys`` are all files with the store's key; ``find_key`` gives that key.
    """

    boot: Path
    stamp: Path
    data: Path
    store: Path
    keys: Sequence[Path]
    find_key: Callable[[], StoreKey]
    clock: Clock

    @property
    def wanted(self) -> bool:
        """Whether somebody wants the kiosk to be retired, or it is being wiped already."""
        return self._mark.exists() or bool(self._requests())

    def retire(self) -> None:
        """See that the kiosk asks no more; wipe it if nothing is left that was not delivered.

        Raises:
            RetiringError: something is left; nothing was wiped.
            OutboxError: the store can't be used, or kiosk or agent run; nothing was wiped.
            OSError: something can't be wiped; the next start tries again.
        """
        if not self._mark.exists():
            if any(self.data.glob(f"{self.store.stem}*")):  # its latest changes alone will do
                self._close()
            write_whole(self._mark, b"")
        erase_taken(self.boot, self.stamp)
        _wipe(self.stamp)
        if self.data.exists():
            for path in self.data.iterdir():
                _wipe(path)
        for path in (*self._left_beside(), *self.keys, self.boot / SETTLED_FILE, *self._requests()):
            _wipe(path)
        _wipe(self._mark)

    def give_up(self) -> None:
        """Let the kiosk ask again, if it was to be retired before and nobody wants that any more.

        Raises:
            OutboxError: the store can't be used.
        """
        if newest_store(self.store).exists():
            with ExitStack() as closing:
                engine = open_store(self.store, self.find_key())
                closing.callback(engine.dispose)
                state = State(engine)
                if state.retiring:
                    state.note_retiring(False)

    def _close(self) -> None:
        """Let nothing more be asked or counted, and put the record of the last day."""
        key = self.find_key()
        open_store(self.store, key).dispose()  # which says what is wrong, if it is
        with ExitStack() as closing:
            engine = open_alone(newest_store(self.store), key)
            closing.callback(engine.dispose)
            state, outbox = State(engine), Outbox(engine)
            state.note_retiring(True)
            if counts := state.finished_days(None):
                self.clock.heed(state.times())
                put_days(counts, outbox, state.publications(), self.clock)
            left = outbox.undelivered()
        if left.number:
            raise RetiringError(
                "this kiosk is being retired: it asks no more, and nothing was wiped yet."
                f" Records that wait to be delivered: {left.waiting}; those of this half of the day"
                " leave when it is over."
                f" Records that the centre refused, and that are only here: {left.quarantined}"
            )

    @property
    def _mark(self) -> Path:
        return self.stamp.with_name(_MARK)

    def _left_beside(self) -> list[Path]:
        """What a cut of the power left of a stamp or a key that was being written."""
        return [
            left
            for path in (self.stamp, *self.keys)
            for pattern in (f".{path.name}-*", f"{path.name}.*")
            for left in path.parent.glob(pattern)
        ]

    def _requests(self) -> list[Path]:
        if not self.boot.is_dir():
            return []
        return [path for path in self.boot.iterdir() if path.name.lower() in _REQUESTS]


def _wipe(path: Path) -> None:
    """Overwrite and remove a file, or all in a folder; nothing if it is gone already."""
    if path.is_symlink() or not path.exists():
        path.unlink(missing_ok=True)
    elif path.is_dir():
        for each in path.iterdir():
            _wipe(each)
        path.rmdir()
    elif path.is_file():
        erase(path)
    else:
        path.unlink()
    sync_folder(path.parent)
