"""Writers: rows as CSV, as lines of JSON, as Parquet, as an Excel workbook. All in flat memory.

Lines of text can be had bit by bit, for a network as well as for a file. Parquet and a workbook are
whole only at their end, so they are files.
"""

import csv
import io
import json
import unicodedata
from collections.abc import Callable, Mapping, Sequence
from enum import StrEnum
from functools import lru_cache, partial
from itertools import chain
from operator import call
from pathlib import Path
from typing import Any, BinaryIO, Final, Protocol

import duckdb
import msgspec
import xlsxwriter

from sync_service.collector.error import CollectorError
from sync_service.collector.insight.columns import Column
from sync_service.collector.insight.rows import MAX_SHARED, Cell, CellRow, Part, RowTable

MAX_SHEET_ROWS: Final = 1_048_575
"""How many rows a sheet of a workbook can hold, beside the one with the columns' names."""

WORKBOOK: Final = "regard.xlsx"

_END_OF_ROW: Final = "\r\n"
_EXECUTED: Final = frozenset("=+-@\N{MINUS SIGN}")
_INVISIBLE: Final = frozenset(("Cc", "Cf", "Zs", "Zl", "Zp"))
_DUCKDB_TYPES: Final = {
    "string": "VARCHAR",
    "integer": "BIGINT",
    "boolean": "BOOLEAN",
    "date": "DATE",
    "object": "VARCHAR",
}
_TO_PARQUET: Final = """
    COPY (SELECT * FROM read_json($rows, columns = $columns, format = 'newline_delimited'))
    TO $into (FORMAT parquet, COMPRESSION zstd, ROW_GROUP_SIZE 65536, KV_METADATA {regard: $about})
"""


class ExportError(CollectorError):
    """An export can't be made as asked; the message says why, and what to name instead."""


class Format(StrEnum):
    """What rows can be written as."""

    CSV = "csv"
    NDJSON = "ndjson"
    PARQUET = "parquet"
    XLSX = "xlsx"

    @property
    def media_type(self) -> str:
        """As HTTP and data packages call it."""
        return _MEDIA_TYPES[self]


_MEDIA_TYPES: Final = {
    Format.CSV: "text/csv",
    Format.NDJSON: "application/x-ndjson",
    Format.PARQUET: "application/vnd.apache.parquet",
    Format.XLSX: "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
}


def inert(text: str) -> str:
    """The text as a cell that no spreadsheet runs as a formula.

    One ``'`` goes before a text that begins, in any width and after any blank or invisible
    characters, with ``=``, ``+``, ``-`` or ``@``; or that begins with a control character such as
    a tab; or with ``'``, so that taking one ``'`` away always gives the text back.
    """
    if text[:1].isascii() and text[:1].isalnum():  # as most do
        return text
    visible = (mark for mark in text if unicodedata.category(mark) not in _INVISIBLE)
    first = unicodedata.normalize("NFKC", next(visible, ""))[:1]
    if first in _EXECUTED or (text and (text[0] == "'" or unicodedata.category(text[0]) == "Cc")):
        return f"'{text}"
    return text


class Text(Protocol):
    """Rows as text, bit by bit."""

    def head(self) -> bytes:
        """What stands before the first row."""
        ...

    def encode(self, rows: Sequence[CellRow]) -> bytes:
        """Some rows."""
        ...


class Csv:
    """CSV as RFC 4180 has it, in UTF-8; people's own words are made `inert`."""

    def __init__(self, table: RowTable) -> None:
        self._names = [column.name for column in table.columns]
        self._texts = [lru_cache(MAX_SHARED)(partial(_csv_part, part)) for part in table.parts]

    def head(self) -> bytes:
        """The names of the columns."""
        return f"{','.join(self._names)}{_END_OF_ROW}".encode()

    def encode(self, rows: Sequence[CellRow]) -> bytes:
        """Some rows."""
        lines = [
            f"{row_id}{''.join(map(call, self._texts, parts))}{_END_OF_ROW}"
            for row_id, *parts in rows
        ]
        return "".join(lines).encode()


def _csv_part(columns: Sequence[Column], part: Part) -> str:
    """The cells of a part, with a comma before each."""
    text = io.StringIO()
    csv.writer(text).writerow(["", *map(_csv_cell, columns, part)])
    return text.getvalue().removesuffix(_END_OF_ROW)


