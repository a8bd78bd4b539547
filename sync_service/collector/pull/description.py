"""The pull API described in OpenAPI 3.1, for people and for their tools."""

from collections.abc import Mapping
from importlib.metadata import version
from typing import Final

from sync_service.collector.insight.columns import ANSWER, Column
from sync_service.collector.insight.package import PACKAGE
from sync_service.collector.insight.rows import Catalogue, RowTable
from sync_service.collector.insight.writers import Format
from sync_service.collector.pull.cursor import PATTERN
from sync_service.collector.pull.problem import PROBLEMS
from sync_service.contract.wire import PROBLEM_MEDIA_TYPE

PATH: Final = "/v1/pull"
"""Where the API is."""

FORMATS: Final = (Format.CSV, Format.NDJSON, Format.PARQUET)
"""What rows can be pulled as."""

MAX_LIMIT: Final = 1_000_000
"""The most rows that can be asked for by ``limit``; without it, there is no end to them."""

_ABOUT: Final = """\
Opened records, a row each, for the central team's own analysts.

Pull a table without a cursor to have all of it. Keep the `Regard-Cursor` of the reply, and pull \
`after` it tomorrow: you get what was added since, no row twice and none left out, however late it \
arrived. Rows are added once a day, soon after midnight UTC, and what is not over is not shown.

docs/pull.md shows how, with curl, pandas, DuckDB and Power BI.
"""
_TYPES: Final[Mapping[str, Mapping[str, str]]] = {
    "string": {"type": "string"},
    "integer": {"type": "integer"},
    "boolean": {"type": "boolean"},
    "date": {"type": "string", "format": "date"},
    "object": {"type": "object"},
}
_HEADERS: Final = {
    "Regard-Cursor": (
        "The place after the last of these rows. Send it as `after` to go on from there.",
        {"type": "string", "pattern": PATTERN},
        True,
    ),
    "Regard-Rows": ("How many rows these are.", {"type": "integer"}, True),
    "Regard-Period": (
        "The first and the last day that responses, or what else is in the table, are from.",
        {"type": "string", "examples": ["2026-03-02/2026-03-14"]},
        False,
    ),
    "Regard-Kiosks-Reported": (
        "How many kiosks, of how many, had delivered all that they recorded in this period, and"
        " before it, when the newest instalment was closed. Which ones, the data package says.",
        {"type": "string", "examples": ["41/44"]},
        False,
    ),
    "Regard-Questionnaires": (
        "The questionnaires published so far, each with its version.",
        {"type": "string", "examples": ["library 1, gp 1"]},
        True,
    ),
    "Link": (
        "The data package (`describedby`), and the rest of the rows (`next`) if `limit` left any.",
        {"type": "string"},
        True,
    ),
}


def describe() -> dict[str, object]:
    """The OpenAPI document."""
    tables = Catalogue(()).tables  # no questionnaire is known to it, so there are no answers
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Regard: pull",
            "summary": "What respondents told Regard, row by row.",
            "description": _ABOUT,
            "version": version("regard"),
            "license": {"name": "MIT", "identifier": "MIT"},
        },
        "servers": [{"url": PATH}],
        "security": [{"token": []}],
        "paths": {
            **{
                f"/{table.name}.{kind.value}": _rows(table, kind)
                for table in tables
                for kind in FORMATS
            },
            f"/{PACKAGE}": _document(
                "package",
                "What each column means, which kiosks have reported, and the rules",
                {"type": "object", "required": ["resources", "regard"]},
            ),
            "/questionnaires.json": _document(
                "questionnaires",
                "All questionnaires, as they were published, by their serials",
                {"type": "object", "additionalProperties": {"type": "object"}},
            ),
            "/replies.json": _document(
                "replies",
                "All replies of services, as they were published, by their serials",
                {"type": "object", "additionalProperties": {"type": "object"}},
            ),
            "/sites.json": _document(
                "sites",
                "The sites as they are now, by their codes",
                {"type": "array", "items": {"$ref": "#/components/schemas/site"}},
            ),
            "/openapi.json": {
                "get": _operation("description", "This description", _json({"type": "object"}))
                | {"security": []}
            },
        },
        "components": {
            "securitySchemes": {
                "token": {
                    "type": "http",
                    "scheme": "bearer",
                    "description": "Made by `regard-collector token add NAME`.",
                }
            },
            "parameters": {
                "after": {
                    "name": "after",
                    "in": "query",
                    "description": "The `Regard-Cursor` of the pull before, of the same table.",
                    "schema": {"type": "string", "pattern": PATTERN},
                },
                "limit": {
                    "name": "limit",
                    "in": "query",
                    "description": "The most rows to be sent; without it, all there are.",
                    "schema": {"type": "integer", "minimum": 1, "maximum": MAX_LIMIT},
                },
            },
            "headers": {
                name: {"description": tells, "required": required, "schema": schema}
                for name, (tells, schema, required) in _HEADERS.items()
            },
            "responses": {code: _problem(code) for code in PROBLEMS},
            "schemas": {
                **{table.name: _row(table) for table in tables},
                "site": _site(),
                "problem": {
                    "type": "object",
                    "description": "As RFC 9457 has it. Rely on `code`, which never changes.",
                    "properties": {
                        "type": {"type": "string"},
                        "title": {"type": "string"},
                        "status": {"type": "integer"},
                        "code": {"type": "string", "enum": [*PROBLEMS]},
                        "detail": {"type": "string"},
                    },
                    "required": ["type", "title", "status", "code"],
                },
            },
        },
    }


