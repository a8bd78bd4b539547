import re
import unicodedata
from importlib.resources import files

import msgspec
import pytest

from kiosk_app.languages.catalogue import Catalogue, read_catalogues
from kiosk_app.view import NoticeKind

CATALOGUES = read_catalogues()


def words(language):
    """All words of a language by their keys, but for its months and its keyboard."""
    fields = msgspec.structs.asdict(CATALOGUES[language])
    notices = fields.pop("notices")
    return {key: text for key, text in fields.items() if isinstance(text, str)} | notices


def test_english_and_welsh_are_spoken():
    assert sorted(CATALOGUES) == ["cy", "en"]
    assert CATALOGUES["cy"].name == "Cymraeg"


def test_each_catalogue_has_every_key_and_no_other():
    for language in CATALOGUES:
        document = msgspec.toml.decode(
            (files("kiosk_app.languages") / f"{language}.toml").read_bytes()
        )
        assert sorted(document) == sorted(Catalogue.__struct_fields__)


def test_a_catalogue_that_lacks_a_notice_is_refused():
    document = msgspec.structs.asdict(CATALOGUES["en"])
    document["notices"] = {
        kind: text for kind, text in document["notices"].items() if kind != NoticeKind.RETIRED
    }
    with pytest.raises(msgspec.ValidationError, match="notices lack retired"):
        msgspec.convert(document, Catalogue)


@pytest.mark.parametrize("language", sorted(CATALOGUES))
def test_each_text_is_there_composed_and_with_the_places_of_the_english_one(language):
    for key, text in words(language).items():
        english = words("en")[key]
        assert text.strip() == text != ""
        assert unicodedata.is_normalized("NFC", text)
        assert re.findall(r"{\w+}", text) == re.findall(r"{\w+}", english)


@pytest.mark.parametrize("language", sorted(CATALOGUES))
def test_a_keyboard_has_all_letters_of_its_language_once(language):
    letters = "".join(CATALOGUES[language].keyboard)
    assert len(set(letters)) == len(letters)
    assert set("abcdefghijklmnopqrstuvwxyz'.,?") <= set(letters)
    if language == "cy":
        assert set("âêîôûŵŷ") <= set(letters)
    for letter in letters:
        assert letter.upper().lower() == letter  # so that capitals go there and back
