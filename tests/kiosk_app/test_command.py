"""The real kiosk as a process of its own, on a real screen, tapped by xdotool."""

import resource
import signal
import socket
import subprocess
import sys
import time
from dataclasses import replace

import pytest
from kiosk_site import both
from kiosk_window import WindowError
from lone_centre import write_stamp

from sync_service.contract.publication import Invitation, Replies
from sync_service.contract.record import Ending, InputMode, Response
from sync_service.outbox.state import State


def responses(site):
    return [record for record in site.records() if isinstance(record, Response)]


def test_what_is_tapped_is_what_is_in_the_store_once_thanks_are_shown(site, run_kiosk):
    site.stamp()
    kiosk = run_kiosk()
    kiosk.wait_for("attract", item=1)
    kiosk.tap("answer-2-en")
    kiosk.wait_for("asking", item=2)
    kiosk.tap("back")
    kiosk.wait_for("asking", item=1)
    kiosk.tap("answer-3-en")
    kiosk.wait_for("asking", item=2)
    kiosk.tap("skip-en")
    kiosk.wait_for("asking", item=3)
    kiosk.tap("write")
    kiosk.next_view()
    for key in ("capitals", "o", "k", "space"):
        kiosk.tap(f"key-{key}")
    kiosk.tap("key-figures")
    kiosk.next_view()
    for key in ("1", "0", "delete"):
        kiosk.tap(f"key-{key}")
    kiosk.tap("next")
    kiosk.wait_for("thanks")
    [response] = responses(site)
    assert response.answers == {1: 3, 3: "Ok 1"}
    assert (response.skipped, response.offered) == ((2,), (1, 2, 3))
    assert response.ending is Ending.COMPLETED
    assert kiosk.terminate() == 0
    assert len(responses(site)) == 1
    assert "Ok 1" not in kiosk.lines
    assert (site.data / "spare-key").exists()


def test_a_double_tap_answers_one_item(site, run_kiosk):
    site.stamp()
    kiosk = run_kiosk()
    kiosk.wait_for("attract")
    kiosk.settle()
    x, y = kiosk.shown.buttons["answer-1-en"]
    kiosk.pointer(
        *("mousemove", "--window", kiosk.window, str(x), str(y)),
        *("click", "--repeat", "3", "--delay", "40", "1"),
    )
    kiosk.wait_for("asking", item=2)
    kiosk.settle()
    kiosk.terminate()
    assert [response.answers for response in responses(site)] == [{1: 1}]


def test_a_finger_that_slides_off_a_button_answers_nothing(site, run_kiosk):
    site.stamp()
    kiosk = run_kiosk()
    kiosk.wait_for("attract")
    kiosk.settle()
    x, y = kiosk.shown.buttons["answer-1-en"]
    kiosk.pointer("mousemove", "--window", kiosk.window, str(x), str(y), "mousedown", "1")
    kiosk.pointer("mousemove", "--window", kiosk.window, str(x), "20", "mouseup", "1")
    kiosk.tap("answer-2-en")
    kiosk.wait_for("asking", item=2)
    assert kiosk.terminate() == 0
    assert [response.answers for response in responses(site)] == [{1: 2}]


def test_a_bilingual_site_answers_in_the_language_tapped(site, run_kiosk):
    site.stamp("dignity", "involved", languages=("cy", "en"))
    kiosk = run_kiosk(thanks_s=1)
    assert kiosk.wait_for("attract").languages == ("cy", "en")
    kiosk.tap("language-cy")
    assert kiosk.next_view().languages == ("cy",)
    kiosk.tap("answer-1-cy")
    kiosk.wait_for("asking", item=2)
    kiosk.tap("skip-cy")
    assert kiosk.wait_for("thanks").languages == ("cy",)
    assert kiosk.wait_for("attract").languages == ("cy", "en")
    kiosk.tap("language-en")
    kiosk.next_view()
    kiosk.tap("answer-1-en")
    kiosk.wait_for("asking", item=2)
    kiosk.tap("language-cy")
    assert kiosk.next_view().languages == ("cy",)
    kiosk.terminate()
    assert [response.language for response in responses(site)] == ["cy", "cy"]


