"""The network that a kiosk finds at its site, as its stamp says."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final, Self, TypeAlias
from urllib.parse import urlsplit

from cryptography import x509

from sync_service.contract.codec import Fields, Value
from sync_service.contract.error import MalformedError

MAX_SSID: Final = 32
MIN_PASSPHRASE: Final = 8
MAX_PASSPHRASE: Final = 63
MAX_CREDENTIAL: Final = 128
MAX_PROXY: Final = 500
MAX_AUTHORITY: Final = 64 * 1024

_HOST: Final = re.compile(r"[A-Za-z0-9]([A-Za-z0-9.-]{0,251}[A-Za-z0-9])?", re.ASCII)
_BEYOND: Final = ("proxy", "extra_authority")
_KEYS: Final[Mapping[str, tuple[str, ...]]] = {
    "none": (),
    "ethernet": _BEYOND,
    "wifi": ("ssid", "passphrase", *_BEYOND),
    "wifi-enterprise": (
        *("ssid", "method", "identity", "password", "server", "wifi_authority"),
        *_BEYOND,
    ),
}
KEYS: Final = ("link", *_KEYS["wifi"][:2], *_KEYS["wifi-enterprise"][1:])
"""All keys of a network, in their order."""

SECRETS: Final = ("passphrase", "password", "proxy")
"""The keys whose values are nobody's business; a proxy's address may hold a password."""


class Method(StrEnum):
    """How an enterprise Wi-Fi wraps a name and a password. Within, both speak MSCHAPv2."""

    PEAP = "peap"
    TTLS = "ttls"


@dataclass(frozen=True, slots=True)
class Ethernet:
    """A cable, with an address by DHCP."""


@dataclass(frozen=True, slots=True)
class PersonalWifi:
    """Wi-Fi with one passphrase for all, WPA2 or WPA3."""

    ssid: str
    passphrase: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class EnterpriseWifi:
    """Wi-Fi with a name and password for each machine, WPA2 or WPA3.

    The password is given to ``server`` alone, a host name or the end of one, as it proves itself by
    ``authority``, certificates in PEM.
    """

    ssid: str
    method: Method
    identity: str
    password: str = field(repr=False)
    server: str
    authority: str


Link: TypeAlias = Ethernet | PersonalWifi | EnterpriseWifi


@dataclass(frozen=True, slots=True)
class Network:
    """What leads from a site to the collector; without a ``link``, nothing ever does.

    ``proxy`` is the address of the HTTP proxy that leads out. ``extra_authority``, certificates in
    PEM, is trusted for the collector too: what looks into the site's TLS shows such a certificate.
    """

    link: Link | None
    proxy: str | None = field(default=None, repr=False)
    extra_authority: str | None = None

    @classmethod
    def from_document(cls, document: Mapping[str, Value]) -> Self:
        """Read a network's table.

        Raises:
            MalformedError: it can't be used; the message names the key and what is allowed.
        """
        fields = Fields(dict(document), "network")
        kind = fields.text("link", MAX_CREDENTIAL)
        if kind not in _KEYS:
            raise MalformedError(f"network: link must be one of {', '.join(_KEYS)}")
        for key in document:
            if key != "link" and key not in _KEYS[kind]:
                raise MalformedError(f"network: {key} does not go with the link {kind}")
        return cls(
            link=_read_link(kind, fields),
            proxy=_read_proxy(fields) if "proxy" in fields else None,
            extra_authority=(
                _read_authority(fields, "extra_authority") if "extra_authority" in fields else None
            ),
        )

    def to_document(self) -> dict[str, str]:
        """The network's table."""
        members: dict[str, str] = {}
        match self.link:
            case None:
                members["link"] = "none"
            case Ethernet():
                members["link"] = "ethernet"
            case PersonalWifi():
                members |= {"link": "wifi", "ssid": self.link.ssid}
                members["passphrase"] = self.link.passphrase
            case EnterpriseWifi():
                members |= {
                    "link": "wifi-enterprise",
                    "ssid": self.link.ssid,
                    "method": self.link.method.value,
                    "identity": self.link.identity,
                    "password": self.link.password,
                    "server": self.link.server,
                    "wifi_authority": self.link.authority,
                }
        if self.proxy is not None:
            members["proxy"] = self.proxy
        if self.extra_authority is not None:
            members["extra_authority"] = self.extra_authority
        return members


def _read_link(kind: str, fields: Fields) -> Link | None:
    match kind:
        case "ethernet":
            return Ethernet()
        case "wifi":
            return PersonalWifi(_read_ssid(fields), _read_passphrase(fields))
        case "wifi-enterprise":
            return EnterpriseWifi(
                ssid=_read_ssid(fields),
                method=fields.member("method", Method),
                identity=_read_printable(fields, "identity"),
                password=_read_printable(fields, "password"),
                server=_read_host(fields),
                authority=_read_authority(fields, "wifi_authority"),
            )
    return None


def _read_ssid(fields: Fields) -> str:
    ssid = _read_printable(fields, "ssid")
    if len(ssid.encode()) > MAX_SSID:
        raise MalformedError(f"network: ssid must be the name of a Wi-Fi, of {MAX_SSID} bytes")
    return ssid


def _read_passphrase(fields: Fields) -> str:
    passphrase = fields.text("passphrase", MAX_CREDENTIAL)
    if (
        not MIN_PASSPHRASE <= len(passphrase) <= MAX_PASSPHRASE
        or not (passphrase.isascii() and passphrase.isprintable())  # never show what it is
    ):
        raise MalformedError(
            f"network: passphrase must be {MIN_PASSPHRASE} to {MAX_PASSPHRASE} printable"
            " characters of ASCII"
        )
    return passphrase


def _read_printable(fields: Fields, key: str) -> str:
    value = fields.text(key, MAX_CREDENTIAL)
    if not value.isprintable():
        raise MalformedError(f"network: {key} must be printable")
    return value


def _read_host(fields: Fields) -> str:
    server = fields.text("server", MAX_CREDENTIAL)
    if not _HOST.fullmatch(server):
        raise MalformedError("network: server must be a host name, such as radius.example.org")
    return server


def _read_proxy(fields: Fields) -> str:
    proxy = fields.line("proxy", MAX_PROXY)
    try:
        address = urlsplit(proxy)
        fits = (
            address.scheme in ("http", "https")
            and address.hostname is not None
            and _HOST.fullmatch(address.hostname) is not None
            and address.port is not None
            and not (address.path.strip("/") or address.query or address.fragment)
        )
    except ValueError:
        fits = False
    if not fits or " " in proxy:
        raise MalformedError(
            "network: proxy must be an address such as http://proxy.example.org:3128"
        )
    return proxy


def _read_authority(fields: Fields, key: str) -> str:
    pem = fields.text(key, MAX_AUTHORITY)
    try:
        certificates = pem.isascii() and x509.load_pem_x509_certificates(pem.encode())
    except ValueError:
        certificates = []
    if not certificates:
        raise MalformedError(f"network: {key} must be one certificate or more, in PEM")
    if "PRIVATE KEY" in pem:
        raise MalformedError(f"network: {key} holds a private key: leave that out")
    return pem
