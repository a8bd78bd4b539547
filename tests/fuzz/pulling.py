"""Have schemathesis try all that the pull API's description admits, and much that it doesn't.

A collector is run by its command, with some opened responses in it. What it sends must be as the
description says, no request may end in a fault of its own, and its memory may not grow.
"""

import argparse
import asyncio
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory

from collectors import Served, enrol, make_centre
from export import fill
from sqlalchemy import update

from sync_service.collector import tables
from sync_service.collector.config import Centre
from sync_service.collector.database import open_engine, writing
from sync_service.collector.pull.description import PATH
from sync_service.collector.pull.tokens import Tokens

SCHEMATHESIS = Path("build/fuzzers/bin/schemathesis").absolute()
RESPONSES = 1500
"""More than are read at a time."""

MOST_GROWTH_MB = 32


async def furnish(folder: Path) -> tuple[Centre, str]:
    """A collector with responses that can be pulled, and a token to pull them by."""
    centre = await make_centre(folder)
    await enrol(centre, 1)
    await fill(centre, RESPONSES)
    long_ago = datetime.now(UTC) - timedelta(days=3)
    engine = open_engine(centre.database_url)
    async with writing(engine) as connection:
        received_at = int(long_ago.timestamp())
        await connection.execute(update(tables.record).values(received_at=received_at))
    token = await Tokens(engine).add("schemathesis", long_ago.date())
    await engine.dispose()
    return centre, token


def try_out(served: Served, token: str, folder: str, *options: str) -> bool:
    """Let schemathesis try a collector; says whether all was well."""
    command = (
        *(SCHEMATHESIS, "run", f"{served.address}{PATH}/openapi.json"),
        *("--header", f"Authorization: Bearer {token}", "--checks", "all"),
        *("--exclude-checks", "positive_data_acceptance"),  # nobody can make up a cursor
        *("--continue-on-failure", *options),
    )
    return subprocess.run(command, cwd=folder, check=False).returncode == 0


def main() -> int:
    parser = argparse.ArgumentParser(description="Try the pull API by its description.")
    parser.add_argument("--examples", default="1000", help="for each route")
    asked = parser.parse_args()
    with TemporaryDirectory() as folder:
        centre, token = asyncio.run(furnish(Path(folder) / "collector"))
        with Served.by_command(centre) as served:
            well = try_out(served, token, folder, "--phases", "coverage")
            before = served.resident_mb  # by now it has done everything once
            phases = ("--phases", "fuzzing,stateful", "--max-examples", asked.examples)
            well &= try_out(served, token, folder, *phases)
            after = served.resident_mb
    print(f"The collector's memory: {before:.0f} MB before, {after:.0f} MB after")
    return int(not well or after - before > MOST_GROWTH_MB)


if __name__ == "__main__":
    sys.exit(main())
