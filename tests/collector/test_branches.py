"""Placement against a model: whatever is delivered in whatever order, each branch is a chain."""

from dataclasses import dataclass, field

from hypothesis import given
from hypothesis import strategies as st

from sync_service.collector.branches import Branch, Row, place
from sync_service.contract.chain import Head, digest, first_link, link, links
from sync_service.contract.wire import Batch

LOG = bytes(16)


@dataclass
class Shelf:
    """What intake keeps of a log, in memory."""

    rows: dict[int, dict[int, Row]] = field(default_factory=dict)

    def branches(self):
        unused = Head(0, b"")
        return [Branch(number, min(rows), unused, unused) for number, rows in self.rows.items()]

    def deliver(self, line, first_seq, last_seq):
        """Give for each record whether it was held before."""
        befores = [first_link(LOG), *links(first_link(LOG), 1, line)]
        sealed = line[first_seq - 1 : last_seq]
        batch = Batch(bytes(16), LOG, first_seq, befores[first_seq - 1], sealed, bytes(8))
        digests = [digest(record) for record in sealed]
        near = {
            number: {seq: row for seq, row in rows.items() if first_seq - 1 <= seq <= last_seq + 1}
            for number, rows in self.rows.items()
        }
        stretches = place(batch, digests, self.branches(), near)
        assert stretches[0].start == 0
        assert stretches[-1].end == len(sealed)
        held = []
        for stretch, following in zip(stretches, [*stretches[1:], None], strict=True):
            assert following is None or stretch.end == following.start
            rows = self.rows.setdefault(stretch.branch, {})
            for index in range(stretch.start, stretch.end):
                row = Row(befores[first_seq - 1 + index], digests[index])
                held.append(first_seq + index in rows)
                assert rows.setdefault(first_seq + index, row) == row
        return held

    def check_chains(self):
        for rows in self.rows.values():
            for seq, row in rows.items():
                if seq + 1 in rows:
                    assert rows[seq + 1].previous == link(row.previous, seq, row.digest)


def lines(draw):
    """Some kiosks' records: each line begins as a card that was cloned from an earlier one."""
    found = [[b"0/%d" % seq for seq in range(draw(st.integers(1, 12)))]]
    for number in range(1, draw(st.integers(1, 4))):
        parent = found[draw(st.integers(0, number - 1))]
        shared = parent[: draw(st.integers(0, len(parent)))]
        own = [b"%d/%d" % (number, seq) for seq in range(draw(st.integers(1, 6)))]
        found.append(shared + own)
    return found


@st.composite
def deliveries(draw):
    kiosks = lines(draw)
    sent = []
    for _ in range(draw(st.integers(1, 12))):
        line = draw(st.sampled_from(kiosks))
        first_seq = draw(st.integers(1, len(line)))
        sent.append((line, first_seq, draw(st.integers(first_seq, len(line)))))
    return kiosks, sent


@given(deliveries())
def test_every_branch_is_a_chain_and_nothing_that_was_delivered_is_missing(story):
    kiosks, sent = story
    shelf = Shelf()
    for line, first_seq, last_seq in sent:
        shelf.deliver(line, first_seq, last_seq)
        shelf.check_chains()
    for line in kiosks:
        shelf.deliver(line, 1, len(line))
    shelf.check_chains()
    for line in kiosks:
        assert all(shelf.deliver(line, 1, len(line)))


@given(st.integers(1, 20), st.lists(st.tuples(st.integers(1, 20), st.integers(1, 20))))
def test_one_line_stays_on_one_branch_in_whatever_order_it_comes(length, ranges):
    line = [b"%d" % seq for seq in range(length)]
    shelf = Shelf()
    for ends in [*ranges, (1, length)]:
        first_seq, last_seq = min(*ends, length), min(max(ends), length)
        shelf.deliver(line, first_seq, last_seq)

    assert set(shelf.rows) == {0}
    assert sorted(shelf.rows[0]) == [*range(1, length + 1)]


@given(st.integers(0, 8), st.integers(1, 8), st.integers(1, 8))
def test_a_fork_keeps_what_both_lines_share_once(shared, own, others):
    common = [b"%d" % seq for seq in range(shared)]
    first = common + [b"a%d" % seq for seq in range(own)]
    second = common + [b"b%d" % seq for seq in range(others)]
    shelf = Shelf()
    shelf.deliver(first, 1, len(first))

    assert shelf.deliver(second, 1, len(second)) == [True] * shared + [False] * others
    assert sorted(shelf.rows[0]) == [*range(1, len(first) + 1)]
    assert sorted(shelf.rows[1]) == [*range(shared + 1, len(second) + 1)]
