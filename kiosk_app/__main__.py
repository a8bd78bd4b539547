"""The command ``regard-kiosk``: puts the kiosk together and runs it."""

import argparse
import logging
import os
import sys
import time
from collections.abc import Sequence
from contextlib import ExitStack, suppress
from pathlib import Path
from random import SystemRandom
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Final

from hardware.watchdog import Watchdog, WatchdogError
from kiosk_app.config import KioskSettings
from kiosk_app.connections import write_keyfiles
from kiosk_app.door import Door
from kiosk_app.ending import hold_signals, when_ended
from kiosk_app.error import (
    ForeignRecordsError,
    KioskError,
    NoPanelError,
    OtherPanelError,
    ScreenError,
)
from kiosk_app.failure import log_failure
from kiosk_app.hand import Hand
from kiosk_app.hanging import hang, hang_instead
from kiosk_app.kiosk import Kiosk
from kiosk_app.languages.catalogue import read_catalogues
from kiosk_app.layout.compositor import Compositor
from kiosk_app.layout.fit import Fitting
from kiosk_app.refusal import keep_refusal, notice_of
from kiosk_app.retiring import REQUEST, Retirement
from kiosk_app.settling import settle_in
from kiosk_app.ui.window import prepare
from kiosk_app.view import Notice, NoticeKind
from kiosk_app.writer import Pace, Store, UnsavedError, Writer
from sync_service.contract.network import Network
from sync_service.contract.stamp import PACKED_FILE, MissingStampError, Stamp, StampError
from sync_service.logs import log_to_stdout
from sync_service.outbox.clock import Clock
from sync_service.outbox.database import (
    MalformedKeyError,
    OutboxError,
    StoreKey,
    newest_store,
    open_store,
)
from sync_service.outbox.outbox import Outbox
from sync_service.outbox.renewal import open_or_renew
from sync_service.outbox.secrecy import forbid_core_dumps
from sync_service.outbox.spare_key import keep_spare_key
from sync_service.outbox.state import ForeignStampError, State
from sync_service.settings import SettingsError, read_settings, read_stamp

if TYPE_CHECKING:
    from kiosk_app.caretaker import Caretaker

DESCRIPTION: Final = """\
Ask respondents at a touchscreen, and keep each response sealed in an encrypted store.

The kiosk runs for as long as the machine does. It needs no network: what it records waits in the
store for regard-agent. While it can't record, the screen says so, and goes on when it can.
SIGTERM ends it, after an open session was stored.
"""

EPILOGUE: Final = """\
SETTINGS is a TOML file. Two keys are needed, as in:

  data = "/var/lib/regard"                # the folder the kiosk keeps its records in
  stamp = "/var/lib/regard/regard.stamp"  # the stamp that the central team gave for this site

Others that are often wanted: fullscreen = false for a window on a desk; panel = "7-800x480" where
the stamp does not name the panel that is there, or another; hardware = "pi" with a table [wiring]
where buttons, lamps or a sensor are bolted to the kiosk; and store_key for the file of the store's
key, where systemd does not hand it over as the credential store-key. The key is 64
random hexadecimal digits, as `openssl rand -hex 32` prints them; without it nothing that waits in
the store can be delivered, so it must outlast the kiosk's restarts.

The kiosk ends with 2 if the settings, the stamp or the store's key can't be used, and with 1 if
it had to stop while a record could not be stored. If its screen fails, that is said on it, and the
kiosk ends with 3, as it does where there is no screen yet, or another than its panel: it must be
started again at once. Where systemd runs it (NOTIFY_SOCKET is set), nobody reads why it can't
start: there a notice on the screen says so, until the service is started again. systemd does all
that by

  Restart=on-failure
  RestartPreventExitStatus=2
  RestartSec=1
  StartLimitIntervalSec=0

With --settle-in the kiosk does not start. It looks for a stamp on its card's boot drive, where
whoever flashed the card has put it; takes it to where the settings have the stamp; and overwrites
and removes it on the boot drive. Run it before each start, as whoever may write there. It ends
with 0 if the kiosk can start; with 1 if the stamp on the boot drive was refused, which is left
there, and the kiosk can start as before; with 2 if there is no stamp to start from.

A file or folder called retire-this-kiosk on the boot drive retires the kiosk: with --settle-in, it
is seen to that nothing is asked any more, and the kiosk is wiped once all that it holds has been
delivered, or carried and taken in by the centre. Until then the command ends with 1, and says what
is left; when it has wiped the kiosk, with 0. Without that file the kiosk asks again.

With --notice the kiosk does not start. Its screen shows what CODE stands for, in the languages of
the settings' stamp if there is one, until a signal ends it.
"""

_FAILED: Final = 3
_MINUTE_S: Final = 60.0
_CLOSING_S: Final = 20.0
"""How long a response may take to be stored while the kiosk stops."""


