"""An analyst of the central team, who pulls over HTTP without a network between."""

import csv
import io
import json
from datetime import UTC, date, datetime

import httpx
from centre import PUBLISHING
from starlette.applications import Starlette

from sync_service.collector.pull.instalments import close_instalment
from sync_service.collector.pull.routes import Pull
from sync_service.collector.pull.tokens import Tokens

START = datetime(2026, 4, 1, 9, tzinfo=UTC)


class Analyst:
    """Someone with a token and a clock, at a centre as `centre.begun_centre` makes it."""

    def __init__(self, centre, name="ana", at=START):
        self.centre = centre
        self.at = at
        self.token = centre.run(Tokens(centre.engine).add(name, date(2026, 3, 1)))
        self.find_served_anew()

    def find_served_anew(self):
        """From now on the API is served by a collector that was started just now."""
        pull = Pull(self.centre.engine, [PUBLISHING.verifying_key], clock=self.seconds)
        self.app = Starlette(routes=pull.routes())
        self.client = httpx.AsyncClient(
            transport=httpx.ASGITransport(self.app, raise_app_exceptions=False),
            base_url="http://collector/v1/pull/",
            trust_env=False,
        )

    def seconds(self):
        """The time since 1970."""
        return self.at.timestamp()

    async def request(self, method, path, headers=None, **parameters):
        shown = {"Authorization": f"Bearer {self.token}"} if headers is None else headers
        return await self.client.request(method, path, params=parameters or None, headers=shown)

    def get(self, path, **parameters):
        return self.centre.run(self.request("GET", path, **parameters))

    def close_instalment(self, at=None):
        """Let the collector close the instalment of the analyst's day, or of another."""
        return self.centre.run(close_instalment(self.centre.engine, at or self.at))


def csv_rows(reply):
    """The rows of a reply in CSV."""
    assert reply.status_code == 200, reply.text
    return list(csv.DictReader(io.StringIO(reply.text, newline=""), strict=True))


def json_rows(reply):
    """The rows of a reply in lines of JSON."""
    assert reply.status_code == 200, reply.text
    return [json.loads(line) for line in reply.text.splitlines()]


def problem(reply):
    """The code of the problem that a reply tells of."""
    assert reply.headers["Content-Type"] == "application/problem+json"
    assert reply.json()["status"] == reply.status_code
    assert reply.json()["type"] == f"urn:regard:problem:{reply.json()['code']}"
    return reply.json()["code"]
