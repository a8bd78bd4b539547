"""The rows that come out of a database of either kind."""

import asyncio
from datetime import timedelta

import pytest
from analyst import START, csv_rows, problem
from centre import DAY, PUBLISHING, RESPONSE, VERDICT

from sync_service.collector.insight.export import export
from sync_service.collector.insight.writers import Format
from sync_service.collector.pull.cursor import write_cursor
from sync_service.collector.pull.instalments import Position


@pytest.mark.parametrize("kind", [Format.CSV, Format.NDJSON])
def test_the_pull_is_byte_for_byte_what_the_export_writes(centre, analyst, tmp_path, kind):
    centre.hold(*[RESPONSE] * 20, *[VERDICT] * 20, *[DAY] * 20)
    centre.open()
    analyst.close_instalment()
    keys = [PUBLISHING.verifying_key]
    folder = tmp_path / "export"
    centre.run(export(centre.engine, folder, keys, at=START, kind=kind))
    for table in ("responses", "verdicts", "days"):
        reply = analyst.get(f"{table}.{kind}")
        assert reply.content == (folder / f"{table}.{kind}").read_bytes()
        assert reply.content


def test_more_rows_than_are_read_at_a_time_come_whole(centre, analyst):
    centre.hold(*[RESPONSE] * 700)
    centre.open()
    analyst.close_instalment()
    centre.hold(*[RESPONSE] * 700, first_seq=701)
    centre.open()
    analyst.close_instalment(START + timedelta(days=1))
    rows = csv_rows(analyst.get("responses.csv"))
    assert len({row["response_id"] for row in rows}) == 1400


def test_sites_come_with_the_names_of_what_they_belong_to(analyst):
    branch, central = analyst.get("sites.json").json()
    assert branch["code"] == "branch-library"
    assert central == {
        "code": "central-library",
        "name": "central-library",
        "service": "libraries",
        "service_name": "Libraries",
        "organisation": "council",
        "organisation_name": "Council",
        "place": "W06000015",
        "place_name": "Cardiff",
        "timezone": "Europe/London",
        "languages": ["en", "cy"],
        "stands": "exit",
        "questionnaire": "visit",
    }


def test_who_takes_rows_slowly_holds_no_database_connection(centre, analyst):
    """More of them than there are connections, all stuck in the middle of what they are sent."""
    centre.hold(*[RESPONSE] * 1100)
    centre.open()
    analyst.close_instalment()

    async def pull(sent, path):
        scope = {
            "type": "http",
            "method": "GET",
            "path": f"/v1/pull/{path}",
            "query_string": b"",
            "headers": [(b"authorization", f"Bearer {analyst.token}".encode())],
        }

        async def receive():
            await asyncio.Event().wait()

        async def send(message):
            if message["type"] == "http.response.body" and len(message["body"]) > 1000:
                sent.set()
                await asyncio.Event().wait()

        await analyst.app(scope, receive, send)

    async def all_at_once():
        sent = [asyncio.Event() for _ in range(12)]
        slow = [
            asyncio.create_task(pull(each, path))
            for each, path in zip(sent, ["responses.csv", "responses.parquet"] * 6, strict=True)
        ]
        for each in sent:
            await each.wait()
        reply = await analyst.request("GET", "sites.json")
        for task in slow:
            task.cancel()
        await asyncio.gather(*slow, return_exceptions=True)
        return reply

    assert centre.run(all_at_once()).status_code == 200


def test_a_place_that_is_not_there_is_lost(analyst):
    for number in (7, 2**31, 2**63 - 1, -1):
        cursor = write_cursor("responses", Position(number))
        assert problem(analyst.get("responses.csv", after=cursor)) == "cursor-lost"