def _rows(table: RowTable, kind: Format) -> dict[str, object]:
    each = {
        Format.CSV: "The first line names the columns. An empty cell says nothing.",
        Format.NDJSON: f"Each line is an object of the schema `{table.name}`.",
        Format.PARQUET: "What the data package tells stands in the metadata, under `regard`.",
    }
    schema = {} if kind is Format.PARQUET else {"type": "string"}
    name = f"{table.name}_{kind.value}"
    operation = _operation(
        name,
        f"{table.title}, as {kind.value}",
        {
            "description": each[kind],
            "headers": {name: {"$ref": f"#/components/headers/{name}"} for name in _HEADERS},
            "content": {kind.media_type: {"schema": schema}},
            "links": {
                "onward": {
                    "operationId": name,
                    "parameters": {"after": "$response.header.Regard-Cursor"},
                    "description": "What comes after these rows: now, or tomorrow.",
                }
            },
        },
        "no-token",
        "bad-parameter",
        "cursor-lost",
    )
    parameters = [{"$ref": f"#/components/parameters/{name}"} for name in ("after", "limit")]
    return {"get": {**operation, "parameters": parameters}}


def _document(name: str, summary: str, schema: Mapping[str, object]) -> dict[str, object]:
    return {"get": _operation(name, summary, _json(schema), "no-token")}


def _operation(
    name: str, summary: str, success: Mapping[str, object], *problems: str
) -> dict[str, object]:
    replies: dict[str, object] = {"200": success}
    for code in (*problems, "busy", "internal"):
        status = str(int(PROBLEMS[code].status))
        replies[status] = {"$ref": f"#/components/responses/{code}"}
    return {"operationId": name, "summary": summary, "responses": replies}


def _json(schema: Mapping[str, object]) -> dict[str, object]:
    return {"description": "It is there.", "content": {"application/json": {"schema": schema}}}


def _problem(code: str) -> dict[str, object]:
    return {
        "description": f"{PROBLEMS[code].title} (`{code}`).",
        "content": {PROBLEM_MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/problem"}}},
    }


def _row(table: RowTable) -> dict[str, object]:
    row: dict[str, object] = {
        "type": "object",
        "description": f"{table.title}.",
        "properties": {column.name: _cell(column) for column in table.columns},
        "required": [column.name for column in table.columns],
        "additionalProperties": False,
    }
    if table.name == "responses":
        row["patternProperties"] = {
            f"^{ANSWER}": {
                "type": ["string", "null"],
                "description": "The answer to the item of this name; the data package has them.",
            }
        }
    return row


def _cell(column: Column) -> dict[str, object]:
    cell: dict[str, object] = {**_TYPES[column.type], "description": column.tells}
    if column.values:
        cell["enum"] = [*column.values] if column.required else [*column.values, None]
    if not column.required:
        cell["type"] = [cell["type"], "null"]
    return cell


def _site() -> dict[str, object]:
    texts = (
        *("code", "name", "service", "service_name", "organisation", "organisation_name"),
        *("place", "place_name", "timezone", "stands", "questionnaire"),
    )
    return {
        "type": "object",
        "properties": {
            **{name: {"type": "string"} for name in texts},
            "languages": {"type": "array", "items": {"type": "string"}},
        },
        "required": [*texts, "languages"],
        "additionalProperties": False,
    }
