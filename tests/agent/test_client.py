"""The client believes only what is provably its collector's, and names what it does not."""

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sync_service.agent.client import (
    ContactError,
    ContractBrokenError,
    NotAdmittedError,
    TooMuchError,
    UnprovenError,
    UnreachableError,
)
from sync_service.contract.chain import Head
from sync_service.contract.publication import PublicationKind
from sync_service.contract.signing import Context, SigningKey
from sync_service.contract.wire import (
    MAX_PUBLICATION_LENGTH,
    MEDIA_TYPE,
    PROBLEM_MEDIA_TYPE,
    PROBLEMS,
    Batch,
    Enrolment,
    EnrolmentReply,
    Standing,
    Status,
    new_nonce,
)
from sync_service.outbox.clock import Times

OTHER_KEY = SigningKey(bytes([9] * 32))
SAYS_NOTHING_OF_SIZE = sorted(set(PROBLEMS) - {"too-slow", "too-large"})


def status_of(caller):
    return Status(
        kiosk_id=caller.kiosk_id,
        nonce=new_nonce(),
        log_id=bytes(16),
        head=Head(0, bytes(32)),
        settled_seq=0,
        oldest_held_seq=0,
        depth=0,
        oldest_waiting=None,
        software="regard/test",
        clock_synced=True,
        clock_at=0,
        uptime_h=0,
        last_error=None,
        publications={},
        stamp_id=caller.stamp.stamp_id,
    )


def enrolment_of(caller):
    return Enrolment(
        key=caller.signing_key.verifying_key,
        nonce=new_nonce(),
        stamp_id=caller.stamp.stamp_id,
        code=caller.stamp.enrolment_code,
        software="regard/test",
    )


def batch_of(caller, *sealed):
    return Batch(
        kiosk_id=caller.kiosk_id,
        log_id=bytes(16),
        first_seq=1,
        previous=bytes(32),
        sealed=sealed or (b"one", b"two"),
        nonce=new_nonce(),
    )


def ask_status(caller):
    return caller.collector().status(status_of(caller))


def ask_receipt(caller):
    return caller.collector().deliver(batch_of(caller))


def ask_enrolment(caller):
    return caller.collector().enrol(enrolment_of(caller))


def ask_publication(caller):
    return caller.collector().publication(bytes(32))


ASK = [ask_status, ask_receipt, ask_enrolment, ask_publication]
ASK_SIGNED = [ask_status, ask_receipt, ask_enrolment]


# TLS


def test_the_stamped_authority_is_trusted(caller):
    assert ask_status(caller).standing is Standing.ENROLLED


def test_another_authority_is_not_trusted(serve, caller_of, tmp_path_factory, authority):
    other = type(authority)(tmp_path_factory.mktemp("other"))
    with pytest.raises(UnreachableError, match="certificate verify failed"):
        ask_status(caller_of(serve(other.serve())))


@pytest.mark.parametrize("synced", [True, False])
def test_another_host_name_is_never_trusted(serve, caller_of, authority, synced):
    caller = caller_of(serve(authority.serve(host="collector.example")))
    caller.synced = synced
    with pytest.raises(UnreachableError, match="IP address mismatch"):
        ask_status(caller)


def test_a_certificate_that_ended_before_the_centre_last_spoke_is_no_good_to_any_clock(
    serve, caller_of, authority
):
    """Nobody has set the clock, so whoever has its stolen key would look good for ever."""
    ended = datetime.now(UTC) - timedelta(days=10)
    collector = serve(authority.serve(begins=ended - timedelta(days=60), days=60))
    caller = caller_of(collector).enrolled_at(collector)
    caller.synced = False
    assert ask_status(caller)

    for days, good in ((-1, True), (1, False)):
        spoke_at = (ended + timedelta(days=days)).timestamp()
        caller.clock.heed(Times(signed=caller.clock.told(spoke_at)))
        if good:
            assert ask_status(caller)
        else:
            heard = len(collector.heard)
            with pytest.raises(UnreachableError, match="had ended"):
                ask_status(caller)
            assert len(collector.heard) == heard


