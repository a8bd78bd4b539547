"""Pages to be read: what happens to an answer, the service's replies, an accepted invitation.

What is too long for one page is spread over several leaves, with a way to the next.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Final

from kiosk_app.languages.catalogue import Catalogue
from kiosk_app.layout.block import Block, Notice, RowBlock, Spring, Text
from kiosk_app.layout.frame import Column, Grid, Page, Part
from kiosk_app.layout.measures import LARGE, LEAST
from kiosk_app.layout.offer import Offer
from kiosk_app.layout.placed import Act, Deed, Ground, Look, Tone
from kiosk_app.layout.reply import invited, passage, passages
from kiosk_app.layout.setting import Setting
from kiosk_app.view import Posted, View
from sync_service.contract.record import Fairness

_STEPS: Final = (LARGE, LEAST)
_LEAST_MEASURE_EMS: Final = 15
_READ_BACK: Final = "read-back"
_READ_ON: Final = "read-on"


@dataclass(frozen=True, slots=True)
class Reading:
    """What a page to be read consists of: its texts at a step of the scale, and its foot."""

    heading: Callable[[Catalogue], str]
    texts: Callable[[Setting, float], tuple[Text, ...]]
    foot: Callable[[Setting, list[Offer]], Iterator[tuple[Part, ...]]]
    ground: Ground


def about_page(view: View, language: str) -> Reading:
    """What happens to an answer."""
    about = view.about
    assert about is not None

    def texts(setting: Setting, step: float) -> tuple[Text, ...]:
        words = setting.catalogues[language]
        organisation, months = about.organisation_name, about.kept_months
        contact = about.contact.get(language)
        lines = [
            words.who_asks_here.format(site=view.site_name)
            if organisation is None
            else words.who_asks.format(organisation=organisation),
            words.what_is_kept,
        ]
        if months is not None:
            lines.append(
                words.kept_for_one if months == 1 else words.kept_for.format(months=months)
            )
        lines += [f"{words.no_camera} {words.staff_cannot_see}"]
        lines.append(
            words.whom_to_ask_here if contact is None else words.whom_to_ask.format(contact=contact)
        )
        return tuple(setting.text(line, step, broken=True) for line in lines)

    def foot(setting: Setting, turning: list[Offer]) -> Iterator[tuple[Part, ...]]:
        yield setting.ruled(setting.row([], [*turning, _close(setting, language)]))

    return Reading(lambda words: words.about, texts, foot, Ground.PAGE)


def replies_page(view: View, language: str) -> Reading:
    """One of the service's replies."""
    posted = view.posted
    assert posted is not None

    def foot(setting: Setting, turning: list[Offer]) -> Iterator[tuple[Part, ...]]:
        words = setting.catalogues[language]
        left: list[RowBlock] = []
        ways = {way.name for way in turning}
        if posted.number > 1 and _READ_BACK not in ways:
            left.append(
                setting.offer("previous-reply", words.previous_reply, Deed(Act.PREVIOUS_REPLY))
            )
        if posted.number < posted.total and _READ_ON not in ways:
            left.append(setting.offer("next-reply", words.next_reply, Deed(Act.NEXT_REPLY)))
        for row in setting.footers(left, [*turning, _close(setting, language)]):
            yield setting.ruled(row)

    return Reading(lambda words: words.replies, _reply(posted, language), foot, Ground.NOTICE)


def verdict_page(view: View, language: str) -> Reading:
    """An answer, and whether it is a fair one."""
    posted = view.posted
    assert posted is not None

    def foot(setting: Setting, turning: list[Offer]) -> Iterator[tuple[Part, ...]]:
        words = setting.catalogues[language]
        verdicts = [
            setting.offer(
                f"verdict-{fairness.name.lower()}",
                {
                    Fairness.FAIR: words.fair,
                    Fairness.PARTLY: words.partly,
                    Fairness.UNFAIR: words.unfair,
                }[fairness],
                Deed(Act.VERDICT, (fairness, language)),
                Look.STRONG,
                bold=True,
            )
            for fairness in Fairness
        ]
        gap = setting.measures.gap
        turn = (Part(setting.row([], turning)),) if turning else ()
        for label in (words.no_verdict, words.skip_short):
            no_verdict = setting.offer("dismiss", label, Deed(Act.DISMISS))
            if not setting.panel.upright:
                yield (*turn, Part(Grid((*verdicts, no_verdict), len(verdicts) + 1, gap)))
            yield (
                *turn,
                Part(Grid(tuple(verdicts), len(verdicts), gap)),
                Part(setting.row([], [no_verdict])),
            )

    return Reading(lambda words: words.is_it_fair, _reply(posted, language), foot, Ground.NOTICE)


