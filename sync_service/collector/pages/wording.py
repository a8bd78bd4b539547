"""How figures and facts are said in English."""

import math
from collections.abc import Sequence
from datetime import date
from typing import Final

from sync_service.collector.insight.figure import AskedItem, Count, Figures, Share, Unshown
from sync_service.collector.insight.period import Month
from sync_service.collector.tables import Opening

_WHY: Final = {
    Unshown.TOO_FEW: "Too few to show",
    Unshown.NOBODY: "Nobody answered",
    Unshown.SWITCHED_OFF: "Not switched on",
    Unshown.NOT_HEARD: "Not heard from yet",
    Unshown.NO_KIOSK: "No kiosk here then",
    Unshown.DROPPED: "No longer kept",
}

_UNOPENED: Final = {
    Opening.WAITING: "waiting to be opened",
    Opening.UNKNOWN_KEY: "sealed to a key that is not here",
    Opening.UNOPENABLE: "sealed for another log, or damaged",
    Opening.MALFORMED: "not a record as the protocol has it",
    Opening.UNKNOWN_ASSIGNMENT: "made under an assignment that is not published here",
    Opening.UNKNOWN_QUESTIONNAIRE: "made with a questionnaire that is not published here",
    Opening.UNKNOWN_ITEM: "with a question that its questionnaire does not have",
    Opening.NOT_ADMITTED: "with an answer that its question does not admit",
    Opening.UNKNOWN_REPLY: "on a reply that is not published here",
    Opening.APART: "kept apart: they came after their kiosk went astray",
}


_PROBLEMS: Final = {
    403: ("Not done", "This form was out of date. Please go back to the page and try again."),
    404: ("There is no such page", "The address may be mistyped, or the period not shown yet."),
}
_ANY_PROBLEM: Final = ("Not understood", "The collector can’t do anything with this request.")


def problem(status: int) -> tuple[str, str]:
    """A title and a sentence for an HTTP status."""
    return _PROBLEMS.get(status, _ANY_PROBLEM)


def wait(seconds: int) -> str:
    """That one must wait before the next try to sign in."""
    minutes = math.ceil(seconds / 60)
    how_long = "a minute" if minutes == 1 else f"{minutes} minutes"
    return f"There were too many tries. Please wait {how_long} and try again."


def percent(share: float) -> str:
    """A share in whole per cent: 83%."""
    return f"{round(100 * share)}%"


def interval(share: Share) -> str:
    """The ends of a share's interval: 71% to 91%."""
    return f"{percent(share.low)} to {percent(share.high)}"


def about(count: Count | Share) -> str:
    """How many there are, as it may be told: about 60; fewer than 10."""
    number = count.n if isinstance(count, Share) else count.about
    return "fewer than 10" if number is None else f"about {number}"


def why(unshown: Unshown) -> str:
    """Why there is no figure."""
    return _WHY[unshown]


def unopened(outcome: Opening) -> str:
    """What keeps records from being opened."""
    return _UNOPENED[outcome]


def day(on: date) -> str:
    """A day: 8 November 2026."""
    return f"{on.day}\N{NO-BREAK SPACE}{Month.of(on).name}"


def hours(minutes: int) -> str:
    """A time in whole hours: 241 hours."""
    number = round(minutes / 60)
    return f"{number} hour" if number == 1 else f"{number} hours"


def in_words(item: AskedItem, months: Sequence[Figures]) -> str:
    """What a chart of an item's months shows, for whoever can't see it."""
    shown = [
        (month.period.name, figure)
        for month in months
        if isinstance(figure := month.items[item], Share)
    ]
    if not shown:
        return "No month has a figure."
    shares = [figure.share for _, figure in shown]
    name, newest = shown[-1]
    without = len(months) - len(shown)
    return (
        f"{len(shown)} of {len(months)} months have a figure, from {percent(min(shares))} to"
        f" {percent(max(shares))}. The newest is {name}: {percent(newest.share)}, give or take:"
        f" {interval(newest)}." + (f" {without} have none; the table says why." if without else "")
    )
