"""The command ``regard-agent``: puts the agent together and runs it."""

import argparse
import logging
import os
import select
import signal
import sys
from collections.abc import Callable
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from random import SystemRandom
from typing import Final

from sync_service.agent.agent import Agent
from sync_service.agent.backoff import Backoff
from sync_service.agent.carrying import Carrier
from sync_service.agent.client import Collector
from sync_service.agent.config import AgentSettings
from sync_service.agent.introduction import Introduction
from sync_service.contract.stamp import Stamp, StampError
from sync_service.logs import log_to_stdout
from sync_service.outbox.clock import Clock
from sync_service.outbox.database import MalformedKeyError, OutboxError, StoreKey, open_store
from sync_service.outbox.identity import Identity
from sync_service.outbox.journeys import Journeys
from sync_service.outbox.outbox import Outbox
from sync_service.outbox.rekeying import rekey
from sync_service.outbox.secrecy import forbid_core_dumps
from sync_service.outbox.spare_key import keep_spare_key
from sync_service.outbox.state import State, UnstampedError
from sync_service.settings import SettingsError, read_settings, read_stamp
from sync_service.stick import Stick

DESCRIPTION: Final = """\
Carry what a kiosk has recorded to the collector, and what the centre publishes to the kiosk.

The agent runs beside the kiosk for as long as the machine does. It needs no network, no right
clock and no enrolment to start: it tries again until it gets through. The kiosk records all the
while; nothing is lost when the agent stops.
"""

EPILOGUE: Final = """\
Where there is no network: regard-agent carry FOLDER, see regard-agent carry --help
To give the store another key: regard-agent rekey, see regard-agent rekey --help

SETTINGS is a TOML file. Two keys are needed, as in:

  data = "/var/lib/regard"                # the folder the kiosk keeps its records in
  stamp = "/var/lib/regard/regard.stamp"  # the stamp that the central team gave for this site

While the kiosk is held, the agent prints its fingerprint: the central team approves it by that.

With --once, the agent ends with 0 if the contact went well; otherwise it says why not and ends
with 1. It ends with 2 if the settings, the stamp or the store's key can't be used.
"""

CARRYING: Final = """\
Bring a kiosk's records to the centre, and its replies back, by a stick instead of a network.

What the centre left in FOLDER for this kiosk is settled first; then a new bundle for the centre
is written there, with all that still waits. The kiosk and its agent may run all the while.
"""

CARRYING_EPILOGUE: Final = """\
FOLDER is the folder of the stick. One stick may visit any number of kiosks; at the centre,
`regard-collector take` takes all of it in. The stick holds nothing that can be read there, and
pulling it out too early does no harm: nothing leaves the kiosk's store before the centre has it.

The command ends with 0 if all went well, and with 1 if the stick or the store failed, or if a
reply on the stick was refused: it says why, and the rest was done all the same. It ends with 2 if
the settings, the stamp or the store's key can't be used.
"""

REKEYING: Final = """\
Give the kiosk's store and identity another key, as when the one they have may have been seen.

Stop the kiosk and its agent first. If the power goes meanwhile, or anything fails, nothing is lost:
the store then opens with the old key or with the new one, so keep both, and do it again.
"""

REKEYING_EPILOGUE: Final = """\
The old key is the one by the settings, or the credential store-key. The new one is 64 random
hexadecimal digits in a file, as `openssl rand -hex 32` prints them, or the credential
new-store-key that systemd hands over.

When it is done, put the file of the new key in the place of the old one, and start the kiosk and
its agent. What the card held under the old key is not wiped from it: cards keep what was written
over. The answers in it are sealed to the centre, under no key that a kiosk has.

The command ends with 0 if all is under the new key, and with 1 if it is not: it says why. It ends
with 2 if the settings or one of the keys can't be used.
"""

SETTINGS: Final = Path("/etc/regard/agent.toml")
NEW_CREDENTIAL: Final = "new-store-key"

log = logging.getLogger("sync_service.agent")

Wait = Callable[[float], bool]


@dataclass(frozen=True, slots=True)
class Kept:
    """What kiosk and agent share on this machine."""

    outbox: Outbox
    state: State
    identity: Identity
    journeys: Journeys


def main() -> int:
    """Run the command."""
    if sys.argv[1:2] == ["rekey"]:
        return _rekey(_rekeying_arguments())
    carrying = sys.argv[1:2] == ["carry"]
    arguments = _carrying_arguments() if carrying else _arguments()
    forbid_core_dumps()
    log_to_stdout()
    wait = _wait_for_signal()
    try:
        settings = read_settings(arguments.settings, AgentSettings)
        stamp = read_stamp(Path(settings.stamp))
        store_key = StoreKey.find(settings.store_key, os.environ)
        impatient = carrying or arguments.once
        with ExitStack() as closing:
            kept = _open(settings, stamp, store_key, wait, closing, patient=not impatient)
            if kept is None:
                return int(impatient)
            if carrying:
                return _carry(arguments.folder, settings, stamp, kept)
            agent = _assemble(settings, stamp, kept, wait, closing)
            if arguments.once:
                return int(not agent.once())
            agent.run()
            return 0
    except (SettingsError, StampError, MalformedKeyError) as error:
        print(f"regard-agent: {error}", file=sys.stderr)
        return 2


def _arguments() -> argparse.Namespace:
    parser = _parser("regard-agent", DESCRIPTION, EPILOGUE)
    parser.add_argument("settings", metavar="SETTINGS", type=Path, help="the agent's settings file")
    parser.add_argument(
        "--once", action="store_true", help="make one contact with the collector, then end"
    )
    return parser.parse_args()


