import csv
import hashlib
import io
import json
from dataclasses import replace
from datetime import UTC, date, datetime

import pytest
from centre import (
    ASSIGNMENT,
    DAY,
    KIOSK,
    LOG,
    MORNING,
    OTHER_STAMP,
    PUBLISHING,
    QUESTIONNAIRE,
    REPLIES,
    RESPONSE,
    STAMP,
    UNSYNCED,
    VERDICT,
    seal,
)
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import update

from sync_service.collector import tables
from sync_service.collector.insight.export import export
from sync_service.collector.insight.writers import ExportError, inert
from sync_service.collector.tables import Opening
from sync_service.contract.error import SignatureError
from sync_service.contract.questionnaire import Questionnaire
from sync_service.contract.record import Ending, Misuse, Moment
from sync_service.contract.signing import SigningKey

LATER = datetime(2026, 4, 1, 12, tzinfo=UTC)


@pytest.fixture
def exported(centre, tmp_path):
    """Opens records and exports them; gives the rows of a file."""

    def exported(*records, name="responses", at=LATER, **options):
        if records:
            centre.hold(*records)
        centre.open()
        folder = tmp_path / "export"
        keys = [PUBLISHING.verifying_key]
        centre.summary = centre.run(export(centre.engine, folder, keys, at=at, **options))
        centre.folder = folder
        return rows(folder, name)

    return exported


def rows(folder, name):
    with (folder / f"{name}.csv").open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file, strict=True))


def package(folder):
    return json.loads((folder / "datapackage.json").read_text(encoding="utf-8"))


def test_a_response_is_a_row(exported):
    [row] = exported(RESPONSE)
    assert len(bytes.fromhex(row.pop("response_id"))) == 16
    assert row == {
        "site": "central-library",
        "site_name": "Central Library",
        "service": "libraries",
        "organisation": "council",
        "place": "W06000015",
        "date": "2026-03-10",
        "half_day": "morning",
        "earliest_date": "2026-03-10",
        "earliest_half_day": "morning",
        "latest_date": "2026-03-10",
        "latest_half_day": "morning",
        "clock_synced": "true",
        "received_day": "2026-03-14",
        "questionnaire": "visit",
        "version": "1",
        "language": "cy",
        "ending": "abandoned",
        "single_tap": "true",
        "input_mode": "keypad",
        "text_size": "2",
        "helped": "yes",
        "age_band": "3",
        "misuse": "too_fast",
        "offered": "involvement dignity comment",
        "skipped": "involvement",
        "answer_dignity": "no",
        "answer_involvement": "",
        "answer_comment": "Diolch",
        "unknown": "",
    }


def test_what_was_not_asked_is_an_empty_cell(exported):
    [row] = exported(
        replace(RESPONSE, helped=None, age_band=None, misuse=Misuse.NONE, answers={}, skipped=())
    )
    empty = {"helped", "age_band", "misuse", "skipped", "answer_dignity", "answer_comment"}
    assert {row[name] for name in empty} == {""}


def test_a_verdict_is_a_row(exported):
    [row] = exported(VERDICT, name="verdicts")
    assert row["site"] == "central-library"
    assert (row["date"], row["half_day"]) == ("2026-03-10", "morning")
    assert (row["language"], row["replies"], row["reply"]) == ("en", "1", "4")
    assert row["fairness"] == "partly"


def test_the_replies_that_verdicts_are_on_are_there_to_be_read(centre, exported):
    centre.publish(2, REPLIES)
    exported(VERDICT)
    replies = json.loads((centre.folder / "replies.json").read_text(encoding="utf-8"))
    assert list(replies) == ["1"]
    [reply] = replies["1"]["replies"]
    assert (reply["code"], reply["reply"]) == (4, {"en": "We mended it."})