def _csv_cell(column: Column, cell: Cell) -> Cell:
    if column.type == "boolean":
        return "true" if cell else "false"
    return inert(cell) if column.free and isinstance(cell, str) else cell


class Ndjson:
    """One JSON object a row, each on its own line, with all columns in each."""

    def __init__(self, table: RowTable) -> None:
        self._id = msgspec.json.encode(table.id.name)
        self._texts = [lru_cache(MAX_SHARED)(partial(_json_part, part)) for part in table.parts]

    def head(self) -> bytes:
        """Nothing."""
        return b""

    def encode(self, rows: Sequence[CellRow]) -> bytes:
        """Some rows."""
        return b"".join(
            b'{%b:"%b"%b}\n' % (self._id, row_id.encode(), b"".join(map(call, self._texts, parts)))
            for row_id, *parts in rows
        )


def _json_part(columns: Sequence[Column], part: Part) -> bytes:
    """The members of a part, with a comma before each."""
    members = {
        column.name: msgspec.Raw(cell)
        if column.type == "object" and isinstance(cell, str)
        else cell
        for column, cell in zip(columns, part, strict=True)
    }
    return b"," + msgspec.json.encode(members)[1:-1]


class Files(Protocol):
    """Tables written into a folder, one after the other."""

    def begin(self, table: RowTable) -> None:
        """Go on with this table."""
        ...

    def write(self, rows: Sequence[CellRow]) -> None:
        """Some rows of the table begun last."""
        ...

    def finish(self, about: Mapping[str, object]) -> None:
        """No more rows come; what is told about all of them goes into the files that can hold it.

        Raises:
            ExportError: what was written doesn't go into files of this kind.
        """
        ...

    def path(self, table: RowTable) -> Path:
        """The file that the table is in."""
        ...


def files_of(kind: Format, folder: Path) -> Files:
    """What writes files of a format into a folder."""
    match kind:
        case Format.CSV:
            return TextFiles(folder, kind, Csv)
        case Format.NDJSON:
            return TextFiles(folder, kind, Ndjson)
        case Format.PARQUET:
            return ParquetFiles(folder)
        case Format.XLSX:
            return Workbook(folder)


class TextFiles:
    """A file of text for each table."""

    def __init__(self, folder: Path, kind: Format, text: Callable[[RowTable], Text]) -> None:
        self._folder = folder
        self._kind = kind
        self._text = text
        self._file: BinaryIO | None = None

    def begin(self, table: RowTable) -> None:
        """Go on with this table."""
        self._close()
        self._encoder = self._text(table)
        self._file = self.path(table).open("wb")
        self._file.write(self._encoder.head())

    def write(self, rows: Sequence[CellRow]) -> None:
        """Some rows of the table begun last."""
        assert self._file is not None
        self._file.write(self._encoder.encode(rows))

    def finish(self, about: Mapping[str, object]) -> None:
        """No more rows come; there is no room for what is told about them."""
        self._close()

    def path(self, table: RowTable) -> Path:
        """The file that the table is in."""
        return self._folder / f"{table.name}.{self._kind}"

    def _close(self) -> None:
        if self._file is not None:
            self._file.close()
            self._file = None


