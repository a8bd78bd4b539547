"""What is placed on the screen: boxes in pixels from the panel's upper left corner."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final, TypeAlias

from kiosk_app.layout.lettering import Style


@dataclass(frozen=True, slots=True)
class Box:
    """A part of the panel."""

    x: int
    y: int
    width: int
    height: int

    @property
    def right(self) -> int:
        """The first column right of it."""
        return self.x + self.width

    @property
    def bottom(self) -> int:
        """The first row under it."""
        return self.y + self.height

    def inset(self, across: int, down: int) -> "Box":
        """The box within it that leaves room at each side."""
        return Box(self.x + across, self.y + down, self.width - 2 * across, self.height - 2 * down)


class Align(StrEnum):
    """Where in its box a line stands."""

    LEFT = "left"
    CENTRE = "centre"


class Ground(StrEnum):
    """What something stands on: the page, what the service says, how late it is with it."""

    PAGE = "page"
    NOTICE = "notice"
    LATE = "late"


class Tone(StrEnum):
    """How loud words are."""

    HEADING = "heading"
    PLAIN = "plain"
    QUIET = "quiet"


class Look(StrEnum):
    """How a button looks: what is asked for, what is offered beside it, what is at the edge."""

    STRONG = "strong"
    PLAIN = "plain"
    QUIET = "quiet"


class Act(StrEnum):
    """What a respondent can do. The last five stay on the page; the kiosk does not hear of them."""

    ANSWER = "answer"
    SKIP = "skip"
    BACK = "back"
    STOP = "stop"
    LANGUAGE = "language"
    STILL_HERE = "still_here"
    SOMEONE_NEW = "someone_new"
    ABOUT = "about"
    REPLIES = "replies"
    NEXT_REPLY = "next_reply"
    PREVIOUS_REPLY = "previous_reply"
    VERDICT = "verdict"
    DISMISS = "dismiss"

    LEAF = "leaf"
    KEYS = "keys"
    LETTER = "letter"
    DELETE = "delete"
    WRITTEN = "written"


CHOICES: Final = (Act.ANSWER, Act.STILL_HERE, Act.SOMEONE_NEW, Act.VERDICT)
"""What a page is there to have chosen."""


@dataclass(frozen=True, slots=True)
class Deed:
    """What a button does, and what is told with it, in the order in which the kiosk takes it."""

    act: Act
    told: tuple[Any, ...] = ()


@dataclass(frozen=True, slots=True)
class Lettered:
    """Words in lines, in the middle of their box from top to bottom."""

    box: Box
    lines: tuple[str, ...]
    style: Style
    align: Align = Align.LEFT
    tone: Tone = Tone.PLAIN
    ground: Ground = Ground.PAGE

    def ink_box(self, width: int, height: int) -> Box:
        """Where the letters are, which together are so wide and so high."""
        box = self.box
        x = box.x + (box.width - width) // 2 if self.align is Align.CENTRE else box.x
        return Box(x, box.y + (box.height - height) // 2, width, height)


@dataclass(frozen=True, slots=True)
class Face:
    """A face of a scale, in a square: at a ``place``, counted from 1, the best, ``of`` so many."""

    box: Box
    place: int
    of: int


@dataclass(frozen=True, slots=True)
class Button:
    """A button. ``name`` tells those of a screen apart; a ``marked`` one was answered before."""

    box: Box
    name: str
    words: Lettered
    deed: Deed
    look: Look
    face: Face | None = None
    mark: Box | None = None


@dataclass(frozen=True, slots=True)
class Card:
    """A piece of ground under words."""

    box: Box
    ground: Ground


@dataclass(frozen=True, slots=True)
class Rule:
    """A line between two parts of a page."""

    box: Box


@dataclass(frozen=True, slots=True)
class Sheet:
    """What a respondent writes on, with what stands there before anything is written."""

    box: Box
    text_box: Box
    style: Style
    prompt: tuple[str, ...]


Placed: TypeAlias = Lettered | Button | Card | Rule | Sheet


@dataclass(frozen=True, slots=True)
class Layout:
    """A page: what stands on it, in the order in which it is drawn and read out.

    ``anywhere`` is what a tap does, wherever it is.
    """

    placed: tuple[Placed, ...]
    anywhere: Deed | None = None

    @property
    def buttons(self) -> tuple[Button, ...]:
        """The buttons on the page."""
        return tuple(each for each in self.placed if isinstance(each, Button))

    @property
    def choices(self) -> tuple[Deed, ...]:
        """What there is to choose, by its places: what buttons beside the screen do.

        Where a question stands there in two languages, a place is the same answer in both, and
        nobody can tell which was read: it is given in the first. On a page of doors they are the
        choice.
        """
        deeds = [button.deed for button in self.buttons if button.look is not Look.QUIET]
        # An answer given before stands there a second time, as the way on.
        chosen = [*dict.fromkeys(deed for deed in deeds if deed.act in CHOICES)]
        spoken = [deed.told[-1] for deed in chosen if deed.act is Act.ANSWER]
        if spoken:
            return tuple(deed for deed in chosen if deed.told[-1] == spoken[0])
        return tuple(chosen or (deed for deed in deeds if deed.act is Act.LANGUAGE))
