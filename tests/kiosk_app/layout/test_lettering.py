import pytest
from PIL import ImageFont

from kiosk_app.layout.lettering import Lettering, Style, Weight, least_size
from kiosk_app.layout.panel import PANELS

WORDS = "Ar y cyfan, a oeddech chi'n teimlo eich bod wedi cael eich trin â pharch ac urddas heddiw?"
STYLE = Style(40, Weight.REGULAR, 48)


@pytest.fixture(scope="module")
def lettering():
    return Lettering()


@pytest.mark.parametrize("weight", Weight)
def test_welsh_letters_are_drawn_and_not_boxes(lettering, weight):
    font = lettering.font(Style(40, weight, 48))
    missing = bytes(font.getmask("\uffff"))
    for letter in "âêîôûŵŷÂÊÎÔÛŴŶáéëïöẅẁ’–…":
        assert bytes(font.getmask(letter)) != missing, letter


def test_text_is_set_by_raqm(lettering):
    assert lettering.font(STYLE).layout_engine is ImageFont.Layout.RAQM


@pytest.mark.parametrize(
    ("name", "capital_mm"), [("7-800x480", 3.67), ("10.1-1280x800", 6.11), ("21.5-1080x1920", 6.11)]
)
def test_the_least_size_has_capitals_of_seven_tenths_of_a_degree(lettering, name, capital_mm):
    panel = PANELS[name]
    capital = lettering.font(Style(least_size(panel), Weight.REGULAR, 1)).getmask("H").size[1]
    assert capital / panel.px_per_mm >= capital_mm - 0.5 / panel.px_per_mm
    assert panel.capital_px / panel.px_per_mm == pytest.approx(capital_mm, abs=0.01)


@pytest.mark.parametrize("width", range(200, 1500, 130))
def test_lines_hold_all_words_and_no_line_is_wider_than_it_may_be(lettering, width):
    for broken in (lettering.lines, lettering.balanced):
        lines = broken(WORDS, STYLE, width)
        assert " ".join(lines) == WORDS
        assert max(lettering.width(line, STYLE) for line in lines) <= width
    assert len(lettering.lines(WORDS, STYLE, width)) == len(lettering.balanced(WORDS, STYLE, width))


def test_no_word_is_broken_unless_that_is_asked_for(lettering):
    width = lettering.width("oeddech", STYLE) - 1
    assert lettering.lines(WORDS, STYLE, width) is None
    assert "".join(lettering.break_anywhere(WORDS, STYLE, width)).replace(" ", "") == (
        WORDS.replace(" ", "")
    )


def test_a_short_last_word_gets_company_and_a_long_one_may_stand_alone(lettering):
    width = lettering.width("Rydym yn gofyn pwy ydych", STYLE) + 5
    assert lettering.lines("Rydym yn gofyn pwy ydych chi.", STYLE, width) == (
        "Rydym yn gofyn pwy",
        "ydych chi.",
    )
    assert lettering.lines("Rydym yn gofyn pwy ydych heddiwheddiw", STYLE, width)[-1] == (
        "heddiwheddiw"
    )


def test_a_number_in_groups_is_not_broken(lettering):
    width = lettering.width("Ring 029 2018 0", STYLE)
    assert lettering.lines("Ring 029 2018 0000", STYLE, width) == ("Ring", "029 2018 0000")


@pytest.mark.parametrize("most", [1, 2, 3, 5])
def test_the_narrowest_width_is_the_least_that_needs_no_more_lines(lettering, most):
    width = lettering.narrowest(WORDS, STYLE, most)
    assert len(lettering.lines(WORDS, STYLE, width)) <= most
    narrower = lettering.lines(WORDS, STYLE, width - 1)
    assert narrower is None or len(narrower) > most


def test_what_a_respondent_wrote_is_not_kept(lettering):
    secret = "Roedd Siân yn garedig"
    lettering.break_anywhere(secret, STYLE, 200)
    before = lettering._extent.cache_info(), lettering._lines.cache_info()
    lettering.break_anywhere(secret * 3, STYLE, 200)
    assert (lettering._extent.cache_info(), lettering._lines.cache_info()) == before
