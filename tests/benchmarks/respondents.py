"""Respondents for benchmarks: each answers four ratings of the first questionnaire published."""

from datetime import UTC, datetime
from random import Random

from sync_service.contract.record import Moment, Response, half_day_of

RATINGS = (1, 2, 3, 4)
"""The codes of the first four items of gp.toml; each has the options 1 to 3."""


def response(random: Random, half_day: int | None = None) -> Response:
    """What one respondent says, in this half-day unless another is named."""
    if half_day is None:
        half_day = half_day_of(datetime.now(UTC))
    return Response(
        assignment=1,
        moment=Moment(half_day),
        language="en",
        questionnaire=1,
        offered=RATINGS,
        answers={item: random.randint(1, 3) for item in RATINGS},
    )