class ParquetFiles:
    """A Parquet file for each table, with what is told about all of them under the key "regard".

    DuckDB makes them, of lines of JSON in a file that is removed again. (Of CSV it would have to
    guess how lines end.)
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._text = TextFiles(folder, Format.NDJSON, Ndjson)
        self._tables: list[RowTable] = []

    def begin(self, table: RowTable) -> None:
        """Go on with this table."""
        self._tables.append(table)
        self._text.begin(table)

    def write(self, rows: Sequence[CellRow]) -> None:
        """Some rows of the table begun last."""
        self._text.write(rows)

    def finish(self, about: Mapping[str, object]) -> None:
        """Make the Parquet files."""
        self._text.finish(about)
        settings: dict[str, str | bool | int | float | list[str]] = {
            "threads": 1,
            "memory_limit": "256MB",
            "temp_directory": str(self._folder / "spilled"),
            "autoinstall_known_extensions": False,
            "autoload_known_extensions": False,
        }
        with duckdb.connect(config=settings) as database:
            for table in self._tables:
                rows = self._text.path(table)
                told = {
                    "rows": str(rows),
                    "columns": {each.name: _DUCKDB_TYPES[each.type] for each in table.columns},
                    "into": str(self.path(table)),
                    "about": json.dumps(about, ensure_ascii=False),
                }
                database.execute(_TO_PARQUET, told)
                rows.unlink()

    def path(self, table: RowTable) -> Path:
        """The file that the table is in."""
        return self._folder / f"{table.name}.parquet"


class Workbook:
    """One Excel workbook: a sheet for each table, one for their columns, one about all."""

    def __init__(self, folder: Path, max_rows: int = MAX_SHEET_ROWS) -> None:
        self._path = folder / WORKBOOK
        self._max_rows = max_rows
        # Each row goes to a file, in this folder, as soon as the next one begins.
        self._book = xlsxwriter.Workbook(
            self._path, {"constant_memory": True, "tmpdir": str(folder), "strings_to_urls": False}
        )
        self._heading = self._book.add_format({"bold": True})
        self._date = self._book.add_format({"num_format": "yyyy-mm-dd"})
        self._tables: list[RowTable] = []
        self._write: list[Callable[..., int]] = []
        self._next = 0

    def begin(self, table: RowTable) -> None:
        """Go on with this table."""
        self._tables.append(table)
        sheet = self._sheet(table.name, [column.name for column in table.columns])
        write = {
            "boolean": sheet.write_boolean,
            "date": lambda *cell: sheet.write_datetime(*cell, self._date),
            "integer": sheet.write_number,
            "object": sheet.write_string,
            "string": sheet.write_string,
        }
        self._write = [write[column.type] for column in table.columns]

    def write(self, rows: Sequence[CellRow]) -> None:
        """Some rows of the table begun last.

        Raises:
            ExportError: there are more than a sheet holds, or a text is longer than a cell holds.
        """
        for row in rows:
            if self._next > self._max_rows:
                raise self._refused(
                    f"there are more than {self._max_rows:,} {self._tables[-1].name}, which is all"
                    " that a sheet of an Excel workbook holds"
                )
            row_id, *parts = row
            for place, cell in enumerate((row_id, *chain.from_iterable(parts))):
                if cell is not None and self._write[place](self._next, place, cell) < 0:
                    raise self._refused(
                        f"a text among the {self._tables[-1].name} is longer than a cell of an"
                        " Excel workbook holds"
                    )
            self._next += 1

    def finish(self, about: Mapping[str, object]) -> None:
        """Tell of the columns and of the whole, and make the workbook."""
        columns = self._sheet("columns", ["sheet", "column", "type", "what it tells"])
        described = (
            (table.name, column.name, column.type, column.tells)
            for table in self._tables
            for column in table.columns
        )
        for number, line in enumerate(described, start=1):
            for place, text in enumerate(line):
                columns.write_string(number, place, text)
        sheet = self._sheet("about", ["what", "value"])
        for number, (what, value) in enumerate(_lines(about), start=1):
            sheet.write_string(number, 0, what)
            sheet.write_string(number, 1, value)
        self._book.close()

    def path(self, table: RowTable) -> Path:
        """The workbook."""
        return self._path

    def _refused(self, why: str) -> ExportError:
        self._book.close()
        return ExportError(f"{why}; use --format csv or parquet")

    def _sheet(self, name: str, heads: Sequence[str]) -> Any:
        sheet = self._book.add_worksheet(name)
        sheet.freeze_panes(1, 0)
        for place, head in enumerate(heads):
            sheet.write_string(0, place, head, self._heading)
        self._next = 1
        return sheet


def _lines(told: object, of: str = "") -> list[tuple[str, str]]:
    """What is told, a line for each single thing: ("kiosks 1 site", "central")."""
    match told:
        case Mapping():
            parts = list(told.items())
        case list() | tuple():
            parts = list(enumerate(told, start=1))
        case _:
            return [(of, "" if told is None else str(told))]
    return [line for name, part in parts for line in _lines(part, f"{of} {name}".lstrip())]
