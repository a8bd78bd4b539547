"""Catalogues: the kiosk's own words in one language, beside those of a questionnaire."""

from importlib.resources import files
from pathlib import PurePath

import msgspec

from kiosk_app.error import KioskError
from kiosk_app.view import NoticeKind


class CatalogueError(KioskError):
    """A language's catalogue can't be used; its file must be mended before the kiosk is built."""


class Catalogue(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The words of one language. ``keyboard`` is its rows of letters, from the top; ``notices``
    has what staff is told by each kind of notice.
    """

    name: str
    greeting: str
    touch_an_answer: str
    touch_here: str
    about: str
    replies: str
    progress: str
    back: str
    skip: str
    skip_short: str
    stop: str
    next: str
    write: str
    close: str
    read_on: str
    still_there: str
    still_here: str
    someone_new: str
    paused: str
    paused_for: str
    saving: str
    thanks: str
    saved: str
    invitation: str
    discarded: str
    discarded_for: str
    not_working: str
    ask_staff: str
    not_saved: str
    still_trying: str
    who_asks: str
    who_asks_here: str
    what_is_kept: str
    kept_for: str
    kept_for_one: str
    no_camera: str
    staff_cannot_see: str
    whom_to_ask: str
    whom_to_ask_here: str
    owed: str
    days_late: str
    day_late: str
    you_said: str
    did: str
    will: str
    will_by: str
    cannot: str
    passed: str
    signed_by: str
    invited: str
    previous_reply: str
    next_reply: str
    is_it_fair: str
    fair: str
    partly: str
    unfair: str
    no_verdict: str
    date: str
    months: tuple[str, ...]
    type_here: str
    capitals: str
    space: str
    delete: str
    keyboard: tuple[str, ...]
    not_in_use_yet: str
    no_longer_in_use: str
    for_staff: str
    notices: dict[NoticeKind, str]

    def __post_init__(self) -> None:
        if missing := [kind.value for kind in NoticeKind if kind not in self.notices]:
            raise ValueError(f"notices lack {', '.join(missing)}")


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
