from datetime import date

from sqlalchemy import delete, insert, select, update

from sync_service.collector import tables
from sync_service.collector.enrolment import revoke
from sync_service.collector.fleet import ask_again, list_kiosks
from sync_service.collector.tables import KioskStanding
from sync_service.contract.publication import PublicationKind, Replies
from sync_service.contract.sealing import SealingKey
from sync_service.contract.signing import Context, SigningKey
from sync_service.contract.wire import MAX_RANGES, Recorded, Standing

FOREIGN_KEY = SealingKey(bytes(range(1, 33)))
KINDS = PublicationKind


NOW = 1_773_480_000
STAMPED = {KINDS.KEYS: 1, KINDS.ASSIGNMENT: 1, KINDS.QUESTIONNAIRE: 2}
"""The serials that the first kiosk starts with, if it stands in the library."""


# What a kiosk says


def test_what_a_kiosk_says_of_itself_is_noted(rig):
    kiosk = rig.kiosk().record(7)
    status = kiosk.status(
        settled_seq=5,
        oldest_held_seq=2,
        depth=1,
        oldest_waiting=date(2026, 3, 1),
        clock_synced=False,
        clock_at=12,
        uptime_h=3,
        last_error="timed-out",
        troubles=("button-2-stuck", "power-low"),
    )

    reply = rig.hear(kiosk.key.sign(Context.STATUS, status.encode()), now=88)

    assert (reply.kiosk_id, reply.nonce) == (kiosk.kiosk_id, status.nonce)
    assert (reply.standing, reply.at) == (Standing.ENROLLED, 88)
    assert reply.log_head is None
    [row] = rig.read(select(tables.kiosk))
    assert (row.contact_at, row.depth, row.oldest_waiting) == (88, 1, "2026-03-01")
    assert (row.clock_synced, row.clock_at, row.uptime_h) == (False, 12, 3)
    assert (row.last_error, row.troubles) == ("timed-out", "button-2-stuck power-low")
    [log] = rig.read(select(tables.log))
    assert (log.said_head_seq, log.said_head_link) == (7, kiosk.head().link)
    assert (log.said_settled_seq, log.said_oldest_held_seq) == (5, 2)


def test_a_held_and_a_revoked_kiosk_hear_their_standing_and_the_keys_and_nothing_else(rig):
    kiosk = rig.kiosk().record(2)
    other = kiosk.clone()
    other.key = SigningKey(bytes(32))
    other.kiosk_id = other.key.verifying_key.kiosk_id
    rig.enrol(other.signed_enrolment())
    rig.run(revoke(rig.engine, kiosk.kiosk_id, 0))

    for each, standing in ((other, Standing.HELD), (kiosk, Standing.REVOKED)):
        reply = rig.hear(each.signed_status())

        assert reply.standing == standing
        assert (reply.log_head, reply.wanted) == (None, [])
        assert [offer.kind for offer in reply.offers] == ["keys"]
    assert rig.read(select(tables.log)) == []


def test_a_status_that_can_not_be_believed_is_refused(rig):
    kiosk, other = rig.kiosk().record(), rig.kiosk()
    stranger = kiosk.clone()
    stranger.key = SigningKey(bytes(32))
    stranger.kiosk_id = stranger.key.verifying_key.kiosk_id
    forged = other.key.sign(Context.STATUS, kiosk.status().encode())

    assert rig.problem(rig.collector.fleet.hear(b"", 0)) == "malformed"
    assert rig.problem(rig.collector.fleet.hear(forged, 0)) == "bad-signature"
    assert rig.problem(rig.collector.fleet.hear(stranger.signed_status(), 0)) == "unknown-kiosk"
    rig.deliver(kiosk)
    foreign = other.signed_status(log_id=kiosk.log_id)
    assert rig.problem(rig.collector.fleet.hear(foreign, 0)) == "foreign-log"


def test_a_kiosk_under_another_stamp_than_it_is_known_by_has_to_enrol_first(rig):
    kiosk, other = rig.kiosk(), rig.kiosk()
    forged = other.key.sign(Context.STATUS, kiosk.status(stamp_id=bytes(16)).encode())
    assert rig.problem(rig.collector.fleet.hear(forged, 0)) == "bad-signature"
    kiosk.stamp = rig.stamp("surgery", "door")

    assert rig.problem(rig.collector.fleet.hear(kiosk.signed_status(), 0)) == "unknown-kiosk"
    assert rig.read(select(tables.log)) == []

    rig.enrol(kiosk.signed_enrolment())
    reply = rig.hear(kiosk.signed_status())
    assert reply.standing == Standing.ENROLLED
    assert offered(reply) == [("keys", 1), ("assignment", 3), ("questionnaire", 1)]


# What is wanted


def test_a_kiosk_whose_records_are_all_here_is_asked_for_nothing(rig):
    kiosk = rig.kiosk().record(5)
    rig.deliver(kiosk)

    reply = rig.hear(kiosk.signed_status())

    assert reply.log_head == kiosk.head()
    assert reply.wanted == []


