"""What is in force at a site: its published questionnaire, assignment and replies."""

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from datetime import date
from random import Random
from typing import Self

from kiosk_app.error import NotAskableError
from sync_service.contract.publication import Assignment, Invitation, Publication, Replies
from sync_service.contract.questionnaire import Item, Questionnaire


@dataclass(frozen=True, slots=True)
class InForce:
    """What this kiosk asks, where, and in which languages.

    The serials are those of the publications, and go into every record. ``languages`` are those
    of the assignment that both the questionnaire and the kiosk speak, in the site's order.
    """

    questionnaire: Questionnaire
    questionnaire_serial: int
    assignment: Assignment
    assignment_serial: int
    languages: tuple[str, ...]
    invitations: tuple[Invitation, ...] = ()

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
        in_force = cls(
            questionnaire=asked,
            questionnaire_serial=questionnaire.serial,
            assignment=site,
            assignment_serial=assignment.serial,
            languages=languages,
            invitations=_invitations(replies, site.site, languages),
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

    def invitation(self, today: date) -> Invitation | None:
        """The invitation that stands today, if there is one."""
        for invitation in self.invitations:
            if invitation.expires is None or today <= invitation.expires:
                return invitation
        return None

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


def _invitations(
    replies: Publication | None, site: str, languages: tuple[str, ...]
) -> tuple[Invitation, ...]:
    """The site's invitations that can be read in each of its languages."""
    if replies is None or not isinstance(replies.body, Replies) or replies.body.site != site:
        return ()
    return tuple(
        reply
        for reply in replies.body.replies
        if isinstance(reply, Invitation)
        and all(
            language in text
            for language in languages
            for text in (reply.what, reply.when, reply.whom)
        )
    )
