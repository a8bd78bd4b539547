"""Whatever is done to a stored log is found, and a whole log passes."""

from dataclasses import replace

import pytest
from sqlalchemy import delete, select, update

from sync_service.collector import tables
from sync_service.collector.enrolment import approve
from sync_service.collector.proof.findings import Kind, told
from sync_service.collector.proof.verification import Verification, list_logs
from sync_service.contract.sealing import SealingKey
from sync_service.contract.signing import Context, Envelope, SigningKey, generate_signing_key

NOW = 1_773_480_000  # 2026-03-14, 09:20 UTC
DAY_S = 86_400
FOREIGN_KEY = SealingKey(bytes(range(1, 33)))

record, branch, log = tables.record.c, tables.branch.c, tables.log.c


@pytest.fixture
def kiosk(rig):
    """A kiosk that has delivered 9 records, and signed that it has the receipt for them."""
    kiosk = rig.kiosk().record(9)
    rig.deliver(kiosk, 1, 4)
    rig.deliver(kiosk, 5, 9)
    rig.hear(kiosk.signed_status())
    return kiosk


def at(kiosk, *seqs):
    return (record.log_id == kiosk.log_id) & record.seq.in_(seqs)


def of(kiosk, table):
    return table.c.log_id == kiosk.log_id


def write_anew(rig, kiosk, from_seq):
    """Put other records in the place of a kiosk's, in a chain that holds."""
    forger = kiosk.clone()
    del forger.sealed[from_seq - 1 :]
    forger.record(len(kiosk.sealed) - len(forger.sealed))
    for seq in range(from_seq, len(kiosk.sealed) + 1):
        other = {"sealed": forger.sealed[seq - 1], "previous": forger.head(seq - 1).link}
        rig.write(update(tables.record).where(at(kiosk, seq)).values(other))
    head = forger.head()
    ends = {"head_link": head.link, "whole_link": head.link}
    rig.write(update(tables.branch).where(of(kiosk, tables.branch)).values(ends))


# The control


def test_a_whole_log_has_nothing_to_say(rig, kiosk, look):
    assert look(kiosk) == []


def test_a_log_is_whole_however_its_records_arrived(rig, look):
    kiosk = rig.kiosk().record(7)
    rig.deliver(kiosk, 3, 4)
    rig.deliver(kiosk, 7, 7)
    rig.deliver(kiosk, 1, 2)
    rig.deliver(kiosk, 4, 6)
    rig.hear(kiosk.signed_status())

    assert look(kiosk) == []


def test_of_a_kiosk_that_has_recorded_nothing_there_is_nothing_to_say(rig, look):
    kiosk = rig.kiosk()
    rig.hear(kiosk.signed_status())

    assert look(kiosk) == []


def test_what_is_still_at_the_kiosk_is_no_fault(rig, kiosk, sees):
    kiosk.record(3)
    rig.hear(kiosk.signed_status(settled_seq=9))

    [found] = sees(kiosk, Kind.AT_KIOSK)
    assert (found.first_seq, found.last_seq, found.is_wrong) == (10, 12, False)


def test_what_was_refused_is_no_fault(rig, look, sees):
    kiosk = rig.kiosk().record(2).record(2, FOREIGN_KEY).record(1)
    rig.deliver(kiosk)

    assert look(kiosk) == [(Kind.REFUSED, 3, 4)]
    assert not any(each.is_wrong for each in sees(kiosk, Kind.REFUSED))


# What is missing


@pytest.mark.parametrize("lost", [[1], [4, 5], [8]])
def test_a_deleted_record_is_missing(rig, kiosk, look, lost):
    rig.write(delete(tables.record).where(at(kiosk, *lost)))

    assert look(kiosk) == [(Kind.MISSING, lost[0], lost[-1])]


