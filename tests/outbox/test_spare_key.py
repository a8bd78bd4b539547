"""The spare key: there after a start, sealed to the key in force, opened by the centre alone."""

from itertools import pairwise

import pytest

from sync_service.contract.error import UnknownKeyError
from sync_service.contract.sealing import OpeningKey, SealingAlgorithm, generate_opening_key
from sync_service.outbox.database import MalformedKeyError, StoreKey
from sync_service.outbox.spare_key import keep_spare_key, open_spare_key, spare_key_path


@pytest.fixture
def keys():
    """Two private sealing keys of the centre's, of either algorithm."""
    return [OpeningKey(generate_opening_key(), algorithm) for algorithm in SealingAlgorithm]


@pytest.mark.parametrize("in_force", [0, 1])
def test_the_centre_opens_it_by_whichever_key_was_in_force(path, key, keys, in_force):
    keep_spare_key(path, key, keys[in_force].sealing_key)
    assert open_spare_key(path, keys) == key
    assert spare_key_path(path).stat().st_mode & 0o777 == 0o640
    with pytest.raises(UnknownKeyError, match="which is not here"):
        open_spare_key(path, [keys[1 - in_force]])


def test_it_is_written_anew_only_when_either_key_is_another(path, key, keys):
    written = []
    first, second = (each.sealing_key for each in keys)
    for store_key, sealing_key in (
        *((key, first), (key, first)),
        *((key, second), (StoreKey(bytes(32)), second), (StoreKey(bytes(32)), second)),
    ):
        keep_spare_key(path, store_key, sealing_key)
        written.append(spare_key_path(path).read_bytes())
    same = [before == after for before, after in pairwise(written)]
    assert same == [True, False, False, True]
    assert open_spare_key(path, keys) == StoreKey(bytes(32))


def test_the_key_itself_is_nowhere_in_it(path, key, keys):
    keep_spare_key(path, key, keys[0].sealing_key)
    assert key.secret not in spare_key_path(path).read_bytes()


def test_where_it_can_not_be_written_that_is_said_and_no_more(key, keys, tmp_path, caplog):
    keep_spare_key(tmp_path / "away" / "store.db", key, keys[0].sealing_key)
    [record] = caplog.records
    assert (record.message, record.reason) == ("spare key not kept", "StoreUnavailableError")


def test_where_there_is_none_that_is_named(path, keys):
    with pytest.raises(MalformedKeyError, match="spare-key: can't be read"):
        open_spare_key(path, keys)
