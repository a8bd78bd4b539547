"""The same rows in every format: read back by what analysts read them with."""

import csv
import json
import tracemalloc
import zipfile
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from xml.etree import ElementTree

import duckdb
import frictionless
import pandas
import pyarrow.parquet
import pytest
from centre import DAY, PUBLISHING, RESPONSE, UNSYNCED, VERDICT, begun_centre
from hypothesis import given, settings
from hypothesis import strategies as st

from sync_service.collector import tables
from sync_service.collector.insight.columns import Column
from sync_service.collector.insight.export import export
from sync_service.collector.insight.rows import RowTable
from sync_service.collector.insight.writers import (
    MAX_SHEET_ROWS,
    Csv,
    ExportError,
    Format,
    Ndjson,
    Workbook,
    files_of,
)
from sync_service.contract.record import Moment

LATER = datetime(2026, 4, 1, 12, tzinfo=UTC)
TABLES = ("responses", "verdicts", "days")
TRICKY = {3: 'Tŷ, "iawn"\nie; =1'}
SHEET = "{http://schemas.openxmlformats.org/spreadsheetml/2006/main}"


@pytest.fixture(scope="module")
def exported(tmp_path_factory):
    """A folder with one export in each format, made of the same records."""
    folder = tmp_path_factory.mktemp("exported")
    with begun_centre(folder) as centre:
        centre.hold(
            RESPONSE,
            replace(RESPONSE, helped=None, age_band=None, misuse=0, answers={}, skipped=()),
            VERDICT,
            DAY,
            replace(RESPONSE, moment=Moment(5, UNSYNCED), answers=TRICKY, unknown={40: b"\x00"}),
        )
        centre.open()
        for kind in Format:
            keys = [PUBLISHING.verifying_key]
            centre.run(export(centre.engine, folder / kind, keys, at=LATER, kind=kind))
    return folder


def package(folder):
    return json.loads((folder / "datapackage.json").read_text(encoding="utf-8"))


def fields(folder, name):
    """The fields that the package says a table has."""
    [schema] = [each["schema"] for each in package(folder)["resources"] if each["name"] == name]
    return schema["fields"]


def read_csv(folder, name):
    """The rows of a table, with the types that its package gives them."""
    read = {
        "string": lambda cell: cell.removeprefix("'"),
        "integer": int,
        "boolean": {"true": True, "false": False}.__getitem__,
        "date": date.fromisoformat,
        "object": json.loads,
    }
    types = {field["name"]: field["type"] for field in fields(folder, name)}
    with (folder / f"{name}.csv").open(encoding="utf-8", newline="") as file:
        return [
            {key: read[types[key]](cell) if cell else None for key, cell in row.items()}
            for row in csv.DictReader(file, strict=True)
        ]


def read_ndjson(folder, name):
    dates = [field["name"] for field in fields(folder, name) if field["type"] == "date"]
    lines = (folder / f"{name}.ndjson").read_text(encoding="utf-8").splitlines()
    rows = [json.loads(line) for line in lines]
    return [row | {key: row[key] and date.fromisoformat(row[key]) for key in dates} for row in rows]


def read_parquet(folder, name):
    rows = pyarrow.parquet.read_table(folder / f"{name}.parquet").to_pylist()
    return [row | {"unknown": row["unknown"] and json.loads(row["unknown"])} for row in rows]


def read_sheet(folder, name):
    """The rows of a sheet, by its first one; days are counted from the end of 1899."""
    with zipfile.ZipFile(folder / "regard.xlsx") as book:
        sheets = ElementTree.fromstring(book.read("xl/workbook.xml")).iter(f"{SHEET}sheet")
        number = [sheet.get("name") for sheet in sheets].index(name) + 1
        root = ElementTree.fromstring(book.read(f"xl/worksheets/sheet{number}.xml"))
    heads, *rows = ({place(cell): value(cell) for cell in row} for row in root.iter(f"{SHEET}row"))
    return [{head: row.get(column) for column, head in heads.items()} for row in rows]


def place(cell):
    return cell.get("r").rstrip("0123456789")


def value(cell):
    text = "".join(cell.itertext())
    if cell.get("t") == "inlineStr":
        return text
    if cell.get("t") == "b":
        return text == "1"
    return int(text) if cell.get("s") is None else date(1899, 12, 30) + timedelta(days=int(text))


def read_xlsx(folder, name):
    rows = read_sheet(folder, name)
    return [row | {"unknown": row["unknown"] and json.loads(row["unknown"])} for row in rows]


