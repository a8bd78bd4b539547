"""What does not fit a panel is known before it is shown, and named."""

from dataclasses import replace

import pytest
from kiosk_site import both
from lone_centre import LoneCentre
from views import questionnaire

from kiosk_app.error import NotAskableError
from kiosk_app.languages.catalogue import read_catalogues
from kiosk_app.layout.compositor import Compositor
from kiosk_app.layout.fit import Fitting, StampJudge
from kiosk_app.layout.panel import PANELS, Panel
from sync_service.contract.publication import Publication, Stands

CATALOGUES = read_catalogues()
why_refused = StampJudge().why_refused
LONG = "A oeddech chi'n teimlo bod gan y bobl yr holl wybodaeth yr oedd ei hangen arnyn nhw? " * 5


@pytest.fixture(scope="module")
def centre():
    return LoneCentre()


def with_question(asked, name, text):
    items = (replace(item, text=text) if item.name == name else item for item in asked.items)
    return replace(asked, items=tuple(items))


@pytest.mark.parametrize("panel", PANELS)
@pytest.mark.parametrize("name", ["library", "gp"])
def test_the_default_questionnaires_fit_each_panel(centre, name, panel):
    for languages in (("en",), ("cy",), ("cy", "en")):
        stamp = centre.stamp(questionnaire(name), languages=languages)
        assert why_refused(replace(stamp, panel=panel)) is None


@pytest.mark.parametrize("panel", ["7-800x480", "10.1-1024x600", "10.1-800x1280"])
def test_the_default_questionnaires_fit_small_panels_in_a_waiting_area(centre, panel):
    for name in ("library", "gp"):
        for language in ("en", "cy"):
            stamp = centre.stamp(questionnaire(name), languages=(language,), stands=Stands.WAITING)
            assert why_refused(replace(stamp, panel=panel)) is None


def test_a_question_that_does_not_fit_is_named_with_its_language_and_the_panel(centre):
    asked = with_question(questionnaire("gp"), "joined_up", {"en": "Well?", "cy": LONG})
    stamp = replace(centre.stamp(asked, languages=("en", "cy")), panel="7-800x480")
    assert why_refused(stamp) == (
        "gp: joined_up does not fit the panel 7-800x480 in cy: shorten its question or its"
        " options there, or use a larger panel"
    )
    assert why_refused(replace(stamp, panel="21.5-1080x1920")) is None


def test_what_is_off_need_not_fit(centre):
    asked = with_question(questionnaire("library"), "influence", both(LONG))
    assert why_refused(replace(centre.stamp(asked), panel="7-800x480")) is None


def test_a_word_too_long_for_a_button_is_found(centre):
    asked = questionnaire("library")
    dignity = asked.by_name("dignity")
    first = replace(dignity.options[0], text=both("Ie" + "llanfair" * 12))
    item = replace(dignity, options=(first, *dignity.options[1:]))
    stamp = centre.stamp(replace(asked, items=(item, *asked.items[1:])))
    assert "dignity does not fit the panel 10.1-1280x800 in en" in why_refused(stamp)


def test_a_panel_that_nobody_knows_is_refused(centre):
    stamp = replace(centre.stamp(questionnaire("library")), panel="8-640x480")
    assert "no panel is called 8-640x480" in why_refused(stamp)


def test_a_panel_too_small_for_the_kiosk_s_own_words_is_refused(centre):
    tiny = Fitting(Compositor(Panel("3-320x240", 320, 240, 3.0), CATALOGUES))
    with pytest.raises(NotAskableError, match="3-320x240 has no room for the kiosk's own words"):
        tiny.put_stamp_in_force(centre.stamp(questionnaire("library")))


def test_a_newer_questionnaire_that_does_not_fit_is_refused_too(centre):
    fitting = Fitting(Compositor(PANELS["7-800x480"], CATALOGUES))
    stamp = centre.stamp(questionnaire("library"))
    in_force = fitting.put_stamp_in_force(stamp)
    assignment = Publication.verify(stamp.assignment, stamp.publishing_key)
    newer = replace(questionnaire("library"), version=2)
    for asked, fits in ((newer, True), (with_question(newer, "involved", both(LONG)), False)):
        published = Publication.verify(centre.publish(asked), stamp.publishing_key)
        if fits:
            later = fitting.put_in_force(published, assignment, None)
            assert later.questionnaire_serial > in_force.questionnaire_serial
        else:
            with pytest.raises(NotAskableError, match="library: involved does not fit"):
                fitting.put_in_force(published, assignment, None)
