"""The package: what is told about rows, whichever way they go out.

That is: what each column means, which days the rows are from, whether all kiosks have reported
them, what was asked, and by which rules the rows were made. It is told as a Frictionless data
package.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any, Final
from zoneinfo import ZoneInfo

from sqlalchemy import or_, select
from sqlalchemy.ext.asyncio import AsyncConnection

from sync_service.collector import tables
from sync_service.collector.insight.rows import RowTable
from sync_service.collector.insight.writers import Format
from sync_service.collector.tables import Opening
from sync_service.contract.questionnaire import Questionnaire
from sync_service.contract.record import day_of

PACKAGE: Final = "datapackage.json"
"""The name of the file, or the resource, that describes the others."""

RULES: Final = (
    "These are single responses, not figures, and no rule against small numbers was applied."
    " Publish nothing that rests on fewer than 10 responses.",
    "No row says which kiosk it came from, or when within the half-day; rows are in the order of"
    " their ids, which follow no order of events.",
    "A record that came twice, as after a memory card was restored, is here once.",
    "Responses with signs of misuse are in, with the signs, and so are abandoned sessions.",
    "Sites, services, organisations and places are those that the kiosk was assigned to when it"
    " made the record.",
    "Where a date is not known for sure, the first and the last day that it can have been are"
    " given. A kiosk's clock is not believed where it was not synchronised, nor where it says that"
    " a record was made before its kiosk was assigned to the site, or after it arrived.",
)
"""What holds of all rows."""

INERT_RULE: Final = (
    "Before a text that a spreadsheet might run as a formula, or that begins with ', stands one '."
    " Take one ' from the beginning of a text, and you have what was written."
)
"""What holds of CSV alone: other formats know what is a text."""

OVER_RULE: Final = (
    "Records of half-days that were not over, and among the days those that were not, are held"
    " back: who stood there is still remembered."
)


@dataclass(frozen=True, slots=True)
class Span:
    """The half-days that some responses are from, ends included; None, None if there are none."""

    first: int | None = None
    last: int | None = None

    def __or__(self, other: "Span") -> "Span":
        firsts = [each for each in (self.first, other.first) if each is not None]
        lasts = [each for each in (self.last, other.last) if each is not None]
        return Span(min(firsts, default=None), max(lasts, default=None))

    @property
    def dates(self) -> tuple[date, date] | None:
        """The first and the last day."""
        if self.first is None or self.last is None:
            return None
        return day_of(self.first), day_of(self.last)

    def to_document(self) -> dict[str, str | None]:
        """As a package tells it."""
        first, last = (day.isoformat() for day in self.dates) if self.dates else (None, None)
        return {"first_date": first, "last_date": last}


def tell_package(
    at: datetime, resources: Sequence[Mapping[str, object]], about: Mapping[str, object]
) -> dict[str, object]:
    """The document that describes resources; ``about`` is what `tell_about` gives."""
    return {
        "profile": "data-package",
        "name": "regard-export",
        "title": "What respondents told Regard",
        "created": at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        "resources": resources,
        "regard": about,
    }


def tell_about(
    questionnaires: Mapping[int, Questionnaire],
    kiosks: Sequence[Mapping[str, object]],
    span: Span,
    *,
    rules: Sequence[str],
    held_back: int,
    not_opened: Mapping[str, int],
    duties: Mapping[str, object],
) -> dict[str, object]:
    """What is told about rows that are from ``span``.

    ``kiosks`` is what `tell_kiosks` gave, ``not_opened`` what `tell_unopened` did; ``held_back`` is
    how many records are opened, but not over. ``duties`` is what `tell_duties` gave.
    """
    last = span.dates and span.dates[1].isoformat()
    return {
        "rules": list(rules),
        "period": span.to_document(),
        "questionnaires": [
            {
                "serial": serial,
                "id": questionnaire.id,
                "version": questionnaire.version,
                "languages": list(questionnaire.languages),
            }
            for serial, questionnaire in questionnaires.items()
        ],
        "kiosks": [{**kiosk, "reported": has_reported(kiosk, last)} for kiosk in kiosks],
        "held_back": held_back,
        "not_opened": not_opened,
        **duties,
    }


def tell_unopened(outcomes: Mapping[Opening, int]) -> dict[str, int]:
    """How many records are in no row, by what became of them; ``outcomes`` are all records."""
    return {
        outcome.name.lower(): outcomes.get(outcome, 0)
        for outcome in Opening
        if outcome is not Opening.OPENED
    }


def has_reported(kiosk: Mapping[str, object], last_date: str | None) -> bool | None:
    """Whether a kiosk has delivered all that it recorded up to a day; None if no day is named."""
    if last_date is None:
        return None
    complete = kiosk["complete_before"]
    return isinstance(complete, str) and complete > last_date


async def tell_kiosks(connection: AsyncConnection) -> list[dict[str, object]]:
    """When each kiosk was last heard of, and before which day nothing of it can be missing.

    Days are those of the site's own time, and no finer is told.
    """
    found = await connection.execute(_KIOSKS)
    told = []
    for row in found:
        contact = _day(row.contact_at, row.timezone)
        told.append(
            {
                "site": row.site,
                "kiosk": row.name,
                "standing": row.standing,
                "last_contact": contact,
                "waiting_at_least": row.depth,
                "oldest_waiting": row.oldest_waiting,
                "complete_before": contact and min(contact, row.oldest_waiting or contact),
            }
        )
    return told


async def tell_duties(connection: AsyncConnection) -> dict[str, object]:
    """What whoever has rows owes to the respondents: which to delete, and when.

    Those are the ids of records that were redacted, and by organisation for how many months answers
    may be kept, where it has told its respondents.
    """
    redaction, organisation = tables.redaction.c, tables.organisation.c
    redacted = await connection.execute(
        select(redaction.record_id, redaction.redacted_on)
        .where(redaction.record_id.is_not(None))
        .order_by(redaction.redacted_on, redaction.record_id)
    )
    kept = await connection.execute(
        select(organisation.code, organisation.kept_months)
        .where(organisation.kept_months.is_not(None))
        .order_by(organisation.code)
    )
    return {
        "redacted": [{"id": record_id.hex(), "redacted_on": on} for record_id, on in redacted],
        "kept_months": {code: months for code, months in kept},
    }


def tell_table(table: RowTable, kind: Format, path: str) -> dict[str, Any]:
    """The resource that a table of rows is."""
    resource: dict[str, Any] = {
        "profile": "tabular-data-resource" if kind is Format.CSV else "data-resource",
        "name": table.name,
        "title": table.title,
        "path": path,
        "format": kind.value,
        "mediatype": kind.media_type,
        "schema": {
            "fields": [column.to_document() for column in table.columns],
            "primaryKey": table.columns[0].name,
            "missingValues": [""],
        },
    }
    match kind:
        case Format.CSV:
            resource["encoding"] = "utf-8"
            resource["dialect"] = {"delimiter": ",", "lineTerminator": "\r\n", "header": True}
        case Format.NDJSON:
            resource["encoding"] = "utf-8"
        case Format.XLSX:
            resource["dialect"] = {"excel": {"sheet": table.name}}
    return resource


def _day(seconds: int | None, timezone: str) -> str | None:
    if seconds is None:
        return None
    return datetime.fromtimestamp(seconds, ZoneInfo(timezone)).date().isoformat()


_KIOSKS: Final = (
    select(
        tables.stamp.c.site,
        tables.stamp.c.name,
        tables.site.c.timezone,
        tables.kiosk.c.standing,
        tables.kiosk.c.contact_at,
        tables.kiosk.c.depth,
        tables.kiosk.c.oldest_waiting,
    )
    .join_from(tables.stamp, tables.site)
    .outerjoin(tables.kiosk)
    # Of a stamp that its kiosks have left for another, nothing is to be heard any more.
    .where(or_(tables.kiosk.c.kiosk_id.is_not(None), ~tables.was_used))
    .order_by(tables.stamp.c.site, tables.stamp.c.name, tables.kiosk.c.kiosk_id)
)
