"""The compositor: sets each view of the kiosk into a page for one panel."""

from collections import deque
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from kiosk_app.error import NoRoomError
from kiosk_app.languages.catalogue import Catalogue
from kiosk_app.layout.asking import asking_pages, attract_pages
from kiosk_app.layout.frame import Page
from kiosk_app.layout.lettering import Lettering
from kiosk_app.layout.measures import Measures, steps_on
from kiosk_app.layout.message import message_pages, still_there_pages
from kiosk_app.layout.notice import notice_pages
from kiosk_app.layout.panel import Panel
from kiosk_app.layout.placed import Act, Deed, Layout, Placed
from kiosk_app.layout.reading import (
    about_page,
    invitation_page,
    reading_pages,
    replies_page,
    verdict_page,
)
from kiosk_app.layout.setting import Setting
from kiosk_app.layout.writing import Keys, writing_pages
from kiosk_app.view import Screen, View

_READINGS: Final = {
    Screen.ABOUT: about_page,
    Screen.REPLIES: replies_page,
    Screen.VERDICT: verdict_page,
}
_LAYOUTS_KEPT: Final = 128
_DISMISSED: Final = (Screen.THANKS, Screen.DISCARDED)


@dataclass(frozen=True, slots=True)
class Turned:
    """What the respondent turned to on a page, which the kiosk knows nothing of."""

    leaf: int = 0
    keys: Keys = Keys.LETTERS


class Compositor:
    """Sets views into pages. It is quick the second time, as it keeps what it measured and set;
    only never a view that may hold what a respondent wrote.
    """

    def __init__(self, panel: Panel, catalogues: Mapping[str, Catalogue]) -> None:
        self.panel = panel
        self.catalogues = catalogues
        self.lettering = Lettering()
        self._settings = tuple(
            Setting(self.lettering, catalogues, Measures.on(panel, steps))
            for steps in steps_on(panel)
        )
        self._kept: deque[tuple[View, Turned, Layout]] = deque(maxlen=_LAYOUTS_KEPT)

    def compose(self, view: View, turned: Turned) -> Layout:
        """The page of a view.

        Raises:
            NoRoomError: the panel has no room for it.
        """
        if view.asked is not None and view.asked.kind == "text":
            return self._set(view, turned)
        for kept_view, kept_turned, layout in self._kept:  # a view has no hash: it holds mappings
            if (kept_view, kept_turned) == (view, turned):
                return layout
        layout = self._set(view, turned)
        self._kept.append((view, turned, layout))
        return layout

    def _set(self, view: View, turned: Turned) -> Layout:
        """A page in the panel's own type, or, where that is too large for it in one of the
        languages that can be changed to, in smaller type.
        """
        for setting in self._settings:
            placed = _first(setting, view, turned)
            if placed is None:
                continue
            if setting is self._settings[-1] or all(
                _first(setting, other, turned) is not None for other in view.in_other_languages
            ):
                dismisses = view.screen in _DISMISSED and view.invitation is None
                return Layout(placed, Deed(Act.DISMISS) if dismisses else None)
        raise NoRoomError(f"the panel {self.panel.name} has no room for {view.screen.value}")


def _first(setting: Setting, view: View, turned: Turned) -> tuple[Placed, ...] | None:
    """The best page of a view that fits, if one does."""
    return next(filter(None, (page.place() for page in _pages(setting, view, turned))), None)


def _pages(setting: Setting, view: View, turned: Turned) -> Iterator[Page]:
    """The ways to set a view, the best first."""
    match view.screen:
        case Screen.ATTRACT:
            return attract_pages(setting, view)
        case Screen.ASKING if view.asked is not None and view.asked.kind == "text":
            return writing_pages(setting, view, turned.leaf, turned.keys)
        case Screen.ASKING:
            return asking_pages(setting, view)
        case Screen.STILL_THERE:
            return still_there_pages(setting, view)
        case Screen.NOTICE:
            return notice_pages(setting, view)
        case Screen.ABOUT | Screen.REPLIES | Screen.VERDICT:
            reading = _READINGS[view.screen](view, view.languages[0])
            return reading_pages(setting, reading, view.languages[0], turned.leaf)
        case Screen.THANKS if view.invitation is not None:
            reading = invitation_page(view, view.languages[0])
            return reading_pages(setting, reading, view.languages[0], turned.leaf)
    return message_pages(setting, view)
