"""Pages with few words: what the kiosk has to say by itself."""

from collections.abc import Iterator
from typing import Final

from kiosk_app.languages.catalogue import Catalogue
from kiosk_app.layout.block import Spring
from kiosk_app.layout.frame import Column, Grid, Page, Part, Twins
from kiosk_app.layout.measures import GREAT, LARGE, LEAST, has_larger_type
from kiosk_app.layout.placed import Act, Align, Deed, Look, Tone
from kiosk_app.layout.setting import Setting
from kiosk_app.view import Screen, Trouble, View

_STEPS: Final = ((GREAT, LARGE), (LARGE, LEAST), (LEAST, LEAST))
"""The type of a heading and of what follows it; from the second on for two languages at once,
where the panel has no room for larger type.
"""


def message_pages(setting: Setting, view: View) -> Iterator[Page]:
    """A heading and what follows it, in each language, in the middle of the page."""
    small = len(view.languages) > 1 and not has_larger_type(setting.panel)
    steps = _STEPS[1:] if small else _STEPS
    for heading_step, step in steps:
        for here in setting.rooms:
            gap = here.measures.gap
            halves = []
            for language in view.languages:
                heading, line = _message(view, here.catalogues[language])
                under = [line] if line else []
                told = here.text(
                    heading,
                    heading_step,
                    bold=True,
                    tone=Tone.HEADING,
                    align=Align.CENTRE,
                    level=True,
                )
                more = [
                    here.text(text, step, tone=Tone.QUIET, align=Align.CENTRE, level=True)
                    for text in under
                ]
                message = (told, *more)
                springs = Part(Spring(), 1)
                column = Column((springs, *map(Part, message), springs), gap)
                halves.append((Part(column, 1),))
            between = 2 * here.measures.margin
            both = Twins(tuple(halves), gap, between, stacked=here.panel.upright)
            for head in ((Part(here.header(view)),), ()):
                yield here.page(*head, Part(both, grow=1))


def still_there_pages(setting: Setting, view: View) -> Iterator[Page]:
    """Whether the respondent is there, in the language of the session."""
    [language] = view.languages
    for heading_step, step in _STEPS:
        for here in setting.rooms:
            words, measures = here.catalogues[language], here.measures
            heading = here.text(
                words.still_there,
                heading_step,
                bold=True,
                tone=Tone.HEADING,
                align=Align.CENTRE,
                level=True,
            )
            offers = (
                here.offer(
                    "still-here",
                    words.still_here,
                    Deed(Act.STILL_HERE),
                    Look.STRONG,
                    step,
                    bold=True,
                ),
                here.offer(
                    "someone-new", words.someone_new, Deed(Act.SOMEONE_NEW), Look.PLAIN, step
                ),
            )
            grid = Grid(offers, 1 if here.panel.upright else 2, measures.gap)
            for head in ((Part(here.header(view)),), ()):
                yield here.page(
                    *head,
                    Part(Spring(), 1),
                    Part(heading),
                    Part(Spring(measures.gap), 1),
                    Part(grid, 1, grid.tallest(measures.tallest)),
                    Part(Spring(), 1),
                )


def _message(view: View, words: Catalogue) -> tuple[str, str]:
    match view.screen:
        case Screen.SAVING:
            return (words.saving, "") if view.saving_shown else ("", "")
        case Screen.THANKS:
            return words.thanks, words.saved
        case Screen.DISCARDED:
            return words.discarded, words.discarded_for
        case Screen.PAUSED:
            return words.paused, words.paused_for
    if view.trouble is Trouble.NOT_SAVED:
        return words.not_saved, words.still_trying
    return words.not_working, words.ask_staff
