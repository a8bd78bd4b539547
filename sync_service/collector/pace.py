"""The pace of enrolments: so many in a minute, of one address and of all.

An enrolment can be sent by anybody who makes a key for it, and each costs a look into the
database. A kiosk sends one in its life, or one a day while it is held.
"""

import math
import time
from random import Random
from typing import Final, NoReturn

from limits import RateLimitItem, RateLimitItemPerMinute
from limits.storage import MemoryStorage
from limits.strategies import SlidingWindowCounterRateLimiter

from sync_service.collector.error import ProblemError

MAX_OF_ADDRESS: Final = 60
"""How many enrolments one address may send in a minute."""

MAX_OF_ALL: Final = 600
"""How many enrolments are looked at in a minute."""

_JITTER_S: Final = 10


class Pace:
    """Counts enrolments, in memory only: no list of addresses is kept."""

    def __init__(self, of_one: int = MAX_OF_ADDRESS, of_all: int = MAX_OF_ALL) -> None:
        self._of_one = RateLimitItemPerMinute(of_one)
        self._of_all = RateLimitItemPerMinute(of_all)
        self._counts = SlidingWindowCounterRateLimiter(MemoryStorage())
        self._random = Random()

    def keep(self, network: str) -> None:
        """Count an enrolment from a network.

        Raises:
            ProblemError: too-often, with when to come again.
        """
        # Nothing is kept of an address once there are too many in all.
        if not self._counts.test(self._of_all):
            self._refuse(self._of_all)
        if not self._counts.hit(self._of_one, network):
            self._refuse(self._of_one, network)
        self._counts.hit(self._of_all)

    def _refuse(self, limit: RateLimitItem, *whose: str) -> NoReturn:
        free_at = self._counts.get_window_stats(limit, *whose).reset_time
        wait_s = max(free_at - time.time(), 0) + self._random.uniform(1, _JITTER_S)
        raise ProblemError("too-often", retry_after_s=math.ceil(wait_s))
