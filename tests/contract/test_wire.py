"""Messages: read back as they were, and what they say together."""

from dataclasses import replace
from datetime import date
from http import HTTPStatus

import pytest

from sync_service.contract.chain import Head, first_link, links
from sync_service.contract.codec import decode, encode
from sync_service.contract.error import ChainError, MalformedError
from sync_service.contract.publication import PublicationKind
from sync_service.contract.signing import Context, SigningKey
from sync_service.contract.wire import (
    MAX_BATCH_LENGTH,
    MAX_BATCH_RECORDS,
    MAX_TROUBLES,
    PROBLEMS,
    Batch,
    Enrolment,
    EnrolmentReply,
    Offer,
    Problem,
    Receipt,
    Recorded,
    Standing,
    Status,
    StatusReply,
    depth_step,
    new_nonce,
)

KEY = SigningKey(bytes([4] * 32))
KIOSK = KEY.verifying_key.kiosk_id
LOG = bytes(range(16))
NONCE = bytes(8)


def batch(count=3):
    return Batch(
        kiosk_id=KIOSK,
        log_id=LOG,
        first_seq=1,
        previous=first_link(LOG),
        sealed=tuple(bytes([n % 256]) * 121 for n in range(count)),
        nonce=NONCE,
    )


def receipt_of(sent, outcomes=None):
    return Receipt(
        kiosk_id=sent.kiosk_id,
        nonce=sent.nonce,
        log_id=sent.log_id,
        first_seq=sent.first_seq,
        batch_head=sent.head.link,
        outcomes=outcomes or (Recorded.ACCEPTED,) * len(sent.sealed),
        log_head=sent.head,
    )


STATUS = Status(
    kiosk_id=KIOSK,
    nonce=NONCE,
    log_id=LOG,
    head=Head(7, bytes(32)),
    settled_seq=5,
    oldest_held_seq=1,
    depth=10,
    oldest_waiting=date(2026, 3, 14),
    software="0.1.0",
    clock_synced=False,
    clock_at=0,
    uptime_h=3,
    last_error="unreachable",
    publications={PublicationKind.KEYS: 1, PublicationKind.QUESTIONNAIRE: 4},
    stamp_id=bytes(range(16)),
)
STATUS_REPLY = StatusReply(
    kiosk_id=KIOSK,
    nonce=NONCE,
    standing=Standing.ENROLLED,
    at=1_773_480_000,
    log_head=Head(5, bytes(32)),
    wanted=((2, 3), (6, 6)),
    offers=(Offer(PublicationKind.REPLIES, 9, bytes(32)),),
)
ENROLMENT = Enrolment(KEY.verifying_key, NONCE, bytes(16), "ABCD-EFGH", "0.1.0")
ENROLMENT_REPLY = EnrolmentReply(KIOSK, NONCE, Standing.HELD)
MESSAGES = [
    batch(),
    receipt_of(batch(), (Recorded.ACCEPTED, Recorded.REFUSED_KEY, Recorded.DUPLICATE)),
    STATUS,
    replace(STATUS, oldest_waiting=None, last_error=None, publications={}),
    replace(STATUS, troubles=("button-2-stuck", "power-low")),
    STATUS_REPLY,
    replace(STATUS_REPLY, log_head=None, wanted=(), offers=()),
    replace(STATUS_REPLY, forked=True),
    ENROLMENT,
    ENROLMENT_REPLY,
]


@pytest.mark.parametrize("message", MESSAGES, ids=lambda message: type(message).__name__)
def test_a_message_comes_back_as_it_was(message):
    again = type(message).decode(message.encode())
    assert again.encode() == message.encode()
    assert type(again) is type(message)


@pytest.mark.parametrize("text", ["\x1b[2J", "a\nb", "a\0", "\u202egnp", "x" * 65, ""])
@pytest.mark.parametrize(("message", "key"), [(STATUS, 9), (STATUS, 13), (ENROLMENT, 5)])
def test_what_a_kiosk_says_of_itself_can_play_no_trick_on_a_terminal(message, key, text):
    members = {**decode(message.encode()), key: text}
    with pytest.raises(MalformedError, match="printable"):
        type(message).decode(encode(members))


