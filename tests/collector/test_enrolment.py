import re

import pytest
from sqlalchemy import select

from sync_service.collector import tables
from sync_service.collector.enrolment import (
    CODE_VALID_S,
    MAX_HELD,
    approve,
    code_digest,
    new_code,
    parse_fingerprint,
    reinstate,
    revoke,
    withdraw_code,
)
from sync_service.collector.error import OfficeError
from sync_service.collector.tables import KioskStanding
from sync_service.contract.codec import encode
from sync_service.contract.signing import (
    Context,
    SigningKey,
    fingerprint,
    generate_signing_key,
)
from sync_service.contract.wire import Standing


@pytest.fixture
def kiosk(rig, stamped):
    """A kiosk that has not asked to be enrolled yet."""
    return stamped()


@pytest.fixture
def stranger(kiosk):
    """Another kiosk that started from the same stamp."""
    stranger = kiosk.clone()
    stranger.key = SigningKey(bytes(32))
    stranger.kiosk_id = stranger.key.verifying_key.kiosk_id
    return stranger


def row_of(rig, kiosk):
    [row] = rig.read(select(tables.kiosk).where(tables.kiosk.c.kiosk_id == kiosk.kiosk_id))
    return row


# Codes


def test_a_code_is_readable_and_never_the_same_twice():
    codes = {new_code() for _ in range(50)}

    assert len(codes) == 50
    for code in codes:
        assert re.fullmatch(r"[0-9A-HJKMNP-TV-Z]{4}(-[0-9A-HJKMNP-TV-Z]{4}){3}", code)


@pytest.mark.parametrize(
    "read_out", ["01AB-0011-CDEF-GHJK", "o1ab oo1l cdef ghjk", "OIABOOLLCDEFGHJK"]
)
def test_a_code_misread_as_people_do_is_the_same_code(read_out):
    assert code_digest(read_out) == code_digest("01AB-0011-CDEF-GHJK")


@pytest.mark.sqlite_alone
def test_only_a_digest_of_the_code_is_kept(rig, kiosk):
    [(kept,)] = rig.read(select(tables.stamp.c.code_digest))

    assert kept == code_digest(kiosk.stamp.enrolment_code)
    database = rig.centre.folder / "collector.db"
    files = [database, database.with_name("collector.db-wal")]
    assert not any(kiosk.stamp.enrolment_code.encode() in file.read_bytes() for file in files)


# Asking to be known


def test_a_good_code_enrols_the_kiosk(rig, kiosk):
    enrolment = kiosk.enrolment()

    reply = rig.enrol(kiosk.key.sign(Context.ENROLMENT, enrolment.encode()), now=77)

    assert reply.kiosk_id == kiosk.kiosk_id
    assert reply.nonce == enrolment.nonce
    assert reply.standing == Standing.ENROLLED
    row = row_of(rig, kiosk)
    assert (row.standing, row.held_because) == (KioskStanding.ENROLLED, None)
    assert (row.asked_at, row.enrolled_at) == (77, 77)
    assert row.software == "regard/test"


def test_the_same_kiosk_again_is_a_success(rig, kiosk):
    rig.enrol(kiosk.signed_enrolment())

    assert rig.enrol(kiosk.signed_enrolment()).standing == Standing.ENROLLED
    assert rig.enrol(kiosk.signed_enrolment(code="forgotten")).standing == Standing.ENROLLED


def test_a_code_is_good_for_one_kiosk(rig, kiosk, stranger):
    rig.enrol(kiosk.signed_enrolment())

    assert rig.enrol(stranger.signed_enrolment()).standing == Standing.HELD
    because = f"its enrolment code was used already by the kiosk {fingerprint(kiosk.kiosk_id)}"
    assert row_of(rig, stranger).held_because == because


def test_a_wrong_code_holds_the_kiosk(rig, kiosk):
    assert rig.enrol(kiosk.signed_enrolment(code="AAAA")).standing == Standing.HELD
    assert row_of(rig, kiosk).held_because == "its enrolment code is not the one of its stamp"


def test_the_code_of_another_stamp_holds_the_kiosk(rig, kiosk):
    other = rig.stamp()

    body = kiosk.signed_enrolment(code=other.enrolment_code)

    assert rig.enrol(body).standing == Standing.HELD


def test_an_expired_code_holds_the_kiosk(rig, kiosk, clock):
    just_in_time, too_late = clock + CODE_VALID_S - 1, clock + CODE_VALID_S

    assert rig.enrol(kiosk.signed_enrolment(), now=too_late).standing == Standing.HELD
    assert row_of(rig, kiosk).held_because == "its enrolment code has expired"
    assert rig.enrol(kiosk.signed_enrolment(), now=just_in_time).standing == Standing.ENROLLED


def test_a_withdrawn_code_holds_the_kiosk(rig, kiosk):
    rig.run(withdraw_code(rig.engine, "central", "desk-1", 0))

    assert rig.enrol(kiosk.signed_enrolment()).standing == Standing.HELD
    assert row_of(rig, kiosk).held_because == "its enrolment code was withdrawn"


