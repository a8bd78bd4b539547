"""The page that asks an item, and the attract page, which asks the first to whoever comes."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import chain, product
from typing import Final, TypeAlias

from kiosk_app.layout.answers import Answers
from kiosk_app.layout.block import Block, RowBlock, Spring, Text
from kiosk_app.layout.frame import Beside, Column, Page, Part, Twins
from kiosk_app.layout.measures import LEAST_STEPS, steps_on
from kiosk_app.layout.offer import Offer
from kiosk_app.layout.placed import Act, Deed, Look, Tone
from kiosk_app.layout.reply import notice
from kiosk_app.layout.setting import CROWDED_FOOT_LINES, FOOT_LINES, Setting
from kiosk_app.view import Asked, Question, View


@dataclass(frozen=True, slots=True)
class Room:
    """What a page leaves out where there is little room: long words, wide gaps, margins, its
    header, the air between its parts, the progress, and the other languages.
    """

    short: bool = False
    tight: bool = False
    edge: bool = False
    header: bool = True
    packed: bool = False
    progress: bool = True
    languages: bool = True


_ROOMS: Final = (
    (Room(), Room(short=True), Room(header=False), Room(short=True, header=False)),
    (
        Room(tight=True),
        Room(short=True, tight=True),
        Room(tight=True, edge=True),
        Room(short=True, tight=True, edge=True),
    ),
    (
        Room(short=True, tight=True, header=False),
        Room(short=True, tight=True, edge=True, header=False),
    ),
)
_SMALL_ROOMS: Final = (
    Room(short=True, tight=True, edge=True, header=False, packed=True),
    Room(short=True, tight=True, edge=True, header=False, packed=True, progress=False),
    Room(
        short=True,
        tight=True,
        edge=True,
        header=False,
        packed=True,
        progress=False,
        languages=False,
    ),
)
"""What is left out, from nothing on."""

Ways: TypeAlias = Iterable[tuple[Part, ...]]
"""The ways to set the answers of a question, the clearest first."""

Arranged: TypeAlias = Callable[[Answers], Ways]

_ROW: Final[tuple[Arranged, ...]] = (Answers.in_a_row, Answers.side_by_side)
_COLUMN: Final[tuple[Arranged, ...]] = (Answers.in_a_column, Answers.in_two_columns)


def _attempts(setting: Setting) -> Iterator[tuple[Arranged, Room]]:
    """How to arrange answers, and in which room. A panel's own direction comes before the other; a
    scale is broken only where it fits no line, whatever is left out.
    """
    rooms = tuple(chain.from_iterable(_ROOMS))
    if setting.panel.upright:
        own, other = _COLUMN, _ROW
        yield from product(own, rooms)
    else:
        own, other = _ROW, _COLUMN
        yield from chain.from_iterable(product(own, alike) for alike in _ROOMS)
    yield from ((arranged, room) for room in _SMALL_ROOMS for arranged in own)
    yield from product((*other, Answers.in_rows), (*rooms, *_SMALL_ROOMS))


def asking_pages(setting: Setting, view: View) -> Iterator[Page]:
    """A rating or a choice, in the language of the session."""
    assert view.asked is not None
    asked, [question] = view.asked, view.asked.questions
    language = question.language
    for arranged, room in _attempts(setting):
        here = setting.with_room(tight=room.tight, edge=room.edge)
        words = here.catalogues[language]
        progress = here.progress(asked, language)
        left: list[RowBlock] = []
        if asked.can_go_back:
            left.append(here.offer("back", words.back, Deed(Act.BACK, (asked.item, language))))
        left.append(here.offer("stop", words.stop, Deed(Act.STOP)))
        right: list[RowBlock] = []
        if not room.header and room.progress:
            left += [Spring(), here.text(progress, tone=Tone.QUIET, middle=True)]
        if room.languages:
            right += here.other_languages(view)
        right.append(here.skip(asked, language, short=room.short))
        if isinstance(asked.given, int):
            onward = Deed(Act.ANSWER, (asked.item, asked.given, language))
            right.append(here.offer("next", words.next, onward, Look.STRONG))
        heads = _headers(here, view, progress) if room.header else iter([()])
        ways = tuple(arranged(Answers.of(here, asked, question)))
        yield from _pages(here, question, ways, heads, (left, right), packed=room.packed)


def _pages(
    setting: Setting,
    question: Question,
    ways: Ways,
    heads: Iterator[tuple[Part, ...]],
    feet: tuple[list[RowBlock], list[RowBlock]],
    *,
    packed: bool,
) -> Iterator[Page]:
    """A question and its answers between head and foot."""
    asks = _asks(setting, question)
    between = setting.height_of(asks)
    tops = [(head, setting.height_of(*head)) for head in heads]
    for foot in setting.footers(*feet, CROWDED_FOOT_LINES if packed else FOOT_LINES):
        ruled = setting.ruled(foot)
        under = setting.height_of(*ruled)
        for head, over in tops:
            if over is None or between is None or under is None:
                continue
            spare = setting.box.height - over - between - under
            for way in _low_enough(setting, ways, spare):
                if packed:
                    yield setting.page(*head, asks, *way, Part(Spring(), 0.5), *ruled)
                    yield setting.page(*head, asks, *way, *ruled)
                else:
                    yield setting.page(*head, *_aired(setting, asks, way), *ruled)


def _low_enough(
    setting: Setting, ways: Ways, most: int, width: int | None = None
) -> Iterator[tuple[Part, ...]]:
    """Those ways that a height may have room for: looked at before all of a page is."""
    for answers in ways:
        height = setting.height_of(*answers, width=width)
        if height is not None and height <= most:
            yield answers


def _asks(setting: Setting, question: Question) -> Part:
    step = setting.measures.steps.question
    return Part(setting.text(question.text, step, bold=True, tone=Tone.HEADING, level=True))


def attract_pages(setting: Setting, view: View) -> Iterator[Page]:
    """The first item, for whoever comes: in one language, in two with equal room, or two doors."""
    assert view.asked is not None
    asked = view.asked
    if len(asked.questions) > 1:
        yield from _halves(setting, view, asked)
        yield from _doors(setting, view, asked)
        return
    [question] = asked.questions
    language = question.language
    if view.posted is not None:
        for arranged in _COLUMN if setting.panel.upright else _ROW:
            yield from _with_notice(setting, view, asked, question, arranged)
    for arranged, room in _attempts(setting):
        here = setting.with_room(tight=room.tight, edge=room.edge)
        left = _reading(here, view, language)
        right = [*here.other_languages(view), here.skip(asked, language, short=room.short)]
        heads = _greetings(here, view, language, room)
        ways = tuple(arranged(Answers.of(here, asked, question)))
        yield from _pages(here, question, ways, heads, (left, right), packed=room.packed)


def _greetings(
    setting: Setting, view: View, language: str, room: Room
) -> Iterator[tuple[Part, ...]]:
    """What an idle kiosk says first, from all of it down to the least."""
    words = setting.catalogues[language]
    if room.header:
        lead = Part(_lead(setting, f"{words.greeting} {words.touch_an_answer}"))
        for header in _headers(setting, view, ""):
            yield (*header, lead)
    else:
        yield (Part(_lead(setting, words.touch_an_answer)),)
    if room.packed:
        yield ()


def _with_notice(
    setting: Setting, view: View, asked: Asked, question: Question, arranged: Arranged
) -> Iterator[Page]:
    """The attract page in one language, with what the service replies over it, or, in the least
    type, beside it.
    """
    assert view.posted is not None
    upright, language = setting.panel.upright, question.language
    here = setting if upright else setting.with_steps(LEAST_STEPS)
    words = here.catalogues[language]
    lead = Part(_lead(here, f"{words.greeting} {words.touch_an_answer}"))
    left = _reading(here, view, language)
    right = [*here.other_languages(view), here.skip(asked, language, short=False)]
    ways = tuple(arranged(Answers.of(here, asked, question)))
    for posted in notice(here, view.posted, language):
        for head in _headers(here, view, ""):
            if upright:
                over = iter([(*head, Part(posted), lead)])
                yield from _pages(here, question, ways, over, (left, right), packed=False)
            else:
                frame = (head, lead, here.ruled(here.row(left, right)))
                yield from _beside_notice(here, question, ways, posted, frame)


def _beside_notice(
    setting: Setting,
    question: Question,
    ways: Ways,
    posted: Block,
    frame: tuple[tuple[Part, ...], Part, tuple[Part, ...]],
) -> Iterator[Page]:
    """A question and its answers, and a notice beside them, within head, lead and foot."""
    head, lead, foot = frame
    gap = setting.measures.gap
    beside = Beside((Spring(), posted), (2, 1), 2 * gap)
    taken, least = setting.height_of(*head, *foot), beside.height(setting.box.width)
    if taken is None or least is None or least > setting.box.height - taken:
        return
    across = beside.widths(setting.box.width)[0]
    asks = _asks(setting, question)
    over = setting.height_of(lead, asks, width=across)
    if over is None:
        return
    for way in _low_enough(setting, ways, setting.box.height - taken - over, across):
        asking = Column((lead, *_aired(setting, asks, way)), gap)
        main = Part(replace(beside, blocks=(asking, posted)), 1)
        yield setting.page(*head, main, *foot)


def _lead(setting: Setting, words: str) -> Text:
    return setting.text(words, tone=Tone.QUIET, level=True)


def _headers(setting: Setting, view: View, right: str) -> Iterator[tuple[Part, ...]]:
    """The header with the site's name, and without it, for one that is too long for a line."""
    yield (Part(setting.header(view, right)),)
    yield (Part(setting.text(right, tone=Tone.QUIET)),) if right else ()