def test_a_day_is_a_row(exported):
    [row] = exported(DAY, name="days")
    assert len(bytes.fromhex(row.pop("day_id"))) == 16
    assert row == {
        "site": "central-library",
        "site_name": "Central Library",
        "service": "libraries",
        "organisation": "council",
        "place": "W06000015",
        "date": "2026-03-10",
        "earliest_date": "2026-03-10",
        "latest_date": "2026-03-10",
        "clock_synced": "true",
        "received_day": "2026-03-14",
        "minutes_available": "480",
        "minutes_out_of_service": "3",
        "sessions_begun": "17",
        "approaches": "61",
        "unknown": "",
    }


def gp_questionnaire():
    """Another questionnaire: dignity with another code and option, and a text of its own."""
    document = QUESTIONNAIRE.to_document()
    dignity, _, comment = document["items"]
    yes, no = dignity["options"]
    return Questionnaire.from_document(
        {
            **document,
            "id": "gp",
            "ask": [["dignity"], ["why"]],
            "items": [
                {**dignity, "code": 71, "options": [{**yes, "name": "always"}, no]},
                {**comment, "code": 1, "name": "why"},
            ],
        }
    )


GP_RESPONSE = replace(
    RESPONSE, questionnaire=2, offered=(71, 1), answers={71: 1, 1: "So"}, skipped=()
)


def test_the_items_of_one_name_share_a_column_whatever_their_codes_and_options(centre, exported):
    centre.publish(2, gp_questionnaire())
    found = {row["questionnaire"]: row for row in exported(RESPONSE, GP_RESPONSE)}
    assert [name for name in found["gp"] if name.startswith("answer_")] == [
        "answer_dignity",
        "answer_involvement",
        "answer_comment",
        "answer_why",
    ]
    assert (found["gp"]["answer_dignity"], found["gp"]["answer_why"]) == ("always", "So")
    assert (found["visit"]["answer_dignity"], found["visit"]["answer_why"]) == ("no", "")
    assert found["gp"]["offered"] == "dignity why"
    [dignity] = [
        field
        for field in package(centre.folder)["resources"][0]["schema"]["fields"]
        if field["name"] == "answer_dignity"
    ]
    assert dignity["constraints"] == {"enum": ["yes", "no", "always"]}
    assert '"How about dignity?" (visit 1, gp 1)' in dignity["description"]


def test_moving_a_kiosk_labels_no_record_anew(centre, exported):
    moved = replace(ASSIGNMENT, site="branch-library", site_name="Branch", place="W06000016")
    centre.publish(2, moved)
    centre.write(update(tables.site).values(name="Renamed since", place="W06000015"))
    found = exported(RESPONSE, replace(RESPONSE, assignment=2))
    where = {(row["site"], row["site_name"], row["place"]) for row in found}
    assert where == {
        ("central-library", "Central Library", "W06000015"),
        ("branch-library", "Branch", "W06000016"),
    }


def test_rows_stand_in_the_order_of_their_ids_whatever_their_number_of_answers(exported):
    """More rows than are read at a time, so that one response's answers come in two parts."""
    found = exported(*[RESPONSE] * 700)
    ids = [row["response_id"] for row in found]
    assert len(ids) == 700
    assert ids == sorted(set(ids))
    assert {(row["answer_dignity"], row["answer_comment"]) for row in found} == {("no", "Diolch")}


def test_no_file_tells_of_a_kiosk_or_its_log(centre, exported):
    centre.hold(RESPONSE, VERDICT, DAY, first_seq=7_654_321)
    exported()
    for path in centre.folder.iterdir():
        content = path.read_bytes().lower()
        for secret in (KIOSK, LOG, STAMP):
            assert secret not in content
            assert secret.hex().encode() not in content
        assert b"7654321" not in content
    for name in ("responses", "verdicts", "days"):
        with (centre.folder / f"{name}.csv").open() as file:
            assert not {"seq", "branch", "log_id"} & set(next(csv.reader(file)))


def test_a_copy_is_not_exported_again(centre, exported):
    sealed = seal(RESPONSE)
    centre.begin_log(LOG, branch=1)
    centre.hold(sealed, branch=1)
    assert len(exported(sealed)) == 1
    assert centre.summary.outcomes == {Opening.OPENED: 1, Opening.COPY: 1}


