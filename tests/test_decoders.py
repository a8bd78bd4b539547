"""Whatever comes from outside, every decoder gives a value or its named error, within bounds.

What comes is random bytes, good bytes that were damaged, and values of the right make with
something hostile in them, sealed or signed as if by an honest hand where that is needed to be
looked at.
"""

import ast
import copy
import tracemalloc
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from decoders import DECODERS, MESSAGES, Decoder, check, identity, places, spare_key
from hypothesis import given, settings
from hypothesis import strategies as st

from sync_service import contract
from sync_service.contract import codec

OF_CBOR = {name: decoder for name, decoder in DECODERS.items() if decoder.cbor}

hostile = st.one_of(
    st.sampled_from(
        [
            *(None, True, False, 0, 1, -1, 2**31, 2**32, 2**63 - 1, 2**63, 2**64 - 1, -(2**63)),
            *("", "x", "x" * 70, "\x00", "\x1b[2J", "\u202e", "1970-01-01", "-1"),
            *(b"", b"\x00" * 15, b"\x00" * 16, b"\x00" * 32, b"\xff" * 33, b"\x00" * 16_442),
            *([], {}, [[]], [{}], {0: 1}, {"en": ""}, [1, 2], [1, b""], [0] * 600, [[1, 1]] * 65),
        ]
    ),
    st.integers(-5, 300),
    st.text(max_size=8),
    st.binary(max_size=40),
)


@st.composite
def damaged(draw: st.DrawFn, data: bytes) -> bytes:
    """Bytes with some cut out, doubled, put in, swapped or altered."""
    for _ in range(draw(st.integers(1, 3))):
        first, last = sorted((draw(st.integers(0, len(data))), draw(st.integers(0, len(data)))))
        before, middle, after = data[:first], data[first:last], data[last:]
        match draw(st.sampled_from(["cut", "end", "double", "put", "swap", "alter"])):
            case "cut":
                data = before + after
            case "end":
                data = before
            case "double":
                data = before + middle + middle + after
            case "put":
                data = before + draw(st.binary(max_size=9)) + middle + after
            case "swap":
                data = before + after + middle
            case "alter":
                data = before + bytes([draw(st.integers(0, 255))]) + (middle + after)[1:]
    return data


@st.composite
def altered(draw: st.DrawFn, value: Any) -> Any:
    """A value with something in it replaced, left out, added or doubled."""
    value = copy.deepcopy(value)
    for _ in range(draw(st.integers(1, 3))):
        around = places(value)
        if not around:
            break
        container, key = draw(st.sampled_from(around))
        match draw(st.sampled_from(["replace", "move", "drop", "add", "double"])):
            case "replace":
                container[key] = copy.deepcopy(draw(hostile))
            case "move":
                other, there = draw(st.sampled_from(around))
                container[key] = copy.deepcopy(other[there])
            case "drop":
                del container[key]
            case "add" if isinstance(container, dict):
                other_key = draw(st.integers(0, 99) if type(key) is int else st.text(max_size=4))
                container[other_key] = copy.deepcopy(draw(hostile))
            case _ if isinstance(container, list):
                container += copy.deepcopy(container)
    return value


@pytest.mark.parametrize("decoder", DECODERS.values(), ids=DECODERS)
def test_what_is_good_is_read(decoder: Decoder) -> None:
    for data in decoder.reads:
        decoder.decode(decoder.around(data))


@pytest.mark.parametrize("decoder", DECODERS.values(), ids=DECODERS)
@settings(max_examples=60)
@given(data=st.binary(max_size=300))
def test_any_bytes_give_a_value_or_the_named_error(decoder: Decoder, data: bytes) -> None:
    check(decoder, data)
    check(decoder, decoder.around(data))


@pytest.mark.parametrize("decoder", DECODERS.values(), ids=DECODERS)
@settings(max_examples=60)
@given(data=st.data())
def test_damaged_bytes_give_a_value_or_the_named_error(
    decoder: Decoder, data: st.DataObject
) -> None:
    good = data.draw(st.sampled_from(decoder.reads))
    check(decoder, data.draw(damaged(decoder.around(good))))
    check(decoder, decoder.around(data.draw(damaged(good))))


