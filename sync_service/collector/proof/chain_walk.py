"""A walk along one branch of a log: whether each record follows from the one before it.

Beside each record its row holds the link before it, so every link is held twice: once by the row
that follows, and once by the records that lead to it. Where the two differ, something was altered;
from which of them agree again, and with what, it follows what that was. All here is pure.
"""

from collections.abc import Container, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from itertools import combinations
from types import MappingProxyType
from typing import Final, NamedTuple, TypeAlias

from sync_service.contract.chain import link

_MAX_CLUSTER: Final = 64
"""How many records that don't fit are looked at together."""


class Step(NamedTuple):
    """A record as a walk sees it; ``previous`` is the link that its row holds before it."""

    seq: int
    previous: bytes
    digest: bytes


class Fault(Enum):
    """What is wrong with records that don't fit together."""

    ALTERED = "altered"  # at least one of them is not what was there before
    SWAPPED = "swapped"  # the first and the last stand in each other's place
    LINK = "link"  # they are what they were; the links held beside them are not


@dataclass(frozen=True, slots=True)
class Misfit:
    """Records from ``first_seq`` to ``last_seq`` that don't fit together."""

    fault: Fault
    first_seq: int
    last_seq: int


@dataclass(frozen=True, slots=True)
class Gap:
    """No record is held from ``first_seq`` to ``last_seq``."""

    first_seq: int
    last_seq: int


@dataclass(frozen=True, slots=True)
class Run:
    """Consecutive records that fit together; ``link`` is that of the last."""

    first_seq: int
    last_seq: int
    link: bytes


Found: TypeAlias = Misfit | Gap | Run


class Walk:
    """Takes the steps of a branch in the order of their seq, and says what it finds on the way.

    The branch begins with ``from_seq``, after the link ``before`` if that is known. ``ends`` are
    links that are known from elsewhere, by their seq. Of the records in ``wanted``, the links that
    the walk comes to are held in ``links``.
    """

    def __init__(
        self,
        from_seq: int,
        before: bytes | None,
        *,
        ends: Mapping[int, bytes] = MappingProxyType({}),
        wanted: Container[int] = (),
    ) -> None:
        self.links: dict[int, bytes] = {}
        self._from_seq = from_seq
        self._start = before
        self._ends = ends
        self._wanted = wanted
        self._last: Step | None = None
        self._reached = b""  # the link that the last step leads to
        self._run_from = 0
        self._cluster: list[Step] = []  # records after which the links differ, one after another
        self._before: bytes | None = None  # the link before the cluster

    def take(self, step: Step) -> Iterator[Found]:
        """Go one step further."""
        last = self._last
        if last is None:
            if step.seq > self._from_seq:
                yield Gap(self._from_seq, step.seq - 1)
            elif self._start not in (None, step.previous):
                self._before = self._start
            self._run_from = step.seq
        elif step.seq > last.seq + 1:
            yield from self._stop(last)
            yield Gap(last.seq + 1, step.seq - 1)
            self._run_from = step.seq
        elif self._reached == step.previous:
            yield from self._resolve(last.previous)
        else:
            yield from self._break(last)
            self._run_from = step.seq
        self._last = step
        self._reached = link(step.previous, step.seq, step.digest)
        if step.seq in self._wanted:
            self.links[step.seq] = self._reached

    def end(self, last_seq: int) -> Iterator[Found]:
        """There are no more steps; ``last_seq`` is where the branch should end."""
        next_seq = self._from_seq
        if self._last is not None:
            yield from self._stop(self._last)
            next_seq = self._last.seq + 1
        if next_seq <= last_seq:
            yield Gap(next_seq, last_seq)

    def _break(self, last: Step) -> Iterator[Found]:
        """The links after the last step differ."""
        yield Run(self._run_from, last.seq, self._reached)
        if self._before is None:
            self._before = last.previous
        self._cluster.append(last)
        if len(self._cluster) == _MAX_CLUSTER:
            yield Misfit(Fault.ALTERED, self._cluster[0].seq, last.seq)
            self._cluster, self._before = [], None

    def _stop(self, last: Step) -> Iterator[Found]:
        """The run ends with the last step, whatever comes then."""
        known = self._ends.get(last.seq, self._reached)
        if known == self._reached:
            yield from self._resolve(last.previous)
            yield Run(self._run_from, last.seq, self._reached)
        else:
            yield from self._break(last)
            yield from self._resolve(known)

    def _resolve(self, after: bytes) -> Iterator[Found]:
        """Say what is wrong with the records of the cluster, given the link after them."""
        if self._before is None:
            return
        if self._cluster:
            yield _explained(self._cluster, self._before, after)
        else:  # all fits, but for what the branch begins with
            yield Misfit(Fault.ALTERED, self._from_seq, self._from_seq)
        self._cluster, self._before = [], None


def _explained(steps: Sequence[Step], before: bytes, after: bytes) -> Misfit:
    digests = [step.digest for step in steps]
    links = _links(steps, digests, before)
    if links[-1] == after:
        wrong = [
            step.seq
            for step, expected in zip(steps, [before, *links], strict=False)
            if step.previous != expected
        ]
        return Misfit(Fault.LINK, wrong[0], wrong[-1])
    for one, other in combinations(range(len(steps)), 2):
        swapped = [*digests]
        swapped[one], swapped[other] = digests[other], digests[one]
        if _links(steps, swapped, before)[-1] == after:
            return Misfit(Fault.SWAPPED, steps[one].seq, steps[other].seq)
    return Misfit(Fault.ALTERED, steps[0].seq, steps[-1].seq)


def _links(steps: Sequence[Step], digests: Sequence[bytes], before: bytes) -> list[bytes]:
    """The links that records with these digests lead to."""
    found = []
    for step, digest in zip(steps, digests, strict=True):
        before = link(before, step.seq, digest)
        found.append(before)
    return found