def test_what_was_not_opened_is_counted_by_its_reason(centre, exported):
    assert exported(replace(RESPONSE, assignment=9), replace(RESPONSE, answers={1: 9})) == []
    not_opened = package(centre.folder)["regard"]["not_opened"]
    assert not_opened["unknown_assignment"] == not_opened["not_admitted"] == 1
    assert not_opened["waiting"] == not_opened["unopenable"] == 0
    assert "opened" not in not_opened


def test_an_uncertain_time_is_given_as_first_and_last_and_as_nothing_else(exported):
    [row] = exported(replace(RESPONSE, moment=Moment(5, UNSYNCED)))
    assert (row["date"], row["half_day"], row["clock_synced"]) == ("", "", "false")
    assert (row["earliest_date"], row["earliest_half_day"]) == ("2026-03-02", "morning")
    assert (row["latest_date"], row["latest_half_day"]) == ("2026-03-14", "afternoon")


def test_a_clock_that_was_not_believed_shows_no_date(exported):
    [row] = exported(replace(RESPONSE, moment=Moment(MORNING + 1000)))
    assert (row["date"], row["clock_synced"]) == ("", "true")


def test_of_a_day_record_whose_half_day_alone_is_uncertain_the_date_is_known(centre, exported):
    """It arrived in the afternoon of the day on which its kiosk was assigned in the morning."""
    received_at = int(datetime(2026, 3, 2, 15, tzinfo=UTC).timestamp())
    day = replace(DAY, moment=Moment(5, UNSYNCED))
    centre.hold(day, received_at=received_at)
    [row] = exported(name="days")
    assert row["date"] == row["earliest_date"] == row["latest_date"] == "2026-03-02"


@pytest.mark.parametrize(
    ("at", "responses", "days"),
    [
        ("2026-03-10T11:59", 0, 0),
        ("2026-03-10T12:00", 1, 0),
        ("2026-03-10T23:59", 1, 0),
        ("2026-03-11T00:00", 1, 1),
    ],
)
def test_what_is_not_over_is_not_shown(centre, exported, at, responses, days):
    exported(RESPONSE, DAY, at=datetime.fromisoformat(at).replace(tzinfo=UTC))
    summary = centre.summary
    assert (summary.responses, summary.days) == (responses, days)
    assert summary.held_back == 2 - responses - days
    assert package(centre.folder)["regard"]["held_back"] == summary.held_back


def test_a_half_day_is_over_by_the_sites_own_time(centre, exported):
    """When it is noon in New York it is four in the afternoon in London."""
    centre.publish(2, replace(ASSIGNMENT, timezone="America/New_York"))
    at = datetime(2026, 3, 10, 15, 59, tzinfo=UTC)
    exported(replace(RESPONSE, assignment=2), RESPONSE, at=at)
    assert (centre.summary.responses, centre.summary.held_back) == (1, 1)


def test_an_uncertain_record_is_shown_once_its_last_half_day_is_over(centre, exported):
    exported(
        replace(RESPONSE, moment=Moment(5, UNSYNCED)), at=datetime(2026, 3, 14, 23, tzinfo=UTC)
    )
    assert (centre.summary.responses, centre.summary.held_back) == (0, 1)


def test_on_demand_the_current_half_day_is_shown_too_and_the_package_says_so(centre, exported):
    at = datetime(2026, 3, 10, 9, tzinfo=UTC)
    assert len(exported(RESPONSE, DAY, VERDICT, at=at, include_current=True)) == 1
    assert centre.summary.held_back == 0
    assert "not over are in" in " ".join(package(centre.folder)["regard"]["rules"])


@pytest.mark.parametrize("occupy", ["mkdir", "touch", "symlink"])
def test_nothing_is_written_over(centre, tmp_path, occupy):
    folder = tmp_path / "export"
    if occupy == "symlink":
        folder.symlink_to(tmp_path / "nowhere")
    else:
        getattr(folder, occupy)()
    with pytest.raises(ExportError, match="exists already; name a folder that does not"):
        centre.run(export(centre.engine, folder, [PUBLISHING.verifying_key], at=LATER))


