from dataclasses import replace

import pytest

from sync_service.collector import sites, tables
from sync_service.collector.error import OfficeError
from sync_service.collector.sites import Site
from sync_service.contract.publication import Stands

SITE = Site(
    code="branch",
    name="Branch Library",
    service="libraries",
    place="E07000999",
    timezone="Europe/London",
    languages=("cy",),
    stands=Stands.WAITING,
    questionnaire="library",
)


def add(rig, **changes):
    keys = rig.keyring.publishing_keys()
    rig.run(sites.add_site(rig.engine, replace(SITE, **changes), keys))


def test_a_site_is_added_and_found(rig):
    add(rig)

    async def find():
        async with rig.engine.connect() as connection:
            return await sites.find_site(connection, "branch")

    assert rig.run(find()) == SITE
    rows = rig.run(sites.list_rows(rig.engine, tables.site))
    assert [row[0] for row in rows] == ["branch", "central", "surgery"]


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"code": "central"}, "the site central is there already: Central Library"),
        ({"code": "a b"}, "can't be a code"),
        ({"code": "ŵ"}, "can't be a code"),
        ({"code": "x" * 65}, "can't be a code"),
        ({"name": ""}, "can't be a name"),
        ({"name": "a\nb"}, "can't be a name"),
        ({"service": "trains"}, "there is no service trains"),
        ({"place": "Atlantis"}, "there is no place Atlantis"),
        ({"timezone": "Mars/One"}, "no time zone 'Mars/One'"),
        ({"languages": ()}, "languages must be one or more"),
        ({"languages": ("en", "en")}, "languages must be one or more different"),
        ({"languages": ("en", "fr")}, "library is not published in fr"),
        ({"questionnaire": "trains"}, "no questionnaire trains is published"),
    ],
)
def test_a_site_that_no_kiosk_could_stand_at_is_refused(rig, changes, said):
    with pytest.raises(OfficeError, match=said):
        add(rig, **changes)
    assert len(rig.run(sites.list_rows(rig.engine, tables.site))) == 2


def test_organisations_services_and_places_are_added_once(rig):
    rig.run(sites.add_organisation(rig.engine, "trust", "Health Trust"))
    rig.run(sites.add_service(rig.engine, "surgeries", "Surgeries", "trust"))
    rig.run(sites.add_place(rig.engine, "W06000015", "Cardiff"))
    for adding, said in (
        (sites.add_organisation(rig.engine, "trust", "Other"), "the organisation trust is there"),
        (sites.add_service(rig.engine, "surgeries", "Other", "trust"), "the service surgeries is"),
        (sites.add_service(rig.engine, "other", "Other", "nobody"), "no organisation nobody"),
        (sites.add_place(rig.engine, "W06000015", "Other"), "the place W06000015 is there"),
        (sites.add_place(rig.engine, "", "Other"), "can't be a code"),
    ):
        with pytest.raises(OfficeError, match=said):
            rig.run(adding)

    rows = rig.run(sites.list_rows(rig.engine, tables.service))
    assert rows == [("libraries", "Libraries", "council"), ("surgeries", "Surgeries", "trust")]
