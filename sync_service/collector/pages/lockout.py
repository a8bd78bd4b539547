"""Lock-out: whoever fails to sign in waits longer each time.

Failures are counted for the name that was tried, whether or not there is such an account, and
for the address that it was tried from. They are held in memory only, so that no list of addresses
is kept; a restart forgets them.
"""

from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from sync_service.collector.origin import network_of

FREE_TRIES: Final = 5
"""How often in a row one may fail without having to wait."""

FIRST_DELAY_S: Final = 15.0
LONGEST_DELAY_S: Final = 15 * 60.0
"""The wait after the first failure too many, doubled at each further one up to the longest."""

_HELD: Final = 10_000


@dataclass(slots=True)
class _Failures:
    """How many there were in a row, and when the next try is allowed."""

    number: int = 0
    free_at: float = 0.0


class Lockout:
    """Counts tries to sign in. ``clock`` gives seconds that only rise."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._failures: OrderedDict[tuple[str, str], _Failures] = OrderedDict()

    def delay_s(self, name: str, address: str) -> float:
        """How long to wait, in seconds, before this name may be tried from this address."""
        now = self._clock()
        failures = (self._failures.get(subject) for subject in _subjects(name, address))
        return max((each.free_at - now for each in failures if each), default=0.0)

    def tried(self, name: str, address: str) -> None:
        """Count a try. It is counted before it is judged, so that many at once are too."""
        for subject in _subjects(name, address):
            failures = self._failures.setdefault(subject, _Failures())
            self._failures.move_to_end(subject)
            failures.number += 1
            doublings = failures.number - FREE_TRIES
            if doublings >= 0:
                delay = min(FIRST_DELAY_S * 2.0 ** min(doublings, 16), LONGEST_DELAY_S)
                failures.free_at = self._clock() + delay
        while len(self._failures) > _HELD:
            self._failures.popitem(last=False)

    def succeeded(self, name: str, address: str) -> None:
        """Forget the failures: the try was right."""
        for subject in _subjects(name, address):
            self._failures.pop(subject, None)


def _subjects(name: str, address: str) -> tuple[tuple[str, str], ...]:
    return (("name", name), ("address", network_of(address)))
