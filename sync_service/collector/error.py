"""The root of the collector's errors.

::

    CollectorError
    ├── ProblemError      a kiosk's request can't be granted: answer with the problem it holds
    ├── OlderBundleError  a bundle is older than what is known already: don't hear its kiosk
    ├── BusyError         there is no turn to be had: ask again a little later
    ├── SchemaError       the database is of another version of Regard: do what the message says
    ├── KeyFileError      a key file is missing or damaged: bring it back, as the message says
    └── OfficeError       what the central team asked for can't be done: the message says why
"""

from sync_service.contract.wire import Problem


class CollectorError(Exception):
    """Something the collector can't do."""


class ProblemError(CollectorError):
    """A kiosk's request can't be granted; answer it with ``problem``.

    ``retry_after_s`` is when it may be sent again, in seconds, if that is the matter.
    """

    def __init__(self, code: str, detail: str = "", retry_after_s: int | None = None) -> None:
        self.problem = Problem(code, detail)
        self.retry_after_s = retry_after_s
        super().__init__(code)


class OlderBundleError(CollectorError):
    """A bundle that was carried by hand says less than its kiosk has said before; let it be."""


class BusyError(CollectorError):
    """The database, or the collector, has no turn to give just now; ask again a little later."""


class SchemaError(CollectorError):
    """The database is of another version of Regard; the message says what to do."""


class KeyFileError(CollectorError):
    """A key file is missing or damaged; the message names it."""


class OfficeError(CollectorError):
    """What the central team asked for can't be done; the message says why and what to do."""
