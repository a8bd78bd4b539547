"""The codec: one encoding for a value, and any bytes give a value or a MalformedError."""

from enum import IntEnum

import cbor2
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sync_service.contract.codec import MAX_DEPTH, MAX_VALUES, Fields, decode, encode
from sync_service.contract.error import MalformedError

scalars = st.one_of(
    st.integers(-(2**63), 2**63 - 1),
    st.text(max_size=20),
    st.binary(max_size=20),
    st.booleans(),
    st.none(),
)
values = st.recursive(
    scalars,
    lambda inner: st.one_of(
        st.lists(inner, max_size=4),
        st.dictionaries(st.integers(0, 2**32), inner, max_size=4),
        st.dictionaries(st.text(max_size=8), inner, max_size=4),
    ),
    max_leaves=12,
)


def depth(value: object) -> int:
    match value:
        case list():
            return 1 + max(map(depth, value), default=0)
        case dict():
            return 1 + max(map(depth, value.values()), default=0)
    return 0


@given(values.filter(lambda value: depth(value) <= MAX_DEPTH))
def test_what_was_encoded_decodes_to_the_same(value):
    assert decode(encode(value)) == value


@given(st.binary(max_size=200))
def test_any_bytes_give_a_value_with_that_one_encoding_or_the_named_error(data):
    try:
        value = decode(data)
    except MalformedError:
        return
    assert encode(value) == data


@given(values, st.binary(min_size=1, max_size=4))
def test_nothing_may_follow_the_end(value, rest):
    with pytest.raises(MalformedError):
        decode(encode(value) + rest)


@pytest.mark.parametrize("value", [0, [], {}, b"", "", 2**63 - 1, b"x" * 70_000])
def test_as_many_values_are_built_as_a_publication_can_hold_and_no_more(value):
    most = [value] * (MAX_VALUES - 1)  # and the list itself
    if not isinstance(value, bytes) or not value:
        assert decode(encode(most)) == most
        with pytest.raises(MalformedError, match="more than 32768 values"):
            decode(encode([*most, value]))
    assert decode(encode([value] * 20)) == [value] * 20


@pytest.mark.parametrize(
    "tail", [b"\x1f", b"\x5f", b"\xff", b"\x1c", b"\x5b" + b"\xff" * 8, b"\x1b"]
)
def test_long_bytes_with_a_broken_head_are_refused_all_the_same(tail):
    head = cbor2.dumps([b"x" * 70_000, 0])[:-1]
    with pytest.raises(MalformedError):
        decode(head + tail)


@pytest.mark.parametrize(
    ("data", "why"),
    [
        ("1801", "a head longer than it need be"),
        ("a202000100", "unsorted keys"),
        ("a201000101", "a key that comes twice"),
        ("a20100614100", "keys of two types"),
        ("a1f500", "a key that is no number or text"),
        ("9f00ff", "an indefinite array"),
        ("5f4100ff", "an indefinite string"),
        ("f93c00", "a float"),
        ("fb3ff0000000000000", "a double"),
        ("f7", "undefined"),
        ("e0", "a simple value"),
        ("c11a00000000", "a tag: time"),
        ("c24105", "a tag: bignum"),
        ("c5820a01", "a tag: bigfloat"),
        ("d81c80", "a tag: shared value"),
        ("d82361 28".replace(" ", ""), "a tag: pattern"),
        ("d9d9f700", "a tag: self-described"),
        ("d8ff00", "a tag nobody defined"),
        ("62c328", "text that is not UTF-8"),
        ("9a0fffffff", "an array said to be huge"),
        ("5a0fffffff41", "a string said to be huge"),
        ("", "nothing"),
    ],
)
def test_what_is_outside_the_profile_is_refused(data, why):
    with pytest.raises(MalformedError):
        decode(bytes.fromhex(data))


def test_containers_nest_to_the_limit_and_no_deeper():
    def nested(depth):
        return b"\x81" * depth + b"\x00"

    decode(nested(MAX_DEPTH))
    with pytest.raises(MalformedError):
        decode(nested(MAX_DEPTH + 1))
    with pytest.raises(MalformedError):
        decode(nested(100_000))


def test_keys_sort_the_same_by_our_rule_and_by_the_older_one_of_rfc_7049():
    members = {key: None for key in (0, 23, 24, 255, 256, 65536)}
    assert encode(members) == cbor2.dumps(dict(sorted(members.items())))


def test_fields_name_the_map_and_the_member_that_is_wrong():
    fields = Fields({1: 500, 2: "x"}, "status")
    with pytest.raises(MalformedError, match="status: 1 must be an integer from 0 to 9"):
        fields.integer(1, high=9)
    with pytest.raises(MalformedError, match="status: 7 is missing"):
        fields.text(7, 10)
    with pytest.raises(MalformedError, match="status: unknown: 2"):
        fields.nothing_else()


class Rating(IntEnum):
    POOR = 0
    GOOD = 1


@pytest.mark.parametrize("take", [Fields.integer, lambda fields, key: fields.member(key, Rating)])
def test_true_is_not_the_integer_one(take):
    assert take(Fields({1: 1}, "status"), 1) == 1
    with pytest.raises(MalformedError):
        take(Fields({1: True}, "status"), 1)


@pytest.mark.parametrize("value", [2, -1, "1", b"\x01", None, [1], {1: 1}])
def test_what_is_no_value_of_an_enumeration_is_no_member_of_it(value):
    with pytest.raises(MalformedError, match="status: 1 must be one of 0, 1"):
        Fields({1: value}, "status").member(1, Rating)
