"""Whatever fails of what is bolted to a real kiosk: touch answers, and the part is named."""

import os
import socket
import time

import pytest
from boards import WIRING

from hardware.fake import SOCKET, lay_tree
from sync_service.contract.record import InputMode, Response
from sync_service.outbox.state import State

BOLTED_ON = {
    "hardware": "fake",
    "wiring.buttons": [*WIRING.buttons],
    "wiring.lamps": [*WIRING.lamps],
    "wiring.presence": WIRING.presence,
    "wiring.tamper": WIRING.tamper,
    "wiring.backlight": WIRING.backlight,
    "wiring.rtc": WIRING.rtc,
}
FILES = {
    f"sys/class/backlight/{WIRING.backlight}/brightness": "backlight-failed",
    f"sys/class/rtc/{WIRING.rtc}/since_epoch": "clock-failed",
    "sys/class/thermal/thermal_zone0/temp": "temperature-failed",
    "sys/class/hwmon/hwmon0/in0_lcrit_alarm": "power-failed",
    "sys/devices/platform/soc/soc:firmware/get_throttled": "processor-failed",
    "sys/block/mmcblk0/device/life_time": "card-failed",
    "proc/meminfo": "memory-failed",
}
PINS = {
    **{pin: f"button-{place}-failed" for place, pin in enumerate(WIRING.buttons, start=1)},
    **{pin: f"lamp-{place}-failed" for place, pin in enumerate(WIRING.lamps, start=1)},
    WIRING.presence: "presence-failed",
    WIRING.tamper: "case-failed",
}


def fail(path):
    """Let every read and write of a file fail with an I/O error, as on a bus that is dead."""
    path.unlink()
    path.symlink_to("/proc/self/mem")


def hang(path):
    """Let whoever reads a file wait for ever."""
    path.unlink()
    os.mkfifo(path)
    return path


def told(site):
    """The troubles that the agent will tell the centre."""
    store = site.open_store()
    try:
        return {*State(store).troubles}
    finally:
        store.dispose()


def await_told(site, wanted):
    deadline = time.monotonic() + 30
    while told(site) != wanted:
        assert time.monotonic() < deadline, told(site) ^ wanted
        time.sleep(0.05)


def answer(kiosk):
    """Answer a whole questionnaire by touch, until thanks are shown."""
    kiosk.wait_for("attract", item=1)
    kiosk.tap("answer-1-en")
    kiosk.wait_for("asking", item=2)
    kiosk.tap("answer-2-en")
    kiosk.wait_for("thanks")


def assert_answered(site, times):
    responses = [record for record in site.records() if isinstance(record, Response)]
    assert [response.answers for response in responses] == [{1: 1, 2: 2}] * times
    assert {response.input_mode for response in responses} == {InputMode.TOUCH}


@pytest.fixture
def kiosk_with_parts(site, run_kiosk):
    site.stamp("dignity", "involved")
    lay_tree(site.data / "fake", WIRING)
    return lambda: run_kiosk(**BOLTED_ON, thanks_s=1)


def test_parts_that_fail_as_they_are_opened_are_named_and_touch_answers(site, kiosk_with_parts):
    for name in FILES:
        fail(site.data / "fake" / name)

    kiosk = kiosk_with_parts()
    answer(kiosk)

    await_told(site, {*FILES.values()})
    assert kiosk.terminate() == 0
    assert_answered(site, 1)


def test_parts_that_fail_or_hang_in_use_are_named_and_touch_answers(site, kiosk_with_parts):
    kiosk = kiosk_with_parts()
    kiosk.wait_for("attract", item=1)
    await_told(site, set())
    kiosk.tap("answer-1-en")
    kiosk.wait_for("asking", item=2)
    with socket.socket(socket.AF_UNIX) as hands:
        hands.connect(str(site.data / "fake" / SOCKET))
        for pin in PINS:
            hands.sendall(f"break {pin}\n".encode())
        for name in FILES:
            fail(site.data / "fake" / name)
        kiosk.tap("answer-2-en")
        kiosk.wait_for("thanks")
        failed = {*PINS.values(), *FILES.values()}
        await_told(site, failed)

    waiting = hang(site.data / "fake" / "sys/class/thermal/thermal_zone0/temp")
    answer(kiosk)
    await_told(site, failed | {"hardware-hangs"})

    waiting.rename(waiting.with_name("waiting")).write_text("48312")
    await_told(site, failed - {"temperature-failed"})
    assert kiosk.terminate() == 0
    assert_answered(site, 2)
