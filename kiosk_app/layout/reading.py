"""Pages to be read: what happens to an answer, the service's replies, an accepted invitation.

What is too long for one page is spread over several leaves, with a way to the next.
"""

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Final

from kiosk_app.languages.catalogue import Catalogue
from kiosk_app.layout.block import Block, Notice, RowBlock, Spring, Text
from kiosk_app.layout.frame import Column, Page, Part, Rank
from kiosk_app.layout.offer import Offer
from kiosk_app.layout.placed import Act, Deed, Ground, Look, Tone
from kiosk_app.layout.reply import invited, passage, passages
from kiosk_app.layout.setting import FOOT_LINES, Setting
from kiosk_app.view import Posted, View
from sync_service.contract.record import Fairness

_LEAST_PIECE: Final = 2
"""No fewer lines of a text are left behind, or go on on the next leaf."""
_READ_BACK: Final = "read-back"
_READ_ON: Final = "read-on"


@dataclass(frozen=True, slots=True)
class Reading:
    """What a page to be read consists of: its heading, its texts, and its foot."""

    heading: Callable[[Catalogue], str]
    texts: Callable[[Setting], tuple[Text, ...]]
    foot: Callable[[Setting, list[Offer]], Iterator[tuple[Part, ...]]]
    ground: Ground


def about_page(view: View, language: str) -> Reading:
    """What happens to an answer."""
    about = view.about
    assert about is not None

    def texts(setting: Setting) -> tuple[Text, ...]:
        words, step = setting.catalogues[language], setting.measures.steps.reading
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
        labels = {
            Fairness.FAIR: words.fair,
            Fairness.PARTLY: words.partly,
            Fairness.UNFAIR: words.unfair,
        }
        verdicts = []
        for fairness in Fairness:
            name, deed = f"verdict-{fairness.name.lower()}", Deed(Act.VERDICT, (fairness, language))
            offer = setting.offer(name, labels[fairness], deed, Look.STRONG, bold=True)
            verdicts.append(replace(offer, most_lines=1))
        gap = setting.measures.gap
        turn = (Part(setting.row([], turning)),) if turning else ()
        for label in (words.no_verdict, words.skip_short):
            no_verdict = setting.offer("dismiss", label, Deed(Act.DISMISS))
            if not setting.panel.upright:
                yield (*turn, Part(Rank((tuple(verdicts), (no_verdict,)), gap, gap, FOOT_LINES)))
            yield (
                *turn,
                Part(Rank((tuple(verdicts),), gap, gap)),
                Part(setting.row([], [no_verdict])),
            )

    return Reading(lambda words: words.is_it_fair, _reply(posted, language), foot, Ground.NOTICE)


def invitation_page(view: View, language: str) -> Reading:
    """Thanks, with the invitation that was accepted."""
    invitation = view.invitation
    assert invitation is not None

    def texts(setting: Setting) -> tuple[Text, ...]:
        lead = setting.text(
            setting.catalogues[language].invitation,
            setting.measures.steps.reading,
            bold=True,
            tone=Tone.HEADING,
            ground=Ground.NOTICE,
        )
        return (lead, *invited(setting, invitation, language))

    def foot(setting: Setting, turning: list[Offer]) -> Iterator[tuple[Part, ...]]:
        yield setting.ruled(setting.row([], [*turning, _close(setting, language)]))

    return Reading(lambda words: words.thanks, texts, foot, Ground.NOTICE)


def reading_pages(setting: Setting, reading: Reading, language: str, leaf: int) -> Iterator[Page]:
    """The page with all of it; then a leaf of it, of as few leaves as there can be."""
    for here in setting.rooms:
        for foot in reading.foot(here, []):
            yield _page(here, reading, language, reading.texts(here), foot)
    spreads = []
    for here in setting.rooms:
        for foot in reading.foot(here, _turning(here, language, 1, 3)):
            leaves = _leaves(here, reading, language, foot)
            if leaves is not None:
                spreads.append((here, leaves))
    for here, leaves in sorted(spreads, key=lambda spread: len(spread[1])):
        at = min(leaf, len(leaves) - 1)
        for own_foot in reading.foot(here, _turning(here, language, at, len(leaves))):
            yield _page(here, reading, language, leaves[at], own_foot)


