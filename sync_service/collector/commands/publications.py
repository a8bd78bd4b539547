"""What is said to kiosks, signed: questionnaires and replies."""

import argparse
from pathlib import Path

from sync_service.collector import sites
from sync_service.collector.commands.grammar import Group, add_command, add_noun
from sync_service.collector.database import reading, writing
from sync_service.collector.office import Office, open_office
from sync_service.collector.publishing import Edition, read_questionnaire
from sync_service.collector.replies import read_draft
from sync_service.contract.publication import Answer, Invitation, Replies, Reply


def add_to(group: Group) -> None:
    """Add ``questionnaire``, ``replies`` and ``publish``."""
    questionnaire = add_noun(group, "questionnaire", "what is asked")
    check = questionnaire.add_parser(
        "check",
        help="see whether a questionnaire's file can be published",
        description="See whether a questionnaire's file can be published; every problem is named.",
    )
    check.set_defaults(run=_check_questionnaire)
    check.add_argument("file", type=Path, metavar="FILE", help="a questionnaire as a TOML file")

    replies = add_noun(group, "replies", "what is said back")
    check = add_command(
        replies,
        "check",
        _check_replies,
        "see whether a file of replies can be published, and what it would show",
        "See whether a file of replies can be published, and what its site's kiosks would show,"
        " numbers included; every problem is named. See docs/replies.md.",
    )
    check.add_argument("file", type=Path, metavar="FILE", help="replies as a TOML file")

    publish = add_noun(group, "publish", "say something to kiosks, signed")
    questionnaire = add_command(
        publish,
        "questionnaire",
        _publish_questionnaire,
        "publish a version of a questionnaire",
        "Publish a version of a questionnaire. From then on that version never changes.",
    )
    questionnaire.add_argument(
        "file", type=Path, metavar="FILE", help="a questionnaire as a TOML file"
    )
    replies = add_command(
        publish,
        "replies",
        _publish_replies,
        "publish what a site's service replies",
        "Publish what a site's service replies, in place of all it replied before: what is owed,"
        " answers and invitations. See docs/replies.md.",
    )
    replies.add_argument("file", type=Path, metavar="FILE", help="replies as a TOML file")


async def _check_questionnaire(args: argparse.Namespace) -> str:
    """Check a questionnaire's file."""
    questionnaire = read_questionnaire(args.file)
    return f"{args.file} can be published as {questionnaire.id}, version {questionnaire.version}."


async def _publish_questionnaire(args: argparse.Namespace) -> str:
    """Publish a questionnaire."""
    questionnaire = read_questionnaire(args.file)
    async with open_office(args.folder) as office, writing(office.engine) as connection:
        edition = await office.publisher.questionnaire(connection, questionnaire, office.now)
    return _told_edition(edition)


async def _check_replies(args: argparse.Namespace) -> str:
    """Check a file of replies."""
    async with open_office(args.folder) as office:
        replies = await _finished(office, args)
    told = [f"{args.file} can be published for {replies.site}. Its kiosks will show:"]
    for reply in replies.replies:
        told.append(f"\n{reply.code}. {_told_kind(reply)}")
        told += [
            f"  {name}.{language}: {text}"
            for name, texts in reply.texts.items()
            for language, text in texts.items()
        ]
    return "\n".join(told)


async def _publish_replies(args: argparse.Namespace) -> str:
    """Publish a site's replies."""
    async with open_office(args.folder) as office:
        replies = await _finished(office, args)
        async with writing(office.engine) as connection:
            edition = await office.publisher.replies(connection, replies, office.now)
    return _told_edition(edition)


async def _finished(office: Office, args: argparse.Namespace) -> Replies:
    """The replies in a file, fit to be published."""
    draft = read_draft(args.file)
    async with reading(office.engine) as connection:
        site = await sites.find_site(connection, draft.replies.site)
    return await office.editor.finish(draft, site.languages, office.today)


def _told_edition(edition: Edition) -> str:
    what = f"{edition.kind.value}, serial {edition.serial}"
    if edition.is_new:
        return f"Published: {what}. Kiosks take it at their next contact."
    return f"Nothing to do: the same is published already, as {what}."


def _told_kind(reply: Reply) -> str:
    """What a reply is, and its days."""
    told = [type(reply).__name__.lower()]
    if isinstance(reply, Answer):
        told.append(reply.outcome.value)
    if not isinstance(reply, Invitation) and reply.due is not None:
        told.append(f"due {reply.due}")
    if reply.expires is not None:
        told.append(f"until {reply.expires}")
    return ", ".join(told)
