"""Exporting a million opened responses as CSV, against COPY of the same rows by PostgreSQL itself.

The same rows means the same file, byte for byte but for the ends of its lines: COPY is given a
query that a person would write who knows this one questionnaire and this one site, with a column
for each item, options by their names, and rows in the order of their ids. COPY of the bare tables
would be quicker, and of no use to anybody who has no program to put them together.

Memory is that of the command, at its highest, for all the rows and for a tenth of them.
"""

import asyncio
import re
import shutil
import statistics
import subprocess
import sys
import time
from argparse import ArgumentParser
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from enum import IntEnum
from pathlib import Path
from random import Random

from collectors import copy_centre, enrol, make_centre
from measuring import folder, median_ratio, say, take_turns, tell
from postgresql import Cluster
from respondents import RATINGS, response

from sync_service.collector import tables
from sync_service.collector.config import Centre
from sync_service.collector.database import insert_columns, open_engine, reading, writing
from sync_service.collector.insight.export import export
from sync_service.collector.keyring import Keyring
from sync_service.collector.opened import Columns, OpenedRecord
from sync_service.collector.published import Published
from sync_service.collector.tables import Opening
from sync_service.contract.publication import Assignment
from sync_service.contract.questionnaire import Item, Questionnaire
from sync_service.contract.record import Ending, Helped, InputMode, half_day_of
from sync_service.contract.wire import Recorded

NOW = datetime.now(UTC)
HALF_DAYS = 2 * 730
SEALED_LENGTH = 121
LOGS = 50
AT_ONCE = 5000
WORDS = "they asked what mattered to me and then, at last, did it"
QUESTIONNAIRE = 1
"""The serial of gp.toml."""
OWN_WORDS = 9
"""The code of its item that is answered in one's own words."""


def opened(number: int, random: Random) -> OpenedRecord:
    """A response of the last two years, as opening writes it; one in ten says something."""
    half_day = half_day_of(NOW) - 2 - random.randrange(HALF_DAYS)
    said = response(random, half_day)
    said = replace(said, language=random.choice(("en", "en", "en", "cy")))
    if random.random() < 0.1:
        words = " ".join(random.choices(WORDS.split(), k=random.randint(2, 30)))
        answers = {**said.answers, OWN_WORDS: words}
        said = replace(said, offered=(*RATINGS, OWN_WORDS), answers=answers)
    elif random.random() < 0.1:
        answers = {item: option for item, option in said.answers.items() if item != RATINGS[-1]}
        said = replace(said, answers=answers, skipped=RATINGS[-1:])
    elif random.random() < 0.05:
        answers = {RATINGS[0]: said.answers[RATINGS[0]]}
        said = replace(said, answers=answers, ending=Ending.ABANDONED)
    arrived = said.moment.day + timedelta(days=random.randint(0, 2))
    known: Columns = {
        "record_id": random.randbytes(16),
        "received_day": arrived.isoformat(),
        "half_day": half_day,
        "clock_synced": True,
        "earliest_half_day": half_day,
        "latest_half_day": half_day,
    }
    return OpenedRecord((bytes([number % LOGS]) * 16, 0, number), said, known)


def by_column(rows: Sequence[Columns]) -> dict[str, list[object]]:
    return {name: [row[name] for row in rows] for name in rows[0]}


async def fill(centre: Centre, number: int) -> None:
    """Let a collector have opened that many responses."""
    random = Random(1)
    engine = open_engine(centre.database_url)
    settled = {
        "previous": bytes(32),
        "received_at": int(NOW.timestamp()),
        "outcome": int(Recorded.ACCEPTED),
        "opening": int(Opening.OPENED),
    }
    for start in range(0, number, AT_ONCE):
        made = [opened(start + each, random) for each in range(min(AT_ONCE, number - start))]
        log_ids, branches, seqs = map(list, zip(*(each.place for each in made), strict=True))
        places = {"log_id": log_ids, "branch": branches, "seq": seqs}
        sealed = {"sealed": [random.randbytes(SEALED_LENGTH) for _ in made]}
        answers = [answer for each in made for answer in each.answers()]
        async with writing(engine) as connection:
            await insert_columns(connection, tables.record, places | sealed, settled)
            rows = by_column([each.columns() for each in made])
            await insert_columns(connection, tables.response, rows, {})
            await insert_columns(connection, tables.answer, by_column(answers), {})
    await engine.dispose()


async def same_rows(centre: Centre) -> str:
    """A query by which COPY makes the file that the export does."""
    publishing_keys = Keyring(centre.keys).publishing_keys()
    assignments = Published(Assignment, publishing_keys)
    questionnaires = Published(Questionnaire, publishing_keys)
    engine = open_engine(centre.database_url)
    async with reading(engine) as connection:
        await assignments.load_all(connection)
        await questionnaires.load_all(connection)
    await engine.dispose()
    [at] = assignments.values()
    asked = questionnaires[QUESTIONNAIRE]
    code_of = {item.name: item.code for item in asked.items}
    names = [item.name for each in questionnaires.values() for item in each.items]
    cells = [
        "encode(record_id, 'hex') AS response_id",
        *(
            f"'{getattr(at, name)}' AS {name}"
            for name in ("site", "site_name", "service", "organisation", "place")
        ),
        *half_day("", "earliest_half_day", "earliest_half_day = latest_half_day"),
        *half_day("earliest_", "earliest_half_day", "true"),
        *half_day("latest_", "latest_half_day", "true"),
        "clock_synced::text",
        "received_day",
        f"'{asked.id}' AS questionnaire",
        f"{asked.version} AS version",
        "language",
        f"{named('ending', Ending)} AS ending",
        "single_tap::text",
        f"{named('input_mode', InputMode)} AS input_mode",
        "text_size",
        f"{named('helped', Helped)} AS helped",
        "age_band",
        "nullif(misuse, 0) AS misuse",
        *(f"{items(of, asked)} AS {of}" for of in ("offered", "skipped")),
        *(
            f"{f'item_{code_of[name]}' if name in code_of else 'NULL'} AS answer_{name}"
            for name in dict.fromkeys(names)
        ),
        "unknown",
    ]
    answers = ", ".join(f"{answer(item)} AS item_{item.code}" for item in asked.items)
    return (
        f"SELECT {', '.join(cells)} FROM response LEFT JOIN"
        f" (SELECT log_id, branch, seq, {answers} FROM answer GROUP BY log_id, branch, seq) AS told"
        " USING (log_id, branch, seq) ORDER BY record_id"
    )


