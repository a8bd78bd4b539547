"""The pull API over HTTP: who may pull, what comes, and what is said when it can't be."""

import csv
import io
import json
import tempfile
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from analyst import START, csv_rows, json_rows, problem
from centre import (
    ASSIGNMENT,
    DAY,
    KIOSK,
    LOG,
    PUBLISHING,
    QUESTIONNAIRE,
    REPLIES,
    RESPONSE,
    STAMP,
    UNSYNCED,
    VERDICT,
)
from sqlalchemy import update

from sync_service.collector import tables
from sync_service.collector.database import open_engine, writing
from sync_service.collector.insight.export import export
from sync_service.collector.pull.cursor import write_cursor
from sync_service.collector.pull.instalments import Position
from sync_service.collector.pull.tokens import Tokens
from sync_service.contract.record import Moment
from sync_service.contract.signing import SigningKey

pytestmark = pytest.mark.sqlite_alone  # what comes from the database is in test_rows.py

ROWS = [
    f"{table}.{kind}"
    for table in ("responses", "verdicts", "days")
    for kind in ("csv", "ndjson", "parquet")
]
DOCUMENTS = ["datapackage.json", "questionnaires.json", "replies.json", "sites.json"]


@pytest.fixture
def filled(centre, analyst):
    """A centre with records of each kind, all handed out."""
    uncertain = replace(RESPONSE, moment=Moment(5, UNSYNCED), unknown={40: b"\x00\xff"})
    centre.hold(RESPONSE, replace(RESPONSE, answers={3: "=1"}), VERDICT, DAY, uncertain)
    centre.open()
    analyst.close_instalment()
    return centre


def request(analyst, method, path, **options):
    return analyst.centre.run(analyst.request(method, path, **options))


def test_nothing_is_had_without_a_token(analyst):
    for path in (*ROWS, *DOCUMENTS):
        for shown in ("", "Bearer", "Bearer regard_x", "Basic TOKEN", "TOKEN", "Bearer é"):
            header = {"Authorization": shown.replace("TOKEN", analyst.token).encode()}
            reply = request(analyst, "GET", path, headers=header if shown else {})
            assert (reply.status_code, problem(reply)) == (401, "no-token"), (path, shown)
            assert reply.headers["WWW-Authenticate"] == 'Bearer realm="Regard"'
            assert not [name for name in reply.headers if name.startswith("regard-")]


def test_a_revoked_token_has_nothing_more_from_the_next_request_on(centre, analyst):
    assert analyst.get("sites.json").status_code == 200
    centre.run(Tokens(centre.engine).revoke("ana", START.date()))
    assert problem(analyst.get("sites.json")) == "no-token"


def test_of_a_tokens_use_the_day_is_kept(centre, analyst):
    for hours in (0, 1, 15):
        analyst.at = START + timedelta(hours=hours)
        analyst.get("sites.json")
    [token] = centre.run(Tokens(centre.engine).list())
    assert token.used_on == "2026-04-02"


def test_a_reply_says_what_it_holds(filled, analyst):
    reply = analyst.get("responses.ndjson")
    [uncertain] = [row for row in json_rows(reply) if row["date"] is None]
    period = f"2026-03-10/{uncertain['latest_date']}"
    assert reply.headers["Content-Type"] == "application/x-ndjson"
    assert reply.headers["Regard-Rows"] == "3"
    assert reply.headers["Regard-Period"] == period == "2026-03-10/2026-03-14"
    assert reply.headers["Regard-Kiosks-Reported"] == "0/1"
    assert reply.headers["Regard-Questionnaires"] == "visit 1"
    assert reply.links["describedby"]["url"] == "datapackage.json"
    assert "next" not in reply.links
    assert reply.headers["Cache-Control"] == "no-store"


def test_a_reply_without_rows_claims_no_period(filled, analyst):
    cursor = analyst.get("days.csv").headers["Regard-Cursor"]
    reply = analyst.get("days.csv", after=cursor)
    assert reply.headers["Regard-Rows"] == "0"
    assert "Regard-Period" not in reply.headers
    assert csv_rows(reply) == []
    assert reply.text.startswith("day_id,site,")


def test_a_kiosk_counts_as_having_reported_once_it_delivered_all_up_to_the_periods_end(
    filled, analyst
):
    contact = {"contact_at": int(START.timestamp()), "oldest_waiting": "2026-03-15"}
    filled.write(update(tables.kiosk).values(**contact))
    analyst.close_instalment(START + timedelta(days=1))
    assert analyst.get("responses.csv").headers["Regard-Kiosks-Reported"] == "1/1"
    [kiosk] = analyst.get("datapackage.json").json()["regard"]["kiosks"]
    assert (kiosk["complete_before"], kiosk["reported"]) == ("2026-03-15", True)


def test_by_head_one_learns_how_many_rows_would_come(filled, analyst):
    for path in ROWS:
        head, got = request(analyst, "HEAD", path), analyst.get(path)
        assert head.content == b""
        for name in ("Regard-Rows", "Regard-Cursor", "Link"):
            assert head.headers[name] == got.headers[name]