def _aired(setting: Setting, asks: Part, answers: tuple[Part, ...]) -> tuple[Part, ...]:
    """A question and its answers with air between, low on a panel that is higher than wide."""
    measures = setting.measures
    above = Part(Spring(), grow=12 if setting.panel.upright else 0.5)
    between = Part(Spring(0 if measures.tight else measures.gap), 0.5)
    return (above, asks, between, *answers, Part(Spring(), 0.5))


def _halves(setting: Setting, view: View, asked: Asked) -> Iterator[Page]:
    """A bilingual site's page: both languages with equal room and equal buttons."""
    for arranged in (*_COLUMN, *_ROW, Answers.in_rows):
        for here in map(setting.with_steps, steps_on(setting.panel)):
            each = [arranged(Answers.of(here, asked, question)) for question in asked.questions]
            for ways in zip(*each, strict=True):
                halves = []
                for question, answers in zip(asked.questions, ways, strict=True):
                    language = question.language
                    lead = here.catalogues[language].touch_an_answer
                    skip = here.skip(asked, language, short=False)
                    halves.append(
                        (
                            Part(_lead(here, lead)),
                            _asks(here, question),
                            Part(Spring(), 1),
                            *(replace(part, grow=0) for part in answers),
                            Part(Spring(), 1),
                            Part(here.row(_reading(here, view, language), [skip])),
                        )
                    )
                yield _both(here, view, halves)


