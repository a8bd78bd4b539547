"""Touches: one finger at a time counts, and it acts when it is lifted where it was put down."""

from collections.abc import Callable
from typing import Any, Final

from kivy.input import MotionEvent
from kivy.uix.behaviors import ButtonBehavior
from kivy.uix.floatlayout import FloatLayout

from kiosk_app.hand import TREMOR_MM, Hand, Place

_LOST_AFTER_S: Final = 10.0


class OneTouch(FloatLayout):
    """The root of the screen: while one finger is down, no other counts.

    ``touched`` is called when the finger that counts goes down and when it is lifted,
    ``disturbed`` while anything but a tap goes on. A finger that goes down while the screen is not
    ``settled`` was meant for what was there before. While ``typing``, the same place may be tapped
    again quickly.
    """

    def __init__(
        self,
        hand: Hand,
        *,
        px_per_mm: float,
        clock: Callable[[], float],
        touched: Callable[[], None],
        disturbed: Callable[[], None],
        settled: Callable[[], bool],
    ) -> None:
        super().__init__()
        self.typing = False
        self._hand = hand
        self._px_per_mm = px_per_mm
        self._clock = clock
        self._touched = touched
        self._disturbed = disturbed
        self._settled = settled
        self._touch: MotionEvent | None = None
        self._spent = False

    def count_fingers(self, fingers: int) -> None:
        """So many fingers are on the panel now, where that is known."""
        self._hand.count(fingers)
        self._look_at_hand()

    def forget_touch(self) -> None:
        """Let the finger that is down do nothing more: what it was put on is not there now."""
        if self._touch is not None:
            self._touch.grab_list.clear()
            self._spent = True

    def on_touch_down(self, touch: MotionEvent) -> bool:
        """A finger goes down."""
        if self._touch is not None and not self._lost(self._touch, touch):
            return True
        if "button" in touch.profile and touch.button != "left":
            return True
        self._touch = touch
        taps = self._hand.down(self._place(touch), self._clock(), repeats=self.typing)
        self._spent = not (taps and self._settled())
        self._touched()
        if not self._spent:
            super().on_touch_down(touch)
        return True

    def on_touch_move(self, touch: MotionEvent) -> bool:
        """A finger moves."""
        if touch is self._touch:
            self._hand.move(self._place(touch))
            self._look_at_hand()
        if self._counts(touch):
            super().on_touch_move(touch)
        return True

    def on_touch_up(self, touch: MotionEvent) -> bool:
        """A finger is lifted."""
        if touch is self._touch:
            self._hand.lift(self._place(touch), self._clock())
            self._look_at_hand()
        if self._counts(touch):
            self._touched()
            super().on_touch_up(touch)
        if touch is self._touch:
            self._touch = None
        return True

    def _look_at_hand(self) -> None:
        if self._hand.take_disturbance():
            self.forget_touch()
            self._disturbed()

    def _place(self, touch: MotionEvent) -> Place:
        return touch.x / self._px_per_mm, touch.y / self._px_per_mm

    def _counts(self, touch: MotionEvent) -> bool:
        return touch is self._touch and not self._spent

    def _lost(self, touch: MotionEvent, newer: MotionEvent) -> bool:
        """Whether a touch is so old that its end was probably never told; it must block nobody."""
        return bool(newer.time_start - touch.time_start > _LOST_AFTER_S)


class Tappable(ButtonBehavior):
    """A button that forgives a trembling finger: lifted a little beside it, it still acts.

    Sliding further away cancels, and is seen to.
    """

    def __init__(self, *, px_per_mm: float, **options: Any) -> None:
        super().__init__(**options)
        self._reach = TREMOR_MM * px_per_mm

    def on_touch_move(self, touch: MotionEvent) -> bool:
        """The finger moves, off the button or back."""
        if touch.grab_current is self:
            self.state = "down" if self._within_reach(touch) else "normal"
        return bool(super().on_touch_move(touch))

    def on_touch_up(self, touch: MotionEvent) -> bool:
        """The finger is lifted."""
        if touch.grab_current is self:
            self.always_release = self._within_reach(touch)
        return bool(super().on_touch_up(touch))

    def _within_reach(self, touch: MotionEvent) -> bool:
        beside = max(self.x - touch.x, touch.x - self.right, 0)
        above = max(self.y - touch.y, touch.y - self.top, 0)
        return bool(beside <= self._reach and above <= self._reach)
