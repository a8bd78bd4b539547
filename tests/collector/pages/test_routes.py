import re
from contextlib import contextmanager
from dataclasses import replace

import httpx
import pytest
from council import Council
from office import CHEAP, NOW, TODAY, pages
from starlette.applications import Starlette

from sync_service.collector.accounts import Accounts
from sync_service.collector.database import open_engine
from sync_service.collector.error import BusyError
from sync_service.collector.pages.gate import COOKIE
from sync_service.collector.pages.lockout import FREE_TRIES
from sync_service.collector.pages.routes import MAX_FORM_LENGTH, SECURITY_HEADERS

NAME = "Morwenna"
PASSWORD = "three quiet words"
HERE = "127.0.0.1"
ELSEWHERE = "192.0.2.7"


class Clock:
    """A clock that is set by hand."""

    def __init__(self):
        self.now = float(NOW)

    def __call__(self):
        return self.now


@pytest.fixture
def clock():
    return Clock()


@contextmanager
def browsing(url, runner, clock):
    """Make browsers at an address, all at the same pages; how those are set up may be said."""
    engine = open_engine(url)
    apps, browsers = {}, []

    def browser(address=HERE, host="localhost", *, behind_proxy=False):
        if behind_proxy not in apps:
            routes = pages(engine, clock, behind_proxy=behind_proxy).routes()
            apps[behind_proxy] = Starlette(routes=routes)
        browsers.append(Browser(apps[behind_proxy], runner, address, host))
        return browsers[-1]

    yield browser
    for each in browsers:
        runner.run(each.client.aclose())
    runner.run(engine.dispose())


@pytest.fixture
def browse(books, runner, clock):
    """Makes browsers at pages with a year in them, which need no account."""
    with browsing(books, runner, clock) as browser:
        yield browser


@pytest.fixture
def guarded(database, runner, clock):
    """Makes browsers at pages that are empty, and for those who sign in to an account."""

    async def add():
        engine = open_engine(database)
        await Accounts(engine, CHEAP).add(NAME, PASSWORD, NOW)
        await engine.dispose()

    runner.run(add())
    with browsing(database, runner, clock) as browser:
        yield browser


class Browser:
    """Asks for pages, keeps cookies, fills forms in."""

    def __init__(self, app, runner, address, host):
        transport = httpx.ASGITransport(app, raise_app_exceptions=False, client=(address, 50_000))
        self.client = httpx.AsyncClient(transport=transport, base_url=f"https://{host}")
        self.runner = runner

    def get(self, path, **kwargs):
        return self.runner.run(self.client.get(path, **kwargs))

    def post(self, path, **kwargs):
        return self.runner.run(self.client.post(path, **kwargs))

    @property
    def token(self):
        return self.client.cookies.get(COOKIE)

    def form_token(self, path="/pages/sign-in"):
        return re.search(r'name="form_token" value="(\w*)"', self.get(path).text)[1]

    def sign_in(self, name=NAME, password=PASSWORD, **kwargs):
        fields = {"form_token": self.form_token(), "name": name, "password": password}
        return self.post("/pages/sign-in", data=fields, **kwargs)


def words(reply):
    """The text of a page, as one line."""
    return " ".join(re.sub(r"<[^>]+>", " ", reply.text).split())


def test_the_way_in_leads_to_the_overview(browse):
    browser = browse()
    for path in ("/", "/pages"):
        reply = browser.get(path)
        assert (reply.status_code, reply.headers["Location"]) == (303, "/pages/")
    assert "Sites in October 2026" in words(browser.get("/pages/"))


def test_without_an_account_the_pages_are_shown_at_the_collectors_own_machine(browse):
    for host in ("localhost", "127.0.0.1:8443", "[::1]:8443"):
        reply = browse(HERE, host).get("/pages/")
        assert reply.status_code == 200
        assert "There is no account yet" in words(reply)
    assert browse("::1").get("/pages/").status_code == 200


