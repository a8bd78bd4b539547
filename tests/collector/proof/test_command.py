"""`verify` and `statement` as the central team runs them."""

import json
import re
from datetime import UTC, datetime
from hashlib import sha256

import pytest
from sqlalchemy import delete, select, update

from sync_service.collector import tables
from sync_service.collector.__main__ import main
from sync_service.collector.retention import Retention

NOW = 1_773_480_000  # 2026-03-14, 09:20 UTC
WHOLE, WRONG, REFUSED = 0, 1, 2

pytestmark = pytest.mark.sqlite_alone
record = tables.record.c


@pytest.fixture
def run(rig, capsys):
    """Runs a command: what it exits with, and what it says."""

    def run(*argv):
        status = main([*map(str, argv), "--folder", str(rig.centre.folder)])
        said = capsys.readouterr()
        assert bool(said.err) == (status == REFUSED)
        return status, said.out + said.err

    return run


@pytest.fixture
def kiosks(rig):
    """Two kiosks at two sites, each with 9 records delivered."""
    kiosks = [rig.kiosk(site).record(9) for site in ("central", "surgery")]
    for kiosk in kiosks:
        rig.take(kiosk.signed_batch(), now=NOW)
        rig.hear(kiosk.signed_status())
    return kiosks


def lose(rig, kiosk, seq):
    rig.write(delete(tables.record).where(record.log_id == kiosk.log_id, record.seq == seq))


def test_whole_logs_pass(run, kiosks):
    assert run("verify") == (WHOLE, "Looked at 18 records of 2 logs: all is whole.\n")


def test_an_empty_collector_passes(run):
    assert run("verify") == (WHOLE, "Looked at 0 records of 0 logs: all is whole.\n")


def test_what_is_wrong_is_told_in_plain_words_under_the_name_of_its_log(rig, run, kiosks):
    central, surgery = kiosks
    lose(rig, central, 5)
    rig.write(update(tables.record).where(record.seq == 7).values(sealed=surgery.sealed[6]))
    clone = surgery.clone().record(2)
    rig.deliver(surgery.record(1), 10)
    rig.take(clone.signed_batch(10), now=NOW + 86_400)

    status, said = run("verify")

    assert status == WRONG
    lines = said.splitlines()
    assert lines[0] == f"central, desk-1, log {central.log_id.hex()}:"
    assert lines[1] == ("  Missing: record 5, among what came on 14 March 2026.")
    assert lines[2] == "  Altered: record 7 is not what the kiosk signed."
    assert lines[3] == f"surgery, desk-2, log {surgery.log_id.hex()}:"
    assert lines[4].startswith("  Fork: records 10 to 11 of branch 1 came on 15 March 2026 beside")
    assert lines[5] == (
        "Looked at 20 records of 2 logs: in 2 of them, something is missing or wrong."
    )
    assert "asked for again" in said
    assert "newest backup" in said


def test_one_site_or_kiosk_is_looked_at_alone(rig, run, kiosks):
    lose(rig, kiosks[0], 5)

    assert run("verify", "surgery")[0] == WHOLE
    assert run("verify", "surgery", "desk-2")[0] == WHOLE
    assert run("verify", "central", "desk-1")[0] == WRONG
    assert run("verify", "central", "desk-2") == (
        REFUSED,
        "no kiosk of that site and name has a log here\n",
    )


def test_what_is_missing_is_asked_for_again(rig, run, kiosks):
    lose(rig, kiosks[0], 5)

    status, said = run("verify", "--ask-again")

    assert status == WRONG
    assert said.endswith("Kiosks will be asked for what is missing at their next contacts.\n")
    assert rig.hear(kiosks[0].signed_status()).wanted == [(5, 5)]


def test_programs_get_lines_of_json(rig, run, kiosks):
    lose(rig, kiosks[0], 5)

    status, said = run("verify", "--json")

    found, summary = map(json.loads, said.splitlines())
    assert status == WRONG
    assert found == {
        "log": kiosks[0].log_id.hex(),
        "site": "central",
        "kiosk": "desk-1",
        "kind": "missing",
        "wrong": True,
        "branch": 0,
        "first_seq": 5,
        "last_seq": 5,
        "since": "2026-03-14",
        "until": "2026-03-14",
        "told": "Missing: record 5, among what came on 14 March 2026.",
    }
    assert summary == {"logs": 2, "records": 17, "wrong_logs": 1}


def test_a_statement_is_made_and_compared_later(rig, run, kiosks, tmp_path):
    path = tmp_path / "2026-03.json"
    key = rig.receipt_key.verifying_key.public.hex()

    status, said = run("statement", "2026-03", path)

    assert status == WHOLE
    assert f"Its SHA-256 is {sha256(path.read_bytes()).hexdigest()}." in said
    assert f"The key that signed it is {key}." in said
    held = "Looked at 18 records of 2 logs: all is there that the statement of March 2026 tells of."
    assert run("verify", "--statement", path) == (WHOLE, f"{held}\n")
    assert run("verify", "--statement", path, "--key", key) == (WHOLE, f"{held}\n")

    lose(rig, kiosks[1], 9)
    status, said = run("verify", "--statement", path)
    assert status == WRONG
    assert said.splitlines()[:2] == [
        f"surgery, desk-2, log {kiosks[1].log_id.hex()}:",
        "  Missing: record 9.",
    ]
    assert run("verify", "central", "--statement", path)[0] == WHOLE


