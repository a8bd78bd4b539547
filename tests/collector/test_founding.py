import asyncio
import shutil
import ssl
import stat
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import msgspec
import pytest
from cryptography import x509

from sync_service.collector.authority import Authority
from sync_service.collector.config import Centre, CollectorSettings, host_of
from sync_service.collector.error import KeyFileError, OfficeError
from sync_service.collector.founding import found
from sync_service.collector.keyring import Keyring, Signs
from sync_service.contract.sealing import OpeningKey
from sync_service.settings import SettingsError

pytestmark = pytest.mark.sqlite_alone

SETTINGS = CollectorSettings(
    address="https://collector.example:8443", names=("collector.example", "192.0.2.7", "::1")
)
TODAY = datetime(2026, 3, 14, tzinfo=UTC)


@pytest.fixture
def copy(founded, tmp_path):
    shutil.copytree(founded, tmp_path / "copy")
    return tmp_path / "copy"


def make(folder, settings=SETTINGS, authority=None):
    return asyncio.run(found(folder, settings, int(TODAY.timestamp()), authority))


# Everything that a collector needs


def test_a_collector_is_made_once(tmp_path):
    folder = tmp_path / "deep/collector"

    centre = make(folder)

    assert Centre.read(folder) == centre
    before = {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    with pytest.raises(OfficeError, match="is in use already"):
        make(folder)
    assert {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()} == before
    assert [path.name for path in folder.parent.iterdir()] == ["collector"]


def test_a_collector_that_can_not_be_finished_leaves_nothing(tmp_path):
    unfit = msgspec.structs.replace(SETTINGS, keys="nowhere/keys")

    with pytest.raises(OfficeError, match="No such file"):
        make(tmp_path / "collector", unfit)

    assert list(tmp_path.iterdir()) == []


def test_a_collector_is_made_in_an_empty_folder_but_not_under_ones_feet(tmp_path, monkeypatch):
    (tmp_path / "empty").mkdir()
    make(tmp_path / "empty")
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    with pytest.raises(OfficeError, match="is in use already"):
        make(Path())


def test_a_database_on_postgresql_is_founded_in_once(cluster, tmp_path):
    name = cluster.create()
    settings = msgspec.structs.replace(SETTINGS, database=cluster.url(name))

    centre = make(tmp_path / "one", settings)
    with pytest.raises(OfficeError, match="in use by a collector already"):
        make(tmp_path / "two", settings)

    assert Centre.read(tmp_path / "one") == centre
    assert [path.name for path in tmp_path.iterdir()] == ["one"]
    cluster.drop(name)


def test_the_settings_are_for_their_owner_alone_as_a_password_may_be_in_them(copy):
    assert stat.S_IMODE((copy / "collector.toml").stat().st_mode) == 0o600


def test_private_keys_are_for_their_owner_alone_and_never_in_the_database(copy):
    keys = [*(copy / "keys").iterdir(), *(copy / "tls").iterdir()]
    assert {stat.S_IMODE(path.stat().st_mode) for path in keys} == {0o600}
    folders = [copy / "keys", copy / "tls"]
    assert {stat.S_IMODE(path.stat().st_mode) for path in folders} == {0o700}

    database = (copy / "collector.db").read_bytes()
    for path in (copy / "keys").glob("*.key"):
        key = bytes.fromhex(path.read_text())[-32:]
        assert len(key) == 32
        assert key not in database
        assert key.hex().encode() not in database


def test_no_two_collectors_have_a_key_in_common(founded, tmp_path):
    other = make(tmp_path / "collector").folder

    def contents(folder):
        return {path.read_bytes() for path in (folder / "keys").iterdir()}

    assert len(contents(other)) == 5
    assert not contents(founded) & contents(other)


def test_a_collector_behind_a_proxy_pins_the_proxys_authority(founded, tmp_path):
    centre = make(
        tmp_path / "collector",
        msgspec.structs.replace(SETTINGS, tls=False),
        founded / "tls/authority.pem",
    )

    assert centre.authority.read_bytes() == (founded / "tls/authority.pem").read_bytes()
    assert [path.name for path in centre.certificates.iterdir()] == ["authority.pem"]


def test_an_authority_that_is_none_is_refused(founded, tmp_path):
    with pytest.raises(KeyFileError, match="no certificate"):
        make(tmp_path / "collector", SETTINGS, founded / "collector.toml")
    with pytest.raises(KeyFileError, match="can't be read"):
        make(tmp_path / "collector", SETTINGS, founded / "nowhere.pem")
    assert list(tmp_path.iterdir()) == []


# Keys


def test_keys_are_read_as_they_were_made(copy):
    keyring = Keyring(copy / "keys")

    [publishing_key] = keyring.signing_keys(Signs.PUBLICATIONS)
    assert keyring.publishing_keys() == (publishing_key.verifying_key,)
    assert len(keyring.record_id_secret()) == 32
    [key] = keyring.opening_keys()
    assert list((copy / "keys").glob(f"sealing-{key.sealing_key.key_id.hex()}.key"))


def test_a_new_sealing_key_stands_beside_the_old_one(copy):
    keyring = Keyring(copy / "keys")
    [old] = keyring.opening_keys()

    new = keyring.add_opening_key()

    ids = {key.sealing_key.key_id for key in keyring.opening_keys()}
    assert ids == {old.sealing_key.key_id, new.sealing_key.key_id}


def test_a_missing_or_damaged_key_is_named(copy):
    keyring = Keyring(copy / "keys")
    (copy / "keys/receipt.key").unlink()
    with pytest.raises(KeyFileError, match=r"keys/receipt\.key: can't be read"):
        keyring.signing_keys(Signs.RECEIPTS)
    for damaged in ("", "ab" * 31, "no hex", "ŵ"):
        (copy / "keys/publishing.key").write_text(damaged, encoding="utf-8")
        with pytest.raises(KeyFileError, match=r"keys/publishing\.key: damaged"):
            keyring.signing_keys(Signs.PUBLICATIONS)
    [sealing] = (copy / "keys").glob("sealing-*.key")
    sealing.unlink()
    with pytest.raises(KeyFileError, match="there is no sealing key"):
        keyring.opening_keys()


def test_a_lost_key_comes_back_as_its_file(copy, founded):
    for path in (copy / "keys").iterdir():
        path.unlink()
    for path in (founded / "keys").iterdir():
        shutil.copy(path, copy / "keys")

    assert isinstance(Keyring(copy / "keys").opening_keys()[0], OpeningKey)


# Certificates


@pytest.fixture
def authority(tmp_path):
    authority = Authority.make(tmp_path / "tls", TODAY)
    authority.issue(SETTINGS.names, TODAY)
    return authority


def certificate(folder, name="server.pem"):
    return x509.load_pem_x509_certificate((folder / name).read_bytes())


def test_the_certificate_is_for_the_names_given(authority, tmp_path):
    found = certificate(tmp_path / "tls")

    names = found.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert names.get_values_for_type(x509.DNSName) == ["collector.example"]
    assert [*map(str, names.get_values_for_type(x509.IPAddress))] == ["192.0.2.7", "::1"]
    assert found.not_valid_after_utc == TODAY + timedelta(days=397)
    issuer = certificate(tmp_path / "tls", "authority.pem")
    found.verify_directly_issued_by(issuer)
    assert issuer.not_valid_after_utc > TODAY + timedelta(days=3650)


def test_the_certificate_holds_to_the_strictest_reading_of_the_standard(authority, tmp_path):
    now = datetime.now(UTC)
    fresh = Authority.make(tmp_path / "fresh", now)
    fresh.issue(["collector.example"], now)
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    fresh.load_into(server)
    client = ssl.create_default_context(cafile=tmp_path / "fresh/authority.pem")
    client.verify_flags |= ssl.VERIFY_X509_STRICT
    to_server, to_client = ssl.MemoryBIO(), ssl.MemoryBIO()
    ends = [
        client.wrap_bio(to_client, to_server, server_hostname="collector.example"),
        server.wrap_bio(to_server, to_client, server_side=True),
    ]

    for end in ends * 3:
        try:
            end.do_handshake()
        except ssl.SSLWantReadError:
            continue

    assert ends[0].getpeercert()["issuer"][0][0][1] == "Regard collector authority"


def test_the_certificate_is_renewed_before_it_ends_and_not_sooner(authority, tmp_path):
    first = certificate(tmp_path / "tls")
    near_end = TODAY + timedelta(days=397 - 30)

    assert not authority.renew(SETTINGS.names, near_end - timedelta(days=1))
    assert certificate(tmp_path / "tls") == first
    assert authority.renew(SETTINGS.names, near_end)
    assert certificate(tmp_path / "tls").not_valid_after_utc == near_end + timedelta(days=397)
    assert not authority.renew(SETTINGS.names, near_end)


def test_a_renewal_that_was_cut_short_is_done_again(authority, tmp_path):
    (tmp_path / "tls/.server.pem.new").write_text("half")

    assert authority.renew(SETTINGS.names, TODAY + timedelta(days=397))
    assert certificate(tmp_path / "tls")


def test_a_certificate_file_that_can_not_be_used_is_named(authority, tmp_path):
    (tmp_path / "tls/authority.key").write_text("no key")
    with pytest.raises(KeyFileError, match=r"authority\.key: damaged"):
        authority.renew(SETTINGS.names, TODAY + timedelta(days=397))
    (tmp_path / "tls/server.pem").unlink()
    with pytest.raises(KeyFileError, match=r"server\.pem: can't be"):
        authority.load_into(ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER))