def test_a_collector_vouches_for_no_time_that_its_certificate_does_not_hold_at(caller):
    collector = caller.collector()
    assert collector.vouches_for(0)  # no certificate was seen yet
    collector.status(status_of(caller))

    today = datetime.now(UTC)
    assert collector.vouches_for(today.timestamp())
    for days in (-31, 31):
        assert not collector.vouches_for((today + timedelta(days=days)).timestamp())


@pytest.mark.parametrize("begins_in_days", [-10, 10])
def test_a_certificate_s_dates_count_only_while_the_clock_is_synchronised(
    serve, caller_of, authority, begins_in_days
):
    begins = datetime.now(UTC) + timedelta(days=begins_in_days)
    collector = serve(authority.serve(begins=begins, days=1))
    caller = caller_of(collector).enrolled_at(collector)
    caller.synced = False
    client = caller.collector()
    assert client.status(status_of(caller)).standing is Standing.ENROLLED
    caller.synced = True  # what was connected before must not be used any more
    with pytest.raises(UnreachableError, match="certificate verify failed"):
        client.status(status_of(caller))
    caller.synced = False
    assert client.status(status_of(caller)).standing is Standing.ENROLLED


def test_an_authority_that_can_not_be_read_is_refused_at_once(caller):
    caller.stamp = replace(caller.stamp, authority=b"no certificate")
    with pytest.raises(ValueError, match="certificate"):
        caller.collector()


@pytest.mark.parametrize("address", ["https://collector.example:port", "https://[::1"])
def test_an_address_that_can_not_be_called_on_is_refused_at_once(caller, address):
    caller.stamp = replace(caller.stamp, collector=address)
    with pytest.raises(ValueError, match=r"(?i)invalid"):
        caller.collector()


# What is said


def test_a_request_says_no_more_than_it_must(caller, collector):
    ask_receipt(caller)
    host = collector.address.removeprefix("https://")
    length = collector.headers[0].pop("Content-Length")
    assert int(length) < 400
    assert collector.headers == [
        {"Host": host, "User-Agent": "regard/test", "Content-Type": MEDIA_TYPE}
    ]


def test_one_connection_serves_a_whole_contact(caller, collector):
    client = caller.collector()
    for _ in range(3):
        client.status(status_of(caller))
    assert collector.connections == 1


def test_an_address_may_have_a_path(caller, collector):
    collector.below = "/regard"
    caller.stamp = replace(caller.stamp, collector=f"{collector.address}/regard")
    assert ask_status(caller).standing is Standing.ENROLLED


def test_a_proxy_is_asked_to_lead_the_way(caller, collector, tunnel):
    client = caller.collector(proxy=tunnel.address)
    assert client.status(status_of(caller)).standing is Standing.ENROLLED
    assert tunnel.asked_for == [collector.address.removeprefix("https://")]


def test_the_environment_s_proxy_is_not_heeded(caller, monkeypatch):
    monkeypatch.setenv("HTTPS_PROXY", "http://127.0.0.1:1")
    assert ask_status(caller).standing is Standing.ENROLLED


# What comes back


@pytest.mark.parametrize("ask", ASK)
def test_a_captive_portal_is_no_collector(caller, collector, ask):
    collector.instead = lambda _: collector.PORTAL
    with pytest.raises(UnreachableError) as caught:
        ask(caller)
    assert type(caught.value) is UnreachableError
    assert caught.value.code == "not-ours"


def test_what_a_proxy_says_for_itself_is_not_the_collector_s_word(caller, collector):
    for status in (201, 301, 302, 401, 403, 404, 407, 410):
        page = collector.page(status, Location="https://elsewhere.example/")
        collector.instead = lambda _, page=page: page
        with pytest.raises(UnreachableError, match="not-ours"):
            ask_status(caller)


@pytest.mark.parametrize("ask", ASK_SIGNED)
@pytest.mark.parametrize("body", [b"", b"\xff", b"<html>", bytes(100)])
def test_a_body_that_is_no_signed_message_is_not_the_collector_s(caller, collector, ask, body):
    collector.instead = lambda _: replace(collector.PORTAL, body=body, media_type=MEDIA_TYPE)
    with pytest.raises(UnreachableError, match="not-ours"):
        ask(caller)


