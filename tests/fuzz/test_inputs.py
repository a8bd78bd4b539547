"""Whatever the fuzzer found a way through a decoder with gives a value or the named error still."""

import pytest
from decoders import DECODERS, check
from inputs import CORPUS, FOUND, file_name, read_inputs


@pytest.mark.parametrize("name", DECODERS)
def test_what_the_fuzzer_kept_gives_a_value_or_the_named_error(name: str) -> None:
    decoder = DECODERS[name]
    inputs = read_inputs(CORPUS, name)
    assert inputs
    for data in inputs + read_inputs(FOUND, name):
        check(decoder, data)
        check(decoder, decoder.around(data))


def test_every_file_of_inputs_is_of_a_decoder() -> None:
    names = {f"{file_name(name)}.hex" for name in DECODERS}
    assert {path.name for path in CORPUS.iterdir()} == names
    assert {path.name for path in FOUND.glob("*.hex")} <= names