def half_day(name: str, column: str, condition: str) -> list[str]:
    """The date and the half of a half-day, where a condition holds."""
    half = f"CASE {column} % 2 WHEN 0 THEN 'morning' ELSE 'afternoon' END"
    return [
        f"CASE WHEN {condition} THEN DATE '1970-01-01' + ({column} / 2)::int END AS {name}date",
        f"CASE WHEN {condition} THEN {half} END AS {name}half_day",
    ]


def named(column: str, kind: type[IntEnum]) -> str:
    """The name of a member of an enumeration."""
    return case(column, {str(member.value): member.name.lower() for member in kind})


def items(column: str, asked: Questionnaire) -> str:
    """The names of items, for each list of their codes that stands there."""
    lists = (RATINGS, (*RATINGS, OWN_WORDS), RATINGS[-1:])
    names = {f"'{' '.join(map(str, codes))}'": codes for codes in lists}
    return case(
        column,
        {told: " ".join(asked.item(code).name for code in codes) for told, codes in names.items()},
    )


def answer(item: Item) -> str:
    """The answer to an item, out of a response's rows."""
    option = case("option", {str(option.code): option.name for option in item.options})
    return f"max({'text' if item.kind == 'text' else option}) FILTER (WHERE item = {item.code})"


def case(column: str, names: Mapping[str, str]) -> str:
    """The name that stands for a value."""
    whens = " ".join(f"WHEN {value} THEN '{name}'" for value, name in names.items())
    return f"CASE {column} {whens} END"


def peak_mb(centre: Centre, into: Path) -> float:
    """The most memory that the command holds while it exports, in MB."""
    export = ("-m", "sync_service.collector", "export", "--folder", str(centre.folder), str(into))
    process = subprocess.Popen([sys.executable, *export], stdout=subprocess.DEVNULL)
    peak = 0
    while process.poll() is None:
        status = Path(f"/proc/{process.pid}/status").read_text()
        peak = max(peak, *map(int, re.findall(r"VmHWM:\s+(\d+) kB", status)), 0)
        time.sleep(0.02)
    assert process.returncode == 0
    shutil.rmtree(into)
    return peak / 1024


def main() -> None:
    parser = ArgumentParser(description=__doc__)
    parser.add_argument("--records", type=int, default=1_000_000, help="without it: %(default)s")
    parser.add_argument("--rounds", type=int, default=5, help="without it: %(default)s")
    args = parser.parse_args()

    with ExitStack() as stack:
        place = stack.enter_context(folder())
        runner = stack.enter_context(asyncio.Runner())
        cluster = stack.enter_context(Cluster.started(durable=True))
        made = runner.run(make_centre(place / "made"))
        runner.run(enrol(made, 1))
        centres: dict[str, Centre] = {}
        for name, number in (("tenth", args.records // 10), ("all", args.records)):
            say(f"making {number} opened responses")
            database = cluster.create()
            centres[name] = runner.run(copy_centre(made, place / name, cluster.url(database)))
            runner.run(fill(centres[name], number))
            connection = runner.run(cluster.connect(database))
            stack.callback(lambda opened=connection: runner.run(opened.close()))
            runner.run(connection.execute("VACUUM ANALYZE"))
        keys = Keyring(made.keys).publishing_keys()
        query = runner.run(same_rows(centres["all"]))
        engine = open_engine(centres["all"].database_url)
        copied, exported = place / "copied.csv", place / "exported"

        def copy() -> None:
            """Copy all of them, whose database was connected to last."""
            copying = connection.copy_from_query(query, output=copied, format="csv", header=True)
            runner.run(copying)

        def export_all() -> None:
            shutil.rmtree(exported, ignore_errors=True)
            runner.run(export(engine, exported, keys, at=NOW))

        say(f"exporting {args.rounds + 1} times")
        took = take_turns(args.rounds, {"copy": copy, "export": export_all})
        rows = (exported / "responses.csv").read_bytes()
        assert rows.count(b"\r\n") == args.records + 1
        assert rows.replace(b"\r\n", b"\n") == copied.read_bytes()
        runner.run(engine.dispose())
        peak = {name: peak_mb(centre, place / "again") for name, centre in centres.items()}

    tell(
        "export",
        figures={
            "csv_s": statistics.median(took["export"]),
            "csv_rows_per_s": args.records / statistics.median(took["export"]),
            "csv_mb": len(rows) / 1e6,
            "peak_rss_mb": peak["all"],
            "peak_rss_of_a_tenth_mb": peak["tenth"],
        },
        baselines={"copy_s": statistics.median(took["copy"])},
        ratios={
            "csv_to_copy": median_ratio(took["export"], took["copy"]),
            "peak_rss_to_that_of_a_tenth": peak["all"] / peak["tenth"],
        },
    )


if __name__ == "__main__":
    main()
