"""A kiosk that gets a new stamp, from the stamp to the export: its store, agent and collector."""

import pytest
from cards import card_image

from kiosk_app.__main__ import settle
from sync_service.collector.__main__ import main as collector
from sync_service.collector.card_image import CardImage
from sync_service.collector.enrolment import approve
from sync_service.collector.fleet import list_kiosks
from sync_service.contract.stamp import PACKED_FILE, SETTLED_FILE
from sync_service.contract.wire import Standing
from sync_service.settings import read_stamp


def listed(rig):
    return [(line.site, line.name, line.standing) for line in rig.run(list_kiosks(rig.engine))]


def move_with_a_backlog(rig, machine):
    """A kiosk at work in the library is stamped for the surgery before it delivered all."""
    machine.start(rig.stamp("central", "desk"))
    machine.record(1)
    assert machine.contact()
    machine.record(2)
    machine.start(rig.stamp("surgery", "door"))
    machine.record(2)


def test_a_kiosk_with_a_new_stamp_delivers_what_it_recorded_under_both(rig, machine, exported):
    move_with_a_backlog(rig, machine)

    assert machine.contact()

    assert machine.outbox.extent().depth == 0
    assert listed(rig) == [("surgery", "door", "enrolled")]
    assert exported() == {"central": 3, "surgery": 2}


def test_a_kiosk_with_a_new_stamp_whose_code_is_used_waits_for_approval(
    rig, machine, stamped, exported, clock
):
    machine.start(rig.stamp("central", "desk"))
    machine.record(1)
    assert machine.contact()
    machine.record(2)
    thief = stamped("surgery")
    assert rig.enrol(thief.signed_enrolment()).standing == Standing.ENROLLED
    machine.start(thief.stamp)
    machine.record(2)

    assert not machine.contact()
    assert not machine.contact()
    assert machine.outbox.extent().depth == 4
    assert sorted(standing for *_, standing in listed(rig)) == ["enrolled", "held"]

    assert rig.run(approve(rig.engine, machine.identity.kiosk_id, clock)) == [thief.kiosk_id]
    assert machine.contact()
    assert machine.outbox.extent().depth == 0
    assert exported() == {"central": 3, "surgery": 2}


def test_a_new_stamp_is_the_one_that_the_centre_moves_and_its_code_is_spent(rig, machine, stamped):
    move_with_a_backlog(rig, machine)
    machine.contact()
    stranger = stamped()
    stranger.stamp = machine.stamp
    assert rig.enrol(stranger.signed_enrolment()).standing == Standing.HELD

    rig.run(rig.stamping.move("surgery", "door", "central", 0))

    assert machine.contact()
    assert machine.state.publications().assignment.body.site == "central"


def test_a_kiosk_that_gets_its_former_stamp_back_needs_no_code(rig, machine, exported):
    first = rig.stamp("central", "desk")
    machine.start(first)
    machine.record(1)
    assert machine.contact()
    machine.start(rig.stamp("surgery", "door"))
    machine.record(1)
    assert machine.contact()
    machine.start(first)
    machine.record(1)

    assert machine.contact()
    assert listed(rig) == [("central", "desk", "enrolled")]
    assert exported() == {"central": 2, "surgery": 1}


def test_a_stamp_replaced_before_its_first_contact_is_made_good_by_a_move_there_and_back(
    rig, machine, exported
):
    machine.start(rig.stamp("central", "desk"))
    machine.record(1)
    machine.start(rig.stamp("surgery", "door"))
    assert machine.contact()
    rig.run(rig.stamping.move("surgery", "door", "central", 0))
    rig.run(rig.stamping.move("central", "door", "surgery", 0))

    assert exported() == {"central": 1}


@pytest.mark.sqlite_alone
def test_a_stamped_image_makes_a_kiosk_that_settles_in_and_delivers_and_is_not_stamped_over(
    rig, machine, exported, tmp_path, capsys
):
    image = card_image(tmp_path / "regard.img")
    stamp = ("stamp", "--image", image, "--folder", rig.centre.folder)
    assert collector([*map(str, (*stamp, "central", "desk", tmp_path / "parcel"))]) == 0
    boot = tmp_path / "boot"
    boot.mkdir()
    (boot / PACKED_FILE).write_bytes(CardImage.open(image).read(PACKED_FILE))
    settings = tmp_path / "kiosk.toml"
    settled = machine.folder / PACKED_FILE
    settings.write_text(f'data = "{machine.folder}"\nstamp = "{settled}"\n')

    assert settle(settings, boot) == 0

    machine.start(read_stamp(settled))
    machine.record(2)
    assert machine.contact()
    assert listed(rig) == [("central", "desk", "enrolled")]
    assert exported() == {"central": 2}
    used = card_image(
        tmp_path / "used.img",
        [
            ("regard-image.toml", CardImage.open(image).read("regard-image.toml")),
            (SETTLED_FILE, (boot / SETTLED_FILE).read_bytes()),
        ],
    )
    again = ("stamp", "--image", used, "--folder", rig.centre.folder, "surgery", "door")
    assert collector([*map(str, (*again, tmp_path / "second"))]) == 2
    assert "a kiosk used, desk at Central Library: records" in capsys.readouterr().err
    assert not (tmp_path / "second").exists()
