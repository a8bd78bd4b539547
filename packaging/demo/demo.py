"""``make demo``: the whole chain on this machine, from a tap to the export, hop by hop.

With a display, the kiosk's window opens and you are the citizen; Ctrl-C ends. Without one, or with
``--once``, a scripted citizen taps the real window on a virtual display. Either way the collector
is stopped in the middle and started again. With ``--once`` the demo ends by itself, and succeeds
only if every response that got its thank-you is in the export exactly once.

With ``--hardware fake`` there is a second window: buttons with lamps, a sensor and a case that are
not there, but that the kiosk takes for real.
"""

import argparse
import csv
import os
import shutil
import sys
import time
from collections import Counter
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from random import Random
from typing import Final

from board import HEIGHT, Board
from chain import Chain, ChainError
from citizen import ANSWER, BACK, SKIP, Citizen, Told, read_export
from journey import Journey
from kiosk_window import KioskWindow, WindowError
from pyvirtualdisplay.display import Display

from sync_service.collector.publishing import read_questionnaire

REPOSITORY: Final = Path(__file__).parents[2]
FOLDER: Final = REPOSITORY / "build/demo"
QUESTIONNAIRE: Final = REPOSITORY / "sync_service/collector/questionnaires/library.toml"
SIZE: Final = (1280, 800)
DRAIN_S: Final = 60.0
AWAY_S: Final = 30.0
"""How long the collector stays away while nobody taps."""

ROWS: Final = 4
_IN_THE_MIDDLE: Final = 2


class Narrator:
    """Says who did what, and when."""

    def __init__(self) -> None:
        self._begun = time.monotonic()
        self.thanks = 0

    def say(self, who: str, what: str) -> None:
        """Say one thing."""
        print(f"{time.monotonic() - self._begun:6.1f} s  {who:<10} {what}", flush=True)

    def heard(self, part: str, line: str) -> None:
        """Take from what the parts print what a citizen or the central team would notice."""
        if part == "kiosk" and "screen=thanks" in line:
            self.thanks += 1
            self.say("kiosk", f"thank-you number {self.thanks} is on the screen")
        elif part == "kiosk" and line.startswith(("warning part", "info part")):
            self.say("kiosk", line)
        elif part == "kiosk" and line.startswith("error failed"):
            self.say("kiosk", f"{line}; it is started again")
        elif part == "agent" and line.startswith(("warning", "error")):
            self.say("agent", line)
        elif "contact made" in line or "enrolment asked for" in line:
            self.say(part, line)


def main() -> int:
    """Run the demo."""
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--once", action="store_true", help="end by itself, and judge")
    arguments.add_argument("--hardware", choices=["fake"], help="with a board beside the screen")
    told = arguments.parse_args()
    once, hardware = told.once, told.hardware is not None
    scripted = once or not os.environ.get("DISPLAY")
    shutil.rmtree(FOLDER, ignore_errors=True)
    narrator = Narrator()
    try:
        with ExitStack() as closing:
            if scripted:
                size = (SIZE[0], SIZE[1] + (HEIGHT if hardware else 0))
                closing.enter_context(Display(visible=False, size=size))
            chain = closing.enter_context(Chain(FOLDER, heard=narrator.heard))
            board = None
            if hardware:
                under = (0, SIZE[1]) if scripted else None
                board = closing.enter_context(Board(chain.data / "fake", under))
            return run(chain, narrator, board, scripted=scripted)
    except KeyboardInterrupt:
        narrator.say("demo", "ended by Ctrl-C; everything it started has ended")
        return 130
    except (ChainError, WindowError) as error:
        print(f"The demo failed: {error}", file=sys.stderr)
        return 1


def run(chain: Chain, narrator: Narrator, board: Board | None, *, scripted: bool) -> int:
    """From founding a centre to reading its export."""
    say = narrator.say
    chain.found()
    say("centre", "made: keys, certificates, database, questionnaires published")
    chain.open_site()
    chain.stamp_kiosk()
    say("centre", f"a site entered and its kiosk stamped: {chain.stamp}")
    chain.start_collector()
    say("collector", f"serves on port {chain.port}, its opener beside it")
    window = chain.start_kiosk(restarts=True, hardware=board is not None)
    window.wait_for("attract")
    if board is not None and scripted:
        window.pointer("windowmove", window.window, "0", "0")
    say("kiosk", "asks in English and Welsh")
    chain.start_agent()
    journey = Journey(
        chain.data / "store.db", chain.store_key, chain.centre / "collector.db", narrator.say
    )
    journey.start()
    try:
        if scripted:
            told = follow_script(chain, window, narrator, board)
        else:
            told = None
            let_people_tap(chain, window, narrator)
        finish(chain, window, journey, narrator)
    finally:
        journey.stop()
    folder = export(chain, narrator)
    return 0 if told is None or judge(told, folder) else 1