def _carrying_arguments() -> argparse.Namespace:
    parser = _parser("regard-agent carry", CARRYING, CARRYING_EPILOGUE)
    parser.add_argument("folder", metavar="FOLDER", type=Path, help="the folder of the stick")
    _add_settings(parser)
    return parser.parse_args(sys.argv[2:])


def _rekeying_arguments() -> argparse.Namespace:
    parser = _parser("regard-agent rekey", REKEYING, REKEYING_EPILOGUE)
    parser.add_argument("--to", metavar="FILE", help="the file of the new key")
    _add_settings(parser)
    return parser.parse_args(sys.argv[2:])


def _parser(prog: str, description: str, epilog: str) -> argparse.ArgumentParser:
    return argparse.ArgumentParser(
        prog=prog,
        description=description,
        epilog=epilog,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )


def _add_settings(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--settings",
        metavar="SETTINGS",
        type=Path,
        default=SETTINGS,
        help=f"the agent's settings file; without it, {SETTINGS}",
    )


def _wait_for_signal() -> Wait:
    """A sleep that SIGTERM and SIGINT end for good: then it says true at once, whenever asked."""
    told, tell = os.pipe()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: os.write(tell, b"."))
    return lambda seconds: bool(select.select([told], [], [], seconds)[0])


def _open(
    settings: AgentSettings,
    stamp: Stamp,
    store_key: StoreKey,
    wait: Wait,
    closing: ExitStack,
    *,
    patient: bool,
) -> Kept | None:
    """What kiosk and agent share on this machine; None if told to stop before it can be opened.

    A store that is damaged or a card that is full may be mended while the agent waits.
    """
    backoff = Backoff(SystemRandom(), settings.backoff_cap_s)
    said = ""
    while True:
        try:
            with ExitStack() as opened:
                engine = open_store(settings.store_path, store_key)
                opened.callback(engine.dispose)
                state = State(engine)
                state.begin(stamp)
                keep_spare_key(settings.store_path, store_key, state.sealing_key)
                identity = Identity.open(settings.identity_path, store_key)
                closing.push(opened.pop_all())
            return Kept(Outbox(engine), state, identity, Journeys(engine))
        except OutboxError as error:
            if str(error) != said:
                said = str(error)
                log.error("can't open", extra={"reason": type(error).__name__, "detail": said})
        if not patient or wait(backoff.next_s()):
            return None


def _rekey(arguments: argparse.Namespace) -> int:
    """Give the store another key; the exit status."""
    forbid_core_dumps()
    log_to_stdout()
    try:
        settings = read_settings(arguments.settings, AgentSettings)
        key = StoreKey.find(settings.store_key, os.environ)
        new_key = StoreKey.find(arguments.to, os.environ, NEW_CREDENTIAL)
        rekey(settings.store_path, key, new_key, settings.identity_path)
        _keep_spare_key(settings.store_path, new_key)
    except (SettingsError, MalformedKeyError) as error:
        print(f"regard-agent: {error}", file=sys.stderr)
        return 2
    except OutboxError as error:
        print(f"regard-agent: {error}", file=sys.stderr)
        return 1
    print("The store and the identity are under the new key. Put its file in the old one's place.")
    return 0


def _keep_spare_key(store: Path, key: StoreKey) -> None:
    engine = open_store(store, key)
    try:
        with suppress(UnstampedError):  # then there is nobody yet to seal it to
            keep_spare_key(store, key, State(engine).sealing_key)
    finally:
        engine.dispose()


def _carry(folder: Path, settings: AgentSettings, stamp: Stamp, kept: Kept) -> int:
    """Make one visit with a stick; the exit status."""
    clock = Clock()
    clock.heed(kept.state.times())
    carrier = Carrier(
        Stick(folder),
        introduction=Introduction(
            stamp=stamp,
            software=_software(),
            outbox=kept.outbox,
            state=kept.state,
            identity=kept.identity,
            clock=clock,
            hold_half_day=settings.hold_half_day,
        ),
        outbox=kept.outbox,
        state=kept.state,
        identity=kept.identity,
        journeys=kept.journeys,
        clock=clock,
        retention_days=settings.retention_days,
        say=print,
    )
    try:
        return int(not carrier.visit())
    except OSError as error:
        print(f"regard-agent: {folder}: {error.strerror}: try again", file=sys.stderr)
    except OutboxError as error:
        print(f"regard-agent: {error}", file=sys.stderr)
    return 1


def _software() -> str:
    return f"regard/{version('regard')}"


def _assemble(
    settings: AgentSettings, stamp: Stamp, kept: Kept, wait: Wait, closing: ExitStack
) -> Agent:
    clock = Clock()
    stamped_proxy = stamp.network.proxy if stamp.network is not None else None
    try:
        collector = Collector(
            stamp.collector,
            stamp.trusted,
            signing_key=kept.identity.signing_key,
            believe=kept.state.believe,
            clock=clock,
            software=_software(),
            timeout_s=settings.timeout_s,
            proxy=settings.proxy or stamped_proxy,
        )
    except ValueError as error:
        raise SettingsError(f"the collector can't be called on: {error}") from None
    return Agent(
        settings,
        stamp=stamp,
        software=_software(),
        outbox=kept.outbox,
        state=kept.state,
        identity=kept.identity,
        clock=clock,
        collector=closing.enter_context(collector),
        random=SystemRandom(),
        wait=wait,
    )


if __name__ == "__main__":
    sys.exit(main())
