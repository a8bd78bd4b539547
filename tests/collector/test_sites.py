import re
from dataclasses import replace

import pytest

from sync_service.collector import sites, tables
from sync_service.collector.database import writing
from sync_service.collector.error import OfficeError
from sync_service.collector.sites import Organisation, Site
from sync_service.contract.publication import Stands

NORTHVALE = Organisation("council", "Northvale Council")
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


def organisation(rig, code):
    async def find():
        async with rig.engine.connect() as connection:
            return await sites.find_organisation(connection, code)

    return rig.run(find())


def test_what_an_organisation_tells_is_kept_with_it(rig):
    trust = Organisation("trust", "Health Trust", 24, {"en": "the desk", "cy": "y ddesg"})
    rig.run(sites.add_organisation(rig.engine, trust))
    assert organisation(rig, "trust") == trust
    assert organisation(rig, "council") == NORTHVALE
    rows = rig.run(sites.list_rows(rig.engine, tables.organisation))
    assert rows == [
        ("council", "Northvale Council", "-", "-"),
        ("trust", "Health Trust", "24", '{"cy": "y ddesg", "en": "the desk"}'),
    ]


@pytest.mark.parametrize(
    ("told", "said"),
    [
        ((0, {}), "answers can be kept for 1 to 600 months, not 0"),
        ((601, {}), "answers can be kept for 1 to 600 months, not 601"),
        ((None, {"English": "the desk"}), "'English' is no language tag"),
        ((None, {"en": " "}), "the contact in en: is blank"),
        ((None, {"en": "the\ndesk"}), "the contact in en: must be on one line"),
        ((None, {"en": "x" * 201}), "the contact in en: is longer than 200 characters"),
        ((None, {"en": "me@nhs.uk.evil.example"}), "looks like an address, and texts may lead to"),
    ],
)
def test_what_no_kiosk_could_tell_is_refused(rig, told, said):
    trust = Organisation("trust", "Health Trust", *told)

    async def change():
        async with writing(rig.engine) as connection:
            await sites.change_organisation(connection, replace(trust, code="council"), ("nhs.uk",))

    for doing in (sites.add_organisation(rig.engine, trust, ("nhs.uk",)), change()):
        with pytest.raises(OfficeError, match=re.escape(said)):
            rig.run(doing)
    assert organisation(rig, "council") == NORTHVALE


def test_a_contact_may_lead_where_the_settings_let_it(rig):
    trust = Organisation("trust", "Health Trust", contact={"en": "feedback@trust.nhs.uk"})
    rig.run(sites.add_organisation(rig.engine, trust, ("nhs.uk",)))
    assert organisation(rig, "trust") == trust


def test_organisations_services_and_places_are_added_once(rig):
    trust = Organisation("trust", "Health Trust")
    rig.run(sites.add_organisation(rig.engine, trust))
    rig.run(sites.add_service(rig.engine, "surgeries", "Surgeries", "trust"))
    rig.run(sites.add_place(rig.engine, "W06000015", "Cardiff"))
    for adding, said in (
        (sites.add_organisation(rig.engine, trust), "the organisation trust is there"),
        (sites.add_service(rig.engine, "surgeries", "Other", "trust"), "the service surgeries is"),
        (sites.add_service(rig.engine, "other", "Other", "nobody"), "no organisation nobody"),
        (sites.add_place(rig.engine, "W06000015", "Other"), "the place W06000015 is there"),
        (sites.add_place(rig.engine, "", "Other"), "can't be a code"),
    ):
        with pytest.raises(OfficeError, match=said):
            rig.run(adding)

    rows = rig.run(sites.list_rows(rig.engine, tables.service))
    assert rows == [("libraries", "Libraries", "council"), ("surgeries", "Surgeries", "trust")]
