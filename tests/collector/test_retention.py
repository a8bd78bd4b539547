"""What was kept long enough is dropped, on the day, and shows as expired."""

import asyncio
import logging
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import pytest
from centre import (
    ASSIGNMENT,
    DAY,
    LOG,
    MORNING,
    PUBLISHING,
    RESPONSE,
    UNSYNCED,
    VERDICT,
    begun_centre,
    seal,
)
from council import Council, at_noon
from sqlalchemy import select, update
from traces import traces

from sync_service.collector import retention, tables
from sync_service.collector.database import forget_deleted, open_engine, writing
from sync_service.collector.error import OfficeError
from sync_service.collector.insight.disclosure import Disclosure
from sync_service.collector.insight.figure import Share, Unshown
from sync_service.collector.insight.period import Month, Quarter
from sync_service.collector.opening import Opener, count_by_outcome, reopen
from sync_service.collector.proof.expiries import Expiry, read_expiries
from sync_service.collector.proof.findings import Kind
from sync_service.collector.proof.redactions import find_by_place, redact
from sync_service.collector.proof.verification import Verification
from sync_service.collector.retention import (
    Dropped,
    Retention,
    count_emptied,
    keep_enforcing,
    list_kept,
    months_before,
)
from sync_service.collector.tables import Opening
from sync_service.contract.record import Moment
from sync_service.contract.signing import SigningKey
from sync_service.contract.wire import Recorded

RECEIPT = SigningKey(bytes([9] * 32))
OPENED = (tables.response, tables.answer, tables.verdict, tables.day)
COMMENT = "the lights in the reading room are dim"

# RESPONSE, VERDICT and DAY are of the morning of 10 March 2026, and came on the 14th.
LAST_DAY = datetime(2026, 9, 10, 12, tzinfo=UTC)
"""On this day they are 6 months old, and on the next they are older."""


def enforce(centre, at, sealed_months=0):
    keys = [PUBLISHING.verifying_key]
    return centre.run(Retention(centre.engine, keys, RECEIPT, sealed_months).enforce(at))


def keep(centre, months):
    """Let the organisation say now for how many months answers are kept."""
    centre.write(update(tables.organisation).values(kept_months=months))


def counts(centre):
    return [len(centre.read(select(table))) for table in OPENED]


def day_after(day):
    return day + timedelta(days=1)


@pytest.fixture
def opened(centre):
    """A centre with a record of each kind, opened."""
    centre.hold(RESPONSE, VERDICT, DAY)
    centre.open()
    return centre


# What was opened


def test_what_was_opened_is_kept_to_the_day_and_dropped_on_the_next(opened):
    keep(opened, 6)

    assert enforce(opened, LAST_DAY) == Dropped()
    assert counts(opened) == [1, 2, 1, 1]

    assert enforce(opened, day_after(LAST_DAY)) == Dropped(opened=3)
    assert counts(opened) == [0, 0, 0, 0]
    assert set(opened.outcomes().values()) == {Opening.EXPIRED}
    sealed = {row["sealed"] for row in opened.read(select(tables.record))}
    assert sealed == {None}
    assert enforce(opened, day_after(LAST_DAY)) == Dropped()


def test_as_long_as_nobody_says_otherwise_all_is_kept(opened):
    assert enforce(opened, datetime(2099, 1, 1, tzinfo=UTC)) == Dropped()
    assert counts(opened) == [1, 2, 1, 1]


@pytest.mark.parametrize(("told", "now"), [(6, None), (6, 24), (24, 6)])
def test_the_shorter_holds_of_what_respondents_were_told_and_of_what_is_said_now(centre, told, now):
    centre.publish(2, replace(ASSIGNMENT, kept_months=told))
    centre.hold(replace(RESPONSE, assignment=2))
    centre.open()
    keep(centre, now)

    assert enforce(centre, LAST_DAY) == Dropped()
    assert enforce(centre, day_after(LAST_DAY)) == Dropped(opened=1)


