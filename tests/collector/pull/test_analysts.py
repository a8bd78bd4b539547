"""What analysts pull with, as docs/pull.md says: curl, pandas and DuckDB, over real HTTP."""

import asyncio
import json
import os
import re
import socket
import subprocess
import sys
import threading
from contextlib import contextmanager
from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path

import duckdb
import pandas
import pytest
import uvicorn
from centre import DAY, PUBLISHING, RESPONSE, UNSYNCED, VERDICT
from starlette.applications import Starlette

from sync_service.collector.database import open_engine
from sync_service.collector.insight.columns import ANSWER
from sync_service.collector.insight.rows import Catalogue
from sync_service.collector.pull.problem import PROBLEMS
from sync_service.collector.pull.routes import Pull
from sync_service.contract.record import Moment

pytestmark = pytest.mark.sqlite_alone  # rows are read from either by the routes

PAGE = (Path(__file__).parents[3] / "docs/pull.md").read_text(encoding="utf-8")
TABLES = ("responses", "verdicts", "days")
COMMENT = '=1\nTŷ, "iawn"'
DUCKDB = {
    "string": "VARCHAR",
    "integer": "BIGINT",
    "boolean": "BOOLEAN",
    "date": "DATE",
    "object": "JSON",
}
PANDAS = {
    "string": "string",
    "integer": "Int64",
    "boolean": "boolean",
    "date": "datetime64[us]",
    "object": "object",
}


def blocks(language):
    """The code of a language on the page."""
    return re.findall(rf"^```{language}\n(.*?)^```$", PAGE, re.DOTALL | re.MULTILINE)


@contextmanager
def served(analyst):
    """Serve the API on loopback, in a thread with an engine of its own; gives its address."""
    listening = socket.create_server(("127.0.0.1", 0))
    server = []

    async def serve():
        engine = open_engine(analyst.centre.engine.url)
        pull = Pull(engine, [PUBLISHING.verifying_key], clock=analyst.seconds)
        app = Starlette(routes=pull.routes())
        server.append(uvicorn.Server(uvicorn.Config(app, lifespan="off", log_config=None)))
        await server[0].serve(sockets=[listening])
        await engine.dispose()

    thread = threading.Thread(target=lambda: asyncio.run(serve()))
    thread.start()
    try:
        yield f"http://127.0.0.1:{listening.getsockname()[1]}/v1/pull"
    finally:
        server[0].should_exit = True
        thread.join()


@pytest.fixture
def filled(centre, analyst):
    """A centre with records of each kind and every type, all handed out."""
    unsynced = replace(RESPONSE, moment=Moment(5, UNSYNCED), unknown={40: b"\x00"})
    spare = replace(
        RESPONSE, helped=None, age_band=None, misuse=0, answers={3: COMMENT}, skipped=()
    )
    centre.hold(RESPONSE, spare, VERDICT, DAY, unsynced)
    centre.open()
    analyst.close_instalment()
    return centre


@pytest.fixture
def desk(filled, analyst, tmp_path):
    """Where the analyst works: runs a program in a folder, and gives what it says."""
    folder = tmp_path / "desk"
    folder.mkdir()
    with served(analyst) as address:
        surroundings = os.environ | {"REGARD": address, "REGARD_TOKEN": analyst.token}

        def run(*program):
            done = subprocess.run(
                program, cwd=folder, env=surroundings, capture_output=True, text=True, check=False
            )
            assert done.returncode == 0, done.stderr
            return done.stdout

        run.folder = folder
        yield run


def types(folder, table):
    """The types that the data package gives the columns of a table."""
    package = json.loads((folder / "datapackage.json").read_text(encoding="utf-8"))
    [schema] = [each["schema"] for each in package["resources"] if each["name"] == table]
    return {field["name"]: field["type"] for field in schema["fields"]}


def test_what_the_page_says_in_five_minutes_works(desk):
    [everything, _] = blocks("sh")
    desk("sh", "-c", everything)
    assert len(pandas.read_csv(desk.folder / "responses.csv")) == 3
    assert types(desk.folder, "responses")["version"] == "integer"


def test_pandas_reads_each_format_as_the_page_says_with_the_types_of_the_package(desk, analyst):
    (desk.folder / "datapackage.json").write_bytes(analyst.get("datapackage.json").content)
    parquet, texts, _ = blocks("python")
    program = parquet + "responses.to_pickle('by_parquet')\n" + texts
    program += "by_csv.to_pickle('by_csv')\nby_lines.to_pickle('by_lines')\n"
    said = desk(sys.executable, "-c", program)
    assert "central-library" in said

    wanted = types(desk.folder, "responses")
    by_csv, by_lines, by_parquet = (
        pandas.read_pickle(desk.folder / name).set_index("response_id", drop=False)
        for name in ("by_csv", "by_lines", "by_parquet")
    )
    assert {name: str(kind) for name, kind in by_csv.dtypes.items()} == {
        name: PANDAS[kind] for name, kind in wanted.items()
    }
    assert by_lines.dtypes.drop("unknown").equals(by_csv.dtypes.drop("unknown"))
    for table in (by_csv, by_lines, by_parquet):
        assert sorted(table["answer_comment"].dropna().str.removeprefix("'")) == sorted(
            [COMMENT, "Diolch", "Diolch"]
        )
        assert sorted(table["age_band"].dropna()) == [3, 3]
        assert sorted(table["clock_synced"]) == [False, True, True]
    by_parquet = by_parquet.convert_dtypes()
    for name, kind in wanted.items():
        if kind == "date":
            assert {type(cell) for cell in by_parquet[name].dropna()} == {date}
        elif kind != "object" and by_parquet[name].notna().any():
            assert str(by_parquet[name].dtype) == PANDAS[kind]


