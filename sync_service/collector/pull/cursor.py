"""Cursors: places in the order of rows, as they are given to whoever pulls."""

import struct
from base64 import urlsafe_b64decode, urlsafe_b64encode
from binascii import Error as Base64Error
from typing import Final

from sync_service.collector.opening import RECORD_ID_LENGTH
from sync_service.collector.pull.instalments import TAG_LENGTH, Position

_VERSION: Final = 1
_TABLES: Final = {"responses": 1, "verdicts": 2, "days": 3}
_FORM: Final = struct.Struct(f">BBq{TAG_LENGTH}s{RECORD_ID_LENGTH}s")

PATTERN: Final = f"^[A-Za-z0-9_-]{{{-(-_FORM.size * 8 // 6)}}}$"
"""What every cursor looks like, as a regular expression."""


def write_cursor(table: str, position: Position) -> str:
    """The cursor of a place in a table."""
    packed = _FORM.pack(_VERSION, _TABLES[table], position.number, position.tag, position.record_id)
    return urlsafe_b64encode(packed).rstrip(b"=").decode()


def read_cursor(table: str, cursor: str) -> Position:
    """The place that a cursor means.

    Raises:
        ValueError: it is no cursor, or that of another table.
    """
    try:
        packed = urlsafe_b64decode(cursor.encode("ascii") + b"==")
        version, _, number, tag, record_id = _FORM.unpack(packed)
    except (UnicodeEncodeError, Base64Error, struct.error):
        raise ValueError("that is no cursor of ours") from None
    position = Position(number, tag, record_id)
    if version != _VERSION or write_cursor(table, position) != cursor:
        raise ValueError(f"that is no cursor of the {table}")
    return position
