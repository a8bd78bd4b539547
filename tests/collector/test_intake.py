import asyncio
import logging
from dataclasses import replace

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import func, insert, select

from sync_service.collector import tables
from sync_service.collector.enrolment import approve, revoke
from sync_service.collector.fleet import ask_again
from sync_service.collector.intake import MAX_BRANCHES
from sync_service.collector.tables import Opening
from sync_service.contract.chain import Head, digest, first_link, link
from sync_service.contract.codec import decode, encode
from sync_service.contract.sealing import HEADER_LENGTH, SealingKey
from sync_service.contract.signing import (
    Context,
    Envelope,
    SigningKey,
    generate_signing_key,
)
from sync_service.contract.wire import MAX_BATCH_RECORDS, Receipt, Recorded, Standing

ACCEPTED, DUPLICATE = Recorded.ACCEPTED, Recorded.DUPLICATE
FOREIGN_KEY = SealingKey(bytes(range(1, 33)))


def records(rig, log_id):
    """What is held of a log, by branch and seq."""
    rows = rig.read(select(tables.record).where(tables.record.c.log_id == log_id))
    return {(row.branch, row.seq): row for row in rows}


# What is taken


def test_a_batch_is_stored_sealed_and_receipted(rig):
    kiosk = rig.kiosk().record(3)

    receipt = rig.deliver(kiosk)

    assert receipt.outcomes == (ACCEPTED,) * 3
    assert receipt.log_head == kiosk.head()
    held = records(rig, kiosk.log_id)
    assert [held[0, seq].sealed for seq in (1, 2, 3)] == kiosk.sealed
    assert {row.opening for row in held.values()} == {Opening.WAITING}
    assert {row.digest for row in held.values()} == {None}


def test_batches_follow_one_another_on_one_branch(rig):
    kiosk = rig.kiosk().record(5)

    assert rig.deliver(kiosk, 1, 2).log_head == kiosk.head(2)
    assert rig.deliver(kiosk, 3, 5).log_head == kiosk.head(5)
    assert rig.held(kiosk.log_id) == {0: [1, 2, 3, 4, 5]}


def test_the_largest_batch_is_taken(rig):
    kiosk = rig.kiosk().record(MAX_BATCH_RECORDS)

    assert rig.deliver(kiosk).outcomes == (ACCEPTED,) * MAX_BATCH_RECORDS


def test_the_same_batch_again_is_a_success(rig):
    kiosk = rig.kiosk().record(3)
    rig.deliver(kiosk)
    before = records(rig, kiosk.log_id)

    receipt = rig.deliver(kiosk)

    assert receipt.outcomes == (DUPLICATE,) * 3
    assert receipt.log_head == kiosk.head()
    assert records(rig, kiosk.log_id) == before


def test_what_overlaps_is_stored_once(rig):
    kiosk = rig.kiosk().record(6)
    rig.deliver(kiosk, 1, 4)

    receipt = rig.deliver(kiosk, 3, 6)

    assert receipt.outcomes == (DUPLICATE, DUPLICATE, ACCEPTED, ACCEPTED)
    assert rig.held(kiosk.log_id) == {0: [1, 2, 3, 4, 5, 6]}


def test_sixteen_equal_batches_at_once_are_stored_once_and_all_get_good_receipts(rig):
    kiosk = rig.kiosk().record(20)
    batches = [kiosk.batch() for _ in range(16)]

    async def deliver_all():
        taking = [rig.collector.intake.take(kiosk.sign(batch), 0) for batch in batches]
        return await asyncio.gather(*taking)

    replies = rig.run(deliver_all())

    receipts = [Receipt.decode(rig.believe(reply, Context.RECEIPT)) for reply in replies]
    assert all(map(Receipt.answers, receipts, batches))
    assert sorted(receipt.outcomes[0] for receipt in receipts) == [ACCEPTED] + [DUPLICATE] * 15
    assert {receipt.log_head for receipt in receipts} == {kiosk.head()}
    assert rig.held(kiosk.log_id) == {0: [*range(1, 21)]}


