#!.venv/bin/python
"""Fuzz one decoder: `fuzzer.py --decoder=NAME FOLDER... -OPTION=VALUE...`, as libFuzzer has them.

libFuzzer starts this file anew when it merges, with the same arguments: so it can be executed.

Bytes are altered as libFuzzer does it, and of what is CBOR, in half of the cases, one value
instead: bytes alone hardly ever get past a head that says how long the next string is.
"""

import copy
import sys
from collections.abc import Callable
from random import Random
from typing import Any

import atheris

with atheris.instrument_imports(include=["sync_service"]):
    from decoders import DECODERS, Decoder, check, places
    from inputs import file_name

    from sync_service.contract import codec
    from sync_service.contract.error import MalformedError

EDGES = (0, 23, 24, 255, 256, 2**16 - 1, 2**16, 2**32 - 1, 2**32, 2**63 - 1, 2**63, 2**64 - 1)
GROWTH = 64
"""How much longer a string may become at a time."""


def target(decoder: Decoder) -> Callable[[bytes], None]:
    """What is fuzzed: a decoder, with what comes as it is, and under a seal or a signature."""

    def run(data: bytes) -> None:
        check(decoder, data)
        if decoder.around is not bytes:
            check(decoder, decoder.around(data))

    return run


def mutator(data: bytes, max_size: int, seed: int) -> bytes:
    """Bytes altered, or a value that they encode."""
    random = Random(seed)
    if random.random() < 0.5:
        return atheris.Mutate(data, max_size)
    try:
        value = codec.decode(data)
        alter(value, random)
        altered = codec.encode(value)
    except (MalformedError, TypeError):  # no CBOR of ours, before or after
        return atheris.Mutate(data, max_size)
    return altered if len(altered) <= max_size else data


def alter(value: Any, random: Random) -> None:
    """Replace, drop or double something in a value."""
    around = places(value)
    if not around:
        return
    container, key = random.choice(around)
    match random.choice(["alter", "alter", "edge", "move", "drop", "add"]):
        case "alter":
            container[key] = another(container[key], random)
        case "edge":
            container[key] = random.choice(EDGES) * random.choice([1, 1, -1])
        case "move":
            other, there = random.choice(around)
            container[key] = copy.deepcopy(other[there])
        case "drop":
            del container[key]
        case "add" if isinstance(container, list):
            container.insert(key, copy.deepcopy(container[key]))
        case _:
            container[another(key, random)] = copy.deepcopy(container[key])


def another(value: Any, random: Random) -> Any:
    """Another value of the same type; of a container, the same."""
    match value:
        case bytes():
            return atheris.Mutate(value, len(value) + GROWTH)
        case str():
            encoded = value.encode()
            return atheris.Mutate(encoded, len(encoded) + GROWTH).decode(errors="replace")
        case bool() | None:
            return random.choice([True, False, None])
        case int() if random.random() < 0.5:
            return value + random.choice([-1, 1])
        case int():  # in the form in which libFuzzer knows what numbers were compared with
            altered = atheris.Mutate(value.to_bytes(16, "little", signed=True)[:8], 8)
            return int.from_bytes(altered, "little")
    return value


def main() -> None:
    """Fuzz until the time is over or something breaks."""
    by_file = {file_name(name): decoder for name, decoder in DECODERS.items()}
    decoder = by_file[sys.argv[1].removeprefix("--decoder=")]
    mutators = {"custom_mutator": mutator} if decoder.cbor else {}
    atheris.Setup(sys.argv, target(decoder), **mutators)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