def test_what_is_missing_is_told_with_the_days_on_which_its_neighbours_came(rig, sees):
    kiosk = rig.kiosk().record(9)
    rig.take(kiosk.signed_batch(1, 3), now=NOW)
    rig.take(kiosk.signed_batch(6, 9), now=NOW + 4 * DAY_S)

    [found] = sees(kiosk, Kind.MISSING)

    assert (found.first_seq, found.last_seq) == (4, 5)
    assert (found.since.isoformat(), found.until.isoformat()) == ("2026-03-14", "2026-03-18")
    assert told(found) == (
        "Missing: records 4 to 5, between what came on 14 March 2026 and on 18 March 2026."
    )


def test_a_truncated_tail_is_missing(rig, kiosk, look):
    rig.write(delete(tables.record).where(at(kiosk, 8, 9)))

    assert look(kiosk) == [(Kind.MISSING, 8, 9)]


def test_a_tail_that_was_truncated_with_all_that_knew_of_it_is_found_by_what_the_kiosk_signed(
    rig, kiosk, look
):
    seventh = kiosk.head(7)
    rig.write(delete(tables.record).where(at(kiosk, 8, 9)))
    shorter = {"head_seq": 7, "head_link": seventh.link, "whole_seq": 7, "whole_link": seventh.link}
    rig.write(update(tables.branch).where(of(kiosk, tables.branch)).values(shorter))

    assert look(kiosk) == [(Kind.MISSING, 8, 9)]


def test_a_log_of_which_nothing_is_left_is_missing(rig, kiosk, look):
    rig.write(delete(tables.record).where(of(kiosk, tables.record)))
    assert look(kiosk) == [(Kind.MISSING, 1, 9)]
    rig.write(delete(tables.branch).where(of(kiosk, tables.branch)))
    assert look(kiosk) == [(Kind.MISSING, 1, 9)]


def test_a_record_of_which_not_even_the_digest_is_left_is_missing(rig, kiosk, look):
    rig.write(update(tables.record).where(at(kiosk, 5)).values(sealed=None))

    assert look(kiosk) == [(Kind.MISSING, 5, 5)]


# What was altered


@pytest.mark.parametrize("seq", [1, 5, 9])
def test_an_altered_byte_is_found(rig, kiosk, look, seq):
    sealed = kiosk.sealed[seq - 1]
    other = sealed[:70] + bytes([sealed[70] ^ 1]) + sealed[71:]
    rig.write(update(tables.record).where(at(kiosk, seq)).values(sealed=other))

    found = look(kiosk)

    assert found[0] == (Kind.ALTERED, seq, seq)
    assert found[1:] == ([(Kind.CONTRADICTION, 9, 9)] if seq == 9 else [])


@pytest.mark.parametrize(("one", "other"), [(1, 2), (4, 5), (6, 7)])
def test_two_swapped_records_are_found(rig, kiosk, look, one, other):
    for seq, by in ((one, other), (other, one)):
        rig.write(update(tables.record).where(at(kiosk, seq)).values(sealed=kiosk.sealed[by - 1]))

    assert look(kiosk) == [(Kind.SWAPPED, one, other)]


def test_two_rows_with_their_numbers_swapped_are_found(rig, kiosk, look):
    for old, new in ((4, 99), (5, 4), (99, 5)):
        rig.write(update(tables.record).where(at(kiosk, old)).values(seq=new))

    assert look(kiosk) == [(Kind.SWAPPED, 4, 5)]


def test_a_damaged_link_is_told_from_a_damaged_record(rig, kiosk, look):
    rig.write(update(tables.record).where(at(kiosk, 5)).values(previous=bytes(32)))

    assert look(kiosk) == [(Kind.LINK_DAMAGED, 5, 5)]


def test_bytes_that_are_gone_without_a_word_are_found(rig, kiosk, look):
    digests = {seq: kiosk.digest(seq) for seq in (3, 4)}
    for seq, known in digests.items():
        rig.write(update(tables.record).where(at(kiosk, seq)).values(sealed=None, digest=known))

    assert look(kiosk) == [(Kind.BYTES_GONE, 3, 4)]


