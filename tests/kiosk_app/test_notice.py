"""The notice: a kiosk that can't ask says on its own screen what staff has to do."""

import os
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest
from PIL import ImageGrab

from kiosk_app.languages.catalogue import read_catalogues
from kiosk_app.ui.palette import Ground
from kiosk_app.view import NoticeKind


@pytest.fixture
def systemd(tmp_path, monkeypatch):
    """What systemd hears of the service that it started."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as line:
        line.bind(str(tmp_path / "notify"))
        line.settimeout(30)
        monkeypatch.setenv("NOTIFY_SOCKET", str(tmp_path / "notify"))
        monkeypatch.setenv("WATCHDOG_USEC", "200000")
        yield line


def shown_by(kiosk):
    """What the notice says that a kiosk shows, once it does."""
    deadline = time.monotonic() + 30
    while "info notice " not in kiosk.lines and time.monotonic() < deadline:
        time.sleep(0.02)
    return kiosk.lines.partition("info notice shows=")[2]


def seen_colours():
    """The colours on the screen."""
    picture = ImageGrab.grab(xdisplay=os.environ["DISPLAY"])
    return {colour for _, colour in picture.getcolors(1 << 20)}


def face(ground):
    """A ground's colour as it is on the screen."""
    return tuple(round(255 * part) for part in ground.face[:3])


def unstamp(site):
    (site.base / "stamp").rename(site.base / "elsewhere")


def refuse(site):
    unstamp(site)
    (site.base / "stamp.refused").write_text("stamp-foreign:37")


def leave(_):
    """Nothing is wrong but the settings."""


@pytest.mark.parametrize(
    ("spoil", "settings", "shown"),
    [
        (unstamp, {}, "no-stamp"),
        (refuse, {}, "stamp-foreign:37"),
        (leave, {"volume": 3}, "settings"),
        (leave, {"panel": "3-480x320"}, "stamp-unfit"),
        (leave, {"panel": "7-800x480", "fullscreen": True}, "other-panel"),
    ],
)
def test_what_keeps_a_kiosk_from_starting_is_on_its_screen_until_it_is_ended(
    site, run_kiosk, systemd, *, spoil, settings, shown
):
    site.stamp()
    spoil(site)
    kiosk = run_kiosk(**settings)

    assert [systemd.recv(100) for _ in range(3)] == [b"READY=1", b"WATCHDOG=1", b"WATCHDOG=1"]
    assert shown_by(kiosk) == shown
    wanted = {face(ground) for ground in (Ground.PAGE, Ground.NOTICE)}
    while not wanted <= seen_colours():
        time.sleep(0.02)
    assert kiosk.terminate() == 0


def test_a_notice_needs_neither_settings_nor_data(xvfb, systemd):
    hung = subprocess.Popen([sys.executable, "-m", "kiosk_app", "--notice", "retiring:37"])
    try:
        assert systemd.recv(100) == b"READY=1"
    finally:
        hung.terminate()
    while systemd.recv(100) != b"STOPPING=1":
        pass
    assert hung.wait(30) == 0


def test_what_is_no_notice_is_not_shown():
    ended = subprocess.run(
        [sys.executable, "-m", "kiosk_app", "--notice", "no-such"],
        check=False,
        capture_output=True,
        text=True,
    )
    assert ended.returncode == 2
    assert "no-such" in ended.stderr


def test_where_nobody_but_its_user_reads_the_kiosk_it_ends_and_says_why(site, run_kiosk):
    site.stamp()
    unstamp(site)
    kiosk = run_kiosk()
    assert kiosk.process.wait(30) == 2
    assert "info notice" not in kiosk.lines


def test_staff_find_every_code_and_what_the_screen_says_in_the_installation_page():
    page = (Path(__file__).parents[2] / "docs" / "install.md").read_text(encoding="utf-8")
    words = read_catalogues()["en"]
    for kind in NoticeKind:
        assert f"| `{kind.value}` |" in page
    for shown in (
        words.not_in_use_yet,
        words.no_longer_in_use,
        words.not_working,
        words.not_saved,
        words.saving,
        words.still_there,
        words.paused,
        words.thanks,
    ):
        assert f"*{shown}*" in page
