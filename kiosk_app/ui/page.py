"""The page: puts on the screen what the compositor places, and tells of the respondent's deeds."""

from collections.abc import Callable
from dataclasses import replace

from kivy.graphics import Color, Rectangle
from kivy.input import MotionEvent
from kivy.uix.widget import Widget

from kiosk_app.layout import placed
from kiosk_app.layout.compositor import Compositor, Turned
from kiosk_app.layout.placed import Act, Deed, Layout, Lettered, Tone
from kiosk_app.layout.writing import Keys
from kiosk_app.ui.button import Plate, WordButton
from kiosk_app.ui.palette import RULE, Colour, Ground
from kiosk_app.ui.sheet import Sheet
from kiosk_app.ui.stage import RADIUS_MM, Ink, Stage
from kiosk_app.view import View


class Page(Widget):
    """A page that shows one view after another. ``tell`` is called with each deed.

    Turning a leaf stays here, as does what is written until it is confirmed; it is kept while
    the respondent goes back and forth, until `forget`.
    """

    def __init__(self, compositor: Compositor, tell: Callable[[Deed], None]) -> None:
        super().__init__()
        self.layout = Layout(())
        self._compositor = compositor
        self._tell = tell
        self._stage = Stage(compositor.panel, compositor.lettering)
        self._view: View | None = None
        self._turned = Turned()
        self._sheet: Sheet | None = None
        self._drafts: dict[int, str] = {}

    @property
    def buttons(self) -> list[WordButton]:
        """The buttons on the page, those that can't be tapped yet included."""
        return [child for child in reversed(self.children) if isinstance(child, WordButton)]

    @property
    def typing(self) -> bool:
        """Whether it has a keyboard."""
        return self._sheet is not None

    def show(self, view: View) -> None:
        """Show a view, in place of what was shown.

        Raises:
            NoRoomError: the panel has no room for it.
        """
        self._view = view
        self._turn(Turned())

    def forget(self) -> None:
        """Forget what was written: its respondent is gone, and what was to be kept is stored."""
        self._drafts.clear()

    def do(self, deed: Deed) -> None:
        """Do what a button on the page does."""
        match deed.act:
            case Act.LEAF:
                self._turn(replace(self._turned, leaf=deed.told[0]))
            case Act.KEYS:
                self._turn(replace(self._turned, keys=deed.told[0]))
            case Act.LETTER | Act.DELETE:
                self._write(deed)
            case Act.WRITTEN:
                assert self._sheet is not None
                item, language = deed.told
                self._tell(Deed(Act.ANSWER, (item, self._sheet.written.strip(), language)))
            case _:
                self._tell(deed)

    def on_touch_up(self, touch: MotionEvent) -> bool:
        """A finger is lifted: on some pages it does the same wherever it is."""
        if super().on_touch_up(touch):
            return True
        if self.layout.anywhere is not None:
            self._tell(self.layout.anywhere)
        return True

    def _turn(self, turned: Turned) -> None:
        """Put on the screen what the page is turned to."""
        assert self._view is not None
        self._turned = turned
        self.layout = self._compositor.compose(self._view, turned)
        self._sheet = None
        self.clear_widgets()
        self.canvas.clear()
        for each in self.layout.placed:
            self._put(each)
        self._written()

    def _put(self, each: placed.Placed) -> None:
        stage = self._stage
        match each:
            case placed.Button():
                button = WordButton(stage, each)
                button.bind(on_release=lambda button: self.do(button.placed.deed))
                self.add_widget(button)
            case placed.Sheet():
                assert self._view is not None
                asked = self._view.asked
                assert asked is not None
                given = asked.given if isinstance(asked.given, str) else ""
                draft = self._drafts.get(asked.item, given)
                self._sheet = Sheet(stage, each, draft, asked.max_length)
                self.add_widget(self._sheet)
            case placed.Lettered():
                self.canvas.add(Ink(stage, each, colour_of(each)))
            case placed.Card():
                ground = Ground[each.ground.name]
                with self.canvas:
                    plate = Plate(stage, stage.px(RADIUS_MM), **stage.place(each.box))
                plate.restyle(ground.face, ground.face)
            case placed.Rule():
                with self.canvas:
                    Color(*RULE)
                    Rectangle(**stage.place(each.box))

    def _write(self, deed: Deed) -> None:
        assert self._sheet is not None
        if deed.act is Act.LETTER:
            self._sheet.write(deed.told[0])
        else:
            self._sheet.delete()
        self._written()
        if deed.act is Act.LETTER and self._turned.keys is Keys.CAPITALS:
            self._turn(replace(self._turned, keys=Keys.LETTERS))

    def _written(self) -> None:
        """Keep what is written, and let it be handed in unless it is blank."""
        if self._sheet is None:
            return
        assert self._view is not None
        assert self._view.asked is not None
        self._drafts[self._view.asked.item] = self._sheet.written
        for button in self.buttons:
            if button.placed.deed.act is Act.WRITTEN:
                button.disabled = not self._sheet.written.strip()


def colour_of(words: Lettered) -> Colour:
    """What words on a ground are drawn in."""
    ground = Ground[words.ground.name]
    match words.tone:
        case Tone.HEADING:
            return ground.heading
        case Tone.PLAIN:
            return ground.words
        case Tone.QUIET:
            return ground.quiet
