"""How long to wait after a failure."""

from random import Random
from typing import Final

FIRST_S: Final = 2.0
"""The longest wait after a first failure, in seconds."""

MAX_RETRY_AFTER_S: Final = 24 * 3600
"""What asks for longer silence than a day is not obeyed: it may be a liar on the way."""


class Backoff:
    """Waits in seconds, doubling up to ``cap_s``, each drawn at random up to its bound.

    Random, so that a fleet that failed together does not come back together.
    """

    def __init__(self, random: Random, cap_s: float) -> None:
        self._random = random
        self._cap_s = cap_s
        self._bound_s = min(FIRST_S, cap_s)

    def reset(self) -> None:
        """Begin again from the shortest wait, for all went well."""
        self._bound_s = min(FIRST_S, self._cap_s)

    def next_s(self, retry_after_s: float | None = None) -> float:
        """The next wait; whoever is busy may say how long it should be, up to a day."""
        wait_s = self._random.uniform(0, self._bound_s)
        self._bound_s = min(2 * self._bound_s, self._cap_s)
        if retry_after_s is None:
            return wait_s
        return max(FIRST_S / 2, min(retry_after_s, MAX_RETRY_AFTER_S))

    def last_s(self) -> float:
        """A wait near the cap, for what another try is not likely to mend."""
        return self._random.uniform(self._cap_s / 2, self._cap_s)
