"""From a file of replies to what is published: every mistake named, every count from the door."""

import asyncio
import re
from datetime import date
from pathlib import Path

import pytest
from council import Council

from sync_service.collector.database import open_engine
from sync_service.collector.error import OfficeError
from sync_service.collector.insight.disclosure import Disclosure
from sync_service.collector.insight.period import Month
from sync_service.collector.replies import Editor, read_draft
from sync_service.contract.publication import Answer, Invitation, Outcome, Owed, Replies

TODAY = date(2026, 11, 20)
OCTOBER = Month(2026, 10)

REPLIES = """\
site = "central"

[[replies]]
kind = "owed"
code = 1
said.en = "About {count} people told us they were not involved."
said.cy = "Dywedodd tua {count} o bobl nad oedden nhw'n rhan o'r peth."
count = { item = "involvement", options = ["not_at_all"], period = "2026-10" }
due = 2026-12-14
signed_by.en = "The library manager"
signed_by.cy = "Rheolwr y llyfrgell"

[[replies]]
kind = "answer"
code = 2
said.en = "You said it was cold."
said.cy = "Dywedoch chi ei bod yn oer."
outcome = "did"
reply.en = "We mended the heating."
reply.cy = "Fe wnaethon ni drwsio'r gwres."
signed_by.en = "The library manager"
signed_by.cy = "Rheolwr y llyfrgell"
expires = "2027-09-30"

[[replies]]
kind = "invitation"
code = 3
what.en = "Help us plan the reading room."
what.cy = "Helpwch ni i gynllunio'r ystafell ddarllen."
when.en = "Tuesdays at four"
when.cy = "Dydd Mawrth am bedwar"
whom.en = "Ask at the desk"
whom.cy = "Gofynnwch wrth y ddesg"
"""


COUNT = 'count = { item = "involvement", options = ["not_at_all"], period = "2026-10" }\n'
WITHOUT_COUNT = REPLIES.replace(COUNT, "").replace("{count}", "120")


@pytest.fixture
def finish_with(database):
    """What becomes of a draft where so many people said that they were not involved at all."""

    def finish_with(number, draft):
        council = Council(date(2025, 9, 1))
        kiosk = council.kiosk(council.site("central", "Central Library"), contact_on=TODAY)
        for _ in range(number):
            council.respond(kiosk, OCTOBER.start, {"involvement": 3})
        return council.disclosing(
            database, lambda door: Editor(door, ()).finish(draft, ("en", "cy"), TODAY)
        )

    return finish_with


def finish(draft, links=(), languages=("en", "cy")):
    """What becomes of a draft that counts nobody, and so asks no database."""
    engine = open_engine("sqlite+aiosqlite:///nowhere.db")
    return asyncio.run(Editor(Disclosure(engine, []), links).finish(draft, languages, TODAY))


def refused(draft, **how):
    """The places of a draft that are refused, and why, in a line each."""
    with pytest.raises(OfficeError) as caught:
        finish(draft, **how)
    lines = str(caught.value).splitlines()
    assert all(line.startswith(f"{draft.path}: ") for line in lines)
    return [line.removeprefix(f"{draft.path}: ") for line in lines]


# Files


def test_replies_are_read_from_a_file(written):
    owed, answer, invitation = read_draft(written(REPLIES)).replies.replies

    assert isinstance(owed, Owed)
    assert (owed.due, owed.said["en"][:13]) == (date(2026, 12, 14), "About {count}")
    assert isinstance(answer, Answer)
    assert (answer.outcome, answer.expires) == (Outcome.DID, date(2027, 9, 30))
    assert isinstance(invitation, Invitation)
    assert invitation.whom == {"en": "Ask at the desk", "cy": "Gofynnwch wrth y ddesg"}


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ('kind = "owed"', 'kind = "old"', "replies[0]: kind must be owed, answer or invitation"),
        ("due = 2026-12-14", "", "replies[0]: due is missing"),
        ("due = 2026-12-14", "due = 2026-12-14T00:00:00", "replies[0]: due must be a date"),
        ('outcome = "did"', 'outcome = "maybe"', "replies[1]: outcome must be one of did"),
        ("code = 3", "code = 2", "replies: a code comes twice"),
        ("code = 3", "code = 0.5", "replies[2]: code must be an integer"),
        ("code = 3", f"code = 3\n{COUNT}", "replies[2]: unknown: count"),
        ('site = "central"', "", "replies: site is missing"),
        ('site = "central"', "site = ", "not TOML"),
        (COUNT, "count = 127\n", "replies[0].count: must be a table such as { item ="),
        ('item = "involvement"', "item = 3", "replies[0].count: item must be text"),
        ('["not_at_all"]', "[3]", "replies[0].count: options must be names"),
        ('"2026-10"', '"October"', "replies[0].count: 'October' is no period: 2026-10 is a month"),
        ("item =", "extra = 1, item =", "replies[0].count: unknown: extra"),
    ],
)
def test_a_mistake_in_replies_is_named_with_its_place(written, old, new, said):
    path = written(REPLIES.replace(old, new))

    with pytest.raises(OfficeError) as caught:
        read_draft(path)

    assert str(caught.value).startswith(f"{path}: {said}")


