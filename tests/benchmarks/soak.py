"""The kiosk's screen, used day after day: memory and time a session, at first and at the end.

Real app, pages, writer and store on a virtual panel, and people who press what they like, some of
whom walk away, write, read, go back or wipe the screen. Nobody waits, so months pass in minutes.
"""

import gc
import os
import statistics
import time
from argparse import ArgumentParser
from random import Random

from measuring import folder, say, tell
from passers_by import PassersBy
from processes import memory_mb
from pyvirtualdisplay.display import Display

from kiosk_app.layout.panel import PANELS
from kiosk_app.ui.window import prepare

PANEL = PANELS["7-800x480"]
"""The smallest: what gathers does not depend on it, and it is drawn in the least time."""

FIRST = 500
"""So many sessions fill what is kept on purpose."""


def main() -> None:
    parser = ArgumentParser(description=__doc__)
    parser.add_argument("--sessions", type=int, default=20_000, help="without it: %(default)s")
    sessions = parser.parse_args().sessions
    memory: dict[int, dict[str, float]] = {}
    took: list[float] = []
    last = 0.0

    def ended(number: int) -> None:
        nonlocal last
        if number > 1:
            took.append(time.monotonic() - last)
        if number in (FIRST, sessions):
            gc.collect()
            memory[number] = {kind: memory_mb(os.getpid(), kind) for kind in ("Pss", "Rss")}
        if number % 1000 == 0:
            say(f"{number} sessions, {memory_mb(os.getpid(), 'Rss'):.1f} MB")
        last = time.monotonic()

    with folder() as place, Display(backend="xvfb", size=(PANEL.width_px, PANEL.height_px)):
        prepare(home=place, panel=PANEL, fullscreen=False)
        PassersBy(place, PANEL, Random(1)).use(sessions, ended)

    early, late = took[:FIRST], took[-FIRST:]
    tell(
        "soak",
        figures={
            "sessions": sessions,
            f"pss_after_{FIRST}_mb": memory[FIRST]["Pss"],
            "pss_at_the_end_mb": memory[sessions]["Pss"],
            f"rss_after_{FIRST}_mb": memory[FIRST]["Rss"],
            "rss_at_the_end_mb": memory[sessions]["Rss"],
            f"session_ms_in_the_first_{FIRST}": 1000 * statistics.median(early),
            f"session_ms_in_the_last_{FIRST}": 1000 * statistics.median(late),
        },
        baselines={},
        ratios={
            "rss_end_to_beginning": memory[sessions]["Rss"] / memory[FIRST]["Rss"],
            "pss_end_to_beginning": memory[sessions]["Pss"] / memory[FIRST]["Pss"],
            "session_end_to_beginning": statistics.median(late) / statistics.median(early),
        },
    )


if __name__ == "__main__":
    main()