def test_a_held_kiosk_that_comes_back_with_a_good_code_is_enrolled(rig, kiosk):
    rig.enrol(kiosk.signed_enrolment(code="AAAA"))

    assert rig.enrol(kiosk.signed_enrolment()).standing == Standing.ENROLLED
    assert row_of(rig, kiosk).held_because is None


def another(kiosk, stamp=None):
    """Another kiosk, of the same stamp if none is given."""
    another = kiosk.clone()
    another.key = SigningKey(generate_signing_key())
    another.kiosk_id = another.key.verifying_key.kiosk_id
    another.stamp = stamp or kiosk.stamp
    return another


def held(rig, kiosk):
    assert rig.enrol(kiosk.signed_enrolment(code="AAAA")).standing == Standing.HELD
    return kiosk


def test_so_many_kiosks_of_a_stamp_are_held_and_no_more(rig, kiosk):
    waiting = [held(rig, another(kiosk)) for _ in range(MAX_HELD)]
    one_more = kiosk.signed_enrolment(code="AAAA")

    assert rig.problem(rig.collector.enrolments.enrol(one_more, 0)) == "too-many-held"
    assert len(rig.read(select(tables.kiosk))) == MAX_HELD
    again = waiting[0].signed_enrolment(code="AAAA")
    assert rig.enrol(again).standing == Standing.HELD
    held(rig, another(kiosk, rig.stamp()))
    rig.run(revoke(rig.engine, waiting[0].kiosk_id, 0))
    assert rig.enrol(one_more).standing == Standing.HELD
    assert rig.enrol(kiosk.signed_enrolment()).standing == Standing.ENROLLED


# Another stamp


def restamp(rig, kiosk, site="surgery"):
    kiosk.stamp = rig.stamp(site)
    return kiosk


def test_a_good_code_of_another_stamp_moves_the_kiosk_to_it(rig, kiosk):
    rig.enrol(kiosk.signed_enrolment(), now=77)
    former = kiosk.stamp
    restamp(rig, kiosk)

    assert rig.enrol(kiosk.signed_enrolment(), now=88).standing == Standing.ENROLLED

    assert row_of(rig, kiosk).stamp_id == kiosk.stamp.stamp_id
    had = rig.read(select(tables.stamped).order_by(tables.stamped.c.since))
    assert [(row.stamp_id, row.since) for row in had] == [
        (former.stamp_id, 77),
        (kiosk.stamp.stamp_id, 88),
    ]
    stranger = another(kiosk)
    assert rig.enrol(stranger.signed_enrolment()).standing == Standing.HELD
    because = f"its enrolment code was used already by the kiosk {fingerprint(kiosk.kiosk_id)}"
    assert row_of(rig, stranger).held_because == because


def test_without_a_good_code_of_its_new_stamp_the_kiosk_is_held_until_it_is_approved(rig, kiosk):
    rig.enrol(kiosk.signed_enrolment())
    restamp(rig, kiosk)

    assert rig.enrol(kiosk.signed_enrolment(code="AAAA")).standing == Standing.HELD
    assert row_of(rig, kiosk).held_because == "its enrolment code is not the one of its stamp"
    assert rig.problem(rig.collector.intake.take(kiosk.record().signed_batch(), 0)) == "held-kiosk"

    assert rig.run(approve(rig.engine, kiosk.kiosk_id, 99)) == []
    assert row_of(rig, kiosk).stamp_id == kiosk.stamp.stamp_id
    assert rig.enrol(kiosk.signed_enrolment(code="AAAA")).standing == Standing.ENROLLED


def test_a_stamp_that_admitted_a_kiosk_admits_it_again(rig, kiosk):
    rig.enrol(kiosk.signed_enrolment())
    former = kiosk.stamp
    rig.enrol(restamp(rig, kiosk).signed_enrolment(code="AAAA"))
    kiosk.stamp = former

    assert rig.enrol(kiosk.signed_enrolment(code="AAAA")).standing == Standing.ENROLLED
    assert row_of(rig, kiosk).stamp_id == former.stamp_id


def test_a_revoked_kiosk_stays_revoked_under_any_stamp(rig, kiosk):
    rig.enrol(kiosk.signed_enrolment())
    rig.run(revoke(rig.engine, kiosk.kiosk_id, 99))
    restamp(rig, kiosk)

    assert rig.enrol(kiosk.signed_enrolment()).standing == Standing.REVOKED
    assert rig.hear(kiosk.signed_status()).standing == Standing.REVOKED
    [(used_at,)] = rig.read(
        select(tables.stamp.c.code_used_at).where(tables.stamp.c.stamp_id == kiosk.stamp.stamp_id)
    )
    assert used_at is None


def test_an_unknown_stamp_is_refused(rig, kiosk):
    body = kiosk.signed_enrolment(stamp_id=bytes(16))

    assert rig.problem(rig.collector.enrolments.enrol(body, 0)) == "unknown-stamp"


