from datetime import date
from random import Random

import pytest
from kiosk_site import both, in_force

from kiosk_app.error import NotAskableError
from kiosk_app.in_force import days_late
from sync_service.contract.publication import Answer, Invitation, Outcome, Owed, Replies

TODAY = date(2026, 3, 10)
YESTERDAY = date(2026, 3, 9)


def owed(code, due, expires=None, said=None):
    said = both("not involved") if said is None else said
    return Owed(code=code, said=said, due=due, signed_by=both("the manager"), expires=expires)


def answer(code, outcome=Outcome.DID, due=None, expires=None):
    return Answer(
        code=code,
        said=both("too cold"),
        outcome=outcome,
        reply=both("mended"),
        signed_by=both("the manager"),
        due=due,
        expires=expires,
    )


def invitation(code=1, expires=None, whom=None):
    whom = both("the desk") if whom is None else whom
    return Invitation(code=code, what=both("help"), when=both("now"), whom=whom, expires=expires)


def standing(centre, *replies, today=TODAY, languages=("en", "cy")):
    """The codes of what stands today."""
    asked = in_force(centre, languages=languages, replies=Replies("central-library", replies))
    return [reply.code for reply in asked.replies(today)]


def names(items):
    return [item.name for item in items]


def test_of_each_step_one_item_is_drawn(centre):
    drawn = {
        tuple(names(in_force(centre, "dignity involved", "comment").draw(Random(seed), TODAY)))
        for seed in range(30)
    }
    assert drawn == {("dignity", "comment"), ("involved", "comment")}


def test_an_item_that_needs_an_invitation_is_asked_only_where_one_is_published(centre):
    steps = ("dignity", "willing")
    without = in_force(centre, *steps)
    published = in_force(centre, *steps, replies=Replies("central-library", (invitation(),)))
    assert names(without.draw(Random(1), TODAY)) == ["dignity"]
    assert names(published.draw(Random(1), TODAY)) == ["dignity", "willing"]


@pytest.mark.parametrize(
    ("replies", "stands"),
    [
        ([invitation(expires=TODAY)], True),
        ([invitation(expires=YESTERDAY)], False),
        ([invitation(expires=YESTERDAY), invitation(2)], True),
        ([invitation(whom={"cy": "y ddesg"})], False),  # who reads English could not read it
        ([], False),
    ],
)
def test_an_invitation_stands_until_it_expires_and_in_all_of_the_site_s_languages(
    centre, replies, stands
):
    asked = in_force(centre, replies=Replies("central-library", tuple(replies)))
    assert (asked.invitation(TODAY) is not None) == stands


def test_what_is_owed_comes_first_by_its_day_and_the_rest_as_it_was_written(centre):
    replies = (
        invitation(1),
        answer(5),
        owed(7, date(2026, 4, 1)),
        answer(4, due=date(2026, 1, 1)),
        owed(6, date(2026, 2, 1)),
        owed(3, date(2026, 4, 1)),
        invitation(2),
    )
    assert standing(centre, *replies) == [6, 7, 3, 5, 4, 1, 2]


def test_a_reply_of_any_kind_stands_until_the_day_it_expires(centre):
    replies = (
        owed(1, TODAY, expires=TODAY),
        answer(2, expires=TODAY),
        invitation(3, expires=TODAY),
        owed(4, TODAY, expires=YESTERDAY),
        answer(5, expires=YESTERDAY),
        invitation(6, expires=YESTERDAY),
    )
    assert standing(centre, *replies) == [1, 2, 3]
    assert standing(centre, *replies, today=YESTERDAY) == [1, 4, 2, 5, 3, 6]


def test_only_what_can_be_read_in_every_language_of_the_site_is_shown(centre):
    replies = (owed(1, TODAY, said={"en": "not involved"}), answer(2))
    assert standing(centre, *replies) == [2]
    assert standing(centre, *replies, languages=("en",)) == [1, 2]


def test_replies_tell_the_serial_of_the_publication_that_they_are_from(centre):
    first = in_force(centre, replies=Replies("central-library", (answer(1),)))
    then = in_force(centre, replies=Replies("central-library", (answer(2),)))
    assert then.replies_serial == first.replies_serial + 1
    assert in_force(centre).replies_serial is None
    assert in_force(centre).replies(TODAY) == ()


def test_another_site_s_replies_are_not_shown(centre):
    asked = in_force(centre, replies=Replies("other-library", (invitation(), answer(2))))
    assert asked.invitation(TODAY) is None
    assert asked.replies(TODAY) == ()
    assert asked.replies_serial is None


@pytest.mark.parametrize(
    ("reply", "days"),
    [
        (owed(1, date(2026, 3, 1)), 9),
        (owed(1, YESTERDAY), 1),
        (owed(1, TODAY), 0),
        (owed(1, date(2026, 4, 1)), 0),
        (answer(1, Outcome.WILL, due=date(2026, 3, 1)), 9),
        (answer(1, Outcome.WILL), 0),
        (answer(1, Outcome.DID, due=date(2026, 3, 1)), 0),  # done, so no longer owed
        (invitation(), 0),
    ],
)
def test_what_was_promised_by_a_day_is_late_from_the_day_after(reply, days):
    assert days_late(reply, TODAY, clock_sure=True) == days


def test_nothing_is_called_late_by_a_clock_that_is_not_sure():
    assert days_late(owed(1, YESTERDAY), TODAY, clock_sure=False) == 0


def test_languages_that_the_kiosk_does_not_speak_are_left_out(centre):
    assert in_force(centre, languages=("cy", "en"), spoken="en").languages == ("en",)
    assert in_force(centre, languages=("cy", "en")).languages == ("cy", "en")


@pytest.mark.parametrize(
    ("steps", "spoken", "message"),
    [
        (("dignity",), "fr de", "the kiosk speaks de, fr"),
        (("willing",), "en", "asks nothing where no invitation is published"),
        (("comment", "dignity"), "en", "may not begin with a text item"),
        (("willing", "comment"), "en", "may not begin with a text item"),
    ],
)
def test_what_can_not_be_asked_here_is_refused_in_words(centre, steps, spoken, message):
    with pytest.raises(NotAskableError, match=message):
        in_force(centre, *steps, spoken=spoken)
