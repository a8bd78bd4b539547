from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import fields, is_dataclass
from datetime import date
from enum import Enum

import pytest
from council import Council, Kiosk

from sync_service.collector.insight.blocks import Tally
from sync_service.collector.insight.completeness import Stay
from sync_service.collector.insight.disclosure import Disclosure, NotShownError
from sync_service.collector.insight.figure import Count, Figures, Overview, Share, Unshown
from sync_service.collector.insight.measures import Availability
from sync_service.collector.insight.period import Month, Period, Quarter
from sync_service.collector.tables import KioskStanding, Opening
from sync_service.contract.record import Misuse

OCTOBER = Month(2026, 10)
TODAY = date(2026, 11, 20)


@pytest.fixture
def council() -> Council:
    return Council(date(2025, 9, 1))


@pytest.fixture
def kiosk(council: Council) -> Kiosk:
    return council.kiosk(council.site("central", "Central Library"), contact_on=TODAY)


def overview(council: Council, database: str, today: date = TODAY) -> Overview:
    return council.disclosing(database, lambda door: door.overview(today))


def figures(council: Council, database: str, today: date = TODAY) -> Figures:
    [(_, found)] = overview(council, database, today).sites
    return found


def answer(council: Council, kiosk: Kiosk, number: int, top: int, on: date) -> None:
    for row in range(number):
        council.respond(kiosk, on, {"dignity": 1 if row < top else 2})


@pytest.mark.parametrize("number", [0, 1, 2, 4, 7, 9])
def test_a_number_under_ten_is_never_told(number: int) -> None:
    assert Count.of(number) == Count(None)


@pytest.mark.parametrize(("number", "about"), [(10, 10), (12, 10), (13, 15), (17, 15), (18, 20)])
def test_a_number_is_told_to_the_nearest_five(number: int, about: int) -> None:
    assert Count.of(number) == Count(about)


@pytest.mark.parametrize("about", [0, 5, 11, -10])
def test_a_count_that_was_not_rounded_or_is_too_small_can_not_be_made(about: int) -> None:
    with pytest.raises(ValueError, match="must"):
        Count(about)


@pytest.mark.parametrize(
    ("n", "of_them", "roundings"), [(5, 5, 1), (12, 10, 1), (20, 3, 1), (10, 15, 1), (15, 5, 2)]
)
def test_a_share_that_was_not_rounded_or_is_too_small_can_not_be_made(
    n: int, of_them: int, roundings: int
) -> None:
    with pytest.raises(ValueError, match="must"):
        Share(n, of_them, roundings)


def test_blocks_that_round_alike_are_shown_alike() -> None:
    assert Share.of([Tally(63, 53)]) == Share.of([Tally(67, 57)])


def test_a_share_and_its_interval_come_from_the_rounded_counts() -> None:
    share = Share.of([Tally(64, 54), Tally(11, 9)])
    assert (share.n, share.of_them) == (75, 65)
    assert share.share == 65 / 75
    assert share.low < 65 / 75 < share.high


def test_ten_answers_are_shown_and_nine_are_not(
    council: Council, kiosk: Kiosk, database: str
) -> None:
    answer(council, kiosk, 9, 9, OCTOBER.start)
    small = council.kiosk(council.site("north", "North Library"), contact_on=TODAY)
    answer(council, small, 10, 8, OCTOBER.start)
    (_, nine), (_, ten) = overview(council, database).sites
    assert nine.by_name("dignity")[1] is Unshown.TOO_FEW
    assert ten.by_name("dignity")[1] == Share(10, 10, 1)


def test_the_overview_is_of_the_last_month_that_is_shown(
    council: Council, kiosk: Kiosk, database: str
) -> None:
    shown = overview(council, database, date(2026, 11, 7))
    assert (shown.period, shown.released_on) == (Month(2026, 9), date(2026, 10, 8))


