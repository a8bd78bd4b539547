"""The kiosk's screen, against Debian's Chromium with an equal page.

The real kiosk with its store open, on the panel that most sites have, drawn in software. Chromium
shows a page with the same words and the same buttons in the same places; both start by turns, and
all that either starts is counted. Ready is when the panel shows the buttons, seen from outside.
"""

import re
import shutil
import statistics
import subprocess
import tomllib
from argparse import ArgumentParser
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from html import escape
from pathlib import Path
from time import monotonic, sleep

from kiosk_window import KioskWindow, Seen
from lone_centre import LoneCentre, write_stamp
from measuring import folder, say, tell
from panel import Panel, panel
from processes import Processes, adopt_orphans

import sync_service.collector
from kiosk_app.languages.catalogue import read_catalogues
from sync_service.contract.questionnaire import Questionnaire

SIZE = (1280, 800)
LANGUAGE = "en"
DEFAULT = Path(sync_service.collector.__file__).parent / "questionnaires/library.toml"
START_S = 60.0
CALM_S = 3.0
"""After the first frame, until memory is read and idleness is watched."""

PRESS_S = 0.08
"""How long a finger stays down."""

REPEAT_S = 0.7
"""Between two taps: sooner, they could be taken for a tremor."""

QUIET_S = 0.3
"""A screen that has not changed for so long is drawn."""

DEED = re.compile(r"info deed at=([\d.]+)")
CHROMIUM = (
    *("chromium", "--kiosk", "--no-sandbox", "--no-first-run"),
    # Its own errands would ask the network while it is measured: no name is found.
    "--host-resolver-rules=MAP * ~NOTFOUND",
    # There is no window manager to give it the whole panel.
    *("--window-position=0,0", "--window-size={},{}".format(*SIZE)),
)


class Site:
    """What the kiosk starts from, made anew for each start; and the page that equals it."""

    def __init__(self, place: Path) -> None:
        self.place = place
        self.questionnaire = Questionnaire.from_document(tomllib.loads(DEFAULT.read_text()))
        stamp = LoneCentre().stamp(self.questionnaire, languages=(LANGUAGE,))
        write_stamp(stamp, place / "stamp")
        (place / "key").write_text("5a" * 32)

    @contextmanager
    def kiosk(self, heard: Callable[[str], None] = lambda line: None) -> Iterator[KioskWindow]:
        """The kiosk, with a new store."""
        data = self.place / "data"
        data.mkdir()
        settings = self.place / "kiosk.toml"
        settings.write_text(
            f'data = "{data}"\nstamp = "{self.place}/stamp"\nstore_key = "{self.place}/key"\n'
            "fullscreen = true\ntrace_view = true\nthanks_s = 60\n"
        )
        with KioskWindow(settings, heard) as window:
            yield window
            window.terminate()
        shutil.rmtree(data)

    @contextmanager
    def chromium(self) -> Iterator[None]:
        """Debian's Chromium with the page, as on its first day."""
        profile = self.place / "profile"
        with subprocess.Popen(
            [*CHROMIUM, f"--user-data-dir={profile}", (self.place / "page.html").as_uri()],
            stderr=subprocess.DEVNULL,
        ) as process:
            try:
                yield
            finally:
                process.terminate()
        shutil.rmtree(profile)

    def write_page(self, seen: Seen, on: Panel) -> None:
        """Write the page: what the kiosk shows, in the colours that the panel shows."""
        words = read_catalogues()[LANGUAGE]
        assert seen.item is not None
        item = self.questionnaire.item(seen.item)
        texts = {f"skip-{LANGUAGE}": words.skip, f"about-{LANGUAGE}": words.about}
        for place, option in enumerate(item.options, 1):
            texts[f"answer-{place}-{LANGUAGE}"] = option.text[LANGUAGE]
        buttons = "".join(
            f'<button style="left:{x}px;top:{y}px;width:{width}px;height:{height}px;'
            f'background:{on.colour(*spot(x, y, height))}">{escape(texts[name])}</button>\n'
            for name, (x, y, width, height) in seen.boxes.items()
        )
        (self.place / "page.html").write_text(
            f"""<!doctype html><html lang="{LANGUAGE}"><meta charset="utf-8"><style>
body {{ margin: 28px 40px; background: {on.colour(2, 2)}; font: 30px sans-serif }}
button {{ position: absolute; border: 2px solid; border-radius: 14px; font: inherit }}
</style><p>Central Library<p>{escape(words.touch_an_answer)}
<h1>{escape(item.text[LANGUAGE])}</h1>
{buttons}</html>
"""
        )


