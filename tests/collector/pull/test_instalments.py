"""What is handed out: never skipped, never repeated, and telling nothing that its row does not."""

import asyncio
import tempfile
from contextlib import ExitStack
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from analyst import START, Analyst, csv_rows, json_rows, problem
from centre import (
    ASSIGNMENT,
    DAY,
    LOG,
    PUBLISHING,
    RESPONSE,
    UNSYNCED,
    VERDICT,
    centre_at,
    seal,
)
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)
from sqlalchemy import select, update

from sync_service.collector import tables
from sync_service.collector.insight.export import export
from sync_service.collector.opening import reopen
from sync_service.collector.pull.instalments import close_instalment, keep_closing
from sync_service.contract.record import Moment, half_day_of

TABLES = ("responses", "verdicts", "days")
IDS = {"responses": "response_id", "verdicts": "verdict_id", "days": "day_id"}


def at(text):
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def when(text):
    """The seconds since 1970 of a time in UTC."""
    return int(at(text).timestamp())


def recorded(local, **changes):
    """A response of a half-day, by a synchronised clock."""
    return replace(RESPONSE, moment=Moment(half_day_of(datetime.fromisoformat(local))), **changes)


def ids(reply, table="responses"):
    return [row[IDS[table]] for row in csv_rows(reply)]


def number_shown(analyst, table="responses"):
    return len(ids(analyst.get(f"{table}.csv"), table))


def test_nothing_is_handed_out_before_the_first_instalment_is_closed(centre, analyst):
    centre.hold(RESPONSE, VERDICT, DAY)
    centre.open()
    assert [number_shown(analyst, table) for table in TABLES] == [0, 0, 0]
    assert analyst.close_instalment()
    assert [number_shown(analyst, table) for table in TABLES] == [1, 1, 1]


def test_a_day_has_one_instalment(centre, analyst):
    assert analyst.close_instalment(at("2026-04-01T00:00"))
    centre.hold(RESPONSE)
    centre.open()
    assert not analyst.close_instalment(at("2026-04-01T23:59"))
    assert number_shown(analyst) == 0
    assert analyst.close_instalment(at("2026-04-02T00:00"))
    assert number_shown(analyst) == 1


def test_a_record_is_handed_out_once_the_day_of_its_arrival_is_over_in_utc(centre, analyst):
    centre.hold(recorded("2026-03-09T09:00"), received_at=when("2026-03-10T00:00"))
    centre.open()
    analyst.close_instalment(at("2026-03-10T23:59"))
    assert number_shown(analyst) == 0
    analyst.close_instalment(at("2026-03-11T00:00"))
    assert number_shown(analyst) == 1


def test_an_uncertain_record_waits_until_it_is_over_everywhere(centre, analyst):
    """By the clock of its site it may be from the afternoon of its arrival."""
    uncertain = replace(RESPONSE, moment=Moment(5, UNSYNCED))
    centre.hold(uncertain, received_at=when("2026-03-10T13:00"))
    centre.open()
    analyst.close_instalment(at("2026-03-11T00:00"))
    assert number_shown(analyst) == 0
    analyst.close_instalment(at("2026-03-12T00:00"))
    assert number_shown(analyst) == 1


def test_a_day_waits_until_both_its_halves_are_over_everywhere(centre, analyst):
    centre.hold(DAY, received_at=when("2026-03-10T11:00"))
    centre.open()
    for day, shown in (("11", 0), ("12", 1)):
        analyst.close_instalment(at(f"2026-03-{day}T00:00"))
        assert number_shown(analyst, "days") == shown


@pytest.mark.parametrize("zone", ["Pacific/Kiritimati", "Etc/GMT+12", "Europe/London"])
def test_wherever_a_site_is_no_half_day_is_handed_out_before_it_is_over_there(
    centre, analyst, zone
):
    """A kiosk that delivers at once, all through two days, wherever it stands."""
    centre.publish(2, replace(ASSIGNMENT, timezone=zone))
    start = at("2026-03-10T00:00")
    for hour in range(48):
        now = start + timedelta(hours=hour)
        half_day = half_day_of(now.astimezone(ZoneInfo(zone)))
        made = replace(RESPONSE, assignment=2, moment=Moment(half_day))
        centre.hold(made, first_seq=hour + 1, received_at=int(now.timestamp()))
    centre.open()
    for hour in range(0, 108, 4):
        now = start + timedelta(hours=hour)
        analyst.close_instalment(now)
        shown = csv_rows(analyst.get("responses.csv"))
        over = half_day_of(now.astimezone(ZoneInfo(zone)))
        assert all(half_day_in(row) < over for row in shown)
    assert len(shown) == 48