def test_a_period_that_is_not_over_is_not_shown(
    council: Council, kiosk: Kiosk, database: str
) -> None:
    async def look(door: Disclosure) -> None:
        for period in (Month(2026, 11), Quarter(2026, 4)):
            with pytest.raises(NotShownError, match="is not shown yet"):
                await door.overview(TODAY, period)
        assert (await door.overview(TODAY, Quarter(2026, 3))).period == Quarter(2026, 3)

    council.disclosing(database, look)


def test_what_a_late_kiosk_brings_is_seen_ten_at_a_time(council: Council, database: str) -> None:
    late = council.kiosk(council.site("central", "Central Library"), contact_on=TODAY)
    answer(council, late, 30, 20, date(2026, 7, 14))
    for _ in range(9):
        council.respond(late, date(2026, 7, 15), {"dignity": 3}, received_on=date(2026, 9, 1))
    council.respond(late, date(2026, 7, 15), {"dignity": 3}, received_on=date(2026, 10, 1))

    async def releases(door: Disclosure) -> list[object]:
        july = Month(2026, 7)
        days = (date(2026, 8, 8), date(2026, 9, 8), date(2026, 10, 8))
        found = [(await door.overview(day, july)).sites[0][1] for day in days]
        return [each.by_name("dignity")[1] for each in found]

    assert council.disclosing(database, releases) == [
        Share(30, 20, 1),
        Share(30, 20, 1),
        Share(40, 20, 2),
    ]


def test_nothing_changes_between_two_releases(
    council: Council, kiosk: Kiosk, database: str
) -> None:
    council.month(kiosk, OCTOBER, 40)
    council.month(kiosk, OCTOBER, 40, received_on=date(2026, 11, 9))

    async def days(door: Disclosure) -> list[Overview]:
        return [await door.overview(date(2026, 11, day)) for day in (8, 20, 30)]

    first, *others = council.disclosing(database, days)
    assert all(other == first for other in others)
    assert first.sites[0][1].responses.n == 40


def test_a_year_of_a_small_site_is_shown_by_its_quarters(council: Council, database: str) -> None:
    kiosk = council.kiosk(council.site("tiny", "Tiny Library"), contact_on=TODAY)
    month = Month(2025, 10)
    while month <= OCTOBER:
        answer(council, kiosk, 6, 3, month.start)
        month = month.after(1)
    history = council.disclosing(database, lambda door: door.history(TODAY, "tiny"))
    assert [each.period.name for each in history.months][::11] == ["November 2025", "October 2026"]
    assert {each.by_name("dignity")[1] for each in history.months} == {Unshown.TOO_FEW}
    assert [each.period.code for each in history.quarters] == [
        "2025-Q4",
        "2026-Q1",
        "2026-Q2",
        "2026-Q3",
    ]
    assert {each.by_name("dignity")[1] for each in history.quarters} == {Share(20, 10, 1)}


def test_a_site_that_is_not_there_is_said(council: Council, database: str) -> None:
    with pytest.raises(NotShownError, match="there is no site"):
        council.disclosing(database, lambda door: door.history(TODAY, "nowhere"))


def count(
    council: Council, database: str, *options: str, period: Period = OCTOBER
) -> Count | Unshown:
    return council.disclosing(
        database, lambda door: door.count(TODAY, "central", period, "dignity", options)
    )


@pytest.mark.parametrize(
    ("options", "number"),
    [
        (("no",), 15),
        (("some_of_the_time",), Unshown.TOO_FEW),  # seven are too few to be told of
        (("some_of_the_time", "no"), 20),
        (("all_of_the_time", "some_of_the_time", "no"), 60),
    ],
)
def test_people_are_counted_by_what_they_answered(
    council: Council, kiosk: Kiosk, database: str, options: tuple[str, ...], number: object
) -> None:
    for option, times in ((1, 38), (2, 7), (3, 13), (12, 40)):
        for _ in range(times):
            council.respond(kiosk, OCTOBER.start, {"dignity": option})
    found = count(council, database, *options)
    assert found == (Count(number) if isinstance(number, int) else number)