def test_a_log_written_anew_contradicts_what_the_kiosk_signed(rig, kiosk, look):
    """Whoever has the database can make a chain that holds, but not the kiosk's signature."""
    write_anew(rig, kiosk, from_seq=5)

    assert look(kiosk) == [(Kind.CONTRADICTION, 9, 9)]


def test_a_status_that_the_kiosk_never_signed_is_found(rig, kiosk, look):
    write_anew(rig, kiosk, from_seq=5)
    [row] = rig.read(select(log.said_signed))
    forged = replace(Envelope.unpack(row.said_signed), payload=kiosk.status().encode()).pack()
    rig.write(update(tables.log).values(said_signed=forged, farthest_signed=forged))
    assert look(kiosk) == [(Kind.NOT_SIGNED, 1, 9)] * 2

    thief = SigningKey(generate_signing_key())
    forged = thief.sign(Context.STATUS, kiosk.status().encode())
    rig.write(update(tables.log).values(said_signed=forged, farthest_signed=None))
    rig.write(update(tables.kiosk).values(public_key=thief.verifying_key.public))
    assert look(kiosk) == [(Kind.NOT_SIGNED, 1, 9)]


# Cards that were cloned or put back


def test_a_cloned_card_is_a_fork(rig, kiosk, look, sees):
    clone = kiosk.clone().record(3)
    kiosk.record(4)
    rig.deliver(kiosk, 10)
    rig.take(clone.signed_batch(10), now=NOW + DAY_S)

    assert look(kiosk) == [(Kind.FORK, 10, 12)]
    [fork] = sees(kiosk, Kind.FORK)
    assert (fork.branch, fork.since.isoformat()) == (1, "2026-03-15")


def test_an_old_store_put_back_is_found_as_soon_as_it_speaks(rig, kiosk, look, sees):
    old = kiosk.clone()
    del old.sealed[6:]
    kiosk.record(2)
    rig.deliver(kiosk, 10)
    rig.hear(kiosk.signed_status(), now=NOW)

    rig.hear(old.signed_status(), now=NOW + DAY_S)

    assert look(kiosk) == [(Kind.ROLLBACK, 7, 11)]
    [found] = sees(kiosk, Kind.ROLLBACK)
    assert (found.since.isoformat(), found.until.isoformat()) == ("2026-03-14", "2026-03-15")


def test_an_old_store_put_back_that_went_on_is_a_fork_even_when_it_has_overtaken(rig, kiosk, look):
    old = kiosk.clone()
    del old.sealed[6:]
    old.record(1)
    rig.hear(old.signed_status(settled_seq=6))
    assert look(kiosk) == [(Kind.CONTRADICTION, 7, 7), (Kind.ROLLBACK, 7, 9)]

    old.record(9)
    rig.deliver(old, 5)
    rig.hear(old.signed_status())

    assert look(kiosk) == [(Kind.FORK, 7, 16)]


def test_each_branch_is_looked_at(rig, kiosk, look):
    clone = kiosk.clone().record(5)
    kiosk.record(1)
    rig.deliver(kiosk, 10)
    rig.deliver(clone, 10)
    rig.write(delete(tables.record).where(at(kiosk, 12), record.branch == 1))
    assert look(kiosk) == [(Kind.MISSING, 12, 12), (Kind.FORK, 10, 14)]

    rig.write(delete(tables.record).where(at(kiosk, 10), record.branch == 1))
    assert look(kiosk)[0] == (Kind.MISSING, 10, 10)

    rig.write(delete(tables.record).where(of(kiosk, tables.record), record.branch == 1))
    assert look(kiosk) == [(Kind.MISSING, 10, 14), (Kind.FORK, 10, 14)]


