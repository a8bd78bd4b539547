"""Whether a panel has room for all that a kiosk may have to show: asked before it is shown."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from kiosk_app.error import KioskError, NoRoomError, NotAskableError
from kiosk_app.in_force import InForce
from kiosk_app.languages.catalogue import read_catalogues
from kiosk_app.layout.compositor import Compositor, Turned
from kiosk_app.layout.panel import DEFAULT_PANEL, named_panel
from kiosk_app.session import Progress
from kiosk_app.view import (
    About,
    Asked,
    Notice,
    NoticeKind,
    Posted,
    Question,
    Screen,
    Trouble,
    View,
)
from sync_service.contract.publication import Invitation, Publication
from sync_service.contract.questionnaire import Item
from sync_service.contract.stamp import Stamp

_MOST_WAITING: Final = 999_999
"""More records than a kiosk will ever hold."""


class Fitting:
    """Puts in force what the centre publishes, if the kiosk's panel has room for it.

    At first, on the main thread, it judges by the screen's own ``compositor``, which so has
    measured all that it will show; later, as another thread may ask, by one of its own.
    """

    def __init__(self, compositor: Compositor) -> None:
        self._compositor = compositor
        self._fits: tuple[Publication, Publication] | None = None

    def put_in_force(
        self, questionnaire: Publication, assignment: Publication, replies: Publication | None
    ) -> InForce:
        """What is in force by what the centre published.

        Raises:
            NotAskableError: it can't be asked here; the message says why, and what to do.
        """
        compositor = self._compositor
        in_force = InForce.of(questionnaire, assignment, replies, compositor.catalogues)
        if self._fits != (questionnaire, assignment):
            if self._fits is not None:
                compositor = Compositor(compositor.panel, compositor.catalogues)
            check_fit(in_force, compositor)
            self._fits = (questionnaire, assignment)
        return in_force

    def put_stamp_in_force(self, stamp: Stamp) -> InForce:
        """What a stamp alone puts in force: enough to speak to people while no store is open.

        Raises:
            NotAskableError: no kiosk with this panel would ask it; the message says why, and what
                to do.
        """
        questionnaire, assignment = (
            Publication.verify(signed, stamp.publishing_key)
            for signed in (stamp.questionnaire, stamp.assignment)
        )
        return self.put_in_force(questionnaire, assignment, None)


class StampJudge:
    """Says of stamps whether a kiosk would ask what they hold. It measures each word once."""

    def __init__(self) -> None:
        self._catalogues = read_catalogues()
        self._compositors: dict[str, Compositor] = {}

    def why_refused(self, stamp: Stamp) -> str | None:
        """Why no kiosk with the panel that a stamp names would ask what it holds, and what to do;
        None if one would.
        """
        name = stamp.panel or DEFAULT_PANEL
        try:
            if name not in self._compositors:
                self._compositors[name] = Compositor(named_panel(name), self._catalogues)
            Fitting(self._compositors[name]).put_stamp_in_force(stamp)
        except KioskError as error:
            return str(error)
        return None


def check_fit(in_force: InForce, compositor: Compositor) -> None:
    """See that a panel has room for each item that may be asked, in each language of the site.

    Raises:
        NotAskableError: it has not; the message names the item, the language and the panel.
    """
    panel = compositor.panel.name
    for case in _cases(in_force):
        try:
            for turned in case.turned:
                compositor.compose(case.view, turned)
        except NoRoomError:
            languages = " and ".join(case.view.languages)
            if case.item is None:
                raise NotAskableError(
                    f"the panel {panel} has no room for the kiosk's own words in {languages}:"
                    " use a larger panel"
                ) from None
            raise NotAskableError(
                f"{in_force.questionnaire.id}: {case.item} does not fit the panel {panel} in"
                f" {languages}: shorten its question or its options there, or use a larger panel"
            ) from None


@dataclass(frozen=True, slots=True)
class _Case:
    """Something that may have to be shown; ``item`` is the name of the item that it asks."""

    view: View
    item: str | None = None
    turned: tuple[Turned, ...] = (Turned(),)


def _cases(in_force: InForce) -> Iterator[_Case]:
    """All that takes most room. What stands on a wall takes no more than the way to it."""
    for language in in_force.languages:
        others = tuple(other for other in in_force.languages if other != language)
        yield from _own(in_force, language)
        for number, step in enumerate(in_force.steps(invited=True)):
            for item in step:
                yield from _asking(in_force, item, language, others, can_go_back=number > 0)
    if in_force.bilingual:
        yield from _at_rest(in_force.assignment.site_name, in_force.languages)
    first = [item for invited in (True, False) for item in next(in_force.steps(invited))]
    for item in {item.code: item for item in first}.values():
        if in_force.bilingual:
            yield _attract(in_force, item, in_force.languages, ())
        for language in in_force.languages:
            others = tuple(other for other in in_force.languages if other != language)
            yield _attract(in_force, item, (language,), others)


def _own(in_force: InForce, language: str) -> Iterator[_Case]:
    """The kiosk's own pages, beside those that are spread over leaves."""
    site, languages = in_force.assignment.site_name, (language,)
    for screen in (Screen.STILL_THERE, Screen.PAUSED, Screen.THANKS, Screen.DISCARDED):
        yield _Case(View(screen, site, languages))
    yield _Case(View(Screen.SAVING, site, languages, saving_shown=True))
    yield from _at_rest(site, languages)
    assignment = in_force.assignment
    about = About(assignment.organisation_name, assignment.contact, assignment.kept_months)
    yield _Case(View(Screen.ABOUT, site, languages, about=about))
    posted = _posted(languages)
    for screen in (Screen.REPLIES, Screen.VERDICT):
        yield _Case(View(screen, site, languages, posted=posted))