def test_what_still_waits_on_the_kiosk_is_not_asked_for(rig):
    kiosk = rig.kiosk().record(5)
    rig.deliver(kiosk, 1, 3)

    assert rig.hear(kiosk.signed_status(settled_seq=3)).wanted == []


def test_holes_are_asked_for_as_far_as_the_kiosk_still_holds_them(rig):
    kiosk = rig.kiosk().record(20)
    rig.deliver(kiosk, 3, 5)
    rig.deliver(kiosk, 9, 9)
    rig.deliver(kiosk, 12, 15)

    assert rig.hear(kiosk.signed_status(settled_seq=18)).wanted == [
        (1, 2),
        (6, 8),
        (10, 11),
        (16, 18),
    ]
    reply = rig.hear(kiosk.signed_status(settled_seq=18, oldest_held_seq=7))
    assert reply.wanted == [(7, 8), (10, 11), (16, 18)]
    assert reply.log_head == kiosk.head(5)


def test_a_collector_that_lost_a_log_asks_for_all_of_it(rig):
    kiosk = rig.kiosk().record(20)

    reply = rig.hear(kiosk.signed_status(oldest_held_seq=4))

    assert reply.log_head is None
    assert reply.wanted == [(4, 20)]


def test_a_collector_restored_from_an_old_backup_gets_back_what_it_lost(rig):
    kiosk = rig.kiosk().record(9)
    rig.deliver(kiosk, 1, 4)
    backup = {table: rig.read(select(table)) for table in (tables.branch, tables.record)}
    rig.deliver(kiosk, 5, 9)
    for table in reversed(backup):
        rig.write(delete(table))
    for table, rows in backup.items():
        rig.write(insert(table).values([row._asdict() for row in rows]))

    [(first_seq, last_seq)] = rig.hear(kiosk.signed_status()).wanted
    rig.deliver(kiosk, first_seq, last_seq)

    assert rig.hear(kiosk.signed_status()).wanted == []
    assert rig.held(kiosk.log_id) == {0: [*range(1, 10)]}


def test_a_kiosk_that_holds_nothing_is_asked_for_nothing(rig):
    kiosk = rig.kiosk().record(9)
    rig.deliver(kiosk, 5, 9)

    assert rig.hear(kiosk.signed_status(oldest_held_seq=0)).wanted == []


def test_ranges_are_as_many_as_a_reply_can_hold(rig):
    kiosk = rig.kiosk().record(2 * MAX_RANGES + 20)
    rig.deliver(kiosk, 2)
    rig.write(delete(tables.record).where(tables.record.c.seq % 2 == 1))
    rig.write(update(tables.branch).values(whole_seq=2))

    wanted = rig.hear(kiosk.signed_status()).wanted

    assert len(wanted) == MAX_RANGES
    assert wanted[:2] == [(1, 1), (3, 3)]


def test_a_forked_log_is_not_asked_for_what_either_branch_holds(rig):
    kiosk = rig.kiosk().record(3)
    clone = kiosk.clone().record(4)
    kiosk.record(2)
    rig.deliver(kiosk)
    rig.deliver(clone)

    for each in (kiosk, clone):
        reply = rig.hear(each.signed_status())
        assert reply.log_head == each.head()
        assert reply.wanted == []


def test_whoever_writes_on_a_log_hears_that_it_has_forked(rig):
    kiosk = rig.kiosk().record(3)
    clone = kiosk.clone().record(2)
    kiosk.record(1)
    rig.deliver(kiosk)
    assert not rig.hear(clone.signed_status()).forked
    rig.deliver(clone)

    assert rig.hear(clone.signed_status()).forked
    assert rig.hear(kiosk.signed_status()).forked


def test_a_refused_record_is_asked_for_again_when_the_central_team_says_so(rig):
    kiosk = rig.kiosk().record(2).record(2, FOREIGN_KEY).record(3)
    opening_key = rig.keyring.add_opening_key()
    kiosk.record(1, opening_key.sealing_key)
    rig.deliver(kiosk)
    assert rig.hear(kiosk.signed_status()).wanted == []

    assert rig.run(ask_again(rig.engine, kiosk.kiosk_id)) == 3
    assert rig.hear(kiosk.signed_status()).wanted == [(3, 4), (8, 8)]
    assert rig.hear(kiosk.signed_status(oldest_held_seq=4)).wanted == [(4, 4), (8, 8)]

    rig.publish("keys", rig.keyring.public_keys(opening_key))
    assert rig.deliver(kiosk, 8).outcomes == (Recorded.ACCEPTED,)
    assert rig.deliver(kiosk, 3, 4).outcomes == (Recorded.REFUSED_KEY,) * 2
    assert rig.hear(kiosk.signed_status()).wanted == []
    assert rig.run(ask_again(rig.engine, kiosk.kiosk_id)) == 2


