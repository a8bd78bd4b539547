"""Connections: a site's network as NetworkManager is told of it, in its keyfiles.

A proxy stands in none of them: the agent asks it itself.
"""

import os
import string
from collections.abc import Mapping
from pathlib import Path, PurePath
from typing import Final
from uuid import NAMESPACE_URL, uuid5

from sync_service.contract.network import EnterpriseWifi, Ethernet, Network, PersonalWifi

ETHERNET_FILE: Final = "regard-ethernet.nmconnection"
WIFI_FILE: Final = "regard-wifi.nmconnection"
AUTHORITY_FILE: Final = "regard-wifi.pem"

_PLAIN: Final = frozenset(string.ascii_letters + string.digits + " -_.")


def keyfiles(network: Network | None, folder: PurePath) -> dict[str, str]:
    """The files by name that NetworkManager shall find in a folder, which it reads as root's only.

    A kiosk whose stamp says nothing of a network takes a cable; one that has no network gets none.
    """
    link = Ethernet() if network is None else network.link
    match link:
        case None:
            return {}
        case Ethernet():
            return {ETHERNET_FILE: _keyfile("ethernet", {})}
        case EnterpriseWifi():
            return {
                WIFI_FILE: _keyfile("wifi", _sections(link, folder)),
                AUTHORITY_FILE: link.authority,
            }
        case PersonalWifi():
            return {WIFI_FILE: _keyfile("wifi", _sections(link, folder))}


def write_keyfiles(network: Network | None, folder: Path) -> None:
    """Write the files into a folder, for their owner alone, in place of all from before."""
    for name in (ETHERNET_FILE, WIFI_FILE, AUTHORITY_FILE):
        (folder / name).unlink(missing_ok=True)
    for name, text in keyfiles(network, folder).items():
        descriptor = os.open(folder / name, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write(text)


def _sections(link: PersonalWifi | EnterpriseWifi, folder: PurePath) -> dict[str, dict[str, str]]:
    sections = {"wifi": {"mode": "infrastructure", "ssid": _ssid(link.ssid)}}
    match link:
        case PersonalWifi():  # of WPA2 and WPA3 both, in spite of its name
            sections["wifi-security"] = {"key-mgmt": "wpa-psk", "psk": _text(link.passphrase)}
        case EnterpriseWifi():
            sections["wifi-security"] = {"key-mgmt": "wpa-eap"}
            sections["802-1x"] = {
                "eap": f"{link.method.value};",
                "identity": _text(link.identity),
                "password": _text(link.password),
                "phase2-auth": "mschapv2",
                "ca-cert": str(folder / AUTHORITY_FILE),
                "domain-suffix-match": link.server,
            }
    return sections


def _keyfile(kind: str, sections: Mapping[str, Mapping[str, str]]) -> str:
    name = f"regard-{kind}"
    whole = {
        "connection": {
            "id": name,
            "uuid": str(uuid5(NAMESPACE_URL, f"regard:{name}")),
            "type": kind,
            "autoconnect-retries": "0",  # that is: for ever
        },
        **sections,
        "ipv4": {"method": "auto"},
        "ipv6": {"method": "auto"},
    }
    return "\n".join(
        f"[{section}]\n" + "".join(f"{key}={value}\n" for key, value in pairs.items())
        for section, pairs in whole.items()
    )


def _text(text: str) -> str:
    """A text as a keyfile has it: blanks at its beginning would be lost."""
    escaped = text.replace("\\", "\\\\")
    rest = escaped.lstrip(" ")
    return "\\s" * (len(escaped) - len(rest)) + rest


def _ssid(ssid: str) -> str:
    """A Wi-Fi's name: plain, or as its bytes in numbers, where a sign could mean something else."""
    if _PLAIN.issuperset(ssid) and ssid == ssid.strip():
        return ssid
    return "".join(f"{byte};" for byte in ssid.encode())