@pytest.mark.parametrize(
    ("address", "host", "headers", "behind_proxy"),
    [
        (ELSEWHERE, "localhost", {}, False),
        (HERE, "collector.example", {}, False),
        (HERE, "localhost", {"X-Forwarded-For": HERE}, False),
        (HERE, "localhost", {"Forwarded": "for=127.0.0.1"}, False),
        (HERE, "localhost", {"Via": "1.1 proxy"}, False),
        (HERE, "localhost", {}, True),
        (HERE, "localhost", {"X-Forwarded-For": HERE}, True),
    ],
)
def test_without_an_account_nobody_sees_them_from_elsewhere_and_is_told_why(
    browse, address, host, headers, behind_proxy
):
    browser = browse(address, host, behind_proxy=behind_proxy)
    for path in ("/pages/", "/pages/sites/central", "/pages/sign-in"):
        reply = browser.get(path, headers=headers)
        assert reply.status_code == 403
        assert "As long as there is no account" in words(reply)
        assert "Central Library" not in reply.text


@pytest.mark.parametrize("path", ["/pages/", "/pages/?period=2026-09", "/pages/sites/central"])
@pytest.mark.parametrize("address", [HERE, ELSEWHERE])
def test_with_an_account_everyone_must_sign_in(guarded, path, address):
    reply = guarded(address).get(path)
    assert (reply.status_code, reply.headers["Location"]) == (303, "/pages/sign-in")
    assert "Central Library" not in reply.text


def test_who_signs_in_sees_the_pages_until_they_sign_out(guarded):
    browser = guarded(ELSEWHERE, "collector.example")
    reply = browser.sign_in()
    assert (reply.status_code, reply.headers["Location"]) == (303, "/pages/")
    assert f"Signed in as {NAME}" in words(browser.get("/pages/"))
    assert browser.get("/pages/sign-in").status_code == 303
    left = browser.token
    fields = {"form_token": browser.form_token("/pages/")}
    assert browser.post("/pages/sign-out", data=fields).headers["Location"] == "/pages/sign-in"
    assert browser.token is None
    browser.client.cookies.set(COOKIE, left)
    assert browser.get("/pages/").status_code == 303


def test_the_cookie_is_for_this_host_for_https_and_for_no_script(guarded):
    browser = guarded()
    cookies = [browser.get("/pages/sign-in").headers["Set-Cookie"]]
    cookies.append(browser.sign_in().headers["Set-Cookie"])
    for cookie in cookies:
        name, *attributes = cookie.split("; ")
        assert name.startswith("__Host-regard=")
        assert {each.lower() for each in attributes} == {
            "httponly",
            "path=/",
            "samesite=strict",
            "secure",
        }


def test_signing_in_gives_a_token_that_nobody_could_have_planted(guarded):
    browser = guarded()
    browser.get("/pages/sign-in")
    before = browser.token
    browser.sign_in()
    assert browser.token != before
    browser.client.cookies.set(COOKIE, before)
    assert browser.get("/pages/").status_code == 303


def test_a_wrong_password_and_an_unknown_name_are_told_in_the_same_words(guarded):
    wrong, unknown = guarded().sign_in(password="x"), guarded().sign_in(name="Jago")
    assert wrong.status_code == unknown.status_code == 403
    assert words(wrong) == words(unknown)
    assert "Name and password don’t go together" in words(wrong)


def test_too_many_tries_are_locked_out_even_with_the_right_password(guarded, clock):
    browser = guarded(ELSEWHERE)
    for _ in range(FREE_TRIES):
        assert browser.sign_in(password="wrong").status_code == 403
    locked = browser.sign_in()
    assert (locked.status_code, locked.headers["Retry-After"]) == (429, "15")
    assert "There were too many tries. Please wait a minute" in words(locked)
    clock.now += 15
    assert browser.sign_in().status_code == 303


