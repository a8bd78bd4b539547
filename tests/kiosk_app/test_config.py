from datetime import time
from pathlib import Path

import pytest

from hardware.wiring import Wiring
from kiosk_app.config import KioskSettings
from kiosk_app.error import UnknownPanelError
from sync_service.settings import SettingsError, read_settings


@pytest.fixture
def read(tmp_path):
    def read(text):
        path = tmp_path / "kiosk.toml"
        path.write_text(text)
        return read_settings(path, KioskSettings)

    return read


def test_two_keys_are_enough(read):
    settings = read('data = "/var/lib/regard"\nstamp = "/boot/stamp"\n')
    assert settings.store_path == Path("/var/lib/regard/store.db")
    assert settings.fullscreen
    assert not settings.trace_view
    assert settings.manners.idle_timeout_s == 30


def test_the_manners_are_what_is_set(read):
    settings = read('data = "d"\nstamp = "s"\nidle_timeout_s = 45\nthanks_s = 3\n')
    assert (settings.manners.idle_timeout_s, settings.manners.thanks_s) == (45, 3)


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("idle_timeout_s = 0", "idle_timeout_s"),
        ("idle_timeout_s = nan", "idle_timeout_s"),
        ("thanks_s = 3600", "thanks_s"),
        ("panel.width_px = 12", "width_px"),
        ("panel = {width_px = 1280, height_px = 800}", "diagonal_in"),
        ('fullscreen = "yes"', "fullscreen"),
        ("volume = 3", "volume"),
        ('hardware = "arduino"', "hardware"),
        ("wiring.buttons = [5, 6]", "hardware is not"),
        ('hardware = "pi"\nwiring.buttons = [5, 5]', "each pin can be used once"),
        ('hardware = "pi"\nwiring.presence = 28', "presence"),
        ('hardware = "pi"\nwiring.buttons = [5, 6]\nwiring.lamps = [12]', "a lamp for each"),
        ('hardware = "pi"\nwiring.backlight = "../../etc"', "backlight"),
        ('hardware = "pi"\nwiring.beeper = 5', "beeper.*buttons, lamps, presence"),
        ("dimming.night_percent = 0", "night_percent"),
    ],
)
def test_a_key_or_value_that_is_not_allowed_is_named(read, line, message):
    with pytest.raises(SettingsError, match=message):
        read(f'data = "d"\nstamp = "s"\n{line}\n')


def test_the_panel_is_the_settings_then_the_stamps_then_the_usual_one(read):
    needed = 'data = "d"\nstamp = "s"\n'
    assert read(needed + 'panel = "7-800x480"').find_panel("15.6-1920x1080").name == "7-800x480"
    assert read(needed).find_panel("15.6-1920x1080").name == "15.6-1920x1080"
    assert read(needed).find_panel(None).name == "10.1-1280x800"


def test_a_panel_without_a_name_is_given_by_its_measures(read):
    panel = read(
        'data = "d"\nstamp = "s"\n'
        "panel = {width_px = 1920, height_px = 1200, diagonal_in = 24, viewing_mm = 600}"
    ).find_panel(None)
    assert (panel.width_px, panel.height_px, panel.viewing_mm) == (1920, 1200, 600)
    assert panel.name == "24-1920x1200"


def test_a_panel_that_nobody_knows_is_refused_with_those_that_there_are(read):
    with pytest.raises(UnknownPanelError, match=r"no panel is called 8-640x480; .*7-800x480"):
        read('data = "d"\nstamp = "s"\npanel = "8-640x480"').find_panel(None)


def test_without_a_word_of_hardware_there_is_a_screen_and_nothing_else(read):
    settings = read('data = "d"\nstamp = "s"\n')
    assert settings.hardware is None
    assert settings.wiring.wiring == Wiring()


def test_what_is_bolted_on_is_told_in_a_table(read):
    settings = read(
        'data = "d"\nstamp = "s"\nhardware = "pi"\n'
        "[wiring]\nbuttons = [5, 6]\nlamps = [12, 16]\npresence = 4\n"
        'backlight = "10-0045"\n'
        "[dimming]\nnight_begins = 22:00:00\nnight_ends = 06:30:00\n"
    )
    wiring = Wiring(buttons=(5, 6), lamps=(12, 16), presence=4, backlight="10-0045")
    assert settings.wiring.wiring == wiring
    dimming = settings.dimming.dimming
    assert (dimming.night_begins, dimming.night_ends) == (time(22), time(6, 30))
