"""Replies as the central team writes them, and what becomes of them before they are published.

A file holds all that one site's service replies. Where a text says ``{count}``, the number comes
from the figures, by their one door: nobody can publish one that the door would hide.
"""

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path
from typing import Final

from sync_service.collector.error import OfficeError
from sync_service.collector.insight.disclosure import Disclosure, NotShownError
from sync_service.collector.insight.figure import Unshown
from sync_service.collector.insight.period import Period, read_period
from sync_service.collector.publishing import read_toml
from sync_service.collector.screen_text import faults_of
from sync_service.contract.codec import Fields, Value
from sync_service.contract.error import MalformedError
from sync_service.contract.publication import Answer, Invitation, Outcome, Replies, Reply
from sync_service.contract.questionnaire import MAX_OPTIONS

COUNT: Final = "{count}"
"""What stands in a text for the number that the figures give."""

_EXAMPLE: Final = '{ item = "involvement", options = ["not_at_all"], period = "2026-Q3" }'


@dataclass(frozen=True, slots=True)
class Counted:
    """Whom a reply counts: who gave one of these answers to an item, by the options' names."""

    item: str
    options: tuple[str, ...]
    period: Period


@dataclass(frozen=True, slots=True)
class Draft:
    """A site's replies as they stand in a file; ``counted`` by the place of the reply."""

    path: Path
    replies: Replies
    counted: Mapping[int, Counted]


def read_draft(path: Path) -> Draft:
    """Read the replies of a site's service that were written as a TOML file.

    Raises:
        OfficeError: it can't be read, or a reply is not as it should be; the message names which.
    """
    document = read_toml(path)
    counted: dict[int, Counted] = {}
    try:
        written = document.get("replies")
        for number, reply in enumerate(written if isinstance(written, list) else ()):
            countable = isinstance(reply, dict) and reply.get("kind") != "invitation"
            if countable and "count" in reply:
                counted[number] = _read_counted(reply.pop("count"), f"replies[{number}].count")
        return Draft(path, Replies.from_document(document), counted)
    except MalformedError as error:
        raise OfficeError(f"{path}: {error}") from None


@dataclass(frozen=True, slots=True)
class Editor:
    """Makes of drafts what can be published. ``links`` are the domains that texts may lead to."""

    disclosure: Disclosure
    links: Collection[str]

    async def finish(self, draft: Draft, languages: Collection[str], today: date) -> Replies:
        """The replies, their counts filled in, for a site that speaks these languages.

        Raises:
            OfficeError: something in them must not be shown, or could not be; the message names
                every place.
        """
        site = draft.replies.site
        faults: list[str] = []
        finished: list[Reply] = []
        for number, reply in enumerate(draft.replies.replies):
            counted = draft.counted.get(number)
            found = [
                *_faults_of_days(reply, today),
                *_faults_of_count(reply, counted),
                *self._faults_of_texts(reply, languages),
            ]
            try:
                finished.append(await self._filled(reply, counted, site, today))
            except NotShownError as error:
                found.append(f"count: {error}")
            faults += [f"{draft.path}: replies[{number}].{fault}" for fault in found]
        if faults:
            raise OfficeError("\n".join(faults))
        return Replies(site, tuple(finished))

    def _faults_of_texts(self, reply: Reply, languages: Collection[str]) -> Iterator[str]:
        for name, texts in reply.texts.items():
            for language in languages:
                if language not in texts:
                    yield f"{name}.{language}: missing; the site's kiosks show what all can read"
            for language, text in texts.items():
                for fault in faults_of(text, self.links):
                    yield f"{name}.{language}: {fault}"

    async def _filled(self, reply: Reply, counted: Counted | None, site: str, today: date) -> Reply:
        if counted is None or isinstance(reply, Invitation):
            return reply
        count = await self.disclosure.count(
            today, site, counted.period, counted.item, counted.options
        )
        if isinstance(count, Unshown):
            raise NotShownError(
                f"can't be told ({count.name.lower().replace('_', ' ')}):"
                " say it without a number, or count a longer period"
            )
        said = {tag: text.replace(COUNT, f"{count.about:,}") for tag, text in reply.said.items()}
        return replace(reply, said=said)


def _faults_of_days(reply: Reply, today: date) -> Iterator[str]:
    due = None if isinstance(reply, Invitation) else reply.due
    if reply.expires is not None and reply.expires < today:
        yield f"expires: was {reply.expires}; take the reply out, or give it a later day"
    elif reply.expires is not None and due is not None and reply.expires < due:
        yield "expires: is before it is due; what was promised stands until then at least"
    if isinstance(reply, Answer) and (reply.outcome is Outcome.WILL) != (due is not None):
        yield "due: goes with the outcome will, and with no other"


def _faults_of_count(reply: Reply, counted: Counted | None) -> Iterator[str]:
    for name, texts in reply.texts.items():
        for language, text in texts.items():
            has_number = counted is not None and name == "said"
            if has_number and COUNT not in text:
                yield f"{name}.{language}: there is a count, and no {COUNT} to fill in"
            elif not has_number and COUNT in text:
                yield f"{name}.{language}: {COUNT} stands in `said` only, and with a count"


def _read_counted(value: Value, what: str) -> Counted:
    if not isinstance(value, dict):
        raise MalformedError(f"{what}: must be a table such as {_EXAMPLE}")
    fields = Fields(value, what)
    item = fields.text("item", 32)
    options = fields.items("options", MAX_OPTIONS)
    period = fields.text("period", 7)
    fields.nothing_else()
    if not all(isinstance(option, str) for option in options):
        raise MalformedError(f"{what}: options must be names of options")
    try:
        return Counted(item, tuple(map(str, options)), read_period(period))
    except ValueError as error:
        raise MalformedError(f"{what}: {error}") from None
