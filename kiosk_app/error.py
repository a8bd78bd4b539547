"""The root of the kiosk's errors.

::

    KioskError
    ├── NotAskableError    what is published can't be asked here: keep what was in force, say so
    ├── NotAdmittedError   not an answer to the item that is shown: don't record it
    ├── StartError         the kiosk can't start: mend what the message names
    └── ScreenError        the screen has failed: start the kiosk anew
"""


class KioskError(Exception):
    """Something that the kiosk can't do."""


class NotAskableError(KioskError):
    """What is published can't be asked at this site; keep what was in force and say so."""


class NotAdmittedError(KioskError):
    """Not an answer to the item that is shown; don't record it."""


class StartError(KioskError):
    """The kiosk can't start; the message says what to mend."""


class ScreenError(KioskError):
    """The screen has failed by what this error comes from; start the kiosk anew."""
