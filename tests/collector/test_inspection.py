"""Inspection: what a card, an image or a stamp holds is said, and its secrets are not."""

import json
from dataclasses import replace

import pytest
from cards import MARK, card_image, put
from certificates import certificate
from stamps import WIFI, stamped

from sync_service.collector.card_image import MARK_FILE
from sync_service.collector.error import OfficeError
from sync_service.collector.inspection import Inspector
from sync_service.contract.network import EnterpriseWifi, Method, Network
from sync_service.contract.stamp import PACKED_FILE, SETTLED_FILE, Settled

SECRETS = ("quiet words", "guarded", "SECR-ETCO", "SECRETCO", "012345", "hush")


@pytest.fixture(scope="module")
def inspector():
    return Inspector()


@pytest.fixture(scope="module")
def one():
    return stamped(network=WIFI)


def as_file(stamp, folder):
    path = folder / "regard.stamp"
    path.write_bytes(stamp.pack())
    return path


def as_boot_drive(stamp, folder):
    as_file(stamp, folder)
    (folder / "config.txt").touch()
    return folder


def as_folder_of_files(stamp, folder):
    for name, content in stamp.to_files().items():
        (folder / name).write_bytes(content)
    return folder


def as_image(stamp, folder):
    return card_image(folder / "i.img", [(MARK_FILE, MARK), (PACKED_FILE, stamp.pack())])


@pytest.mark.parametrize("hold", [as_file, as_boot_drive, as_folder_of_files, as_image])
def test_a_stamp_is_told_wherever_it_is_without_its_secrets(inspector, one, tmp_path, hold):
    found = inspector.inspect(hold(one.stamp, tmp_path))
    assert found.faults == ()
    facts = json.loads(found.to_json())
    assert facts["kiosk"] == "desk-1"
    assert facts["site"] == "Central Library (central-library)"
    assert facts["languages"] == "en, cy"
    assert facts["asks"] == "library, version 1 (serial 1)"
    assert facts["authority"] == "CN=Regard at Northvale, until 2036-01-01"
    assert (facts["enrolment_code"], facts["staff_pin"]) == ("hidden", "hidden")
    assert (facts["link"], facts["ssid"], facts["passphrase"]) == ("wifi", "Council", "hidden")
    assert facts["proxy"] == "http://hidden@proxy.example:3128"
    assert facts.get("image") == ("Regard 0.1.0, built on 2026-11-25" if hold is as_image else None)
    assert facts["faults"] == []
    for said in (found.to_text(), found.to_json()):
        assert not [secret for secret in SECRETS if secret in said]
    assert "=> nothing is wrong with it" in found.to_text()
    digest = one.stamp.staff_pin.to_text()
    assert digest not in found.to_text()


def test_an_enterprise_network_is_told_without_its_password(inspector, tmp_path):
    link = EnterpriseWifi(
        "NHS", Method.TTLS, "kiosk", "hush", "radius.example", certificate("The trust")
    )
    stamp = stamped(network=Network(link, extra_authority=certificate("The council"))).stamp
    found = inspector.inspect(as_file(stamp, tmp_path))
    assert found.facts["wifi_authority"] == "CN=The trust, until 2036-01-01"
    assert found.facts["extra_authority"] == "CN=The council, until 2036-01-01"
    assert found.facts["password"] == "hidden"
    assert not [secret for secret in SECRETS if secret in found.to_text()]


def test_a_stamp_without_what_newer_ones_say_is_told_too(inspector, tmp_path):
    stamp = replace(stamped().stamp, name=None, staff_pin=None, network=None)
    found = inspector.inspect(as_file(stamp, tmp_path))
    assert found.faults == ()
    assert (found.facts["kiosk"], found.facts["staff_pin"]) == ("not named", "none")


def test_a_panel_that_the_questionnaire_does_not_fit_is_named(inspector, one, tmp_path):
    stamp = replace(one.stamp, panel="9-640x480")
    found = inspector.inspect(as_file(stamp, tmp_path))
    assert "no panel is called 9-640x480" in found.faults[0]
    assert "=> no panel is called 9-640x480" in found.to_text()


def test_a_stamp_that_is_damaged_is_said_to_be(inspector, one, tmp_path):
    path = as_file(one.stamp, tmp_path)
    path.write_bytes(path.read_bytes()[:-1])
    for where in (path, tmp_path):
        [fault] = inspector.inspect(where).faults
        assert "damaged, or no stamp: copy it anew" in fault
    files = tmp_path / "files"
    files.mkdir()
    as_folder_of_files(one.stamp, files)
    (files / "keys.publication").unlink()
    assert inspector.inspect(files).faults == ("keys.publication: missing from the stamp",)


def test_a_stamp_whose_authority_is_no_certificate_is_said_to_be_wrong(inspector, one, tmp_path):
    stamp = replace(one.stamp, authority=b"-----BEGIN CERTIFICATE-----\n")
    [fault] = inspector.inspect(as_file(stamp, tmp_path)).faults
    assert fault == "the certificate authority for the collector is no certificate"


def test_an_image_without_a_stamp_is_said_to_have_none_yet(inspector, tmp_path):
    found = inspector.inspect(card_image(tmp_path / "i.img"))
    assert found.facts == {"image": "Regard 0.1.0, built on 2026-11-25", "stamp": "none yet"}
    assert found.faults == ()


def test_a_card_that_a_kiosk_used_is_said_to_be_that_kiosks(inspector, tmp_path):
    path = card_image(tmp_path / "i.img")
    put(path, SETTLED_FILE, Settled(bytes(16), "central", "Central Library", None).to_file())
    found = inspector.inspect(path)
    assert found.facts["used_by"].startswith("a kiosk at Central Library (central); its records")
    assert "stamp" not in found.facts


def test_what_holds_nothing_of_ours_is_said_to(inspector, tmp_path):
    assert inspector.inspect(tmp_path).faults == ("holds no stamp, and is no card of ours",)
    (tmp_path / "some.txt").write_text("text")
    with pytest.raises(OfficeError, match="is no Regard image"):
        inspector.inspect(tmp_path / "some.txt")
    with pytest.raises(OfficeError, match="is not there"):
        inspector.inspect(tmp_path / "nowhere")