def test_a_large_panel_asks_in_both_languages_at_once(site, run_kiosk):
    site.stamp("dignity", "involved", languages=("cy", "en"))
    kiosk = run_kiosk(panel="15.6-1920x1080")
    assert kiosk.wait_for("attract").languages == ("cy", "en")
    assert {"answer-1-cy", "answer-1-en"} <= kiosk.shown.buttons.keys()


def test_the_kiosk_draws_for_the_panel_that_its_stamp_names(site, run_kiosk):
    stamp = replace(site.stamp(), panel="7-800x480")
    write_stamp(stamp, site.base / "stamp")
    kiosk = run_kiosk()
    kiosk.wait_for("attract")
    right = max(x + width for x, _, width, _ in kiosk.shown.boxes.values())
    assert 700 < right <= 800


@pytest.mark.parametrize(
    ("rotation", "seen_at"),
    [(90, lambda x, y: (y, 800 - x)), (270, lambda x, y: (1280 - y, x))],
)
def test_a_picture_that_is_turned_is_tapped_where_it_is_seen(site, run_kiosk, rotation, seen_at):
    stamp = replace(site.stamp(), panel="10.1-800x1280", rotation=rotation)
    write_stamp(stamp, site.base / "stamp")
    kiosk = run_kiosk()
    kiosk.wait_for("attract")
    kiosk.settle()
    x, y = map(str, seen_at(*kiosk.shown.buttons["skip-en"]))  # which is in a corner
    kiosk.pointer("mousemove", "--window", kiosk.window, x, y, "click", "1")
    kiosk.wait_for("asking", item=2)
    assert kiosk.terminate() == 0
    assert [response.skipped for response in responses(site)] == [(1,)]


SMALL = {"panel.width_px": 480, "panel.height_px": 320, "panel.diagonal_in": 3.5}


@pytest.mark.parametrize(
    ("panel", "why"),
    [
        ({"panel": "3-480x320"}, "no panel is called 3-480x320"),
        (SMALL, "the panel 3.5-480x320 has no room for the kiosk's own words in en"),
    ],
)
def test_what_can_not_be_shown_on_the_panel_is_refused_at_start(site, run_kiosk, panel, why):
    site.stamp()
    kiosk = run_kiosk(**panel)
    with pytest.raises(WindowError, match=why):
        kiosk.wait_for("attract")
    assert kiosk.process.wait(30) == 2


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_stores_the_open_session_and_ends_the_kiosk(site, run_kiosk, number):
    site.stamp()
    kiosk = run_kiosk()
    kiosk.wait_for("attract")
    kiosk.tap("answer-1-en")
    kiosk.wait_for("asking", item=2)
    kiosk.process.send_signal(number)
    assert kiosk.process.wait(30) == 0
    [response] = responses(site)
    assert (response.answers, response.ending) == ({1: 1}, Ending.ABANDONED)
    assert response.single_tap


def test_a_full_disk_is_out_of_service_and_the_response_is_stored_when_there_is_room(
    site, run_kiosk
):
    site.stamp("dignity")
    kiosk = run_kiosk(thanks_s=1)
    kiosk.wait_for("attract")
    # No file of the kiosk's may grow: for SQLite that is what a full card is.
    limit = resource.prlimit(kiosk.process.pid, resource.RLIMIT_FSIZE)
    resource.prlimit(kiosk.process.pid, resource.RLIMIT_FSIZE, (0, limit[1]))
    kiosk.tap("answer-1-en")
    kiosk.wait_for("out_of_service", trouble="not_saved")
    assert responses(site) == []
    resource.prlimit(kiosk.process.pid, resource.RLIMIT_FSIZE, limit)
    kiosk.wait_for("attract")
    assert len(responses(site)) == 1
    kiosk.tap("answer-1-en")
    kiosk.wait_for("thanks")
    assert kiosk.terminate() == 0
    assert len(responses(site)) == 2


