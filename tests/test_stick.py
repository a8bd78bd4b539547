"""A stick's folder: only our files count, and each has its name when it is whole."""

import pytest

from sync_service.contract.signing import fingerprint
from sync_service.stick import SentBy, Stick

KIOSK, NONCE = bytes(range(16)), bytes(8)
NAME = f"{fingerprint(KIOSK)}.0000000000000000"


def names(folder):
    return sorted(path.name for path in (folder / "regard").iterdir())


def test_a_file_has_its_name_only_when_it_is_whole(tmp_path):
    with Stick(tmp_path).writing(KIOSK, NONCE, SentBy.KIOSK) as write:
        write(b"half")
        assert names(tmp_path) == [f"{NAME}.bundle.part"]
        write(b" and half")
    assert names(tmp_path) == [f"{NAME}.bundle"]
    assert (tmp_path / "regard" / f"{NAME}.bundle").read_bytes() == b"half and half"


def test_what_failed_leaves_no_file_behind_and_not_the_one_before_in_ruins(tmp_path):
    stick = Stick(tmp_path)
    with stick.writing(KIOSK, NONCE, SentBy.CENTRE) as write:
        write(b"before")
    with pytest.raises(TypeError), stick.writing(KIOSK, NONCE, SentBy.CENTRE) as write:
        write("no bytes")
    assert names(tmp_path) == [f"{NAME}.reply"]
    assert (tmp_path / "regard" / f"{NAME}.reply").read_bytes() == b"before"


def test_whatever_else_lies_on_a_stick_is_none_of_ours(tmp_path):
    folder = tmp_path / "regard"
    folder.mkdir()
    ours = f"{NAME}.reply", f"{NAME}.bundle.part"
    for name in (*ours, f"._{NAME}.reply", f"{NAME}.reply.bak", "holiday.jpg", ".Trash"):
        (folder / name).write_bytes(b"")
    (tmp_path / f"{NAME}.bundle").write_bytes(b"")
    found = [(file.path.name, file.sent_by, file.whole) for file in Stick(tmp_path).files()]
    assert found == [
        (f"{NAME}.bundle.part", SentBy.KIOSK, False),
        (f"{NAME}.reply", SentBy.CENTRE, True),
    ]


def test_an_empty_stick_has_no_files(tmp_path):
    assert Stick(tmp_path).files() == []