def main() -> int:
    """Run the command."""
    arguments = _arguments()
    forbid_core_dumps()
    if arguments.settle_in is not None:
        return settle(
            arguments.settings, arguments.settle_in, arguments.connections, arguments.keys
        )
    log_to_stdout()
    for ours in ("kiosk_app", "hardware"):
        logging.getLogger(ours).setLevel(logging.INFO)
    try:
        watchdog = Watchdog.from_environment(os.environ)
        with TemporaryDirectory(prefix="regard-kiosk-") as home:
            if arguments.notice is not None:
                ended = hang(arguments.notice, arguments.settings, watchdog, Path(home))
                return 0 if ended else _FAILED
            _start(arguments.settings, watchdog, Path(home))
    except UnsavedError as error:
        print(f"regard-kiosk: {error}", file=sys.stderr)
        return 1
    except NoPanelError as error:
        print(f"regard-kiosk: {error}", file=sys.stderr)
        return _FAILED
    except ScreenError as error:
        log_failure(error)
        return _FAILED
    except (KioskError, SettingsError, StampError, MalformedKeyError, WatchdogError) as error:
        print(f"regard-kiosk: {error}", file=sys.stderr)
        if arguments.notice is None and "NOTIFY_SOCKET" in os.environ:
            hang_instead(error, arguments.settings)
        return _FAILED if isinstance(error, OtherPanelError) else 2
    except Exception as error:  # noqa: BLE001  # the kiosk's top: no traceback may tell of answers
        log_failure(error)
        return _FAILED
    return 0


def _start(settings_path: Path, watchdog: Watchdog, home: Path) -> None:
    settings = read_settings(settings_path, KioskSettings)
    stamp = read_stamp(Path(settings.stamp))
    store_key = StoreKey.find(settings.store_key, os.environ)
    compositor = Compositor(settings.find_panel(stamp.panel), read_catalogues())
    prepare(
        home=home,
        panel=compositor.panel,
        fullscreen=settings.fullscreen,
        rotation=stamp.rotation if settings.rotation is None else settings.rotation,
    )
    _run(settings, stamp, compositor, store_key, watchdog, home=home)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="regard-kiosk",
        description=DESCRIPTION,
        epilog=EPILOGUE,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "settings", metavar="SETTINGS", nargs="?", type=Path, help="the kiosk's settings file"
    )
    parser.add_argument(
        "--settle-in", type=Path, metavar="BOOT", help="only take the stamp from this boot drive"
    )
    parser.add_argument(
        "--keys",
        type=Path,
        nargs="+",
        default=(),
        metavar="FILE",
        help="with --settle-in: the files of the store's key, to be wiped if the kiosk is retired",
    )
    parser.add_argument(
        "--connections",
        type=Path,
        metavar="FOLDER",
        help="with --settle-in: also write NetworkManager's keyfiles of the site's network there",
    )
    parser.add_argument(
        "--notice",
        type=Notice.parse,
        metavar="CODE",
        help="only show this notice: "
        + ", ".join(kind.value for kind in NoticeKind)
        + "; with :N after it where N answers wait",
    )
    arguments = parser.parse_args()
    if arguments.settings is None and arguments.notice is None:
        parser.error("the settings file is missing")
    return arguments


def settle(
    settings_path: Path, boot: Path, connections: Path | None = None, keys: Sequence[Path] = ()
) -> int:
    """Retire the kiosk if that is wanted; take the stamp from the boot drive, unless it is being
    retired; and let NetworkManager know of the site's network.

    Gives the command's exit status.
    """
    status = 0
    try:
        settings = read_settings(settings_path, KioskSettings)
        kept = Path(settings.stamp)
        done = _retire(_retirement(settings, boot, keys))
        retiring = done is False
        try:
            stamp = settle_in(
                boot, kept, lambda brought: _judge(brought, settings, retiring=retiring)
            )
            keep_refusal(settings.refusal_path, None)
        except (KioskError, OutboxError, StampError) as error:
            print(f"regard-kiosk: {error}", file=sys.stderr)
            retired = done and isinstance(error, MissingStampError)
            notice = Notice(NoticeKind.RETIRED) if retired else notice_of(error)
            keep_refusal(settings.refusal_path, notice)
            if not kept.exists():
                if connections is not None:
                    write_keyfiles(Network(None), connections)
                return 0 if retired else 2
            stamp, status = read_stamp(kept), 1
        if connections is not None:
            write_keyfiles(stamp.network, connections)
    except (SettingsError, StampError) as error:
        print(f"regard-kiosk: {error}", file=sys.stderr)
        return 2
    except OSError as error:
        print(f"regard-kiosk: {connections}: {error.strerror}", file=sys.stderr)
        return 1
    return 1 if retiring else status


def _retirement(settings: KioskSettings, boot: Path, keys: Sequence[Path]) -> Retirement:
    named = () if settings.store_key is None else (Path(settings.store_key),)
    return Retirement(
        boot=boot,
        stamp=Path(settings.stamp),
        data=Path(settings.data),
        store=settings.store_path,
        keys=(*named, *keys),
        find_key=lambda: StoreKey.find(settings.store_key, os.environ),
        clock=Clock(),
    )