def test_a_folder_that_can_not_be_made_is_named(centre, tmp_path):
    folder = tmp_path / "no" / "export"
    with pytest.raises(ExportError, match="no/export: can't be made: No such file"):
        centre.run(export(centre.engine, folder, [PUBLISHING.verifying_key], at=LATER))


def test_an_export_that_fails_leaves_nothing_behind(centre, tmp_path):
    centre.publish(2, ASSIGNMENT, key=SigningKey(bytes([10] * 32)))
    before = set(tmp_path.iterdir())
    keys = [PUBLISHING.verifying_key]
    with pytest.raises(SignatureError):
        centre.run(export(centre.engine, tmp_path / "export", keys, at=LATER))
    assert set(tmp_path.iterdir()) == before


def test_only_its_owner_may_read_an_export(centre, exported):
    exported(RESPONSE)
    assert centre.folder.stat().st_mode & 0o077 == 0


def test_lines_end_as_rfc_4180_says_and_the_text_is_utf_8(centre, exported):
    [row] = exported(replace(RESPONSE, answers={3: 'Tŷ, "iawn"\nie'}))
    assert row["answer_comment"] == 'Tŷ, "iawn"\nie'
    content = (centre.folder / "responses.csv").read_bytes()
    assert content.endswith(b"\r\n")
    assert 'Tŷ, ""iawn""\nie'.encode() in content


@pytest.mark.parametrize(
    "text",
    [
        "=1+1",
        "+44 20 7946 0000",
        "-1",
        "@SUM(A1)",
        " =1",
        "\u00a0\u3000=1",
        "\u200b\ufeff=1",
        "\n=1",
        "\t1",
        "\r1",
        "＝1",
        "＋1",
        "－1",
        "＠1",
        "﹦1",
        "−1",
        "'=1",
    ],
)
def test_a_text_that_a_spreadsheet_would_run_is_made_inert(text):
    assert inert(text) == f"'{text}"


@pytest.mark.parametrize("text", ["", "Diolch", "1 + 1 = 2", " good", "10", "ie=nage", "😀=1"])
def test_any_other_text_stays_as_it_is(text):
    assert inert(text) == text


@given(st.text() | st.text(alphabet="=+-@'＝ \t\r\n\u200b1a"))
def test_an_inert_cell_read_back_is_the_text_with_at_most_one_quote_before_it(text):
    file = io.StringIO(newline="")
    csv.writer(file).writerow(["first", inert(text), "last"])
    file.seek(0)
    [[_, cell, _]] = csv.reader(file, strict=True)
    assert cell.removeprefix("'") == text
    assert cell.lstrip()[:1] not in tuple("=+-@＝＋－＠") or not cell
    assert cell[:1] not in tuple("\t\r\n") or not cell


def test_names_that_the_centre_gave_are_made_inert_too(centre, exported):
    centre.publish(2, replace(ASSIGNMENT, site_name="=Library"))
    [row] = exported(replace(RESPONSE, assignment=2, answers={3: "-bad"}))
    assert (row["site_name"], row["answer_comment"]) == ("'=Library", "'-bad")


def test_what_a_later_contract_says_is_exported_as_unknown(exported):
    unknown = {40: b"\x00\xff", 41: "=1"}
    [row] = exported(replace(RESPONSE, unknown=unknown, misuse=Misuse(0b1010)))
    assert json.loads(row["unknown"]) == {"40": {"hex": "00ff"}, "41": "=1"}
    assert row["misuse"] == "repeated 8"


def test_each_kiosks_last_contact_tells_how_complete_the_period_is(centre, exported):
    contact_at = int(datetime(2026, 3, 13, 23, 59, tzinfo=UTC).timestamp())
    said = {"contact_at": contact_at, "depth": 50, "oldest_waiting": "2026-03-11"}
    centre.write(update(tables.kiosk).values(**said))
    centre.stamp(OTHER_STAMP, site="branch-library")
    exported(RESPONSE)
    told = package(centre.folder)["regard"]
    assert told["kiosks"] == [
        {
            "site": "branch-library",
            "kiosk": "desk-6",
            "standing": None,
            "last_contact": None,
            "waiting_at_least": None,
            "oldest_waiting": None,
            "complete_before": None,
            "reported": False,
        },
        {
            "site": "central-library",
            "kiosk": "desk-5",
            "standing": "enrolled",
            "last_contact": "2026-03-13",
            "waiting_at_least": 50,
            "oldest_waiting": "2026-03-11",
            "complete_before": "2026-03-11",
            "reported": True,
        },
    ]
    assert told["period"] == {"first_date": "2026-03-10", "last_date": "2026-03-10"}


