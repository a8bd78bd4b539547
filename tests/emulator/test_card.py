"""The partitions of a card's image."""

import hashlib

from card import BOOT, DATA, ROOT, Card, Partition

SECTOR = 512


def card_of(tmp_path, *lengths):
    """A card with partitions of so many sectors, one after another, each filled with its number."""
    table, content, at = b"", b"", 1
    for number, length in enumerate(lengths, 1):
        entry = bytes(8) + at.to_bytes(4, "little") + length.to_bytes(4, "little")
        table += entry
        content += bytes([number]) * length * SECTOR
        at += length
    path = tmp_path / "card.img"
    path.write_bytes(bytes(446) + table.ljust(64, b"\0") + b"\x55\xaa" + content)
    return path


def test_partitions_are_where_the_table_says(tmp_path):
    card = Card.read(card_of(tmp_path, 2, 3, 1))

    assert card.partitions[:DATA] == (
        Partition(1 * SECTOR, 2 * SECTOR),
        Partition(3 * SECTOR, 3 * SECTOR),
        Partition(6 * SECTOR, 1 * SECTOR),
    )


def test_a_partitions_digest_is_that_of_all_its_bytes_and_no_others(tmp_path):
    path = card_of(tmp_path, 2, 3, 1)
    card = Card.read(path)
    before = {number: card.digest(number) for number in (BOOT, ROOT, DATA)}

    with path.open("r+b") as file:
        file.seek(card.partitions[DATA - 1].start)
        file.write(b"new")

    assert before[ROOT] == hashlib.sha256(b"\x02" * 3 * SECTOR).hexdigest()
    changed = {number for number in before if card.digest(number) != before[number]}
    assert changed == {DATA}