def test_each_record_is_kept_as_long_as_its_own_assignment_says(centre):
    centre.publish(2, replace(ASSIGNMENT, kept_months=6))
    centre.publish(3, replace(ASSIGNMENT, kept_months=5))
    centre.hold(RESPONSE, *(replace(RESPONSE, assignment=serial) for serial in (2, 3)))
    centre.open()

    assert enforce(centre, LAST_DAY) == Dropped(opened=1)
    assert enforce(centre, day_after(LAST_DAY)) == Dropped(opened=1)
    assert [row["assignment"] for row in centre.read(select(tables.response))] == [1]


def test_where_it_is_not_sure_when_a_record_was_made_it_is_kept_from_its_arrival(centre):
    keep(centre, 6)
    centre.hold(replace(RESPONSE, moment=Moment(MORNING, UNSYNCED)))
    centre.open()
    came = datetime(2026, 9, 14, 12, tzinfo=UTC)

    assert enforce(centre, came) == Dropped()
    assert enforce(centre, day_after(came)) == Dropped(opened=1)


def test_the_day_is_that_of_the_site(centre):
    centre.publish(2, replace(ASSIGNMENT, kept_months=6, timezone="Pacific/Auckland"))
    centre.hold(RESPONSE, replace(RESPONSE, assignment=2))
    centre.open()

    # In Auckland it is the 11th by now.
    assert enforce(centre, LAST_DAY.replace(hour=13)) == Dropped(opened=1)
    assert [row["assignment"] for row in centre.read(select(tables.response))] == [1]


def test_what_arrives_when_it_is_too_old_already_is_dropped_the_next_time(opened):
    keep(opened, 6)
    enforce(opened, day_after(LAST_DAY))
    opened.hold(RESPONSE, first_seq=4, received_at=at_noon(date(2026, 12, 1)))
    opened.open()

    assert enforce(opened, datetime(2026, 12, 2, tzinfo=UTC)) == Dropped(opened=1)


def test_what_could_not_be_opened_waits_however_old_it_is(centre):
    keep(centre, 6)
    centre.hold(replace(RESPONSE, assignment=7), DAY)
    centre.open()

    assert enforce(centre, day_after(LAST_DAY), sealed_months=1) == Dropped(opened=1)
    assert centre.outcomes() == {1: Opening.UNKNOWN_ASSIGNMENT, 2: Opening.EXPIRED}
    assert centre.run(reopen(centre.engine)) == 1


def test_copies_of_what_is_dropped_lose_their_bytes_too(centre):
    keep(centre, 6)
    sealed = seal(RESPONSE)
    centre.begin_log(LOG, branch=1)
    centre.hold(sealed)
    centre.hold(sealed, seal(DAY), first_seq=7, branch=1)
    centre.open()

    enforce(centre, day_after(LAST_DAY))

    assert {row["sealed"] for row in centre.read(select(tables.record))} == {None}
    assert set(centre.outcomes().values()) == {Opening.EXPIRED}


def test_what_was_opened_of_a_record_that_is_missing_now_is_dropped_too(opened):
    keep(opened, 6)
    opened.write(tables.record.delete())

    assert enforce(opened, day_after(LAST_DAY)) == Dropped(opened=3)
    assert counts(opened) == [0, 0, 0, 0]


def test_many_are_dropped_a_chunk_at_a_time(centre):
    keep(centre, 6)
    number = retention._CHUNK + 7
    sealed = [seal(DAY) for _ in range(number)]
    centre.hold(*sealed)
    centre.open()

    assert enforce(centre, day_after(LAST_DAY)) == Dropped(opened=number)

    expiry = expiries(centre)[0]
    assert expiry.ranges == ((1, number),)


def expiries(centre):
    async def read():
        async with centre.engine.connect() as connection:
            return await read_expiries(connection, LOG, [RECEIPT.verifying_key])

    return centre.run(read())


@pytest.mark.sqlite_alone
def test_no_trace_of_what_is_dropped_is_left_in_the_files(tmp_path):
    sealed = seal(replace(RESPONSE, answers={3: COMMENT}))
    secrets = {"comment": COMMENT.encode(), "sealed bytes": sealed}
    with begun_centre(tmp_path) as centre:
        keep(centre, 6)
        centre.hold(sealed)
        centre.open()
        assert len(traces(secrets, [tmp_path])) >= 2

        enforce(centre, day_after(LAST_DAY))
        centre.run(forget_deleted(centre.engine))

        assert traces(secrets, [tmp_path]) == []


