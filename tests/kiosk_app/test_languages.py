import re
import unicodedata
from importlib.resources import files

import msgspec
import pytest

from kiosk_app.languages.catalogue import Catalogue, read_catalogues

CATALOGUES = read_catalogues()


def test_english_and_welsh_are_spoken():
    assert sorted(CATALOGUES) == ["cy", "en"]
    assert CATALOGUES["cy"].name == "Cymraeg"


def test_each_catalogue_has_every_key_and_no_other():
    for language in CATALOGUES:
        document = msgspec.toml.decode(
            (files("kiosk_app.languages") / f"{language}.toml").read_bytes()
        )
        assert sorted(document) == sorted(Catalogue.__struct_fields__)


@pytest.mark.parametrize("language", sorted(CATALOGUES))
def test_each_text_is_there_composed_and_with_the_places_of_the_english_one(language):
    for key in Catalogue.__struct_fields__:
        text, english = getattr(CATALOGUES[language], key), getattr(CATALOGUES["en"], key)
        if isinstance(text, tuple):
            continue
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
