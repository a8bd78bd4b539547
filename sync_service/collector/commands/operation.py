"""The collector itself: making one, serving, and opening what came."""

import argparse
import asyncio
import sys
import time
from pathlib import Path
from urllib.parse import urlsplit

from sync_service.collector import opening
from sync_service.collector.commands.grammar import SPLIT, Group, add_command
from sync_service.collector.config import DATABASE, Centre, CollectorSettings, host_of
from sync_service.collector.database import check_begun, migrate, open_engine
from sync_service.collector.error import OfficeError
from sync_service.collector.founding import found
from sync_service.collector.office import open_office
from sync_service.collector.rotation import SEALING
from sync_service.collector.serving import serve as serve_kiosks
from sync_service.collector.serving import stopping_by_signal
from sync_service.collector.tables import Opening
from sync_service.collector.wording import told_counts
from sync_service.logs import log_to_stdout

_HTTPS_PORT = 443
_PROXIED_PORT = 8080


def add_to(group: Group) -> None:
    """Add ``init``, ``serve`` and ``open``."""
    init = group.add_parser(
        "init",
        help="make a new collector: settings, keys, certificates, database",
        description="Make a new collector in a new folder, all of it or nothing: settings, keys,"
        " a certificate authority for kiosks to trust, the database, and the first publications.",
    )
    init.set_defaults(run=_init)
    init.add_argument("folder", type=Path, metavar="FOLDER", help="a new folder")
    init.add_argument(
        "--address",
        required=True,
        metavar="URL",
        help="where kiosks find the collector, as in https://collector.example:8443",
    )
    init.add_argument(
        "--name",
        action="append",
        default=[],
        metavar="NAME",
        help="one more host name or IP address that the certificate shall be for",
    )
    init.add_argument("--host", metavar="IP", help="where to listen; without it, everywhere")
    init.add_argument(
        "--port", type=int, metavar="PORT", help="where to listen; without it, the address's port"
    )
    init.add_argument(
        "--behind-proxy",
        action="store_true",
        help="a proxy on this machine ends TLS; listen in plain HTTP, on 127.0.0.1 port 8080",
    )
    init.add_argument(
        "--authority",
        type=Path,
        metavar="FILE",
        help="with --behind-proxy: the authority of the proxy's certificate, in PEM",
    )
    init.add_argument(
        "--database",
        default=DATABASE,
        metavar="URL",
        help="an empty PostgreSQL database, as in postgresql+asyncpg://regard@/regard; without it,"
        " a file in the folder",
    )
    init.add_argument(
        "--sealing",
        choices=list(SEALING),
        default="x25519",
        help="how kiosks shall seal: x25519, unless another is named; docs/keys.md says what"
        " mlkem768-x25519 costs",
    )
    init.add_argument("--split", action="store_true", help=SPLIT)
    add_command(
        group,
        "serve",
        _serve,
        "take in what kiosks send, until Ctrl-C",
        "Take in what kiosks send, and open it, until Ctrl-C or SIGTERM. The database is brought up"
        " to date first, and the server's certificate renewed in time.",
    )
    opening = add_command(
        group,
        "open",
        _open,
        "open what was taken in; needs the sealing key",
        "Open what was taken in and waits. `serve` does this by itself, unless its settings say"
        ' opening = "none": then run this where the sealing key is, perhaps on another machine.',
    )
    opening.add_argument(
        "--follow", action="store_true", help="go on with what comes, until Ctrl-C"
    )
    opening.add_argument(
        "--again", action="store_true", help="try anew what could not be opened before"
    )
    # How `serve` runs its opener, so that it never outlives it.
    opening.add_argument("--child", action="store_true", help=argparse.SUPPRESS)


async def _init(args: argparse.Namespace) -> str:
    """Make a collector."""
    if args.behind_proxy and args.authority is None:
        raise OfficeError(
            "name the PEM file of the proxy's certificate authority by --authority: stamps pin it"
        )
    try:
        host, port = host_of(args.address), urlsplit(args.address).port
        settings = CollectorSettings(
            address=args.address,
            names=(host, *(name for name in args.name if name != host)),
            host=args.host or ("127.0.0.1" if args.behind_proxy else "0.0.0.0"),
            port=args.port or (_PROXIED_PORT if args.behind_proxy else port or _HTTPS_PORT),
            tls=not args.behind_proxy,
            database=args.database,
        )
        centre = await found(
            args.folder,
            settings,
            int(time.time()),
            args.authority,
            sealing=SEALING[args.sealing],
            split=args.split,
        )
    except ValueError as error:
        raise OfficeError(str(error)) from None
    return (
        f"The collector is in {centre.folder}.\n"
        f"Copy {centre.keys} to a safe place now: without the sealing key in it, what kiosks send"
        " can never be read.\n"
        f"Print what is in {centre.sheets}, then delete that folder: the words give the sealing key"
        " back. They were read back from the disk, and do.\n"
        f"Then: regard-collector serve --folder {args.folder}"
    )


async def _serve(args: argparse.Namespace) -> None:
    """Serve kiosks until a signal comes."""
    log_to_stdout()
    centre = Centre.read(args.folder)
    engine = open_engine(centre.database_url)
    try:
        await check_begun(engine)
        await migrate(engine)
        with stopping_by_signal() as stop:
            await serve_kiosks(centre, engine, stop)
    finally:
        await engine.dispose()


async def _open(args: argparse.Namespace) -> str | None:
    """Open what waits."""
    if args.follow:
        log_to_stdout()
    async with open_office(args.folder) as office:
        keyring = office.keyring
        opening_keys, publishing_keys = keyring.opening_keys(), keyring.publishing_keys()
        # A key that was missing when they came may be here now.
        await opening.reopen(
            office.engine, opening.REOPENABLE if args.again else {Opening.UNKNOWN_KEY}
        )
        with stopping_by_signal() as stop:
            if args.child:
                asyncio.get_running_loop().add_reader(sys.stdin.fileno(), stop.set)
            await opening.run(
                office.engine,
                opening_keys,
                publishing_keys,
                keyring.record_id_secret(),
                follow=args.follow,
                stop=stop,
            )
        if args.follow:
            return None
        return told_counts(await opening.count_by_outcome(office.engine))
