import stat
from dataclasses import replace

import pytest
from sqlalchemy import func, select, update

from sync_service.collector import sites, tables
from sync_service.collector.database import writing
from sync_service.collector.error import OfficeError
from sync_service.collector.publishing import DEFAULT_QUESTIONNAIRES, read_questionnaire
from sync_service.contract.publication import Publication
from sync_service.contract.stamp import FILES, Stamp
from sync_service.settings import read_stamp


def stamp(rig, folder, *, site="central", name="desk", now=5, panel=None):
    return rig.run(rig.stamping.stamp(site, name, folder, now, panel))


def stamps_kept(rig):
    [(number,)] = rig.read(select(func.count()).select_from(tables.stamp))
    return number


def newest_assignment(rig, stamp):
    publication = tables.publication.c
    signed = rig.read(
        select(publication.signed)
        .where(publication.stamp_id == stamp.stamp_id)
        .order_by(publication.serial.desc())
        .limit(1)
    )
    return Publication.verify(signed[0][0], stamp.publishing_key).body


def test_a_stamp_is_a_folder_that_a_kiosk_can_start_from(rig, tmp_path):
    made = stamp(rig, tmp_path / "stamp")

    assert read_stamp(tmp_path / "stamp") == made
    assert made.collector == "https://localhost:8443"
    assert made.authority == rig.centre.authority.read_bytes()
    assignment = Publication.verify(made.assignment, made.publishing_key).body
    assert assignment.stamp_id == made.stamp_id
    assert (assignment.site, assignment.site_name) == ("central", "Central Library")
    assert (assignment.organisation, assignment.place) == ("council", "E07000999")
    assert assignment.organisation_name == "Northvale Council"
    assert (assignment.contact, assignment.kept_months) == ({}, None)
    assert assignment.languages == ("en", "cy")
    questionnaire = Publication.verify(made.questionnaire, made.publishing_key).body
    assert (questionnaire.id, questionnaire.version) == ("library", 1)


def test_only_the_owner_can_read_a_stamp(rig, tmp_path):
    folder = tmp_path / "stamp"
    folder.mkdir(mode=0o755)

    stamp(rig, folder)

    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert {path.name for path in folder.iterdir()} == set(FILES)
    assert {stat.S_IMODE(path.stat().st_mode) for path in folder.iterdir()} == {0o600}


def test_a_folder_that_holds_something_is_never_written_over(rig, tmp_path):
    stamp(rig, tmp_path / "stamp")
    before = (tmp_path / "stamp/stamp.toml").read_bytes()

    with pytest.raises(OfficeError, match="holds something already"):
        stamp(rig, tmp_path / "stamp", name="other")

    assert (tmp_path / "stamp/stamp.toml").read_bytes() == before
    assert stamps_kept(rig) == 1


def test_a_folder_that_can_not_be_written_leaves_nothing_behind(rig, tmp_path):
    (tmp_path / "file").touch()

    with pytest.raises(OfficeError, match="can't be written"):
        stamp(rig, tmp_path / "file")
    with pytest.raises(OfficeError, match="can't be written"):
        stamp(rig, tmp_path / "nowhere/stamp")

    assert stamps_kept(rig) == 0
    assert stamp(rig, tmp_path / "stamp")


def test_a_stamp_names_its_panel_if_that_is_not_the_usual_one(rig, tmp_path):
    stamp(rig, tmp_path / "1", name="1")
    stamp(rig, tmp_path / "2", name="2", panel="7-800x480")

    assert read_stamp(tmp_path / "1").panel is None
    assert read_stamp(tmp_path / "2").panel == "7-800x480"


def test_what_does_not_fit_the_panel_is_named_and_no_stamp_is_made(rig, tmp_path):
    long = "Did the people here ask what you wanted, and did they then act on what you said? " * 5
    library = read_questionnaire(DEFAULT_QUESTIONNAIRES[1])
    dignity = replace(library.items[0], text={"en": "Well?", "cy": long})
    asked = replace(library, version=2, items=(dignity, *library.items[1:]))
    rig.publish("questionnaire", asked)

    with pytest.raises(OfficeError, match=r"library: dignity .* 7-800x480 in cy"):
        stamp(rig, tmp_path / "stamp", panel="7-800x480")

    assert not (tmp_path / "stamp").exists()
    assert stamps_kept(rig) == 0
    assert stamp(rig, tmp_path / "stamp", panel="21.5-1080x1920")


def test_a_panel_that_nobody_knows_is_answered_with_those_that_there_are(rig, tmp_path):
    with pytest.raises(OfficeError, match=r"no panel is called 9-640x480.*15\.6-1920x1080"):
        stamp(rig, tmp_path / "stamp", panel="9-640x480")


