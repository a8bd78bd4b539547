import asyncio
from collections.abc import Sequence
from datetime import date

import pytest
from council import Council, Kiosk

from sync_service.collector.database import open_engine, reading
from sync_service.collector.insight.blocks import Tally
from sync_service.collector.insight.measures import (
    Availability,
    ItemKey,
    SiteMeasures,
    measure,
    top_box,
)
from sync_service.collector.insight.period import Month, Period, Quarter
from sync_service.contract.record import Ending, Misuse

QUARTER = Quarter(2026, 3)
JULY, AUGUST, SEPTEMBER = QUARTER.months
RELEASE = date(2026, 11, 8)
DIGNITY = ItemKey("library", 1)


@pytest.fixture
def council() -> Council:
    return Council(date(2026, 1, 5))


@pytest.fixture
def kiosk(council: Council) -> Kiosk:
    return council.kiosk(council.site("central", "Central Library"))


def measured(
    council: Council,
    database: str,
    quarters: Sequence[Quarter] = (QUARTER,),
    release: date = RELEASE,
    site: str | None = None,
) -> dict[str, SiteMeasures]:
    questionnaires = dict(enumerate(council.questionnaires.values(), start=1))

    async def read() -> dict[str, SiteMeasures]:
        engine = open_engine(database)
        try:
            await council.write(engine)
            async with reading(engine) as connection:
                return dict(await measure(connection, questionnaires, quarters, release, site))
        finally:
            await engine.dispose()

    return asyncio.run(read())


def of_period(measures: SiteMeasures, key: ItemKey, period: Period) -> Tally:
    return sum((each.tally for each in measures.items[key] if each.period == period), start=Tally())


def test_only_scored_answers_count_and_the_first_scored_option_is_the_top_box(
    council: Council, kiosk: Kiosk, database: str
) -> None:
    item = council.questionnaires["library"].by_name("dignity")
    assert top_box(item).name == "all_of_the_time"
    for option in item.options:
        council.respond(kiosk, date(2026, 7, 14), {"dignity": option.code})
    found = measured(council, database)["central"]
    assert of_period(found, DIGNITY, JULY) == Tally(n=3, of_them=1)


def test_abandoned_responses_are_counted_among_all(
    council: Council, kiosk: Kiosk, database: str
) -> None:
    day = date(2026, 7, 14)
    council.respond(kiosk, day, {"dignity": 1, "involvement": 2})
    council.respond(kiosk, day, {"dignity": 3}, ending=Ending.ABANDONED)
    found = measured(council, database)["central"]
    assert sum((each.tally for each in found.responses), Tally()) == Tally(2, 1)
    assert of_period(found, DIGNITY, JULY) == Tally(2, 1)


def test_signs_of_misuse_keep_a_response_out_of_every_figure_and_are_counted(
    council: Council, kiosk: Kiosk, database: str
) -> None:
    day = date(2026, 7, 14)
    for misuse in (Misuse.TOO_FAST, Misuse.REPEATED, Misuse.TOO_FAST | Misuse.REPEATED):
        council.respond(kiosk, day, {"dignity": 3}, misuse=misuse)
    council.respond(kiosk, day, {"dignity": 1})
    found = measured(council, database)["central"]
    assert of_period(found, DIGNITY, JULY) == Tally(1, 1)
    assert [each.tally for each in found.responses] == [Tally(1, 0)]
    assert found.misuse == {JULY: 3}


def test_a_record_counts_in_the_month_of_its_date_whenever_it_arrived(
    council: Council, kiosk: Kiosk, database: str
) -> None:
    last, first = date(2026, 7, 31), date(2026, 8, 1)
    council.respond(kiosk, last, {"dignity": 1}, received_on=date(2026, 9, 20))
    council.respond(kiosk, first, {"dignity": 2}, received_on=date(2026, 8, 2))
    found = measured(council, database)["central"]
    assert of_period(found, DIGNITY, JULY) == Tally(1, 1)
    assert of_period(found, DIGNITY, AUGUST) == Tally(1, 0)
    assert {each.period: each.release for each in found.items[DIGNITY]} == {
        JULY: date(2026, 10, 8),
        AUGUST: date(2026, 8, 8),
    }


def test_what_came_after_the_release_is_not_in_it(
    council: Council, kiosk: Kiosk, database: str
) -> None:
    council.respond(kiosk, date(2026, 7, 9), {"dignity": 1}, received_on=date(2026, 11, 7))
    council.respond(kiosk, date(2026, 7, 9), {"dignity": 2}, received_on=date(2026, 11, 8))
    assert of_period(measured(council, database)["central"], DIGNITY, JULY) == Tally(1, 1)


def test_a_record_of_uncertain_date_counts_only_where_it_surely_belongs(
    council: Council, kiosk: Kiosk, database: str
) -> None:
    answers = {"dignity": 1}
    council.respond(kiosk, date(2026, 7, 1), answers, until=date(2026, 7, 31))
    council.respond(kiosk, date(2026, 7, 31), answers, until=date(2026, 8, 1))
    council.respond(kiosk, date(2026, 6, 30), answers, until=date(2026, 7, 1))
    council.respond(kiosk, date(2026, 9, 30), answers, until=date(2026, 10, 1))
    found = measured(council, database)["central"]
    assert [each.period for each in found.items[DIGNITY]] == [JULY, QUARTER]
    assert found.unplaced[None] == 2


def test_a_moved_kiosk_leaves_its_old_records_where_they_were_made(
    council: Council, kiosk: Kiosk, database: str
) -> None:
    council.respond(kiosk, date(2026, 7, 9), {"dignity": 1})
    council.assign(kiosk, council.site("north", "North Library"), date(2026, 8, 1))
    council.respond(kiosk, date(2026, 8, 9), {"dignity": 2})
    found = measured(council, database)
    assert of_period(found["central"], DIGNITY, QUARTER) == Tally()
    assert [each.period for each in found["central"].responses] == [JULY]
    assert [each.period for each in found["north"].responses] == [AUGUST]


def test_one_site_is_measured_alone(council: Council, kiosk: Kiosk, database: str) -> None:
    council.respond(kiosk, date(2026, 7, 9), {"dignity": 1})
    other = council.kiosk(council.site("north", "North Library"))
    council.respond(other, date(2026, 7, 9), {"dignity": 1})
    assert list(measured(council, database, site="north")) == ["north"]


def test_availability_is_in_days_on_which_any_kiosk_could_be_answered(
    council: Council, kiosk: Kiosk, database: str
) -> None:
    second = council.kiosk("central", "Children's library")
    council.days(kiosk, JULY, [1, 2, 3], minutes=500, out_of_service=20)
    council.days(second, JULY, [3, 4], minutes=300)
    council.days(second, JULY, [5], minutes=0, out_of_service=480)
    found = measured(council, database)["central"]
    assert found.availability == {JULY: Availability(4, 2100, 540)}


def test_months_run_on_through_quarters(council: Council, kiosk: Kiosk, database: str) -> None:
    for month in (Month(2026, 3), Month(2026, 4), Month(2026, 9), Month(2026, 10)):
        council.respond(kiosk, month.start, {"dignity": 1})
    found = measured(council, database, quarters=[Quarter(2026, 2), QUARTER])["central"]
    assert [each.period for each in found.responses] == [Month(2026, 4), SEPTEMBER]
