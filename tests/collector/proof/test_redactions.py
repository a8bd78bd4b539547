"""A redacted record is gone for good, and shows as redacted."""

import json
from dataclasses import replace
from datetime import date

import pytest
from analyst import Analyst, csv_rows
from centre import DAY, KEY, LOG, PUBLISHING, RESPONSE, SECRET, VERDICT, begun_centre, seal
from sqlalchemy import delete, select, update
from traces import traces

from sync_service.collector import tables
from sync_service.collector.database import forget_deleted
from sync_service.collector.error import OfficeError
from sync_service.collector.fleet import ask_again
from sync_service.collector.insight.export import export
from sync_service.collector.opening import Opener, count_by_outcome, reopen
from sync_service.collector.proof.findings import Kind
from sync_service.collector.proof.redactions import (
    MAX_REASON,
    find_by_id,
    find_by_place,
    redact,
)
from sync_service.collector.tables import Opening
from sync_service.contract.signing import SigningKey, generate_signing_key
from sync_service.contract.wire import Recorded

RECEIPT = SigningKey(bytes([9] * 32))
ON = date(2026, 5, 2)
WHY = "it named a neighbour"
COMMENT = "my neighbour Mrs Penhaligon shouts at the desk"
OPENED = (tables.response, tables.answer, tables.verdict, tables.day)


def drop(holder, place, key=RECEIPT, reason=WHY):
    """Redact the record at a place of a log, named by its id and the number."""
    log_id, branch, seq = place

    async def drop():
        target = await find_by_place(holder.engine, log_id.hex(), branch, seq)
        await redact(holder.engine, target, reason, ON, key)

    holder.run(drop())


def rows(centre):
    return {table.name: len(centre.read(select(table))) for table in OPENED}


# What is opened goes, too


@pytest.mark.parametrize(("record", "table"), [(RESPONSE, 0), (VERDICT, 2), (DAY, 3)])
def test_of_a_redacted_record_nothing_is_left_but_its_digest(centre, record, table):
    sealed = seal(record)
    centre.hold(sealed, RESPONSE, VERDICT, DAY)
    centre.open()
    before = rows(centre)

    drop(centre, (LOG, 0, 1))

    gone = {OPENED[table].name: 1} | ({"answer": 2} if record is RESPONSE else {})
    assert rows(centre) == {name: count - gone.get(name, 0) for name, count in before.items()}
    [row] = centre.read(select(tables.record).where(tables.record.c.seq == 1))
    assert (row["sealed"], row["opening"]) == (None, Opening.REDACTED)
    assert centre.run(count_by_outcome(centre.engine)) == {Opening.OPENED: 3, Opening.REDACTED: 1}


def test_a_record_is_found_by_the_id_that_analysts_know(centre):
    centre.hold(RESPONSE, VERDICT, DAY)
    centre.open()
    for table, kind in (
        (tables.response, "response"),
        (tables.verdict, "verdict"),
        (tables.day, "day record"),
    ):
        row = centre.row(table)
        target = centre.run(find_by_id(centre.engine, row["record_id"].hex()))
        assert target.place == (LOG, 0, row["seq"])
        assert (target.kind, target.site) == (kind, "central-library")
        assert target.received_on == date(2026, 3, 14)


@pytest.mark.parametrize("record_id", ["", "00" * 16, "xyz", "café"])
def test_an_id_of_nothing_is_said_to_be_so(centre, record_id):
    with pytest.raises(OfficeError, match="no response, verdict or day has the id"):
        centre.run(find_by_id(centre.engine, record_id))


def test_a_record_that_is_not_opened_is_found_by_its_place(centre):
    centre.hold(RESPONSE)

    target = centre.run(find_by_place(centre.engine, LOG.hex()[:4].upper(), 0, 1))

    assert (target.kind, target.site) == ("record that is not opened", "central-library")


def test_a_place_must_be_one(centre):
    centre.hold(RESPONSE)
    centre.begin_log(LOG[:1] + bytes(15))
    for log, branch, seq, why in (
        ("ffff", 0, 1, "0 logs have an id that begins with ffff"),
        (LOG.hex()[:2], 0, 1, "2 logs have an id"),
        (LOG.hex(), 0, 2, "record 2 of branch 0 of that log is not held"),
        (LOG.hex(), 1, 1, "record 1 of branch 1"),
    ):
        with pytest.raises(OfficeError, match=why):
            centre.run(find_by_place(centre.engine, log, branch, seq))


