"""Catalogues: the kiosk's own words in one language, beside those of a questionnaire."""

from importlib.resources import files
from pathlib import PurePath

import msgspec

from kiosk_app.error import KioskError


class CatalogueError(KioskError):
    """A language's catalogue can't be used; its file must be mended before the kiosk is built."""


class Catalogue(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The words of one language. ``keyboard`` is its rows of letters, from the top."""

    name: str
    attract: str
    progress: str
    back: str
    skip: str
    next: str
    saving: str
    thanks: str
    saved: str
    invitation: str
    not_working: str
    ask_staff: str
    not_saved: str
    still_trying: str
    type_here: str
    capitals: str
    space: str
    delete: str
    keyboard: tuple[str, ...]


def read_catalogues() -> dict[str, Catalogue]:
    """The catalogues of all languages that the kiosk speaks, by language tag.

    Raises:
        CatalogueError: one of them has a key too many, too few, or of another type.
    """
    catalogues = {}
    for file in files(__package__).iterdir():
        name = PurePath(file.name)
        if name.suffix != ".toml":
            continue
        try:
            catalogues[name.stem] = msgspec.toml.decode(file.read_bytes(), type=Catalogue)
        except msgspec.DecodeError as error:
            raise CatalogueError(f"{name}: {error}") from None
    return catalogues
