"""Networks: each kind comes back as it was, and what can't be used is named by its key."""

import pytest
from certificates import certificate, private_key

from sync_service.contract.error import MalformedError
from sync_service.contract.network import KEYS, EnterpriseWifi, Ethernet, Network, PersonalWifi

PERSONAL = {"link": "wifi", "ssid": "Lib rary☕", "passphrase": 'quiet "words"\\'}
ENTERPRISE = {
    "link": "wifi-enterprise",
    "ssid": "Council",
    "method": "peap",
    "identity": "kiosk-7@northvale.example",
    "password": "Pässword",
    "server": "radius.northvale.example",
    "wifi_authority": certificate(),
}
BEYOND = {"proxy": "http://kiosk:secret@proxy.example:3128", "extra_authority": certificate()}
NETWORKS = (
    {"link": "none"},
    {"link": "ethernet"},
    {"link": "ethernet", **BEYOND},
    PERSONAL,
    {**PERSONAL, **BEYOND},
    ENTERPRISE,
    {**ENTERPRISE, "method": "ttls", **BEYOND},
)


@pytest.mark.parametrize("document", NETWORKS)
def test_a_network_comes_back_as_it_was(document):
    network = Network.from_document(document)
    assert network.to_document() == document
    assert {*document} <= {*KEYS}


def test_each_link_is_a_kind_of_its_own():
    kinds = [type(Network.from_document(document).link) for document in NETWORKS]
    assert kinds == [
        type(None),
        *(Ethernet, Ethernet, PersonalWifi, PersonalWifi, EnterpriseWifi, EnterpriseWifi),
    ]


@pytest.mark.parametrize("document", NETWORKS)
def test_no_secret_is_in_what_a_log_would_print(document):
    printed = repr(Network.from_document(document))
    for secret in ("quiet", "Pässword", "secret"):
        assert secret not in printed


@pytest.mark.parametrize(
    ("changed", "why"),
    [
        ({"link": "modem"}, "link must be one of none, ethernet, wifi, wifi-enterprise"),
        ({"link": None}, "link"),
        ({"ssid": None}, "ssid is missing"),
        ({"ssid": "x" * 33}, "32 bytes"),
        ({"ssid": "é" * 17}, "32 bytes"),
        ({"ssid": "two\nlines"}, "ssid must be printable"),
        ({"passphrase": "seven77"}, "passphrase must be 8 to 63"),
        ({"passphrase": "x" * 64}, "passphrase must be 8 to 63"),
        ({"passphrase": "päss-phrase"}, "ASCII"),
        ({"passphrase": None}, "passphrase is missing"),
        ({"identity": "x"}, "identity does not go with the link wifi"),
        ({"colour": "blue"}, "colour does not go"),
        ({"proxy": "proxy.example:3128"}, "proxy must be an address such as"),
        ({"proxy": "http://proxy.example"}, "proxy"),
        ({"proxy": "http://proxy.example:99999"}, "proxy"),
        ({"proxy": "http://proxy.example:80/path"}, "proxy"),
        ({"proxy": "http://pro xy:80"}, "proxy"),
        ({"extra_authority": "nonsense"}, "extra_authority must be one certificate"),
        ({"extra_authority": certificate() + private_key()}, "holds a private key"),
    ],
)
def test_what_can_not_be_used_is_named(changed, why):
    document = {**PERSONAL, **changed}
    with pytest.raises(MalformedError, match=why):
        Network.from_document({key: value for key, value in document.items() if value is not None})


@pytest.mark.parametrize(
    ("changed", "why"),
    [
        ({"method": "tls"}, "method must be one of peap, ttls"),
        ({"identity": "a\x00b"}, "identity must be printable"),
        ({"server": "radius example"}, "server must be a host name"),
        ({"wifi_authority": private_key()}, "wifi_authority must be one certificate"),
        ({"passphrase": "quiet words"}, "passphrase does not go with the link wifi-enterprise"),
    ],
)
def test_what_can_not_be_used_in_an_enterprise_is_named(changed, why):
    with pytest.raises(MalformedError, match=why):
        Network.from_document({**ENTERPRISE, **changed})


@pytest.mark.parametrize("key", ["ssid", "proxy", "extra_authority"])
def test_what_needs_a_link_goes_with_no_network_at_all(key):
    with pytest.raises(MalformedError, match=f"{key} does not go with the link none"):
        Network.from_document({"link": "none", key: "x"})


def test_a_secret_that_is_refused_is_not_said():
    with pytest.raises(MalformedError) as refused:
        Network.from_document({**PERSONAL, "passphrase": "short"})
    assert "short" not in str(refused.value)