@pytest.mark.parametrize("code", ["", "Button", "a b", "é", "-", "a" * 33, "a\n"])
def test_a_trouble_is_a_short_code(code):
    with pytest.raises(MalformedError, match="short codes"):
        Status.decode(replace(STATUS, troubles=("card-worn", code)).encode())


def test_more_troubles_than_a_status_holds_are_left_out():
    status = replace(STATUS, troubles=("card-worn",) * (MAX_TROUBLES + 1))
    assert len(Status.decode(status.encode()).troubles) == MAX_TROUBLES


def test_a_later_version_is_malformed_to_this_one():
    members = decode(ENROLMENT_REPLY.encode())
    members[0] = 2
    with pytest.raises(MalformedError):
        EnrolmentReply.decode(encode(members))


def test_members_of_a_later_version_do_no_harm():
    members = decode(STATUS.encode())
    members[99] = "later"
    assert Status.decode(encode(members)) == STATUS


@pytest.mark.parametrize("member", [3, 4, 5, 6])
def test_a_batch_whose_chain_does_not_hold_is_refused_by_name(member):
    members = decode(batch().encode())
    members[member] = {
        3: bytes(16),
        4: 2,
        5: bytes(32),
        6: list(reversed(members[6])),
    }[member]
    if member == 3:  # the log's id is not in the links but in the first one
        members[5] = first_link(bytes(16))
    with pytest.raises(ChainError):
        Batch.decode(encode(members))


def test_a_batch_holds_one_record_at_least_and_the_limit_at_most():
    Batch.decode(batch(MAX_BATCH_RECORDS).encode())
    with pytest.raises(MalformedError):
        Batch.decode(batch(MAX_BATCH_RECORDS + 1).encode())
    members = decode(batch().encode())
    members[6] = []
    with pytest.raises(MalformedError):
        Batch.decode(encode(members))


def test_the_limit_in_records_of_the_smallest_bucket_is_within_the_limit_in_bytes():
    signed = KEY.sign(Context.BATCH, batch(MAX_BATCH_RECORDS).encode())
    assert len(signed) < MAX_BATCH_LENGTH


def test_a_receipt_answers_its_own_batch_and_no_other():
    sent = batch()
    receipt = receipt_of(sent)
    assert receipt.answers(sent)
    others = [
        replace(sent, nonce=new_nonce()),
        replace(sent, log_id=bytes(16)),
        replace(sent, kiosk_id=bytes(16)),
        replace(sent, first_seq=2),
        replace(sent, sealed=sent.sealed[:2]),
        replace(sent, sealed=(*sent.sealed[:2], b"other")),
    ]
    assert not any(receipt.answers(other) for other in others)


def test_outcomes_that_repeat_cost_a_few_bytes():
    long, short = (len(receipt_of(batch(count)).encode()) for count in (500, 1))
    assert long - short < 10


def test_the_head_of_a_batch_follows_from_its_records():
    sent = batch()
    assert sent.head == Head(3, links(first_link(LOG), 1, sent.sealed)[-1])


@pytest.mark.parametrize(("depth", "step"), [(0, 0), (1, 1), (9, 1), (10, 10), (10**9, 100_000)])
def test_depth_is_told_in_steps(depth, step):
    assert depth_step(depth) == step


def test_every_problem_has_a_status_and_a_title_and_a_stable_type():
    for code, kind in PROBLEMS.items():
        document = Problem(code, "what to do").to_document()
        assert document["type"] == f"urn:regard:problem:{code}"
        assert HTTPStatus(document["status"]) >= HTTPStatus.BAD_REQUEST
        assert document["title"] == kind.title


def test_an_offer_of_a_later_versions_kind_is_passed_over():
    members = decode(STATUS_REPLY.encode())
    members[7] = [["weather", 1, bytes(32)], *members[7]]
    assert StatusReply.decode(encode(members)) == replace(
        STATUS_REPLY, wanted=[(2, 3), (6, 6)], offers=list(STATUS_REPLY.offers)
    )
