"""A whole chain, from a kiosk's outbox to the export, with a line in it that can have any fault."""

import asyncio
import os
import signal
import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path

from chain import Chain
from children import children_of
from citizen import Told
from line import Gate, Line, Network, Passage, Way
from middleman import Middleman, portal
from postgresql import Cluster

from sync_service.collector.authority import Authority
from sync_service.contract.publication import Keys, Publication
from sync_service.contract.questionnaire import Questionnaire
from sync_service.contract.record import Moment, Response, encode_record, half_day_of
from sync_service.outbox.database import StoreKey, open_store
from sync_service.outbox.outbox import Outbox
from sync_service.settings import read_stamp

NOBODY = "https://collector.invalid"
PATIENCE_S = 120.0


@dataclass
class Share:
    """The responses of one fault, by what was told, and how often the fault was met."""

    fault: str
    told: list[Told] = field(default_factory=list)
    tried: int = 0
    lost: int = 0
    doubled: int = 0

    @property
    def acknowledged(self) -> int:
        return len(self.told)


class Respondents:
    """Each of them answers otherwise than all before, and has a record put by the real outbox."""

    def __init__(self, chain: Chain) -> None:
        stamp = read_stamp(chain.stamp)
        verified = (
            Publication.verify(signed, stamp.publishing_key)
            for signed in (stamp.keys, stamp.assignment, stamp.questionnaire)
        )
        keys, self._assignment, self._questionnaire = verified
        assert isinstance(keys.body, Keys)
        self._sealing = keys.body.sealing
        self._engine = open_store(chain.data / "store.db", StoreKey.read(chain.store_key))
        self._number = 0
        self.outbox = Outbox(self._engine)

    def close(self) -> None:
        self._engine.dispose()

    def respond(self) -> Told:
        questionnaire = self._questionnaire.body
        assert isinstance(questionnaire, Questionnaire)
        answers, names, rest = {}, set(), self._number
        for item in questionnaire.items:
            options = item.offered_options("exit")
            rest, choice = divmod(rest, len(options))
            answers[item.code] = options[choice].code
            names.add((item.name, options[choice].name))
        self._number += 1
        moment = Moment(half_day_of(datetime.now(UTC)))
        response = Response(
            assignment=self._assignment.serial,
            moment=moment,
            language="en",
            questionnaire=self._questionnaire.serial,
            offered=tuple(answers),
            answers=answers,
        )
        sealed = self._sealing.seal(encode_record(response), self.outbox.log_id)
        self.outbox.put(sealed, moment.half_day)
        return Told("en", frozenset(names), frozenset())


class Rig:
    """A chain with a line in it, and whoever stands on that line."""

    def __init__(self, closing: ExitStack, folder: Path, random) -> None:
        self.random = random
        self.folder = folder
        self.said: list[str] = []
        self.network = closing.enter_context(Network())
        self.line = Line(self.network, lambda: Passage(self.chain.port))
        self.gate = Gate(self.network)
        self.cluster = closing.enter_context(Cluster.started())
        self.database = self.cluster.create()
        self.chain = closing.enter_context(
            Chain(
                folder,
                heard=lambda part, line: self.said.append(line),
                reached_at=self.line.port,
                database=self.cluster.url(self.database),
            )
        )
        self.chain.found()
        self.chain.open_site()
        self.chain.stamp_kiosk()
        self.chain.store_key.write_text(random.randbytes(32).hex())
        self._lead_astray(folder)
        self.chain.start_collector()
        self.start_agent()
        self.respondents = Respondents(self.chain)
        closing.callback(self.respondents.close)

    def _lead_astray(self, folder: Path) -> None:
        """Make the other places that a connection may lead to."""
        stranger = Authority.make(folder / "stranger", datetime.now(UTC))
        stranger.issue(["localhost"], datetime.now(UTC))
        certificates = (
            self.chain.centre / "tls" / "server.pem",
            folder / "stranger" / "server.pem",
        )
        self.middleman, self.stranger = (
            Middleman(self.network, certificate, self.chain.port, self.random)
            for certificate in certificates
        )
        self.portal = self.network.serve(portal)
        self.nowhere = folder / "nowhere.stamp"
        self.nowhere.write_bytes(replace(read_stamp(self.chain.stamp), collector=NOBODY).pack())

    # What a line does to a connection

    def mend(self) -> None:
        self.lead_to(self.chain.port)

    def break_off(self) -> None:
        self.line.have(lambda: None)

    def lead_to(self, port: int) -> None:
        self.line.have(lambda: Passage(port))

    def carry(self, there=Way, back=Way, *, resets: bool = False) -> None:
        self.line.have(lambda: Passage(self.chain.port, there(), back(), resets=resets))

    def let_pass(self, middleman: Middleman, mischief) -> None:
        middleman.mischief = mischief
        self.lead_to(middleman.port)

    # Its processes

    def start_agent(self, **other: str) -> None:
        """Start the agent at a pace that makes the most of its failures, with other settings."""
        self._other = other
        quickly = {"poll_s": 0.1, "contact_s": 1, "backoff_cap_s": 1, "timeout_s": 5}
        self.chain.start_agent(**quickly | other)

    def start_agent_anew(self, **other: str) -> None:
        self.chain.kill_agent()
        self.start_agent(**other)

    def restart_agent(self) -> None:
        self.start_agent_anew(**self._other)

    def restart_collector(self) -> None:
        self.chain.kill_collector()
        self.chain.start_collector()

    def kill_opener(self) -> None:
        """It is started again by the collector."""
        for opener in children_of(self.chain.collector_process.pid):
            os.kill(opener, signal.SIGKILL)

    def restart_postgresql(self) -> None:
        self.cluster.kill()
        self.cluster.start()

    # How far it has come

    def wait_until(self, happened: Callable[[], bool]) -> None:
        deadline = time.monotonic() + PATIENCE_S
        while not happened():
            if time.monotonic() > deadline:
                raise TimeoutError("\n".join(self.said[-20:]))
            time.sleep(0.02)

    def delivered(self) -> bool:
        return self.respondents.outbox.extent().depth == 0

    def waiting_for_opening(self) -> int:
        async def count() -> int:
            connection = await self.cluster.connect(self.database)
            try:
                return await connection.fetchval("SELECT count(*) FROM record WHERE opening = 0")
            finally:
                await connection.close()

        return asyncio.run(count())