def half_day_in(row):
    hour = 9 if row["latest_half_day"] == "morning" else 15
    return half_day_of(datetime.fromisoformat(f"{row['latest_date']}T{hour:02}:00"))


def test_a_record_that_comes_late_is_in_a_later_instalment_and_no_earlier_one_changes(
    centre, analyst
):
    centre.hold(*[RESPONSE] * 5, received_at=when("2026-03-20T12:00"))
    centre.open()
    analyst.close_instalment(at("2026-04-01T01:00"))
    first = analyst.get("responses.csv")
    centre.hold(*[RESPONSE] * 5, first_seq=6, received_at=when("2026-04-01T12:00"))
    centre.open()
    assert ids(analyst.get("responses.csv")) == ids(first)
    analyst.close_instalment(at("2026-04-02T01:00"))
    later = analyst.get("responses.csv", after=first.headers["Regard-Cursor"])
    assert len(ids(later)) == 5
    assert ids(analyst.get("responses.csv")) == ids(first) + ids(later)
    assert ids(later) == sorted(ids(later))


def test_a_record_that_was_opened_late_is_handed_out_then(centre, analyst):
    centre.hold(RESPONSE, replace(RESPONSE, assignment=2))
    assert len(centre.open()) == 2
    analyst.close_instalment(at("2026-04-01T01:00"))
    first = analyst.get("responses.csv")
    centre.publish(2, ASSIGNMENT)
    centre.run(reopen(centre.engine))
    centre.open()
    analyst.close_instalment(at("2026-04-02T01:00"))
    assert len(ids(first)) == 1
    assert len(ids(analyst.get("responses.csv", after=first.headers["Regard-Cursor"]))) == 1


def test_a_copy_is_not_handed_out_again(centre, analyst):
    sealed = seal(RESPONSE)
    centre.hold(sealed)
    centre.open()
    analyst.close_instalment(at("2026-04-01T01:00"))
    centre.begin_log(LOG, branch=1)
    centre.hold(sealed, branch=1)
    centre.open()
    analyst.close_instalment(at("2026-04-02T01:00"))
    assert number_shown(analyst) == 1


def test_what_was_handed_out_comes_in_the_same_order_in_every_format(centre, analyst):
    centre.hold(*[RESPONSE] * 9)
    centre.open()
    analyst.close_instalment()
    lines = [row["response_id"] for row in json_rows(analyst.get("responses.ndjson"))]
    assert lines == ids(analyst.get("responses.csv"))


@pytest.mark.parametrize("limit", [1, 2, 3, 7, 8])
def test_a_limit_cuts_rows_anywhere_and_the_link_leads_on(centre, analyst, limit):
    for number in range(3):
        centre.hold(*[RESPONSE] * (number + 1), first_seq=1 + 10 * number)
        centre.open()
        analyst.close_instalment(START + timedelta(days=number))
    pulled, path = [], f"responses.csv?limit={limit}"
    while path:
        reply = analyst.get(path)
        assert int(reply.headers["Regard-Rows"]) == len(ids(reply)) <= limit
        pulled += ids(reply)
        path = reply.links.get("next", {}).get("url")
    assert pulled == ids(analyst.get("responses.csv"))
    assert len(pulled) == 6
    assert ids(analyst.get("responses.csv", after=reply.headers["Regard-Cursor"])) == []


def test_two_that_close_at_once_close_one_instalment(centre, analyst):
    centre.hold(*[RESPONSE] * 50)
    centre.open()

    async def both():
        return await asyncio.gather(*(close_instalment(centre.engine, START) for _ in range(4)))

    assert sorted(centre.run(both())) == [False, False, False, True]
    assert number_shown(analyst) == 50


def test_what_an_interrupted_closing_took_in_is_handed_out_by_the_next(centre, analyst):
    centre.hold(*[RESPONSE] * 3)
    centre.open()
    record = centre.read(select(tables.response))[0]["record_id"]
    centre.write(
        update(tables.response).where(tables.response.c.record_id == record).values(instalment=1)
    )
    assert number_shown(analyst) == 0
    analyst.close_instalment()
    assert number_shown(analyst) == 3


def test_a_clock_that_goes_back_closes_nothing_twice_and_hides_nothing(centre, analyst):
    centre.hold(RESPONSE)
    centre.open()
    analyst.close_instalment(at("2027-01-01T01:00"))
    first = analyst.get("responses.csv")
    centre.hold(RESPONSE, first_seq=2)
    centre.open()
    analyst.close_instalment(at("2026-04-01T01:00"))
    assert len(ids(analyst.get("responses.csv", after=first.headers["Regard-Cursor"]))) == 1
    assert not analyst.close_instalment(at("2027-01-01T02:00"))