# Settings


def test_the_settings_are_read_as_they_were_written(tmp_path):
    path = tmp_path / "collector.toml"
    settings = msgspec.structs.replace(
        SETTINGS, host='quo"te', tls=False, links=("nhs.uk",), opening="none"
    )
    path.write_text(settings.to_toml(), encoding="utf-8")
    (tmp_path / "collector.db").touch()

    assert Centre.read(tmp_path).settings == settings


def test_paths_are_relative_to_the_settings(founded):
    centre = Centre.read(founded)

    assert centre.keys == founded / "keys"
    assert centre.database_url.database == str(founded / "collector.db")
    moved = replace(
        centre, settings=msgspec.structs.replace(centre.settings, keys="/srv/regard/keys")
    )
    assert moved.keys == Path("/srv/regard/keys")


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ('address = "', 'adress = "', "adress"),
        ('"https://localhost:8443"', '"http://localhost"', "address must be like https://"),
        ('"https://localhost:8443"', '"https://a_b"', "address must be like https://"),
        ("port = 0", "port = 65536", "port"),
        ("port = 0", 'port = "x"', "port"),
        ('names = ["localhost", "127.0.0.1"]', "names = []", "names must hold one"),
        ('["localhost"', '["local host"', "not 'local host'"),
        ('"sqlite+aiosqlite:///collector.db"', '"nonsense"', "database must be"),
        ('"sqlite+aiosqlite:///collector.db"', '"mysql://x/y"', "database must be"),
        ("links = []", 'links = ["uk"]', "links must be domains"),
        ("links = []", 'links = ["NHS.uk"]', "links must be domains"),
        ("links = []", 'links = ["https://nhs.uk"]', "links must be domains"),
        ("links = []", 'links = ["192.0.2.7"]', "links must be domains"),
        ('opening = "child"', 'opening = "never"', "opening"),
    ],
)
def test_a_setting_that_can_not_be_used_is_named_with_its_file(copy, old, new, said):
    path = copy / "collector.toml"
    text = path.read_text(encoding="utf-8")
    assert old in text
    path.write_text(text.replace(old, new), encoding="utf-8")

    with pytest.raises(SettingsError) as caught:
        Centre.read(copy)

    assert str(caught.value).startswith(f"{path}: ")
    assert said in str(caught.value)


def test_a_folder_without_a_collector_says_how_to_make_one(tmp_path):
    with pytest.raises(SettingsError, match="regard-collector init"):
        Centre.read(tmp_path)


def test_a_database_that_went_missing_is_not_begun_anew(copy):
    (copy / "collector.db").unlink()

    with pytest.raises(SettingsError, match="bring it back from a backup"):
        Centre.read(copy)
    assert not (copy / "collector.db").exists()


@pytest.mark.parametrize(
    ("address", "host"),
    [
        ("https://collector.example", "collector.example"),
        ("https://collector.example:8443/regard", "collector.example"),
        ("https://192.0.2.7:1", "192.0.2.7"),
        ("https://[::1]:8443", "::1"),
    ],
)
def test_the_host_of_an_address(address, host):
    assert host_of(address) == host


@pytest.mark.parametrize(
    "address",
    ["", "collector", "https://", "https://x:0", "https://x:99999", "https://-x", "ftp://x"],
)
def test_what_is_no_address_is_refused(address):
    with pytest.raises(ValueError, match="address must be like"):
        host_of(address)
