"""The units of the Debian packages, judged by systemd's own tools, and by what they are to give."""

import json
import os
import re
import subprocess
from configparser import ConfigParser
from pathlib import Path

import pytest

from kiosk_app.config import KioskSettings
from kiosk_app.view import Notice, NoticeKind
from sync_service.agent.config import AgentSettings
from sync_service.outbox.database import StoreKey
from sync_service.settings import read_settings

ROOT = Path(__file__).parents[2]
PACKAGES = ROOT / "packaging" / "debian"
KIOSK = PACKAGES / "regard-kiosk"
UNITS = sorted(PACKAGES.glob("*/usr/lib/systemd/system/*"))
LARGEST_EXPOSURE = 20
"""systemd's measure, in tenths: from 1.0 on it says OK, from 5.0 on MEDIUM."""

each_unit = pytest.mark.parametrize("unit", UNITS, ids=lambda unit: unit.name)


def analyse(*arguments):
    done = subprocess.run(
        ["systemd-analyze", *map(str, arguments)], capture_output=True, text=True, check=False
    )
    return done.returncode, done.stdout, done.stderr


def unit_of(name):
    return next(unit for unit in UNITS if unit.name == name)


def settings_in(name):
    """The lines of a unit: each setting with all of its values, in their order."""
    settings = {}
    for line in unit_of(name).read_text().splitlines():
        if "=" in line and not line.startswith("#"):
            setting, value = line.split("=", 1)
            settings.setdefault(setting, []).append(value)
    return settings


@each_unit
def test_systemd_finds_no_fault_with_a_unit(unit, tmp_path):
    # The commands are those of the packages' trees, as nothing is installed here.
    tree = unit.parents[4]
    copy = tmp_path / unit.name
    copy.write_text(re.sub("(?m)^ExecStart=", f"ExecStart={tree}", unit.read_text()))

    assert analyse("verify", "--man=no", "--recursive-errors=no", copy) == (0, "", "")


@each_unit
def test_a_units_exposure_is_ok_by_systemds_measure(unit):
    judged = analyse("security", "--offline=true", f"--threshold={LARGEST_EXPOSURE}", unit)

    assert judged[0] == 0, judged[1]


def test_the_screen_may_open_no_network_socket():
    status, judged, _ = analyse(
        "security", "--offline=true", "--json=short", unit_of("regard-kiosk.service")
    )
    held = {each["name"] for each in json.loads(judged) if each["set"]}

    assert status == 0
    assert {"RestrictAddressFamilies=~AF_(INET|INET6)", "IPAddressDeny="} <= held
    assert "PrivateUsers=" not in held  # what is not set would be said, too


@pytest.mark.parametrize("name", ["regard-kiosk", "regard-agent"])
def test_a_service_asks_the_clock_whether_it_was_set_without_the_right_to_set_it(name):
    # ProtectClock forbids even the question, and then every record tells boot and uptime.
    settings = settings_in(f"{name}.service")

    assert settings["SystemCallFilter"][-1] == "adjtimex clock_adjtime"  # libc asks by the latter
    assert settings["CapabilityBoundingSet"] == [""]
    assert "ProtectClock" not in settings


@pytest.mark.parametrize(
    ("name", "kind"), [("kiosk", KioskSettings), ("agent", AgentSettings)], ids=["kiosk", "agent"]
)
def test_a_service_finds_in_its_settings_what_its_unit_gives_it(name, kind):
    shipped = read_settings(KIOSK / "etc" / "regard" / f"{name}.toml", kind)
    settings = settings_in(f"regard-{name}.service")

    assert settings["ExecStart"] == [f"/usr/bin/regard-{name} /etc/regard/{name}.toml"]
    assert settings["ReadWritePaths"] == [shipped.data]


def test_whoever_opens_the_store_is_given_its_key_after_it_was_found():
    # Looked for each time that one of them starts, as it may have been wiped with the rest.
    finder = settings_in("regard-store-key.service")
    _, card, memory = finder["ExecStart"][0].split()
    assert (card, memory) == ("/var/lib/regard", f"/run/{finder['RuntimeDirectory'][0]}")
    assert finder["RuntimeDirectoryMode"] == ["0700"]
    assert "RemainAfterExit" not in finder
    for name in ("regard-kiosk", "regard-agent", "regard-settle"):
        settings = settings_in(f"{name}.service")
        assert settings["LoadCredential"] == [f"store-key:{memory}/store-key"]
        for needs in ("Wants", "After"):
            assert "regard-store-key.service" in settings[needs][0].split()


