import pytest

from sync_service.contract.error import MalformedError
from sync_service.contract.pin import PIN_COST, PIN_DIGITS, PinHash, new_pin

CHEAP = 1


def test_a_pin_matches_its_own_hash_and_no_other_pin_does():
    hashed = PinHash.of("012345", CHEAP)
    assert hashed.matches("012345")
    assert not hashed.matches("12345")
    assert not hashed.matches("012346")


def test_a_hash_is_slow_unless_told_otherwise_and_comes_back_from_its_text():
    hashed = PinHash.of("012345")
    assert hashed.cost == PIN_COST
    assert PinHash.parse(hashed.to_text()) == hashed
    assert PinHash.parse(hashed.to_text()).matches("012345")


def test_the_same_pin_has_another_hash_each_time():
    assert PinHash.of("012345", CHEAP) != PinHash.of("012345", CHEAP)


def test_a_hash_does_not_hold_the_pin():
    assert "012345" not in PinHash.of("012345", CHEAP).to_text()


def test_a_new_pin_is_of_digits_and_of_chance():
    pins = {new_pin() for _ in range(100)}
    assert len(pins) > 90
    assert all(len(pin) == PIN_DIGITS and pin.isdecimal() for pin in pins)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "012345",
        f"scrypt:99:{'00' * 16}:{'00' * 32}",  # an hour's work and all of the memory
        f"scrypt:0:{'00' * 16}:{'00' * 32}",
        f"scrypt:-1:{'00' * 16}:{'00' * 32}",
        f"scrypt:１:{'00' * 16}:{'00' * 32}",
        f"scrypt:1:{'00' * 16}:{'00' * 31}",
        f"scrypt:1::{'00' * 32}",
        f"bcrypt:1:{'00' * 16}:{'00' * 32}",
        f"scrypt:1:{'0g' * 16}:{'00' * 32}",
    ],
)
def test_what_is_no_hash_is_refused(text):
    with pytest.raises(MalformedError, match="staff_pin"):
        PinHash.parse(text)