def test_a_count_is_made_of_the_blocks_of_its_figure(
    council: Council, kiosk: Kiosk, database: str
) -> None:
    july = date(2026, 7, 1)
    answer(council, kiosk, 12, 0, july)
    for _ in range(9):  # not enough for a block of their own, and so in no figure either
        council.respond(kiosk, july, {"dignity": 2}, received_on=date(2026, 11, 1))

    async def look(door: Disclosure) -> list[object]:
        month = Month(2026, 7)
        [(_, figures)] = (await door.overview(TODAY, month)).sites
        counted = await door.count(TODAY, "central", month, "dignity", ["some_of_the_time"])
        return [figures.by_name("dignity")[1], counted]

    assert council.disclosing(database, look) == [Share(10, 0, 1), Count(10)]


@pytest.mark.parametrize("number", [9, 10])
def test_fewer_than_ten_are_never_counted_however_they_are_rounded(
    council: Council, kiosk: Kiosk, database: str, number: int
) -> None:
    answer(council, kiosk, 30, 30 - number, OCTOBER.start)
    wanted = Count(10) if number == 10 else Unshown.TOO_FEW
    assert count(council, database, "some_of_the_time") == wanted


def test_a_count_of_nobody_says_why(council: Council, kiosk: Kiosk, database: str) -> None:
    council.days(kiosk, OCTOBER)
    assert count(council, database, "no") is Unshown.NOBODY


def test_what_can_not_be_counted_is_said(council: Council, kiosk: Kiosk, database: str) -> None:
    async def look(door: Disclosure) -> None:
        for site, period, item, options, said in (
            ("nowhere", OCTOBER, "dignity", ["no"], "there is no site nowhere"),
            ("central", Month(2026, 11), "dignity", ["no"], "November 2026 is not shown yet"),
            ("central", OCTOBER, "comment", ["no"], "library has these ratings: dignity, invol"),
            ("central", OCTOBER, "dignity", [], "dignity counts these options: all_of_the_time"),
            ("central", OCTOBER, "dignity", ["prefer_not_to_say"], "dignity counts these options"),
        ):
            with pytest.raises(NotShownError, match=said):
                await door.count(TODAY, site, period, item, options)

    council.disclosing(database, look)


def test_each_silence_has_its_own_name(council: Council, database: str) -> None:
    def silent(name: str, **kiosk: date | None) -> Kiosk:
        return council.kiosk(council.site(name, name), **kiosk)

    council.site("a no kiosk", "a no kiosk")
    council.days(silent("b nobody answered", contact_on=TODAY), OCTOBER)
    silent("c switched off", contact_on=TODAY)
    silent("d not heard", contact_on=date(2026, 10, 20))
    silent("e never heard", contact_on=None)
    silent("f not all in", contact_on=TODAY, waiting_since=date(2026, 10, 30))
    answer(council, silent("g too few", contact_on=TODAY), 3, 3, OCTOBER.start)
    misused = silent("h only misuse", contact_on=TODAY)
    council.respond(misused, OCTOBER.start, {"dignity": 1}, misuse=Misuse.TOO_FAST)
    found = {place.name[0]: each.responses for place, each in overview(council, database).sites}
    assert found == {
        "a": Unshown.NO_KIOSK,
        "b": Unshown.NOBODY,
        "c": Unshown.SWITCHED_OFF,
        "d": Unshown.NOT_HEARD,
        "e": Unshown.NOT_HEARD,
        "f": Unshown.NOT_HEARD,
        "g": Unshown.TOO_FEW,
        "h": Unshown.TOO_FEW,
    }


def test_kiosks_that_have_not_reported_are_named_beside_the_figures(
    council: Council, kiosk: Kiosk, database: str
) -> None:
    council.month(kiosk, OCTOBER, 40)
    council.kiosk("central", "Children's library", contact_on=date(2026, 10, 31))
    council.kiosk("central", "Held", contact_on=TODAY, standing=KioskStanding.HELD)
    council.kiosk("central", "Revoked", standing=KioskStanding.REVOKED)
    council.kiosk("central", "Since November", since=date(2026, 11, 2))
    council.kiosk("central", "Still in its box", standing=None)
    found = figures(council, database)
    assert isinstance(found.responses, Share)
    assert found.unheard == ["Children's library", "Held", "Still in its box"]


