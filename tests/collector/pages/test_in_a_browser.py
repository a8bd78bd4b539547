"""The pages in a real browser: WCAG 2.2 AA as far as a machine can tell."""

import re
from collections.abc import Iterator
from datetime import date
from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe
from grounds import Databases
from office import OPEN, chromium, open_details, serving
from playwright.sync_api import Browser, Page
from stamps import stamped

from sync_service.collector.sheet import write_sheet

pytestmark = pytest.mark.sqlite_alone

NAME = "Morwenna"
PASSWORD = "three quiet words"

STANDARD = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]

FOCUSABLE = "a[href], button, select, summary, input:not([type=hidden])"

OVERFLOWING = """() => [...document.querySelectorAll("body *")]
    .filter(each => !each.closest(".unseen, svg, thead") && each.clientWidth > 0
        && each.scrollWidth > each.clientWidth + 1)
    .map(each => each.outerHTML.slice(0, 120))"""


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as browser:
        yield browser


@pytest.fixture(scope="module")
def address(books: str) -> Iterator[str]:
    """Where the pages are that need no account."""
    with serving(books) as address:
        yield address


@pytest.fixture(scope="module")
def guarded(ground: Databases, books: str) -> Iterator[str]:
    """Where the pages are that one must sign in to."""
    with serving(ground.copy(books), account=(NAME, PASSWORD)) as address:
        yield address


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    """A new page of 1280 by 800; whatever the browser complains of fails the test."""
    with browser.new_context(viewport={"width": 1280, "height": 800}) as context:
        page = context.new_page()
        complaints: list[str] = []
        page.on("console", lambda message: complaints.append(message.text))
        page.on("pageerror", lambda error: complaints.append(str(error)))
        yield page
        assert [each for each in complaints if "status of 4" not in each] == []


def judge(page: Page) -> None:
    """See that axe-core finds nothing, and nothing that it is unsure of.

    It can't tell the contrast of text in a picture; another test does.
    """
    besides_charts = {"exclude": [[".chart text"]]}
    found = Axe().run(page, besides_charts, {"runOnly": STANDARD}).response
    for kind in ("violations", "incomplete"):
        assert [
            (each["id"], node["html"], check["message"])
            for each in found[kind]
            for node in each["nodes"]
            for check in (*node["any"], *node["all"], *node["none"])
        ] == []


