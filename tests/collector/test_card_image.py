"""Images of cards are known, read and written, with no mount; whatever is none of ours is not."""

import pytest
from cards import MARK, card_image, mbr, put

from sync_service.collector.card_image import MARK_FILE, CardImage
from sync_service.collector.error import OfficeError
from sync_service.contract.stamp import PACKED_FILE, SETTLED_FILE, Settled


@pytest.mark.parametrize("table", ["mbr", "gpt"])
def test_a_stamp_is_put_onto_the_boot_partition_whatever_table_it_stands_in(tmp_path, table):
    path = card_image(tmp_path / "regard image.img", table=table)
    around = path.read_bytes()[: 2048 * 512], path.read_bytes()[-64 * 512 :]
    image = CardImage.open(path)
    assert (image.mark.version, str(image.mark.built)) == ("0.1.0", "2026-11-25")
    image.check_unstamped()

    image.put(PACKED_FILE, b"a stamp" * 10_000)

    assert CardImage.open(path).read(PACKED_FILE) == b"a stamp" * 10_000
    assert image.read(MARK_FILE) == MARK
    assert (path.read_bytes()[: 2048 * 512], path.read_bytes()[-64 * 512 :]) == around


def test_an_image_that_holds_a_stamp_is_not_stamped_over(tmp_path):
    image = CardImage.open(card_image(tmp_path / "i.img"))
    image.put(PACKED_FILE, b"the first")
    with pytest.raises(OfficeError, match="holds a stamp already: name a new image"):
        image.check_unstamped()
    with pytest.raises(OfficeError, match="its boot partition can't be used"):
        image.put(PACKED_FILE, b"the second")
    assert image.read(PACKED_FILE) == b"the first"


@pytest.mark.parametrize(
    ("left", "told"),
    [
        (Settled(bytes(16), "central", "Central Library", "desk-1").to_file(), "desk-1 at Central"),
        (b"damaged", "a kiosk used: records"),
    ],
)
def test_a_card_that_a_kiosk_used_is_not_stamped_as_records_may_be_on_it(tmp_path, left, told):
    path = card_image(tmp_path / "i.img")
    put(path, SETTLED_FILE, left)
    with pytest.raises(OfficeError, match=told) as refused:
        CardImage.open(path).check_unstamped()
    assert "records that were never delivered may be on it" in str(refused.value)


def empty(path):
    path.touch()


def text(path):
    path.write_text("no image" * 1000)


def without_a_table(path):
    path.write_bytes(bytes(2**20))


def cut_short(path):
    card_image(path)
    with path.open("r+b") as file:
        file.truncate(1024)


def with_an_empty_partition(path):
    path.write_bytes(mbr() + bytes(4 * 2**20))


def of_somebody_else(path):
    card_image(path, [("config.txt", b"")])


@pytest.mark.parametrize(
    "make", [empty, text, without_a_table, cut_short, with_an_empty_partition, of_somebody_else]
)
def test_what_is_no_image_of_ours_is_refused_with_what_to_do(tmp_path, make):
    make(tmp_path / "i.img")
    with pytest.raises(OfficeError, match=r"is no Regard image.*Name the \.img"):
        CardImage.open(tmp_path / "i.img")


@pytest.mark.parametrize("mark", [b"", b"format = 2", MARK + b"more = 1", b"\xff"])
def test_an_image_whose_mark_is_not_known_is_refused(tmp_path, mark):
    card_image(tmp_path / "i.img", [(MARK_FILE, mark)])
    with pytest.raises(OfficeError, match=MARK_FILE):
        CardImage.open(tmp_path / "i.img")


@pytest.mark.parametrize(
    "beginning", [b"\xfd7zXZ\x00", b"\x1f\x8b\x08", b"PK\x03\x04", b"\x28\xb5\x2f\xfd"]
)
def test_a_compressed_image_is_to_be_unpacked_first(tmp_path, beginning):
    (tmp_path / "i.img.xz").write_bytes(beginning + bytes(2000))
    with pytest.raises(OfficeError, match="is compressed: unpack it first"):
        CardImage.open(tmp_path / "i.img.xz")


def test_an_image_that_is_not_there_is_named(tmp_path):
    with pytest.raises(OfficeError, match=r"i\.img: can't be read"):
        CardImage.open(tmp_path / "i.img")


def test_where_mtools_are_missing_it_is_said_which_package_brings_them(tmp_path, monkeypatch):
    path = card_image(tmp_path / "i.img")
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(OfficeError, match="install the Debian package mtools"):
        CardImage.open(path)