def test_behind_a_proxy_the_address_is_what_the_proxy_says_last(guarded):
    browser = guarded(behind_proxy=True)
    for number in range(FREE_TRIES):
        forwarded = {"X-Forwarded-For": f"198.51.100.{number}, {ELSEWHERE}"}
        browser.sign_in(name=str(number), headers=forwarded)
    assert browser.sign_in(headers={"X-Forwarded-For": ELSEWHERE}).status_code == 429
    assert browser.sign_in(headers={"X-Forwarded-For": "198.51.100.9"}).status_code == 303


def test_without_a_proxy_nobody_chooses_their_own_address(guarded):
    browser = guarded(ELSEWHERE)
    for number in range(FREE_TRIES):
        browser.sign_in(name=str(number), headers={"X-Forwarded-For": f"198.51.100.{number}"})
    assert browser.sign_in().status_code == 429


def test_a_form_from_elsewhere_signs_nobody_in(guarded):
    browser, other = guarded(), guarded()
    theirs = other.form_token()
    browser.get("/pages/sign-in")
    for fields in ({}, {"form_token": ""}, {"form_token": theirs}):
        reply = browser.post("/pages/sign-in", data={"name": NAME, "password": PASSWORD, **fields})
        assert reply.status_code == 403
        assert browser.get("/pages/").status_code == 303


def test_a_form_without_a_cookie_signs_nobody_in(guarded):
    browser = guarded()
    fields = {"form_token": browser.form_token(), "name": NAME, "password": PASSWORD}
    browser.client.cookies.clear()
    assert browser.post("/pages/sign-in", data=fields).status_code == 403


def test_a_form_from_elsewhere_signs_nobody_out(guarded):
    browser = guarded()
    browser.sign_in()
    for fields in ({"form_token": ""}, {"form_token": guarded().form_token()}):
        assert browser.post("/pages/sign-out", data=fields).status_code == 403
    assert browser.get("/pages/").status_code == 200


@pytest.mark.parametrize(
    ("content", "status"),
    [
        (b"name=" + b"x" * MAX_FORM_LENGTH, 413),
        (b"name=\xff", 400),
        (b"&".join([b"a=b"] * 50), 400),
    ],
)
@pytest.mark.parametrize("path", ["/pages/sign-in", "/pages/sign-out"])
def test_what_is_no_small_form_is_refused(guarded, path, content, status):
    form = {"Content-Type": "application/x-www-form-urlencoded"}
    assert guarded().post(path, content=content, headers=form).status_code == status
    assert guarded().post(path, content=content).status_code == 415


@pytest.mark.parametrize(
    "path",
    [
        "/pages/",
        "/pages/?period=2026-Q3",
        "/pages/sites/central",
        "/pages/sites/st-just",
        "/pages/nowhere",
        "/pages/static/style.css",
        "/pages/static/icon.svg",
    ],
)
def test_every_reply_forbids_what_the_pages_do_not_need(browse, path):
    reply = browse().get(path)
    for name, value in SECURITY_HEADERS.items():
        assert reply.headers[name] == value
    if reply.headers["Content-Type"].startswith("text/html"):
        assert reply.headers["Cache-Control"] == "no-store"
        assert not re.search(r"<script|<style|\sstyle=|\son\w+=|javascript:|https?://", reply.text)


def test_each_period_of_the_last_year_can_be_looked_at(browse):
    browser = browse()
    codes = re.findall(r'<option value="([^"]+)"', browser.get("/pages/").text)
    assert codes[:2] == ["2026-10", "2026-09"]
    assert codes[-4:] == ["2026-Q3", "2026-Q2", "2026-Q1", "2025-Q4"]
    assert len(codes) == 16
    assert "Sites in October to December 2025" in words(browser.get("/pages/?period=2025-Q4"))


