"""The first boot: a card's data partition grows to the card's end, and its kiosk settles in."""

import json
import os
import subprocess
from pathlib import Path

import pytest
from cards import MARK, drive, run
from stamps import WIFI, stamped

from kiosk_app.__main__ import settle
from sync_service.collector.card_image import MARK_FILE, CardImage
from sync_service.collector.inspection import Inspector
from sync_service.contract.stamp import PACKED_FILE, SETTLED_FILE, Stamp

PACKAGING = Path(__file__).parents[2] / "packaging"
GROW = PACKAGING / "image/root/usr/lib/regard-image/grow-data"
FIND_KEY = PACKAGING / "debian/regard-kiosk/usr/lib/regard-kiosk/find-store-key"
MIB = 1024 * 1024
TABLE = """\
label: dos
label-id: 0x52454741
start=2048, size=8192, type=c
size=8192, type=83
size=8192, type=83
"""


@pytest.fixture
def card(tmp_path):
    """A card of 32 MiB with an image of 13 on it, and no room left by its partitions."""
    path = tmp_path / "card.img"
    with path.open("wb") as file:
        file.truncate(13 * MIB)
    subprocess.run(["/usr/sbin/sfdisk", "--quiet", path], input=TABLE, text=True, check=True)
    run("mformat", "-i", drive(path), "-T", "8192", "::")
    mark = tmp_path / "mark"
    mark.write_bytes(MARK)
    run("mcopy", "-i", drive(path), str(mark), f"::/{MARK_FILE}")
    os.truncate(path, 32 * MIB)
    return path


def partitions(card):
    done = subprocess.run(
        ["/usr/sbin/sfdisk", "--json", card], capture_output=True, text=True, check=True
    )
    table = json.loads(done.stdout)["partitiontable"]
    assert table["id"] == "0x52454741"  # the root may be known by it
    return [(each["start"], each["size"], each["type"]) for each in table["partitions"]]


def grow(card):
    path = f"{os.environ['PATH']}:/usr/sbin"
    done = subprocess.run(
        [GROW, card], capture_output=True, text=True, check=True, env={**os.environ, "PATH": path}
    )
    return done.stdout


def test_the_last_partition_grows_to_the_card_s_end_and_the_others_stay(card):
    before = partitions(card)

    assert grow(card) == "The data partition gets 19 MiB more.\n"

    boot, root, (start, size, kind) = partitions(card)
    assert [boot, root] == before[:2]
    assert (start, kind) == (before[2][0], before[2][2])
    assert (start + size) * 512 == 32 * MIB


def test_growing_writes_one_sector_and_nothing_at_all_once_it_is_done(card):
    before = card.read_bytes()

    grow(card)

    after = card.read_bytes()
    assert after[:512] != before[:512]
    assert after[512:] == before[512:]
    card.chmod(0o400)
    assert grow(card) == ""
    assert card.read_bytes() == after


def test_a_card_that_is_no_larger_than_its_image_stays_as_it_is(card):
    os.truncate(card, 13 * MIB)
    before = card.read_bytes()

    assert grow(card) == ""
    assert card.read_bytes() == before


def test_a_stamped_image_s_first_boot_makes_a_kiosk_of_it_and_leaves_no_secret(card, tmp_path):
    CardImage.open(card).put(PACKED_FILE, stamped(network=WIFI).stamp.pack())
    assert Inspector().inspect(card).facts["kiosk"] == "desk-1"

    # What the units do: grow, find the store's key, settle in.
    grow(card)
    boot, data, memory = (tmp_path / name for name in ("boot", "data", "memory"))
    for folder in (boot, data, memory):
        folder.mkdir()
    run("mcopy", "-s", "-i", drive(card), "::*", str(boot))
    subprocess.run([FIND_KEY, data, memory], check=True, capture_output=True)
    settings = tmp_path / "kiosk.toml"
    settings.write_text(
        f'data = "{data / "kiosk"}"\nstamp = "{data / PACKED_FILE}"\n'
        f'store_key = "{memory / "store-key"}"\n'
    )
    assert settle(settings, boot, memory) == 0

    assert Stamp.unpack((data / PACKED_FILE).read_bytes()).name == "desk-1"
    assert (memory / "regard-wifi.nmconnection").exists()
    assert sorted(path.name for path in boot.iterdir()) == [MARK_FILE, SETTLED_FILE]
    assert Inspector().inspect(boot).facts["used_by"].startswith("desk-1 at ")
    assert partitions(card)[2][1] * 512 > 20 * MIB
