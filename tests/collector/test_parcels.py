"""Parcels: a stamp and a sheet for each kiosk, written whole or not at all."""

import stat
from datetime import date

import pytest
from stamps import stamped

from sync_service.collector.error import OfficeError
from sync_service.collector.parcels import remove_parcel, write_parcel, write_parcels
from sync_service.contract.stamp import Stamp
from sync_service.settings import read_stamp

TODAY = date(2026, 11, 25)


def below(folder):
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())


def test_a_parcel_holds_a_stamp_and_a_sheet_which_only_their_owner_can_read(tmp_path):
    one = stamped()
    folder = tmp_path / "desk-1"
    folder.mkdir(mode=0o755)

    write_parcel(one, folder, TODAY)

    assert below(folder) == ["regard.stamp", "sheet.html"]
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert {stat.S_IMODE(path.stat().st_mode) for path in folder.iterdir()} == {0o600}
    assert read_stamp(folder) == read_stamp(folder / "regard.stamp") == one.stamp
    remove_parcel(folder)
    assert not folder.exists()


def test_a_stamp_as_a_folder_of_files_is_read_too(tmp_path):
    one = stamped()
    for name, content in one.stamp.to_files().items():
        (tmp_path / name).write_bytes(content)
    assert read_stamp(tmp_path) == one.stamp


def test_many_parcels_have_a_folder_each_whatever_the_kiosks_are_called(tmp_path):
    names = ["desk-1", "By the door", "by/the\\door", "By the door ☕"]
    many = [stamped(name) for name in names]

    write_parcels(many, tmp_path / "out", TODAY)

    assert {*below(tmp_path / "out")} == {
        f"central-{folder}/{file}"
        for folder in ("By-the-door", "By-the-door-", "by-the-door-2", "desk-1")
        for file in ("regard.stamp", "sheet.html")
    }
    read = [read_stamp(each) for each in (tmp_path / "out").iterdir()]
    assert {stamp.name for stamp in read} == {*names}


@pytest.mark.parametrize("write", [write_parcel, lambda one, *to: write_parcels([one], *to)])
def test_a_folder_that_holds_something_is_never_written_over(tmp_path, write):
    write(stamped(), tmp_path / "out", TODAY)
    before = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}

    with pytest.raises(OfficeError, match="holds something already"):
        write(stamped("other"), tmp_path / "out", TODAY)

    assert {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()} == before


@pytest.mark.parametrize("left", ["regard-settled.toml", "config.txt"])
def test_the_boot_drive_of_a_card_is_not_written_into_by_itself(tmp_path, left):
    """A kiosk that used it judges a stamp itself, once it was dragged there."""
    (tmp_path / left).write_text("format = 1")

    with pytest.raises(OfficeError, match="holds something already"):
        write_parcel(stamped(), tmp_path, TODAY)

    assert below(tmp_path) == [left]


def test_what_can_not_be_written_whole_leaves_nothing_behind(tmp_path):
    (tmp_path / "file").touch()
    many = [stamped("desk-1"), stamped("x" * 250)]  # longer than a folder's name may be

    for into in (tmp_path / "file", tmp_path / "nowhere/out", tmp_path / "out"):
        with pytest.raises(OfficeError, match="can't be written"):
            write_parcels(many, into, TODAY)

    assert below(tmp_path) == ["file"]
    assert not (tmp_path / "out").exists()


def test_a_parcel_can_be_read_back_only_as_it_was(tmp_path):
    write_parcel(stamped(), tmp_path / "out", TODAY)
    packed = (tmp_path / "out/regard.stamp").read_bytes()
    assert Stamp.unpack(packed).pack() == packed