@pytest.mark.parametrize("decoder", OF_CBOR.values(), ids=OF_CBOR)
@settings(max_examples=120)
@given(data=st.data())
def test_a_hostile_value_gives_a_value_or_the_named_error(
    decoder: Decoder, data: st.DataObject
) -> None:
    good = codec.decode(data.draw(st.sampled_from(decoder.reads)))
    hostile = data.draw(altered(good))
    try:
        encoded = codec.encode(hostile)
    except TypeError:  # keys of two types, which no CBOR of ours can say
        return
    check(decoder, decoder.around(encoded))


@pytest.mark.parametrize("of_card", [identity, spare_key])
def test_a_small_file_of_a_card_gives_what_it_holds_or_the_named_error(
    of_card: Callable[[Path], Decoder], tmp_path: Path
) -> None:
    decoder = of_card(tmp_path)
    [good] = decoder.reads

    @settings(max_examples=100)
    @given(st.binary(max_size=200) | damaged(good))
    def check_all(data: bytes) -> None:
        check(decoder, data)

    decoder.decode(good)
    check_all()


MIB = 1024 * 1024
BOMBS = {
    "empty maps": b"\x9a\x00\x0f\xff\xff" + b"\xa0" * (MIB - 1),
    "empty byte strings": b"\x9a\x00\x0f\xff\xff" + b"\x40" * (MIB - 1),
    "as many values as are allowed": b"\x99\x7f\xff" + b"\xa0" * 32_767,
    "a map of as many": codec.encode({number: 0 for number in range(16_000)}),
    "an array said to be huge": b"\x9b" + b"\xff" * 8,
    "a string said to be huge": b"\x5b\x7f" + b"\xff" * 7 + bytes(MIB),
    "arrays within arrays": b"\x81" * MIB,
    "maps within maps": b"\xa1\x00" * (MIB // 2),
    "tags within tags": b"\xc1" * MIB,
    "an indefinite array": b"\x9f" * MIB,
    "a long text": codec.encode("x" * MIB),
    "bad UTF-8": b"\x7a\x00\x0f\xff\xff" + b"\xc3" * MIB,
    "a long number": b"\xc2\x5a\x00\x0f\xff\xff" + b"\xff" * MIB,
    "digits": b"9" * MIB,
    "brackets": b"[" * MIB,
}


@pytest.mark.parametrize("bomb", BOMBS.values(), ids=BOMBS)
def test_no_bytes_make_a_decoder_fill_the_memory(bomb: bytes) -> None:
    others = {type(message).__name__ for message in MESSAGES[1:]} | {"redaction", "expiry"}
    for name in DECODERS.keys() - others:  # the others begin as one of these does
        decoder = DECODERS[name]
        for data in (bomb, decoder.around(bomb)):
            tracemalloc.start()
            check(decoder, data)
            _, peak = tracemalloc.get_traced_memory()
            tracemalloc.stop()
            # A few copies of what came, and what a decoder may build of the profile's values.
            assert peak <= 8 * len(data) + 8 * MIB, name


def decoders_of_the_contract() -> set[str]:
    """Whatever takes bytes, and says which errors it raises for them."""
    found = set()
    for path in Path(contract.__file__).parent.glob("*.py"):
        for node in ast.parse(path.read_text(encoding="utf-8")).body:
            for each in node.body if isinstance(node, ast.ClassDef) else [node]:
                if not isinstance(each, ast.FunctionDef) or each.name.startswith("_"):
                    continue
                takes = {ast.unparse(one.annotation) for one in each.args.args if one.annotation}
                says = ast.get_docstring(each) or ""
                if takes & {"bytes", "Mapping[str, bytes]"} and "Raises:" in says:
                    owner = f"{node.name}." if isinstance(node, ast.ClassDef) else ""
                    found.add(owner + each.name)
    return found


def test_every_decoder_of_the_contract_is_among_them() -> None:
    assert decoders_of_the_contract() == {
        *(f"{type(message).__name__}.decode" for message in MESSAGES),
        "Envelope.unpack",
        "OpeningKey.open",
        "OpeningKey.open_store_key",
        "Publication.verify",
        "Settled.from_file",
        "Stamp.from_files",
        "Stamp.unpack",
        "decode",
        "decode_record",
        "parse_key",
        "read_header",
    }