@pytest.mark.parametrize(
    "path",
    [
        "/pages/?period=2026-11",
        "/pages/?period=2026-Q4",
        "/pages/?period=yesterday",
        "/pages/?period=",
        "/pages/sites/nowhere",
        "/pages/sites/",
        "/pages/static/../routes.py",
        "/pages/static/nowhere.css",
    ],
)
def test_what_is_not_there_is_said_plainly(browse, path):
    reply = browse().get(path)
    assert reply.status_code == 404
    assert "There is no such page" in words(reply)


def test_the_overview_names_sites_in_their_order_with_figures_or_reasons(browse):
    page = words(browse().get("/pages/"))
    rows = [
        "Central Library Libraries, Penwith Council about 135",
        "Hayle Library Libraries, Penwith Council Not heard from yet",
        "Morrab Surgery GP surgeries, Penwith Council about 75",
        "Newlyn Library Libraries, Penwith Council No kiosk here then",
        "Sennen Community Library and Information Point Libraries, Penwith Council Nobody answered",
        "St Just Library Libraries, Penwith Council Too few to show",
        "Zennor Library Libraries, Penwith Council No kiosk here then",
    ]
    places = [page.index(row) for row in rows]
    assert places == sorted(places)
    assert "About 30 records waiting to be opened." in page
    assert "Front desk at Hayle Library" in page
    assert "about 25 records are missing" in page
    assert "its card was copied or restored" in page
    assert "Waits for your approval" in page


def test_a_site_shows_its_months_its_quarters_and_its_kiosks(browse):
    page = words(browse().get("/pages/sites/st-just"))
    assert "Overall, did you feel you were treated with respect and dignity today?" in page
    assert "July to September 2026 about 25" in page
    assert "October 2026 – Too few to show" in page
    assert "Last contact: 18 November 2026" in page


def test_a_chart_has_a_title_and_says_in_words_what_it_shows(browse):
    page = browse().get("/pages/sites/central").text
    for label in re.findall(r'role="img" aria-labelledby="([^"]+)"', page):
        for id_ in label.split():
            assert f'id="{id_}"' in page
    assert "12 of 12 months have a figure" in page


def test_names_are_shown_as_text_whatever_is_in_them(database, runner, clock):
    council = Council(TODAY.replace(year=2025))
    council.kiosk(council.site("x", "<script>alert(1)</script>"), "<b>&\"'", contact_on=TODAY)
    engine = open_engine(database)
    runner.run(council.write(engine))
    browser = Browser(Starlette(routes=pages(engine, clock).routes()), runner, HERE, "localhost")
    for path in ("/pages/", "/pages/sites/x"):
        reply = browser.get(path)
        assert "<script" not in reply.text
        assert "&lt;script&gt;alert(1)&lt;/script&gt;" in reply.text
        assert "<b>&" not in reply.text
    runner.run(browser.client.aclose())
    runner.run(engine.dispose())


class Failing:
    """A door that can't be opened just now, or ever."""

    def __init__(self, error):
        self._error = error

    async def overview(self, today, period=None):
        raise self._error


@pytest.fixture
def failing(books, runner, clock):
    """Ask for a page that fails with an error."""

    def ask(error):
        engine = open_engine(books)
        broken = replace(pages(engine, clock), disclosure=Failing(error))
        browser = Browser(Starlette(routes=broken.routes()), runner, HERE, "localhost")
        reply = browser.get("/pages/")
        runner.run(browser.client.aclose())
        runner.run(engine.dispose())
        return reply

    return ask


@pytest.mark.parametrize(
    ("error", "status", "said"),
    [
        (BusyError("busy"), 503, "Please try again in a minute"),
        (RuntimeError("a bug"), 500, "This is a fault of ours"),
    ],
)
def test_a_page_that_fails_says_so_and_says_no_more(failing, error, status, said):
    reply = failing(error)
    assert reply.status_code == status
    assert said in words(reply)
    assert str(error) not in reply.text.lower().replace("busy just now", "")
    assert reply.headers["Content-Security-Policy"] == SECURITY_HEADERS["Content-Security-Policy"]
