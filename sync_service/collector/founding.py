"""Founding: everything that a collector needs, made at once, whole or not at all."""

import os
import shutil
import tempfile
from datetime import UTC, datetime
from pathlib import Path

from sqlalchemy import exists, select

from sync_service.collector import tables
from sync_service.collector.authority import Authority, check_pem
from sync_service.collector.config import SETTINGS_FILE, Centre, CollectorSettings
from sync_service.collector.database import migrate, open_engine, writing
from sync_service.collector.error import OfficeError
from sync_service.collector.keyring import Keyring, Signs, write_private
from sync_service.collector.publishing import (
    DEFAULT_QUESTIONNAIRES,
    Publisher,
    read_questionnaire,
)
from sync_service.collector.recovery import write_sheets
from sync_service.contract.sealing import SealingAlgorithm


async def found(
    folder: Path,
    settings: CollectorSettings,
    now: int,
    authority: Path | None = None,
    *,
    sealing: SealingAlgorithm = SealingAlgorithm.X25519,
    split: bool = False,
) -> Centre:
    """Make a collector's folder: settings, keys, certificates, database, first publications.

    ``sealing`` is how kiosks shall seal. The sealing key's recovery sheets, one or, ``split``,
    three, are made and proven too.

    ``authority`` is the PEM file to pin where a proxy ends TLS, and is copied in; without it, an
    authority is made. All is built beside the folder and moved into its place when it is whole; a
    PostgreSQL database must be there, and empty.

    Raises:
        OfficeError: there is something in the folder or the database already, or the folder can't
            be made.
        BusyError: the database is away.
        KeyFileError: ``authority`` is no certificate.
        ValueError: a setting can't be used; the message names it.
    """
    folder = folder.absolute()
    centre = Centre(folder, settings)
    centre.check()
    if authority is not None:
        check_pem(authority)
    try:
        if folder.exists() and (any(folder.iterdir()) or folder.samefile(Path.cwd())):
            raise OfficeError(
                f"{folder}: is in use already; a collector is made once, in a new folder"
            )
        folder.parent.mkdir(parents=True, exist_ok=True)
        unfinished = Path(tempfile.mkdtemp(prefix=f".{folder.name}-", dir=folder.parent))
    except OSError as error:
        raise OfficeError(f"{folder}: can't be made: {error.strerror}") from None
    try:
        built = Centre(unfinished, settings)
        await _build(built, now, authority, sealing)
        [opening_key] = Keyring(built.keys).opening_keys()
        write_sheets(built.sheets, opening_key, split=split)
        os.sync()
        unfinished.rename(folder)
    except OSError as error:
        raise OfficeError(f"{error.filename or folder}: {error.strerror}") from None
    finally:
        shutil.rmtree(unfinished, ignore_errors=True)
    return centre


async def _build(
    centre: Centre, now: int, authority: Path | None, sealing: SealingAlgorithm
) -> None:
    keyring = Keyring.make(centre.keys, sealing)
    if authority is None:
        made_at = datetime.fromtimestamp(now, UTC)
        Authority.make(centre.certificates, made_at).issue(centre.settings.names, made_at)
    else:
        centre.certificates.mkdir(mode=0o700)
        centre.authority.write_bytes(authority.read_bytes())
    engine = open_engine(centre.database_url)
    try:
        await migrate(engine)
        publisher = Publisher(keyring.signing_keys(Signs.PUBLICATIONS), keyring.publishing_keys())
        [opening_key] = keyring.opening_keys()
        async with writing(engine) as connection:
            if await connection.scalar(select(exists(tables.publication))):
                raise OfficeError(
                    "the database is in use by a collector already: name an empty one"
                )
            await publisher.keys(connection, keyring.public_keys(opening_key), now)
            for path in DEFAULT_QUESTIONNAIRES:
                await publisher.questionnaire(connection, read_questionnaire(path), now)
    finally:
        await engine.dispose()
    # The database's URL may hold a password.
    write_private(centre.folder / SETTINGS_FILE, centre.settings.to_toml().encode())
