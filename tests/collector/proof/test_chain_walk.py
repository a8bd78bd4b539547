"""A walk finds whatever was done to a branch, and says what and where."""

from dataclasses import dataclass, field

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sync_service.collector.proof.chain_walk import Fault, Gap, Misfit, Run, Step, Walk
from sync_service.contract.chain import digest, first_link, links

LOG = bytes(16)
START = first_link(LOG)


def records(number):
    return [bytes([seq]) for seq in range(1, number + 1)]


def chain(number):
    """A whole chain of records from seq 1 on, and its last link."""
    sealed = records(number)
    found = links(START, 1, sealed)
    befores = [START, *found]
    steps = [
        Step(seq, before, digest(each))
        for seq, (before, each) in enumerate(zip(befores, sealed, strict=False), start=1)
    ]
    return steps, found[-1]


def walk(steps, last_seq, last_link, *, from_seq=1, before=START, ends=None, wanted=()):
    """All that a walk finds, and the walk."""
    along = Walk(from_seq, before, ends={last_seq: last_link, **(ends or {})}, wanted=wanted)
    found = [each for step in steps for each in along.take(step)]
    return [*found, *along.end(last_seq)], along


def faults(steps, last_seq, last_link, **how):
    found, _ = walk(steps, last_seq, last_link, **how)
    return [each for each in found if not isinstance(each, Run)]


def test_a_whole_branch_is_one_run():
    steps, last = chain(9)

    found, along = walk(steps, 9, last, wanted={4})

    assert found == [Run(1, 9, last)]
    assert along.links == {4: steps[4].previous}


def test_a_branch_of_nothing_ends_where_it_should():
    assert walk([], 0, START)[0] == []
    assert walk([], 3, b"")[0] == [Gap(1, 3)]
    assert walk([], 7, b"", from_seq=5, before=None)[0] == [Gap(5, 7)]


@pytest.mark.parametrize(
    ("lost", "gap"), [([1], Gap(1, 1)), ([4, 5], Gap(4, 5)), ([8, 9], Gap(8, 9)), ([9], Gap(9, 9))]
)
def test_what_is_not_there_is_a_gap(lost, gap):
    steps, last = chain(9)

    assert faults([step for step in steps if step.seq not in lost], 9, last) == [gap]


def test_the_runs_beside_a_gap_end_with_their_own_links():
    steps, last = chain(9)

    found, _ = walk(steps[:3] + steps[5:], 9, last)

    assert found == [Run(1, 3, steps[3].previous), Gap(4, 5), Run(6, 9, last)]


def altered(step):
    return step._replace(digest=digest(b"another"))


def moved(step):
    return step._replace(previous=digest(b"another"))


@pytest.mark.parametrize("seq", range(1, 10))
def test_an_altered_record_is_named(seq):
    steps, last = chain(9)
    steps[seq - 1] = altered(steps[seq - 1])

    assert faults(steps, 9, last) == [Misfit(Fault.ALTERED, seq, seq)]


@pytest.mark.parametrize("seq", range(1, 10))
def test_an_altered_link_is_told_from_an_altered_record(seq):
    steps, last = chain(9)
    steps[seq - 1] = moved(steps[seq - 1])

    assert faults(steps, 9, last) == [Misfit(Fault.LINK, seq, seq)]


def test_two_altered_records_are_named_each_by_itself():
    steps, last = chain(9)
    steps[2], steps[6] = altered(steps[2]), altered(steps[6])

    assert faults(steps, 9, last) == [Misfit(Fault.ALTERED, 3, 3), Misfit(Fault.ALTERED, 7, 7)]


@pytest.mark.parametrize(("one", "other"), [(1, 2), (4, 5), (8, 9)])
def test_records_in_each_others_place_are_named(one, other):
    steps, last = chain(9)
    first, second = steps[one - 1], steps[other - 1]
    steps[one - 1] = first._replace(digest=second.digest)
    steps[other - 1] = second._replace(digest=first.digest)

    assert faults(steps, 9, last) == [Misfit(Fault.SWAPPED, one, other)]


