"""Draws each screen of the real kiosk into build/screens, and prints the paths.

The kiosk runs as it does at a site, is tapped by xdotool, and is brought into each state by what
brings it there in life: a store that is locked, a folder that is missing, an invitation that is
published.
"""

import os
import time
import tomllib
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

from kiosk_window import KioskWindow
from lone_centre import LoneCentre, write_stamp
from PIL import ImageGrab
from pyvirtualdisplay.display import Display
from sqlalchemy import Engine

from sync_service.contract.publication import Invitation, Replies, Stands
from sync_service.contract.questionnaire import Questionnaire
from sync_service.contract.stamp import Stamp
from sync_service.outbox.database import StoreKey, open_store, writing
from sync_service.outbox.state import State

REPOSITORY: Final = Path(__file__).parents[2]
QUESTIONNAIRES: Final = REPOSITORY / "sync_service/collector/questionnaires"
PICTURES: Final = REPOSITORY / "build/screens"
SIZE: Final = (1280, 800)
KEY: Final = StoreKey(bytes(range(32)))
INVITATION: Final = Invitation(
    code=1,
    what={
        "en": "Help us plan the new reading room.",
        "cy": "Helpwch ni i gynllunio'r ystafell ddarllen newydd.",
    },
    when={"en": "Tuesdays at four o'clock", "cy": "Bob dydd Mawrth am bedwar o'r gloch"},
    whom={"en": "Ask for Siân at the desk", "cy": "Gofynnwch am Siân wrth y ddesg"},
)


def draw(name: str) -> None:
    """Take a picture of what is shown."""
    time.sleep(0.6)  # the X server has drawn it by then
    path = PICTURES / f"{name}.png"
    ImageGrab.grab(xdisplay=os.environ["DISPLAY"]).save(path)
    print(path)


class Sitting:
    """One kiosk that is drawn: its window and its store."""

    def __init__(self, window: KioskWindow, store: Engine) -> None:
        self.window = window
        self.store = store

    def tap(self, button: str) -> None:
        """Tap a button and wait for what comes of it."""
        self.window.tap(button)
        self.window.next_view()


@contextmanager
def sitting(stamp: Stamp) -> Iterator[Sitting]:
    """A kiosk that runs under a stamp, with a store of its own."""
    with TemporaryDirectory() as place, ExitStack() as closing:
        base = Path(place)
        write_stamp(stamp, base / "stamp")
        (base / "key").write_bytes(KEY.secret)
        store = open_store(base / "store.db", KEY)
        closing.callback(store.dispose)
        State(store).begin(stamp)
        window = closing.enter_context(KioskWindow(_settings(base, data=base)))
        window.wait_for("attract")
        yield Sitting(window, store)


def _settings(base: Path, data: Path) -> Path:
    settings = base / "kiosk.toml"
    settings.write_text(
        f'data = "{data}"\nstamp = "{base}/stamp"\nstore_key = "{base}/key"\n'
        f"width = {SIZE[0]}\nheight = {SIZE[1]}\nfullscreen = false\ntrace_view = true\n"
    )
    return settings


def questionnaire(name: str, *ask: str) -> Questionnaire:
    """A default questionnaire, with the items named one after another."""
    text = (QUESTIONNAIRES / f"{name}.toml").read_text(encoding="utf-8")
    asked = Questionnaire.from_document(tomllib.loads(text))
    return replace(asked, ask=tuple((item,) for item in ask)) if ask else asked


def each_kind_of_item(centre: LoneCentre, language: str) -> None:
    """From attract to thanks: a rating, one of five, a choice, a text, in one language."""
    asked = questionnaire("gp", "dignity", "involvement", "involved", "age_band", "fft_reason")
    stamp = centre.stamp(asked, site_name="Canton Medical Practice", languages=(language,))
    with sitting(stamp) as kiosk:
        draw(f"attract-{language}")
        kiosk.tap(f"answer-1-{language}")
        draw(f"rating-{language}")
        kiosk.tap(f"answer-2-{language}")
        draw(f"rating-of-five-{language}")
        kiosk.tap("back")
        draw(f"answered-before-{language}")
        kiosk.tap("next")
        kiosk.tap(f"answer-6-{language}")
        draw(f"choice-{language}")
        kiosk.tap(f"answer-6-{language}")
        draw(f"text-{language}")
        kiosk.window.settle()
        for letter in (
            "capitals",
            *"roedd",
            "space",
            *"pawb",
            "space",
            *"yn",
            "space",
            *"garedig.",
        ):
            kiosk.window.tap(f"key-{letter}")
        draw(f"text-written-{language}")
        kiosk.window.tap("next")
        kiosk.window.wait_for("thanks")
        draw(f"thanks-{language}")


def both_languages(centre: LoneCentre, stands: Stands, suffix: str) -> None:
    """A bilingual site, and the way to the other language."""
    with sitting(
        centre.stamp(questionnaire("library"), languages=("cy", "en"), stands=stands)
    ) as kiosk:
        draw(f"attract-bilingual{suffix}")
        kiosk.tap("answer-1-cy")
        draw(f"rating-cy-of-a-bilingual-site{suffix}")


def slow_and_failing_store(centre: LoneCentre) -> None:
    """A commit that takes long, then one that does not come off."""
    stamp = centre.stamp(questionnaire("library", "dignity"))
    with sitting(stamp) as kiosk, writing(kiosk.store):  # which locks the store
        kiosk.window.tap("answer-1-en")
        kiosk.window.next_view()
        kiosk.window.next_view()
        draw("saving-en")
        kiosk.window.wait_for("out_of_service")
        draw("not-saved-en")


def accepted_invitation(centre: LoneCentre) -> None:
    """Thanks that say how to help."""
    asked = questionnaire("library", "dignity", "willing")
    with sitting(centre.stamp(asked, languages=("en", "cy"))) as kiosk:
        State(kiosk.store).take(centre.publish(Replies("central-library", (INVITATION,))))
        kiosk.window.next_view()
        kiosk.tap("answer-1-en")
        draw("willing-en")
        kiosk.window.tap("answer-1-en")
        kiosk.window.wait_for("thanks")
        draw("thanks-invitation-en")


def no_store(centre: LoneCentre, *languages: str) -> None:
    """A kiosk whose folder is missing."""
    with TemporaryDirectory() as place:
        base = Path(place)
        write_stamp(centre.stamp(questionnaire("library"), languages=languages), base / "stamp")
        (base / "key").write_bytes(KEY.secret)
        with KioskWindow(_settings(base, data=base / "missing")) as window:
            window.wait_for("out_of_service")
            draw("out-of-service-" + "-".join(languages))


def main() -> None:
    """Draw every screen."""
    PICTURES.mkdir(parents=True, exist_ok=True)
    centre = LoneCentre()
    with Display(visible=False, size=SIZE, color_depth=24):
        for language in ("en", "cy"):
            each_kind_of_item(centre, language)
        both_languages(centre, Stands.EXIT, "")
        both_languages(centre, Stands.WAITING, "-waiting")
        slow_and_failing_store(centre)
        accepted_invitation(centre)
        no_store(centre, "en")
        no_store(centre, "cy", "en")


if __name__ == "__main__":
    main()
