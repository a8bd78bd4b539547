"""The outbox against a model of a dozen lines, by whatever order of calls Hypothesis finds."""

import tempfile
from datetime import date, timedelta
from pathlib import Path

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from sync_service.contract.chain import Head, digest, first_link, link, links
from sync_service.contract.record import day_of
from sync_service.contract.wire import Recorded
from sync_service.outbox.database import StoreKey, open_store, reading
from sync_service.outbox.outbox import Outbox, Run

FIRST_DAY = date(2026, 3, 16)
HALF_DAYS = st.integers(0, 3)
SEQS = st.integers(1, 40)
OUTCOMES = st.lists(st.sampled_from(Recorded), min_size=1, max_size=12)


class OutboxMachine(RuleBasedStateMachine):
    def __init__(self):
        super().__init__()
        self.folder = tempfile.TemporaryDirectory()
        self.key = StoreKey(bytes(range(32)))
        self.open()
        self.log_id = self.outbox.log_id
        self.sealed = []  # all that was ever put
        self.half_days = []
        self.state = {}  # of all that is held, by seq: None is waiting, else (outcome, day)
        self.settled_seq = 0
        self.today = FIRST_DAY

    def open(self):
        self.engine = open_store(Path(self.folder.name) / "outbox.db", self.key)
        self.outbox = Outbox(self.engine)

    def teardown(self):
        self.engine.dispose()
        self.folder.cleanup()

    def waiting(self):
        return sorted(seq for seq, state in self.state.items() if state is None)

    @initialize(count=st.integers(0, 6))
    def some_records(self, count):
        for _ in range(count):
            self.put(0, 64)

    @rule(half_day=HALF_DAYS, length=st.sampled_from([64, 121, 1024]))
    def put(self, half_day, length):
        sealed = (len(self.sealed) + 1).to_bytes(4, "big") * (length // 4)
        self.sealed.append(sealed)
        self.half_days.append(half_day)
        self.state[len(self.sealed)] = None
        assert self.outbox.put(sealed, half_day) == len(self.sealed)

    @precondition(lambda self: len(self.sealed) in self.state)
    @rule()
    def put_the_newest_once_more(self):
        assert self.outbox.put(self.sealed[-1], self.half_days[-1]) == len(self.sealed)

    @rule(
        limit=st.integers(1, 8),
        max_length=st.integers(1, 2000),
        hold=st.one_of(st.none(), HALF_DAYS),
        outcomes=OUTCOMES,
    )
    def deliver(self, limit, max_length, hold, outcomes):
        run = self.outbox.next_run(limit, max_length, hold)
        due = []
        for seq in self.waiting():
            follows = not due or seq == due[-1] + 1
            length = sum(len(self.sealed[one - 1]) for one in (*due, seq))
            fits = not due or (len(due) < limit and length <= max_length)
            if not follows or not fits or self.half_days[seq - 1] == hold:
                break
            due.append(seq)
        if not due:
            assert run is None
            return
        before = [first_link(self.log_id), *links(first_link(self.log_id), 1, self.sealed)]
        records = tuple(self.sealed[seq - 1] for seq in due)
        assert run == Run(self.log_id, due[0], before[due[0] - 1], records)
        self.settle(run.first_seq, (outcomes * len(due))[: len(due)])

    @precondition(lambda self: self.sealed)
    @rule(first_seq=SEQS, outcomes=OUTCOMES)
    def settle_a_late_receipt(self, first_seq, outcomes):
        first_seq = min(first_seq, len(self.sealed))
        self.settle(first_seq, outcomes[: len(self.sealed) - first_seq + 1])

    def settle(self, first_seq, outcomes):
        self.outbox.settle(self.log_id, first_seq, outcomes, self.today)
        for seq, outcome in enumerate(outcomes, start=first_seq):
            if seq in self.state and self.state[seq] is None:
                self.state[seq] = (outcome, self.today)
            self.settled_seq = max(self.settled_seq, seq)

    @rule(first_seq=SEQS, last_seq=SEQS)
    def offer_again(self, first_seq, last_seq):
        again = [
            seq
            for seq, state in self.state.items()
            if first_seq <= seq <= last_seq and state is not None
        ]
        assert self.outbox.offer_again(self.log_id, first_seq, last_seq) == len(again)
        self.state.update(dict.fromkeys(again))

    @rule(days=st.integers(0, 3))
    def purge(self, days):
        before = self.today - timedelta(days=days)
        old = [
            seq
            for seq, state in self.state.items()
            if state is not None and state[0].held and state[1] < before
        ]
        assert self.outbox.purge(before) == len(old)
        for seq in old:
            del self.state[seq]

    @rule()
    def let_a_day_pass(self):
        self.today += timedelta(days=1)

    @rule()
    def open_again(self):
        self.engine.dispose()
        self.open()

    @invariant()
    def the_extent_is_that_of_the_model(self):
        extent = self.outbox.extent()
        waiting = self.waiting()
        assert extent.log_id == self.log_id
        assert extent.head.seq == len(self.sealed)
        assert extent.settled_seq == self.settled_seq
        assert extent.oldest_held_seq == min(self.state, default=0)
        assert extent.depth == len(waiting)
        assert extent.oldest_waiting == (
            day_of(self.half_days[waiting[0] - 1]) if waiting else None
        )

    @invariant()
    def the_chain_holds_through_all_that_is_held(self):
        whole = [first_link(self.log_id), *links(first_link(self.log_id), 1, self.sealed)]
        with reading(self.engine) as connection:
            rows = connection.exec_driver_sql(
                "SELECT seq, previous, sealed FROM record ORDER BY seq"
            ).all()
        assert [row.seq for row in rows] == sorted(self.state)
        for row in rows:
            assert row.previous == whole[row.seq - 1]
            assert link(row.previous, row.seq, digest(row.sealed)) == whole[row.seq]
        assert self.outbox.extent().head == Head(len(self.sealed), whole[-1])


OutboxMachine.TestCase.settings = settings(max_examples=25, stateful_step_count=30, deadline=None)
TestTheOutboxDoesAsTheModel = OutboxMachine.TestCase
