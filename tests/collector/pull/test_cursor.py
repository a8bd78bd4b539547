import pytest
from hypothesis import given
from hypothesis import strategies as st

from sync_service.collector.pull.cursor import read_cursor, write_cursor
from sync_service.collector.pull.instalments import Position

TABLES = st.sampled_from(["responses", "verdicts", "days"])
POSITIONS = st.builds(
    Position,
    st.integers(0, 2**63 - 1),
    st.binary(min_size=8, max_size=8),
    st.binary(min_size=16, max_size=16),
)


@given(TABLES, POSITIONS)
def test_a_cursor_is_read_as_the_place_it_was_written_for(table, position):
    cursor = write_cursor(table, position)
    assert read_cursor(table, cursor) == position
    assert cursor.isascii()
    assert len(cursor) == 46


@given(TABLES, TABLES, POSITIONS)
def test_a_cursor_is_good_for_its_own_table_only(table, other, position):
    if table != other:
        with pytest.raises(ValueError, match=f"no cursor of the {other}"):
            read_cursor(other, write_cursor(table, position))


@given(TABLES, st.text() | st.text("AQEB_-=", min_size=44, max_size=48))
def test_any_text_is_a_cursor_or_refused(table, text):
    try:
        position = read_cursor(table, text)
    except ValueError as error:
        assert "no cursor" in str(error)  # noqa: PT017 - most texts are none, few are
    else:
        assert write_cursor(table, position) == text


@given(TABLES, POSITIONS, st.data())
def test_a_cursor_with_one_letter_changed_is_never_the_same_place(table, position, data):
    cursor = write_cursor(table, position)
    at = data.draw(st.integers(0, len(cursor) - 1))
    letter = data.draw(st.sampled_from("ABCxyz012_-=é ").filter(lambda new: new != cursor[at]))
    try:
        changed = read_cursor(table, cursor[:at] + letter + cursor[at + 1 :])
    except ValueError:
        return
    assert changed != position
