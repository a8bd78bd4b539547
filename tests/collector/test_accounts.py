import pytest
from argon2 import PasswordHasher
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import select

from sync_service.collector import tables
from sync_service.collector.accounts import SIGN_IN_S, Account, Accounts
from sync_service.collector.database import open_engine, reading
from sync_service.collector.error import OfficeError

NOW = 1_795_000_000
PASSWORD = "three quiet words"


class CountingHasher(PasswordHasher):
    """Argon2 with little work, that counts how often it had to do it."""

    def __init__(self):
        super().__init__(time_cost=1, memory_cost=8, parallelism=1)
        self.verified = 0

    def verify(self, hash, password):
        self.verified += 1
        return super().verify(hash, password)


@pytest.fixture
def engine(database, runner):
    engine = open_engine(database)
    yield engine
    runner.run(engine.dispose())


@pytest.fixture
def hasher():
    return CountingHasher()


@pytest.fixture
def accounts(engine, hasher):
    return Accounts(engine, hasher)


def test_who_has_an_account_signs_in_and_is_known_by_the_token(accounts, runner):
    runner.run(accounts.add("Morwenna", PASSWORD, NOW))
    token = runner.run(accounts.sign_in("Morwenna", PASSWORD, NOW + 10))
    assert runner.run(accounts.signed_in(token, NOW + 20)) == "Morwenna"
    assert runner.run(accounts.list()) == [Account("Morwenna", NOW, NOW + 10)]


def test_a_wrong_password_and_an_unknown_name_take_the_same_work(accounts, hasher, runner):
    runner.run(accounts.add("Morwenna", PASSWORD, NOW))
    assert runner.run(accounts.sign_in("Morwenna", PASSWORD + "!", NOW)) is None
    assert hasher.verified == 1
    assert runner.run(accounts.sign_in("Jago", PASSWORD, NOW)) is None
    assert hasher.verified == 2


def test_a_password_is_right_in_whichever_form_it_was_typed(accounts, runner):
    runner.run(accounts.add("Morwenna", "caf\u00e9 au lait, grand", NOW))
    assert runner.run(accounts.sign_in("Morwenna", "cafe\u0301 au lait, grand", NOW))


@pytest.mark.sqlite_alone
def test_neither_password_nor_token_stands_in_the_database(accounts, engine, tmp_path, runner):
    runner.run(accounts.add("Morwenna", PASSWORD, NOW))
    token = runner.run(accounts.sign_in("Morwenna", PASSWORD, NOW))
    held = b"".join(path.read_bytes() for path in tmp_path.iterdir())
    assert b"Morwenna" in held
    for secret in (PASSWORD.encode(), token, token.hex().encode()):
        assert secret not in held


def test_a_sign_in_ends_after_a_day_and_is_forgotten_at_the_next(accounts, engine, runner):
    runner.run(accounts.add("Morwenna", PASSWORD, NOW))
    token = runner.run(accounts.sign_in("Morwenna", PASSWORD, NOW))
    assert runner.run(accounts.signed_in(token, NOW + SIGN_IN_S - 1)) == "Morwenna"
    assert runner.run(accounts.signed_in(token, NOW + SIGN_IN_S)) is None
    runner.run(accounts.sign_in("Morwenna", PASSWORD, NOW + SIGN_IN_S))

    async def begun():
        async with reading(engine) as connection:
            found = await connection.execute(select(tables.sign_in.c.begun_at))
            return found.scalars().all()

    assert runner.run(begun()) == [NOW + SIGN_IN_S]


def test_signing_out_ends_one_browser_only(accounts, runner):
    runner.run(accounts.add("Morwenna", PASSWORD, NOW))
    here = runner.run(accounts.sign_in("Morwenna", PASSWORD, NOW))
    there = runner.run(accounts.sign_in("Morwenna", PASSWORD, NOW))
    runner.run(accounts.sign_out(here))
    assert runner.run(accounts.signed_in(here, NOW)) is None
    assert runner.run(accounts.signed_in(there, NOW)) == "Morwenna"


def test_removing_an_account_signs_its_browsers_out(accounts, runner):
    runner.run(accounts.add("Morwenna", PASSWORD, NOW))
    token = runner.run(accounts.sign_in("Morwenna", PASSWORD, NOW))
    runner.run(accounts.remove("Morwenna"))
    assert runner.run(accounts.signed_in(token, NOW)) is None
    assert runner.run(accounts.sign_in("Morwenna", PASSWORD, NOW)) is None
    assert not runner.run(accounts.exist())


def test_a_name_is_given_once(accounts, runner):
    runner.run(accounts.add("Morwenna", PASSWORD, NOW))
    with pytest.raises(OfficeError, match="there is an account Morwenna already"):
        runner.run(accounts.add("Morwenna", PASSWORD, NOW))


def test_what_is_not_there_can_not_be_removed(accounts, runner):
    with pytest.raises(OfficeError, match="there is no account Jago"):
        runner.run(accounts.remove("Jago"))


@pytest.mark.parametrize("name", ["", " ", " Jago", "Jago\n", "x" * 65, "\u202eJago"])
def test_a_name_that_could_mislead_is_refused(accounts, runner, name):
    with pytest.raises(OfficeError, match="a name has"):
        runner.run(accounts.add(name, PASSWORD, NOW))


@pytest.mark.parametrize("password", ["", "eleven char", "x" * 257])
def test_a_password_too_short_or_too_long_is_refused(accounts, runner, password):
    with pytest.raises(OfficeError, match="a password has 12 to 256 characters"):
        runner.run(accounts.add("Jago", password, NOW))


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=25)
@given(token=st.binary(max_size=40))
def test_no_other_bytes_are_a_token(accounts, runner, token):
    assert runner.run(accounts.signed_in(token, NOW)) is None
