"""Deterministic CBOR, the only encoding that is signed, sealed or stored.

The profile (RFC 8949, section 4.2.1, narrowed): unsigned and negative integers, byte strings,
text, arrays, maps, true, false and null. No floats, no tags, no indefinite lengths; shortest
heads, sorted unique keys, nesting to `MAX_DEPTH`, at most `MAX_VALUES` values in one, nothing
after the end. Of every value there is one encoding, so that equal bytes mean equal values and the
other way round.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import date
from enum import Enum
from typing import NoReturn, TypeAlias, TypeGuard, TypeVar

import cbor2

from sync_service.contract.error import MalformedError

MAX_DEPTH = 8
"""Containers within containers that a decoder follows."""

MAX_VALUES = 2**15
"""Values, all told, that a decoder builds: more than the largest publication holds."""

MAX_INTEGER = 2**63 - 1
"""The largest integer in any message, so that each fits a database's column."""

Value: TypeAlias = (
    "int | str | bytes | Sequence[Value] | Mapping[int, Value] | Mapping[str, Value] | None"
)
"""What the profile can say."""

_LONG_HEAD = 24  # from here on, the argument follows in 1, 2, 4 or 8 bytes
_STRINGS = (2, 3)  # the major types of bytes and text
_SCALARS = frozenset((int, str, bytes, bool, type(None)))

T = TypeVar("T")
E = TypeVar("E", bound=Enum)


def _refuse_tag(*_: object) -> NoReturn:
    raise MalformedError("a tag where none is allowed")


def encode(value: Value) -> bytes:
    """Encode a value; equal values give equal bytes."""
    return cbor2.dumps(value, canonical=True)


def decode(data: bytes) -> Value:
    """Decode what `encode` made, and nothing else.

    Raises:
        MalformedError: the bytes are not the one encoding of a value of the profile.
    """
    _check_number(data)
    try:
        value = cbor2.loads(
            data,
            max_depth=MAX_DEPTH,
            allow_indefinite=False,
            allow_duplicate_keys=False,
            # Every tag is refused before its content is built: dates, bignums, patterns, all.
            semantic_decoders=defaultdict(lambda: _refuse_tag),
            tag_hook=_refuse_tag,
        )
    except (cbor2.CBORError, MalformedError, ValueError, OverflowError, TypeError) as error:
        raise MalformedError(f"not deterministic CBOR: {error}") from None
    _check_profile(value)
    if encode(value) != data:
        raise MalformedError("not deterministic CBOR: this is not the shortest, sorted encoding")
    return value  # type: ignore[no-any-return]  # cbor2 gives Any; the profile was just checked


def _check_number(data: bytes) -> None:
    """Refuse more than `MAX_VALUES` before they are built: a byte can cost a whole container.

    It reads the heads only; whether they are right is for the decoder to say.
    """
    if len(data) <= MAX_VALUES:  # as nearly always: each takes a byte or more
        return
    at = 0
    for _ in range(MAX_VALUES):
        if at >= len(data):
            return
        major, argument = divmod(data[at], 32)
        at += 1
        if argument >= _LONG_HEAD:
            width = 1 << (argument - _LONG_HEAD)
            argument = int.from_bytes(data[at : at + width])
            at += width
        if major in _STRINGS:
            at += argument
    if at < len(data):
        raise MalformedError(f"more than {MAX_VALUES} values")


def _check_profile(value: object) -> None:
    kind = type(value)
    members: Iterable[object] = ()
    if kind is dict:
        key_types = set(map(type, value))  # type: ignore[call-overload]
        if not (key_types <= {int} or key_types <= {str}):
            raise MalformedError("map keys must be all integers or all text")
        members = value.values()  # type: ignore[attr-defined]
    elif kind is list:
        members = value  # type: ignore[assignment]
    elif kind not in _SCALARS:
        raise MalformedError(f"a value of type {kind.__name__} is outside the profile")
    for member in members:
        if type(member) not in _SCALARS:  # as most are
            _check_profile(member)