def test_two_logs_of_one_kiosk_stand_side_by_side(rig):
    kiosk = rig.kiosk().record(2)
    rig.deliver(kiosk)
    renewed = kiosk.clone()
    renewed.log_id, renewed.sealed = bytes(16), []
    renewed.record(1)

    assert rig.deliver(renewed).outcomes == (ACCEPTED,)
    assert rig.held(renewed.log_id) == {0: [1]}


# What is refused whole


def test_what_is_no_message_is_malformed(rig):
    kiosk = rig.kiosk().record()
    good = kiosk.signed_batch()
    for body in (b"", b"\x00", good[:-1], good + b"\x00", encode([1, b"", b""]), encode({0: 1})):
        assert rig.problem(rig.collector.intake.take(body, 0)) == "malformed"


def test_a_chain_broken_within_the_batch_is_refused(rig):
    kiosk = rig.kiosk().record(3)
    payload = decode(kiosk.batch().encode())
    payload[6].reverse()
    body = kiosk.key.sign(Context.BATCH, encode(payload))

    assert rig.problem(rig.collector.intake.take(body, 0)) == "chain-broken"
    assert rig.held(kiosk.log_id) == {}


def test_a_signature_by_another_key_is_refused(rig):
    kiosk, other = rig.kiosk().record(), rig.kiosk()
    body = other.key.sign(Context.BATCH, kiosk.batch().encode())

    assert rig.problem(rig.collector.intake.take(body, 0)) == "bad-signature"


def test_a_signature_over_other_bytes_is_refused(rig):
    kiosk = rig.kiosk().record(2)
    signed = Envelope.unpack(kiosk.signed_batch(1, 1))
    body = replace(signed, payload=kiosk.batch(1, 2).encode()).pack()

    assert rig.problem(rig.collector.intake.take(body, 0)) == "bad-signature"
    assert rig.held(kiosk.log_id) == {}


def test_a_signature_of_another_context_is_refused(rig):
    kiosk = rig.kiosk().record()
    body = kiosk.key.sign(Context.STATUS, kiosk.batch().encode())

    assert rig.problem(rig.collector.intake.take(body, 0)) == "bad-signature"


def test_an_unknown_kiosk_is_refused(rig):
    kiosk = rig.kiosk().record()
    kiosk.key = SigningKey(bytes(32))
    kiosk.kiosk_id = kiosk.key.verifying_key.kiosk_id

    assert rig.problem(rig.collector.intake.take(kiosk.signed_batch(), 0)) == "unknown-kiosk"


def test_a_held_kiosk_is_refused(rig):
    kiosk = rig.kiosk().record()
    second = kiosk.clone()
    second.key = SigningKey(bytes(32))
    second.kiosk_id = second.key.verifying_key.kiosk_id
    rig.enrol(second.signed_enrolment())

    assert rig.problem(rig.collector.intake.take(second.signed_batch(), 0)) == "held-kiosk"


def test_a_revoked_kiosk_is_refused(rig):
    kiosk = rig.kiosk().record()
    rig.run(revoke(rig.engine, kiosk.kiosk_id, 0))

    assert rig.problem(rig.collector.intake.take(kiosk.signed_batch(), 0)) == "revoked-kiosk"


def test_a_log_of_another_kiosk_is_refused(rig):
    kiosk, thief = rig.kiosk().record(), rig.kiosk()
    rig.deliver(kiosk)
    thief.log_id = kiosk.log_id
    thief.record()

    assert rig.problem(rig.collector.intake.take(thief.signed_batch(), 0)) == "foreign-log"
    assert records(rig, kiosk.log_id)[0, 1].sealed == kiosk.sealed[0]