def test_a_kiosk_that_was_moved_away_is_still_waited_for_where_it_stood(
    council: Council, database: str
) -> None:
    moved = council.kiosk(council.site("central", "Central Library"), contact_on=None)
    council.assign(moved, council.site("north", "North Library"), date(2026, 10, 20))

    async def look(door: Disclosure) -> list[list[Sequence[str]]]:
        days = (date(2026, 11, 8), date(2026, 12, 8))
        found = [(await door.overview(day)).sites for day in days]
        return [[each.unheard for _, each in sites] for sites in found]

    october, november = council.disclosing(database, look)
    assert october == [["Front desk"], ["Front desk"]]
    assert november == [[], ["Front desk"]]


def test_sites_stand_in_the_order_of_their_names_whatever_their_figures(
    council: Council, database: str
) -> None:
    for code, name, number in (("1", "beacon", 10), ("2", "Zennor", 60), ("3", "Alma", 20)):
        answer(council, council.kiosk(council.site(code, name)), number, number, OCTOBER.start)
    assert [place.name for place, _ in overview(council, database).sites] == [
        "Alma",
        "beacon",
        "Zennor",
    ]


def test_holes_and_forks_are_named_and_records_that_wait_are_counted_in_steps(
    council: Council, kiosk: Kiosk, database: str
) -> None:
    council.seal(kiosk, 27, Opening.WAITING, date(2026, 11, 2))
    council.seal(kiosk, 3, Opening.UNKNOWN_KEY, date(2026, 11, 2))
    council.lose(kiosk, 23)
    council.seal(kiosk, 1, Opening.MALFORMED, date(2026, 11, 3))
    copied = council.kiosk(council.site("north", "North Library"), "Copied", contact_on=TODAY)
    council.month(copied, OCTOBER, 12)
    council.fork(copied, date(2026, 11, 4))
    found = overview(council, database)
    assert found.unopened == {
        Opening.WAITING: Count(25),
        Opening.UNKNOWN_KEY: Count(None),
        Opening.MALFORMED: Count(None),
    }
    hole, fork = found.faults
    assert (hole.name, hole.site, hole.missing, hole.forked_on) == (
        "Front desk",
        "central",
        Count(25),
        None,
    )
    assert (fork.name, fork.site, fork.missing, fork.forked_on) == (
        "Copied",
        "north",
        None,
        date(2026, 11, 4),
    )
    assert hole.log == kiosk.log_id.hex()[:8]


def test_nothing_comes_through_the_door_that_was_not_disclosed(
    council: Council, kiosk: Kiosk, database: str
) -> None:
    council.month(kiosk, OCTOBER, 40, misused=12)
    council.days(kiosk, OCTOBER)
    council.seal(kiosk, 27, Opening.WAITING, TODAY)
    council.lose(kiosk, 3)
    council.seal(kiosk, 1, Opening.MALFORMED, TODAY)

    async def look(door: Disclosure) -> tuple[object, ...]:
        return await door.overview(TODAY), await door.history(TODAY, "central")

    for said in council.disclosing(database, look):
        holding_numbers = {type(holder) for holder in _holders_of_numbers(said)}
        # Numbers of responses and of records; then facts about machines, and dates.
        assert holding_numbers <= {Count, Share, Availability, Stay, Month, Quarter}
        assert {Share, Availability} <= holding_numbers


def _holders_of_numbers(said: object) -> Iterator[object]:
    """Whatever holds a number, anywhere in what is said."""
    if isinstance(said, Mapping):
        said = [*said, *said.values()]
    if is_dataclass(said):
        held: Iterable[object] = [getattr(said, each.name) for each in fields(said)]
    elif isinstance(said, Sequence) and not isinstance(said, str):
        held = said
    else:
        return
    for each in held:
        if isinstance(each, int | float) and not isinstance(each, Enum):
            yield said
        yield from _holders_of_numbers(each)