def _retire(retirement: Retirement) -> bool | None:
    """Go on to retire the kiosk; whether that is done, and `None` if nobody wants it."""
    try:
        if not retirement.wanted:
            with suppress(OutboxError):  # the kiosk itself will tell
                retirement.give_up()
            return None
        retirement.retire()
    except (KioskError, OutboxError) as error:
        print(f"regard-kiosk: {error}", file=sys.stderr)
        return False
    except OSError as error:
        print(f"regard-kiosk: {error.filename}: {error.strerror}", file=sys.stderr)
        return False
    said = "all that was recorded here was delivered, and nothing is left of it"
    print(f"regard-kiosk: {said}", flush=True)
    return True


def _judge(stamp: Stamp, settings: KioskSettings, *, retiring: bool) -> None:
    """See that this kiosk can go by a stamp: its panel has room, its store is of that centre.

    Raises:
        NotAskableError, UnknownPanelError, StampError, ForeignRecordsError: it can't.
    """
    if retiring:
        raise StampError(
            f"{PACKED_FILE}: left there until this kiosk is retired; or remove {REQUEST} from"
            " beside it, if it is not to be retired"
        )
    panel = settings.find_panel(stamp.panel)
    Fitting(Compositor(panel, read_catalogues())).put_stamp_in_force(stamp)
    if not newest_store(settings.store_path).exists():
        return
    engine = open_store(settings.store_path, StoreKey.find(settings.store_key, os.environ))
    try:
        State(engine).check(stamp)
    except ForeignStampError as error:
        waiting = Outbox(engine).extent().depth
        raise ForeignRecordsError(str(error), waiting) from None
    finally:
        engine.dispose()


def _run(
    settings: KioskSettings,
    stamp: Stamp,
    compositor: Compositor,
    store_key: StoreKey,
    watchdog: Watchdog,
    *,
    home: Path,
) -> None:
    fitting = Fitting(compositor)
    in_force = fitting.put_stamp_in_force(stamp)
    clock = Clock()
    door = Door()
    hold_signals()  # `_show` waits for them

    def open_shared_store() -> Store:
        engine = open_or_renew(settings.store_path, store_key, settings.identity_path)
        state = State(engine)
        state.begin(stamp)
        keep_spare_key(settings.store_path, store_key, state.sealing_key)
        return Store(Outbox(engine), state, engine.dispose)

    writer = Writer(
        open_shared_store,
        clock,
        door,
        timezone=in_force.assignment.timezone,
        put_in_force=fitting.put_in_force,
        pace=Pace(),
    )
    kiosk = Kiosk(
        in_force,
        settings.manners,
        random=SystemRandom(),
        moment=clock.moment,
        record=writer.record,
        session_begun=writer.count_session,
        now=time.monotonic(),
    )
    with ExitStack() as closing:  # what comes first here comes last, and comes whatever fails
        caretaker = None
        if settings.hardware is not None:
            # It brings gpiozero, which a kiosk with a screen only does without.
            from kiosk_app.caretaker import hire  # noqa: PLC0415

            timezone = in_force.assignment.timezone
            caretaker = hire(settings, clock, door, timezone=timezone, home=home, closing=closing)
        writer.start(kiosk)
        closing.callback(writer.close, _CLOSING_S)
        closing.callback(lambda: kiosk.close(time.monotonic()))
        _show(settings, kiosk, compositor, caretaker, door=door, writer=writer, watchdog=watchdog)


def _show(
    settings: KioskSettings,
    kiosk: Kiosk,
    compositor: Compositor,
    caretaker: "Caretaker | None",
    *,
    door: Door,
    writer: Writer,
    watchdog: Watchdog,
) -> None:
    """Show the kiosk until a signal ends it."""
    # Importing it opens the window.
    from kiosk_app.ui.app import KioskApp  # noqa: PLC0415
    from kiosk_app.ui.loop import Chore, Loop  # noqa: PLC0415

    def count_minute() -> None:
        writer.count_minute(kiosk.available, watched=caretaker is not None and caretaker.watches)

    chores = [Chore(_MINUTE_S, count_minute)]
    if caretaker is not None:
        chores.append(Chore(caretaker.look_s, caretaker.check))
    if watchdog.interval_s is not None:
        chores.append(Chore(watchdog.interval_s, watchdog.alive))
    loop = Loop(tuple(chores), shown=watchdog.ready)
    app = KioskApp(
        kiosk,
        loop,
        compositor,
        Hand(settings.repeat_s),
        clock=time.monotonic,
        let_in=door.let_in,
        trace_view=settings.trace_view,
        surroundings=caretaker,
    )
    door.open(loop.wake)
    when_ended(lambda: door.post(lambda now: loop.stop()))
    if caretaker is not None:
        caretaker.start(app.press, writer.count_approach, writer.note_troubles)
    try:
        app.run()
    finally:
        watchdog.stopping()


if __name__ == "__main__":
    sys.exit(main())