def test_a_kiosk_that_lost_its_identity_goes_on_with_its_log_once_it_is_approved(rig):
    kiosk = rig.kiosk().record(3)
    rig.deliver(kiosk, last_seq=1)
    kiosk.key = SigningKey(generate_signing_key())
    kiosk.kiosk_id = kiosk.key.verifying_key.kiosk_id
    assert rig.enrol(kiosk.signed_enrolment()).standing == Standing.HELD
    assert rig.problem(rig.collector.intake.take(kiosk.signed_batch(2), 0)) == "held-kiosk"
    rig.run(approve(rig.engine, kiosk.kiosk_id, 0))

    assert rig.hear(kiosk.signed_status()).standing == Standing.ENROLLED
    assert rig.deliver(kiosk, 2).log_head == kiosk.head(3)
    assert rig.held(kiosk.log_id) == {0: [1, 2, 3]}
    assert rig.read(select(tables.log.c.kiosk_id)) == [(kiosk.kiosk_id,)]


def test_a_log_that_passes_on_is_spoken_for_as_it_was(rig):
    kiosk = rig.kiosk().record(3)
    rig.deliver(kiosk, last_seq=1)
    former = kiosk.stamp
    kiosk.stamp = rig.stamp("surgery")
    rig.enrol(kiosk.signed_enrolment())
    kiosk.key = SigningKey(generate_signing_key())
    kiosk.kiosk_id = kiosk.key.verifying_key.kiosk_id
    rig.enrol(kiosk.signed_enrolment())
    rig.run(approve(rig.engine, kiosk.kiosk_id, 0))

    rig.deliver(kiosk, 2)

    stamps = select(tables.stamped.c.stamp_id).where(tables.stamped.c.kiosk_id == kiosk.kiosk_id)
    assert set(rig.read(stamps)) == {(former.stamp_id,), (kiosk.stamp.stamp_id,)}


def test_a_log_has_so_many_branches_and_no_more(rig):
    kiosk = rig.kiosk().record(1)
    rig.deliver(kiosk)
    [first] = rig.read(select(tables.branch))
    others = range(1, MAX_BRANCHES - 1)
    rig.write(
        insert(tables.branch).values([{**first._asdict(), "branch": each} for each in others])
    )
    one_more, too_many = (kiosk.clone() for _ in range(2))
    for clone in (one_more, too_many):
        clone.sealed = []
        clone.record(2)

    assert rig.deliver(one_more).outcomes == (ACCEPTED,) * 2
    assert rig.problem(rig.collector.intake.take(too_many.signed_batch(), 0)) == "too-many-branches"
    assert rig.held(kiosk.log_id) == {0: [1], MAX_BRANCHES - 1: [1, 2]}
    assert rig.deliver(kiosk.record(1)).outcomes == (DUPLICATE, ACCEPTED)


def test_who_delivers_is_not_logged(rig, caplog):
    caplog.set_level(logging.INFO)
    kiosk = rig.kiosk().record(3)
    caplog.clear()

    rig.deliver(kiosk)

    [line] = caplog.records
    assert (line.message, line.accepted) == ("batch taken in", 3)
    assert not hasattr(line, "kiosk")


# Records refused one by one


def spoil(sealed, how):
    match how:
        case Recorded.REFUSED_LENGTH:
            return sealed[:-1]
        case Recorded.REFUSED_ALGORITHM:
            return b"\x07" + sealed[1:]
        case Recorded.REFUSED_KEY:
            return sealed[:1] + bytes(8) + sealed[HEADER_LENGTH:]


@pytest.mark.parametrize(
    "refused", [Recorded.REFUSED_LENGTH, Recorded.REFUSED_ALGORITHM, Recorded.REFUSED_KEY]
)
def test_a_refused_record_keeps_its_place_in_the_proof_but_not_its_bytes(rig, refused):
    kiosk = rig.kiosk().record(3)
    kiosk.sealed[1] = spoil(kiosk.sealed[1], refused)

    receipt = rig.deliver(kiosk)

    assert receipt.outcomes == (ACCEPTED, refused, ACCEPTED)
    assert receipt.log_head == kiosk.head()
    row = records(rig, kiosk.log_id)[0, 2]
    assert (row.sealed, row.digest) == (None, digest(kiosk.sealed[1]))
    assert (row.outcome, row.opening) == (refused, Opening.REFUSED)
    assert rig.deliver(kiosk, 2, 3).outcomes == (refused, DUPLICATE)


