"""Failures: what the log is told of an exception that nobody expected.

Its message may hold what a respondent wrote, so only its kind is told, and which way it came.
"""

import logging
from collections.abc import Iterator
from pathlib import Path
from traceback import walk_tb

log = logging.getLogger(__name__)


def log_failure(error: BaseException) -> None:
    """Log an exception, after those that it came upon."""
    for each in reversed([*_chain(error)]):
        way = (
            f"{Path(frame.f_code.co_filename).name}:{line}"
            for frame, line in walk_tb(each.__traceback__)
        )
        log.error("failed", extra={"error": type(each).__qualname__, "way": " ".join(way)})


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__
