"""The sheet for a kiosk: it says what its screen says, and nothing that a sheet must not."""

import re
from datetime import date
from html import unescape

import pytest
from stamps import WIFI, stamped

from kiosk_app.languages.catalogue import read_catalogues
from kiosk_app.view import NoticeKind
from sync_service.collector.sheet import write_sheet
from sync_service.contract.network import Ethernet, Network
from sync_service.contract.publication import Stands

TODAY = date(2026, 11, 5)


def words(one):
    """What a reader of the sheet sees."""
    [body] = re.findall("<body>(.*)</body>", write_sheet(one, TODAY), re.DOTALL)
    return " ".join(unescape(re.sub("<[^>]+>", " ", body)).split())


def test_a_sheet_names_the_kiosk_its_pin_and_whom_to_call():
    said = words(stamped("By the door", pin="048291", call="Ana, on 01234 567890"))
    assert "Central Library" in said
    assert "This kiosk is called By the door" in said
    assert "Staff PIN 048 291" in said
    assert "Call: Ana, on 01234 567890" in said
    assert "Printed from the stamp of 5 November 2026" in said


def test_where_nobody_is_named_there_is_a_line_to_write_on():
    assert '<span class="line">' in write_sheet(stamped(), TODAY)
    assert '<span class="line">' not in write_sheet(stamped(call="Ana"), TODAY)


def test_what_it_quotes_is_what_the_screen_says_word_by_word():
    catalogue = read_catalogues()["en"]
    said = words(stamped())
    quoted = {*re.findall("“([^”]+)”", said)}
    assert quoted == {
        catalogue.stop,
        catalogue.not_working,
        catalogue.not_saved,
        catalogue.not_in_use_yet,
        catalogue.no_longer_in_use,
        catalogue.still_there,
        catalogue.paused,
    }
    assert catalogue.discarded in said
    for kind in (NoticeKind.NO_STAMP, NoticeKind.STAMP_DAMAGED):
        assert kind.value in said
    assert "Overall, did you feel you were treated with respect and dignity today?" in said


@pytest.mark.parametrize(
    ("network", "told"),
    [
        (None, "If it came with a network cable"),
        (Network(None), "It needs no network here"),
        (Network(Ethernet()), "Plug the network cable into the kiosk"),
        (WIFI, "It finds the Wi-Fi “Council” by itself"),
    ],
)
def test_it_says_what_to_do_for_the_network_and_keeps_its_secrets(network, told):
    one = stamped(network=network)
    assert told in words(one)
    for secret in ("quiet words", "guarded", one.stamp.enrolment_code):
        assert secret not in write_sheet(one, TODAY)


def test_a_kiosk_that_never_has_a_network_is_not_said_to_send():
    assert "sends them" not in words(stamped(network=Network(None)))
    assert "sends them when it can" in words(stamped())


@pytest.mark.parametrize("stands", Stands)
def test_it_says_where_the_kiosk_belongs(stands):
    said = {each: words(stamped(stands=each)) for each in Stands}
    assert len({*said.values()}) == len(Stands)
    assert "in its place: " in said[stands]


def test_it_needs_no_other_file_and_a_name_can_put_nothing_into_it():
    sheet = write_sheet(stamped("<script>alert(1)</script>", call='"><img src=x>'), TODAY)
    assert "<script" not in sheet
    assert "<img" not in sheet
    assert "&lt;script&gt;" in sheet
    assert not re.search(r"<[^>]+\b(src|href)=|url\(|@import|https?:", sheet)