def test_a_key_published_while_the_collector_runs_is_known_at_once(rig):
    kiosk = rig.kiosk().record()
    rig.deliver(kiosk)
    kiosk.record(1, rig.new_sealing_key())

    assert rig.deliver(kiosk, 2).outcomes == (ACCEPTED,)


def test_records_under_an_older_key_stay_acceptable(rig):
    kiosk = rig.kiosk().record()
    rig.new_sealing_key()

    assert rig.deliver(kiosk).outcomes == (ACCEPTED,)


def test_what_was_refused_and_became_acceptable_is_filled_in(rig):
    kiosk = rig.kiosk().record(1)
    opening_key = rig.keyring.add_opening_key()
    kiosk.record(1, opening_key.sealing_key).record(1)
    assert rig.deliver(kiosk).outcomes == (ACCEPTED, Recorded.REFUSED_KEY, ACCEPTED)
    rig.publish("keys", rig.keyring.public_keys(opening_key))

    receipt = rig.deliver(kiosk)

    assert receipt.outcomes == (DUPLICATE, ACCEPTED, DUPLICATE)
    assert receipt.log_head == kiosk.head()
    row = records(rig, kiosk.log_id)[0, 2]
    assert (row.sealed, row.digest) == (kiosk.sealed[1], None)
    assert (row.outcome, row.opening) == (ACCEPTED, Opening.WAITING)
    assert rig.deliver(kiosk).outcomes == (DUPLICATE,) * 3


def test_what_is_refused_again_after_it_was_asked_for_is_not_asked_for_for_ever(rig):
    kiosk = rig.kiosk().record(1, FOREIGN_KEY)
    rig.deliver(kiosk)
    assert rig.run(ask_again(rig.engine, kiosk.kiosk_id)) == 1
    assert records(rig, kiosk.log_id)[0, 1].opening == Opening.ASKED

    assert rig.deliver(kiosk).outcomes == (Recorded.REFUSED_KEY,)
    assert records(rig, kiosk.log_id)[0, 1].opening == Opening.REFUSED


# Holes


def test_a_hole_is_taken_named_and_holds_the_receipts_head_back(rig, caplog):
    kiosk = rig.kiosk().record(9)
    rig.deliver(kiosk, 1, 3)

    receipt = rig.deliver(kiosk, 7, 9)

    assert receipt.outcomes == (ACCEPTED,) * 3
    assert receipt.log_head == kiosk.head(3)
    assert rig.held(kiosk.log_id) == {0: [1, 2, 3, 7, 8, 9]}
    [named] = [entry for entry in caplog.records if entry.message == "records missing"]
    assert (named.log, named.from_seq, named.to_seq) == (kiosk.log_id.hex(), 4, 6)


def test_a_hole_is_filled_from_any_side_and_the_head_goes_on(rig):
    kiosk = rig.kiosk().record(12)
    rig.deliver(kiosk, 1, 3)
    rig.deliver(kiosk, 11, 12)
    rig.deliver(kiosk, 8, 9)

    assert rig.deliver(kiosk, 6, 7).log_head == kiosk.head(3)
    assert rig.deliver(kiosk, 4, 5).log_head == kiosk.head(9)
    assert rig.deliver(kiosk, 10, 10).log_head == kiosk.head(12)
    assert rig.held(kiosk.log_id) == {0: [*range(1, 13)]}


def test_a_batch_over_a_hole_fills_it_and_doubles_nothing(rig):
    kiosk = rig.kiosk().record(9)
    rig.deliver(kiosk, 1, 3)
    rig.deliver(kiosk, 6, 7)

    receipt = rig.deliver(kiosk, 2, 9)

    assert receipt.outcomes == (
        *(DUPLICATE, DUPLICATE, ACCEPTED, ACCEPTED, DUPLICATE, DUPLICATE, ACCEPTED, ACCEPTED),
    )
    assert receipt.log_head == kiosk.head()
    assert rig.held(kiosk.log_id) == {0: [*range(1, 10)]}


