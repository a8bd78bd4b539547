"""Records: one encoding each, padded to buckets, unknown members kept."""

from datetime import UTC, date, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sync_service.contract.codec import decode, encode
from sync_service.contract.error import MalformedError
from sync_service.contract.record import (
    BUCKETS,
    MAX_TEXT,
    ClockEvidence,
    DayRecord,
    Ending,
    Fairness,
    Helped,
    InputMode,
    Misuse,
    Moment,
    Response,
    Verdict,
    day_of,
    decode_record,
    encode_record,
    half_day_of,
)

moments = st.builds(
    Moment,
    st.integers(0, 100_000),
    st.none() | st.builds(ClockEvidence, st.binary(min_size=4, max_size=4), st.integers(0, 2**20)),
)
codes = st.integers(1, 2**32 - 1)
serials = st.integers(1, 2**32 - 1)
unknown = st.dictionaries(st.integers(100, 10_000), st.integers() | st.text(max_size=5), max_size=2)
unknown = unknown.filter(
    lambda members: all(
        not isinstance(value, int) or -(2**63) <= value < 2**63 for value in members.values()
    )
)


@st.composite
def responses(draw):
    offered = draw(st.lists(codes, max_size=8, unique=True))
    fates = draw(
        st.lists(
            st.none() | st.just("skip") | codes | st.text(min_size=1, max_size=30),
            min_size=len(offered),
            max_size=len(offered),
        )
    )
    fate_of = dict(zip(offered, fates, strict=True))
    return Response(
        assignment=draw(serials),
        moment=draw(moments),
        language=draw(st.sampled_from(["en", "cy", "zh-Hans"])),
        questionnaire=draw(serials),
        offered=tuple(offered),
        answers={c: f for c, f in fate_of.items() if f is not None and f != "skip"},
        skipped=tuple(c for c, f in fate_of.items() if f == "skip"),
        ending=draw(st.sampled_from(Ending)),
        input_mode=draw(st.sampled_from(InputMode)),
        single_tap=draw(st.booleans()),
        text_size=draw(st.integers(0, 9)),
        helped=draw(st.none() | st.sampled_from(Helped)),
        age_band=draw(st.none() | st.integers(1, 23)),
        misuse=Misuse(draw(st.integers(0, 3))),
        unknown=draw(unknown),
    )


verdicts = st.builds(
    Verdict,
    assignment=serials,
    moment=moments,
    language=st.just("cy"),
    replies=serials,
    reply=codes,
    fairness=st.sampled_from(Fairness),
    unknown=unknown,
)
day_records = st.builds(
    DayRecord,
    assignment=serials,
    moment=moments,
    minutes_available=st.integers(0, 65535),
    minutes_out_of_service=st.integers(0, 65535),
    sessions_begun=st.integers(0, 65535),
    approaches=st.none() | st.integers(0, 65535),
    unknown=unknown,
)


@given(responses() | verdicts | day_records)
def test_a_record_comes_back_as_it_was(record):
    assert decode_record(encode_record(record)) == record


@given(responses() | verdicts | day_records)
def test_a_record_fills_the_smallest_bucket_it_fits(record):
    padded = encode_record(record)
    assert len(padded) in BUCKETS
    plain = padded.rstrip(b"\x00")
    assert all(len(plain) > bucket for bucket in BUCKETS if bucket < len(padded))


@given(
    st.binary(max_size=300)
    | st.sampled_from(BUCKETS).flatmap(
        lambda bucket: st.binary(max_size=60).map(lambda b: (b + b"\x80").ljust(bucket, b"\x00"))
    )
)
def test_any_bytes_give_a_record_with_that_one_encoding_or_the_named_error(data):
    try:
        record = decode_record(data)
    except MalformedError:
        return
    assert encode_record(record) == data


def six_ratings(**changes):
    members = {
        "assignment": 65_535,
        "moment": Moment(half_day_of(datetime(2058, 12, 31, 23, tzinfo=UTC))),
        "language": "en",
        "questionnaire": 65_535,
        "offered": (1, 2, 3, 4, 5, 6),
        "answers": {1: 1, 2: 2, 3: 3, 4: 4, 5: 5, 6: 6},
        "text_size": 2,
        "helped": Helped.YES,
        "age_band": 4,
        "misuse": Misuse.TOO_FAST,
    }
    return Response(**(members | changes))


def test_six_ratings_with_every_flag_and_an_unsure_clock_fit_the_smallest_bucket():
    evidence = ClockEvidence(b"boot", 2000)
    sure, unsure = (
        encode_record(six_ratings(moment=Moment(60_000, moment))) for moment in (None, evidence)
    )
    assert len(sure) == len(unsure) == BUCKETS[0]


def test_the_longest_comment_in_the_widest_letters_fits_a_bucket():
    response = six_ratings(answers={1: "\N{GRINNING FACE}" * MAX_TEXT})
    assert decode_record(encode_record(response)) == response


def test_a_record_too_long_for_any_bucket_is_refused():
    comment = "\N{GRINNING FACE}" * MAX_TEXT
    with pytest.raises(MalformedError, match="longer than"):
        encode_record(six_ratings(answers={code: comment for code in (1, 2, 3)}))


@pytest.mark.parametrize(
    "changes",
    [
        {"offered": (1, 1), "answers": {}},
        {"offered": (1,), "answers": {2: 1}},
        {"offered": (1,), "answers": {}, "skipped": (2,)},
        {"offered": (1,), "answers": {1: 1}, "skipped": (1,)},
        {"answers": {1: 0}},
        {"answers": {1: ""}},
        {"answers": {1: "x" * (MAX_TEXT + 1)}},
        {"answers": {1: True}},
        {"assignment": 0},
        {"questionnaire": 0},
        {"language": ""},
        {"moment": Moment(-1)},
        {"moment": Moment(1, ClockEvidence(b"long boot id", 1))},
        {"age_band": 24},
    ],
)
def test_a_response_that_breaks_the_contract_is_not_encoded(changes):
    with pytest.raises(MalformedError):
        encode_record(six_ratings(**changes))


@pytest.mark.parametrize(("key", "default"), [(8, []), (11, False), (12, 0), (15, 0)])
def test_a_member_at_its_default_may_not_be_written(key, default):
    plain = encode_record(six_ratings(text_size=0, misuse=Misuse.NONE)).rstrip(b"\x00")[:-1]
    members = decode(plain)
    assert key not in members
    members[key] = default
    with pytest.raises(MalformedError):
        decode_record((encode(members) + b"\x80").ljust(64, b"\x00"))


def test_a_kind_of_a_later_version_is_malformed_to_this_one():
    with pytest.raises(MalformedError, match="must be one of"):
        decode_record((encode({0: 9}) + b"\x80").ljust(64, b"\x00"))


@pytest.mark.parametrize(
    ("local", "half_day"),
    [
        (datetime(1970, 1, 1, 0, 0, tzinfo=UTC), 0),
        (datetime(1970, 1, 1, 11, 59, tzinfo=UTC), 0),
        (datetime(1970, 1, 1, 12, 0, tzinfo=UTC), 1),
        (datetime(1969, 12, 31, tzinfo=UTC), 0),
        (datetime(2026, 3, 14, 9, tzinfo=UTC), 41_052),
    ],
)
def test_a_half_day_is_the_date_and_half_of_it(local, half_day):
    assert half_day_of(local) == half_day


def test_a_half_day_gives_its_date_back():
    assert day_of(41_052) == day_of(41_053) == date(2026, 3, 14)
