"""The chain that lets a log prove itself: each link commits to all the records before it.

A link is over the digest of a sealed record, not the record, so that a record whose bytes were
lawfully dropped still takes its place in the proof.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from hashlib import sha256
from typing import Final

LINK_LENGTH: Final = 32


@dataclass(frozen=True, slots=True)
class Head:
    """The newest record of a log, or of a part of it: its seq and its link."""

    seq: int
    link: bytes


def first_link(log_id: bytes) -> bytes:
    """The link before seq 1."""
    return sha256(b"regard/1 log\x00" + log_id).digest()


def digest(sealed: bytes) -> bytes:
    """What a link commits to of a sealed record."""
    return sha256(sealed).digest()


def link(previous: bytes, seq: int, record_digest: bytes) -> bytes:
    """The link of the record ``seq``, given the link before it."""
    return sha256(b"regard/1 link\x00" + previous + seq.to_bytes(8, "big") + record_digest).digest()


def links(previous: bytes, first_seq: int, sealed: Iterable[bytes]) -> list[bytes]:
    """The links of consecutive sealed records, one a record."""
    found = []
    for seq, record in enumerate(sealed, start=first_seq):
        previous = link(previous, seq, digest(record))
        found.append(previous)
    return found
