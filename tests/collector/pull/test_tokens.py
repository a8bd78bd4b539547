from datetime import date

import pytest
from sqlalchemy import select

from sync_service.collector import tables
from sync_service.collector.error import OfficeError
from sync_service.collector.pull.tokens import Token, Tokens

MONDAY, TUESDAY = date(2026, 3, 2), date(2026, 3, 3)


@pytest.fixture
def tokens(centre):
    return Tokens(centre.engine)


def test_a_token_admits_whoever_shows_it(centre, tokens):
    shown = centre.run(tokens.add("ana", MONDAY))
    assert centre.run(tokens.admit(shown, MONDAY))
    for wrong in ("", shown[:-1], shown.upper(), "regard_", "\u00e9"):
        assert not centre.run(tokens.admit(wrong, MONDAY))


def test_no_two_tokens_are_alike_or_can_be_guessed(centre, tokens):
    shown = [centre.run(tokens.add(name, MONDAY)) for name in ("ana", "ben")]
    assert len({*shown}) == 2
    assert all(len(each) > 43 and each.startswith("regard_") for each in shown)


@pytest.mark.sqlite_alone
def test_what_a_token_is_stands_nowhere_in_the_database(centre, tokens, tmp_path):
    shown = centre.run(tokens.add("ana", MONDAY))
    centre.run(tokens.admit(shown, MONDAY))
    [row] = centre.read(select(tables.pull_token))
    held = b"".join(path.read_bytes() for path in tmp_path.glob("database-*"))
    assert row["digest"] in held
    assert shown.removeprefix("regard_").encode() not in held


def test_a_revoked_token_opens_nothing_more(centre, tokens):
    shown, other = (centre.run(tokens.add(name, MONDAY)) for name in ("ana", "ben"))
    centre.run(tokens.revoke("ana", TUESDAY))
    assert not centre.run(tokens.admit(shown, TUESDAY))
    assert centre.run(tokens.admit(other, TUESDAY))


def test_of_its_use_only_the_day_is_kept(centre, tokens):
    shown = centre.run(tokens.add("ben", MONDAY))
    centre.run(tokens.add("ana", MONDAY))
    for day in (MONDAY, TUESDAY, TUESDAY):
        centre.run(tokens.admit(shown, day))
    centre.run(tokens.revoke("ana", TUESDAY))
    assert centre.run(tokens.list()) == [
        Token("ana", "2026-03-02", None, "2026-03-03"),
        Token("ben", "2026-03-02", "2026-03-03", None),
    ]


def test_a_name_is_never_given_to_another_token(centre, tokens):
    centre.run(tokens.add("ana", MONDAY))
    centre.run(tokens.revoke("ana", MONDAY))
    with pytest.raises(OfficeError, match="take another name"):
        centre.run(tokens.add("ana", TUESDAY))


@pytest.mark.parametrize("name", ["", " ana", "a b", "é", "x" * 65, "-a"])
def test_a_name_can_be_typed_in_any_shell(centre, tokens, name):
    with pytest.raises(OfficeError, match="can't be a name"):
        centre.run(tokens.add(name, MONDAY))


@pytest.mark.parametrize("name", ["ben", "ana"])
def test_only_a_token_in_force_can_be_revoked(centre, tokens, name):
    centre.run(tokens.add("ana", MONDAY))
    centre.run(tokens.revoke("ana", MONDAY))
    with pytest.raises(OfficeError, match=r"no token \w+ in force"):
        centre.run(tokens.revoke(name, TUESDAY))
