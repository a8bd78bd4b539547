"""Looking for secrets in files, in every encoding they are likely to have."""

import base64
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from pathlib import Path


def encodings(secret: bytes) -> set[bytes]:
    """What a secret looks like raw, backwards, in hex, in base64 at each offset, and in UTF-16."""
    found = {secret, secret[::-1], secret.hex().encode(), secret.hex().upper().encode()}
    for offset in range(3):
        # What stands before it shifts base64 by a part of a letter: drop what the shift touches.
        for encode in (base64.b64encode, base64.urlsafe_b64encode):
            letters = encode(bytes(offset) + secret)
            found.add(letters[(offset * 8 + 5) // 6 : (len(secret) + offset) * 8 // 6])
    wide = {letters.decode("latin-1").encode("utf-16-le") for letters in found}
    with suppress(UnicodeDecodeError):
        wide |= {secret.decode().encode(form) for form in ("utf-16-le", "utf-16-be", "utf-32-le")}
    return found | wide


def files_below(folders: Iterable[Path]) -> Iterator[Path]:
    """Every regular file, hidden ones too."""
    for folder in folders:
        for path in sorted(folder.rglob("*")):
            if path.is_file() and not path.is_symlink():
                yield path


def traces(secrets: Mapping[str, bytes], folders: Iterable[Path]) -> list[str]:
    """Where a secret was found: "name in path", in names of files and in their bytes."""
    shapes = {name: encodings(secret) for name, secret in secrets.items()}
    found = []
    for path in files_below(folders):
        content = bytes(path) + b"\n" + path.read_bytes()
        for name, forms in shapes.items():
            if any(form in content for form in forms):
                found.append(f"{name} in {path}")
    return found
