"""Settings files and stamps, read once into frozen objects when a command starts."""

import re
from pathlib import Path
from typing import TypeVar, get_args

import msgspec

from sync_service.contract.stamp import (
    FILES,
    MAX_FILE_LENGTH,
    MAX_PACKED_LENGTH,
    PACKED_FILE,
    MissingStampError,
    Stamp,
    StampError,
)

S = TypeVar("S", bound=msgspec.Struct)


class SettingsError(Exception):
    """A settings file can't be used; the message names the file, the key and what is allowed."""


def read_settings(path: Path, kind: type[S]) -> S:
    """Read a settings file into ``kind``, a frozen struct that forbids unknown fields.

    Raises:
        SettingsError: the file can't be read, or a key or value is not allowed.
    """
    try:
        return msgspec.toml.decode(path.read_bytes(), type=kind)
    except OSError as error:
        raise SettingsError(f"{path}: can't be read: {error.strerror}") from None
    except msgspec.ValidationError as error:
        table = _table(kind, str(error))
        allowed = ", ".join(table.__struct_encode_fields__)
        raise SettingsError(f"{path}: {error}. The keys are: {allowed}.") from None
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise SettingsError(f"{path}: not TOML: {error}") from None


def _table(kind: type[msgspec.Struct], error: str) -> type[msgspec.Struct]:
    """The table that an error is in, by the place that it names, as in: at `$.wiring.lamps[0]`."""
    place = re.search(r"at `\$\.([\w.]+)", error)
    for name in place[1].split(".") if place else ():
        for field in msgspec.structs.fields(kind):
            for one in (field.type, *get_args(field.type)):
                if field.name == name and isinstance(one, type) and issubclass(one, msgspec.Struct):
                    kind = one
    return kind


def read_stamp(path: Path) -> Stamp:
    """Read a stamp: packed into one file, or the folder that holds that file or all of its files.

    Raises:
        MissingStampError: there is none, or a file of it is missing.
        StampError: a file can't be read, or the stamp is not one to start from.
    """
    packed = path / PACKED_FILE if path.is_dir() else path
    if packed.exists() or not path.is_dir():
        return Stamp.unpack(_read(packed, MAX_PACKED_LENGTH))
    return Stamp.from_files({name: _read(path / name, MAX_FILE_LENGTH) for name in FILES})


def _read(path: Path, most: int) -> bytes:
    """A file's content, or a little more of it than is allowed."""
    try:
        with path.open("rb") as file:
            return file.read(most + 1)
    except FileNotFoundError as error:
        raise MissingStampError(f"{path}: can't be read: {error.strerror}") from None
    except OSError as error:
        raise StampError(f"{path}: can't be read: {error.strerror}") from None
