"""Settings: refused with the key and what is allowed, before anything is touched."""

import pytest

from sync_service.agent.config import AgentSettings
from sync_service.settings import SettingsError, read_settings

NEEDED = 'data = "/var/lib/regard"\nstamp = "/boot/regard-stamp"\n'


@pytest.fixture
def read(tmp_path):
    def read(text):
        path = tmp_path / "agent.toml"
        path.write_text(text)
        return read_settings(path, AgentSettings)

    return read


def test_two_keys_are_enough(read):
    settings = read(NEEDED)
    assert str(settings.store_path) == "/var/lib/regard/store.db"
    assert str(settings.identity_path) == "/var/lib/regard/identity"
    assert settings.hold_half_day


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("pol_s = 1", "pol_s"),
        ("poll_s = 0", r">= 0\.1.*poll_s"),
        ('poll_s = "60"', "float.*poll_s"),
        ("poll_s = nan", "poll_s"),
        ("contact_s = inf", "contact_s"),
        ("retention_days = 0", ">= 1.*retention_days"),
        ("retention_days = 1.5", "int.*retention_days"),
        ("timeout_s = 601", "<= 600.*timeout_s"),
        ("hold_half_day = 1", "bool.*hold_half_day"),
        ('proxy = "proxy.example:3128"', "proxy"),
        ('store_key = ""', "store_key"),
        ("poll_s 60", "not TOML"),
    ],
)
def test_what_is_not_allowed_is_named(read, line, message):
    with pytest.raises(SettingsError, match=rf"agent\.toml: .*{message}"):
        read(NEEDED + line)


@pytest.mark.parametrize("line", NEEDED.splitlines())
def test_what_is_needed_is_named(read, line):
    with pytest.raises(SettingsError, match=line.split()[0]):
        read(NEEDED.replace(line, ""))