def test_every_stamp_has_an_id_and_a_code_of_its_own(rig, tmp_path):
    one = stamp(rig, tmp_path / "1", name="1")
    two = stamp(rig, tmp_path / "2", name="2")

    assert one.stamp_id != two.stamp_id
    assert one.enrolment_code != two.enrolment_code


def test_a_name_is_used_once_at_a_site(rig, tmp_path):
    stamp(rig, tmp_path / "1")

    with pytest.raises(OfficeError, match="name another"):
        stamp(rig, tmp_path / "2")
    assert not (tmp_path / "2").exists()
    assert stamp(rig, tmp_path / "2", site="surgery")


@pytest.mark.parametrize("name", ["", "a\nb", "x" * 201])
def test_a_name_that_nobody_could_read_is_refused(rig, tmp_path, name):
    with pytest.raises(OfficeError, match="can't be a name"):
        stamp(rig, tmp_path / "stamp", name=name)


def test_an_unknown_site_is_refused(rig, tmp_path):
    with pytest.raises(OfficeError, match="there is no site nowhere"):
        stamp(rig, tmp_path / "stamp", site="nowhere")


def test_a_stamp_that_no_kiosk_would_start_from_is_not_made(rig, tmp_path):
    rig.write(update(tables.site).values(languages="en fr"))

    with pytest.raises(OfficeError, match="not in the languages fr"):
        stamp(rig, tmp_path / "stamp")
    assert stamps_kept(rig) == 0


def test_a_stamp_holds_the_newest_keys(rig, tmp_path):
    sealing_key = rig.new_sealing_key()

    made = stamp(rig, tmp_path / "stamp")

    assert Publication.verify(made.keys, made.publishing_key).body.sealing == sealing_key


def test_a_kiosk_is_moved_by_an_assignment(rig, tmp_path):
    made = stamp(rig, tmp_path / "stamp")

    edition = rig.run(rig.stamping.move("central", "desk", "surgery", 9))

    assignment = Publication.verify(edition.signed, made.publishing_key).body
    assert (assignment.stamp_id, assignment.site) == (made.stamp_id, "surgery")
    assert assignment.questionnaire == "gp"
    assert not rig.run(rig.stamping.move("surgery", "desk", "surgery", 9)).is_new
    with pytest.raises(OfficeError, match="no kiosk desk was stamped for the site central"):
        rig.run(rig.stamping.move("central", "desk", "surgery", 9))


def test_what_an_organisation_tells_is_in_new_assignments_of_its_kiosks(rig, tmp_path):
    trust = sites.Organisation("trust", "Health Trust")
    rig.run(sites.add_organisation(rig.engine, trust))
    rig.run(sites.add_service(rig.engine, "surgeries", "Surgeries", "trust"))
    rig.write(
        update(tables.site).where(tables.site.c.code == "surgery").values(service="surgeries")
    )
    made = [stamp(rig, tmp_path / name, name=name) for name in ("1", "2")]
    elsewhere = stamp(rig, tmp_path / "3", site="surgery")
    told = sites.Organisation("council", "Northvale", 24, {"en": "the desk", "cy": "y ddesg"})

    async def change():
        async with writing(rig.engine) as connection:
            await sites.change_organisation(connection, told)
            return await rig.stamping.assign_anew(connection, "council", 9)

    assert [rig.run(change()), rig.run(change())] == [2, 0]
    for each in made:
        assignment = newest_assignment(rig, each)
        assert assignment.organisation_name == "Northvale"
        assert assignment.contact == {"en": "the desk", "cy": "y ddesg"}
        assert assignment.kept_months == 24
    assert newest_assignment(rig, elsewhere).organisation_name == "Health Trust"


def test_a_kiosk_is_not_moved_onto_the_name_of_another(rig, tmp_path):
    stamp(rig, tmp_path / "1")
    stamp(rig, tmp_path / "2", site="surgery")

    with pytest.raises(OfficeError, match="name another"):
        rig.run(rig.stamping.move("central", "desk", "surgery", 9))


def test_a_stamp_that_its_kiosk_has_left_moves_nobody(rig, stamped, tmp_path):
    kiosk = stamped()
    rig.enrol(kiosk.signed_enrolment())
    kiosk.stamp = stamp(rig, tmp_path / "stamp", site="surgery", name="door")
    rig.enrol(kiosk.signed_enrolment())

    with pytest.raises(OfficeError, match="that was desk-1 at central goes by another stamp"):
        rig.run(rig.stamping.move("central", "desk-1", "surgery", 9))
    assert rig.run(rig.stamping.move("surgery", "door", "central", 9)).is_new


def test_a_stamps_files_are_read_back_as_they_were(rig, tmp_path):
    made = stamp(rig, tmp_path / "stamp")

    files = {path.name: path.read_bytes() for path in (tmp_path / "stamp").iterdir()}

    assert Stamp.from_files(files) == made