# Sealed bytes


def test_sealed_bytes_are_dropped_by_their_own_setting_and_what_was_opened_stays(opened):
    came = datetime(2026, 5, 14, 12, tzinfo=UTC)

    assert enforce(opened, came, sealed_months=2) == Dropped()
    assert enforce(opened, day_after(came), sealed_months=2) == Dropped(sealed=3)

    assert counts(opened) == [1, 2, 1, 1]
    assert set(opened.outcomes().values()) == {Opening.OPENED}
    assert opened.run(count_emptied(opened.engine)) == Dropped(sealed=3)
    keep(opened, 6)
    assert enforce(opened, day_after(LAST_DAY), sealed_months=2) == Dropped(opened=3)
    assert opened.run(count_emptied(opened.engine)) == Dropped(opened=3)
    assert expiries(opened)[0].ranges == ((1, 3),)


def test_sealed_bytes_are_never_kept_longer_than_what_was_opened(opened):
    keep(opened, 6)
    enforce(opened, day_after(LAST_DAY), sealed_months=60)
    assert {row["sealed"] for row in opened.read(select(tables.record))} == {None}


# What is held to be proven


class Kept:
    """Retention at a collector with real kiosks."""

    def __init__(self, rig):
        self.rig = rig
        self.key = rig.receipt_key

    def enforce(self, at, sealed_months=1):
        keys = self.rig.keyring.publishing_keys()
        return self.rig.run(Retention(self.rig.engine, keys, self.key, sealed_months).enforce(at))

    def open(self):
        keyring = self.rig.keyring
        opener = Opener(
            self.rig.engine,
            keyring.opening_keys(),
            keyring.publishing_keys(),
            keyring.record_id_secret(),
        )
        self.rig.run(opener.open_waiting())

    def look(self, kiosk):
        verification = Verification(self.rig.engine, [self.key.verifying_key])

        async def look():
            return [
                (each.kind, each.first_seq, each.last_seq, each.is_wrong)
                for each in [each async for each in verification.look_at(kiosk.log_id)]
            ]

        return self.rig.run(look())


@pytest.fixture
def kept(rig):
    return Kept(rig)


NEXT_MONTH = datetime(2026, 4, 15, tzinfo=UTC)


def test_what_expired_is_told_as_expired_and_not_as_missing(rig, kept):
    kiosk = rig.kiosk().record(9)
    rig.deliver(kiosk, 1, 5)
    kept.open()
    rig.deliver(kiosk, 6)
    rig.hear(kiosk.signed_status())

    assert kept.enforce(NEXT_MONTH) == Dropped(sealed=5)

    assert kept.look(kiosk) == [(Kind.EXPIRED, 1, 5, False)]
    kept.open()
    assert kept.enforce(NEXT_MONTH) == Dropped(sealed=4)
    assert kept.look(kiosk) == [(Kind.EXPIRED, 1, 9, False)]


def test_what_expired_still_proves_what_comes_after_it(rig, kept):
    kiosk = rig.kiosk().record(9)
    rig.deliver(kiosk, 1, 5)
    kept.open()
    rig.deliver(kiosk, 6)
    kept.enforce(NEXT_MONTH)
    record = tables.record.c
    rig.write(update(tables.record).where(record.seq == 3).values(digest=kiosk.digest(4)))
    assert (Kind.ALTERED, 3, 3, True) in kept.look(kiosk)


def test_bytes_that_went_without_a_signed_word_have_not_expired(rig, kept):
    kiosk = rig.kiosk().record(3)
    rig.deliver(kiosk)
    kept.open()
    thief = Kept(rig)
    thief.key = SigningKey(bytes(32))
    thief.enforce(NEXT_MONTH)

    assert kept.look(kiosk) == [(Kind.BYTES_GONE, 1, 3, True)]
    # What is signed later does not vouch for it.
    rig.deliver(kiosk.record(2), 4)
    kept.open()
    kept.enforce(NEXT_MONTH)
    assert kept.look(kiosk) == [(Kind.BYTES_GONE, 1, 3, True), (Kind.EXPIRED, 4, 5, False)]