def test_a_log_that_is_gone_is_named_by_the_statement_alone(rig, run, kiosks, tmp_path):
    path = tmp_path / "2026-03.json"
    run("statement", "2026-03", path)
    for table in (tables.record, tables.branch, tables.log):
        rig.write(delete(table).where(table.c.log_id == kiosks[0].log_id))
    assert run("verify")[0] == WHOLE

    status, said = run("verify", "--statement", path)

    assert status == WRONG
    assert f"?, ?, log {kiosks[0].log_id.hex()}:\n  Missing: records 1 to 9.\n" in said


def test_a_forged_statement_is_refused_with_a_reason(rig, run, kiosks, tmp_path):
    path = tmp_path / "2026-03.json"
    run("statement", "2026-03", path)
    path.write_text(path.read_text().replace('"last_seq": 9', '"last_seq": 8'))

    status, said = run("verify", "--statement", path)

    assert status == REFUSED
    assert "refused: this statement was altered after it was signed, or not signed by" in said


def test_a_statement_signed_by_another_key_than_the_one_named_is_refused(run, kiosks, tmp_path):
    path = tmp_path / "2026-03.json"
    run("statement", "2026-03", path)

    assert "refused" in run("verify", "--statement", path, "--key", "00" * 32)[1]
    for no_key in ("ab", "xyz", "ff" * 32 + "00"):
        said = run("verify", "--statement", path, "--key", no_key)
        assert said == (REFUSED, "a key is 64 hexadecimal digits\n")


def test_a_statement_is_printed_where_no_file_is_named(run, kiosks, tmp_path):
    _, said = run("statement", "2026-03")
    path = tmp_path / "printed.json"
    path.write_text(said)
    assert run("verify", "--statement", path)[0] == WHOLE


def test_a_statement_overwrites_nothing(run, kiosks, tmp_path):
    path = tmp_path / "2026-03.json"
    path.write_text("mine")
    assert run("statement", "2026-03", path) == (
        REFUSED,
        f"{path}: can't be written: File exists\n",
    )
    assert path.read_text() == "mine"


@pytest.mark.parametrize(
    ("month", "why"),
    [
        ("2026-Q1", "a statement is of a month, such as 2026-10"),
        ("March", "'March' is no period: 2026-10 is a month, 2026-Q4 a quarter"),
        ("9000-01", "January 9000 is not over yet"),
    ],
)
def test_only_a_month_that_is_over_is_stated(run, month, why):
    assert run("statement", month) == (REFUSED, f"{why}\n")


def test_a_record_is_redacted_by_its_id_with_a_reason(rig, run, kiosks):
    run("open")
    [row] = rig.read(
        select(tables.day.c.record_id).where(
            tables.day.c.log_id == kiosks[0].log_id, tables.day.c.seq == 5
        )
    )
    redact = ("redact", row.record_id.hex(), "--reason", "it named a neighbour")

    status, said = run(*redact)
    assert status == REFUSED
    assert "would drop the day record from central that came on 14 March 2026, for ever" in said
    assert "add --yes" in said
    assert run("verify")[1] == "Looked at 18 records of 2 logs: all is whole.\n"

    status, said = run(*redact, "--yes")
    assert status == WHOLE
    assert said.startswith("Redacted: the day record from central that came on 14 March 2026.")
    status, said = run("verify")
    assert status == WHOLE
    assert re.search(r"Redacted on \d+ \w+ \d{4}: record 5: it named a neighbour\.\n", said)
    assert said.endswith("Looked at 18 records of 2 logs: all is whole.\n")
    assert "no response, verdict or day has the id" in run(*redact, "--yes")[1]


def test_a_record_is_redacted_by_its_place(run, kiosks):
    where = ("--log", kiosks[1].log_id.hex()[:8], "--seq", "5")

    assert run("redact", *where, "--reason", "why", "--yes")[0] == WHOLE

    assert "Redacted" in run("verify", "surgery")[1]
    assert run("redact", *where, "--reason", "why", "--yes")[1] == (
        "that record is redacted already\n"
    )


def test_a_record_to_redact_is_named_in_one_way(run, kiosks):
    for names in ((), ("--log", "ab"), ("--seq", "5"), ("ab", "--log", "ab", "--seq", "5")):
        assert run("redact", *names, "--reason", "why", "--yes") == (
            REFUSED,
            "name a record by its id, or by --log and --seq\n",
        )


def test_for_how_long_things_are_kept_is_shown(rig, run, kiosks):
    said = run("retention")[1].splitlines()
    assert said[0].split() == [
        "site",
        "organisation",
        "answers",
        "are",
        "kept",
        "dropped",
        "before",
    ]
    assert said[1].split() == ["central", "council", "for", "ever", "-"]
    assert said[3] == (
        "Sealed records that are opened are kept as long as answers; what is not, until it is"
        " opened."
    )
    assert said[4] == "Dropped so far: the sealed bytes of 0 records, and of 0 of these, all."

    run("organisation", "change", "council", "--kept-months", "1")
    settings = rig.centre.folder / "collector.toml"
    text = settings.read_text()
    assert "sealed_months = 0" in text
    settings.write_text(text.replace("sealed_months = 0", "sealed_months = 1"))
    run("open")  # what the other one recorded says that it stands in the first one's place
    keys = rig.keyring.publishing_keys()
    retention = Retention(rig.engine, keys, rig.receipt_key, sealed_months=1)
    rig.run(retention.enforce(datetime(2026, 4, 20, tzinfo=UTC)))

    said = run("retention")[1].splitlines()
    assert said[1].split() == ["central", "council", "1", "month", "2026-03-20"]
    assert "are kept 1 month after they came;" in said[3]
    assert said[4] == "Dropped so far: the sealed bytes of 9 records, and of 9 of these, all."
    status, said = run("verify")
    assert status == WHOLE
    assert "Expired: records 1 to 9 came on 14 March 2026, and had been kept long enough.\n" in said
