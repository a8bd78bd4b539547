"""One touch at a time."""

from collections.abc import Callable
from typing import Final

from kivy.input import MotionEvent
from kivy.uix.floatlayout import FloatLayout

_LOST_AFTER_S: Final = 10.0


class OneTouch(FloatLayout):
    """The root of the screen: while one finger is down, no other counts.

    ``touched`` is called when the finger that counts goes down and when it is lifted. One that
    goes down while the screen is not ``settled`` was meant for what was there before.
    """

    def __init__(self, touched: Callable[[], None], settled: Callable[[], bool]) -> None:
        super().__init__()
        self._touched = touched
        self._settled = settled
        self._touch: MotionEvent | None = None
        self._spent = False

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
        self._touch, self._spent = touch, not self._settled()
        self._touched()
        if not self._spent:
            super().on_touch_down(touch)
        return True

    def on_touch_move(self, touch: MotionEvent) -> bool:
        """A finger moves."""
        if self._counts(touch):
            super().on_touch_move(touch)
        return True

    def on_touch_up(self, touch: MotionEvent) -> bool:
        """A finger is lifted."""
        if self._counts(touch):
            self._touched()
            super().on_touch_up(touch)
        if touch is self._touch:
            self._touch = None
        return True

    def _counts(self, touch: MotionEvent) -> bool:
        return touch is self._touch and not self._spent

    def _lost(self, touch: MotionEvent, newer: MotionEvent) -> bool:
        """Whether a touch is so old that its end was probably never told; it must block nobody."""
        return bool(newer.time_start - touch.time_start > _LOST_AFTER_S)