def test_a_kiosk_that_offers_what_expired_again_does_not_bring_it_back(rig, kept):
    kiosk = rig.kiosk().record(4)
    rig.deliver(kiosk)
    kept.open()
    kept.enforce(NEXT_MONTH)

    assert rig.deliver(kiosk).outcomes == (Recorded.DUPLICATE,) * 4

    assert kept.look(kiosk) == [(Kind.EXPIRED, 1, 4, False)]
    assert rig.run(count_by_outcome(rig.engine)) == {Opening.OPENED: 4}


def test_of_a_record_whose_bytes_expired_the_rest_can_be_redacted(rig, kept):
    kiosk = rig.kiosk().record(2)
    rig.deliver(kiosk)
    kept.open()
    kept.enforce(NEXT_MONTH)

    async def drop(seq):
        target = await find_by_place(rig.engine, kiosk.log_id.hex(), 0, seq)
        await redact(rig.engine, target, "asked for", NEXT_MONTH.date(), kept.key)

    rig.run(drop(2))

    assert kept.look(kiosk) == [(Kind.EXPIRED, 1, 1, False), (Kind.REDACTED, 2, 2, False)]
    assert [row.seq for row in rig.read(select(tables.day.c.seq))] == [1]
    rig.write(update(tables.organisation).values(kept_months=1))
    kept.enforce(NEXT_MONTH)
    with pytest.raises(OfficeError, match="kept long enough"):
        rig.run(drop(1))


def test_an_expiry_covers_its_ranges():
    paper = Expiry("00", 1, ((1, 3), (5, 5)), NEXT_MONTH.date())
    assert [seq for seq in range(8) if paper.covers(seq)] == [1, 2, 3, 5]
    assert not Expiry("00", 1, (), NEXT_MONTH.date()).covers(1)


def test_a_signed_word_about_one_log_or_branch_is_good_for_no_other(rig, kept):
    kiosk, other = rig.kiosk().record(3), rig.kiosk().record(3)
    rig.deliver(kiosk)
    kept.open()
    kept.enforce(NEXT_MONTH)
    rig.deliver(other)
    for seq in (1, 2, 3):
        rig.write(
            update(tables.record)
            .where(tables.record.c.log_id == other.log_id, tables.record.c.seq == seq)
            .values(sealed=None, digest=other.digest(seq))
        )
    gone = [(Kind.BYTES_GONE, 1, 3, True)]
    assert (kept.look(kiosk), kept.look(other)) == ([(Kind.EXPIRED, 1, 3, False)], gone)

    rig.write(update(tables.expiry).values(log_id=other.log_id))
    assert kept.look(other) == gone

    rig.write(update(tables.expiry).values(log_id=kiosk.log_id, branch=1))
    clone = kiosk.clone()
    del clone.sealed[1:]
    rig.deliver(clone.record(1), 2)
    rig.write(
        update(tables.record)
        .where(tables.record.c.branch == 1)
        .values(sealed=None, digest=clone.digest(2))
    )
    assert (Kind.BYTES_GONE, 2, 2, True) in kept.look(kiosk)


# What is shown


def test_sites_say_before_which_day_answers_are_dropped_and_it_only_rises(opened):
    def shown():
        return {
            each.site: (each.organisation, each.kept_months, each.dropped_before)
            for each in opened.run(list_kept(opened.engine))
        }

    assert shown()["central-library"] == ("council", None, None)
    keep(opened, 6)
    enforce(opened, LAST_DAY)
    assert shown() == {
        "central-library": ("council", 6, "2026-03-10"),
        "branch-library": ("council", 6, None),  # no kiosk ever stood there
    }
    keep(opened, 24)
    enforce(opened, day_after(LAST_DAY))
    assert shown()["central-library"] == ("council", 24, "2026-03-10")


