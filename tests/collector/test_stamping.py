from dataclasses import replace

import pytest
from sqlalchemy import func, select, update

from sync_service.collector import sites, tables
from sync_service.collector.database import writing
from sync_service.collector.error import OfficeError
from sync_service.collector.orders import Order
from sync_service.collector.publishing import DEFAULT_QUESTIONNAIRES, read_questionnaire
from sync_service.contract.network import Network, PersonalWifi
from sync_service.contract.publication import Publication
from sync_service.contract.stamp import Stamp
from sync_service.contract.wire import Standing


def stamp(rig, *, site="central", name="desk", panel=None):
    [made] = rig.stamped(Order(site, name, panel), now=5)
    return made.stamp


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


def test_a_stamp_is_what_a_kiosk_can_start_from(rig):
    made = stamp(rig)

    assert Stamp.unpack(made.pack()) == made
    assert made.name == "desk"
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


def test_a_stamp_names_its_panel_if_that_is_not_the_usual_one(rig):
    assert stamp(rig, name="1").panel is None
    assert stamp(rig, name="2", panel="7-800x480").panel == "7-800x480"


def test_what_does_not_fit_the_panel_is_named_and_no_stamp_is_made(rig):
    long = "Did the people here ask what you wanted, and did they then act on what you said? " * 5
    library = read_questionnaire(DEFAULT_QUESTIONNAIRES[1])
    dignity = replace(library.items[0], text={"en": "Well?", "cy": long})
    asked = replace(library, version=2, items=(dignity, *library.items[1:]))
    rig.publish("questionnaire", asked)

    with pytest.raises(OfficeError, match=r"^panel: .* library: dignity .* 7-800x480 in cy"):
        stamp(rig, panel="7-800x480")

    assert stamps_kept(rig) == 0
    assert stamp(rig, panel="21.5-1080x1920")


def test_a_panel_that_nobody_knows_is_answered_with_those_that_there_are(rig):
    with pytest.raises(OfficeError, match=r"no panel is called 9-640x480.*15\.6-1920x1080"):
        stamp(rig, panel="9-640x480")


def test_every_stamp_has_an_id_and_a_code_of_its_own(rig):
    one = stamp(rig, name="1")
    two = stamp(rig, name="2")

    assert one.stamp_id != two.stamp_id
    assert one.enrolment_code != two.enrolment_code


def test_a_name_is_used_once_at_a_site(rig):
    stamp(rig)

    with pytest.raises(OfficeError, match="name another"):
        stamp(rig)
    assert stamp(rig, site="surgery")


@pytest.mark.parametrize("name", ["", "a\nb", "x" * 201])
def test_a_name_that_nobody_could_read_is_refused(rig, name):
    with pytest.raises(OfficeError, match="can't be a name"):
        stamp(rig, name=name)


def test_an_unknown_site_is_refused(rig):
    with pytest.raises(OfficeError, match=r"^site: there is no site nowhere"):
        stamp(rig, site="nowhere")


def test_a_stamp_that_no_kiosk_would_start_from_is_not_made(rig):
    rig.write(update(tables.site).values(languages="en fr"))

    with pytest.raises(OfficeError, match="not in the languages fr"):
        stamp(rig)
    assert stamps_kept(rig) == 0


def test_a_stamp_holds_the_newest_keys(rig):
    sealing_key = rig.new_sealing_key()

    made = stamp(rig)

    assert Publication.verify(made.keys, made.publishing_key).body.sealing == sealing_key


def test_a_kiosk_is_moved_by_an_assignment(rig):
    made = stamp(rig)

    edition = rig.run(rig.stamping.move("central", "desk", "surgery", 9))

    assignment = Publication.verify(edition.signed, made.publishing_key).body
    assert (assignment.stamp_id, assignment.site) == (made.stamp_id, "surgery")
    assert assignment.questionnaire == "gp"
    assert not rig.run(rig.stamping.move("surgery", "desk", "surgery", 9)).is_new
    with pytest.raises(OfficeError, match="no kiosk desk was stamped for the site central"):
        rig.run(rig.stamping.move("central", "desk", "surgery", 9))


def test_what_an_organisation_tells_is_in_new_assignments_of_its_kiosks(rig):
    trust = sites.Organisation("trust", "Health Trust")
    rig.run(sites.add_organisation(rig.engine, trust))
    rig.run(sites.add_service(rig.engine, "surgeries", "Surgeries", "trust"))
    rig.write(
        update(tables.site).where(tables.site.c.code == "surgery").values(service="surgeries")
    )
    made = [stamp(rig, name=name) for name in ("1", "2")]
    elsewhere = stamp(rig, site="surgery")
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


def test_a_kiosk_is_not_moved_onto_the_name_of_another(rig):
    stamp(rig)
    stamp(rig, site="surgery")

    with pytest.raises(OfficeError, match="name another"):
        rig.run(rig.stamping.move("central", "desk", "surgery", 9))


def test_a_stamp_that_its_kiosk_has_left_moves_nobody(rig, stamped):
    kiosk = stamped()
    rig.enrol(kiosk.signed_enrolment())
    kiosk.stamp = stamp(rig, site="surgery", name="door")
    rig.enrol(kiosk.signed_enrolment())

    with pytest.raises(OfficeError, match="that was desk-1 at central goes by another stamp"):
        rig.run(rig.stamping.move("central", "desk-1", "surgery", 9))
    assert rig.run(rig.stamping.move("surgery", "door", "central", 9)).is_new


def test_many_kiosks_are_stamped_at_once_each_with_a_code_and_a_pin_of_its_own(rig, stamped):
    network = Network(PersonalWifi("Council", "quiet words"))
    orders = [Order("central", f"door-{each}", network=network) for each in range(5)]

    made = rig.stamped(*orders, Order("surgery", "door-1"))

    assert [each.order.name for each in made] == [*(each.name for each in orders), "door-1"]
    assert len({each.stamp.enrolment_code for each in made}) == 6
    assert len({each.stamp.staff_pin for each in made}) == 6
    kiosk = stamped()
    for each in made:
        assert each.stamp.staff_pin.matches(each.pin)
        kiosk.stamp = each.stamp
        assert rig.enrol(kiosk.signed_enrolment()).standing is Standing.ENROLLED
    assert [each.stamp.network for each in made] == [network] * 5 + [None]


def test_all_that_is_wrong_with_a_list_is_named_and_none_of_it_is_stamped(rig):
    orders = [
        Order("central", "desk-1", where="line 2: "),
        Order("nowhere", "desk-1", where="line 3: "),
        Order("central", "desk-1", where="line 4: "),
        Order("central", "desk-2", "9-1x1", where="line 5: "),
        Order("central", "two\nlines", where="line 6: "),
    ]

    with pytest.raises(OfficeError) as refused:
        rig.stamped(*orders)

    lines = str(refused.value).splitlines()
    assert [line.rpartition(": ")[0][:15] for line in lines] == [
        *("line 3: site: t", "line 4: name: a", "line 5: panel: ", "line 6: name: '"),
    ]
    assert stamps_kept(rig) == 0
    assert rig.stamp(name="desk-1")


def test_what_can_not_be_handed_out_is_not_stamped(rig):
    def keep(_):
        raise OfficeError("no paper")

    with pytest.raises(OfficeError, match="no paper"):
        rig.run(rig.stamping.stamp([Order("central", "desk")], 5, keep))
    assert stamps_kept(rig) == 0