def test_copies_of_the_record_go_with_it(centre):
    sealed = seal(RESPONSE)
    centre.begin_log(LOG, branch=1)
    centre.hold(sealed, DAY)
    centre.hold(sealed, first_seq=7, branch=1)
    centre.open()
    assert centre.outcomes()[7] is Opening.COPY

    drop(centre, (LOG, 1, 7))

    assert centre.outcomes() == {1: Opening.REDACTED, 2: Opening.OPENED, 7: Opening.REDACTED}
    assert rows(centre) == {"response": 0, "answer": 0, "verdict": 0, "day": 1}


def test_a_record_that_an_opener_has_in_hand_is_not_written_after_all(centre):
    """The opener reads, and writes in a later transaction what it found."""
    centre.hold(RESPONSE, DAY)

    class Slow(Opener):
        async def _open(self, connection, waiting):
            found = await super()._open(connection, waiting)
            if len(waiting) == 2:
                target = await find_by_place(centre.engine, LOG.hex(), 0, 1)
                await redact(centre.engine, target, WHY, ON, RECEIPT)
            return found

    centre.opener = Slow(centre.engine, [KEY], [PUBLISHING.verifying_key], SECRET)
    assert centre.open() == {Opening.OPENED: 1}
    assert rows(centre)["response"] == 0


def test_what_is_redacted_is_not_opened_again(centre):
    centre.hold(RESPONSE)
    centre.open()
    drop(centre, (LOG, 0, 1))

    assert centre.run(reopen(centre.engine)) == 0
    assert centre.open() == {}


def test_a_record_of_which_nothing_is_left_can_not_be_redacted(centre):
    centre.hold(RESPONSE, DAY)
    centre.write(update(tables.record).where(tables.record.c.seq == 1).values(sealed=None))
    with pytest.raises(OfficeError, match="nothing is left of that record"):
        drop(centre, (LOG, 0, 1))
    assert centre.outcomes()[2] is Opening.WAITING


def test_a_record_is_redacted_once(centre):
    centre.hold(RESPONSE)
    drop(centre, (LOG, 0, 1))
    with pytest.raises(OfficeError, match="redacted already"):
        drop(centre, (LOG, 0, 1))


@pytest.mark.parametrize("reason", ["", "x" * (MAX_REASON + 1), "two\nlines", "bell\a"])
def test_there_must_be_a_reason(centre, reason):
    centre.hold(RESPONSE)
    with pytest.raises(OfficeError, match="a reason is 1 to 200 printable characters"):
        drop(centre, (LOG, 0, 1), reason=reason)
    assert centre.outcomes() == {1: Opening.WAITING}


@pytest.mark.sqlite_alone
def test_no_trace_of_it_is_left_in_the_files(tmp_path):
    sealed = seal(replace(RESPONSE, answers={1: 2, 3: COMMENT[:40]}))
    secrets = {"comment": COMMENT[:40].encode(), "sealed bytes": sealed}
    with begun_centre(tmp_path) as centre:
        centre.hold(sealed, *[DAY] * 40)
        centre.open()
        assert {each.split(" in ")[0] for each in traces(secrets, [tmp_path])} == {*secrets}

        drop(centre, (LOG, 0, 1))
        centre.run(forget_deleted(centre.engine))

        assert traces(secrets, [tmp_path]) == []


# What analysts see


def test_an_export_has_it_no_more_and_says_so(centre, tmp_path):
    centre.hold(RESPONSE, RESPONSE)
    centre.open()
    record_id = centre.read(select(tables.response).where(tables.response.c.seq == 1))[0]
    drop(centre, (LOG, 0, 1))
    at = Analyst(centre).at

    summary = centre.run(
        export(centre.engine, tmp_path / "export", [PUBLISHING.verifying_key], at=at)
    )

    assert summary.responses == 1
    about = json.loads((tmp_path / "export/datapackage.json").read_text())["regard"]
    redacted = {"id": record_id["record_id"].hex(), "redacted_on": "2026-05-02"}
    assert about["redacted"] == [redacted]
    assert about["not_opened"]["redacted"] == 1


