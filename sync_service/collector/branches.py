"""Where on a log's branches the records of a batch belong.

A log that was never cloned or restored has one branch, 0. A link commits to all that stands
before it, so two records are the same exactly if seq, link before and digest are. Where a seq is
taken by another record, what comes goes to a branch of its own: both are kept, and the fork is
named. All here is pure; `intake` reads and writes.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from sync_service.contract.chain import Head, first_link, link
from sync_service.contract.wire import Batch


@dataclass(frozen=True, slots=True)
class Row:
    """What stands at one seq of a branch. ``sealed_held``: its bytes too, not only the digest."""

    previous: bytes
    digest: bytes
    sealed_held: bool


@dataclass(frozen=True, slots=True)
class Branch:
    """One line of a log's records, from ``from_seq`` on.

    ``whole`` is the newest record that none is missing before, ``head`` the newest of all.
    """

    number: int
    from_seq: int
    whole: Head
    head: Head


@dataclass(frozen=True, slots=True)
class Stretch:
    """The records of a batch from ``start`` up to ``end``, counted from 0, stand on ``branch``."""

    branch: int
    start: int
    end: int


def place(
    batch: Batch,
    digests: Sequence[bytes],
    branches: Sequence[Branch],
    rows: Mapping[int, Mapping[int, Row]],
) -> list[Stretch]:
    """Say on which branches the records of a batch stand, or shall stand.

    A batch goes where it is linked: to the record before it, to one of its own that is held
    already, or to the one after it. From the first record that a branch contradicts, the rest is
    placed in the same way, on a branch of its own if need be. A batch linked to nothing (records
    before it are missing) goes to the first branch that does not contradict it.

    ``rows`` are those held of each branch, from one seq before the batch to one after it.
    A branch number that is not among ``branches`` is that of a branch to be made.
    """
    stretches: list[Stretch] = []
    start = 0
    while start < len(digests):
        number, end = _longest(batch, digests, branches, rows, start)
        stretches.append(Stretch(number, start, end))
        start = end
    return stretches


def _longest(
    batch: Batch,
    digests: Sequence[bytes],
    branches: Sequence[Branch],
    rows: Mapping[int, Mapping[int, Row]],
    start: int,
) -> tuple[int, int]:
    """The branch for the record ``start``, and the end of the stretch that can stand there."""
    linked: dict[int, int] = {}
    loose: list[int] = []
    for branch in branches:
        end, is_linked = _agreement(batch, digests, rows.get(branch.number, {}), start)
        if is_linked and end > start:
            linked[branch.number] = end
        elif (start, end) == (0, len(digests)) and (
            # Branch 0 may get what is older than all it holds; another began at a fork.
            branch.number == 0 or branch.from_seq < batch.first_seq
        ):
            loose.append(branch.number)
    if linked:
        number = max(linked, key=lambda number: (linked[number], -number))
        return number, linked[number]
    if loose:
        return min(loose), len(digests)
    return max((branch.number for branch in branches), default=-1) + 1, len(digests)


def _agreement(
    batch: Batch, digests: Sequence[bytes], rows: Mapping[int, Row], start: int
) -> tuple[int, bool]:
    """How far from ``start`` a branch's rows agree with a batch, and whether a link shows it.

    Records that would fill a gap agree only if what stands after the gap follows from them.
    """
    befores = [batch.previous, *batch.links]
    found = _link_at(batch, rows, batch.first_seq + start - 1)
    if found is not None and found != befores[start]:
        return start, False
    linked = found is not None
    agreed = start
    for index in range(start, len(digests)):
        row = rows.get(batch.first_seq + index)
        if row is None:
            continue
        if row.previous != befores[index]:
            return agreed, linked
        linked = True
        if row.digest != digests[index]:
            return index, linked
        agreed = index + 1
    after = rows.get(batch.head.seq + 1)
    if after is None:
        return len(digests), linked
    return (len(digests), True) if after.previous == batch.head.link else (agreed, linked)


def _link_at(batch: Batch, rows: Mapping[int, Row], seq: int) -> bytes | None:
    if seq == 0:
        return first_link(batch.log_id)
    row = rows.get(seq)
    return None if row is None else link(row.previous, seq, row.digest)
