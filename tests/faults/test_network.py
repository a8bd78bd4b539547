"""The network as it is, between the real agent and the real collector, which are killed meanwhile.

One kiosk's agent delivers to one collector over one line, and for each share of the responses the
line has another fault. In between, the collector, its opener, its PostgreSQL and the agent are
killed. At the end, what is exported is compared with what was acknowledged.
"""

from collections import Counter
from contextlib import ExitStack, suppress
from itertools import chain, cycle, repeat
from pathlib import Path
from socket import create_connection
from tempfile import TemporaryDirectory

import pytest
from citizen import read_export
from line import Line, Network, Passage, Way
from middleman import portal
from rig import Rig, Share
from trials import TRIALS, Trial

IN_MEMORY = Path("/dev/shm")
"""Where the kiosk's folder is: it is the line that is tried here, and not the disk."""

PARTS = 3
"""In so many parts a share is delivered, so that a fault is met more than once."""


@pytest.fixture(scope="session")
def responses(in_full):
    """How many responses are delivered in all."""
    return 100_000 if in_full else 2_000


@pytest.fixture(scope="session")
def tries(in_full):
    """How often a fault that blocks is met, at least, before the line is mended."""
    return 20 if in_full else 2


def go_through(rig: Rig, trial: Trial, responses: int, tries: int, trouble) -> Share:
    """Have a share of the responses recorded and delivered while there is a fault."""
    share = Share(trial.fault)
    count = responses if trial.most is None else min(trial.most, responses)
    rig.mend()
    trial.begin(rig)
    before = trial.tried(rig)
    for part in range(PARTS):
        for _ in range(part, count, PARTS):
            share.told.append(rig.respondents.respond())
        if not trial.blocks:
            if part == 1:
                trouble()
            rig.wait_until(rig.delivered)
    if trial.blocks:
        enough = before + (1 if trial.said_once else tries)
        rig.wait_until(lambda: trial.tried(rig) >= enough)
        assert not rig.delivered()
    share.tried = trial.tried(rig) - before
    return share


def deliver_all(rig: Rig, responses: int, tries: int, troubles) -> list[Share]:
    """Have all responses recorded and delivered, a share of them under each fault."""
    fair = [trial for trial in TRIALS if trial.most is None]
    given = sum(trial.most for trial in TRIALS if trial.most is not None)
    each = -(-(responses - given) // len(fair))
    shares = [go_through(rig, trial, each, tries, next(troubles)) for trial in TRIALS]
    rig.mend()
    rig.wait_until(rig.delivered)
    rig.wait_until(lambda: rig.waiting_for_opening() == 0)
    rig.chain.stop_agent()
    rig.chain.stop_collector()
    return shares


def test_every_response_arrives_once_over_whatever_network(
    random, responses, tries, in_full, tally
):
    with ExitStack() as closing:
        folder = closing.enter_context(TemporaryDirectory(dir=IN_MEMORY, prefix="regard-faults-"))
        rig = Rig(closing, Path(folder) / "chain", random)
        kills = (rig.restart_collector, rig.kill_opener, rig.restart_postgresql, rig.restart_agent)
        troubles = cycle(kills) if in_full else chain(kills, repeat(lambda: None))
        shares = deliver_all(rig, responses, tries, troubles)
        exported = Counter(read_export(rig.chain.export(Path(folder) / "export")).values())
    for share in shares:
        share.lost = sum(exported[told] == 0 for told in share.told)
        share.doubled = sum(max(0, exported.pop(told, 0) - 1) for told in share.told)
        tally.add(share.fault, share)
    assert not exported, "what nobody said"
    assert sum(share.acknowledged for share in shares) >= responses
    assert [(share.lost, share.doubled) for share in shares] == [(0, 0)] * len(TRIALS)


class Believer:
    """A kiosk that believes whatever answers, and a collector that believes whatever comes."""

    def __init__(self, network: Network) -> None:
        self.tried = self.acknowledged = 0
        self._received: Counter[int] = Counter()
        self.port = network.serve(self._receive)

    async def _receive(self, reader, writer) -> None:
        while number := await reader.readline():
            self._received[int(number)] += 1
            writer.write(b"HTTP/1.1 200 OK\r\n\r\n")
            await writer.drain()

    def deliver(self, port: int, count: int) -> None:
        """Deliver so many more numbers, each until something answers."""
        for number in range(self.acknowledged, self.acknowledged + count):
            answer = b""
            while not answer:
                self.tried += 1
                with suppress(OSError), create_connection(("127.0.0.1", port)) as connection:
                    connection.sendall(b"%d\n" % number)
                    answer = connection.recv(1)
            self.acknowledged += 1

    @property
    def lost(self) -> int:
        return self.acknowledged - len(self._received)

    @property
    def doubled(self) -> int:
        return self._received.total() - len(self._received)


def test_on_these_lines_a_kiosk_that_believes_whatever_answers_loses_and_doubles(random, tally):
    with Network() as network:
        believer = Believer(network)
        line = Line(network, lambda: Passage(believer.port, back=Way(ends_at=random.randrange(2))))
        believer.deliver(line.port, 50)
        portal_port = network.serve(portal)
        line.have(lambda: Passage(portal_port))
        believer.deliver(line.port, 50)
    tally.add("control: a kiosk that believes whatever answers", believer)

    assert believer.lost >= 50
    assert believer.doubled > 0