def test_a_store_that_can_not_be_opened_is_out_of_service_until_it_can(site, run_kiosk):
    site.stamp(languages=("cy", "en"))
    store = site.data / "store.db"
    store.write_bytes(b"SQLite format 3\0" + bytes(4080))
    kiosk = run_kiosk()
    seen = kiosk.wait_for("out_of_service", trouble="not_working")
    assert seen.languages == ("cy", "en")
    assert "reason=PlaintextStoreError" in kiosk.lines
    store.unlink()
    kiosk.wait_for("attract")
    assert kiosk.terminate() == 0


def test_what_the_agent_takes_from_the_centre_is_asked_without_a_restart(site, run_kiosk):
    site.stamp("dignity", "willing")
    kiosk = run_kiosk()
    kiosk.wait_for("attract")
    store = site.open_store()
    invitation = Invitation(code=1, what=both("help"), when=both("now"), whom=both("desk"))
    replies = Replies("central-library", (invitation,))
    State(store).take(site.centre.publish(replies))
    store.dispose()
    # The first question looks the same, so what has changed shows on the way only.
    deadline = time.monotonic() + 60
    asked = []
    while 4 not in asked and time.monotonic() < deadline:
        kiosk.wait_for("attract")
        kiosk.tap("answer-1-en")
        while kiosk.next_view().screen == "asking":
            asked.append(kiosk.shown.item)
            kiosk.tap("answer-1-en")
        kiosk.wait_for("thanks")
        kiosk.settle()
        kiosk.tap_at(640, 100)
    assert 4 in asked


def test_systemd_is_told_that_the_kiosk_is_up_alive_and_stopping(
    site, run_kiosk, tmp_path, monkeypatch
):
    site.stamp()
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as systemd:
        systemd.bind(str(tmp_path / "notify"))
        systemd.settimeout(30)
        monkeypatch.setenv("NOTIFY_SOCKET", str(tmp_path / "notify"))
        monkeypatch.setenv("WATCHDOG_USEC", "200000")
        kiosk = run_kiosk()
        assert systemd.recv(100) == b"READY=1"
        assert [systemd.recv(100) for _ in range(3)] == [b"WATCHDOG=1"] * 3
        kiosk.terminate()
        while (state := systemd.recv(100)) == b"WATCHDOG=1":
            pass
        assert state == b"STOPPING=1"


def test_a_kiosk_may_leave_no_core_dump(site, run_kiosk):
    site.stamp()
    kiosk = run_kiosk()
    kiosk.wait_for("attract")
    assert resource.prlimit(kiosk.process.pid, resource.RLIMIT_CORE) == (0, 0)


# What can't start says so


def run(*arguments):
    return subprocess.run(
        [sys.executable, "-m", "kiosk_app", *map(str, arguments)],
        check=False,
        capture_output=True,
        text=True,
        timeout=60,
    )


def test_help_tells_a_newcomer_what_is_needed():
    shown = run("--help")
    assert shown.returncode == 0
    assert 'stamp = "/var/lib/regard/regard.stamp"' in shown.stdout


