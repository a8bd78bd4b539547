"""The stamp: read back as it was, and refused with the file's name where it does not fit."""

from dataclasses import replace

import pytest

from sync_service.contract.publication import Publication
from sync_service.contract.signing import SigningKey
from sync_service.contract.stamp import FILES, MAX_FILE_LENGTH, Stamp, StampError


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
