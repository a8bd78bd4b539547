import itertools
import re

import pytest

from sync_service.collector.error import OfficeError
from sync_service.collector.recovery import read_sheets, write_sheets
from sync_service.contract.sealing import OpeningKey, generate_opening_key

KEY = OpeningKey(bytes(range(32)))
PAIRS = list(itertools.combinations(range(3), 2))


def words_of(path):
    """The words of a sheet, as somebody would type them who leaves the numbers out."""
    return re.findall("[a-z]+", path.read_text().partition("\nwords:")[2])


def typed(folder, words, key=KEY):
    path = folder / f"typed-{len(list(folder.iterdir()))}.txt"
    path.write_text(f"KEY: {key.sealing_key.key_id.hex()}\nWords:\n{' '.join(words)}\n")
    return path


@pytest.fixture
def whole(tmp_path):
    [path] = write_sheets(tmp_path / "sheets", KEY, split=False)
    return path


@pytest.fixture
def split(tmp_path):
    return write_sheets(tmp_path / "sheets", KEY, split=True)


def test_a_whole_sheet_gives_the_key_back(whole):
    assert read_sheets([whole]).private == KEY.private


@pytest.mark.parametrize("pair", PAIRS)
def test_any_two_of_three_sheets_give_the_key_back(split, pair):
    assert read_sheets([split[number] for number in pair]).private == KEY.private
    assert read_sheets(split).private == KEY.private


def test_one_sheet_of_three_says_that_one_more_is_needed(split):
    for sheets in (split[:1], [split[0], split[0]]):
        with pytest.raises(OfficeError, match="needs 2 different sheets"):
            read_sheets(sheets)


def test_a_sheet_holds_nothing_of_the_key_but_its_words(split):
    for path in split:
        assert path.stat().st_mode & 0o777 == 0o600
        assert KEY.private.hex() not in path.read_text()
        assert max(map(len, path.read_text().splitlines())) <= 80


def test_what_is_typed_from_paper_is_read_however_it_is_laid_out(tmp_path, whole):
    assert read_sheets([typed(tmp_path, words_of(whole))]).private == KEY.private
    path = tmp_path / "wide.txt"
    path.write_text(whole.read_text().upper().replace("  ", "\n"))
    assert read_sheets([path]).private == KEY.private


@pytest.mark.parametrize("place", range(33))
def test_a_word_that_is_wrong_is_found(tmp_path, whole, place):
    words = words_of(whole)
    words[place] = "academic" if words[place] != "academic" else "acid"

    with pytest.raises(OfficeError, match=r"typed-1\.txt: a word is wrong"):
        read_sheets([typed(tmp_path, words)])


def test_words_that_are_missing_swapped_or_unknown_are_found(tmp_path, whole):
    words = words_of(whole)
    swapped = [words[1], words[0], *words[2:]]
    for wrong in (words[:-1], [*words, "acid"], swapped, ["zebra", *words[1:]], ["acid"] * 33):
        with pytest.raises(OfficeError, match="a word is wrong, missing or too many"):
            read_sheets([typed(tmp_path, wrong)])


def test_another_keys_line_is_found(tmp_path, whole):
    other = OpeningKey(generate_opening_key())

    with pytest.raises(OfficeError, match="another key than the line"):
        read_sheets([typed(tmp_path, words_of(whole), other)])


def test_sheets_of_two_sets_are_told_apart(tmp_path, split):
    again = write_sheets(tmp_path / "again", KEY, split=True)

    with pytest.raises(OfficeError, match="not of the same set"):
        read_sheets([split[0], again[1]])


def test_what_is_no_sheet_is_said_to_be_none(tmp_path):
    path = tmp_path / "no.txt"
    for content in (b"", b"key: 12\nwords: acid", b"key: 0123456789abcdef\n", b"\xff\xfe"):
        path.write_bytes(content)
        with pytest.raises(OfficeError, match=r"no\.txt"):
            read_sheets([path])


def test_sheets_go_into_a_folder_of_their_own(tmp_path, whole):
    with pytest.raises(OfficeError, match="holds something already"):
        write_sheets(whole.parent, KEY, split=False)
    with pytest.raises(OfficeError, match="can't be written"):
        write_sheets(tmp_path / "no" / "where", KEY, split=False)
