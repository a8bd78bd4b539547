"""Accounts by command, and the pages served as `serve` serves them."""

import os
import pty
import re
import ssl
import subprocess
import sys

import httpx
import pytest

pytestmark = pytest.mark.sqlite_alone

PASSWORD = "three quiet words"


def command(*argv):
    return (sys.executable, "-m", "sync_service.collector", *argv)


@pytest.fixture
def account(rig):
    """Run an `account` command; its standard input is no terminal."""

    def run(verb, *argv, said=""):
        done = subprocess.run(
            command("account", verb, "--folder", str(rig.centre.folder), *argv),
            input=said,
            capture_output=True,
            text=True,
            check=False,
        )
        return done.returncode, done.stdout, done.stderr

    return run


def test_accounts_are_added_listed_and_removed(account):
    code, said, _ = account("add", "Morwenna", said=f"{PASSWORD}\n")
    assert (code, said) == (0, "Morwenna can sign in now.\n")
    code, said, _ = account("list")
    assert (code, said.splitlines()[1].split()[0]) == (0, "Morwenna")
    code, said, _ = account("remove", "Morwenna")
    assert code == 0
    assert "the pages are shown on this machine only" in said
    assert account("remove", "Morwenna")[::2] == (2, "there is no account Morwenna\n")


def test_a_password_that_is_too_short_is_refused(account):
    code, _, why = account("add", "Morwenna", said="short\n")
    assert (code, "12 to 256 characters" in why) == (2, True)


@pytest.mark.parametrize(
    ("typed", "code", "said"),
    [
        ((PASSWORD, PASSWORD), 0, "can sign in now"),
        ((PASSWORD, PASSWORD + "!"), 2, "the two are not the same"),
    ],
)
def test_at_a_terminal_the_password_is_typed_twice_and_not_shown(rig, typed, code, said):
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        command("account", "add", "--folder", str(rig.centre.folder), "Morwenna"),
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        start_new_session=True,
    )
    os.close(theirs)
    shown = b""
    for line, prompt in zip(typed, (b"Password: ", b"The same again: "), strict=True):
        while not shown.endswith(prompt):
            shown += os.read(ours, 1024)
        os.write(ours, line.encode() + b"\n")
    assert process.wait() == code
    shown += os.read(ours, 4096)
    os.close(ours)
    assert said in shown.decode()
    assert PASSWORD not in shown.decode()


def test_the_pages_are_served_over_tls_and_close_when_there_is_an_account(rig, account):
    authority = ssl.create_default_context(cafile=rig.centre.folder / "tls" / "authority.pem")
    with (
        subprocess.Popen(
            command("serve", "--folder", str(rig.centre.folder)), stdout=subprocess.PIPE, text=True
        ) as server,
        httpx.Client(verify=authority) as browser,
    ):
        try:
            port = server.stdout.readline().rpartition("=")[2].strip()
            browser.base_url = f"https://localhost:{port}"
            assert browser.get("/").headers["Location"] == "/pages/"
            shown = browser.get("/pages/")
            assert shown.status_code == 200
            assert "There is no account yet" in shown.text
            assert browser.get("/pages/static/style.css").status_code == 200
            account("add", "Morwenna", said=f"{PASSWORD}\n")
            form = browser.get("/pages/", follow_redirects=True).text
            fields = {
                "form_token": re.search(r'name="form_token" value="(\w+)"', form)[1],
                "name": "Morwenna",
                "password": PASSWORD,
            }
            signed_in = browser.post("/pages/sign-in", data=fields, follow_redirects=True)
            assert "Signed in as Morwenna" in signed_in.text
            assert browser.get("/v1/nowhere").json()["status"] == 404
        finally:
            server.terminate()
        assert server.wait() == 0