def test_a_cursor_from_before_a_backup_was_restored_is_refused_and_not_misread(centre, analyst):
    backup = analyst.centre.read(select(tables.instalment))
    centre.hold(*[RESPONSE] * 2)
    centre.open()
    analyst.close_instalment()
    cursor = analyst.get("responses.csv").headers["Regard-Cursor"]
    # The backup holds neither what was received since, nor the instalment; both come anew.
    assert [row["number"] for row in backup] == [0]
    centre.write(tables.response.update().values(instalment=None))
    centre.write(tables.instalment.delete().where(tables.instalment.c.number > 0))
    assert problem(analyst.get("responses.csv", after=cursor)) == "cursor-lost"
    analyst.close_instalment(START + timedelta(days=1))
    reply = analyst.get("responses.csv", after=cursor)
    assert (reply.status_code, problem(reply)) == (410, "cursor-lost")
    assert "from the beginning" in reply.json()["detail"]
    assert number_shown(analyst) == 2


def test_what_is_told_about_kiosks_stands_still_between_instalments(centre, analyst):
    analyst.close_instalment(at("2026-04-01T01:00"))
    before = analyst.get("datapackage.json").json()
    centre.hold(RESPONSE, replace(RESPONSE, assignment=9))
    centre.open()
    said = {"contact_at": when("2026-04-01T12:00"), "depth": 10}
    centre.write(update(tables.kiosk).values(**said))
    analyst.at += timedelta(hours=3)
    assert analyst.get("datapackage.json").json() == before
    assert before["regard"]["kiosks"][0]["last_contact"] is None
    analyst.close_instalment(at("2026-04-02T01:00"))
    told = analyst.get("datapackage.json").json()["regard"]
    assert told["kiosks"][0]["last_contact"] == "2026-04-01"
    assert told["not_opened"]["unknown_assignment"] == 1
    assert told["closed_on"] == "2026-04-02"


def test_an_instalment_is_closed_soon_after_each_day_begins_and_trouble_ends_nothing(
    centre, analyst, caplog
):
    caplog.set_level("INFO")
    stop = asyncio.Event()
    days = iter([START, START, START + timedelta(days=1)])
    trouble = iter([False, False, True])

    def clock():
        if next(trouble, False):
            raise OSError
        now = next(days, None)
        if now is None:
            stop.set()
        return now or START

    centre.run(keep_closing(centre.engine, stop, clock, pause_s=0.001))
    assert [row["closed_on"] for row in centre.read(select(tables.instalment))] == [
        "",
        "2026-04-01",
        "2026-04-02",
    ]
    [warning] = caplog.records
    assert (warning.message, warning.reason) == ("instalment not closed", "OSError")


