"""What is in force at a site: its published questionnaire, assignment and replies."""

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from datetime import date
from random import Random
from typing import Self

from kiosk_app.error import NotAskableError
from sync_service.contract.publication import (
    Answer,
    Assignment,
    Invitation,
    Outcome,
    Owed,
    Publication,
    Replies,
    Reply,
)
from sync_service.contract.questionnaire import Item, Questionnaire


@dataclass(frozen=True, slots=True)
class InForce:
    """What this kiosk asks, where, and in which languages.

    The serials are those of the publications, and go into records. ``languages`` are those of the
    assignment that both the questionnaire and the kiosk speak, in the site's order. ``posted`` is
    what the site's service replies, as far as it can be read in each of these languages;
    ``replies_serial`` is None where nothing was ever published for the site.
    """

    questionnaire: Questionnaire
    questionnaire_serial: int
    assignment: Assignment
    assignment_serial: int
    languages: tuple[str, ...]
    posted: tuple[Reply, ...] = ()
    replies_serial: int | None = None

    @classmethod
    def of(
        cls,
        questionnaire: Publication,
        assignment: Publication,
        replies: Publication | None,
        spoken: Collection[str],
    ) -> Self:
        """Put together what the centre published; ``spoken`` are the kiosk's own languages.

        Raises:
            NotAskableError: the publications don't fit each other, or this kiosk.
        """
        asked, site = questionnaire.body, assignment.body
        if not isinstance(asked, Questionnaire) or not isinstance(site, Assignment):
            raise NotAskableError("a questionnaire and an assignment are needed")
        if asked.id != site.questionnaire:
            raise NotAskableError(
                f"the site is to ask {site.questionnaire}, and {asked.id} is published to it"
            )
        languages = tuple(
            language
            for language in site.languages
            if language in asked.languages and language in spoken
        )
        if not languages:
            raise NotAskableError(
                f"the site's languages are {', '.join(site.languages)}; the questionnaire has"
                f" {', '.join(asked.languages)}, and the kiosk speaks {', '.join(sorted(spoken))}"
            )
        replied = replies.body if replies is not None else None
        if not isinstance(replied, Replies) or replied.site != site.site:
            replies, replied = None, None
        in_force = cls(
            questionnaire=asked,
            questionnaire_serial=questionnaire.serial,
            assignment=site,
            assignment_serial=assignment.serial,
            languages=languages,
            posted=_in_order(replied, languages) if replied is not None else (),
            replies_serial=replies.serial if replies is not None else None,
        )
        for invited in (False, True):
            first = next(in_force.steps(invited), None)
            if first is None:
                raise NotAskableError(f"{asked.id} asks nothing where no invitation is published")
            if any(item.kind == "text" for item in first):
                # It stands on the attract screen, where a tap on an answer begins the session.
                raise NotAskableError(f"{asked.id} may not begin with a text item")
        return in_force

    @property
    def bilingual(self) -> bool:
        """Whether the site has two languages, neither of which is the default."""
        return len(self.languages) == 2

    def replies(self, today: date) -> tuple[Reply, ...]:
        """What stands today: what is owed, the longest overdue first; then answers; invitations."""
        return tuple(
            reply for reply in self.posted if reply.expires is None or today <= reply.expires
        )

    def invitation(self, today: date) -> Invitation | None:
        """The first invitation that stands today, if there is one."""
        standing = (reply for reply in self.replies(today) if isinstance(reply, Invitation))
        return next(standing, None)

    def steps(self, invited: bool) -> Iterator[list[Item]]:
        """The items that each step has to draw from; steps without any are left out."""
        for step in self.questionnaire.ask:
            items = [self.questionnaire.by_name(name) for name in step]
            if askable := [item for item in items if invited or item.needs is None]:
                yield askable

    def draw(self, random: Random, today: date) -> tuple[Item, ...]:
        """The items of one session: of each step one, drawn at random."""
        invited = self.invitation(today) is not None
        return tuple(random.choice(step) for step in self.steps(invited))


def days_late(reply: Reply, today: date, *, clock_sure: bool) -> int:
    """For how many days the service has owed what it promised by a day; 0 if it is not late.

    A promise is an answer that is owed, and "we will by" a day. Nobody is called late by a clock
    that is not sure.
    """
    match reply:
        case Owed(due=due) | Answer(outcome=Outcome.WILL, due=date() as due) if clock_sure:
            return max(0, (today - due).days)
    return 0


def _in_order(replies: Replies, languages: tuple[str, ...]) -> tuple[Reply, ...]:
    """What can be read in each language: what is owed by its day, the rest as the service wrote it.

    An answer tells no day that it was given on; which of them comes first is for who wrote them.
    """

    def rank(reply: Reply) -> tuple[int, date]:
        match reply:
            case Owed():
                return 0, reply.due
            case Answer():
                return 1, date.min
            case Invitation():
                return 2, date.min

    readable = (
        reply
        for reply in replies.replies
        if all(language in text for language in languages for text in reply.texts.values())
    )
    return tuple(sorted(readable, key=rank))