@pytest.mark.parametrize(("one", "other"), [(1, 2), (4, 5), (8, 9)])
def test_rows_in_each_others_place_are_named(one, other):
    steps, last = chain(9)
    first, second = steps[one - 1], steps[other - 1]
    steps[one - 1] = second._replace(seq=one)
    steps[other - 1] = first._replace(seq=other)

    assert faults(steps, 9, last) == [Misfit(Fault.SWAPPED, one, other)]


def test_records_that_changed_places_far_from_each_other_are_altered():
    steps, last = chain(9)
    steps[2], steps[6] = (
        steps[2]._replace(digest=steps[6].digest),
        steps[6]._replace(digest=steps[2].digest),
    )

    assert faults(steps, 9, last) == [Misfit(Fault.ALTERED, 3, 3), Misfit(Fault.ALTERED, 7, 7)]


def test_a_chain_that_begins_with_another_link_does_not_hold():
    steps, last = chain(9)

    assert faults(steps, 9, last, before=digest(b"another")) == [Misfit(Fault.ALTERED, 1, 1)]
    assert faults(steps[4:], 9, last, from_seq=5, before=None) == []


def test_a_record_before_a_gap_is_held_to_a_link_that_is_known():
    steps, last = chain(9)
    known = {3: steps[3].previous}
    steps[2] = altered(steps[2])
    held = steps[:3] + steps[5:]

    assert faults(held, 9, last) == [Gap(4, 5)]
    assert faults(held, 9, last, ends=known) == [Misfit(Fault.ALTERED, 3, 3), Gap(4, 5)]


def test_of_a_log_that_was_written_anew_nothing_is_left_out():
    steps, last = chain(200)
    steps = [altered(step)._replace(digest=digest(step.digest)) for step in steps]

    found = faults(steps, 200, last)

    assert [each.fault for each in found] == [Fault.ALTERED] * 4
    named = [seq for each in found for seq in range(each.first_seq, each.last_seq + 1)]
    assert named == [*range(1, 201)]


@dataclass
class Harm:
    """Something done to a chain of 12; ``seqs`` are those that it was done to."""

    steps: list[Step]
    seqs: set[int] = field(default_factory=set)

    def do(self, what, place, other):
        place, other = place % len(self.steps), other % len(self.steps)
        step = self.steps[place]
        match what:
            case "lose":
                del self.steps[place]
            case "alter":
                self.steps[place] = step._replace(digest=digest(step.digest))
            case "move":
                self.steps[place] = step._replace(previous=digest(step.previous))
            case "swap":
                with_other = self.steps[other]
                self.steps[place] = step._replace(digest=with_other.digest)
                self.steps[other] = with_other._replace(digest=step.digest)
        self.seqs.add(step.seq)


@given(
    st.lists(
        st.tuples(
            st.sampled_from(["lose", "alter", "move", "swap"]),
            st.integers(0, 11),
            st.integers(0, 11),
        ),
        max_size=3,
    )
)
def test_whatever_is_done_to_a_chain_is_found(harms):
    steps, last = chain(12)
    harm = Harm([*steps])
    for what, place, other in harms:
        harm.do(what, place, other)

    found = faults(harm.steps, 12, last)

    held = {step.seq: step for step in harm.steps}
    # The last record before a gap, and the link before the first after one, hang on nothing.
    unbound = {
        *(step for step in steps if step.seq in held and step.seq + 1 not in held and step.seq < 12)
    }
    whole = {step.seq: step for step in steps}
    sure = [
        seq
        for seq, step in held.items()
        if step.digest != whole[seq].digest and whole[seq] not in unbound
    ]
    named = {
        seq
        for each in found
        if isinstance(each, Misfit)
        for seq in range(each.first_seq, each.last_seq + 1)
    }
    assert set(sure) <= named
    assert sum(
        each.last_seq - each.first_seq + 1 for each in found if isinstance(each, Gap)
    ) == 12 - len(held)
    if not harms:
        assert found == []
