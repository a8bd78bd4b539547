"""The root of the kiosk's errors.

::

    KioskError
    ├── NotAskableError    what is published can't be asked here: keep what was in force, say so
    ├── NotAdmittedError   not an answer to the item that is shown: don't record it
    ├── NoRoomError        a panel has no room for a page: don't begin to ask there
    ├── UnknownPanelError  no panel has this name: name another, or give its measures
    ├── StartError         the kiosk can't start: mend what the message names
    ├── NoPanelError       the panel is not there yet: try again until it is, and say so
    └── ScreenError        the screen has failed: start the kiosk anew
"""


class KioskError(Exception):
    """Something that the kiosk can't do."""


class NotAskableError(KioskError):
    """What is published can't be asked at this site; keep what was in force and say so."""


class NotAdmittedError(KioskError):
    """Not an answer to the item that is shown; don't record it."""


class NoRoomError(KioskError):
    """A panel has no room for a page; don't begin to ask there."""


class UnknownPanelError(KioskError):
    """No panel has this name; name another, or give its measures."""


class StartError(KioskError):
    """The kiosk can't start; the message says what to mend."""


class NoPanelError(KioskError):
    """There is no screen, or another than the panel; it may come. Try again until it does."""


class ScreenError(KioskError):
    """The screen has failed by what this error comes from; start the kiosk anew."""
