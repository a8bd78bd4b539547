"""The pace of enrolments: nobody crowds out the others."""

import pytest

from sync_service.collector.error import ProblemError
from sync_service.collector.pace import MAX_OF_ADDRESS, MAX_OF_ALL, Pace


def refusal(pace, network):
    """What is said of an enrolment from there, if it is not looked at."""
    try:
        pace.keep(network)
    except ProblemError as error:
        return error
    return None


def ask(pace, network):
    """Whether an enrolment from there is looked at."""
    return refusal(pace, network) is None


def test_one_address_may_ask_so_often_and_others_as_often():
    pace = Pace()
    assert [ask(pace, "192.0.2.1") for _ in range(MAX_OF_ADDRESS + 5)].count(True) == MAX_OF_ADDRESS
    assert ask(pace, "192.0.2.2")


def test_who_asks_too_often_alone_takes_nothing_from_the_others():
    pace = Pace(of_one=2, of_all=4)
    for _ in range(20):
        ask(pace, "192.0.2.1")
    assert [ask(pace, "192.0.2.2") for _ in range(2)] == [True, True]


def test_many_addresses_together_may_ask_so_often():
    pace = Pace()
    looked_at = [ask(pace, f"192.0.2.{number}") for number in range(MAX_OF_ALL + 5)]
    assert looked_at.count(True) == MAX_OF_ALL


@pytest.mark.parametrize("limits", [{"of_one": 1}, {"of_all": 1}])
def test_who_came_too_often_is_told_when_to_come(limits):
    pace = Pace(**limits)
    assert ask(pace, "192.0.2.1")
    refused = refusal(pace, "192.0.2.1")
    assert refused.problem.code == "too-often"
    assert 1 <= refused.retry_after_s <= 200