def _page(
    setting: Setting,
    reading: Reading,
    language: str,
    texts: Sequence[Text],
    foot: tuple[Part, ...],
) -> Page:
    words, step = setting.catalogues[language], setting.measures.steps.reading
    head = setting.text(reading.heading(words), step, bold=True, tone=Tone.HEADING)
    column = Column(tuple(passage(setting, text) for text in texts), setting.measures.gap)
    body: Block = column
    if reading.ground is not Ground.PAGE:
        body = Notice(column, reading.ground, _card_pad(setting))
    return setting.page(Part(head), Part(body), Part(Spring(), 1), *foot)


def _card_pad(setting: Setting) -> int:
    return setting.measures.pad + setting.measures.pad // 2


def _leaves(
    setting: Setting, reading: Reading, language: str, foot: tuple[Part, ...]
) -> list[list[Text]] | None:
    """The texts in as few leaves as they need, all about equally full; None if one fits no leaf."""
    page = setting.box
    width = page.width - (2 * _card_pad(setting) if reading.ground is not Ground.PAGE else 0)
    taken = _page(setting, reading, language, (), foot).block.height(page.width)
    if taken is None:
        return None
    texts, room = reading.texts(setting), page.height - taken
    leaves = _spread(setting, texts, width, room)
    if leaves is None or len(leaves) == 1:
        return leaves
    return _spread(setting, texts, width, room, len(leaves)) or leaves


def _spread(
    setting: Setting, texts: Sequence[Text], width: int, room: int, among: int | None = None
) -> list[list[Text]] | None:
    """The texts in leaves of a height, as full as they get or shared out evenly ``among`` so many:
    one of less than half a leaf stays whole, and a heading goes with what it heads. None if they
    don't fit.
    """
    gap = setting.measures.gap
    waiting = deque[tuple[Text, tuple[str, ...]]]()
    for text in texts:
        lines = text.lines(width)
        if lines is None:
            return None
        waiting.append((text, lines))
    leaves: list[list[Text]] = []
    while waiting:
        leaf: list[Text] = []
        if leaves and len(leaves[-1]) > 1 and leaves[-1][-1].tone is Tone.HEADING:
            leaf.append(leaves[-1].pop())
        limit, used = room, sum(_height(setting, text, width) + gap for text in leaf)
        if among is not None:
            if len(leaves) == among:
                return None
            left = used + sum(text.style.leading * len(lines) + gap for text, lines in waiting)
            limit = min(room, -(-left // (among - len(leaves))))
        while waiting:
            text, lines = waiting.popleft()
            headed = all(each.tone is Tone.HEADING for each in leaf)
            long = len(lines) > _lines_in(text, room) // 2
            count = _lines_in(text, (room if headed and not long else limit) - used)
            if len(lines) > count:
                count = min(count, len(lines) - _LEAST_PIECE) if long else 0
                if count < _LEAST_PIECE:
                    waiting.appendleft((text, lines))
                    break
                waiting.appendleft((text, lines[count:]))
            leaf.append(replace(text, words="\n".join(lines[:count])))
            used += _height(setting, leaf[-1], width) + gap
        if not leaf:
            return None
        leaves.append(leaf)
    return leaves


def _height(setting: Setting, text: Text, width: int) -> int:
    height = passage(setting, text).block.height(width)
    assert height is not None  # its lines were broken at this width
    return height


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


def _reply(posted: Posted, language: str) -> Callable[[Setting], tuple[Text, ...]]:
    return lambda setting: passages(setting, posted, language)
