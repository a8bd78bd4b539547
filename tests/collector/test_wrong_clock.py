"""A kiosk whose clock is years wrong, and the collector of its stamp: TLS, delivery, the time."""

import time

import pytest
from machine import Machine

from sync_service.outbox.clock import Clock

YEAR_S = 365 * 86_400


@pytest.fixture
def machine_of(tmp_path):
    """Makes a machine of that collector's, as the kiosk is stamped."""
    machines = []

    def machine_of(rig, now):
        folder = tmp_path / "card"
        folder.mkdir()
        machines.append(Machine(rig, folder, now).start(rig.stamp(now=now)))
        return machines[-1]

    yield machine_of
    for machine in machines:
        machine.shut_down()


@pytest.mark.parametrize("years", [-6, 6])
def test_tls_and_delivery_do_without_the_right_time_and_bring_it(rig_of, machine_of, years):
    """The centre lives in another year than the clock of this machine, by which TLS judges."""
    truth = int(time.time()) + years * YEAR_S
    machine = machine_of(rig_of(truth), truth)
    machine.record(2)
    assert machine.contact()
    assert machine.outbox.extent().depth == 0
    assert abs(machine.clock.now().timestamp() - truth) < 300

    machine.record(1)
    machine.clock = Clock(error_s=lambda: 1.0)  # somebody says that this clock is right
    assert not machine.contact()
    assert machine.outbox.extent().depth == 1


def test_a_kiosk_that_nobody_sets_knows_the_time_from_its_first_contact_on(rig_of, machine_of):
    truth = int(time.time()) + 3 * YEAR_S
    machine = machine_of(rig_of(truth), truth)
    before = Clock(error_s=lambda: None)
    before.heed(machine.state.times())
    assert not before.moment("Pacific/Apia").clock_synced
    assert machine.contact()

    machine.clock = Clock(error_s=lambda: None)  # as after a restart of the agent
    machine.clock.heed(machine.state.times())
    sure = [machine.clock.moment(zone).clock_synced for zone in ("Europe/London", "Asia/Tokyo")]
    assert any(sure)  # noon is not at the same time in both
    assert machine.clock.not_before() >= truth
