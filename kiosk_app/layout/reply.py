"""What a service replies, in words: what it owes, what it answers, what it invites to."""

from collections.abc import Iterator
from datetime import date
from typing import Final

from kiosk_app.languages.catalogue import Catalogue
from kiosk_app.layout.block import Block, Chip, Notice, Text
from kiosk_app.layout.frame import Column, Part
from kiosk_app.layout.placed import Ground, Tone
from kiosk_app.layout.setting import Setting
from kiosk_app.view import Posted
from sync_service.contract.publication import Answer, Invitation, Outcome, Owed

_FIRST_WORDS: Final = 12


def passages(
    setting: Setting, posted: Posted, language: str, most_words: int | None = None
) -> tuple[Text, ...]:
    """A reply, passage by passage; of what is long in it, so many words at most."""
    words, step = setting.catalogues[language], setting.measures.steps.reading

    def said(text: str, tone: Tone = Tone.PLAIN) -> Text:
        return setting.text(
            _first(text, most_words), step, tone=tone, ground=Ground.NOTICE, broken=True
        )

    def heading(text: str) -> Text:
        return setting.text(text, step, bold=True, tone=Tone.HEADING, ground=Ground.NOTICE)

    late: tuple[Text, ...] = ()
    if posted.days_late:
        lateness = words.day_late if posted.days_late == 1 else words.days_late
        told = lateness.format(days=posted.days_late)
        late = (setting.text(told, step, bold=True, ground=Ground.LATE),)

    match posted.reply:
        case Owed() as owed:
            promise = words.owed.format(date=in_words(owed.due, words))
            return (
                said(owed.said[language]),
                heading(promise),
                *late,
                said(words.signed_by.format(who=owed.signed_by[language]), Tone.QUIET),
            )
        case Answer() as answer:
            return (
                heading(words.you_said),
                said(answer.said[language]),
                heading(_outcome(answer, words)),
                *late,
                said(answer.reply[language]),
                said(words.signed_by.format(who=answer.signed_by[language]), Tone.QUIET),
            )
        case Invitation() as invitation:
            return (heading(words.invited), *invited(setting, invitation, language))


def invited(setting: Setting, invitation: Invitation, language: str) -> tuple[Text, ...]:
    """An invitation: what, when, whom to ask."""
    step = setting.measures.steps.reading
    return tuple(
        setting.text(text[language], step, ground=Ground.NOTICE, broken=True)
        for text in (invitation.what, invitation.when, invitation.whom)
    )


def notice(setting: Setting, posted: Posted, language: str) -> Iterator[Block]:
    """A reply as it stands on the wall: all of it, or its first words where it is long."""
    for most_words in (None, _FIRST_WORDS):
        texts = passages(setting, posted, language, most_words)
        column = Column(tuple(passage(setting, text) for text in texts), setting.measures.gap)
        yield Notice(column, Ground.NOTICE, setting.measures.pad + setting.measures.pad // 2)


def in_words(day: date, words: Catalogue) -> str:
    """A day of the year in a language."""
    return words.date.format(day=day.day, month=words.months[day.month - 1])


def passage(setting: Setting, text: Text) -> Part:
    """A passage as a part of a column: how late something is stands on a ground of its own."""
    return Part(Chip(text, setting.measures.pad) if text.ground is Ground.LATE else text)


def _outcome(answer: Answer, words: Catalogue) -> str:
    match answer.outcome:
        case Outcome.DID:
            return words.did
        case Outcome.WILL if answer.due is not None:
            return words.will_by.format(date=in_words(answer.due, words))
        case Outcome.WILL:
            return words.will
        case Outcome.CANNOT:
            return words.cannot
        case Outcome.PASSED:
            return words.passed


def _first(text: str, most_words: int | None) -> str:
    """The first words of a text, and a sign that there are more."""
    words = text.split()
    if most_words is None or len(words) <= most_words:
        return text
    return " ".join(words[:most_words]) + " …"