def test_a_log_whose_beginning_was_never_seen_is_whole_from_its_lowest_seq(rig):
    kiosk = rig.kiosk().record(12)

    assert rig.deliver(kiosk, 8, 10).log_head == kiosk.head(10)
    assert rig.deliver(kiosk, 11, 12).log_head == kiosk.head(12)
    assert rig.deliver(kiosk, 3, 4).log_head == kiosk.head(4)
    assert rig.deliver(kiosk, 1, 2).log_head == kiosk.head(4)
    assert rig.deliver(kiosk, 5, 7).log_head == kiosk.head(12)
    assert rig.held(kiosk.log_id) == {0: [*range(1, 13)]}


def test_a_refused_record_leaves_no_hole(rig):
    kiosk = rig.kiosk().record(2).record(1, FOREIGN_KEY).record(3)
    rig.deliver(kiosk, 5, 6)
    rig.deliver(kiosk, 1, 2)

    assert rig.deliver(kiosk, 3, 4).log_head == kiosk.head()


# Forks


def test_a_cloned_card_forks_the_log_and_both_branches_go_on(rig, caplog):
    kiosk = rig.kiosk().record(4)
    clone = kiosk.clone().record(2)
    kiosk.record(3)
    rig.deliver(kiosk)

    receipt = rig.deliver(clone, 5)

    assert receipt.outcomes == (ACCEPTED, ACCEPTED)
    assert receipt.log_head == clone.head()
    [named] = [entry for entry in caplog.records if entry.message == "log forked"]
    assert (named.log, named.branch, named.from_seq) == (kiosk.log_id.hex(), 1, 5)
    kiosk.record(2)
    clone.record(4)
    assert rig.deliver(kiosk, 8).log_head == kiosk.head()
    assert rig.deliver(clone, 7).log_head == clone.head()
    assert rig.held(kiosk.log_id) == {0: [*range(1, 10)], 1: [*range(5, 11)]}
    held = records(rig, kiosk.log_id)
    assert [held[0, seq].sealed for seq in range(1, 10)] == kiosk.sealed
    assert [held[1, seq].sealed for seq in range(5, 11)] == clone.sealed[4:]


def test_a_fork_in_the_middle_of_a_batch_divides_it(rig):
    kiosk = rig.kiosk().record(4)
    clone = kiosk.clone().record(2)
    kiosk.record(3)
    rig.deliver(kiosk)

    receipt = rig.deliver(clone, 3)

    assert receipt.outcomes == (DUPLICATE, DUPLICATE, ACCEPTED, ACCEPTED)
    assert receipt.log_head == clone.head()
    assert rig.held(kiosk.log_id) == {0: [*range(1, 8)], 1: [5, 6]}
    assert rig.deliver(clone, 1).outcomes == (DUPLICATE,) * 6
    assert rig.held(kiosk.log_id) == {0: [*range(1, 8)], 1: [5, 6]}


def test_a_fork_of_a_fork_gets_a_branch_of_its_own(rig):
    kiosk = rig.kiosk().record(2)
    clone = kiosk.clone().record(2)
    third = clone.clone().record(1)
    for each in (kiosk, clone):
        each.record(2)
        rig.deliver(each)

    assert rig.deliver(third).outcomes == (DUPLICATE,) * 4 + (ACCEPTED,)
    assert rig.held(kiosk.log_id) == {0: [1, 2, 3, 4], 1: [3, 4, 5, 6], 2: [5]}


def test_a_hole_on_a_branch_stays_on_that_branch(rig):
    kiosk = rig.kiosk().record(2)
    clone = kiosk.clone().record(8)
    rig.deliver(kiosk.record(10))
    rig.deliver(clone, 1, 4)

    assert rig.deliver(clone, 8, 9).log_head == clone.head(4)
    assert rig.held(kiosk.log_id)[1] == [3, 4, 8, 9]
    assert rig.deliver(clone, 5, 7).log_head == clone.head(9)