# The guide


def test_the_file_in_the_guide_can_be_published_as_it_stands(finish_with, written):
    guide = (Path(__file__).parents[2] / "docs/replies.md").read_text(encoding="utf-8")
    [file] = re.findall(r"^```toml\n(site.*?)^```$", guide, re.DOTALL | re.MULTILINE)
    replies = finish_with(127, read_draft(written(file))).replies
    assert {type(reply) for reply in replies} == {Owed, Answer, Invitation}
    assert {reply.outcome for reply in replies if isinstance(reply, Answer)} == set(Outcome)


# What must not be shown


def test_what_can_be_shown_is_published_as_it_was_written(written):
    draft = read_draft(written(WITHOUT_COUNT))
    assert finish(draft) == draft.replies


def test_a_site_may_have_nothing_to_say(written):
    assert finish(read_draft(written('site = "central"\nreplies = []'))) == Replies("central", ())


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ('2027-09-30"', '2026-11-19"', "replies[1].expires: was 2026-11-19; take the reply out"),
        ("due = 2026", "expires = 2026-12-01\ndue = 2026", "replies[0].expires: is before it is"),
        ('outcome = "did"', 'outcome = "will"', "replies[1].due: goes with the outcome will"),
        ("expires =", "due = 2027-01-01\nexpires =", "replies[1].due: goes with the outcome will"),
        ('whom.cy = "Gofynnwch wrth y ddesg"', "", "replies[2].whom.cy: missing"),
        ("Ask at the desk", " ", "replies[2].whom.en: is blank"),
        ("Ask at", "Ask\\nat", "replies[2].whom.en: must be on one line"),
        ("Ask at", "Ask\\u2028at", "replies[2].whom.en: must be on one line"),
        ("Ask at", "{count} at", "replies[2].whom.en: {count} stands in `said` only"),
        ("You said", "{count} said", "replies[1].said.en: {count} stands in `said` only"),
        ("Ask at", "evil.example at", "replies[2].whom.en: 'evil.example' looks like an address"),
        ("Rheolwr y llyfrgell", "a@evil.example", "replies[0].signed_by.cy: 'a@evil.example'"),
    ],
)
def test_what_must_not_be_shown_is_refused_with_its_place(written, old, new, said):
    first, *_ = refused(read_draft(written(WITHOUT_COUNT.replace(old, new))))
    assert first.startswith(said)


def test_every_mistake_is_named_at_once(written):
    text = WITHOUT_COUNT.replace("Ask at the desk", "evil.example").replace("You said", "\\nYou")
    assert [line.split(":")[0] for line in refused(read_draft(written(text)))] == [
        "replies[1].said.en",
        "replies[2].whom.en",
    ]


def test_only_the_site_s_own_languages_are_needed(written):
    text = "\n".join(line for line in WITHOUT_COUNT.splitlines() if ".cy" not in line)
    assert finish(read_draft(written(text)), languages=("en",))
    assert len(refused(read_draft(written(text)))) == 2 + 3 + 3


def test_a_link_may_stand_where_the_settings_name_its_domain(written):
    draft = read_draft(written(WITHOUT_COUNT.replace("Ask at the desk", "See help.nhs.uk/join.")))
    assert finish(draft, links=("nhs.uk",)) == draft.replies
    [line] = refused(draft, links=("northvale.gov.uk",))
    assert "texts may lead to northvale.gov.uk alone; the setting `links` says so" in line
    [line] = refused(draft)
    assert "texts may lead nowhere" in line


# Counts


def test_a_count_comes_rounded_from_the_figures(finish_with, written):
    owed = finish_with(127, read_draft(written(REPLIES))).replies[0]
    assert owed.said == {
        "en": "About 125 people told us they were not involved.",
        "cy": "Dywedodd tua 125 o bobl nad oedden nhw'n rhan o'r peth.",
    }


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("", "", "can't be told (too few): say it without a number, or count a longer period"),
        ('"2026-10"', '"2026-Q4"', "October to December 2026 is not shown yet"),
        ('"involvement"', '"comment"', "library has these ratings: dignity, involvement"),
        ("not_at_all", "never", "involvement counts these options: definitely, to_some_extent,"),
    ],
)
@pytest.mark.sqlite_alone
def test_a_count_that_is_hidden_is_refused_with_what_to_do(finish_with, written, old, new, said):
    draft = read_draft(written(REPLIES.replace(old, new)))
    with pytest.raises(OfficeError) as caught:
        finish_with(9, draft)
    assert str(caught.value).startswith(f"{draft.path}: replies[0].count: {said}")


def test_a_count_needs_its_place_in_each_language(finish_with, written):
    draft = read_draft(written(REPLIES.replace("tua {count}", "tua 20")))
    with pytest.raises(OfficeError, match=r"replies\[0\].said.cy: there is a count, and no"):
        finish_with(20, draft)