def test_the_package_says_which_questionnaires_and_languages_there_are(centre, exported):
    centre.publish(2, gp_questionnaire())
    exported()
    told = package(centre.folder)
    assert told["created"] == "2026-04-01T12:00:00Z"
    assert told["regard"]["questionnaires"] == [
        {"serial": 1, "id": "visit", "version": 1, "languages": ["en", "cy"]},
        {"serial": 2, "id": "gp", "version": 1, "languages": ["en", "cy"]},
    ]
    assert told["regard"]["period"] == {"first_date": None, "last_date": None}
    documents = json.loads((centre.folder / "questionnaires.json").read_text(encoding="utf-8"))
    assert Questionnaire.from_document(documents["2"]) == gp_questionnaire()


READ = {
    "string": str,
    "integer": int,
    "boolean": lambda cell: {"true": True, "false": False}[cell],
    "date": date.fromisoformat,
    "object": lambda cell: dict(json.loads(cell)),
}


def check_table(folder, resource):
    """Read a file by its schema alone: an error if any cell is not as the schema says."""
    schema = resource["schema"]
    dialect = resource["dialect"]
    with (folder / resource["path"]).open(encoding=resource["encoding"], newline="") as file:
        header, *table = csv.reader(file, delimiter=dialect["delimiter"], strict=True)
    assert header == [field["name"] for field in schema["fields"]]
    for row in table:
        for field, cell in zip(schema["fields"], row, strict=True):
            assert field["description"]
            constraints = field.get("constraints", {})
            if cell in schema["missingValues"]:
                assert not constraints.get("required")
            else:
                READ[field["type"]](cell)
                assert cell in constraints.get("enum", [cell])
    keys = [row[header.index(schema["primaryKey"])] for row in table]
    assert len(set(keys)) == len(keys)
    return len(table)


def every_kind_of_record():
    unsynced = Moment(5, UNSYNCED)
    later = {40: {1: b"later"}}
    for record in (RESPONSE, VERDICT, DAY):
        yield from (record, replace(record, moment=unsynced), replace(record, unknown=later))
    yield GP_RESPONSE
    yield replace(RESPONSE, answers={}, offered=(), skipped=(), ending=Ending.COMPLETED)
    yield replace(RESPONSE, helped=None, age_band=None, single_tap=False, misuse=Misuse(255))
    yield replace(RESPONSE, answers={3: "=HYPERLINK(A1)\n;"}, language="pa-Arab")


def test_every_file_is_as_the_package_says(centre, exported):
    centre.publish(2, gp_questionnaire())
    exported(*every_kind_of_record())
    resources = package(centre.folder)["resources"]
    told = {resource["path"] for resource in resources}
    assert {path.name for path in centre.folder.iterdir()} == told | {"datapackage.json"}
    counted = {}
    for resource in resources:
        content = (centre.folder / resource["path"]).read_bytes()
        assert resource["bytes"] == len(content)
        assert resource["hash"] == f"sha256:{hashlib.sha256(content).hexdigest()}"
        if resource["profile"] == "tabular-data-resource":
            counted[resource["name"]] = check_table(centre.folder, resource)
        else:
            json.loads(content)
    assert counted == {"responses": 7, "verdicts": 3, "days": 3}
    summary = centre.summary
    assert (summary.responses, summary.verdicts, summary.days) == (7, 3, 3)


def test_an_export_of_nothing_has_its_headers(centre, exported):
    assert exported() == []
    for resource in package(centre.folder)["resources"]:
        if resource["profile"] == "tabular-data-resource":
            assert check_table(centre.folder, resource) == 0
