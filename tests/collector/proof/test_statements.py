"""A statement holds the centre to what it held, month by month."""

import json

import pytest
from sqlalchemy import delete, update

from sync_service.collector import tables
from sync_service.collector.error import OfficeError
from sync_service.collector.insight.period import Month
from sync_service.collector.proof.findings import Kind
from sync_service.collector.proof.statements import make_statement, read_statement
from sync_service.collector.proof.verification import Verification
from sync_service.contract.sealing import SealingKey
from sync_service.contract.signing import SigningKey

FEBRUARY = 1_772_000_000  # 2026-02-25
MARCH = 1_773_480_000  # 2026-03-14
APRIL = 1_775_001_600  # 2026-04-01, midnight UTC
FOREIGN_KEY = SealingKey(bytes(range(1, 33)))

record = tables.record.c


class Clerk:
    """Makes a statement of March, and compares it later."""

    def __init__(self, rig, folder):
        self.rig = rig
        self.path = folder / "statement.json"
        self.key = rig.receipt_key

    def make(self, month=3, now=APRIL):
        making = make_statement(self.rig.engine, Month(2026, month), now, self.key)
        paper = self.rig.run(making)
        self.path.write_text(paper)
        return self.read()

    def read(self):
        return read_statement(self.path, [self.key.verifying_key])

    def compare(self):
        """What was done since."""

        async def look():
            verification = Verification(self.rig.engine, [self.key.verifying_key])
            return [
                (each.kind, each.first_seq, each.last_seq)
                for stated in self.read().logs
                async for each in verification.compare(stated)
            ]

        return self.rig.run(look())


@pytest.fixture
def clerk(rig, tmp_path):
    return Clerk(rig, tmp_path)


@pytest.fixture
def kiosk(rig):
    """A kiosk that delivered 5 records in February and 4 in March."""
    kiosk = rig.kiosk().record(9)
    rig.take(kiosk.signed_batch(1, 5), now=FEBRUARY)
    rig.take(kiosk.signed_batch(6, 9), now=MARCH)
    return kiosk


def at(*seqs):
    return record.seq.in_(seqs)


def runs(stated):
    return [(run.branch, run.first_seq, run.last_seq, run.link) for run in stated.runs]


def test_a_statement_has_each_logs_head_at_the_end_of_the_month(rig, clerk, kiosk):
    rig.take(kiosk.record(3).signed_batch(10), now=APRIL)
    other = rig.kiosk().record(2)
    rig.take(other.signed_batch(), now=APRIL - 1)

    statement = clerk.make(now=APRIL + 5)

    assert (statement.month, statement.made_at) == ("2026-03", "2026-04-01T00:00:05Z")
    stated = {each.log_id: each for each in statement.logs}
    assert stated.keys() == {kiosk.log_id, other.log_id}
    assert runs(stated[kiosk.log_id]) == [(0, 1, 9, kiosk.head(9).link.hex())]
    assert runs(stated[other.log_id]) == [(0, 1, 2, other.head().link.hex())]
    assert (stated[kiosk.log_id].records, stated[kiosk.log_id].bytes_held) == (9, 9)
    assert runs(clerk.make(month=2).logs[0]) == [(0, 1, 5, kiosk.head(5).link.hex())]
    assert clerk.make(month=1).logs == ()


def test_a_statement_names_no_site_and_holds_no_record(clerk, kiosk):
    clerk.make()
    text = clerk.path.read_text()
    assert not any(word in text for word in ("central", "desk-1", kiosk.kiosk_id.hex()))
    assert not any(sealed.hex()[:40] in text for sealed in kiosk.sealed)


def test_a_month_is_stated_when_it_is_over(clerk, kiosk):
    with pytest.raises(OfficeError, match="March 2026 is not over yet"):
        clerk.make(now=APRIL - 1)


def test_holes_forks_and_refused_records_are_stated_as_they_are(rig, clerk):
    kiosk = rig.kiosk().record(4).record(1, FOREIGN_KEY).record(4)
    clone = kiosk.clone().record(2)
    kiosk.record(1)
    for each, first, last in ((kiosk, 1, 2), (kiosk, 5, 10), (clone, 10, 11)):
        rig.take(each.signed_batch(first, last), now=MARCH)

    [stated] = clerk.make().logs

    assert runs(stated) == [
        (0, 1, 2, kiosk.head(2).link.hex()),
        (0, 5, 10, kiosk.head(10).link.hex()),
        (1, 10, 11, clone.head(11).link.hex()),
    ]
    assert (stated.records, stated.bytes_held) == (10, 9)
    assert clerk.compare() == []


# Compared later


def test_as_long_as_nothing_is_done_there_is_nothing_to_say(rig, clerk, kiosk):
    clerk.make()
    assert clerk.compare() == []

    rig.take(kiosk.record(3).signed_batch(10), now=APRIL)
    rig.take(kiosk.clone().record(2).signed_batch(13), now=APRIL)

    assert clerk.compare() == []


