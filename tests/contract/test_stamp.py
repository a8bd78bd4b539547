"""The stamp: read back as it was, and refused with the file's name where it does not fit."""

from dataclasses import replace
from hashlib import sha256

import pytest
from certificates import certificate

from sync_service.contract.codec import decode, encode
from sync_service.contract.network import Network
from sync_service.contract.pin import PinHash
from sync_service.contract.publication import Publication
from sync_service.contract.signing import SigningKey
from sync_service.contract.stamp import (
    FILES,
    MAX_FILE_LENGTH,
    MAX_PACKED_LENGTH,
    Settled,
    Stamp,
    StampError,
)

WIFI = {"link": "wifi", "ssid": "Café ☕ 🏛", "passphrase": 'a "quoted" \\ phrase'}


@pytest.fixture
def stamp(centre, assignment, questionnaire):
    return Stamp(
        collector="https://collector.example:8443",
        stamp_id=assignment.stamp_id,
        enrolment_code="ABCD-EFGH-JKMN",
        publishing_key=centre.publishing.verifying_key,
        authority=b"-----BEGIN CERTIFICATE-----\n",
        keys=centre.keys().sign(centre.publishing),
        assignment=Publication(1, 0, assignment).sign(centre.publishing),
        questionnaire=Publication(1, 0, questionnaire).sign(centre.publishing),
    )


def test_a_stamp_comes_back_as_it_was(stamp):
    assert Stamp.from_files(stamp.to_files()) == stamp
    assert set(stamp.to_files()) == set(FILES)


@pytest.mark.parametrize("name", FILES)
def test_a_missing_or_huge_file_is_named(stamp, name):
    files = stamp.to_files()
    with pytest.raises(StampError, match=name):
        Stamp.from_files({**files, name: bytes(MAX_FILE_LENGTH + 1)})
    del files[name]
    with pytest.raises(StampError, match=name):
        Stamp.from_files(files)


@pytest.mark.parametrize("name", FILES[2:])
def test_an_altered_publication_is_named(stamp, name):
    files = stamp.to_files()
    files[name] = files[name][:-1] + bytes([files[name][-1] ^ 1])
    with pytest.raises(StampError, match=name):
        Stamp.from_files(files)


@pytest.mark.parametrize("name", FILES[2:])
def test_a_publication_of_another_kind_is_named(stamp, name, replies, centre):
    files = {**stamp.to_files(), name: Publication(1, 0, replies).sign(centre.publishing)}
    with pytest.raises(StampError, match=f"{name}: holds another kind"):
        Stamp.from_files(files)


@pytest.mark.parametrize(
    ("line", "why"),
    [
        ('collector = "http://collector.example"', "https"),
        ('stamp_id = "abcd"', "hexadecimal"),
        ('stamp_id = "not hexadecimal"', "stamp.toml"),
        ('publishing_key = "01"', "signing key"),
        ('colour = "blue"', "unknown: colour"),
        ("format = 2", "format"),
        ('staff_pin = "012345"', "staff_pin"),
        ("rotation = 45", "rotation must be one of 0, 90, 180, 270"),
        ("network = 1", "network must be a map"),
        ('network = { link = "pigeon" }', "link must be one of"),
        ("format", "stamp.toml"),
    ],
)
def test_a_wrong_line_in_the_settings_is_named(stamp, line, why):
    files = stamp.to_files()
    key = line.split(" = ")[0]
    kept = [row for row in files["stamp.toml"].decode().splitlines() if not row.startswith(key)]
    with pytest.raises(StampError, match=why):
        Stamp.from_files({**files, "stamp.toml": "\n".join([*kept, line]).encode()})


def test_a_stamp_may_name_the_panel_it_was_made_for_and_older_ones_name_none(stamp):
    assert b"panel" not in stamp.to_files()["stamp.toml"]
    assert Stamp.from_files(stamp.to_files()).panel is None
    for_seven_inches = replace(stamp, panel="7-800x480")
    assert Stamp.from_files(for_seven_inches.to_files()) == for_seven_inches


def test_an_assignment_meant_for_another_kiosk_is_refused(stamp, assignment, centre):
    other = Publication(1, 0, replace(assignment, stamp_id=bytes(16))).sign(centre.publishing)
    with pytest.raises(StampError, match="another kiosk"):
        Stamp.from_files(replace(stamp, assignment=other).to_files())


