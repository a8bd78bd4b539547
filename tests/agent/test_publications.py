"""Publications: what proves itself is taken, what does not is said once and left alone."""

import logging
from dataclasses import replace

import pytest

from sync_service.contract.publication import Publication, PublicationKind, Replies
from sync_service.contract.signing import SigningKey

OTHER_KEY = SigningKey(bytes([9] * 32))


@pytest.fixture
def replies(centre):
    """Makes the site's replies of a serial."""
    return lambda serial, site=centre.assignment.site: Publication(serial, 0, Replies(site, ()))


def fetches(collector):
    return len(collector.of(bytes))


def refusals(caplog):
    return [record for record in caplog.records if record.message == "publication refused"]


def test_offers_are_taken_in_their_order(kiosk, collector, centre, replies):
    collector.offer(centre.keys(2, publishing=OTHER_KEY), centre.publishing)
    collector.offer(replies(1), OTHER_KEY)  # by the key that came with the one before it
    collector.offer(Publication(2, 0, centre.questionnaire), OTHER_KEY)
    assert kiosk.publications().take(collector.offers)
    held = kiosk.state.publications()
    assert (held.keys.serial, held.replies.serial, held.questionnaire.serial) == (2, 1, 2)


def test_bytes_of_another_digest_are_not_taken(kiosk, collector, centre, replies, caplog):
    digest = collector.offer(replies(1), centre.publishing)
    collector.publications[digest] = replies(2).sign(centre.publishing)
    assert not kiosk.publications().take(collector.offers)
    assert kiosk.state.publications().replies is None
    assert "wrong-digest" in str(caplog.records[-1].reason)


def test_what_can_not_be_had_keeps_nothing_else_waiting(kiosk, collector, centre, replies, caplog):
    digest = collector.offer(centre.keys(2), centre.publishing)
    signed = collector.publications.pop(digest)
    collector.offer(replies(1), centre.publishing)
    publications = kiosk.publications()
    assert publications.take(collector.offers)
    assert kiosk.state.publications().replies.serial == 1
    assert not publications.take(collector.offers[:1])
    missing = [record for record in caplog.records if record.message == "publication not to be had"]
    assert [(record.kind, record.serial) for record in missing] == [("keys", 2)]
    collector.publications[digest] = signed
    assert publications.take(collector.offers[:1])
    assert kiosk.state.serials()[PublicationKind.KEYS] == 2


def test_with_no_network_the_rest_is_not_tried(kiosk, collector, centre, replies):
    collector.offer(centre.keys(2), centre.publishing)
    collector.offer(replies(1), centre.publishing)
    collector.instead = lambda _: collector.problem("busy")
    assert not kiosk.publications().take(collector.offers)
    assert fetches(collector) == 1


@pytest.mark.parametrize("why", ["forged", "older", "foreign", "no publication"])
def test_what_is_refused_is_said_once_and_not_fetched_again(
    kiosk, collector, centre, replies, *, caplog, why
):
    caplog.set_level(logging.INFO)
    kiosk.state.take(replies(5).sign(centre.publishing))
    match why:
        case "forged":
            collector.offer(replies(6), OTHER_KEY)
        case "older":
            collector.offer(replies(4), centre.publishing)
        case "foreign":
            other = replace(centre.assignment, stamp_id=bytes(16))
            collector.offer(Publication(9, 0, other), centre.publishing)
        case "no publication":
            broken = replies(6, site="")
            collector.offer(broken, centre.publishing)
    publications = kiosk.publications()
    for _ in range(3):
        assert not publications.take(collector.offers)
    assert fetches(collector) == 1
    (refusal,) = refusals(caplog)
    assert (refusal.kind, refusal.serial) == (
        collector.offers[0].kind.value,
        collector.offers[0].serial,
    )
    assert kiosk.state.publications().replies.serial == 5
    collector.offers.clear()
    collector.offer(replies(7), centre.publishing)
    assert publications.take(collector.offers)


def test_what_wanted_a_newer_key_is_tried_again_once_it_has_come(
    kiosk, collector, centre, replies, caplog
):
    digest = collector.offer(centre.keys(2, publishing=OTHER_KEY), centre.publishing)
    signed = collector.publications.pop(digest)
    collector.offer(replies(1), OTHER_KEY)
    publications = kiosk.publications()
    assert not publications.take(collector.offers)
    assert len(refusals(caplog)) == 1
    collector.publications[digest] = signed
    assert publications.take(collector.offers)
    assert kiosk.state.publications().replies.serial == 1