def _reading(setting: Setting, view: View, language: str) -> list[RowBlock]:
    """The ways to what can be read beside a question."""
    if view.posted is None:
        return [setting.about(language)]
    return [setting.about(language), setting.replies(language)]


def _doors(setting: Setting, view: View, asked: Asked) -> Iterator[Page]:
    """Where two languages don't fit at once: a door into each, under its question, or, where that
    is too long, under a greeting.
    """
    for asks in (True, False):
        for here in map(setting.with_steps, steps_on(setting.panel)):
            for roomy, headed in product(here.rooms, (True, False)):
                lines = CROWDED_FOOT_LINES if roomy.measures.edge else FOOT_LINES
                halves = [
                    (
                        Part(Spring(), 1),
                        _asks(roomy, question) if asks else _greeting(roomy, question.language),
                        Part(Spring(), 1),
                        Part(_door(roomy, question.language)),
                        Part(Spring(), 1),
                        Part(roomy.row(_reading(roomy, view, question.language), [], lines)),
                    )
                    for question in asked.questions
                ]
                yield _both(roomy, view, halves, headed=headed)


def _greeting(setting: Setting, language: str) -> Part:
    words, step = setting.catalogues[language], setting.measures.steps.question
    return Part(setting.text(words.greeting, step, bold=True, tone=Tone.HEADING, level=True))


def _door(setting: Setting, language: str) -> Offer:
    words, step = setting.catalogues[language].touch_here, setting.measures.steps.answer
    deed = Deed(Act.LANGUAGE, (language,))
    return setting.offer(f"language-{language}", words, deed, Look.STRONG, step, bold=True)


def _both(
    setting: Setting, view: View, halves: Sequence[tuple[Part, ...]], *, headed: bool = True
) -> Page:
    """Two halves with equal room: beside each other, or one under the other."""
    gap = setting.measures.gap
    head = (Part(setting.header(view)),) if headed else ()
    between = 2 * setting.measures.margin
    both = Twins(tuple(halves), gap, between, stacked=setting.panel.upright)
    return setting.page(*head, Part(both, grow=1))