def test_an_enrolment_signed_by_another_key_than_it_brings_is_refused(rig, kiosk, stranger):
    body = stranger.key.sign(Context.ENROLMENT, kiosk.enrolment().encode())

    assert rig.problem(rig.collector.enrolments.enrol(body, 0)) == "bad-signature"
    assert rig.read(select(tables.kiosk)) == []


def test_what_is_no_enrolment_is_malformed(rig, kiosk):
    for body in (b"", encode({}), kiosk.key.sign(Context.ENROLMENT, b"\xa0")):
        assert rig.problem(rig.collector.enrolments.enrol(body, 0)) == "malformed"


# The central team


def test_a_held_kiosk_is_approved_by_its_fingerprint(rig, kiosk):
    rig.enrol(kiosk.signed_enrolment(code="AAAA"))
    shown = fingerprint(kiosk.kiosk_id)
    for written in (shown, shown.lower(), shown.replace("-", " ")):
        assert parse_fingerprint(written) == kiosk.kiosk_id

    rig.run(approve(rig.engine, kiosk.kiosk_id, 99))

    assert row_of(rig, kiosk).enrolled_at == 99
    assert rig.enrol(kiosk.signed_enrolment()).standing == Standing.ENROLLED
    with pytest.raises(OfficeError, match="is not held: it is enrolled"):
        rig.run(approve(rig.engine, kiosk.kiosk_id, 100))


def test_a_revoked_kiosk_stays_revoked(rig, kiosk):
    rig.enrol(kiosk.signed_enrolment(code="AAAA"))
    rig.run(revoke(rig.engine, kiosk.kiosk_id, 99))

    assert rig.enrol(kiosk.signed_enrolment()).standing == Standing.REVOKED
    assert row_of(rig, kiosk).revoked_at == 99
    with pytest.raises(OfficeError, match="is revoked already"):
        rig.run(revoke(rig.engine, kiosk.kiosk_id, 100))


def test_a_reinstated_kiosk_delivers_again(rig, kiosk):
    rig.enrol(kiosk.signed_enrolment())
    rig.run(revoke(rig.engine, kiosk.kiosk_id, 99))

    assert rig.run(reinstate(rig.engine, kiosk.kiosk_id)) is KioskStanding.ENROLLED

    assert row_of(rig, kiosk).revoked_at is None
    assert rig.hear(kiosk.signed_status()).standing == Standing.ENROLLED
    rig.deliver(kiosk.record(2))
    with pytest.raises(OfficeError, match="is not revoked: it is enrolled"):
        rig.run(reinstate(rig.engine, kiosk.kiosk_id))


def test_a_kiosk_that_was_held_when_it_was_revoked_is_held_again(rig, kiosk):
    rig.enrol(kiosk.signed_enrolment(code="AAAA"))
    rig.run(revoke(rig.engine, kiosk.kiosk_id, 99))

    assert rig.run(reinstate(rig.engine, kiosk.kiosk_id)) is KioskStanding.HELD

    assert row_of(rig, kiosk).held_because == "its enrolment code is not the one of its stamp"
    rig.run(approve(rig.engine, kiosk.kiosk_id, 100))
    assert rig.hear(kiosk.signed_status()).standing == Standing.ENROLLED


def test_that_a_revoked_kiosk_went_astray_can_be_said_later(rig, kiosk):
    rig.enrol(kiosk.signed_enrolment())
    rig.deliver(kiosk.record(2))
    assert rig.run(revoke(rig.engine, kiosk.kiosk_id, 99)) is None

    assert rig.run(revoke(rig.engine, kiosk.kiosk_id, 100, since=0)).records == 2

    assert row_of(rig, kiosk).revoked_at == 99


def test_a_kiosk_nobody_has_seen_can_not_be_revoked_or_reinstated(rig):
    for doing in (revoke(rig.engine, bytes(16), 0, since=0), reinstate(rig.engine, bytes(16))):
        with pytest.raises(OfficeError, match="has asked to be enrolled"):
            rig.run(doing)


@pytest.mark.parametrize("text", ["", "ABCD", "0000-0000-0000-0000-0000-0000-00", "ŵ"])
def test_part_of_a_fingerprint_names_no_kiosk(text):
    with pytest.raises(OfficeError, match="not a whole fingerprint"):
        parse_fingerprint(text)


def test_a_kiosk_nobody_has_seen_can_not_be_approved(rig):
    with pytest.raises(OfficeError, match="has asked to be enrolled"):
        rig.run(approve(rig.engine, bytes(16), 0))


def test_a_code_is_withdrawn_once_and_only_while_it_is_good(rig, kiosk):
    with pytest.raises(OfficeError, match="no kiosk desk-9 was stamped"):
        rig.run(withdraw_code(rig.engine, "central", "desk-9", 0))
    rig.run(withdraw_code(rig.engine, "central", "desk-1", 0))
    with pytest.raises(OfficeError, match="withdrawn already"):
        rig.run(withdraw_code(rig.engine, "central", "desk-1", 0))
    rig.kiosk()
    with pytest.raises(OfficeError, match="revoke the kiosk instead"):
        rig.run(withdraw_code(rig.engine, "central", "desk-2", 0))