def test_asking_again_asks_one_kiosk(rig):
    kiosk, other = rig.kiosk().record(1, FOREIGN_KEY), rig.kiosk().record(1, FOREIGN_KEY)
    rig.deliver(kiosk)
    rig.deliver(other)

    assert rig.run(ask_again(rig.engine, kiosk.kiosk_id)) == 1
    assert rig.hear(other.signed_status()).wanted == []


# What is offered


def offered(reply):
    return [(offer.kind.value, offer.serial) for offer in reply.offers]


def test_a_kiosk_that_holds_all_is_offered_nothing(rig):
    kiosk = rig.kiosk()

    assert rig.hear(kiosk.signed_status(publications=STAMPED)).offers == []


def test_a_kiosk_that_holds_nothing_is_offered_all_that_is_meant_for_it_in_order(rig):
    rig.kiosk("surgery")
    kiosk = rig.kiosk()
    rig.publish("replies", Replies("central", ()))
    rig.publish("replies", Replies("surgery", ()))
    rig.new_sealing_key()

    assert offered(rig.hear(kiosk.signed_status())) == [
        *(("keys", 1), ("keys", 2), ("assignment", 2), ("questionnaire", 2), ("replies", 1)),
    ]


def test_an_offer_is_fetched_by_the_digest_it_gives(rig):
    kiosk = rig.kiosk()
    [offer] = [
        offer for offer in rig.hear(kiosk.signed_status()).offers if offer.kind is KINDS.ASSIGNMENT
    ]

    found = rig.read(
        select(tables.publication.c.signed).where(tables.publication.c.digest == offer.digest)
    )

    assert found == [(kiosk.stamp.assignment,)]


def test_only_what_is_newer_is_offered(rig):
    kiosk = rig.kiosk()
    rig.publish("replies", Replies("central", ()))

    publications = {**STAMPED, KINDS.REPLIES: 1}

    assert rig.hear(kiosk.signed_status(publications=publications)).offers == []
    publications[KINDS.KEYS] = 9
    assert rig.hear(kiosk.signed_status(publications=publications)).offers == []


def test_a_kiosk_that_is_moved_is_offered_what_its_new_site_has_whatever_the_serials(rig):
    rig.publish("replies", Replies("surgery", ()))
    kiosk = rig.kiosk("central")
    rig.publish("replies", Replies("central", ()))
    publications = {**STAMPED, KINDS.REPLIES: 2}
    assert rig.hear(kiosk.signed_status(publications=publications)).offers == []

    rig.run(rig.stamping.move("central", "desk-1", "surgery", 0))

    reply = rig.hear(kiosk.signed_status(publications=publications))
    assert offered(reply) == [("assignment", 2), ("questionnaire", 1), ("replies", 1)]


# The list


def test_a_stamp_that_its_kiosk_has_left_is_not_listed(rig):
    kiosk = rig.kiosk()
    kiosk.stamp = rig.stamp("surgery", "door")
    rig.enrol(kiosk.signed_enrolment())

    [line] = rig.run(list_kiosks(rig.engine))

    assert (line.site, line.name, line.kiosk_id) == ("surgery", "door", kiosk.kiosk_id)


def test_the_list_shows_every_kiosk_and_every_stamp_that_waits_for_one(rig):
    kiosk = rig.kiosk()
    stranger = kiosk.clone()
    stranger.key = SigningKey(bytes(32))
    stranger.kiosk_id = stranger.key.verifying_key.kiosk_id
    rig.enrol(stranger.signed_enrolment())
    rig.hear(kiosk.signed_status(depth=10, last_error="timed-out"), now=5)
    rig.stamp("surgery", "door")

    first, second, third = rig.run(list_kiosks(rig.engine))

    assert {first.kiosk_id, second.kiosk_id} == {kiosk.kiosk_id, stranger.kiosk_id}
    enrolled = first if first.kiosk_id == kiosk.kiosk_id else second
    held_line = second if enrolled is first else first
    assert (enrolled.site, enrolled.name) == ("central", "desk-1")
    assert enrolled.standing is KioskStanding.ENROLLED
    assert (enrolled.contact_at, enrolled.depth, enrolled.last_error) == (5, 10, "timed-out")
    assert held_line.held_because.startswith("its enrolment code was used already")
    assert (third.site, third.name, third.kiosk_id) == ("surgery", "door", None)
    assert (third.standing, third.software, third.apart) == (None, None, 0)


def test_the_list_says_how_many_records_of_a_kiosk_are_kept_apart(rig):
    kiosk, other = rig.kiosk().record(3), rig.kiosk().record(2)
    rig.deliver(other)
    rig.take(kiosk.signed_batch(1, 2), now=NOW)
    rig.take(kiosk.signed_batch(3), now=NOW + 1)
    rig.run(revoke(rig.engine, kiosk.kiosk_id, NOW + 2, since=NOW + 1))

    lines = {line.kiosk_id: line for line in rig.run(list_kiosks(rig.engine))}

    assert (lines[kiosk.kiosk_id].revoked_at, lines[kiosk.kiosk_id].apart) == (NOW + 2, 1)
    assert lines[other.kiosk_id].apart == 0