def _at_rest(site: str, languages: tuple[str, ...]) -> Iterator[_Case]:
    """What may stand where an attract screen would."""
    for trouble in Trouble:
        yield _Case(View(Screen.OUT_OF_SERVICE, site, languages, trouble=trouble))
    for notice in (Notice(NoticeKind.RETIRING, _MOST_WAITING), Notice(NoticeKind.ALL_SENT)):
        yield _Case(View(Screen.NOTICE, site, languages, notice=notice))


def _asking(
    in_force: InForce, item: Item, language: str, others: tuple[str, ...], *, can_go_back: bool
) -> Iterator[_Case]:
    """An item that was come back to, whatever was answered before."""
    if item.kind == "text":
        keyboard = (Turned(), Turned(leaf=1))
        view = _view(in_force, item, (language,), others, given="", can_go_back=can_go_back)
        yield _Case(view, item.name, keyboard)
        return
    for option in item.offered_options(in_force.assignment.stands):
        view = _view(
            in_force, item, (language,), others, given=option.code, can_go_back=can_go_back
        )
        yield _Case(view, item.name)


def _view(
    in_force: InForce,
    item: Item,
    languages: tuple[str, ...],
    others: tuple[str, ...],
    *,
    given: int | str | None = None,
    can_go_back: bool = False,
    posted: Posted | None = None,
) -> View:
    options = item.offered_options(in_force.assignment.stands)
    steps = len(in_force.questionnaire.ask)
    return View(
        Screen.ATTRACT if given is None else Screen.ASKING,
        in_force.assignment.site_name,
        languages,
        others,
        asked=Asked(
            item=item.code,
            kind=item.kind,
            questions=tuple(Question.of(item, options, language) for language in languages),
            given=given,
            max_length=item.max_length,
            progress=Progress(steps, steps),
            can_go_back=can_go_back,
            elsewhere=tuple(Question.of(item, options, language) for language in others),
        ),
        posted=posted,
    )


def _attract(
    in_force: InForce, item: Item, languages: tuple[str, ...], others: tuple[str, ...]
) -> _Case:
    posted = _posted((*languages, *others))
    return _Case(_view(in_force, item, languages, others, posted=posted), item.name)


def _posted(languages: tuple[str, ...]) -> Posted:
    """Something that stands on the wall between others."""
    text = {language: "-" for language in languages}
    invitation = Invitation(code=1, what=text, when=text, whom=text)
    return Posted(invitation, days_late=0, number=2, total=3)