@pytest.fixture
def figures(database, runner):
    """What is shown of a site in October to December 2025, before and after some is dropped."""
    council = Council(date(2025, 9, 1))
    kiosk = council.kiosk(council.site("central", "Central Library"), contact_on=date(2026, 11, 20))
    for month in (Month(2025, 10), Month(2025, 11), Month(2025, 12), Month(2026, 1)):
        council.month(kiosk, month, 40, dignity=0.8)
        council.days(kiosk, month)
    return council, database, runner


def test_a_period_of_which_something_is_dropped_is_not_shown_any_more(figures):
    """Else what is left would be shown as if it were all, and the difference would tell."""
    council, url, runner = figures

    async def look(dropped_before):
        engine = open_engine(url)
        async with writing(engine) as connection:
            await connection.execute(update(tables.site).values(dropped_before=dropped_before))
        disclosure = Disclosure(engine, [PUBLISHING.verifying_key])
        history = await disclosure.history(date(2026, 11, 20), "central")
        overview = await disclosure.overview(date(2026, 11, 20), Quarter(2025, 4))
        await engine.dispose()
        shown = {each.period: each.responses for each in (*history.months, *history.quarters)}
        [(_, of_quarter)] = overview.sites
        return shown, of_quarter

    async def write():
        engine = open_engine(url)
        await council.write(engine)
        await engine.dispose()

    runner.run(write())
    shown, of_quarter = runner.run(look(None))
    assert isinstance(shown[Month(2025, 11)], Share)
    assert isinstance(of_quarter.responses, Share)

    shown, of_quarter = runner.run(look("2025-11-20"))

    assert shown[Month(2025, 11)] is Unshown.DROPPED
    assert isinstance(shown[Month(2025, 12)], Share)
    assert of_quarter.responses is Unshown.DROPPED
    assert set(of_quarter.items.values()) == {Unshown.DROPPED}
    assert isinstance(shown[Quarter(2026, 1)], Share)


# Once a day


class Clock:
    def __init__(self, *times):
        self.times = [*times]

    def __call__(self):
        return self.times.pop(0) if len(self.times) > 1 else self.times[0]


def test_it_is_enforced_once_a_day_and_said(opened, caplog):
    keep(opened, 6)
    stop = asyncio.Event()
    enforced = []

    class Watched(Retention):
        async def enforce(self, at):
            enforced.append(at.date())
            dropped = await super().enforce(at)
            if len(enforced) == 2:
                stop.set()
            return dropped

    watched = Watched(opened.engine, [PUBLISHING.verifying_key], RECEIPT, 0)
    clock = Clock(LAST_DAY, LAST_DAY, day_after(LAST_DAY))
    with caplog.at_level(logging.INFO):
        opened.run(keep_enforcing(watched, stop, clock, pause_s=0.001))

    assert enforced == [LAST_DAY.date(), day_after(LAST_DAY).date()]
    [line] = [each for each in caplog.records if each.name == retention.__name__]
    assert (line.message, line.sealed, line.opened) == ("kept long enough and dropped", 0, 3)


def test_one_that_fails_is_tried_again(opened, caplog):
    stop = asyncio.Event()
    tries = []

    class Failing(Retention):
        async def enforce(self, at):
            tries.append(at)
            if len(tries) == 2:
                stop.set()
                return Dropped()
            raise OSError

    failing = Failing(opened.engine, [PUBLISHING.verifying_key], RECEIPT, 0)
    opened.run(keep_enforcing(failing, stop, Clock(LAST_DAY), pause_s=0.001))

    assert len(tries) == 2
    assert "retention not enforced" in caplog.text


@pytest.mark.parametrize(
    ("day", "months", "before"),
    [
        (date(2026, 11, 25), 1, date(2026, 10, 25)),
        (date(2026, 3, 31), 1, date(2026, 2, 28)),
        (date(2028, 3, 31), 1, date(2028, 2, 29)),
        (date(2026, 1, 15), 24, date(2024, 1, 15)),
        (date(2026, 12, 31), 600, date(1976, 12, 31)),
    ],
)
def test_months_are_those_of_the_calendar(day, months, before):
    assert months_before(day, months) == before