class Pulling(RuleBasedStateMachine):
    """Records arrive in any order, early, late and twice, and are opened when they can be.

    Pullers pull as they like, in the middle of it all. Whatever they do, what each has pulled is
    the beginning of one and the same row of rows.
    """

    def __init__(self, url):
        super().__init__()
        self.ends = ExitStack()
        self.centre = self.ends.enter_context(centre_at(url))
        self.analyst = Analyst(self.centre, at=at("2026-03-14T00:00"))
        self.seqs = {0: 0, 1: 0}
        self.sealed = []
        self.assignments = 1
        self.pulled = {table: [] for table in TABLES}  # as far as anyone got
        self.pullers = [{table: ("", 0) for table in TABLES} for _ in range(3)]
        self.shown = {}

    def teardown(self):
        self.ends.close()

    @initialize()
    def begin_the_other_branch(self):
        self.centre.begin_log(LOG, branch=1)

    def hold(self, sealed, branch):
        self.seqs[branch] += 1
        seconds = int(self.analyst.at.timestamp())
        self.centre.hold(sealed, first_seq=self.seqs[branch], branch=branch, received_at=seconds)

    @rule(
        kind=st.sampled_from([RESPONSE, VERDICT, DAY]),
        half_days_ago=st.integers(-1, 12),
        clock_synced=st.booleans(),
        assignment=st.sampled_from([1, 1, 1, 2, 3]),
        number=st.integers(1, 4),
    )
    def arrive(self, kind, half_days_ago, clock_synced, assignment, number):
        moment = Moment(
            half_day_of(self.analyst.at) - half_days_ago, None if clock_synced else UNSYNCED
        )
        for _ in range(number):
            sealed = seal(replace(kind, moment=moment, assignment=assignment))
            self.sealed.append(sealed)
            self.hold(sealed, branch=0)

    @precondition(lambda self: self.sealed)
    @rule(data=st.data())
    def arrive_again(self, data):
        self.hold(data.draw(st.sampled_from(self.sealed)), branch=1)

    @rule()
    def open(self):
        self.centre.open()

    @precondition(lambda self: self.assignments < 3)
    @rule()
    def publish_what_was_missing(self):
        self.assignments += 1
        self.centre.publish(self.assignments, ASSIGNMENT)
        self.centre.run(reopen(self.centre.engine))

    @rule(hours=st.integers(1, 40))
    def wait(self, hours):
        self.analyst.at += timedelta(hours=hours)

    @rule()
    def close(self):
        self.analyst.close_instalment()

    @rule()
    def start_anew(self):
        self.analyst.find_served_anew()

    @rule(
        puller=st.integers(0, 2),
        table=st.sampled_from(TABLES),
        limit=st.none() | st.integers(1, 5),
    )
    def pull(self, puller, table, limit):
        self.take(puller, table, self.centre.run(self.request(puller, table, limit)))

    @rule(
        table=st.sampled_from(TABLES),
        limits=st.tuples(*[st.none() | st.integers(1, 5)] * 3),
        closers=st.integers(0, 2),
    )
    def pull_while_records_are_opened_and_instalments_closed(self, table, limits, closers):
        async def all_at_once():
            engine, now = self.centre.engine, self.analyst.at
            pulls = [self.request(puller, table, limit) for puller, limit in enumerate(limits)]
            closings = [close_instalment(engine, now) for _ in range(closers)]
            return await asyncio.gather(*pulls, self.centre.opener.open_waiting(), *closings)

        for puller, reply in enumerate(self.centre.run(all_at_once())[: len(limits)]):
            self.take(puller, table, reply)

    async def request(self, puller, table, limit):
        cursor, _ = self.pullers[puller][table]
        wanted = {"after": cursor, "limit": limit}
        parameters = {name: value for name, value in wanted.items() if value}
        return await self.analyst.request("GET", f"{table}.csv", **parameters)

    def take(self, puller, table, reply):
        """The rows of a reply go on where this puller was, as they did for all others."""
        rows, (_, before) = ids(reply, table), self.pullers[puller][table]
        assert len(rows) == int(reply.headers["Regard-Rows"])
        known = self.pulled[table][before : before + len(rows)]
        assert rows[: len(known)] == known
        self.pulled[table] += rows[len(known) :]
        self.pullers[puller][table] = (reply.headers["Regard-Cursor"], before + len(rows))

    @invariant()
    def nothing_is_handed_out_twice(self):
        for table in TABLES:
            assert len({*self.pulled[table]}) == len(self.pulled[table])

    @rule()
    def an_export_of_now_has_all_that_was_handed_out(self):
        exported = self.exported()
        for table in TABLES:
            assert {*self.pulled[table]} <= exported[table]

    @rule(table=st.sampled_from(TABLES))
    def what_is_shown_changes_once_a_day_at_most(self, table):
        """Whoever looks all day long learns no more than who looks once."""
        day, rows = self.analyst.at.date(), tuple(ids(self.analyst.get(f"{table}.csv"), table))
        shown = self.shown.setdefault((table, day), [])
        if rows not in shown:
            shown.append(rows)
        assert len(shown) <= 2  # before and after the day's instalment was closed

    @rule()
    def in_the_end_every_puller_has_all_that_an_export_has(self):
        self.analyst.at += timedelta(days=3)
        self.centre.open()
        self.analyst.close_instalment()
        exported = self.exported()
        for table in TABLES:
            for puller in range(len(self.pullers)):
                self.pull(puller, table, None)
                assert self.pullers[puller][table][1] == len(self.pulled[table])
            assert {*self.pulled[table]} == exported[table]

    def exported(self):
        """The ids in an export of now."""
        with tempfile.TemporaryDirectory() as folder:
            into = Path(folder) / "export"
            keys = [PUBLISHING.verifying_key]
            self.centre.run(export(self.centre.engine, into, keys, at=self.analyst.at))
            return {
                table: {
                    line.split(",")[0]
                    for line in (into / f"{table}.csv").read_text().splitlines()[1:]
                    if line
                }
                for table in TABLES
            }


def test_whoever_pulls_whenever_gets_every_record_once(furnished, databases):
    run_state_machine_as_test(
        lambda: Pulling(databases.copy(furnished)),
        settings=settings(
            max_examples=6,
            stateful_step_count=30,
            deadline=None,
            suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much],
        ),
    )
