"""The page of a kiosk that does not ask: a word to whoever walks by, and what staff has to do."""

from collections.abc import Iterator
from typing import Final

from kiosk_app.languages.catalogue import Catalogue
from kiosk_app.layout import block
from kiosk_app.layout.block import Spring
from kiosk_app.layout.frame import Column, Page, Part, Twins
from kiosk_app.layout.measures import GREAT, LARGE, LEAST
from kiosk_app.layout.placed import Align, Ground, Tone
from kiosk_app.layout.setting import Setting
from kiosk_app.view import Notice, NoticeKind, View

_NOT_WORKING: Final = (NoticeKind.OTHER_PANEL, NoticeKind.DATA_MISSING, NoticeKind.SETTINGS)
_NO_LONGER: Final = (NoticeKind.RETIRING, NoticeKind.ALL_SENT, NoticeKind.RETIRED)


def notice_pages(setting: Setting, view: View) -> Iterator[Page]:
    """A heading for everybody, and under it a card for staff, in each language."""
    assert view.notice is not None
    for here in setting.rooms:
        for step in (GREAT, LARGE, LEAST):
            halves = [
                _half(here, view.notice, here.catalogues[language], step)
                for language in view.languages
            ]
            both = Twins(
                tuple(halves),
                here.measures.gap,
                between=2 * here.measures.margin,
                stacked=here.panel.upright,
            )
            yield here.page(Part(both, grow=1))


def _half(here: Setting, notice: Notice, words: Catalogue, step: float) -> tuple[Part, ...]:
    heading = here.text(
        _heading(notice, words),
        step,
        bold=True,
        tone=Tone.HEADING,
        align=Align.CENTRE,
        level=True,
        middle=True,
    )
    code = words.for_staff.format(code=notice.kind.value)
    told = words.notices[notice.kind].format(waiting=notice.waiting)
    texts = (
        here.text(code, bold=True, ground=Ground.NOTICE),
        here.text(told, ground=Ground.NOTICE),
    )
    column = Column(tuple(map(Part, texts)), here.measures.gap)
    card = block.Notice(column, Ground.NOTICE, here.measures.pad + here.measures.pad // 2)
    return Part(heading, 1), Part(card), Part(Spring())


def _heading(notice: Notice, words: Catalogue) -> str:
    if notice.kind in _NOT_WORKING:
        return words.not_working
    return words.no_longer_in_use if notice.kind in _NO_LONGER else words.not_in_use_yet
