"""Delivery: everything due goes out once, in the largest batches that get through."""

from datetime import date

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sync_service.agent.client import (
    ContractBrokenError,
    NotAdmittedError,
    TooMuchError,
    UnreachableError,
)
from sync_service.contract.sealing import MAX_SEALED_LENGTH
from sync_service.contract.signing import SigningKey
from sync_service.contract.wire import MAX_BATCH_LENGTH, Batch, Recorded

DAY = date(2026, 3, 14)
OTHER_KEY = SigningKey(bytes([9] * 32))


def sizes(collector):
    return [len(batch.sealed) for batch in collector.of(Batch)]


def put_largest(kiosk, count):
    for number in range(count):
        kiosk.outbox.put(number.to_bytes(2, "big") + bytes(MAX_SEALED_LENGTH - 2), 100)


def delivered(kiosk):
    """How much of the log the collector has given receipts for, and how much waits."""
    extent = kiosk.outbox.extent()
    return extent.settled_seq, extent.depth


def test_a_backlog_of_1200_goes_out_in_three_requests(kiosk, collector):
    kiosk.put(1200)
    receipt = kiosk.delivery().deliver(DAY)
    assert sizes(collector) == [500, 500, 200]
    assert [batch.first_seq for batch in collector.of(Batch)] == [1, 501, 1001]
    assert receipt.log_head == kiosk.outbox.extent().head
    assert delivered(kiosk) == (1200, 0)
    assert len(collector.stored) == 1200


def test_nothing_due_says_nothing(kiosk, collector):
    delivery = kiosk.delivery()
    assert not delivery.due()
    assert delivery.deliver(DAY) is None
    assert collector.heard == []


def test_the_half_day_that_is_not_over_is_held_back(kiosk, collector):
    kiosk.put(3, half_day=100)
    kiosk.put(2, half_day=101)
    holding = kiosk.delivery(hold=101)
    assert holding.due()
    holding.deliver(DAY)
    assert not holding.due()
    assert delivered(kiosk) == (3, 2)
    kiosk.delivery(hold=102).deliver(DAY)
    assert delivered(kiosk) == (5, 0)