def test_pandas_reads_parquet_with_types_to_reckon_with(filled, analyst, tmp_path):
    for table in TABLES:
        path = tmp_path / "datapackage.json"
        path.write_bytes(analyst.get(path.name).content)
        (tmp_path / table).write_bytes(analyst.get(f"{table}.parquet").content)
        frame = pandas.read_parquet(tmp_path / table, dtype_backend="pyarrow")
        arrow = {"string": "string", "integer": "int64", "boolean": "bool", "date": "date32[day]"}
        assert {name: str(kind) for name, kind in frame.dtypes.items()} == {
            name: f"{arrow.get(kind, 'string')}[pyarrow]"
            for name, kind in types(tmp_path, table).items()
        }


def test_duckdb_reads_each_format_as_the_page_says_with_the_types_of_the_package(
    filled, analyst, tmp_path, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    for table in TABLES:
        read_by_duckdb(analyst, table)


def read_by_duckdb(analyst, table):
    for name in ("datapackage.json", f"{table}.csv", f"{table}.ndjson", f"{table}.parquet"):
        Path(name).write_bytes(analyst.get(name).content)
    [*_, texts] = blocks("python")
    program = {"print": str}
    exec(texts.replace("responses", table).replace("answer_dignity", "site_name"), program)
    by_csv, by_lines = program["by_csv"], program["by_lines"]
    by_parquet = duckdb.read_parquet(f"{table}.parquet")
    wanted = {name: DUCKDB[kind] for name, kind in types(Path(), table).items()}
    for rows in (by_csv, by_lines):
        assert dict(zip(rows.columns, map(str, rows.types), strict=True)) == wanted
    of_parquet = dict(zip(by_parquet.columns, map(str, by_parquet.types), strict=True))
    assert of_parquet == wanted | {"unknown": "VARCHAR"}
    [found] = {
        tuple(
            rows.aggregate("count(*), count(DISTINCT clock_synced), max(received_day)").fetchall()[
                0
            ]
        )
        for rows in (by_csv, by_lines, by_parquet)
    }
    assert found == ((3, 2) if table == "responses" else (1, 1)) + (date(2026, 3, 14),)


def test_duckdb_counts_over_many_files_as_the_page_says(filled, analyst, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("responses-1.parquet").write_bytes(analyst.get("responses.parquet").content)
    with duckdb.connect() as database:
        database.execute(
            "COPY (SELECT * REPLACE ('completed' AS ending, NULL AS misuse), 'a' AS answer_new"
            " FROM 'responses-1.parquet' WHERE answer_dignity = 'no' AND clock_synced)"
            " TO 'responses-2.parquet'"
        )
        [counting] = blocks("sql")
        rows = database.execute(counting).fetchall()
    assert rows == [("central-library", "2026-03", "no", 1)]


def test_what_is_new_each_day_is_pulled_once_as_the_page_says(desk, filled, analyst):
    [_, daily] = blocks("sh")

    def pulled():
        rows = duckdb.read_parquet(str(desk.folder / "responses-after-*.parquet"))
        return rows.aggregate("count(*), count(DISTINCT response_id)").fetchall()[0]

    for number, wanted in enumerate((3, 3, 5, 5)):
        if number == 2:
            filled.hold(RESPONSE, RESPONSE, first_seq=100)
            filled.open()
            analyst.close_instalment(analyst.at + timedelta(days=1))
        desk("sh", "-c", daily)
        assert pulled() == (wanted, wanted)
    (desk.folder / "cursor").unlink()  # as if it had been stopped before it was kept
    desk("sh", "-c", daily)
    assert pulled()[1] == 5


def test_a_pull_that_is_refused_fails_and_leaves_the_cursor_alone(desk):
    [_, daily] = blocks("sh")
    (desk.folder / "cursor").write_text("nonsense")
    with pytest.raises(AssertionError, match="400"):
        desk("sh", "-c", daily)
    assert (desk.folder / "cursor").read_text() == "nonsense"


def test_the_page_names_every_column_and_every_problem():
    named = set(re.findall(r"`(\w+)`", PAGE[PAGE.index("## What a row says") :]))
    for table in Catalogue(()).tables:
        assert {column.name for column in table.columns} <= named
    assert f"`{ANSWER}…`" in PAGE
    problems = re.findall(r"^\| `([a-z-]+)` \| (\d{3}) \|", PAGE, re.MULTILINE)
    assert {code: int(status) for code, status in problems} == {
        code: int(kind.status) for code, kind in PROBLEMS.items()
    }