def test_without_a_stamp_or_a_place_for_data_the_screen_says_so_and_the_agent_waits():
    shipped = read_settings(KIOSK / "etc" / "regard" / "kiosk.toml", KioskSettings)
    kiosk, notice = settings_in("regard-kiosk.service"), settings_in("regard-notice@.service")
    finder = settings_in("regard-store-key.service")

    assert settings_in("regard-agent.service")["ConditionPathExists"] == [shipped.stamp]
    assert "ConditionPathExists" not in kiosk
    assert kiosk["RequiresMountsFor"] == [str(Path(shipped.stamp).parent)]
    assert finder["RequiresMountsFor"] == kiosk["RequiresMountsFor"]
    assert finder["OnFailure"] == ["regard-notice@data-missing.service"]
    assert Notice.parse("data-missing").kind is NoticeKind.DATA_MISSING
    assert notice["ExecStart"] == [f"{kiosk['ExecStart'][0]} --notice %i"]
    assert "regard-kiosk.service" in notice["Conflicts"][0].split()
    assert not {"RequiresMountsFor", "LoadCredential", "ReadWritePaths"} & notice.keys()


def test_a_service_that_is_started_again_triggers_nothing_that_ends_it():
    # From version 254 on, systemd heeds OnFailure= at each failure, and not at the last one only.
    for unit in UNITS:
        assert not {"Restart", "OnFailure"} <= settings_in(unit.name).keys()


@pytest.mark.parametrize("name", ["regard-kiosk", "regard-agent"])
def test_a_service_is_started_again_for_ever_and_waits_for_neither_network_nor_time(name):
    settings = settings_in(f"{name}.service")

    assert settings["Restart"] == ["on-failure"]
    assert settings["RestartPreventExitStatus"] == ["2"]
    assert settings["StartLimitIntervalSec"] == ["0"]
    assert not re.search("network|time-sync", " ".join(settings["After"] + settings["Wants"]))


def test_the_stamp_is_taken_from_the_boot_drive_before_anyone_reads_it_and_once_a_boot():
    settings = settings_in("regard-settle.service")
    command = settings["ExecStart"][0].split()
    shipped = read_settings(KIOSK / "etc" / "regard" / "kiosk.toml", KioskSettings)

    assert command[:3] == ["/usr/bin/regard-kiosk", "/etc/regard/kiosk.toml", "--settle-in"]
    written = {path.removeprefix("-") for path in settings["ReadWritePaths"][0].split()}
    stamp = Path(shipped.stamp)
    assert {command[3], command[5], str(stamp.parent), "/run/regard"} == written
    kept = {str(stamp.with_name(name)) for name in ("store-key", "store-key.salt")}
    assert command[6:] == ["--keys", "/run/regard/store-key", *sorted(kept)]
    assert settings["RemainAfterExit"] == ["yes"]
    for reader in ("regard-kiosk.service", "regard-agent.service"):
        assert reader in settings["Before"][0].split()
        for needs in ("Wants", "After"):
            assert "regard-settle.service" in settings_in(reader)[needs][0].split()
    made = (KIOSK / "usr/lib/tmpfiles.d/regard-kiosk.conf").read_text()
    assert f"\nd {command[5]} 0700 root root\n" in made


def test_a_stores_key_is_made_whole_for_its_owner_alone(tmp_path):
    path = tmp_path / "store-key"
    (tmp_path / "store-key.part").touch(mode=0o400)  # the power was cut the first time

    subprocess.run([KIOSK / "usr/lib/regard-kiosk/make-store-key", path], check=True)

    assert len(StoreKey.read(path).secret) == path.stat().st_size == 32
    assert path.stat().st_mode & 0o777 == 0o400
    assert os.listdir(tmp_path) == [path.name]


def test_the_chips_watchdog_stands_behind_systemds_and_waits_no_longer_than_a_pis_can():
    manager = ConfigParser()
    manager.read(KIOSK / "usr/lib/systemd/system.conf.d/regard.conf")

    assert 0 < manager.getint("Manager", "RuntimeWatchdogSec") <= 15
    assert int(settings_in("regard-kiosk.service")["WatchdogSec"][0]) > 0
