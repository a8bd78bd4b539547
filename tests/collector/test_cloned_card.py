"""A card is cloned or put back: the log forks, the kiosk leaves it, and all of it is exported."""

import shutil
from collections import Counter

import pytest
from machine import Machine
from sqlalchemy import select

from sync_service.collector import tables


@pytest.fixture
def cloned(rig, machine, tmp_path, clock):
    """Makes another machine with a copy of the card, as it is now, and of all that is on it."""
    machines = []

    def cloned():
        machine.shut_down()
        folder = tmp_path / f"clone {len(machines)}"
        shutil.copytree(machine.folder, folder)
        machines.append(Machine(rig, folder, clock).start(machine.stamp))
        machine.start(machine.stamp)
        return machines[-1]

    yield cloned
    for each in machines:
        each.shut_down()


def held(rig):
    """How many records are held of each branch of each log, by the log's place."""
    found = rig.read(select(tables.record.c.log_id, tables.record.c.branch))
    return Counter((row.log_id, row.branch) for row in found)


def test_either_of_two_that_write_on_one_log_leaves_it_and_nothing_is_lost(
    rig, machine, cloned, exported
):
    machine.start(rig.stamp("central", "desk"))
    machine.record(3)
    assert machine.contact()
    clone = cloned()
    forked = machine.outbox.log_id
    for each in (machine, clone):
        each.record(2)
        assert each.contact()
    for each in (machine, clone):
        each.record(1)
        assert each.contact()
        each.record(4)
        assert each.contact()

    logs = {each.outbox.log_id for each in (machine, clone)}
    assert len(logs) == 2
    assert forked not in logs
    assert sorted(held(rig).values()) == [3, 4, 4, 6]  # the clone's branch, the new logs, branch 0
    assert exported() == {"central": 3 + 2 * (2 + 1 + 4)}


def test_an_old_copy_put_back_begins_another_log_before_the_old_one_forks(
    rig, machine, cloned, exported
):
    machine.start(rig.stamp("central", "desk"))
    machine.record(3)
    old_copy = cloned()
    machine.record(4)
    assert machine.contact()
    machine.shut_down()

    assert old_copy.contact()
    old_copy.record(2)
    assert old_copy.contact()

    assert sorted(held(rig).values()) == [2, 7]
    assert {branch for _, branch in held(rig)} == {0}
    assert exported() == {"central": 9}
