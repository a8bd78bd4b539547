"""Settings files: TOML, read once into frozen objects when a command starts."""

from pathlib import Path
from typing import TypeVar

import msgspec

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
