from datetime import time

import pytest

from hardware.dimming import Dimming

DIMMING = Dimming(
    after_s=60,
    bright_percent=90,
    dim_percent=40,
    night_percent=5,
    night_begins=time(22),
    night_ends=time(6),
)


@pytest.mark.parametrize(
    ("alone_s", "sees", "at", "percent"),
    [
        (0, True, time(12), 90),
        (59, True, time(23), 90),  # someone is there, even at night
        (60, True, time(12), 40),
        (60, False, time(12), 90),  # nobody would see that it can be woken
        (60, False, time(22), 5),
        (60, True, time(5, 59), 5),
        (60, True, time(6), 40),
        (60, True, None, 40),  # no clock, no night
    ],
)
def test_the_screen_is_as_bright_as_it_is_needed(alone_s, sees, at, percent):
    assert DIMMING.percent(alone_s=alone_s, sees=sees, at=at) == percent


def test_a_night_can_lie_within_a_day():
    dimming = Dimming(night_begins=time(1), night_ends=time(5))
    assert dimming.percent(alone_s=999, sees=False, at=time(3)) == 5
    assert dimming.percent(alone_s=999, sees=False, at=time(0, 59)) == 100


def test_without_hours_there_is_no_night():
    assert Dimming().percent(alone_s=999, sees=False, at=time(0)) == 100
