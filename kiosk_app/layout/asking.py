"""The page that asks an item, and the attract page, which asks the first to whoever comes."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Final

from kiosk_app.layout.answers import arrangements
from kiosk_app.layout.block import Block, RowBlock, Spring, Text
from kiosk_app.layout.frame import Beside, Column, Page, Part, Twins
from kiosk_app.layout.measures import GREAT, LARGE, LEAST
from kiosk_app.layout.offer import Offer
from kiosk_app.layout.placed import Act, Deed, Look, Tone
from kiosk_app.layout.reply import notice
from kiosk_app.layout.setting import Setting
from kiosk_app.view import Asked, Question, View

_STEPS: Final = ((GREAT, LARGE), (LARGE, LARGE), (LARGE, LEAST), (LEAST, LEAST))
"""The type of question and answers, from the largest down."""


@dataclass(frozen=True, slots=True)
class Room:
    """What a page leaves out where there is little room: wide margins, its header, the air between
    its parts, long words, the progress, and the other languages.
    """

    tight: bool = False
    header: bool = True
    packed: bool = False
    short: bool = False
    progress: bool = True
    languages: bool = True


_ROOMS: Final = (
    Room(),
    Room(header=False),
    Room(tight=True),
    Room(tight=True, header=False),
    Room(tight=True, header=False, packed=True),
    Room(tight=True, header=False, packed=True, short=True),
    Room(tight=True, header=False, packed=True, short=True, progress=False),
    Room(tight=True, header=False, packed=True, short=True, progress=False, languages=False),
)
"""What is left out, from nothing on."""


def asking_pages(setting: Setting, view: View) -> Iterator[Page]:
    """A rating or a choice, in the language of the session."""
    assert view.asked is not None
    asked, [question] = view.asked, view.asked.questions
    language = question.language
    for room in _ROOMS:
        here = setting.with_room(tight=room.tight)
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
        yield from _pages(here, asked, question, heads, (left, right), packed=room.packed)


def _pages(
    setting: Setting,
    asked: Asked,
    question: Question,
    heads: Iterator[tuple[Part, ...]],
    feet: tuple[list[RowBlock], list[RowBlock]],
    *,
    packed: bool,
) -> Iterator[Page]:
    """A question and its answers between head and foot, as large as there is room for."""
    tops = [(head, setting.height_of(*head)) for head in heads]
    for foot in setting.footers(*feet):
        ruled = setting.ruled(foot)
        under = setting.height_of(*ruled)
        for head, over in tops:
            if over is None or under is None:
                continue
            for asks, answers in _questions(setting, asked, question, packed=packed):
                between = setting.height_of(asks)
                if between is None:
                    continue
                spare = setting.box.height - over - between - under
                for way in _low_enough(setting, answers, spare):
                    body = (asks, *way) if packed else _aired(setting, asks, way)
                    yield setting.page(*head, *body, *ruled)


def _low_enough(
    setting: Setting,
    arrangements: Iterator[tuple[Part, ...]],
    most: int,
    width: int | None = None,
) -> Iterator[tuple[Part, ...]]:
    """Those arrangements that a height may have room for: looked at before all of a page is."""
    for answers in arrangements:
        height = setting.height_of(*answers, width=width)
        if height is not None and height <= most:
            yield answers


def _questions(
    setting: Setting, asked: Asked, question: Question, *, packed: bool
) -> Iterator[tuple[Part, Iterator[tuple[Part, ...]]]]:
    """A question with the ways to answer it: the clearest ways, from the largest down, first."""
    narrow = setting.panel.upright
    ways = arrangements(setting, asked, question, narrow=narrow)
    for arrangement in ways if narrow or packed else ways[:-1]:
        for question_step, answer_step in _steps(setting):
            yield _asks(setting, question, question_step), arrangement(answer_step)


def _steps(setting: Setting) -> tuple[tuple[float, float], ...]:
    return _STEPS[-1:] if setting.measures.tight else _STEPS


def _asks(setting: Setting, question: Question, step: float) -> Part:
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
    if view.posted is not None:
        for posted in notice(setting, view.posted, question.language):
            yield from _attract_with_notice(setting, view, asked, question, posted)
    for room in _ROOMS:
        here = setting.with_room(tight=room.tight)
        language = question.language
        left = _reading(here, view, language)
        right = [*here.other_languages(view), here.skip(asked, language, short=room.short)]
        heads = _greetings(here, view, language) if room.header else iter([()])
        yield from _pages(here, asked, question, heads, (left, right), packed=room.packed)


def _greetings(setting: Setting, view: View, language: str) -> Iterator[tuple[Part, ...]]:
    """What an idle kiosk says first, from all of it down to the least."""
    words = setting.catalogues[language]
    lead = Part(_lead(setting, f"{words.greeting} {words.touch_an_answer}"))
    for header in _headers(setting, view, ""):
        yield (*header, lead)
    yield (Part(_lead(setting, words.touch_an_answer)),)


def _attract_with_notice(
    setting: Setting, view: View, asked: Asked, question: Question, posted: Block
) -> Iterator[Page]:
    """The attract page in one language, with what the service replies over it or beside it."""
    language = question.language
    words = setting.catalogues[language]
    lead = Part(_lead(setting, f"{words.greeting} {words.touch_an_answer}"))
    left = _reading(setting, view, language)
    right = [*setting.other_languages(view), setting.skip(asked, language, short=False)]
    for head in _headers(setting, view, ""):
        if setting.panel.upright:
            over = iter([(*head, Part(posted), lead)])
            yield from _pages(setting, asked, question, over, (left, right), packed=False)
        else:
            under = setting.ruled(setting.row(left, right))
            yield from _beside_notice(setting, asked, question, posted, (head, lead, under))


def _beside_notice(
    setting: Setting,
    asked: Asked,
    question: Question,
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
    for asks, answers in _questions(setting, asked, question, packed=False):
        over = setting.height_of(lead, asks, width=across)
        if over is not None:
            room = setting.box.height - taken - over
            for way in _low_enough(setting, answers, room, across):
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
    each = [arrangements(setting, asked, question, narrow=True) for question in asked.questions]
    for twins in zip(*each, strict=True):
        for question_step, answer_step in _STEPS:
            for ways in zip(*(arrangement(answer_step) for arrangement in twins), strict=True):
                halves = []
                for question, answers in zip(asked.questions, ways, strict=True):
                    language = question.language
                    lead = setting.catalogues[language].touch_an_answer
                    skip = setting.skip(asked, language, short=False)
                    halves.append(
                        (
                            Part(_lead(setting, lead)),
                            _asks(setting, question, question_step),
                            Part(Spring(), 1),
                            *(replace(part, grow=0) for part in answers),
                            Part(Spring(), 1),
                            Part(setting.row(_reading(setting, view, language), [skip])),
                        )
                    )
                yield _both(setting, view, halves)


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
        for room in _ROOMS[:4]:
            here = setting.with_room(tight=room.tight)
            for question_step, answer_step in _steps(here):
                halves = [
                    (
                        Part(Spring(), 1),
                        _asks(here, question, question_step)
                        if asks
                        else Part(_greeting(here, question.language, question_step)),
                        Part(Spring(), 1),
                        Part(_door(here, question.language, answer_step)),
                        Part(Spring(), 1),
                        Part(here.row(_reading(here, view, question.language), [])),
                    )
                    for question in asked.questions
                ]
                yield _both(here, view, halves, headed=room.header)


def _greeting(setting: Setting, language: str, step: float) -> Text:
    words = setting.catalogues[language]
    return setting.text(words.greeting, step, bold=True, tone=Tone.HEADING, level=True)


def _door(setting: Setting, language: str, step: float) -> Offer:
    words = setting.catalogues[language].touch_here
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
