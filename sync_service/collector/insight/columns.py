"""What stands in an export's files, column by column, in plain English."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum
from typing import Final, Literal

from sync_service.contract.questionnaire import Item, Questionnaire
from sync_service.contract.record import Ending, Fairness, Helped, InputMode

ANSWER: Final = "answer_"
"""What stands before an item's name in its column, so that it meets no other column."""

HALVES: Final = ("morning", "afternoon")


@dataclass(frozen=True, slots=True)
class Column:
    """A column: its name, its type as Frictionless calls it, and what it tells.

    ``values`` are all that can stand in it, if they are few. Only where it is not ``required`` can
    a cell be empty. ``free``: people wrote what stands in it, so it may be any text.
    """

    name: str
    tells: str
    type: Literal["string", "integer", "boolean", "date", "object"] = "string"
    values: Sequence[str] = ()
    required: bool = True
    free: bool = False

    def to_document(self) -> dict[str, object]:
        """The field of the table's schema."""
        document: dict[str, object] = {
            "name": self.name,
            "type": self.type,
            "description": self.tells,
        }
        if self.type == "boolean":
            document |= {"trueValues": ["true"], "falseValues": ["false"]}
        constraints: dict[str, object] = {}
        if self.required:
            constraints["required"] = True
        if self.values:
            constraints["enum"] = list(self.values)
        if constraints:
            document["constraints"] = constraints
        return document


def id_column(name: str, of: str) -> Column:
    """The column of the ids of rows."""
    return Column(
        name,
        f"The id of the {of}. It is the same in every export, and leads to no kiosk or person.",
    )


def answer_column(name: str, asked: Sequence[tuple[Questionnaire, Item]]) -> Column:
    """The column of the answers to the items of one name, in whatever questionnaire they stand."""
    versions: dict[str, dict[str, None]] = {}
    for questionnaire, item in asked:
        wording = item.text.get("en", item.text[questionnaire.languages[0]])
        versions.setdefault(wording, {})[f"{questionnaire.id} {questionnaire.version}"] = None
    wordings = "; ".join(f'"{text}" ({", ".join(where)})' for text, where in versions.items())
    tells = (
        f"The answer to the item {name}: {wordings}."
        " Empty if it was not offered, not reached or skipped."
    )
    if any(item.kind == "text" for _, item in asked):
        own_words = f"{tells} In the respondent's own words."
        return Column(ANSWER + name, own_words, required=False, free=True)
    options = dict.fromkeys(option.name for _, item in asked for option in item.options)
    return Column(ANSWER + name, tells, values=tuple(options), required=False)


def _names(kind: type[IntEnum]) -> tuple[str, ...]:
    return tuple(member.name.lower() for member in kind)


WHERE: Final = (
    Column(
        "site",
        "The code of the site that the kiosk was assigned to when it made the record.",
        free=True,
    ),
    Column("site_name", "The site's name, as it was then.", free=True),
    Column("service", "The code of the service that the site belonged to then.", free=True),
    Column("organisation", "The code of the organisation that ran the service then.", free=True),
    Column("place", "The code of the place where the site stood.", free=True),
)

WHEN: Final = (
    Column(
        "date",
        "The day of the record, in the site's own time. Empty where it is not known for sure.",
        "date",
        required=False,
    ),
    Column(
        "half_day",
        "The half of that day, before noon or from noon on. Empty where it is not known for sure.",
        values=HALVES,
        required=False,
    ),
    Column("earliest_date", "The first day on which the record can have been made.", "date"),
    Column("earliest_half_day", "The half of that first day.", values=HALVES),
    Column("latest_date", "The last day on which the record can have been made.", "date"),
    Column("latest_half_day", "The half of that last day.", values=HALVES),
)

WHICH_DAY: Final = (
    Column(
        "date",
        "The day that is told of, in the site's own time. Empty where it is not known for sure.",
        "date",
        required=False,
    ),
    Column("earliest_date", "The first day that can be meant.", "date"),
    Column("latest_date", "The last day that can be meant.", "date"),
)

ARRIVAL: Final = (
    Column(
        "clock_synced",
        "Whether the kiosk's clock was synchronised when it made the record.",
        "boolean",
    ),
    Column("received_day", "The day on which the record arrived at the centre, in UTC.", "date"),
)

_LANGUAGE: Final = Column("language", "The language it was given in, as a BCP 47 tag.")

RESPONSE: Final = (
    Column("questionnaire", "The id of the questionnaire."),
    Column("version", "The version of the questionnaire.", "integer"),
    _LANGUAGE,
    Column("ending", "Whether the session was completed, or abandoned.", values=_names(Ending)),
    Column("single_tap", "Whether the whole session was one tap.", "boolean"),
    Column("input_mode", "How the respondent answered.", values=_names(InputMode)),
    Column("text_size", "By how many steps the respondent made the text larger.", "integer"),
    Column(
        "helped",
        "Whether someone helped the respondent to answer. Empty if it is not known.",
        values=_names(Helped),
        required=False,
    ),
    Column(
        "age_band",
        "The number of the respondent's age band. Empty if it is not known.",
        "integer",
        required=False,
    ),
    Column(
        "misuse",
        "Signs of misuse, by timing alone and with spaces between. Empty if there are none.",
        required=False,
    ),
    Column(
        "offered",
        "The names of the items offered, in their order and with spaces between.",
        required=False,
    ),
    Column(
        "skipped",
        "The names of the items that were skipped, with spaces between.",
        required=False,
    ),
)

VERDICT: Final = (
    _LANGUAGE,
    Column("replies", "The serial, in replies.json, of what the reply was shown from.", "integer"),
    Column("reply", "The code of the reply there.", "integer"),
    Column("fairness", "Whether the respondent finds the reply fair.", values=_names(Fairness)),
)

DAY: Final = (
    Column("minutes_available", "Minutes in which the kiosk could be answered.", "integer"),
    Column("minutes_out_of_service", "Minutes in which it showed out of service.", "integer"),
    Column("sessions_begun", "How many sessions were begun.", "integer"),
    Column(
        "approaches",
        "How often someone came near, where a sensor notices that.",
        "integer",
        required=False,
    ),
)

UNKNOWN: Final = Column(
    "unknown",
    "Whatever else the record holds, by its number in the record: this version of Regard does not"
    ' know what it means. Bytes stand as {"hex": "00ff"}.',
    "object",
    required=False,
)
