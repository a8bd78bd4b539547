"""The chain: whatever is changed, left out or put elsewhere, the head is another."""

from hypothesis import given
from hypothesis import strategies as st

from sync_service.contract.chain import digest, first_link, link, links

LOG = bytes(16)
logs = st.lists(st.binary(min_size=1, max_size=8), min_size=2, max_size=6, unique=True)


def head(log_id, sealed):
    return links(first_link(log_id), 1, sealed)[-1]


@given(logs, st.data())
def test_any_other_log_has_another_head(sealed, data):
    position = data.draw(st.integers(0, len(sealed) - 1))
    left_out = sealed[:position] + sealed[position + 1 :]
    altered = [*sealed[:position], sealed[position] + b"!", *sealed[position + 1 :]]
    swapped = [*sealed[1:], sealed[0]]
    heads = {head(LOG, sealed), head(LOG, left_out), head(LOG, altered), head(LOG, swapped)}
    assert len(heads) == 4
    assert head(bytes([1] * 16), sealed) not in heads


@given(logs)
def test_a_log_can_be_proved_in_parts(sealed):
    whole = links(first_link(LOG), 1, sealed)
    assert links(whole[0], 2, sealed[1:]) == whole[1:]


def test_a_link_needs_the_digest_and_not_the_record():
    previous = first_link(LOG)
    assert links(previous, 1, [b"sealed"]) == [link(previous, 1, digest(b"sealed"))]
