"""What nobody expected: what is then said on the screen and in the log, and how it goes on."""

import logging
import socket
from datetime import datetime
from random import Random
from types import SimpleNamespace

import pytest
from kiosk_site import in_force
from kiosk_window import KioskWindow

from kiosk_app.error import ScreenError
from kiosk_app.failure import log_failure
from kiosk_app.hand import Hand
from kiosk_app.kiosk import Kiosk
from kiosk_app.languages.catalogue import read_catalogues
from kiosk_app.layout.compositor import Compositor
from kiosk_app.layout.panel import DEFAULT_PANEL, PANELS
from kiosk_app.manners import Manners
from kiosk_app.view import Screen, Trouble
from sync_service.contract.record import Ending, Moment, half_day_of
from sync_service.logs import LineFormatter

NOW = Moment(half_day_of(datetime(2026, 3, 10, 14)))
WRITTEN = "Ann Jones was kind"


def stumble(*_):
    raise ValueError(WRITTEN)


@pytest.fixture
def run(stage, centre, caplog):
    """Runs the app in the middle of a session until it fails; gives what came of it."""
    from kivy.core.window import Window

    from kiosk_app.ui.app import KioskApp
    from kiosk_app.ui.loop import Loop

    caplog.set_level(logging.INFO)

    def run(catalogues=None, *, let_in=lambda now: None, record=None):
        recorded = []
        kiosk = Kiosk(
            in_force(centre, languages=("cy", "en")),
            Manners(),
            random=Random(1),
            moment=lambda timezone: NOW,
            record=record or recorded.append,
            session_begun=lambda: None,
            now=0.0,
        )
        kiosk.in_service(0.0)
        kiosk.answer(1, 2, "en", now=1.0)
        app = KioskApp(
            kiosk,
            Loop(()),
            Compositor(PANELS[DEFAULT_PANEL], catalogues or read_catalogues()),
            Hand(repeat_s=0.5),
            clock=lambda: 2.0,
            let_in=let_in,
            trace_view=True,
        )
        with pytest.raises(ScreenError):
            app.run()
        Window.remove_widget(app.root)
        shown = [line for line in caplog.records if line.message == "view"]
        return SimpleNamespace(view=kiosk.view, shown=shown, recorded=recorded)

    return run


def test_a_failure_is_said_in_the_site_s_languages_and_what_was_answered_is_kept(run):
    came = run(let_in=stumble)
    assert (came.view.screen, came.view.trouble) == (Screen.OUT_OF_SERVICE, Trouble.NOT_WORKING)
    assert [(each.screen, each.languages) for each in came.shown] == [("out_of_service", "cy,en")]
    [response] = came.recorded
    assert (response.answers, response.ending) == ({1: 2}, Ending.ABANDONED)


def test_a_failure_is_said_even_if_what_was_answered_can_not_be_kept(run):
    came = run(let_in=stumble, record=stumble)
    assert [each.screen for each in came.shown] == ["out_of_service"]


def test_a_screen_that_can_not_even_say_that_it_failed_ends(run):
    came = run({"en": None, "cy": None})
    assert came.shown == []
    assert len(came.recorded) == 1


def stumble_twice():
    try:
        stumble()
    except ValueError:
        {}.pop(WRITTEN)


def test_the_log_is_told_the_kind_and_the_way_of_each_failure_and_not_its_message(caplog):
    with pytest.raises(KeyError) as failed:
        stumble_twice()
    log_failure(failed.value)
    first, last = caplog.records
    assert (first.error, last.error) == ("ValueError", "KeyError")
    assert [step.partition(":")[0] for step in first.way.split()] == ["test_failure.py"] * 2
    assert WRITTEN not in LineFormatter().format(first) + LineFormatter().format(last)


# As a process


def test_a_kiosk_whose_screen_fails_says_so_and_is_back(site, xvfb, tmp_path, monkeypatch):
    site.stamp(languages=("cy", "en"))
    notify = tmp_path / "notify"
    monkeypatch.setenv("NOTIFY_SOCKET", str(notify))
    monkeypatch.setenv("WATCHDOG_USEC", "1000000")
    systemd = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    systemd.bind(str(notify))
    with KioskWindow(site.settings(), restarts=True) as kiosk:
        kiosk.wait_for("attract")
        kiosk.tap("language-en")
        kiosk.next_view()
        kiosk.tap("answer-1-en")
        kiosk.wait_for("asking", item=2)
        # What tells systemd that the screen is alive fails: in the midst of a session, as any
        # part of the screen may.
        systemd.close()
        notify.unlink()
        assert kiosk.wait_for("out_of_service").languages == ("cy", "en")
        first = kiosk.process
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as systemd:
            systemd.bind(str(notify))
            kiosk.wait_for("attract")
            assert first.wait() == 3
            assert kiosk.process.pid != first.pid
            assert kiosk.terminate() == 0
    assert "error failed error=FileNotFoundError" in kiosk.lines
    assert "Traceback" not in kiosk.lines
    [response] = site.records()
    assert (response.answers, response.ending) == ({1: 1}, Ending.ABANDONED)