def test_a_branch_that_follows_from_nothing_held_says_so(rig, kiosk, look):
    clone = kiosk.clone().record(6)
    kiosk.record(3)
    rig.deliver(kiosk, 10)
    rig.deliver(clone, 12)

    assert look(kiosk) == [(Kind.FORK, 12, 15), (Kind.MISSING, 11, 11)]


def test_a_kiosk_that_lost_its_identity_still_has_signed_for_its_log(rig, kiosk, look):
    kiosk.key = SigningKey(generate_signing_key())
    kiosk.kiosk_id = kiosk.key.verifying_key.kiosk_id
    rig.enrol(kiosk.signed_enrolment())
    rig.run(approve(rig.engine, kiosk.kiosk_id, NOW))
    kiosk.record(1)
    rig.deliver(kiosk, 10)
    rig.hear(kiosk.signed_status(settled_seq=9))

    assert look(kiosk) == []


def test_logs_are_listed_by_site_and_kiosk(rig):
    kiosks = [rig.kiosk(site).record(1) for site in ("surgery", "central", "central")]
    for kiosk in kiosks:
        rig.deliver(kiosk)

    def named(*where):
        return [(each.site, each.kiosk) for each in rig.run(list_logs(rig.engine, *where))]

    everything = [("central", "desk-2"), ("central", "desk-3"), ("surgery", "desk-1")]
    assert named() == everything
    assert named("central") == everything[:2]
    assert named("central", "desk-3") == everything[1:2]
    assert named("nowhere") == []


def test_records_are_counted(rig, kiosk):
    verification = Verification(rig.engine, [])

    async def look():
        return [each async for each in verification.look_at(kiosk.log_id)]

    rig.run(look())
    assert verification.records == 9


# Asked for again


def ask_again(rig, kiosk):
    verification = Verification(rig.engine, [])

    async def ask():
        found = [each async for each in verification.look_at(kiosk.log_id)]
        return found, await verification.ask_again()

    return rig.run(ask())[1]


@pytest.mark.parametrize("lost", [(1, 2), (4, 5), (8, 9), (1, 9), (3, 3)])
def test_what_is_missing_comes_back_from_a_kiosk_that_still_has_it(rig, kiosk, look, lost):
    rig.write(delete(tables.record).where(at(kiosk, *range(lost[0], lost[1] + 1))))
    assert rig.hear(kiosk.signed_status()).wanted == []

    assert ask_again(rig, kiosk) == 1

    assert look(kiosk) == [(Kind.MISSING, *lost)]
    assert rig.hear(kiosk.signed_status()).wanted == [lost]
    rig.deliver(kiosk, *lost)
    assert look(kiosk) == []
    assert rig.hear(kiosk.signed_status()).wanted == []
    rig.deliver(kiosk.record(1), 10)
    assert look(kiosk) == []
    assert rig.held(kiosk.log_id) == {0: [*range(1, 11)]}


def test_several_holes_are_asked_for_at_once(rig, kiosk, look):
    rig.write(delete(tables.record).where(at(kiosk, 2, 5, 6, 9)))

    ask_again(rig, kiosk)

    assert rig.hear(kiosk.signed_status()).wanted == [(2, 2), (5, 6), (9, 9)]


def test_nothing_is_asked_for_where_nothing_is_missing(rig, kiosk, look):
    clone = kiosk.clone().record(2)
    rig.deliver(kiosk.record(1), 10)
    rig.deliver(clone, 10)
    before = rig.read(select(tables.branch))

    assert ask_again(rig, kiosk) == 0

    assert rig.read(select(tables.branch)) == before


def test_a_branch_that_has_grown_since_it_was_looked_at_is_left_to_the_next_look(rig, kiosk):
    rig.write(delete(tables.record).where(at(kiosk, 5)))
    verification = Verification(rig.engine, [])

    async def look():
        return [each async for each in verification.look_at(kiosk.log_id)]

    rig.run(look())
    rig.deliver(kiosk.record(1), 10)

    assert rig.run(verification.ask_again()) == 0
    assert ask_again(rig, kiosk) == 1
