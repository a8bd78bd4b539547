"""Recovery sheets: a sealing key on paper, as words, from which its file can be made again.

The words are those of SLIP-39, which other programs can read too: 33 of them, with a checksum.
Whole, one sheet gives the key; split, any two of three do, and one alone says nothing about it.
"""

import re
from collections.abc import Mapping, Sequence
from itertools import combinations
from pathlib import Path
from textwrap import fill
from typing import Final

from shamir_mnemonic import MnemonicError, Share, combine_mnemonics, generate_mnemonics

from sync_service.collector.error import OfficeError
from sync_service.collector.keyring import write_private
from sync_service.contract.error import ContractError
from sync_service.contract.record import BUCKETS
from sync_service.contract.sealing import (
    LOG_ID_LENGTH,
    OpeningKey,
    SealingAlgorithm,
    SealingKey,
)

SHARES: Final = 3
NEEDED: Final = 2

_TOLD: Final = (
    "What it is. Kiosks lock every answer with the centre's sealing key. Only the private half of"
    " that key, a file on the centre's machine, can unlock them. {gives}",
    "Where to keep it. Print it, and delete this file. Keep the paper where you would keep a deed:"
    " in a safe or a sealed envelope, in another building than the machine. {apart}",
    "What it costs to lose it. If the key's file and its backups are lost and the paper is lost"
    " too, whatever kiosks sent that was not opened yet can never be read by anybody. Whoever else"
    " gets hold of {it} can read all that was sealed to the key.",
    'How to use it. Type the two lines that begin with "key:" and "words:", and all words after'
    " them, into a file; numbers and line breaks don't matter. Then:"
    " regard-collector keys recover {file}",
)
_WIDTH: Final = 78
_WORDS_A_LINE: Final = 5
_KEY: Final = re.compile(r"^key:\s*([0-9a-f]{16})\s*$", re.MULTILINE)


def write_sheets(folder: Path, key: OpeningKey, *, split: bool) -> list[Path]:
    """Write a key's sheets into a new or empty folder, and prove that they give it back.

    Raises:
        OfficeError: the folder holds something or can't be written, or the proof failed.
    """
    name = f"recovery-{key.sealing_key.key_id.hex()}"
    names = (
        [f"{name}-{number}.txt" for number in range(1, SHARES + 1)] if split else [f"{name}.txt"]
    )
    try:
        folder.mkdir(mode=0o700, exist_ok=True)
        if any(folder.iterdir()):
            raise OfficeError(f"{folder}: holds something already; name a new or empty folder")
        paths = [folder / name for name in names]
        for path, sheet in zip(paths, _sheets(key, names, split=split), strict=True):
            write_private(path, sheet.encode("ascii"))
        _prove(paths, key.sealing_key, NEEDED if split else 1)
    except OSError as error:
        raise OfficeError(f"{folder}: can't be written: {error.strerror}") from None
    return paths


def read_sheets(paths: Sequence[Path]) -> OpeningKey:
    """The sealing key that sheets give back.

    Raises:
        OfficeError: they can't be read, don't belong together, or are too few; the message says
            which.
    """
    key_ids: set[bytes] = set()
    shares: dict[int, str] = {}
    needed = 1
    for path in paths:
        try:
            text = path.read_text(encoding="utf-8").lower()
        except (OSError, UnicodeDecodeError):
            raise OfficeError(f"{path}: can't be read as text") from None
        found, (_, _, words) = _KEY.search(text), text.partition("\nwords:")
        if found is None or not words:
            raise OfficeError(f'{path}: needs a line "key:" with 16 digits, and "words:" after it')
        mnemonic = " ".join(re.findall("[a-z]+", words))
        try:
            share = Share.from_mnemonic(mnemonic)
        except MnemonicError as error:
            raise OfficeError(f"{path}: a word is wrong, missing or too many: {error}") from None
        key_ids.add(bytes.fromhex(found[1]))
        shares[share.index], needed = mnemonic, share.member_threshold
    if len(shares) < needed:
        raise OfficeError(f"a key that was split needs {needed} different sheets: name one more")
    try:
        private = combine_mnemonics([*shares.values()][:needed])
    except MnemonicError:
        raise OfficeError("these sheets are not of the same key, or not of the same set") from None
    for key in (OpeningKey(private, algorithm) for algorithm in SealingAlgorithm):
        if key_ids == {key.sealing_key.key_id}:
            return key
    raise OfficeError('the words give another key than the line "key:" says: look at both')


def _sheets(key: OpeningKey, names: Sequence[str], *, split: bool) -> list[str]:
    group = (NEEDED, SHARES) if split else (1, 1)
    [mnemonics] = generate_mnemonics(1, [group], key.private, iteration_exponent=0)
    sheets = []
    for number, mnemonic in enumerate(mnemonics):
        which = f" {number + 1} OF {SHARES}" if split else ""
        other = names[(number + 1) % len(names)]
        facts = _told_share(names[number], other) if split else _told_whole(names[0])
        told = [fill(paragraph.format(**facts), _WIDTH) for paragraph in _TOLD]
        words = f"key: {key.sealing_key.key_id.hex()}\nwords:\n{_in_lines(mnemonic.split())}\n"
        sheets.append("\n\n".join([f"REGARD: RECOVERY SHEET{which}", *told, words]))
    return sheets


def _told_whole(name: str) -> Mapping[str, str]:
    return {
        "gives": "The words below are that private half: from them the file can be made again.",
        "apart": "Two copies in two places are better than one.",
        "it": "it",
        "file": name,
    }


def _told_share(name: str, other: str) -> Mapping[str, str]:
    return {
        "gives": f"The words of any {NEEDED} of the {SHARES} sheets are that private half: from"
        " them the file can be made again. One sheet alone says nothing.",
        "apart": f"Give the {SHARES} sheets to {SHARES} people, in {SHARES} places.",
        "it": f"{NEEDED} of the sheets",
        "file": f"{name} {other}",
    }


def _in_lines(words: Sequence[str]) -> str:
    cells = [f"{number:2} {word:9}" for number, word in enumerate(words, 1)]
    starts = range(0, len(cells), _WORDS_A_LINE)
    return "\n".join("  ".join(cells[at : at + _WORDS_A_LINE]).rstrip() for at in starts)


def _prove(paths: Sequence[Path], sealing_key: SealingKey, needed: int) -> None:
    """See that what was written gives back a key that opens what kiosks seal."""
    padded, log_id = bytes(BUCKETS[0]), bytes(LOG_ID_LENGTH)
    for chosen in combinations(paths, needed):
        try:
            opened = read_sheets(chosen).open(sealing_key.seal(padded, log_id), log_id)
        except ContractError:
            opened = b""
        if opened != padded:
            raise OfficeError(f"{chosen[0]}: does not give the key back; use another disk")
