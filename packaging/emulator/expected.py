"""What a kiosk's screen is expected to show, pixel by pixel, and where its buttons are."""

from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from multiprocessing import get_context
from typing import Final

import views
from easel import Easel
from PIL import Image, ImageChops
from pyvirtualdisplay.display import Display

from kiosk_app.layout.panel import Panel
from kiosk_app.session import Progress
from kiosk_app.view import Screen, View
from sync_service.contract.questionnaire import Questionnaire

SAME: Final = 0.01
"""Of how many of its pixels a picture may be another, and show the same: edges of letters and
faces are smoothed by other means on other machines."""

_VISIBLE: Final = 48
"""From how large a difference on, of 255, a pixel is another."""


@dataclass(frozen=True)
class Expected:
    """A screen: its name, its picture, and the middle of each button. ``item`` is what it asks."""

    name: str
    item: int | None
    picture: Image.Image
    buttons: Mapping[str, tuple[int, int]]


def difference(one: Image.Image, other: Image.Image) -> float:
    """The share of pixels that are not the same in two pictures."""
    if one.size != other.size:
        return 1.0
    # The channel that differs most says how far a pixel is off.
    red, green, blue = ImageChops.difference(one, other).split()
    farthest = ImageChops.lighter(ImageChops.lighter(red, green), blue)
    counts = farthest.histogram()
    return sum(counts[_VISIBLE:]) / sum(counts)


def recognise(picture: Image.Image, screens: Sequence[Expected]) -> Expected | None:
    """Which of the screens a picture shows, if it is one of them."""
    likeliest = min(screens, key=lambda screen: difference(picture, screen.picture))
    return likeliest if difference(picture, likeliest.picture) <= SAME else None


def draw(panel: Panel, questionnaire: Questionnaire, language: str) -> list[Expected]:
    """Every screen of a pass through a questionnaire, at the demo's site, by a way out.

    They are drawn in a process of their own, as a process can have one window only.
    """
    size = (panel.width_px, panel.height_px)
    with (
        Display(visible=False, size=size, color_depth=24),
        ProcessPoolExecutor(1, mp_context=get_context("spawn")) as drawer,
    ):
        return drawer.submit(_draw, panel, questionnaire, language).result()


def _draw(panel: Panel, questionnaire: Questionnaire, language: str) -> list[Expected]:
    with Easel(panel) as easel:
        drawn = []
        for name, view in _views(questionnaire, language):
            easel.show(view)
            boxes = {button.name: button.box for button in easel.layout.buttons}
            middles = {
                name: (box.x + box.width // 2, box.y + box.height // 2)
                for name, box in boxes.items()
            }
            item = None if view.asked is None else view.asked.item
            drawn.append(Expected(name, item, easel.picture(), middles))
        return drawn


def _views(questionnaire: Questionnaire, language: str) -> Iterator[tuple[str, View]]:
    total = len(questionnaire.ask)
    for number, step in enumerate(questionnaire.ask, 1):
        for name in step:
            item = questionnaire.by_name(name)
            if number == 1:
                yield "attract", views.attract(item, language)
                continue
            view = views.asking(item, language)
            assert view.asked is not None
            asked = replace(view.asked, progress=Progress(number, total), can_go_back=True)
            yield f"asking-{name}", replace(view, asked=asked)
    for screen in (Screen.STILL_THERE, Screen.PAUSED, Screen.THANKS, Screen.DISCARDED):
        yield screen.value, View(screen, views.SITE, (language,))
