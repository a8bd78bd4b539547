"""What looks like an address, and whether it may stand on a screen."""

import pytest

from sync_service.collector.screen_text import forbidden_link

ALLOWED = ("nhs.uk", "northvale.gov.uk")


@pytest.mark.parametrize(
    "text",
    [
        "We answered by 10.30am, not 9.15. See the poster…and ask.",
        "You said: it was cold! We mended it (at last).",
        "24.11.2026, i.e. on Tuesday; room 2.14, e.g. for Mr. Jones",
        "Gofynnwch wrth y ddesg. Diolch.",
        "Ffôn 01234 567890; @northvale",
        "ہم نے سنا۔ شکریہ",
        "See nhs.uk/involve.",
        "See https://www.nhs.uk/a/b.html?c=d#e, or NHS.UK!",
        "Write to “involve@libraries.northvale.gov.uk”.",
    ],
)
def test_words_are_no_addresses_and_allowed_domains_may_stand(text):
    assert forbidden_link(text, ALLOWED) is None


@pytest.mark.parametrize(
    ("text", "link"),
    [
        ("See evil.example now", "evil.example"),
        ("See (http://evil.example/nhs.uk).", "http://evil.example/nhs.uk"),
        ("www.evil.example", "www.evil.example"),
        ("ftp://nhs.uk/", "ftp://nhs.uk/"),
        ("nhs.uk.evil.example", "nhs.uk.evil.example"),
        ("evilnhs.uk", "evilnhs.uk"),
        ("evil-nhs.uk", "evil-nhs.uk"),
        ("uk", None),
        ("gov.uk", "gov.uk"),  # what is above an allowed domain is not allowed with it
        ("https://nhs.uk@evil.example", "https://nhs.uk@evil.example"),
        ("https://evil.example@nhs.uk", "https://evil.example@nhs.uk"),
        ("https://nhs.uk:80@evil.example/", "https://nhs.uk:80@evil.example/"),
        ("https://nhs.uk\\.evil.example", "https://nhs.uk\\.evil.example"),
        ("https://nhs.uk?.evil.example", "https://nhs.uk?.evil.example"),
        ("someone@evil.example", "someone@evil.example"),
        ("nhs.uk,evil.example", "nhs.uk,evil.example"),
        ("192.0.2.7/form", "192.0.2.7/form"),
        ("xn--nhs-0ib.uk", "xn--nhs-0ib.uk"),
        ("nһs.uk", "nһs.uk"),  # with a Cyrillic letter
        ("ｎｈｓ.uk", "ｎｈｓ.uk"),
        ("nhs。evil", "nhs。evil"),
        ("evil․example", "evil․example"),  # with a leader for a dot
        ("evil．example", "evil．example"),
        ("ev\u00adil\u200b.\u2060example", "ev\u00adil\u200b.\u2060example"),
        ("правда.рф", "правда.рф"),
        ("डाटा.भारत", "डाटा.भारत"),
        ("We listened.Thank you", "listened.Thank"),  # the refusal says what to do
    ],
)
def test_what_leads_elsewhere_is_found(text, link):
    assert forbidden_link(text, ALLOWED) == link


def test_nothing_is_allowed_unless_it_is_named():
    assert forbidden_link("nhs.uk", ()) == "nhs.uk"
