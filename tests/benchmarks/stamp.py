"""Stamping a list of kiosks and inspecting each, against the hashing of their PINs alone."""

import io
import time
from argparse import ArgumentParser
from contextlib import redirect_stdout

from measuring import folder, tell

from kiosk_app.layout.panel import PANELS
from sync_service.collector.__main__ import main as collector
from sync_service.contract.pin import PinHash, new_pin


def main() -> None:
    parser = ArgumentParser(description=__doc__)
    parser.add_argument("--kiosks", type=int, default=100, help="without it: %(default)s")
    kiosks = parser.parse_args().kiosks

    with folder() as place:
        centre = place / "centre"
        run("init", centre, "--address", "https://localhost:8443")
        here = ("--folder", centre)
        run("organisation", "add", "council", "Northvale Council", *here)
        run("place", "add", "E07000999", "Northvale", *here)
        run("service", "add", "libraries", "Libraries", "--organisation", "council", *here)
        at = ("--service", "libraries", "--place", "E07000999", "--stands", "exit")
        asks = ("--languages", "en", "cy", "--questionnaire", "library")
        lines = ["site,name,panel,call,link,ssid,passphrase"]
        for number in range(kiosks):
            site = f"site-{number}"
            run("site", "add", site, f"Library of Town {number}", *at, *asks, *here)
            panel = [*PANELS][number % len(PANELS)]
            lines.append(f"{site},desk,{panel},Ana,wifi,Council,three quiet words")
        (place / "kiosks.csv").write_text("\n".join(lines))

        began = time.perf_counter()
        for _ in range(kiosks):
            PinHash.of(new_pin())
        hashed = time.perf_counter()
        run("stamp", "--csv", place / "kiosks.csv", place / "stamps", *here)
        stamped = time.perf_counter()
        parcels = [*(place / "stamps").iterdir()]
        assert len(parcels) == kiosks
        run("inspect", *parcels)
        inspected = time.perf_counter()

    tell(
        "stamp",
        figures={
            "kiosks": kiosks,
            "stamp_s": stamped - hashed,
            "inspect_s": inspected - stamped,
            "both_s": inspected - hashed,
        },
        baselines={"hash_s": hashed - began},
        ratios={"both_to_hash": (inspected - hashed) / (hashed - began)},
    )


def run(*argv: object) -> None:
    """Run one of the collector's commands, which must succeed."""
    with redirect_stdout(io.StringIO()):
        assert collector([*map(str, argv)]) == 0, argv


if __name__ == "__main__":
    main()
