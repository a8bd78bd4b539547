"""The interval that a share comes with."""

from math import sqrt
from typing import Final

_Z: Final = 1.959964  # the standard normal's 97.5 % point
_ROUNDING_VARIANCE: Final = 2.0  # of a whole number rounded to 5: the mean of 0, 1, 1, 4 and 4


def interval(n: int, of_them: int, roundings: int = 0) -> tuple[float, float]:
    """The 95 % interval of a share: Wilson's score interval, widened for rounding.

    Wilson (1927), Probable inference, the law of succession, and statistical inference, Journal of
    the American Statistical Association 22, 209-212: the shares p with
    (share - p)^2 <= z^2 p(1 - p)/n.

    Where ``n`` and ``of_them`` are each the sum of as many counts as ``roundings`` says, rounded to
    5, rounding adds to the share's variance 2(1 + p^2)/n^2 a time, and that stands beside chance's
    p(1 - p)/n. Without it an interval from rounded counts would hold the truth in 83 to 92 of 100
    cases, not in 95.
    """
    share, z2 = of_them / n, _Z**2
    chance = z2 / n
    rounding = z2 * roundings * _ROUNDING_VARIANCE / n**2
    # (share - p)^2 = chance * p(1 - p) + rounding * (1 + p^2), solved for p
    a = 1 + chance - rounding
    b = 2 * share + chance
    c = share**2 - rounding
    root = sqrt(b**2 - 4 * a * c)
    return max(0.0, (b - root) / (2 * a)), min(1.0, (b + root) / (2 * a))