def invitation_page(view: View, language: str) -> Reading:
    """Thanks, with the invitation that was accepted."""
    invitation = view.invitation
    assert invitation is not None

    def texts(setting: Setting, step: float) -> tuple[Text, ...]:
        lead = setting.text(
            setting.catalogues[language].invitation,
            step,
            bold=True,
            tone=Tone.HEADING,
            ground=Ground.NOTICE,
        )
        return (lead, *invited(setting, invitation, language, step))

    def foot(setting: Setting, turning: list[Offer]) -> Iterator[tuple[Part, ...]]:
        yield setting.ruled(setting.row([], [*turning, _close(setting, language)]))

    return Reading(lambda words: words.thanks, texts, foot, Ground.NOTICE)


def reading_pages(setting: Setting, reading: Reading, language: str, leaf: int) -> Iterator[Page]:
    """The page with all of it, as large as it gets; then a leaf of it."""
    for tight in (False, True):
        here = setting.with_room(tight=tight)
        for step in _STEPS if _has_measure(here) else _STEPS[-1:]:
            for foot in reading.foot(here, []):
                yield _page(here, reading, language, reading.texts(here, step), foot)
    tight_setting = setting.with_room(tight=True)
    for foot in reading.foot(tight_setting, _turning(tight_setting, language, 1, 3)):
        leaves = _leaves(tight_setting, reading, language, foot)
        if leaves is None:
            continue
        at = min(leaf, len(leaves) - 1)
        turning = _turning(tight_setting, language, at, len(leaves))
        for own_foot in reading.foot(tight_setting, turning):
            yield _page(tight_setting, reading, language, leaves[at], own_foot)


def _page(
    setting: Setting,
    reading: Reading,
    language: str,
    texts: Sequence[Text],
    foot: tuple[Part, ...],
) -> Page:
    measures = setting.measures
    head = setting.text(
        reading.heading(setting.catalogues[language]),
        LEAST if measures.tight else LARGE,
        bold=True,
        tone=Tone.HEADING,
    )
    column = Column(tuple(passage(setting, text) for text in texts), measures.gap)
    body: Block = column
    if reading.ground is not Ground.PAGE:
        body = Notice(column, reading.ground, _card_pad(setting))
    return setting.page(Part(head), Part(body), Part(Spring(), 1), *foot)


def _has_measure(setting: Setting) -> bool:
    """Whether a line of large type is long enough to be read with ease."""
    measures = setting.measures
    least = _LEAST_MEASURE_EMS * measures.style(LARGE).size
    return not measures.tight and setting.box.width >= least


def _card_pad(setting: Setting) -> int:
    return setting.measures.pad + setting.measures.pad // 2


def _leaves(
    setting: Setting, reading: Reading, language: str, foot: tuple[Part, ...]
) -> list[list[Text]] | None:
    """The texts in leaves that each fit a page: a text stays whole where a leaf has room for it,
    and a heading is never the last on its leaf.
    """
    page, gap = setting.box, setting.measures.gap
    width = page.width - (2 * _card_pad(setting) if reading.ground is not Ground.PAGE else 0)
    taken = _page(setting, reading, language, (), foot).block.height(page.width)
    if taken is None:
        return None
    room = page.height - taken
    leaves: list[list[Text]] = [[]]
    left = room
    for text in reading.texts(setting, LEAST):
        lines = text.lines(width)
        if lines is None:
            return None
        rest = list(lines)
        while rest:
            count = _lines_in(text, left)
            whole = len(rest) <= count or len(rest) > _lines_in(text, room)
            leads = text.tone is Tone.HEADING and left < 3 * text.style.leading
            if count == 0 or leads or not whole:
                if not leaves[-1]:
                    return None
                leaves.append([])
                left = room
                continue
            here, rest = rest[:count], rest[count:]
            leaves[-1].append(replace(text, words="\n".join(here)))
            taken = passage(setting, leaves[-1][-1]).block.height(width)
            assert taken is not None
            left -= taken + gap
    return leaves


def _lines_in(text: Text, height: int) -> int:
    """How many lines of a text a height has room for."""
    count = 0
    while text.style.height(count + 1) <= height:
        count += 1
    return count


def _turning(setting: Setting, language: str, leaf: int, leaves: int) -> list[Offer]:
    """The ways to the leaf before and to the next."""
    words = setting.catalogues[language]
    turning: list[Offer] = []
    if leaf > 0:
        turning.append(setting.offer(_READ_BACK, words.back, Deed(Act.LEAF, (leaf - 1,))))
    if leaf < leaves - 1:
        turning.append(
            setting.offer(_READ_ON, words.read_on, Deed(Act.LEAF, (leaf + 1,)), Look.STRONG)
        )
    return turning


def _close(setting: Setting, language: str) -> RowBlock:
    return setting.offer(
        "close", setting.catalogues[language].close, Deed(Act.DISMISS), Look.STRONG
    )


def _reply(posted: Posted, language: str) -> Callable[[Setting, float], tuple[Text, ...]]:
    return lambda setting, step: passages(setting, posted, language, step)
