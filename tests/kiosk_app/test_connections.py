"""What NetworkManager is told of each kind of network, key by key."""

import stat
from configparser import RawConfigParser
from pathlib import PurePath

import pytest
from certificates import certificate

from kiosk_app.connections import keyfiles, write_keyfiles
from sync_service.contract.network import (
    EnterpriseWifi,
    Ethernet,
    Method,
    Network,
    PersonalWifi,
)

FOLDER = PurePath("/run/NetworkManager/system-connections")
ADDRESSES = {"ipv4": {"method": "auto"}, "ipv6": {"method": "auto"}}


def sections(text):
    """A keyfile's sections, but for its uuid."""
    parser = RawConfigParser(delimiters="=", comment_prefixes="#")
    parser.optionxform = str
    parser.read_string(text)
    found = {section: dict(parser[section]) for section in parser.sections()}
    assert len(found["connection"].pop("uuid")) == 36
    return found


def only(network):
    [(name, text)] = keyfiles(network, FOLDER).items()
    return name, sections(text)


@pytest.mark.parametrize("network", [None, Network(Ethernet(), "http://proxy.example:3128")])
def test_a_cable_is_taken_with_an_address_by_dhcp_and_for_ever(network):
    assert only(network) == (
        "regard-ethernet.nmconnection",
        {
            "connection": {"id": "regard-ethernet", "type": "ethernet", "autoconnect-retries": "0"},
            **ADDRESSES,
        },
    )


def test_a_personal_wifi_is_joined_by_its_passphrase():
    assert only(Network(PersonalWifi("Library staff", "three quiet words"))) == (
        "regard-wifi.nmconnection",
        {
            "connection": {"id": "regard-wifi", "type": "wifi", "autoconnect-retries": "0"},
            "wifi": {"mode": "infrastructure", "ssid": "Library staff"},
            "wifi-security": {"key-mgmt": "wpa-psk", "psk": "three quiet words"},
            **ADDRESSES,
        },
    )


@pytest.mark.parametrize("method", Method)
def test_an_enterprise_wifi_is_told_nothing_but_by_its_own_server(method):
    link = EnterpriseWifi("NHS", method, "kiosk-7", "secret", "radius.example", certificate())
    files = keyfiles(Network(link), FOLDER)
    assert files.keys() == {"regard-wifi.nmconnection", "regard-wifi.pem"}
    assert files["regard-wifi.pem"] == certificate()
    found = sections(files["regard-wifi.nmconnection"])
    assert found["wifi-security"] == {"key-mgmt": "wpa-eap"}
    assert found["802-1x"] == {
        "eap": f"{method.value};",
        "identity": "kiosk-7",
        "password": "secret",
        "phase2-auth": "mschapv2",
        "ca-cert": "/run/NetworkManager/system-connections/regard-wifi.pem",
        "domain-suffix-match": "radius.example",
    }


def test_no_network_is_no_connection():
    assert keyfiles(Network(None), FOLDER) == {}


@pytest.mark.parametrize(
    ("ssid", "written"),
    [
        ("Plain name-5.0_GHz", "Plain name-5.0_GHz"),
        ("a;b", "97;59;98;"),
        ("Caffè", "67;97;102;102;195;168;"),
        (" spaced ", "32;115;112;97;99;101;100;32;"),
        ("back\\slash", "98;97;99;107;92;115;108;97;115;104;"),
        ("12", "12"),
    ],
)
def test_a_wifis_name_is_written_so_that_no_sign_means_something_else(ssid, written):
    text = keyfiles(Network(PersonalWifi(ssid, "quiet words")), FOLDER)["regard-wifi.nmconnection"]
    assert f"\nssid={written}\n" in text


@pytest.mark.parametrize(
    ("passphrase", "written"),
    [
        ("  two before", "\\s\\stwo before"),
        ("back\\slash", "back\\\\slash"),
        ("semi;colon#", "semi;colon#"),
    ],
)
def test_a_passphrase_is_escaped_as_keyfiles_are(passphrase, written):
    text = keyfiles(Network(PersonalWifi("a", passphrase)), FOLDER)["regard-wifi.nmconnection"]
    assert f"\npsk={written}\n" in text


def test_the_files_are_for_their_owner_alone_and_none_from_before_is_left(tmp_path):
    for passphrase in ("quiet words", "other words"):
        write_keyfiles(Network(PersonalWifi("a", passphrase)), tmp_path)
        [path] = tmp_path.iterdir()
        assert f"psk={passphrase}" in path.read_text()
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
    write_keyfiles(Network(Ethernet()), tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["regard-ethernet.nmconnection"]
    write_keyfiles(Network(None), tmp_path)
    assert [*tmp_path.iterdir()] == []