def test_a_questionnaire_must_be_the_one_assigned_and_speak_the_sites_languages(
    stamp, assignment, centre
):
    other = Publication(1, 0, replace(assignment, questionnaire="surgery"))
    with pytest.raises(StampError, match="not the questionnaire"):
        Stamp.from_files(replace(stamp, assignment=other.sign(centre.publishing)).to_files())
    urdu = Publication(1, 0, replace(assignment, languages=("en", "ur")))
    with pytest.raises(StampError, match="languages ur"):
        Stamp.from_files(replace(stamp, assignment=urdu.sign(centre.publishing)).to_files())


def test_a_stamp_signed_by_another_centre_is_refused(stamp):
    other = SigningKey(bytes([8] * 32)).verifying_key
    with pytest.raises(StampError, match=r"keys\.publication"):
        Stamp.from_files(replace(stamp, publishing_key=other).to_files())


def test_a_stamp_may_name_its_kiosk_and_hold_a_pins_hash_and_a_network(stamp):
    network = Network.from_document({**WIFI, "extra_authority": certificate()})
    full = replace(
        stamp, rotation=270, name="By the \x7f door", staff_pin=PinHash.of("1", 1), network=network
    )
    assert Stamp.from_files(full.to_files()) == full
    assert Stamp.unpack(full.pack()) == full


def test_an_extra_authority_is_trusted_beside_the_collectors_own(stamp):
    assert stamp.trusted == stamp.authority
    extra = certificate("An office that looks into TLS")
    network = Network.from_document({"link": "ethernet", "extra_authority": extra})
    trusted = replace(stamp, network=network).trusted.decode()
    assert trusted.startswith(stamp.authority.decode())
    assert trusted.endswith(extra)


def test_a_packed_stamp_comes_back_as_it_was(stamp):
    assert Stamp.unpack(stamp.pack()) == stamp


def test_a_packed_stamp_that_lost_or_changed_a_byte_is_refused(stamp):
    packed = stamp.pack()
    for cut in range(0, len(packed), 97):
        with pytest.raises(StampError, match=r"regard\.stamp: damaged"):
            Stamp.unpack(packed[:cut])
    for at in range(len(packed)):
        with pytest.raises(StampError):
            Stamp.unpack(packed[:at] + bytes([packed[at] ^ 1]) + packed[at + 1 :])


def test_a_letter_of_an_address_that_was_changed_on_its_way_is_noticed(stamp):
    with pytest.raises(StampError, match="damaged on its way: copy it anew"):
        Stamp.unpack(stamp.pack().replace(b"collector.example", b"collector.exbmple"))


def test_a_packed_stamp_of_a_later_format_is_said_to_be_one(stamp):
    later = encode({**decode(stamp.pack()), "format": 2})
    with pytest.raises(StampError, match="of format 2, and this version of Regard knows format 1"):
        Stamp.unpack(later)


def test_a_packed_stamp_must_hold_a_whole_stamp(stamp):
    files = stamp.to_files()
    del files["keys.publication"]
    packed = {"format": 1, "files": files, "digest": sha256(encode(files)).digest()}
    with pytest.raises(StampError, match=r"keys\.publication: missing"):
        Stamp.unpack(encode(packed))
    with pytest.raises(StampError, match="larger than"):
        Stamp.unpack(bytes(MAX_PACKED_LENGTH + 1))


def test_what_a_kiosk_leaves_behind_says_whose_card_it_is_and_nothing_secret(stamp):
    stamp = replace(stamp, name='Desk "1"')
    left = Settled.of(stamp)
    assert Settled.from_file(left.to_file()) == left
    assert (left.name, left.stamp_id) == (stamp.name, stamp.stamp_id)
    assert stamp.enrolment_code.encode() not in left.to_file()
    nameless = replace(left, name=None)
    assert Settled.from_file(nameless.to_file()) == nameless


@pytest.mark.parametrize("content", [b"", b"\xff", b"format = 2", b"format = 1\nsite = 'x'"])
def test_what_is_damaged_of_it_is_said(content):
    with pytest.raises(StampError, match=r"regard-settled\.toml"):
        Settled.from_file(content)
