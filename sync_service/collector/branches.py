"""Where on a log's branches the records of a batch belong.

A log that was never cloned or restored has one branch, 0. A link commits to all that stands
before it, so two records are the same exactly if seq, link before and digest are. Where a seq is
taken by another record, what comes goes to a branch of its own: both are kept, and the fork is
named. All here is pure; `intake` reads and writes.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import IntEnum

from sync_service.contract.chain import Head, first_link, link
from sync_service.contract.wire import Batch


@dataclass(frozen=True, slots=True)
class Row:
    """What stands at one seq of a branch. ``refused``: only the digest is held, for now."""

    previous: bytes
    digest: bytes
    refused: bool = False


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

    A batch goes to the branch that it follows from, or that holds its first record; else to one
    that follows from it. From the first record that this branch contradicts, the rest is placed
    in the same way, on a branch of its own if need be. A batch linked to nothing (records before
    and after it are missing) goes to the first branch that does not contradict it.

    ``rows`` are those held of each branch, from one seq before the batch to one after it.
    A branch number that is not among ``branches`` is that of a branch to be made.
    """
    stretches: list[Stretch] = []
    start = 0
    while start < len(digests):
        number, end = _find(batch, digests, branches, rows, start=start)
        stretches.append(Stretch(number, start, end))
        start = end
    return stretches


class _Linked(IntEnum):
    """By what a branch is known to be that of a record, the surest last."""

    NOT = 0
    BY_WHAT_FOLLOWS = 1
    BY_ITS_PLACE = 2


def _find(
    batch: Batch,
    digests: Sequence[bytes],
    branches: Sequence[Branch],
    rows: Mapping[int, Mapping[int, Row]],
    *,
    start: int,
) -> tuple[int, int]:
    """The branch for the record ``start``, and the end of the stretch that can stand there."""
    found: list[tuple[_Linked, int, int]] = []
    for branch in branches:
        held = rows.get(branch.number, {})
        end, linked = _agreement(batch, digests, branch.number, held, start=start)
        if end > start and (
            linked is not _Linked.NOT
            # Branch 0 may get what is older than all it holds; another began at a fork.
            or (start == 0 and (branch.number == 0 or branch.from_seq < batch.first_seq))
        ):
            found.append((linked, end, -branch.number))
    if found:
        _, end, number = max(found)
        return -number, end
    return max((branch.number for branch in branches), default=-1) + 1, len(digests)


def _agreement(
    batch: Batch, digests: Sequence[bytes], number: int, rows: Mapping[int, Row], *, start: int
) -> tuple[int, _Linked]:
    """How far from ``start`` a branch's rows agree with a batch, and what links the two.

    Records that would fill a gap agree only if what stands after the gap follows from them.
    """
    befores = [batch.previous, *batch.links]
    before = _link_at(batch, number, rows, batch.first_seq + start - 1)
    if before is not None and before != befores[start]:
        return start, _Linked.NOT
    linked = _Linked.NOT if before is None else _Linked.BY_ITS_PLACE
    agreed = start
    for index in range(start, len(digests)):
        row = rows.get(batch.first_seq + index)
        if row is None:
            continue
        if row.previous != befores[index]:
            return agreed, linked
        linked = max(linked, _Linked.BY_ITS_PLACE if index == start else _Linked.BY_WHAT_FOLLOWS)
        if row.digest != digests[index]:
            return index, linked
        agreed = index + 1
    after = rows.get(batch.head.seq + 1)
    if after is None:
        return len(digests), linked
    if after.previous != batch.head.link:
        return agreed, linked
    return len(digests), max(linked, _Linked.BY_WHAT_FOLLOWS)


def _link_at(batch: Batch, number: int, rows: Mapping[int, Row], seq: int) -> bytes | None:
    if seq == 0 and number == 0:
        return first_link(batch.log_id)
    row = rows.get(seq)
    return None if row is None else link(row.previous, seq, row.digest)
