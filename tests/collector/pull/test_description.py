"""The description is OpenAPI, and says of each reply what it is."""

import json
from dataclasses import replace

import pytest
from analyst import json_rows, problem
from centre import DAY, RESPONSE, UNSYNCED, VERDICT
from jsonschema import Draft202012Validator
from openapi_spec_validator import OpenAPIV31SpecValidator

from sync_service.collector.pull.cursor import write_cursor
from sync_service.collector.pull.description import PATH, describe
from sync_service.collector.pull.instalments import Position
from sync_service.collector.pull.problem import PROBLEMS
from sync_service.collector.pull.routes import Pull
from sync_service.contract.record import Moment

pytestmark = pytest.mark.sqlite_alone

DESCRIPTION = json.loads(json.dumps(describe()))
PATHS = DESCRIPTION["paths"]


def resolved(part):
    """A part of the description, or what it points at."""
    while "$ref" in part:
        part, path = DESCRIPTION, part["$ref"]
        for name in path.removeprefix("#/").split("/"):
            part = part[name]
    return part


def validator(schema):
    return Draft202012Validator({**DESCRIPTION, **schema})


def test_it_is_openapi_and_served_to_everyone(analyst):
    reply = analyst.centre.run(analyst.request("GET", "openapi.json", headers={}))
    assert reply.json() == DESCRIPTION
    OpenAPIV31SpecValidator(DESCRIPTION).validate()


def test_it_names_every_route_and_no_other():
    [mount] = Pull(None, []).routes()
    assert mount.path == PATH == DESCRIPTION["servers"][0]["url"]
    assert {route.path for route in mount.routes} == PATHS.keys()
    for route in mount.routes:
        assert route.methods == {"GET", "HEAD"}
        assert [*PATHS[route.path]] == ["get"]


@pytest.fixture
def filled(centre, analyst):
    """A centre with records of each kind, some cells empty, all handed out."""
    unsynced = replace(RESPONSE, moment=Moment(5, UNSYNCED), unknown={40: 1}, helped=None)
    centre.hold(RESPONSE, replace(RESPONSE, misuse=0, skipped=()), VERDICT, DAY, unsynced)
    centre.open()
    analyst.close_instalment()
    return centre


def test_each_reply_is_what_it_says(filled, analyst):
    for path, item in PATHS.items():
        reply = analyst.get(path.removeprefix("/"))
        success = item["get"]["responses"]["200"]
        [(media_type, content)] = success["content"].items()
        assert reply.headers["Content-Type"].partition(";")[0] == media_type
        if media_type == "application/json":
            validator(content["schema"]).validate(reply.json())
        for name, header in success.get("headers", {}).items():
            value, schema = reply.headers[name], resolved(header)["schema"]
            validator(schema).validate(int(value) if schema["type"] == "integer" else value)


def test_the_cursor_of_a_reply_leads_onward_as_its_link_says(filled, analyst):
    for path, item in PATHS.items():
        operation = item["get"]
        for link in operation["responses"]["200"].get("links", {}).values():
            assert link["operationId"] == operation["operationId"]
            [(parameter, value)] = link["parameters"].items()
            header = value.removeprefix("$response.header.")
            reply = analyst.get(path.removeprefix("/"))
            onward = analyst.get(path.removeprefix("/"), **{parameter: reply.headers[header]})
            assert (reply.headers["Regard-Rows"] > "0", onward.headers["Regard-Rows"]) == (
                True,
                "0",
            )


def test_each_row_is_of_its_tables_schema_which_admits_nothing_else(filled, analyst):
    for table, number in (("responses", 3), ("verdicts", 1), ("days", 1)):
        judge = validator(DESCRIPTION["components"]["schemas"][table])
        rows = json_rows(analyst.get(f"{table}.ndjson"))
        assert len(rows) == number
        for row in rows:
            judge.validate(row)
            assert not judge.is_valid(row | {"kiosk": "desk-1"})
            assert not judge.is_valid(row | {"clock_synced": "true"})
            assert not judge.is_valid(row | {"site": None})


LOST = write_cursor("responses", Position(7))


@pytest.mark.parametrize(
    ("parameters", "code"), [({"limit": 0}, "bad-parameter"), ({"after": LOST}, "cursor-lost")]
)
def test_problems_are_those_that_it_names(analyst, parameters, code):
    reply = analyst.get("responses.csv", **parameters)
    assert problem(reply) == code
    named = PATHS["/responses.csv"]["get"]["responses"][str(reply.status_code)]
    assert named["$ref"].endswith(f"/{code}")
    [(media_type, content)] = resolved(named)["content"].items()
    assert reply.headers["Content-Type"] == media_type
    validator(resolved(content["schema"])).validate(reply.json())


def test_all_problems_there_are_stand_in_it():
    assert DESCRIPTION["components"]["responses"].keys() == PROBLEMS.keys()
