"""A kiosk's machine: its real store and its real agent, which talks to a real collector."""

import asyncio
import ssl
from contextlib import ExitStack
from random import Random

from sync_service.agent.agent import Agent
from sync_service.agent.carrying import Carrier
from sync_service.agent.client import Collector
from sync_service.agent.config import AgentSettings
from sync_service.agent.introduction import Introduction
from sync_service.collector.authority import Authority
from sync_service.contract.record import Ending, InputMode, Moment, Response, encode_record
from sync_service.outbox.clock import Clock
from sync_service.outbox.database import StoreKey, open_store
from sync_service.outbox.identity import Identity
from sync_service.outbox.journeys import Journeys
from sync_service.outbox.outbox import Outbox
from sync_service.outbox.spare_key import keep_spare_key
from sync_service.outbox.state import State
from sync_service.stick import Stick

STORE_KEY = StoreKey(bytes(range(32)))


class Machine:
    """A kiosk's machine: what is on its card, and its agent."""

    def __init__(self, rig, folder, now):
        self.rig = rig
        self.folder = folder
        self.half_day = now // 43_200
        self.clock = Clock(error_s=lambda: None)  # never set
        self.hold_half_day = False
        self._closing = ExitStack()

    def start(self, stamp):
        """Start, as after every boot, from the stamp in its place."""
        self.shut_down()
        engine = open_store(self.folder / "store.db", STORE_KEY)
        self._closing.callback(engine.dispose)
        self.stamp = stamp
        self.state = State(engine)
        self.state.begin(stamp)
        keep_spare_key(self.folder / "store.db", STORE_KEY, self.state.sealing_key)
        self.outbox = Outbox(engine)
        self.journeys = Journeys(engine)
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
            sealed = held.keys.body.sealing.seal(encode_record(response), self.outbox.next_log())
            self.outbox.put(sealed, self.half_day)

    def carry(self, stick):
        """Make a visit with a stick; says what was said, and whether no reply was refused."""
        said = []
        carrier = Carrier(
            stick if isinstance(stick, Stick) else Stick(stick),
            introduction=Introduction(
                stamp=self.stamp,
                software="regard/test",
                outbox=self.outbox,
                state=self.state,
                identity=self.identity,
                clock=self.clock,
                hold_half_day=self.hold_half_day,
            ),
            outbox=self.outbox,
            state=self.state,
            identity=self.identity,
            journeys=self.journeys,
            clock=self.clock,
            retention_days=90,
            say=said.append,
        )
        went_well = carrier.visit()
        return went_well, said

    def contact(self):
        """Make a contact with the collector; says whether it went well."""

        async def contact():
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            Authority(self.rig.centre.certificates).load_into(context)
            async with self.rig.serving(context=context) as port:
                return await asyncio.to_thread(self._contact, f"https://localhost:{port}")

        return self.rig.run(contact())

    def _contact(self, address):
        with Collector(
            address,
            self.stamp.authority,
            signing_key=self.identity.signing_key,
            believe=self.state.believe,
            clock=self.clock,
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
                clock=self.clock,
                collector=collector,
                random=Random(1),
                wait=lambda seconds: False,
            )
            return agent.once()
