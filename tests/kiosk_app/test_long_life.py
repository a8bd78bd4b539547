"""A kiosk that is used day after day: nothing gathers, whatever people press."""

import gc
from collections import Counter
from random import Random

from passers_by import PassersBy

from kiosk_app.layout.panel import DEFAULT_PANEL, PANELS

EARLY, LATE = 100, 300
OFTEN = (LATE - EARLY) // 2
"""So much more often is there what gathers at every second session; caches still fill by less."""


def things():
    """How many there are of each type, of all that the garbage collector knows."""
    from kivy.clock import Clock

    while gc.collect():
        Clock.tick()  # in which Kivy frees what the graphics card held for what is gone
    return Counter(str(type(each)) for each in gc.get_objects())


def test_of_nothing_there_is_more_after_300_sessions_than_after_100(stage, tmp_path):
    looks = {}

    def ended(number):
        if number in (EARLY, LATE):
            looks[number] = things()

    PassersBy(tmp_path, PANELS[DEFAULT_PANEL], Random(1)).use(LATE, ended)
    more = looks[LATE] - looks[EARLY]
    assert {kind: count for kind, count in more.items() if count > OFTEN} == {}