def test_what_fills_a_hole_but_does_not_lead_on_goes_on_a_branch(rig):
    kiosk = rig.kiosk().record(3)
    clone = kiosk.clone().record(3)
    kiosk.record(6)
    rig.deliver(kiosk, 1, 3)
    rig.deliver(kiosk, 7, 9)

    assert rig.deliver(clone, 4, 6).log_head == clone.head()
    assert rig.held(kiosk.log_id) == {0: [1, 2, 3, 7, 8, 9], 1: [4, 5, 6]}
    assert rig.deliver(kiosk, 4, 6).log_head == kiosk.head()
    assert rig.held(kiosk.log_id) == {0: [*range(1, 10)], 1: [4, 5, 6]}


def test_a_log_that_does_not_begin_as_logs_do_is_kept_on_a_branch(rig):
    kiosk = rig.kiosk().record(2)
    rig.deliver(kiosk)
    batch = replace(kiosk.batch(), previous=bytes(32), nonce=bytes(8))

    receipt = rig.take(kiosk.sign(batch))

    assert receipt.answers(batch)
    assert receipt.outcomes == (ACCEPTED, ACCEPTED)
    assert rig.held(kiosk.log_id) == {0: [1, 2], 1: [1, 2]}


def test_the_stored_links_prove_each_branch(rig):
    kiosk = rig.kiosk().record(3)
    clone = kiosk.clone().record(3)
    kiosk.record(3, FOREIGN_KEY)
    rig.deliver(kiosk)
    rig.deliver(clone)

    for row in rig.read(select(tables.branch)):
        previous = None
        for (branch, seq), held in sorted(records(rig, kiosk.log_id).items()):
            if branch != row.branch:
                continue
            assert previous in (None, held.previous)
            previous = link(held.previous, seq, held.digest or digest(held.sealed))
        assert Head(row.head_seq, row.head_link) == Head(row.whole_seq, previous)
    assert records(rig, kiosk.log_id)[0, 1].previous == first_link(kiosk.log_id)


def test_nothing_of_a_refused_batch_is_stored(rig):
    kiosk, other = rig.kiosk().record(2), rig.kiosk()
    rig.problem(rig.collector.intake.take(other.key.sign(Context.BATCH, kiosk.batch().encode()), 0))

    for table in (tables.log, tables.branch, tables.record):
        assert rig.read(select(func.count()).select_from(table)) == [(0,)]


def check_branches(rig, log_id):
    """See that each branch's row says of its records what they are."""
    held = records(rig, log_id)
    for row in rig.read(select(tables.branch).where(tables.branch.c.log_id == log_id)):
        seqs = sorted(seq for branch, seq in held if branch == row.branch)
        run_end = next(seq for seq in seqs if seq + 1 not in seqs)
        assert (row.from_seq, row.whole_seq, row.head_seq) == (seqs[0], run_end, seqs[-1])
        for seq, said in ((row.whole_seq, row.whole_link), (row.head_seq, row.head_link)):
            record = held[row.branch, seq]
            assert said == link(record.previous, seq, digest(record.sealed))


@settings(max_examples=15, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_in_whatever_order_batches_come_the_branches_know_how_far_they_are_whole(rig, data):
    kiosk = rig.kiosk().record(5)
    lines = [kiosk, kiosk.clone().record(4)]
    kiosk.record(7)
    for _ in range(data.draw(st.integers(1, 8))):
        line = data.draw(st.sampled_from(lines))
        first_seq = data.draw(st.integers(1, len(line.sealed)))
        last_seq = data.draw(st.integers(first_seq, len(line.sealed)))

        receipt = rig.deliver(line, first_seq, last_seq)

        check_branches(rig, kiosk.log_id)
        heads = rig.read(
            select(tables.branch.c.whole_seq, tables.branch.c.whole_link).where(
                tables.branch.c.log_id == kiosk.log_id
            )
        )
        assert (receipt.log_head.seq, receipt.log_head.link) in heads