class Fields:
    """Takes the members of a decoded map one at a time, each checked; what is left is unknown.

    ``what`` names the map in errors. A member that may be absent is asked for by ``key in fields``
    first: every method raises `MalformedError` for one that is missing or not as described.
    """

    def __init__(self, value: Value, what: str) -> None:
        if not isinstance(value, dict):
            raise MalformedError(f"{what}: not a map")
        self._members: dict[object, Value] = {**value}
        self._what = what

    def __contains__(self, key: int | str) -> bool:
        return key in self._members

    def _take(self, key: int | str) -> Value:
        if key not in self._members:
            raise MalformedError(f"{self._what}: {key} is missing")
        return self._members.pop(key)

    def _not(self, key: int | str, allowed: str) -> MalformedError:
        return MalformedError(f"{self._what}: {key} must be {allowed}")

    def integer(self, key: int | str, low: int = 0, high: int = MAX_INTEGER) -> int:
        """An integer from ``low`` to ``high``."""
        value = self._take(key)
        if not is_integer(value, low, high):
            raise self._not(key, f"an integer from {low} to {high}")
        return value

    def flag(self, key: int | str) -> bool:
        """True or false."""
        value = self._take(key)
        if not isinstance(value, bool):
            raise self._not(key, "true or false")
        return value

    def octets(self, key: int | str, low: int, high: int | None = None) -> bytes:
        """A byte string of ``low`` (to ``high``) bytes."""
        top = low if high is None else high
        value = self._take(key)
        if not isinstance(value, bytes) or not low <= len(value) <= top:
            raise self._not(key, f"{low} to {top} bytes")
        return value

    def text(self, key: int | str, high: int) -> str:
        """Text of 1 to ``high`` characters."""
        value = self._take(key)
        if not isinstance(value, str) or not 1 <= len(value) <= high:
            raise self._not(key, f"text of 1 to {high} characters")
        return value

    def line(self, key: int | str, high: int) -> str:
        """1 to ``high`` printable characters of ASCII: what any terminal may be shown."""
        value = self._take(key)
        if (
            not isinstance(value, str)
            or not 1 <= len(value) <= high
            or not (value.isascii() and value.isprintable())
        ):
            raise self._not(key, f"1 to {high} printable characters of ASCII")
        return value

    def day(self, key: int | str) -> date:
        """A date, written as 2026-03-14."""
        value = self._take(key)
        try:
            found = date.fromisoformat(value) if isinstance(value, str) else None
        except ValueError:
            found = None
        if found is None or found.isoformat() != value:
            raise self._not(key, "a date such as 2026-03-14")
        return found

    def member(self, key: int | str, kind: type[E]) -> E:
        """A member of an enumeration, by its value."""
        value = self._take(key)
        if type(value) in (int, str):  # true is not 1
            try:
                return kind(value)
            except ValueError:
                pass
        raise self._not(key, f"one of {', '.join(str(member.value) for member in kind)}")

    def items(self, key: int | str, high: int) -> list[Value]:
        """An array of at most ``high`` members, each still to be checked."""
        value = self._take(key)
        if not isinstance(value, list) or len(value) > high:
            raise self._not(key, f"an array of at most {high}")
        return value

    def mapping(self, key: int | str, high: int) -> dict[int, Value]:
        """A map with integer keys and at most ``high`` members, each still to be checked."""
        value = self._take(key)
        if not isinstance(value, dict) or len(value) > high or not set(map(type, value)) <= {int}:
            raise self._not(key, f"a map of at most {high} by integers")
        return value

    def document(self, key: int | str) -> dict[str, Value]:
        """A map with text keys, still to be checked."""
        value = self._take(key)
        if not isinstance(value, dict) or not set(map(type, value)) <= {str}:
            raise self._not(key, "a map by text")
        return value

    def unknown(self) -> dict[int, Value]:
        """What nobody took: members of a later version of the contract, kept as they are."""
        return {key: value for key, value in self._members.items() if isinstance(key, int)}

    def nothing_else(self) -> None:
        """Refuse members that nobody took."""
        if self._members:
            names = ", ".join(sorted(map(str, self._members)))
            raise MalformedError(f"{self._what}: unknown: {names}")


def is_integer(value: object, low: int = 0, high: int = MAX_INTEGER) -> TypeGuard[int]:
    """Whether a value is an integer from ``low`` to ``high``, which true and false are not."""
    return type(value) is int and low <= value <= high


def integers(values: Iterable[Value], what: str, low: int, high: int) -> tuple[int, ...]:
    """Check that each value is an integer from ``low`` to ``high`` and none comes twice.

    Raises:
        MalformedError: one is not, or comes twice.
    """
    found: list[int] = []
    for value in values:
        if not is_integer(value, low, high):
            raise MalformedError(f"{what}: each must be an integer from {low} to {high}")
        found.append(value)
    if len(set(found)) != len(found):
        raise MalformedError(f"{what}: one comes twice")
    return tuple(found)


def without_defaults(members: Mapping[int, tuple[Value, Value]]) -> dict[int, Value]:
    """The map of ``key: (value, default)`` without the members that equal their default."""
    return {key: value for key, (value, default) in members.items() if value != default}
