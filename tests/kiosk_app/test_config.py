from pathlib import Path

import pytest

from kiosk_app.config import KioskSettings
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
        ("width = 12", "width"),
        ('fullscreen = "yes"', "fullscreen"),
        ("volume = 3", "volume"),
    ],
)
def test_a_key_or_value_that_is_not_allowed_is_named(read, line, message):
    with pytest.raises(SettingsError, match=message):
        read(f'data = "d"\nstamp = "s"\n{line}\n')