def contrast(colour: str, other: str) -> float:
    """WCAG's contrast ratio of two colours as a browser gives them: rgb(1, 2, 3)."""
    light, dark = sorted((luminance(colour), luminance(other)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


def luminance(colour: str) -> float:
    """WCAG's relative luminance of an opaque colour."""
    assert colour.startswith("rgb(")
    parts = (int(part) / 255 for part in colour[4:-1].split(", "))
    linear = (
        part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts
    )
    return sum(weight * part for weight, part in zip((0.2126, 0.7152, 0.0722), linear, strict=True))


def sign_in(page: Page, address: str, password: str = PASSWORD) -> None:
    page.goto(f"{address}/sign-in")
    page.get_by_label("Name").fill(NAME)
    page.get_by_label("Password").fill(password)
    with page.expect_navigation():  # until all that follows is loaded
        page.get_by_role("button", name="Sign in").click()


@pytest.mark.parametrize("path", OPEN.values(), ids=OPEN)
def test_axe_finds_nothing(page: Page, address: str, path: str) -> None:
    page.goto(address + path)
    open_details(page)
    judge(page)


@pytest.mark.parametrize("path", ["/", "/sites/st-just"])
def test_axe_finds_nothing_in_the_dark(page: Page, address: str, path: str) -> None:
    page.emulate_media(color_scheme="dark")
    page.goto(address + path)
    judge(page)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_what_a_chart_is_made_of_stands_out(page: Page, address: str, scheme: str) -> None:
    page.emulate_media(color_scheme=scheme)
    page.goto(f"{address}/sites/st-just")
    paper = page.evaluate("getComputedStyle(document.body).backgroundColor")
    for kind, part, least in (
        (".mark", "fill", 4.5),
        (".month", "fill", 4.5),
        (".dot", "fill", 3),
        (".whisker", "stroke", 3),
        (".none", "stroke", 3),
    ):
        colour = page.locator(f".chart {kind}").first.evaluate(
            f"each => getComputedStyle(each).{part}"
        )
        assert contrast(colour, paper) >= least, kind


def test_axe_finds_nothing_on_cards_of_a_narrow_window(page: Page, address: str) -> None:
    page.set_viewport_size({"width": 320, "height": 800})
    for path in ("/", "/sites/central"):
        page.goto(address + path)
        judge(page)


def test_axe_finds_nothing_at_the_door(page: Page, guarded: str) -> None:
    page.goto(guarded)
    assert page.url == f"{guarded}/sign-in"
    judge(page)
    sign_in(page, guarded, "a wrong password")
    assert "Name and password don’t go together" in page.inner_text("[role=alert]")
    judge(page)
    sign_in(page, guarded)
    assert page.url == f"{guarded}/"
    judge(page)


@pytest.mark.parametrize("path", OPEN.values(), ids=OPEN)
@pytest.mark.parametrize("width", [320, 640], ids=["320 pixels", "1280 pixels at 200 per cent"])
def test_nothing_is_cut_off_or_scrolls_sideways(
    page: Page, address: str, width: int, path: str
) -> None:
    page.set_viewport_size({"width": width, "height": 800})
    page.goto(address + path)
    open_details(page)
    assert page.evaluate("document.documentElement.scrollWidth") == width
    assert page.evaluate(OVERFLOWING) == []


@pytest.mark.parametrize("width", [320, 640], ids=["320 pixels", "1280 pixels at 200 per cent"])
def test_nothing_is_cut_off_at_the_door_and_behind_it(page: Page, guarded: str, width: int) -> None:
    page.set_viewport_size({"width": width, "height": 800})
    for password, path in (("a wrong password", "/sign-in"), (PASSWORD, "/")):
        sign_in(page, guarded, password)
        assert page.url == guarded + path
        assert page.evaluate("document.documentElement.scrollWidth") == width
        assert page.evaluate(OVERFLOWING) == []
        judge(page)


def test_text_may_be_spaced_wider(browser: Browser, address: str) -> None:
    # A reader's own style sheet, by the measures of WCAG 1.4.12.
    spaced = (
        "* { line-height: 1.5 !important; letter-spacing: 0.12em !important;"
        " word-spacing: 0.16em !important; } p { margin-bottom: 2em !important; }"
    )
    with browser.new_context(viewport={"width": 320, "height": 800}, bypass_csp=True) as context:
        page = context.new_page()
        for path in OPEN.values():
            page.goto(address + path)
            page.add_style_tag(content=spaced)
            assert page.evaluate("document.documentElement.scrollWidth") == 320


@pytest.mark.parametrize("path", ["/", "/sites/central", "/sites/zennor"])
def test_every_control_is_reached_by_tab_in_its_order_and_is_seen(
    page: Page, address: str, path: str
) -> None:
    page.goto(address + path)
    controls = page.locator(FOCUSABLE)
    for number in range(controls.count()):
        page.keyboard.press("Tab")
        control = controls.nth(number)
        assert control.evaluate("each => each === document.activeElement")
        seen = control.evaluate(
            "each => { const style = getComputedStyle(each), place = each.getBoundingClientRect();"
            " return [style.outlineStyle, parseFloat(style.outlineWidth), place.top >= 0,"
            " place.left >= 0, place.width > 0]; }"
        )
        assert seen == ["solid", 3, True, True, True]


def test_the_first_tab_leads_past_the_head(page: Page, address: str) -> None:
    page.goto(f"{address}/")
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    assert page.evaluate("document.activeElement.id") == "main"
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.id") == "period"


def test_a_period_is_chosen_and_a_table_opened_by_keyboard_alone(page: Page, address: str) -> None:
    page.goto(f"{address}/")
    page.locator("#period").focus()
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    page.wait_for_url("**/?period=2026-09")
    assert page.get_by_role("heading", level=1).inner_text() == "Sites in September 2026"
    page.get_by_role("link", name="Central Library").focus()
    page.keyboard.press("Enter")
    page.wait_for_url("**/sites/central")
    table = page.locator("details table").first
    assert not table.is_visible()
    page.locator("summary").first.focus()
    page.keyboard.press("Enter")
    assert table.is_visible()


def test_one_signs_in_and_out_by_keyboard_alone(page: Page, guarded: str) -> None:
    page.goto(guarded)
    for _ in range(3):  # past the skip link and the name of the place
        page.keyboard.press("Tab")
    page.keyboard.type(NAME)
    page.keyboard.press("Tab")
    page.keyboard.type(PASSWORD)
    page.keyboard.press("Enter")
    page.wait_for_url(f"{guarded}/")
    assert page.get_by_text(f"Signed in as {NAME}").is_visible()
    for _ in range(3):
        page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    page.wait_for_url(f"{guarded}/sign-in")


def test_a_browser_keeps_the_cookie_from_every_script(page: Page, guarded: str) -> None:
    sign_in(page, guarded)
    [cookie] = page.context.cookies()
    assert (cookie["httpOnly"], cookie["secure"], cookie["sameSite"]) == (True, True, "Strict")
    assert page.evaluate("document.cookie") == ""


def test_tables_that_became_cards_are_still_tables_to_a_screen_reader(
    page: Page, address: str
) -> None:
    page.set_viewport_size({"width": 320, "height": 800})
    page.goto(f"{address}/")
    assert page.get_by_role("table").count() == 1
    assert page.get_by_role("columnheader", name="Treated with dignity").count() == 1
    assert page.get_by_role("rowheader", name="Central Library").count() == 1
    assert page.get_by_role("row").count() == 8


def test_a_kiosks_sheet_is_one_page_of_paper_and_anyone_can_read_it(
    page: Page, tmp_path: Path
) -> None:
    one = stamped("By the door", call="Morwenna at the central team, 01234 567890, 9 to 5")
    (tmp_path / "sheet.html").write_text(write_sheet(one, date(2026, 11, 25)), encoding="utf-8")
    page.goto((tmp_path / "sheet.html").as_uri())
    judge(page)
    printed = page.pdf(prefer_css_page_size=True, print_background=True)
    assert len(re.findall(rb"/Type\s*/Page\b", printed)) == 1
