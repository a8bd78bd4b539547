"""Storing one response as the kiosk does, against a bare append and fsync of 4 KiB."""

import os
import statistics
from argparse import ArgumentParser
from random import Random

from measuring import folder, median_ratio, take_turns, tell
from respondents import response

from sync_service.contract.record import encode_record
from sync_service.contract.sealing import OpeningKey, generate_opening_key
from sync_service.outbox.database import StoreKey, open_store
from sync_service.outbox.outbox import Outbox

PAGE = os.urandom(4096)
BEFORE = 500
"""Responses put before any is measured: the -wal file has its full length then, as in service."""


def main() -> None:
    parser = ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=600, help="without it: %(default)s")
    rounds = parser.parse_args().rounds

    random = Random(1)
    sealing_key = OpeningKey(generate_opening_key()).sealing_key
    with folder() as place, (place / "appended").open("ab", buffering=0) as file:
        store = open_store(place / "store.db", StoreKey(os.urandom(32)))
        outbox = Outbox(store)

        def append() -> None:
            file.write(PAGE)
            os.fsync(file.fileno())

        def seal() -> tuple[bytes, int]:
            said = response(random)
            return sealing_key.seal(encode_record(said), outbox.log_id), said.moment.half_day

        def put() -> None:
            """What the kiosk's writer does with a response, from its end to its thank-you."""
            outbox.put(*seal())

        for _ in range(BEFORE):
            put()
        took = take_turns(rounds, {"append": append, "put": put, "seal": seal})
        assert outbox.extent().head.seq == BEFORE + rounds + 1
        store.dispose()

    tell(
        "store",
        figures={
            "put_ms": 1000 * statistics.median(took["put"]),
            "put_p99_ms": 1000 * statistics.quantiles(took["put"], n=100)[-1],
            "seal_ms": 1000 * statistics.median(took["seal"]),
        },
        baselines={
            "fsync_ms": 1000 * statistics.median(took["append"]),
            "fsync_p99_ms": 1000 * statistics.quantiles(took["append"], n=100)[-1],
        },
        ratios={
            "put_to_fsync": statistics.median(took["put"]) / statistics.median(took["append"]),
            "put_to_fsync_by_round": median_ratio(took["put"], took["append"]),
        },
    )


if __name__ == "__main__":
    main()