def spot(x: int, y: int, height: int) -> tuple[int, int]:
    """A place on a button's face where no word stands."""
    return x + 4, y + height // 2


def ready(seen: Seen, on: Panel) -> dict[tuple[int, int], str]:
    """The colours by which the panel shows each button."""
    spots = (spot(x, y, height) for x, y, _, height in seen.boxes.values())
    return {place: on.colour(*place) for place in spots}


class Taken:
    """What was measured of one program, start by start."""

    def __init__(self) -> None:
        self.cpu_ms: list[float] = []
        self.ready_ms: list[float] = []
        self.pss_mb: list[float] = []
        self.rss_mb: list[float] = []
        self.idle_cpu_percent: list[float] = []

    def take(
        self,
        processes: Processes,
        on: Panel,
        colours: dict[tuple[int, int], str],
        *,
        idle_s: float,
    ) -> None:
        """Measure a program that was started just now."""
        on.wait_for(colours, START_S)
        self.ready_ms.append(1000 * (monotonic() - processes.made_at))
        self.cpu_ms.append(1000 * processes.cpu_s())
        sleep(CALM_S)
        self.pss_mb.append(processes.memory_mb("Pss"))
        self.rss_mb.append(processes.memory_mb("Rss"))
        before = processes.cpu_s()
        sleep(idle_s)
        self.idle_cpu_percent.append(100 * (processes.cpu_s() - before) / idle_s)

    def medians(self, program: str) -> dict[str, float]:
        return {f"{program}_{name}": statistics.median(took) for name, took in vars(self).items()}


class Taps:
    """Taps on answers that lead to another question, and how long each took."""

    def __init__(self) -> None:
        self.to_handler_ms: list[float] = []
        self.to_screen_ms: list[float] = []

    def take(self, site: Site, on: Panel, count: int) -> None:
        """Tap answers, session after session."""
        deeds: list[float] = []

        def heard(line: str) -> None:
            if found := DEED.fullmatch(line):
                deeds.append(float(found[1]))

        with site.kiosk(heard) as window:
            window.wait_for("attract")
            while len(self.to_screen_ms) < count:
                shown = window.shown
                assert shown is not None
                sleep(REPEAT_S)
                if shown.screen not in ("attract", "asking"):
                    on.put_finger(SIZE[0] // 2, SIZE[1] // 2)
                    on.lift_finger()
                    window.wait_for("attract")
                    continue
                on.put_finger(*shown.buttons[f"answer-1-{LANGUAGE}"])
                sleep(PRESS_S)
                deeds.clear()
                lifted_at = on.lift_finger()
                drawn_at = on.last_change(QUIET_S)
                if window.next_view().screen == "saving":
                    window.next_view()
                elif window.shown.screen == "asking":
                    self.to_handler_ms.append(1000 * (deeds[0] - lifted_at))
                    self.to_screen_ms.append(1000 * (drawn_at - lifted_at))


def main() -> None:
    parser = ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5, help="starts: %(default)s")
    parser.add_argument("--taps", type=int, default=60, help="taps: %(default)s")
    parser.add_argument("--idle", type=float, default=20, help="seconds watched: %(default)s")
    arguments = parser.parse_args()

    adopt_orphans()
    kiosk, chromium, taps = Taken(), Taken(), Taps()
    with folder() as place, panel(SIZE) as on:
        site = Site(place)
        with site.kiosk() as window:
            seen = window.wait_for("attract")
            sleep(CALM_S)
            site.write_page(seen, on)
            colours = ready(seen, on)
        for number in range(1, arguments.rounds + 1):
            processes = Processes()
            with site.kiosk():
                kiosk.take(processes, on, colours, idle_s=arguments.idle)
            processes.wait(START_S)
            processes = Processes()
            with site.chromium():
                chromium.take(processes, on, colours, idle_s=arguments.idle)
            processes.wait(START_S)
            say(f"round {number} of {arguments.rounds}")
        taps.take(site, on, arguments.taps)

    figures, baselines = kiosk.medians("kiosk"), chromium.medians("chromium")
    tell(
        "kiosk",
        figures={
            "idle_cpu_percent": figures.pop("kiosk_idle_cpu_percent"),
            "tap_to_handler_ms": statistics.median(taps.to_handler_ms),
            "tap_to_screen_ms": statistics.median(taps.to_screen_ms),
            **figures,
        },
        baselines=baselines,
        ratios={
            "pss_to_chromium": figures["kiosk_pss_mb"] / baselines["chromium_pss_mb"],
            "cpu_to_chromium": figures["kiosk_cpu_ms"] / baselines["chromium_cpu_ms"],
        },
    )


if __name__ == "__main__":
    main()
