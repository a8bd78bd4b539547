"""The root of the kiosk's errors.

::

    KioskError
    ├── NotAskableError    what is published can't be asked here: keep what was in force, say so
    ├── NotAdmittedError   not an answer to the item that is shown: don't record it
    ├── NoRoomError        a panel has no room for a page: don't begin to ask there
    ├── UnknownPanelError  no panel has this name: name another, or give its measures
    ├── ForeignRecordsError  the records here are another centre's: keep the stamp from before
    ├── StartError         the kiosk can't start: mend what the message names
    ├── NoPanelError       there is no screen yet: try again until there is, and say so
    ├── OtherPanelError    the screen is not the panel: say so on it, and try again
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


class ForeignRecordsError(KioskError):
    """The stamp is of another centre than the records that are here. Keep the one from before;
    ``waiting`` of them are not delivered yet.
    """

    def __init__(self, message: str, waiting: int) -> None:
        super().__init__(f"{message}. Records that wait in it to be delivered: {waiting}")
        self.waiting = waiting


class StartError(KioskError):
    """The kiosk can't start; the message says what to mend."""


class NoPanelError(KioskError):
    """There is no screen; it may come. Try again until it does."""


class OtherPanelError(KioskError):
    """The screen is another than the panel. Say so on it; the right one may come, so try again."""


class ScreenError(KioskError):
    """The screen has failed by what this error comes from; start the kiosk anew."""
