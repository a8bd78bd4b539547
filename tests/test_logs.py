"""Log lines: one a record, and no value can pass for another."""

import logging

import pytest

from sync_service.logs import LineFormatter


@pytest.fixture
def line():
    """The line of a record with those fields."""

    def line(message, **fields):
        record = logging.makeLogRecord({"levelname": "WARNING", "msg": message, **fields})
        return LineFormatter().format(record)

    return line


def test_a_line_is_its_level_its_message_and_its_fields(line):
    assert line("contact made", depth=10, reason="busy") == (
        "warning contact made depth=10 reason=busy"
    )


def test_a_field_with_nothing_to_say_is_left_out(line):
    assert line("no contact", detail="") == "warning no contact"


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        ("two words", '"two words"'),
        ("a=b", '"a=b"'),
        ('a "b"', r'"a \"b\""'),
        ("line\nerror forged", r'"line\nerror forged"'),
        ("\x1b[2J", r'"\u001b[2J"'),
        ("Llyfrgell", "Llyfrgell"),
    ],
)
def test_a_value_stays_one_value_on_one_line(line, value, shown):
    assert line("no contact", detail=value) == f"warning no contact detail={shown}"


def test_a_traceback_follows_its_line(line):
    try:
        raise RuntimeError("broken")
    except RuntimeError as error:
        told = line("bug", exc_info=(RuntimeError, error, error.__traceback__))
    assert told.splitlines()[0] == "warning bug"
    assert told.splitlines()[-1] == "RuntimeError: broken"
