"""The collector's settings: ``collector.toml`` in the folder that ``init`` makes."""

import ipaddress
import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Final, Literal, Self
from urllib.parse import urlsplit

import msgspec
from sqlalchemy import URL, make_url
from sqlalchemy.exc import ArgumentError

from sync_service.contract.publication import MAX_KEPT_MONTHS
from sync_service.settings import SettingsError, read_settings

SETTINGS_FILE: Final = "collector.toml"

DATABASE: Final = "sqlite+aiosqlite:///collector.db"
"""The database that a collector has unless told otherwise."""

_SQLITE: Final = "sqlite+aiosqlite"
_POSTGRESQL: Final = "postgresql+asyncpg"

_HOST_NAME: Final = re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?", re.ASCII | re.IGNORECASE)
_COMMENTS: Final = {
    "address": "Where kiosks find the collector. Every stamp holds it.",
    "names": "The host names and IP addresses that its certificate is for.",
    "host": "Where it listens.",
    "tls": "false: a proxy in front of it ends TLS.",
    "authority": "The certificate authority that stamps pin, in PEM.",
    "database": "A URL: sqlite+aiosqlite:///FILE, or postgresql+asyncpg://USER@HOST/DATABASE.",
    "keys": "The folders with the centre's keys, and with its certificates.",
    "links": "The domains that texts on screens may lead to, each with what is under it.",
    "sealed_months": "For how many months sealed records are kept once opened; 0: like answers.",
    "opening": '"child": `serve` opens records too. "none": `regard-collector open` does.',
}


class CollectorSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """How the collector listens, and where it keeps things.

    ``address`` is where kiosks find it, ``names`` are the host names and IP addresses in its
    certificate. Without ``tls`` a proxy stands before it, and ``authority`` is that of the proxy's
    certificate. Texts for screens may lead to the domains ``links``, and to what is under them.
    Sealed records that are opened are dropped ``sealed_months`` after they came; if that is 0, with
    what was opened of them. Paths are relative to the folder of the settings.
    """

    address: str
    names: tuple[str, ...]
    host: str = "0.0.0.0"
    port: Annotated[int, msgspec.Meta(ge=0, le=65535)] = 8443
    tls: bool = True
    authority: str = "tls/authority.pem"
    database: str = DATABASE
    keys: str = "keys"
    certificates: str = "tls"
    links: tuple[str, ...] = ()
    sealed_months: Annotated[int, msgspec.Meta(ge=0, le=MAX_KEPT_MONTHS)] = 0
    opening: Literal["child", "none"] = "child"

    def to_toml(self) -> str:
        """The text of the settings file."""
        lines = ["# The collector's settings. Paths are relative to this folder.", ""]
        for key, value in msgspec.to_builtins(self).items():
            if key in _COMMENTS:
                lines.append(f"# {_COMMENTS[key]}")
            # What stands here is the same in JSON and in TOML.
            lines.append(f"{key} = {json.dumps(value, ensure_ascii=False)}")
        return "\n".join(lines) + "\n"


@dataclass(frozen=True, slots=True)
class Centre:
    """A collector's folder and the settings in it."""

    folder: Path
    settings: CollectorSettings

    @classmethod
    def read(cls, folder: Path) -> Self:
        """Read the settings in a folder.

        Raises:
            SettingsError: there are none, a key or value in them is not allowed, or the database
                is not there.
        """
        path = folder / SETTINGS_FILE
        if not path.exists():
            raise SettingsError(
                f"{path}: there is no collector here; name its folder by --folder, or make one by"
                " `regard-collector init`"
            )
        centre = cls(folder, read_settings(path, CollectorSettings))
        try:
            centre.check()
        except ValueError as error:
            raise SettingsError(f"{path}: {error}") from None
        url = centre.database_url
        path = Path(url.database or "")
        if url.drivername == _SQLITE and not path.is_file():  # SQLite would begin an empty one
            raise SettingsError(f"{path}: there is no database; bring it back from a backup")
        return centre

    def check(self) -> None:
        """See that the settings can be used.

        Raises:
            ValueError: they can't; the message names the key.
        """
        host_of(self.settings.address)
        if not self.settings.names:
            raise ValueError("names must hold one host name or IP address, or more")
        for name in self.settings.names:
            if not _is_host(name):
                raise ValueError(f"names must be host names or IP addresses, not {name!r}")
        for domain in self.settings.links:
            if not _is_domain(domain):
                raise ValueError(
                    f'links must be domains in small letters: "nhs.uk", not {domain!r}'
                )
        if self.database_url.drivername not in (_SQLITE, _POSTGRESQL):
            raise ValueError(
                f"database must be a URL that begins with {_SQLITE}:/// or {_POSTGRESQL}://"
            )

    @property
    def database_url(self) -> URL:
        """The database's URL; the path of an SQLite file made absolute."""
        try:
            url = make_url(self.settings.database)
        except ArgumentError:
            raise ValueError("database must be a URL") from None
        if url.drivername == _SQLITE and url.database is not None:
            return url.set(database=str(self.folder.absolute() / url.database))
        return url

    @property
    def sheets(self) -> Path:
        """The folder of the recovery sheets, until they are printed."""
        return self.folder / "recovery-sheets"

    @property
    def keys(self) -> Path:
        """The folder of the centre's keys."""
        return self.folder / self.settings.keys

    @property
    def certificates(self) -> Path:
        """The folder of the certificate authority."""
        return self.folder / self.settings.certificates

    @property
    def authority(self) -> Path:
        """The PEM file of the certificate authority that stamps pin."""
        return self.folder / self.settings.authority


def host_of(address: str) -> str:
    """The host in the collector's address.

    Raises:
        ValueError: not an address that a kiosk could use.
    """
    wrong = ValueError(f"address must be like https://collector.example:8443, not {address!r}")
    try:
        parts = urlsplit(address)
        port = parts.port
    except ValueError:
        raise wrong from None
    if parts.scheme != "https" or not parts.hostname or not _is_host(parts.hostname) or port == 0:
        raise wrong
    return parts.hostname


def _is_host(name: str) -> bool:
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return all(_HOST_NAME.fullmatch(label) for label in name.split("."))
    return True


def _is_domain(name: str) -> bool:
    *labels, top = name.split(".")
    return bool(labels) and _is_host(name) and name.islower() and top.isalpha()