def test_a_batch_keeps_within_its_length_with_all_that_is_around_its_records(kiosk, collector):
    put_largest(kiosk, MAX_BATCH_LENGTH // MAX_SEALED_LENGTH)
    kiosk.outbox.put(bytes(MAX_BATCH_LENGTH % MAX_SEALED_LENGTH), 100)  # to the very last byte
    kiosk.delivery().deliver(DAY)
    lengths = [int(headers["Content-Length"]) for headers in collector.headers]
    assert len(lengths) == 2
    assert MAX_BATCH_LENGTH - MAX_SEALED_LENGTH < lengths[0] <= MAX_BATCH_LENGTH
    assert kiosk.outbox.extent().depth == 0


def test_time_outs_halve_a_batch_down_to_one_and_successes_let_it_grow_back(kiosk, collector):
    kiosk.put(8)
    stalls = [8, 4, 2]
    collector.instead = lambda batch: (
        collector.stall() if stalls and len(batch.sealed) == stalls.pop(0) else None
    )
    kiosk.delivery(timeout_s=0.5).deliver(DAY)
    assert sizes(collector) == [8, 4, 2, 1, 2, 4, 1]
    assert delivered(kiosk) == (8, 0)


@pytest.mark.parametrize("fault", ["CUT", "too-large", "chain-broken"])
def test_whatever_less_may_cure_halves_a_batch(kiosk, collector, fault):
    kiosk.put(60)
    collector.instead = lambda batch: (
        None
        if len(batch.sealed) <= 12
        else collector.CUT
        if fault == "CUT"
        else collector.problem(fault)
    )
    kiosk.delivery().deliver(DAY)
    assert sizes(collector)[:4] == [60, 30, 15, 7]
    assert delivered(kiosk) == (60, 0)


@settings(
    max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(st.lists(st.booleans(), max_size=12), st.integers(1, 9))
def test_whatever_gets_lost_everything_arrives_once(kiosk, collector, losses, count):
    """A loss may strike before the collector stored the batch, or after."""
    before = kiosk.outbox.extent().head.seq
    kiosk.put(count)
    stored_first = list(losses)

    def instead(batch):
        if not stored_first:
            return None
        if stored_first.pop():
            collector.take_in(batch)
        return collector.CUT

    collector.instead = instead
    delivery = kiosk.delivery()
    for _ in range(len(losses) + 1):
        try:
            delivery.deliver(DAY)
        except TooMuchError:
            continue
        break
    assert delivered(kiosk) == (before + count, 0)
    assert len(collector.stored) == before + count


def test_one_record_that_does_not_pass_lets_those_before_it_through(kiosk, collector):
    kiosk.put(20)
    collector.instead = lambda batch: (
        collector.problem("malformed") if b"sealed 14" in batch.sealed else None
    )
    delivery = kiosk.delivery()
    for _ in range(2):
        with pytest.raises(ContractBrokenError, match="malformed"):
            delivery.deliver(DAY)
        assert delivered(kiosk) == (13, 7)
    assert sizes(collector)[-2:] == [1, 1]
    collector.instead = lambda _: None
    delivery.deliver(DAY)
    assert delivered(kiosk) == (20, 0)


def test_who_asks_to_be_left_alone_is_not_sent_a_smaller_batch_at_once(kiosk, collector):
    kiosk.put(4)
    collector.instead = lambda _: collector.page(413, Retry_After="60")
    delivery = kiosk.delivery()
    with pytest.raises(TooMuchError) as caught:
        delivery.deliver(DAY)
    assert caught.value.retry_after_s == 60
    assert sizes(collector) == [4]
    collector.instead = lambda _: None
    delivery.deliver(DAY)
    assert sizes(collector) == [4, 2, 2]


@pytest.mark.parametrize("code", ["busy", "internal", "unknown-kiosk", "held-kiosk"])
def test_what_less_does_not_cure_ends_the_delivery(kiosk, collector, code):
    kiosk.put(4)
    collector.instead = lambda _: collector.problem(code)
    with pytest.raises((UnreachableError, NotAdmittedError)):
        kiosk.delivery().deliver(DAY)
    assert sizes(collector) == [4]
    assert delivered(kiosk) == (0, 4)


def test_a_forged_receipt_settles_nothing(kiosk, collector):
    kiosk.put(4)
    collector.instead = lambda batch: collector.say(collector.take_in(batch), OTHER_KEY)
    with pytest.raises(UnreachableError, match="unproven-reply"):
        kiosk.delivery().deliver(DAY)
    assert delivered(kiosk) == (0, 4)


def test_a_receipt_for_fewer_records_settles_nothing(kiosk, collector):
    kiosk.put(4)

    def instead(batch):
        receipt = collector.take_in(batch)
        receipt.outcomes.pop()
        return collector.say(receipt)

    collector.instead = instead
    with pytest.raises(UnreachableError, match="replayed-reply"):
        kiosk.delivery().deliver(DAY)
    assert delivered(kiosk) == (0, 4)


def test_a_refused_record_is_kept_aside_and_holds_up_none(kiosk, collector):
    kiosk.put(4)

    def instead(batch):
        receipt = collector.take_in(batch)
        receipt.outcomes[1] = Recorded.REFUSED_KEY
        return collector.say(receipt)

    collector.instead = instead
    kiosk.delivery().deliver(DAY)
    assert delivered(kiosk) == (4, 0)
    log_id = kiosk.outbox.log_id
    assert kiosk.outbox.purge(date.max) == 3
    assert kiosk.outbox.offer_again(log_id, 1, 4) == 1


def test_what_was_sent_and_got_no_receipt_is_sent_again_byte_for_byte(kiosk, collector):
    kiosk.put(3)
    collector.instead = lambda batch: (collector.take_in(batch), collector.page(502))[1]
    with pytest.raises(UnreachableError):
        kiosk.delivery().deliver(DAY)
    collector.instead = lambda _: None
    kiosk.delivery().deliver(DAY)
    first, second = collector.of(Batch)
    assert (first.sealed, first.links, first.first_seq) == (
        second.sealed,
        second.links,
        second.first_seq,
    )
    assert first.nonce != second.nonce
    assert delivered(kiosk) == (3, 0)


def test_the_store_can_be_written_while_a_request_is_under_way(kiosk, collector):
    kiosk.put(2)
    seqs = []

    def instead(batch):
        if not seqs:
            seqs.append(kiosk.outbox.put(b"recorded meanwhile", 100))

    collector.instead = instead
    kiosk.delivery().deliver(DAY)
    assert seqs == [3]
    assert sizes(collector) == [2, 1]


def test_told_to_stop_it_ends_after_the_batch_in_hand(kiosk, collector):
    put_largest(kiosk, 130)
    kiosk.delivery(stopping=lambda: bool(collector.heard)).deliver(DAY)
    (batch,) = collector.of(Batch)
    assert delivered(kiosk) == (len(batch.sealed), 130 - len(batch.sealed))