@pytest.mark.parametrize("ask", ASK_SIGNED)
def test_what_another_key_signed_is_not_believed(caller, collector, ask):
    collector.receipt = OTHER_KEY
    with pytest.raises(UnprovenError, match="unproven-reply"):
        ask(caller)


def test_what_was_signed_as_another_message_is_not_believed(caller, collector):
    def instead(batch):
        receipt = collector.take_in(batch)
        signed = collector.receipt.sign(Context.STATUS_REPLY, receipt.encode())
        return replace(collector.say(receipt), body=signed)

    collector.instead = instead
    with pytest.raises(UnprovenError):
        ask_receipt(caller)


def test_an_unproven_reply_offers_newer_keys_and_nothing_else(caller, collector, centre):
    collector.offer(centre.keys(2, receipt=OTHER_KEY), centre.publishing)
    collector.offers.append(replace(collector.offers[0], kind=PublicationKind.REPLIES))
    collector.receipt = OTHER_KEY
    with pytest.raises(UnprovenError) as caught:
        ask_status(caller)
    assert [offer.kind for offer in caught.value.keys] == [PublicationKind.KEYS]


@pytest.mark.parametrize("ask", ASK_SIGNED)
def test_a_reply_of_yesterday_can_not_be_shown_again(caller, collector, ask):
    recorded = []

    def replay(message):
        recorded.append(collector.faithful(message))
        return recorded[0]

    collector.instead = replay
    ask(caller)
    with pytest.raises(UnreachableError, match="replayed-reply"):
        ask(caller)


def test_the_receipt_of_another_batch_is_not_believed(caller, collector):
    other = batch_of(caller, b"three", b"four")

    def instead(batch):
        return collector.say(collector.take_in(replace(other, nonce=batch.nonce)))

    collector.instead = instead
    with pytest.raises(UnreachableError, match="replayed-reply"):
        ask_receipt(caller)


def test_a_reply_to_another_kiosk_is_not_believed(caller, collector):
    def instead(enrolment):
        reply = EnrolmentReply(bytes(16), enrolment.nonce, Standing.ENROLLED)
        return collector.say(reply)

    collector.instead = instead
    with pytest.raises(UnreachableError, match="replayed-reply"):
        ask_enrolment(caller)


def test_a_signed_reply_that_is_none_of_the_contract_is_a_bug(caller, collector):
    def instead(_):
        signed = collector.receipt.sign(Context.STATUS_REPLY, b"\xa0")
        return replace(collector.PORTAL, body=signed, media_type=MEDIA_TYPE)

    collector.instead = instead
    with pytest.raises(ContractBrokenError, match="malformed-reply"):
        ask_status(caller)


def test_a_reply_without_end_is_not_read_to_its_end(caller, collector):
    longer = replace(
        collector.PORTAL, body=bytes(MAX_PUBLICATION_LENGTH + 1), media_type=MEDIA_TYPE
    )
    collector.instead = lambda _: longer
    with pytest.raises(UnreachableError, match=f"more than {MAX_PUBLICATION_LENGTH} bytes"):
        ask_publication(caller)
    longest = replace(longer, body=bytes(MAX_PUBLICATION_LENGTH))
    collector.instead = lambda _: longest
    assert len(ask_publication(caller)) == MAX_PUBLICATION_LENGTH


json_like = st.recursive(
    st.none() | st.integers() | st.text(max_size=9) | st.sampled_from([*PROBLEMS]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["code", "status", "x"]), inner, max_size=3)
    ),
)
bodies = st.one_of(
    st.binary(max_size=200),
    json_like.map(lambda value: json.dumps(value).encode()),
    st.integers(1, 16_000).map(lambda depth: b'{"code": "busy", "x": ' + b"[" * depth),
)


answers = st.fixed_dictionaries(
    {
        "status": st.sampled_from([200, 204, 301, 400, 403, 408, 429, 500, 503, 599]),
        "body": bodies,
        "media_type": st.sampled_from([MEDIA_TYPE, PROBLEM_MEDIA_TYPE, "text/html", ""]),
        "headers": st.fixed_dictionaries(
            {"Retry_After": st.text(st.characters(codec="latin-1", exclude_categories=["C"]))}
        ),
    }
)