def test_the_command_settles_in_and_does_not_start(site, tmp_path):
    stamp = site.stamp()
    boot = tmp_path / "boot"
    boot.mkdir()
    (boot / "regard.stamp").write_bytes(stamp.pack())
    settings = site.settings(stamp=str(tmp_path / "regard.stamp"))
    command = [sys.executable, "-m", "kiosk_app", settings, "--settle-in", boot]
    done = subprocess.run(
        [*command, "--connections", tmp_path], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert (tmp_path / "regard.stamp").read_bytes() == stamp.pack()
    assert (tmp_path / "regard-ethernet.nmconnection").exists()
    assert not (boot / "regard.stamp").exists()


@pytest.mark.parametrize("driver", ["", "x11"])
def test_without_a_screen_the_kiosk_asks_to_be_started_again_until_there_is_one(
    site, monkeypatch, driver
):
    site.stamp()
    for variable in ("DISPLAY", "WAYLAND_DISPLAY", "XDG_RUNTIME_DIR"):
        monkeypatch.delenv(variable, raising=False)
    monkeypatch.setenv("SDL_VIDEODRIVER", driver)
    ended = run(site.settings())
    assert ended.returncode == 3
    assert "there is no screen to show the kiosk on" in ended.stderr


def test_no_key_and_no_credential_is_an_error_that_says_what_to_set(site):
    site.stamp()
    settings = site.settings()
    lines = settings.read_text().splitlines()
    settings.write_text("\n".join(line for line in lines if "store_key" not in line))
    ended = run(settings)
    assert ended.returncode == 2
    assert "set store_key" in ended.stderr


def test_the_credential_that_systemd_hands_over_is_the_key(site, run_kiosk, monkeypatch):
    site.stamp()
    (site.base / "key").rename(site.base / "store-key")
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(site.base))
    kiosk = run_kiosk(store_key=None)
    kiosk.wait_for("attract")
    assert kiosk.terminate() == 0


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda site: (site.base / "key").write_text("secret"), "must hold 64 hexadecimal digits"),
        (lambda site: (site.base / "stamp/keys.publication").unlink(), "keys.publication"),
        (lambda site: site.stamp(languages=("fr",)), "the kiosk speaks cy, en"),
        (lambda site: site.settings(volume=3), "volume"),
        (lambda site: (site.base / "kiosk.toml").unlink(), "can't be read"),
    ],
)
def test_what_can_not_start_ends_with_a_sentence(site, spoil, message):
    site.stamp()
    settings = site.settings()
    spoil(site)
    ended = run(settings)
    assert ended.returncode == 2
    assert ended.stderr.startswith("regard-kiosk: ")
    assert message in ended.stderr
    assert "Traceback" not in ended.stderr
    assert "secret" not in ended.stderr


def test_with_a_fake_board_its_buttons_answer_its_lamps_show_it_and_its_faults_are_told(
    site, run_kiosk
):
    site.stamp("dignity")
    kiosk = run_kiosk(
        **{"hardware": "fake", "wiring.buttons": [5, 6, 13, 19], "wiring.lamps": [12, 16, 20, 21]}
    )
    kiosk.wait_for("attract", item=1)
    kiosk.settle()
    with socket.socket(socket.AF_UNIX) as hands:
        hands.settimeout(30)
        hands.connect(str(site.data / "fake" / "hands"))
        heard = b""
        while b"lamps 1111\n" not in heard:
            heard += hands.recv(100)
        hands.sendall(b"press 3\nrelease 3\n")
        kiosk.wait_for("thanks")
        while not heard.endswith(b"lamps 0000\n"):
            heard += hands.recv(100)
    store = site.open_store()
    assert State(store).troubles == ()
    store.dispose()
    assert kiosk.terminate() == 0
    [response] = responses(site)
    assert (response.answers, response.input_mode) == ({1: 3}, InputMode.BUTTONS)


def test_on_a_machine_without_pins_the_parts_are_told_by_name_and_touch_answers(site, run_kiosk):
    site.stamp("dignity")
    kiosk = run_kiosk(hardware="pi", **{"wiring.buttons": [5], "wiring.backlight": "none"})
    kiosk.wait_for("attract", item=1)
    kiosk.tap("answer-2-en")
    kiosk.wait_for("thanks")
    store = site.open_store()
    troubles = State(store).troubles
    store.dispose()
    assert {"backlight-failed", "button-1-failed"} <= {*troubles}
    assert kiosk.terminate() == 0
    [response] = responses(site)
    assert (response.answers, response.input_mode) == ({1: 2}, InputMode.TOUCH)
    assert "part set aside part=button-1 reason=" in kiosk.lines