def test_the_data_package_is_that_of_the_export(filled, analyst, tmp_path):
    folder = tmp_path / "export"
    filled.run(export(filled.engine, folder, [PUBLISHING.verifying_key], at=START))
    exported = json.loads((folder / "datapackage.json").read_text(encoding="utf-8"))
    package = analyst.get("datapackage.json").json()
    schemas = {each["name"]: each["schema"] for each in package["resources"]}
    assert schemas == {
        each["name"]: each["schema"] for each in exported["resources"] if "schema" in each
    }
    assert [each["path"] for each in package["resources"]] == [
        "responses.csv",
        "verdicts.csv",
        "days.csv",
    ]
    about, of_export = package["regard"], exported["regard"]
    assert [*about.pop("rules")][: len(of_export["rules"]) - 1] == of_export.pop("rules")[:-1]
    assert about.pop("closed_on") == "2026-04-01"
    assert about == of_export


def test_what_was_published_can_be_read(filled, analyst):
    assert analyst.get("questionnaires.json").json() == {"1": QUESTIONNAIRE.to_document()}
    assert analyst.get("replies.json").json() == {"1": REPLIES.to_document()}
    changed = QUESTIONNAIRE.to_document() | {"version": 2}
    filled.publish(2, type(QUESTIONNAIRE).from_document(changed))
    assert [*analyst.get("questionnaires.json").json()] == ["1", "2"]


def test_nothing_tells_of_a_kiosk_or_its_log(centre, analyst):
    centre.hold(RESPONSE, VERDICT, DAY, first_seq=7_654_321)
    centre.open()
    analyst.close_instalment()
    for path in (*ROWS, *DOCUMENTS):
        reply = analyst.get(path)
        told = reply.content.lower() + str(reply.headers).encode()
        for secret in (KIOSK, LOG, STAMP):
            assert secret not in told
            assert secret.hex().encode() not in told
        assert b"7654321" not in told


WRONG = [
    ({"afer": "x"}, "afer: there are only after and limit"),
    ({"limit": "0"}, "limit: a number from 1"),
    ({"limit": "1000001"}, "limit: a number from 1"),
    ({"limit": "9" * 5000}, "limit: a number from 1"),
    ({"limit": "²"}, "limit: a number from 1"),
    ({"limit": ""}, "limit: a number from 1"),
    ({"after": ""}, "after: that is no cursor"),
    ({"after": "x" * 5000}, "after: that is no cursor"),
    ({"after": "é"}, "after: that is no cursor"),
    ({"after": write_cursor("days", Position())}, "no cursor of the responses"),
    ({"after": write_cursor("responses", Position()) + "="}, "no cursor of the responses"),
]


def test_a_parameter_that_can_not_be_used_is_named(analyst):
    for parameters, detail in WRONG:
        reply = analyst.get("responses.csv", **parameters)
        assert (reply.status_code, problem(reply)) == (400, "bad-parameter"), parameters
        assert detail in reply.json()["detail"]


def test_a_cursor_is_good_for_a_url_as_it_stands(filled, analyst):
    cursor = analyst.get("responses.csv").headers["Regard-Cursor"]
    assert cursor.replace("-", "").replace("_", "").isalnum()
    assert analyst.get(f"responses.csv?after={cursor}").headers["Regard-Rows"] == "0"


def test_nothing_can_be_changed(analyst):
    for method in ("POST", "PUT", "DELETE", "PATCH"):
        for path in ("responses.csv", "sites.json"):
            reply = request(analyst, method, path)
            assert (reply.status_code, problem(reply)) == (405, "wrong-method")
            assert "GET" in reply.headers["Allow"]


def test_what_is_not_there_is_a_problem_too(analyst):
    for path in ("", "responses", "responses.xlsx", "responses.csv/", "x.csv"):
        reply = analyst.get(path)
        assert (reply.status_code, problem(reply)) == (404, "not-found"), path


@pytest.mark.sqlite_alone
def test_a_database_without_a_turn_to_give_is_a_problem_that_says_when_to_come_back(
    centre, analyst
):
    """The first use of a token in a day is noted, which has to wait for whoever writes."""
    impatient = open_engine(centre.engine.url, busy_timeout_s=0.01)
    patient, analyst.centre.engine = centre.engine, impatient
    analyst.find_served_anew()

    async def ask():
        async with writing(patient):
            return await analyst.request("GET", "sites.json")

    reply = centre.run(ask())
    assert (reply.status_code, problem(reply)) == (503, "busy")
    assert 5 <= int(reply.headers["Retry-After"]) <= 15
    centre.engine = patient
    centre.run(impatient.dispose())


def test_a_fault_of_ours_is_a_problem_and_tells_nothing(centre, analyst):
    centre.publish(2, ASSIGNMENT, key=SigningKey(bytes([10] * 32)))
    reply = analyst.get("responses.csv")
    assert (reply.status_code, problem(reply)) == (500, "internal")
    assert "detail" not in reply.json()


def test_a_parquet_file_leaves_nothing_on_the_disk(filled, analyst):
    def left():
        return sorted(Path(tempfile.gettempdir()).glob("regard-pull-*"))

    before = left()
    reply = analyst.get("responses.parquet")
    assert int(reply.headers["Content-Length"]) == len(reply.content)
    assert left() == before


def test_a_csv_can_be_appended_to_the_one_before(filled, analyst):
    """A new questionnaire adds columns, and takes none away or renames them."""
    before = analyst.get("responses.csv")
    document = QUESTIONNAIRE.to_document() | {"id": "pool", "ask": [["warmth"]]}
    document["items"] = [{**document["items"][0], "name": "warmth", "code": 9}]
    filled.publish(2, type(QUESTIONNAIRE).from_document(document))
    after = analyst.get("responses.csv")
    heads = [next(csv.reader(io.StringIO(reply.text))) for reply in (before, after)]
    assert [name for name in heads[1] if name != "answer_warmth"] == heads[0]