def follow_script(
    chain: Chain, window: KioskWindow, narrator: Narrator, board: Board | None
) -> list[Told]:
    """Respond seven times, three of them while the collector is away."""
    citizen = Citizen(window, read_questionnaire(QUESTIONNAIRE), "exit", Random(), board)

    def respond(language: str, moves: Sequence[str] = ()) -> None:
        told = citizen.respond(language, moves)
        given = ", ".join(f"{item}: {answer}" for item, answer in sorted(told.answers))
        skipped = f"; skipped {', '.join(sorted(told.skipped))}" if told.skipped else ""
        narrator.say("citizen", f"{told.language}: {given or 'nothing'}{skipped}")

    respond("en")
    respond("cy")
    respond("en", (SKIP,))
    take_away(chain, narrator)
    respond("cy", (ANSWER, BACK))
    respond("en", (ANSWER, SKIP))
    respond("en")
    bring_back(chain, narrator)
    respond("cy")
    if board is not None:
        narrator.say("citizen", f"{citizen.pressed} answers were given by buttons")
    return citizen.thanked


def let_people_tap(chain: Chain, window: KioskWindow, narrator: Narrator) -> None:
    """Until Ctrl-C, or until the window is closed."""
    narrator.say("demo", "the window is yours: tap an answer. Ctrl-C ends the demo.")
    away_since: float | None = None
    back = False
    try:
        while window.running:
            time.sleep(0.2)
            if away_since is None and narrator.thanks >= _IN_THE_MIDDLE:
                take_away(chain, narrator)
                away_since = time.monotonic()
            elif away_since is not None and not back:
                tapped = narrator.thanks >= 2 * _IN_THE_MIDDLE
                if tapped or time.monotonic() - away_since > AWAY_S:
                    bring_back(chain, narrator)
                    back = True
    except KeyboardInterrupt:
        narrator.say("demo", "Ctrl-C: what is open is committed, delivered and exported")
        if away_since is not None and not back:
            bring_back(chain, narrator)


def take_away(chain: Chain, narrator: Narrator) -> None:
    """Stop the collector, as a lost network would."""
    narrator.say("demo", "the collector is taken away: what is tapped now waits in the outbox")
    chain.stop_collector()


def bring_back(chain: Chain, narrator: Narrator) -> None:
    """Start the collector again."""
    narrator.say("demo", "the collector is brought back: the backlog will drain")
    chain.start_collector()


def finish(chain: Chain, window: KioskWindow, journey: Journey, narrator: Narrator) -> None:
    """End the kiosk, wait until all that it recorded is opened, end the rest."""
    if window.running:
        window.terminate()
    if not journey.wait_for_all(narrator.thanks, DRAIN_S):
        raise ChainError("not everything that was recorded has arrived; see build/demo/logs")
    chain.stop_agent()
    chain.stop_collector()
    narrator.say("demo", "kiosk, agent, collector and opener have ended")


def export(chain: Chain, narrator: Narrator) -> Path:
    """Export, and show where it is and its first rows."""
    folder = chain.export(chain.folder / "export")
    responses = folder / "responses.csv"
    with responses.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    narrator.say("export", f"{len(rows)} responses in {responses}")
    shown = ("date", "half_day", "language", "answer_dignity", "answer_involvement")
    print("\n  " + "".join(f"{name:<19}" for name in ("response_id", *shown)))
    for row in rows[:ROWS]:
        cells = (f"{row['response_id'][:12]}…", *(row[name] or "-" for name in shown))
        print("  " + "".join(f"{cell:<19}" for cell in cells))
    print()
    return folder


def judge(told: Sequence[Told], folder: Path) -> bool:
    """Whether every response that got its thank-you is in the export exactly once."""
    thanked, exported = Counter(told), Counter(read_export(folder).values())
    if thanked == exported:
        print(f"All {len(told)} responses that got their thank-you are in the export, each once.")
        return True
    for what, difference in (("missing", thanked - exported), ("too many", exported - thanked)):
        for one, count in difference.items():
            print(f"{what} in the export: {count} x {one}", file=sys.stderr)
    return False


if __name__ == "__main__":
    sys.exit(main())
