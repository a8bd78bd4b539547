"""A kiosk that gets a new stamp, from the stamp to the export: its store, agent and collector."""

import asyncio
import csv
import ssl
from collections import Counter
from contextlib import ExitStack
from datetime import UTC, datetime
from random import Random

import pytest

from sync_service.agent.agent import Agent
from sync_service.agent.client import Collector
from sync_service.agent.config import AgentSettings
from sync_service.collector.authority import Authority
from sync_service.collector.enrolment import approve
from sync_service.collector.fleet import list_kiosks
from sync_service.collector.insight.export import export
from sync_service.collector.opening import Opener
from sync_service.contract.record import Ending, InputMode, Moment, Response, encode_record
from sync_service.contract.wire import Standing
from sync_service.outbox.clock import Clock
from sync_service.outbox.database import StoreKey, open_store
from sync_service.outbox.identity import Identity
from sync_service.outbox.outbox import Outbox
from sync_service.outbox.state import State

STORE_KEY = StoreKey(bytes(range(32)))


class Machine:
    """A kiosk's machine: what is on its card, and its agent."""

    def __init__(self, rig, folder, now):
        self.rig = rig
        self.folder = folder
        self.half_day = now // 43_200
        self._closing = ExitStack()

    def start(self, stamp):
        """Start, as after every boot, from the stamp in its place."""
        self.shut_down()
        engine = open_store(self.folder / "store.db", STORE_KEY)
        self._closing.callback(engine.dispose)
        self.stamp = stamp
        self.state = State(engine)
        self.state.begin(stamp)
        self.outbox = Outbox(engine)
        self.identity = Identity.open(self.folder / "identity", STORE_KEY)
        return self

    def shut_down(self):
        self._closing.close()

    def record(self, number):
        held = self.state.publications()
        for _ in range(number):
            response = Response(
                assignment=held.assignment.serial,
                moment=Moment(self.half_day),
                language="en",
                questionnaire=held.questionnaire.serial,
                offered=(1,),
                answers={1: 1},
                ending=Ending.COMPLETED,
                input_mode=InputMode.TOUCH,
            )
            sealed = held.keys.body.sealing.seal(encode_record(response), self.outbox.log_id)
            self.outbox.put(sealed, self.half_day)

    def contact(self):
        """Make a contact with the collector; says whether it went well."""

        async def contact():
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            Authority(self.rig.centre.certificates).load_into(context)
            async with self.rig.serving(context=context) as port:
                return await asyncio.to_thread(self._contact, f"https://localhost:{port}")

        return self.rig.run(contact())

    def _contact(self, address):
        clock = Clock(lambda: datetime.now(UTC), lambda: False)
        with Collector(
            address,
            self.stamp.authority,
            signing_key=self.identity.signing_key,
            receipt_key=lambda: self.state.publications().keys.body.receipt,
            clock_synced=clock.synced,
            software="regard/test",
            timeout_s=30,
        ) as collector:
            settings = AgentSettings(
                data=str(self.folder), stamp=str(self.folder), hold_half_day=False
            )
            agent = Agent(
                settings,
                stamp=self.stamp,
                software="regard/test",
                outbox=self.outbox,
                state=self.state,
                identity=self.identity,
                clock=clock,
                collector=collector,
                random=Random(1),
                wait=lambda seconds: False,
            )
            return agent.once()


@pytest.fixture
def machine(rig, tmp_path, clock):
    folder = tmp_path / "card"
    folder.mkdir()
    machine = Machine(rig, folder, clock)
    yield machine
    machine.shut_down()


@pytest.fixture
def exported(rig, tmp_path, clock):
    """Opens what waits and exports it; gives the number of responses of each site."""

    def exported():
        keyring = rig.keyring
        keys = keyring.publishing_keys()
        opener = Opener(rig.engine, keyring.opening_keys(), keys, keyring.record_id_secret())
        rig.run(opener.open_waiting())
        at = datetime.fromtimestamp(clock + 86_400, UTC)
        folder = tmp_path / "export"
        rig.run(export(rig.engine, folder, keys, at=at))
        with (folder / "responses.csv").open(encoding="utf-8", newline="") as file:
            rows = [*csv.DictReader(file)]
        assert len({row["response_id"] for row in rows}) == len(rows)
        return Counter(row["site"] for row in rows)

    return exported


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