@pytest.mark.parametrize("name", TABLES)
@pytest.mark.parametrize("read", [read_ndjson, read_parquet, read_xlsx])
def test_every_format_holds_the_same_rows_as_the_csv(exported, read, name):
    kind = read.__name__.removeprefix("read_")
    assert read(exported / kind, name) == read_csv(exported / "csv", name)
    assert len(read_csv(exported / "csv", name)) == (3 if name == "responses" else 1)


def test_what_was_answered_stands_in_every_format_as_it_was_written(exported):
    for read in (read_ndjson, read_parquet, read_xlsx):
        rows = read(exported / read.__name__.removeprefix("read_"), "responses")
        assert {row["answer_comment"] for row in rows} == {None, "Diolch", TRICKY[3]}
        assert [row["unknown"] for row in rows if row["unknown"]] == [{"40": {"hex": "00"}}]


@pytest.mark.parametrize("kind", [Format.CSV, Format.NDJSON])
def test_frictionless_finds_every_export_to_be_as_its_package_says(exported, kind):
    report = frictionless.validate(exported / kind / "datapackage.json")
    assert report.flatten(["type", "message"]) == []
    rows = {task.name: task.stats.get("rows") for task in report.tasks}
    assert [rows[name] for name in TABLES] == [3, 1, 1]


@pytest.mark.parametrize("change", ["true,keypad", "2026-03-10,morning", "visit,1"])
def test_frictionless_would_find_a_cell_that_is_not_as_the_package_says(exported, tmp_path, change):
    for path in (exported / "csv").iterdir():
        content = path.read_text(encoding="utf-8")
        if path.suffix == ".csv":
            content = content.replace(change, "maybe,maybe")
        (tmp_path / path.name).write_text(content, encoding="utf-8", newline="")
    report = frictionless.validate(tmp_path / "datapackage.json")
    assert {"type-error", "constraint-error"} & {each for [each] in report.flatten(["type"])}


def test_pandas_and_duckdb_read_parquet_with_the_types_of_the_package(exported):
    types = {
        "string": ("VARCHAR", "str"),
        "integer": ("BIGINT", "int64"),
        "boolean": ("BOOLEAN", "bool"),
        "date": ("DATE", "object"),  # pandas has no type for a date without a time
        "object": ("VARCHAR", "str"),
    }
    path = exported / "parquet/verdicts.parquet"
    wanted = {each["name"]: types[each["type"]] for each in fields(path.parent, "verdicts")}
    with duckdb.connect() as database:
        found = database.execute("DESCRIBE SELECT * FROM read_parquet($1)", [str(path)]).fetchall()
    by_pandas = pandas.read_parquet(path).dtypes
    assert {row[0]: (row[1], str(by_pandas[row[0]])) for row in found} == wanted


def test_every_file_that_has_room_says_what_the_package_says(exported):
    metadata = pyarrow.parquet.read_schema(exported / "parquet/days.parquet").metadata
    assert json.loads(metadata[b"regard"]) == package(exported / "parquet")["regard"]

    told = {row["what"]: row["value"] for row in read_sheet(exported / "xlsx", "about")}
    about = package(exported / "xlsx")["regard"]
    assert told["period first_date"] == about["period"]["first_date"] == "2026-03-10"
    assert told["kiosks 1 reported"] == str(about["kiosks"][0]["reported"])
    assert told["questionnaires 1 id"] == "visit"
    assert told["rules 1"] == about["rules"][0]

    columns = read_sheet(exported / "xlsx", "columns")
    assert [row["column"] for row in columns if row["sheet"] == "responses"] == [
        field["name"] for field in fields(exported / "xlsx", "responses")
    ]
    assert all(row["what it tells"] for row in columns)


def test_only_a_csv_has_and_tells_of_quotes_before_formulas(exported):
    for kind in Format:
        rules = " ".join(package(exported / kind)["regard"]["rules"])
        assert ("stands one '" in rules) == (kind is Format.CSV)


def test_nothing_is_left_beside_the_files_that_the_package_names(exported):
    for kind in Format:
        named = {each["path"] for each in package(exported / kind)["resources"]}
        assert {path.name for path in (exported / kind).iterdir()} == named | {"datapackage.json"}


def a_table(*parts):
    source = tables.response
    every = source.select()
    return RowTable("words", "Words", Column("id", "An id."), parts, source, every, every, tuple)


WORDS = a_table(
    (
        Column("flag", "A flag.", "boolean"),
        Column("day", "A day.", "date", required=False),
        Column("number", "A number.", "integer", required=False),
    ),
    (Column("word", "Any text.", required=False, free=True),),
    (Column("unknown", "JSON.", "object", required=False),),
)
NAMES = [column.name for column in WORDS.columns]


