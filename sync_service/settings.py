"""Settings files and stamps, read once into frozen objects when a command starts."""

from pathlib import Path
from typing import TypeVar

import msgspec

from sync_service.contract.stamp import FILES, MAX_FILE_LENGTH, Stamp, StampError

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
        allowed = ", ".join(kind.__struct_encode_fields__)
        raise SettingsError(f"{path}: {error}. The keys are: {allowed}.") from None
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise SettingsError(f"{path}: not TOML: {error}") from None


def read_stamp(folder: Path) -> Stamp:
    """Read the stamp in a folder.

    Raises:
        StampError: a file can't be read, or the stamp is not one to start from.
    """
    files = {}
    for name in FILES:
        try:
            with (folder / name).open("rb") as file:
                files[name] = file.read(MAX_FILE_LENGTH + 1)
        except OSError as error:
            raise StampError(f"{folder / name}: can't be read: {error.strerror}") from None
    return Stamp.from_files(files)
