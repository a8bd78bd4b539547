"""The true time is within what the centre makes of it, whatever the kiosk's clock does."""

import pytest
from kiosk_life import KINDS, Found, Life

RECORDS_A_LIFE = 2500


@pytest.fixture(scope="module")
def number(in_full):
    """How many records are made in all."""
    return 1_000_000 if in_full else 20_000


def live(kind, random, number):
    """So many records of kiosks of a kind, and more."""
    found = Found()
    while found.records < number:
        Life(kind, random, found).live(RECORDS_A_LIFE)
    return found


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)
def test_the_true_half_day_is_within_every_answer(kind, random, number, clock_tally):
    found = live(kind, random, number // len(KINDS))
    clock_tally.add(kind.name, found)

    assert found.missed == 0


class Trusting(Found):
    """Takes every clock at its word."""

    def judge(self, record, span):
        said = record.dated.moment.half_day
        super().judge(record, (said, said))


class Forgetful(Life):
    """Takes a clock that was set at its word for ever, however it drifts."""

    def _error_s(self):
        return None if self._set_at is None else 1.0


def test_whoever_takes_clocks_at_their_word_is_wrong_about_many(random, clock_tally):
    found = Trusting()
    for kind in KINDS:
        Life(kind, random, found).live(500)
    clock_tally.add("control: each clock is taken at its word", found)

    assert found.missed > found.records / 10


def test_whoever_forgets_that_clocks_drift_is_wrong_about_some(random, clock_tally):
    found = Found()
    drifting = next(kind for kind in KINDS if "drifts" in kind.name)
    for _ in range(3):
        Forgetful(drifting, random, found).live(RECORDS_A_LIFE)
    clock_tally.add("control: the same, and drift is forgotten", found)

    assert found.missed > 0