@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.sampled_from(ASK), answers, st.none() | st.sampled_from(Context))
def test_whatever_comes_back_is_believed_or_has_its_error(
    caller, collector, ask, answer, signed_as
):
    answer = replace(collector.PORTAL, **answer)
    if signed_as is not None:
        answer = replace(answer, body=collector.receipt.sign(signed_as, answer.body))
    collector.instead = lambda _: answer
    try:
        got = ask(caller)
    except ContactError:
        return
    assert got == answer.body  # a publication, which has yet to prove itself


# Problems


@pytest.mark.parametrize("code", SAYS_NOTHING_OF_SIZE)
def test_every_problem_has_its_error(caller, collector, code):
    collector.instead = lambda _: collector.problem(code)
    if code in ("unknown-kiosk", "held-kiosk", "revoked-kiosk", "too-many-held"):
        expected = NotAdmittedError
    elif code == "too-often" or PROBLEMS[code].status >= 500:
        expected = UnreachableError
    else:
        expected = ContractBrokenError
    with pytest.raises(expected) as caught:
        ask_receipt(caller)
    assert type(caught.value) is expected
    assert caught.value.code == code


@pytest.mark.parametrize("code", ["too-slow", "too-large"])
def test_problems_of_size_ask_for_less(caller, collector, code):
    collector.instead = lambda _: collector.problem(code)
    with pytest.raises(TooMuchError, match=code):
        ask_receipt(caller)


@pytest.mark.parametrize("status", [408, 413, 504])
def test_a_proxy_s_limits_ask_for_less(caller, collector, status):
    collector.instead = lambda _: collector.page(status)
    with pytest.raises(TooMuchError, match=f"http-{status}"):
        ask_receipt(caller)


def test_a_problem_under_another_status_is_not_the_collector_s(caller, collector):
    collector.instead = lambda _: replace(collector.problem("revoked-kiosk"), status=400)
    with pytest.raises(UnreachableError, match="not-ours"):
        ask_status(caller)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"\xff\xfe",
        b"[]",
        b'{"code": 1}',
        b'{"code": "new"}',
        b'{"x": ' + b"[" * 10_000,
    ],
)
def test_a_problem_that_can_not_be_read_is_not_the_collector_s(caller, collector, body):
    collector.instead = lambda _: replace(collector.problem("revoked-kiosk"), body=body)
    with pytest.raises(UnreachableError, match="not-ours"):
        ask_status(caller)


@pytest.mark.parametrize("status", [429, 500, 502, 503])
def test_a_proxy_s_own_trouble_is_unreachable(caller, collector, status):
    collector.instead = lambda _: collector.page(status, Retry_After="7")
    with pytest.raises(UnreachableError, match=f"http-{status}") as caught:
        ask_receipt(caller)
    assert type(caught.value) is UnreachableError
    assert caught.value.retry_after_s == 7


@pytest.mark.parametrize(
    ("retry_after", "seconds"),
    [
        ("7", 7),
        (" 120 ", 120),
        ("999999999", 999_999_999),
        ("", None),
        ("-1", None),
        ("1.5", None),
        ("٣", None),
        ("9" * 5000, None),
        ("Wed, 21 Oct 2026 07:28:00 GMT", None),
    ],
)
def test_retry_after_is_heard_in_seconds(caller, collector, retry_after, seconds):
    collector.instead = lambda _: collector.page(
        503, Retry_After=retry_after.encode().decode("latin-1")
    )
    with pytest.raises(UnreachableError) as caught:
        ask_status(caller)
    assert caught.value.retry_after_s == seconds


# Connections


def test_nobody_there_is_unreachable(caller, collector):
    collector.close()
    with pytest.raises(UnreachableError, match="no-connection") as caught:
        ask_receipt(caller)
    assert type(caught.value) is UnreachableError


def test_a_connection_cut_in_mid_exchange_asks_for_less(caller, collector):
    collector.instead = lambda _: collector.CUT
    with pytest.raises(TooMuchError, match="cut-off"):
        ask_receipt(caller)


def test_a_collector_that_says_nothing_times_out(caller, collector):
    collector.instead = lambda _: collector.stall()
    with pytest.raises(TooMuchError, match="timed-out"):
        caller.collector(timeout_s=0.2).deliver(batch_of(caller))
