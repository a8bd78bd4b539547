"""Lists of kiosks: read as a person writes them, and every mistake named by line and column."""

import pytest
from certificates import certificate

from sync_service.collector.error import OfficeError
from sync_service.collector.orders import COLUMNS, Order, read_network, read_orders
from sync_service.contract.network import EnterpriseWifi, Ethernet, Method, Network, PersonalWifi


@pytest.fixture
def listed(tmp_path):
    """Writes a list and gives its path."""
    (tmp_path / "radius.pem").write_text(certificate())

    def listed(text, encoding="utf-8"):
        path = tmp_path / "kiosks.csv"
        path.write_bytes(text.encode(encoding))
        return path

    return listed


def refusal(path):
    with pytest.raises(OfficeError) as refused:
        read_orders(path)
    return str(refused.value).replace(f"{path}, ", "").splitlines()


def test_a_list_is_read_with_each_column_named_after_its_setting(listed):
    path = listed(
        "name,site,panel,rotation,call,link,ssid,passphrase,method,identity,password,server,wifi_authority,"
        "proxy\n"
        'By the door,central,7-800x480,90,"Ana, 01234 567890",wifi, Café ,"two  words ",,,,,,\n'
        "\n"
        "desk,surgery,,,,wifi-enterprise,NHS,,peap,kiosk,secret,radius.example,radius.pem,"
        "http://proxy.example:3128\n"
        "desk,central,,0,,,,,,,,,,\n"
        "cable,central,,,,ethernet,,,,,,,,\n"
        "hut,central,,,,none,,,,,,,,\n"
    )
    orders = read_orders(path)
    enterprise = EnterpriseWifi(
        "NHS", Method.PEAP, "kiosk", "secret", "radius.example", certificate()
    )
    door = Network(PersonalWifi("Café", "two  words "))
    assert orders == [
        Order(
            *("central", "By the door", "7-800x480", 90, "Ana, 01234 567890", door),
            where=f"{path}, line 2: ",
        ),
        Order(
            *("surgery", "desk", None, 0, None, Network(enterprise, "http://proxy.example:3128")),
            where=f"{path}, line 4: ",
        ),
        Order("central", "desk", where=f"{path}, line 5: "),
        Order("central", "cable", network=Network(Ethernet()), where=f"{path}, line 6: "),
        Order("central", "hut", network=Network(None), where=f"{path}, line 7: "),
    ]


@pytest.mark.parametrize("ends", ["\n", "\r\n", "\r"])
def test_a_list_as_excel_saves_it_is_read(listed, ends):
    path = listed(ends.join(["site,name", "central,Llyfrgell y Bôn", ""]), "utf-8-sig")
    assert [order.name for order in read_orders(path)] == ["Llyfrgell y Bôn"]


def test_every_line_that_is_wrong_is_named_with_its_column_and_what_is_allowed(listed):
    path = listed(
        "site,name,link,ssid,passphrase,wifi_authority,call\n"
        "central,1,ethernet,,,,\n"
        ",2,,,,,\n"
        "central,3,wifi,Council,short,,\n"
        "central,4,,Council,,,\n"
        "central,5,none,Council,,,\n"
        "central,1,,,,,\n"
        "central,7,ethernet\n"
        "central,8,wifi-enterprise,,,nowhere.pem,\n"
        f"central,9,,,,,{'x' * 201}\n"
    )
    assert refusal(path) == [
        "line 3: site: must not be empty",
        "line 4: passphrase must be 8 to 63 printable characters of ASCII",
        "line 5: link is missing",
        "line 6: ssid does not go with the link none",
        "line 7: name: 1 at central is on line 2 too: name another",
        "line 8: has 3 cells, and there are 7 columns",
        "line 9: wifi_authority: nowhere.pem can't be read: No such file or directory",
        "line 10: call: must be at most 200 printable characters",
    ]


def test_a_rotation_that_no_screen_has_is_named(listed):
    assert refusal(listed("site,name,rotation\ncentral,desk,45\n")) == [
        "line 2: rotation: must be one of 0, 90, 180, 270"
    ]


def test_columns_that_are_wrong_are_answered_with_those_that_there_are(listed):
    [said] = refusal(listed("site;name\ncentral;desk\n"))
    assert said.startswith("line 1: there is no column 'site;name'; the column site is missing")
    assert said.endswith(", ".join(COLUMNS))
    assert "the column name is missing" in refusal(listed("site\ncentral\n"))[0]
    assert "the column site comes twice" in refusal(listed("site,name,site\na,b,c\n"))[0]


def test_a_list_of_nothing_is_refused(listed):
    assert "lists no kiosk" in refusal(listed("site,name\n\n"))[0]
    assert "the column site is missing" in refusal(listed(""))[0]


def test_what_is_no_list_is_said_to_be_none(listed, tmp_path):
    assert "can't be read" in refusal(tmp_path / "nowhere.csv")[0]
    assert "save it as “CSV UTF-8”" in refusal(listed("site,name\ncentral,Bôn", "latin-1"))[0]
    assert "not CSV" in refusal(listed('site,name\ncentral,"desk'))[0]


def test_one_kiosks_network_stands_in_a_file_with_the_same_keys(tmp_path):
    path = tmp_path / "network.toml"
    (tmp_path / "office.pem").write_text(certificate())
    path.write_text('link = "ethernet"\nextra_authority = "office.pem"\n')
    assert read_network(path) == Network(Ethernet(), extra_authority=certificate())


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ('link = "pigeon"', "link must be one of"),
        ("link = 1", "link must be text"),
        ('link = "ethernet"\nextra_authority = 1', "extra_authority must be text"),
        ('link = "ethernet"\nextra_authority = "network.toml"', "must be one certificate"),
        ("link", "not TOML"),
    ],
)
def test_a_network_that_can_not_be_used_is_named_with_its_file(tmp_path, text, why):
    path = tmp_path / "network.toml"
    path.write_text(text)
    with pytest.raises(OfficeError, match=rf"network\.toml: .*{why}"):
        read_network(path)
    with pytest.raises(OfficeError, match="can't be read"):
        read_network(tmp_path / "nowhere.toml")
