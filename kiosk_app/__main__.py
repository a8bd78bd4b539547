"""The command ``regard-kiosk``: puts the kiosk together and runs it."""

import argparse
import logging
import os
import signal
import sys
import time
from contextlib import ExitStack
from pathlib import Path
from random import SystemRandom
from tempfile import TemporaryDirectory
from threading import Thread
from typing import Final

from hardware.watchdog import Watchdog, WatchdogError
from kiosk_app.config import KioskSettings
from kiosk_app.door import Door
from kiosk_app.error import KioskError, ScreenError
from kiosk_app.failure import log_failure
from kiosk_app.hand import Hand
from kiosk_app.kiosk import Kiosk
from kiosk_app.languages.catalogue import read_catalogues
from kiosk_app.layout.compositor import Compositor
from kiosk_app.layout.fit import Fitting
from kiosk_app.ui.window import prepare
from kiosk_app.writer import Pace, Store, UnsavedError, Writer
from sync_service.contract.stamp import Stamp, StampError
from sync_service.logs import log_to_stdout
from sync_service.outbox.clock import Clock
from sync_service.outbox.database import MalformedKeyError, StoreKey
from sync_service.outbox.outbox import Outbox
from sync_service.outbox.renewal import open_or_renew
from sync_service.outbox.secrecy import forbid_core_dumps
from sync_service.outbox.state import State
from sync_service.settings import SettingsError, read_settings, read_stamp

DESCRIPTION: Final = """\
Ask respondents at a touchscreen, and keep each response sealed in an encrypted store.

The kiosk runs for as long as the machine does. It needs no network: what it records waits in the
store for regard-agent. While it can't record, the screen says so, and goes on when it can.
SIGTERM ends it, after an open session was stored.
"""

EPILOGUE: Final = """\
SETTINGS is a TOML file. Two keys are needed, as in:

  data = "/var/lib/regard"      # the folder the kiosk keeps its records in
  stamp = "/boot/regard-stamp"  # the stamp that the central team gave for this site

Others that are often wanted: fullscreen = false for a window on a desk; panel = "7-800x480" where
the stamp does not name the panel that is there, or another; and store_key for the file of the
store's key, where systemd does not hand it over as the credential store-key. The key is 64
random hexadecimal digits, as `openssl rand -hex 32` prints them; without it nothing that waits in
the store can be delivered, so it must outlast the kiosk's restarts.

The kiosk ends with 2 if the settings, the stamp or the store's key can't be used, and with 1 if
it had to stop while a record could not be stored. If its screen fails, that is said on it, and the
kiosk ends with 3: it must be started again at once. systemd does that by

  Restart=on-failure
  RestartPreventExitStatus=2
  RestartSec=1
  StartLimitIntervalSec=0
"""

_FAILED: Final = 3
_ENDING: Final = {signal.SIGTERM, signal.SIGINT}
_MINUTE_S: Final = 60.0
_CLOSING_S: Final = 20.0
"""How long a response may take to be stored while the kiosk stops."""


def main() -> int:
    """Run the command."""
    settings_path = _arguments().settings
    forbid_core_dumps()
    log_to_stdout()
    logging.getLogger("kiosk_app").setLevel(logging.INFO)
    try:
        settings = read_settings(settings_path, KioskSettings)
        stamp = read_stamp(Path(settings.stamp))
        store_key = StoreKey.find(settings.store_key, os.environ)
        watchdog = Watchdog.from_environment(os.environ)
        compositor = Compositor(settings.find_panel(stamp.panel), read_catalogues())
        with TemporaryDirectory(prefix="regard-kiosk-") as home:
            prepare(home=Path(home), panel=compositor.panel, fullscreen=settings.fullscreen)
            _run(settings, stamp, compositor, store_key, watchdog)
    except UnsavedError as error:
        print(f"regard-kiosk: {error}", file=sys.stderr)
        return 1
    except ScreenError as error:
        log_failure(error)
        return _FAILED
    except (KioskError, SettingsError, StampError, MalformedKeyError, WatchdogError) as error:
        print(f"regard-kiosk: {error}", file=sys.stderr)
        return 2
    except Exception as error:  # noqa: BLE001  # the kiosk's top: no traceback may tell of answers
        log_failure(error)
        return _FAILED
    return 0


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="regard-kiosk",
        description=DESCRIPTION,
        epilog=EPILOGUE,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("settings", metavar="SETTINGS", type=Path, help="the kiosk's settings file")
    return parser.parse_args()


def _run(
    settings: KioskSettings,
    stamp: Stamp,
    compositor: Compositor,
    store_key: StoreKey,
    watchdog: Watchdog,
) -> None:
    fitting = Fitting(compositor)
    in_force = fitting.put_stamp_in_force(stamp)
    clock = Clock()
    door = Door()
    signal.pthread_sigmask(signal.SIG_BLOCK, _ENDING)  # on every thread; `_show` waits for them

    def open_shared_store() -> Store:
        engine = open_or_renew(settings.store_path, store_key, settings.identity_path)
        state = State(engine)
        state.begin(stamp)
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
    writer.start(kiosk)
    with ExitStack() as closing:  # what comes first here comes last, and comes whatever fails
        closing.callback(writer.close, _CLOSING_S)
        closing.callback(lambda: kiosk.close(time.monotonic()))
        closing.callback(watchdog.stopping)
        _show(settings, kiosk, compositor, door=door, writer=writer, watchdog=watchdog)


def _show(
    settings: KioskSettings,
    kiosk: Kiosk,
    compositor: Compositor,
    *,
    door: Door,
    writer: Writer,
    watchdog: Watchdog,
) -> None:
    """Show the kiosk until a signal ends it."""
    # Importing it opens the window.
    from kiosk_app.ui.app import Chore, KioskApp  # noqa: PLC0415

    chores = [Chore(_MINUTE_S, lambda: writer.count_minute(kiosk.available))]
    if watchdog.interval_s is not None:
        chores.append(Chore(watchdog.interval_s, watchdog.alive))
    app = KioskApp(
        kiosk,
        compositor,
        Hand(settings.repeat_s),
        clock=time.monotonic,
        let_in=door.let_in,
        chores=tuple(chores),
        trace_view=settings.trace_view,
    )
    door.open(app.wake)

    def await_signal() -> None:
        signal.sigwait(_ENDING)
        door.post(lambda now: app.stop())

    Thread(target=await_signal, name="signals", daemon=True).start()
    watchdog.ready()
    app.run()


if __name__ == "__main__":
    sys.exit(main())
