"""A kiosk that is used day after day: nothing gathers, whatever people press."""

import gc
from collections import Counter
from functools import reduce
from operator import and_, or_
from random import Random
from weakref import ReferenceType

import pytest
from passers_by import PassersBy

from kiosk_app.layout.panel import PANELS

PANEL = PANELS["7-800x480"]
"""The smallest: what gathers does not depend on it, and it is drawn in the least time."""

EARLY, LATE = (60, 80, 100), (260, 280, 300)
"""After so many sessions it is looked what there is, thrice, as it goes up and down by a page."""

OFTEN = (LATE[0] - EARLY[-1]) // 2
"""So much more often is there what gathers at every second session; caches still fill by less."""


@pytest.fixture
def small_stage(stage):
    """The window as large as the panel."""
    from kivy.core.window import Window

    before = Window.size
    Window.size = PANEL.width_px, PANEL.height_px
    yield
    Window.size = before


def things():
    """How many there are of each type, of all that the garbage collector knows.

    Kivy keeps a list of weak references to what is drawn, and strikes off what is gone by the time
    of day: how many of those there are depends on how fast the machine is.
    """
    from kivy.clock import Clock

    while gc.collect():
        Clock.tick()  # in which Kivy frees what the graphics card held for what is gone
    return Counter(
        str(type(each))
        for each in gc.get_objects()
        if type(each) is not ReferenceType or each() is not None
    )


def test_of_nothing_there_is_more_after_300_sessions_than_after_100(small_stage, tmp_path):
    looks = {}

    def ended(number):
        if number in (*EARLY, *LATE):
            looks[number] = things()

    PassersBy(tmp_path, PANEL, Random(1)).use(LATE[-1], ended)
    most_early = reduce(or_, (looks[number] for number in EARLY))
    least_late = reduce(and_, (looks[number] for number in LATE))
    more = least_late - most_early
    assert {kind: count for kind, count in more.items() if count >= OFTEN} == {}
