from datetime import date
from random import Random

import pytest
from kiosk_site import both, in_force

from kiosk_app.error import NotAskableError
from sync_service.contract.publication import Invitation, Replies

TODAY = date(2026, 3, 10)


def invitation(code=1, expires=None, whom=None):
    whom = both("the desk") if whom is None else whom
    return Invitation(code=code, what=both("help"), when=both("now"), whom=whom, expires=expires)


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
        ([invitation(expires=date(2026, 3, 9))], False),
        ([invitation(expires=date(2026, 3, 9)), invitation(2)], True),
        ([invitation(whom={"cy": "y ddesg"})], False),  # who reads English could not read it
        ([], False),
    ],
)
def test_an_invitation_stands_until_it_expires_and_in_all_of_the_site_s_languages(
    centre, replies, stands
):
    asked = in_force(centre, replies=Replies("central-library", tuple(replies)))
    assert (asked.invitation(TODAY) is not None) == stands


def test_another_site_s_replies_are_not_shown(centre):
    asked = in_force(centre, replies=Replies("other-library", (invitation(),)))
    assert asked.invitation(TODAY) is None


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