def a_row(row_id, *cells):
    return row_id, cells[:3], cells[3:4], cells[4:]


TEXTS = st.text(st.characters(exclude_categories=["Cs", "Cc"]) | st.just("\n"), min_size=1)
ROWS = st.lists(
    st.tuples(
        st.sampled_from(["00ff", "1e5", "0"]),
        st.booleans(),
        st.none() | st.dates(date(1970, 1, 1), date(9999, 12, 31)),
        st.none() | st.integers(-(2**53), 2**53),
        st.none() | TEXTS.filter(str.strip) | st.sampled_from(["=1\n", 'a"\n', "_x000A_", "true"]),
        st.none() | st.just('{"40": [1, "a"]}'),
    ),
    max_size=5,
)


@settings(max_examples=25)
@given(ROWS)
def test_any_rows_come_back_from_parquet_and_a_workbook_as_they_were(tmp_path_factory, rows):
    folder = tmp_path_factory.mktemp("rows")
    for kind in (Format.PARQUET, Format.XLSX):
        files = files_of(kind, folder)
        files.begin(WORDS)
        files.write([a_row(*row) for row in rows])
        files.finish({})
    wanted = [dict(zip(NAMES, row, strict=True)) for row in rows]
    for row in wanted:
        row["unknown"] = row["unknown"] and json.loads(row["unknown"])
    assert read_parquet(folder, "words") == wanted
    assert [unescaped(row) for row in read_xlsx(folder, "words")] == wanted


def unescaped(row):
    """A row as Excel shows it: it writes an underscore before x000A as _x005F_."""
    word = row["word"]
    return row | {"word": word and word.replace("_x005F_", "_")}


def test_what_does_not_fit_a_sheet_is_refused_with_what_to_do_instead(tmp_path):
    book = Workbook(tmp_path, max_rows=2)
    book.begin(WORDS)
    row = a_row("00", True, None, None, "a", None)
    book.write([row, row])
    with pytest.raises(ExportError, match=r"more than 2 words.*use --format csv or parquet"):
        book.write([row])
    assert MAX_SHEET_ROWS + 1 == 1_048_576


def test_a_text_that_does_not_fit_a_cell_is_refused_too(tmp_path):
    book = Workbook(tmp_path)
    book.begin(WORDS)
    with pytest.raises(ExportError, match="longer than a cell"):
        book.write([a_row("00", True, None, None, "x" * 32_768, None)])


@pytest.mark.parametrize("kind", Format)
def test_ten_times_the_rows_take_no_more_memory(tmp_path, kind):
    def peak(parts):
        folder = tmp_path / str(parts)
        folder.mkdir()
        tracemalloc.start()
        try:
            files = files_of(kind, folder)
            files.begin(WORDS)
            for part in range(parts):
                said = (True, date(2026, 3, 10), part, f"A text of some length {part}", None)
                files.write([a_row(f"{part:032x}", *said) for _ in range(200)])
            files.finish({})
            return tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()

    peak(1)  # what is held from then on is none of the rows'
    assert peak(40) < 1.5 * peak(4)


def test_text_that_is_sent_bit_by_bit_is_the_text_of_the_file():
    row = a_row("00ff", True, date(2026, 3, 10), 5, "=1\n", '{"40": 1}')
    csv_text, ndjson = Csv(WORDS), Ndjson(WORDS)
    assert csv_text.head() + csv_text.encode([row]) == (
        b'id,flag,day,number,word,unknown\r\n00ff,true,2026-03-10,5,"\'=1\n","{""40"": 1}"\r\n'
    )
    assert ndjson.head() + ndjson.encode([row]) == (
        b'{"id":"00ff","flag":true,"day":"2026-03-10","number":5,'
        b'"word":"=1\\n","unknown":{"40": 1}}\n'
    )


@pytest.mark.parametrize("text", [Csv, Ndjson])
def test_a_part_that_comes_again_is_written_as_it_was_before(text):
    """Though true and 1 are the same to Python, and parts are remembered by what is in them."""
    rows = [
        a_row("00", True, None, 1, None, None),
        a_row("01", False, None, 0, "a", "[0]"),
        a_row("02", True, None, 1, "a", None),
        a_row("03", False, None, 0, None, "[0]"),
    ]
    together, alone = text(WORDS), [text(WORDS).encode([row]) for row in rows]
    assert together.encode(rows) + together.encode(rows) == b"".join(alone + alone)


def test_an_empty_cell_is_empty_even_alone_in_its_part():
    assert Csv(WORDS).encode([a_row("00", False, None, None, None, None)]) == b"00,false,,,,\r\n"
