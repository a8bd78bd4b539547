"""People who pass by a kiosk and press what they like, the real app with its pages, its writer
and its store. They touch it in this process, and its clock is moved on by what they do: nobody
waits, so a session takes as long as drawing and storing do.
"""

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from random import Random

from lone_centre import LoneCentre
from views import ANSWER, INVITATION, OWED, questionnaire

from kiosk_app.door import Door
from kiosk_app.hand import Hand
from kiosk_app.kiosk import Kiosk
from kiosk_app.languages.catalogue import read_catalogues
from kiosk_app.layout.compositor import Compositor
from kiosk_app.layout.fit import Fitting
from kiosk_app.layout.panel import Panel
from kiosk_app.manners import Manners
from kiosk_app.view import Screen
from kiosk_app.writer import Pace, Store, Writer
from sync_service.contract.publication import Replies
from sync_service.outbox.clock import Clock
from sync_service.outbox.database import StoreKey, open_store
from sync_service.outbox.outbox import Outbox
from sync_service.outbox.state import State

ASK = (("dignity",), ("involved", "age_band", "fft_reason"))
"""Of the questionnaire for a surgery: a rating, then a scale of five, a choice or a text."""

KEY = StoreKey(bytes(range(32)))
WALKS_AWAY = 0.02
WIPES = 0.02
WANDERS = 0.2
"""How often somebody does not simply go on, but presses anything."""

ONWARD = (
    ("answer-", "write", "next", "still-here", "verdict-", "close"),
    ("key-",),
    ("language-",),
)
"""How the names of the buttons begin that lead on, and where there are none, what leads to them."""

PATIENCE_S = 60.0
"""Longer than any screen waits for anybody."""


class PassersBy:
    """A kiosk in a folder, and those who use it. Kivy's environment must have been prepared."""

    def __init__(self, place: Path, panel: Panel, random: Random) -> None:
        from kiosk_app.ui.app import KioskApp
        from kiosk_app.ui.loop import Loop

        self.begun = 0
        self._random = random
        self._now = 1000.0
        self._door = Door()
        compositor = Compositor(panel, read_catalogues())
        centre = LoneCentre()
        asked = replace(questionnaire("gp"), ask=ASK)
        stamp = centre.stamp(asked, languages=("cy", "en"))
        replies = centre.publish(Replies("central-library", (OWED.reply, ANSWER.reply, INVITATION)))

        def open_the_store() -> Store:
            engine = open_store(place / "store.db", KEY)
            state = State(engine)
            state.begin(stamp)
            state.take(replies)
            return Store(Outbox(engine), state, engine.dispose)

        clock = Clock()
        fitting = Fitting(compositor)
        in_force = fitting.put_stamp_in_force(stamp)
        self._writer = Writer(
            open_the_store,
            clock,
            self._door,
            timezone=in_force.assignment.timezone,
            put_in_force=fitting.put_in_force,
            pace=Pace(),
        )
        self._kiosk = Kiosk(
            in_force,
            Manners(),
            random=random,
            moment=clock.moment,
            record=self._writer.record,
            session_begun=self._begin,
            now=self._now,
        )
        self._loop = Loop(())
        self._app = KioskApp(
            self._kiosk,
            self._loop,
            compositor,
            Hand(repeat_s=0.5),
            clock=lambda: self._now,
            let_in=self._let_in,
            trace_view=False,
        )
        self._moves: Iterator[None] = iter(())

    def use(self, sessions: int, ended: Callable[[int], None]) -> None:
        """Use the kiosk until so many sessions have ended; ``ended`` is told how many, at each."""
        self._moves = self._use(sessions, ended)
        self._writer.start(self._kiosk)
        self._door.open(self._loop.wake)
        try:
            self._app.run()
        finally:
            self._writer.close(timeout_s=20)
            self._app.root.parent.remove_widget(self._app.root)

    def _begin(self) -> None:
        self.begun += 1
        self._writer.count_session()

    def _let_in(self, now: float) -> None:
        self._door.let_in(now)
        next(self._moves)

    def _use(self, sessions: int, ended: Callable[[int], None]) -> Iterator[None]:
        """One deed after another; the app draws in between."""
        told = 0
        while told < sessions:
            match self._kiosk.view.screen:
                case Screen.SAVING | Screen.OUT_OF_SERVICE:
                    yield  # the writer knocks when it has done
                    continue
                case Screen.ATTRACT if told < self.begun:
                    told += 1
                    ended(told)
                case Screen.PAUSED:
                    yield from self._wait()
                case _:
                    deed = self._wait if self._random.random() < WALKS_AWAY else self._press
                    yield from self._wipe() if self._random.random() < WIPES else deed()
        self._loop.stop()
        yield

    def _press(self) -> Iterator[None]:
        """Press a button that leads on, or any, or anywhere if there is none."""
        [page] = self._app.root.children
        buttons = [button for button in page.buttons if not button.disabled]
        if self._random.random() >= WANDERS:
            leading = (
                [each for each in buttons if each.name.startswith(names)] for names in ONWARD
            )
            buttons = next(filter(None, leading), buttons)
        place = self._random.choice(buttons).center if buttons else page.center
        yield from self._touch(place)

    def _wipe(self) -> Iterator[None]:
        """Wipe over the screen."""
        [page] = self._app.root.children
        yield from self._touch((1, 1), (page.width - 2, page.height - 2))

    def _touch(self, *places: tuple[float, float]) -> Iterator[None]:
        from kivy.tests.common import UnitTestTouch

        touch = UnitTestTouch(*places[0])
        touch.touch_down()
        yield from self._draw()
        self._now += 0.1
        for place in places[1:]:
            touch.touch_move(*place)
        touch.touch_up()
        yield from self._draw()
        self._now += 1.0

    def _wait(self) -> Iterator[None]:
        """Do nothing for so long that the kiosk does something."""
        self._now += PATIENCE_S
        yield from self._draw()
        self._now += 1.0

    def _draw(self) -> Iterator[None]:
        """Let the app go round once."""
        self._loop.wake()
        yield
