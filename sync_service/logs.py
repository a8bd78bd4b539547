"""Log lines: a fixed message, then key=value. They go to stdout, which the journal keeps.

A line is made as ``log.info("contact made", extra={"depth": 10})``. Never log an answer, a
comment, a credential or a key, nor anything that tells of a single response.
"""

import json
import logging
import sys
from typing import Final

_OWN: Final = {*vars(logging.makeLogRecord({})), "message", "asctime"}
"""What every record of `logging` has; all else came by ``extra``."""


class LineFormatter(logging.Formatter):
    """Formats a record as its level, its message and the fields given by ``extra``.

    The time is left to the journal.
    """

    def format(self, record: logging.LogRecord) -> str:
        """The record's line; a traceback follows on lines of its own."""
        fields = (
            f"{name}={_quoted(str(value))}"
            for name, value in vars(record).items()
            if name not in _OWN and value != ""
        )
        line = " ".join((record.levelname.lower(), record.getMessage(), *fields))
        return f"{line}\n{self.formatException(record.exc_info)}" if record.exc_info else line


def log_to_stdout() -> None:
    """Send the log lines of our own packages to stdout, and others' only from warnings on."""
    handler = logging.StreamHandler(sys.stdout)
    handler.setFormatter(LineFormatter())
    logging.basicConfig(level=logging.WARNING, handlers=[handler])
    logging.getLogger("sync_service").setLevel(logging.INFO)


def _quoted(text: str) -> str:
    """The text as it is, or as a JSON string if it could be taken for more than one value."""
    plain = text.isprintable() and not set(text) & set(' "=\\')
    return text if plain else json.dumps(text, ensure_ascii=False)
