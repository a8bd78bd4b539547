"""Which bundles a kiosk remembers, so that only a reply to one of them is settled, once."""

import pytest

from sync_service.outbox.journeys import MAX_JOURNEYS, Journeys

LOG, OTHER_LOG = bytes(16), bytes([1] * 16)


def nonce(number):
    return number.to_bytes(8, "big")


@pytest.fixture
def journeys(engine):
    return Journeys(engine)


def test_a_bundle_is_known_by_its_nonce_with_its_log_by_any_process(engine, journeys):
    journeys.begin(nonce(1), LOG)
    journeys.begin(nonce(2), OTHER_LOG)
    again = Journeys(engine)
    assert (again.log_of(nonce(1)), again.log_of(nonce(2))) == (LOG, OTHER_LOG)
    assert again.log_of(nonce(3)) is None


def test_with_a_reply_that_was_settled_all_older_ones_are_stale(journeys):
    for number in range(4):
        journeys.begin(nonce(number), LOG)
    journeys.end(nonce(2))
    assert [journeys.log_of(nonce(number)) for number in range(4)] == [None, None, None, LOG]
    assert journeys.returned(nonce(2))
    assert not journeys.returned(nonce(1))


def test_too_many_without_a_reply_and_the_oldest_is_forgotten(journeys):
    for number in range(MAX_JOURNEYS + 1):
        journeys.begin(nonce(number), LOG)
    assert journeys.log_of(nonce(0)) is None
    assert journeys.log_of(nonce(1)) == LOG


def test_a_nonce_that_stands_across_two_others_is_none(journeys):
    journeys.begin(b"AAAABBBB", LOG)
    journeys.begin(b"CCCCDDDD", LOG)
    journeys.end(LOG[:8])
    assert journeys.log_of(LOG[:8]) is None
    assert journeys.log_of(b"AAAABBBB") == LOG
