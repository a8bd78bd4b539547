"""The view: all that the screen shows at a moment, as frozen values that hold no behaviour."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Self

from kiosk_app.session import Progress
from sync_service.contract.publication import Invitation, Reply
from sync_service.contract.questionnaire import Item, ItemKind, Option


class Screen(StrEnum):
    """What kind of thing is shown."""

    ATTRACT = "attract"
    ASKING = "asking"
    STILL_THERE = "still_there"
    PAUSED = "paused"
    ABOUT = "about"
    REPLIES = "replies"
    SAVING = "saving"
    THANKS = "thanks"
    VERDICT = "verdict"
    DISCARDED = "discarded"
    OUT_OF_SERVICE = "out_of_service"
    NOTICE = "notice"


class Trouble(StrEnum):
    """Why the kiosk is out of service, as far as a respondent cares."""

    NOT_SAVED = "not_saved"
    NOT_WORKING = "not_working"


class NoticeKind(StrEnum):
    """Why a kiosk does not ask at all, as staff can tell somebody who can help. Its values are the
    codes that stand on the screen.
    """

    NO_STAMP = "no-stamp"
    STAMP_DAMAGED = "stamp-damaged"
    STAMP_NEWER = "stamp-newer"
    STAMP_UNFIT = "stamp-unfit"
    STAMP_FOREIGN = "stamp-foreign"
    OTHER_PANEL = "other-panel"
    DATA_MISSING = "data-missing"
    SETTINGS = "settings"
    RETIRING = "retiring"
    ALL_SENT = "all-sent"
    RETIRED = "retired"


@dataclass(frozen=True, slots=True)
class Notice:
    """What hangs at a kiosk that does not ask; ``waiting`` counts the records that are on it still,
    where that is known and matters.
    """

    kind: NoticeKind
    waiting: int = 0

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read what `str` gives: a kind, and perhaps a colon and how many records wait.

        Raises:
            ValueError: it is no notice.
        """
        kind, _, waiting = text.partition(":")
        return cls(NoticeKind(kind), int(waiting or 0))

    def __str__(self) -> str:
        return f"{self.kind.value}:{self.waiting}" if self.waiting else self.kind.value


@dataclass(frozen=True, slots=True)
class Choice:
    """A button under a question. One that is not ``scored`` stands apart from the scale."""

    code: int
    text: str
    scored: bool


@dataclass(frozen=True, slots=True)
class Question:
    """An item in one language."""

    language: str
    text: str
    choices: tuple[Choice, ...]
    notice: tuple[str, ...]

    @classmethod
    def of(cls, item: Item, options: Iterable[Option], language: str) -> Self:
        """An item with the options that are offered."""
        choices = (Choice(option.code, option.text[language], option.scored) for option in options)
        return cls(language, item.text[language], tuple(choices), item.notice.get(language, ()))


@dataclass(frozen=True, slots=True)
class Asked:
    """The item that is asked: one question in each language shown at once.

    ``given`` is what was answered before, when the respondent came back to it; ``elsewhere`` is
    the question in the languages that can be changed to.
    """

    item: int
    kind: ItemKind
    questions: tuple[Question, ...]
    given: int | str | None
    max_length: int
    progress: Progress
    can_go_back: bool
    elsewhere: tuple[Question, ...] = ()


@dataclass(frozen=True, slots=True)
class Posted:
    """A reply of the service as it stands on the wall: ``number`` of ``total``.

    ``days_late`` counts the days since a promise was due; 0 while it is not late, or while nobody
    can be sure of the date.
    """

    reply: Reply
    days_late: int
    number: int
    total: int


@dataclass(frozen=True, slots=True)
class About:
    """What the centre says of itself to those who ask what happens to their answers.

    ``contact`` says whom to ask, by language; ``kept_months`` how long answers are kept.
    """

    organisation_name: str | None
    contact: Mapping[str, str]
    kept_months: int | None


@dataclass(frozen=True, slots=True)
class View:
    """All that the screen shows.

    ``languages`` are those that it speaks at once, with equal room; ``other_languages`` those
    that it offers to change to. ``posted`` is the reply on the wall, the one that is looked at, or
    the answer that is judged. ``notice`` is what hangs there while nothing is asked.
    """

    screen: Screen
    site_name: str
    languages: tuple[str, ...]
    other_languages: tuple[str, ...] = ()
    asked: Asked | None = None
    posted: Posted | None = None
    about: About | None = None
    invitation: Invitation | None = None
    trouble: Trouble | None = None
    notice: Notice | None = None
    saving_shown: bool = False

    @property
    def in_other_languages(self) -> Iterator[Self]:
        """The same as it is asked in each of the languages that can be changed to."""
        if self.asked is None:
            return
        every = (*self.asked.questions, *self.asked.elsewhere)
        for question in self.asked.elsewhere:
            others = tuple(other for other in every if other is not question)
            yield replace(
                self,
                languages=(question.language,),
                other_languages=tuple(other.language for other in others),
                asked=replace(self.asked, questions=(question,), elsewhere=others),
            )
