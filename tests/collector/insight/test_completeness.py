from dataclasses import replace
from datetime import date
from zoneinfo import ZoneInfo

import pytest
from centre import ASSIGNMENT, KIOSK, OTHER_STAMP, STAMP, STAMPED_AT
from sqlalchemy import update

from sync_service.collector import tables
from sync_service.collector.database import reading
from sync_service.collector.insight.completeness import Stay, report_kiosks
from sync_service.collector.insight.package import tell_kiosks
from sync_service.collector.insight.period import Month

LONDON = ZoneInfo("Europe/London")
DAY_S = 86_400
MOVED_AT = STAMPED_AT + 10 * DAY_S
CENTRAL, BRANCH = "central-library", "branch-library"


@pytest.fixture
def restamped(centre):
    """A centre whose kiosk was stamped anew for another site a day before it said so."""
    centre.stamp(OTHER_STAMP, site=BRANCH)
    there = replace(ASSIGNMENT, stamp_id=OTHER_STAMP, site=BRANCH)
    centre.publish(2, there, at=MOVED_AT - DAY_S)
    centre.write(update(tables.kiosk).values(stamp_id=OTHER_STAMP))
    return centre


def reports(centre):
    async def report():
        async with reading(centre.engine) as connection:
            return await report_kiosks(connection, dict.fromkeys((CENTRAL, BRANCH), LONDON))

    return centre.run(report())


def test_a_kiosk_with_a_new_stamp_stood_where_either_stamp_put_it(restamped):
    restamped.admit(KIOSK, OTHER_STAMP, MOVED_AT)

    [kiosk] = reports(restamped)

    assert kiosk.site == BRANCH
    assert kiosk.stays == [
        Stay(CENTRAL, STAMPED_AT, MOVED_AT),
        Stay(BRANCH, MOVED_AT - DAY_S, None),
    ]
    assert kiosk.stood_at(CENTRAL, Month(2026, 3), LONDON)
    assert not kiosk.stood_at(CENTRAL, Month(2026, 4), LONDON)


def test_until_its_new_stamp_admits_it_a_kiosk_may_stand_at_either_site(restamped):
    [kiosk] = reports(restamped)

    assert kiosk.site == BRANCH
    assert kiosk.stood_at(CENTRAL, Month(2026, 4), LONDON)


def test_what_a_stamp_did_after_its_kiosk_left_is_none_of_the_kiosks_stays(restamped):
    restamped.admit(KIOSK, OTHER_STAMP, MOVED_AT)
    restamped.publish(3, replace(ASSIGNMENT, site=BRANCH), at=MOVED_AT + DAY_S)

    [kiosk] = reports(restamped)

    assert kiosk.stays[0] == Stay(CENTRAL, STAMPED_AT, MOVED_AT)
    assert len(kiosk.stays) == 2


def test_nothing_is_expected_of_a_stamp_that_was_left(restamped):
    async def told():
        async with reading(restamped.engine) as connection:
            return await tell_kiosks(connection)

    [kiosk] = restamped.run(told())

    assert (kiosk["site"], kiosk["kiosk"]) == (BRANCH, f"desk-{OTHER_STAMP[0]}")


def test_a_stamp_that_waits_for_its_kiosk_is_reported(centre):
    centre.stamp(OTHER_STAMP, site=BRANCH)
    centre.publish(2, replace(ASSIGNMENT, stamp_id=OTHER_STAMP, site=BRANCH), at=MOVED_AT)

    standing_of = {kiosk.site: kiosk.standing for kiosk in reports(centre)}

    assert standing_of == {CENTRAL: "enrolled", BRANCH: None}
    assert reports(centre)[0].contact_on is None


def test_the_day_of_the_last_contact_is_the_sites(centre):
    centre.write(update(tables.kiosk).values(contact_at=STAMPED_AT, stamp_id=STAMP))

    [kiosk] = reports(centre)

    assert kiosk.contact_on == date(2026, 3, 2)