def test_what_was_stated_in_runs_holds_when_the_hole_between_is_filled(rig, clerk):
    kiosk = rig.kiosk().record(9)
    rig.take(kiosk.signed_batch(1, 3), now=MARCH)
    rig.take(kiosk.signed_batch(7, 9), now=MARCH)
    clerk.make()

    rig.take(kiosk.signed_batch(4, 6), now=APRIL)

    assert clerk.compare() == []


@pytest.mark.parametrize("lost", [(1, 1), (4, 6), (8, 9), (1, 9)])
def test_what_was_deleted_since_is_named(rig, clerk, kiosk, lost):
    clerk.make()
    first, last = lost
    rig.write(delete(tables.record).where(record.seq.between(first, last)))

    assert clerk.compare() == [(Kind.MISSING, first, last)]


def test_a_log_that_was_deleted_since_is_named(rig, clerk, kiosk):
    clerk.make()
    for table in (tables.record, tables.branch, tables.log):
        rig.write(delete(table))

    assert clerk.compare() == [(Kind.MISSING, 1, 9)]


def test_what_was_lost_after_the_month_is_none_of_its_business(rig, clerk, kiosk):
    rig.take(kiosk.record(3).signed_batch(10), now=APRIL)
    clerk.make()
    rig.write(delete(tables.record).where(at(11)))
    rig.write(update(tables.record).where(at(12)).values(sealed=kiosk.sealed[0]))

    assert clerk.compare() == []


@pytest.mark.parametrize("seq", [1, 5, 8])
def test_what_was_altered_since_is_named(rig, clerk, kiosk, seq):
    clerk.make()
    other = kiosk.sealed[seq - 1][:-1] + bytes([kiosk.sealed[seq - 1][-1] ^ 1])
    rig.write(update(tables.record).where(at(seq)).values(sealed=other))

    assert clerk.compare() == [(Kind.ALTERED, seq, seq)]


def test_what_was_swapped_or_emptied_since_is_named(rig, clerk, kiosk):
    clerk.make()
    for seq, by in ((2, 3), (3, 2)):
        rig.write(update(tables.record).where(at(seq)).values(sealed=kiosk.sealed[by - 1]))
    rig.write(update(tables.record).where(at(6)).values(sealed=None, digest=kiosk.digest(6)))

    assert clerk.compare() == [(Kind.SWAPPED, 2, 3), (Kind.BYTES_GONE, 6, 6)]


def test_a_log_that_was_written_anew_since_is_named(rig, clerk, kiosk):
    """Whoever has the database can make a chain that holds, but not the one that was stated."""
    clerk.make()
    forger = kiosk.clone()
    del forger.sealed[4:]
    forger.record(5)
    for seq in range(5, 10):
        other = {"sealed": forger.sealed[seq - 1], "previous": forger.head(seq - 1).link}
        rig.write(update(tables.record).where(at(seq)).values(other))
    rig.write(update(tables.branch).values(whole_link=forger.head().link))
    rig.write(update(tables.branch).values(head_link=forger.head().link))

    assert clerk.compare() == [(Kind.ALTERED, 1, 9)]


def test_records_that_a_backup_brought_back_on_other_branches_are_there(rig, clerk):
    kiosk = rig.kiosk().record(4)
    clone = kiosk.clone().record(2)
    kiosk.record(3)
    for each, first in ((kiosk, 1), (clone, 5)):
        rig.take(each.signed_batch(first), now=MARCH)
    clerk.make()
    rig.write(delete(tables.record))
    rig.write(delete(tables.branch))

    for each, first in ((clone, 1), (kiosk, 5)):
        rig.take(each.signed_batch(first), now=APRIL)

    assert clerk.compare() == []


# Forged statements


def test_a_forged_statement_is_refused(clerk, kiosk):
    clerk.make()
    genuine = json.loads(clerk.path.read_text())
    thief = SigningKey(bytes(32))

    def refused(paper):
        clerk.path.write_text(json.dumps(paper))
        with pytest.raises(OfficeError, match=r"statement\.json: refused: ") as error:
            clerk.read()
        return str(error.value)

    shorter = json.loads(json.dumps(genuine))
    shorter["statement"]["logs"][0]["runs"][0]["last_seq"] = 5
    assert "was altered after it was signed" in refused(shorter)
    assert "was altered" in refused(genuine | {"statement": genuine["statement"] | {"logs": []}})
    genuine_key, clerk.key = clerk.key, thief
    clerk.make()
    forged = json.loads(clerk.path.read_text())
    clerk.key = genuine_key
    assert "not signed by the centre" in refused(forged)
    assert "not a signed statement" in refused({"statement": {}})
    clerk.path.write_text(json.dumps(genuine))
    assert clerk.compare() == []


def test_a_statement_that_can_not_be_read_is_refused(clerk, kiosk):
    with pytest.raises(OfficeError, match="can't be read"):
        clerk.read()