def test_a_row_that_was_handed_out_is_taken_back_and_its_id_is_told(centre):
    centre.hold(RESPONSE, RESPONSE, RESPONSE)
    centre.open()
    analyst = Analyst(centre)
    analyst.close_instalment()
    first = analyst.get("responses.csv")
    cursor = first.headers["Regard-Cursor"]
    held = [row["response_id"] for row in csv_rows(first)]

    for record_id in held[1:]:
        target = centre.run(find_by_id(centre.engine, record_id))
        centre.run(redact(centre.engine, target, WHY, ON, RECEIPT))

    assert [row["response_id"] for row in csv_rows(analyst.get("responses.csv"))] == held[:1]
    assert csv_rows(analyst.get("responses.csv", after=cursor)) == []
    told = analyst.get("datapackage.json").json()["regard"]["redacted"]
    assert sorted(each["id"] for each in told) == sorted(held[1:])


# What is held to be proven


@pytest.fixture
def key(rig):
    return rig.receipt_key


def test_a_redacted_record_shows_as_redacted(rig, key, look, sees):
    kiosk = rig.kiosk().record(9)
    rig.deliver(kiosk)
    rig.hear(kiosk.signed_status())

    drop(rig, (kiosk.log_id, 0, 9), key)
    drop(rig, (kiosk.log_id, 0, 4), key, "asked for by the person")

    assert look(kiosk) == [(Kind.REDACTED, 4, 4), (Kind.REDACTED, 9, 9)]
    found, _ = sees(kiosk, Kind.REDACTED)
    assert not found.is_wrong
    assert (found.since, found.until, found.why) == (ON, ON, "asked for by the person")


def test_a_redaction_that_the_centre_has_not_signed_is_none(rig, key, look):
    kiosk = rig.kiosk().record(3)
    rig.deliver(kiosk)
    thief = SigningKey(generate_signing_key())
    drop(rig, (kiosk.log_id, 0, 2), thief)
    assert look(kiosk) == [(Kind.BYTES_GONE, 2, 2)]

    rig.write(delete(tables.redaction))
    assert look(kiosk) == [(Kind.BYTES_GONE, 2, 2)]


def test_a_redaction_is_good_for_its_record_alone(rig, key, look):
    kiosk = rig.kiosk().record(3)
    rig.deliver(kiosk)
    drop(rig, (kiosk.log_id, 0, 2), key)
    rig.write(
        update(tables.record)
        .where(tables.record.c.seq == 3)
        .values(sealed=None, digest=kiosk.digest(3), opening=int(Opening.REDACTED))
    )
    rig.write(update(tables.redaction).values(digest=kiosk.digest(3)))

    assert look(kiosk) == [(Kind.BYTES_GONE, 2, 3)]


def test_a_kiosk_that_offers_it_again_does_not_bring_it_back(rig, key, look):
    kiosk = rig.kiosk().record(5)
    rig.deliver(kiosk)
    drop(rig, (kiosk.log_id, 0, 2), key)

    assert rig.deliver(kiosk).outcomes == (Recorded.DUPLICATE,) * 5
    assert rig.deliver(kiosk, 2, 2).outcomes == (Recorded.DUPLICATE,)

    assert look(kiosk) == [(Kind.REDACTED, 2, 2)]


def test_it_is_not_let_in_at_another_place_either(rig, key, look):
    """As from a store that was put back, or by somebody with the kiosk's key."""
    kiosk = rig.kiosk().record(5)
    rig.deliver(kiosk)
    drop(rig, (kiosk.log_id, 0, 2), key)
    other = kiosk.clone()
    other.sealed[3:] = [kiosk.sealed[1], kiosk.sealed[1]]
    other.record(1)

    rig.deliver(other, 4)

    [row] = rig.read(
        select(tables.record).where(tables.record.c.branch == 1, tables.record.c.seq == 4)
    )
    assert (row.sealed, row.digest, row.opening) == (None, kiosk.digest(2), Opening.REDACTED)
    kinds = [kind for kind, *_ in look(kiosk)]
    assert kinds == [Kind.REDACTED, Kind.REDACTED, Kind.FORK]
    rig.deliver(kiosk.record(1), 6)
    kiosk.sealed.append(kiosk.sealed[1])
    rig.deliver(kiosk, 7)
    assert look(kiosk)[1] == (Kind.REDACTED, 7, 7)


def test_one_that_was_refused_can_be_redacted_and_is_not_asked_for_again(rig, key, look):
    kiosk = rig.kiosk().record(3)
    kiosk.sealed[:2] = [sealed[:-1] for sealed in kiosk.sealed[:2]]
    rig.deliver(kiosk)
    drop(rig, (kiosk.log_id, 0, 1), key)

    assert rig.run(ask_again(rig.engine, kiosk.kiosk_id)) == 1  # the other one
    assert look(kiosk) == [(Kind.REDACTED, 1, 1), (Kind.REFUSED, 2, 2)]
