import errno
import os
import subprocess

import pytest

from sync_service.contract.signing import Context, Envelope
from sync_service.contract.wire import Standing
from sync_service.outbox.database import FullDiskError, StoreKey, StoreUnavailableError
from sync_service.outbox.identity import DamagedIdentityError, Identity

WRONG_KEY = StoreKey(bytes(32))


@pytest.fixture
def path(tmp_path):
    folder = tmp_path / "kiosk"
    folder.mkdir()
    return folder / "identity"


def test_a_kiosk_is_given_a_signing_key_once_and_for_all(path, key):
    identity = Identity.open(path, key)
    again = Identity.open(path, key)

    assert again.kiosk_id == identity.kiosk_id
    assert len(identity.kiosk_id) == 16
    signed = Envelope.unpack(again.signing_key.sign(Context.STATUS, b"how it is"))
    assert identity.signing_key.verifying_key.verify(signed, Context.STATUS) == b"how it is"


def test_each_kiosk_has_a_key_of_its_own(tmp_path, key):
    one, other = (Identity.open(tmp_path / name, key) for name in ("one", "other"))

    assert one.kiosk_id != other.kiosk_id


def test_the_file_is_alone_in_its_folder_and_its_group_may_only_read_it(path, key):
    before = os.umask(0)
    try:
        Identity.open(path, key).note_standing(Standing.HELD)
    finally:
        os.umask(before)

    assert path.stat().st_mode & 0o777 == 0o640
    assert list(path.parent.iterdir()) == [path]


def test_an_enrolment_is_remembered(path, key):
    identity = Identity.open(path, key)
    assert identity.standing is None

    for standing in Standing:
        identity.note_standing(standing)
        again = Identity.open(path, key)
        assert again.standing is identity.standing is standing
        assert again.kiosk_id == identity.kiosk_id


def test_a_standing_that_is_known_is_not_written_again(path, key):
    identity = Identity.open(path, key)
    identity.note_standing(Standing.ENROLLED)
    written = path.read_bytes()

    identity.note_standing(Standing.ENROLLED)

    assert path.read_bytes() == written


def test_no_two_writings_look_alike(path, key):
    identity = Identity.open(path, key)
    written = set()
    for standing in (Standing.HELD, Standing.ENROLLED, Standing.HELD):
        identity.note_standing(standing)
        written.add(path.read_bytes())

    assert len(written) == 3


def test_a_wrong_key_opens_nothing_and_changes_nothing(path, key):
    kiosk_id = Identity.open(path, key).kiosk_id
    written = path.read_bytes()

    with pytest.raises(DamagedIdentityError, match="key is wrong or the file is damaged"):
        Identity.open(path, WRONG_KEY)
    assert path.read_bytes() == written
    assert Identity.open(path, key).kiosk_id == kiosk_id


def test_one_flipped_bit_anywhere_is_damage_and_never_a_new_key(path, key):
    Identity.open(path, key)
    whole = path.read_bytes()
    for place in range(len(whole)):
        damaged = bytearray(whole)
        damaged[place] ^= 1
        path.write_bytes(damaged)
        with pytest.raises(DamagedIdentityError):
            Identity.open(path, key)
        assert path.read_bytes() == damaged


@pytest.mark.parametrize("length", [0, 5, 16, 17, 27, 28, 40])
def test_a_file_cut_short_is_damage_and_never_a_new_key(path, key, length):
    Identity.open(path, key)
    path.write_bytes(path.read_bytes()[:length])

    with pytest.raises(DamagedIdentityError):
        Identity.open(path, key)
    assert path.stat().st_size == length


def test_a_failed_writing_leaves_the_enrolment_as_it_was(small_disk, key):
    path = small_disk / "identity"
    identity = Identity.open(path, key)
    identity.note_standing(Standing.HELD)
    with (small_disk / "ballast").open("wb") as file, pytest.raises(OSError) as caught:  # noqa: PT011
        file.write(bytes(2**20))
    assert caught.value.errno == errno.ENOSPC

    with pytest.raises(FullDiskError, match="no space is left"):
        identity.note_standing(Standing.ENROLLED)
    assert identity.standing is Standing.HELD
    assert Identity.open(path, key).standing is Standing.HELD


def test_a_read_only_disk_is_named(small_disk, key):
    path = small_disk / "identity"
    identity = Identity.open(path, key)
    subprocess.run(["mount", "-o", "remount,ro", small_disk], check=True)

    with pytest.raises(StoreUnavailableError, match="Read-only file system"):
        identity.note_standing(Standing.ENROLLED)
    assert Identity.open(path, key).standing is None


def test_a_missing_folder_is_named(tmp_path, key):
    with pytest.raises(StoreUnavailableError, match="No such file or directory"):
        Identity.open(tmp_path / "nowhere" / "identity", key)


def test_the_file_says_what_it_is_and_nothing_of_what_is_in_it(path, key):
    identity = Identity.open(path, key)

    assert path.read_bytes().startswith(b"regard identity\x01")
    assert key.secret not in path.read_bytes()
    assert identity.kiosk_id not in path.read_bytes()
    assert identity.signing_key.verifying_key.public not in path.read_bytes()
