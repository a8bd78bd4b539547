"""The root of an image: what lies in it, and what it is furnished with, judged as files."""

import os
import re
import subprocess
from configparser import ConfigParser
from pathlib import Path

import pytest

IMAGE = Path(__file__).parents[2] / "packaging" / "image"
ROOT = IMAGE / "root"
PACKAGE = IMAGE.parent / "debian" / "regard-kiosk"
UNITS = sorted((ROOT / "etc/systemd/system").glob("*.service"))
NEVER = (
    "getty@.service",
    "serial-getty@.service",
    "console-getty.service",
    "debug-shell.service",
    "rescue.service",
    "ctrl-alt-del.target",
    "apt-daily.timer",
)
BUILT = 1_795_000_000


def lines_of(path):
    lines = (ROOT / path).read_text().splitlines()
    return [line for line in lines if line and not line.startswith("#")]


def mounts():
    return {fields[1]: fields for fields in map(str.split, lines_of("etc/fstab"))}


def options(place):
    return mounts()[place][3].split(",")


@pytest.mark.parametrize("unit", UNITS, ids=lambda unit: unit.name)
def test_systemd_finds_no_fault_with_a_unit_of_the_image(unit, tmp_path):
    copy = tmp_path / unit.name
    copy.write_text(unit.read_text().replace("=/usr/lib/regard", f"={ROOT}/usr/lib/regard"))

    done = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", "--recursive-errors=no", copy],
        capture_output=True,
        text=True,
        check=False,
    )

    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


@pytest.mark.parametrize("name", ["regard-grow-data", "regard-one-console", "regard-resume"])
def test_a_unit_of_the_image_can_do_little_but_what_it_is_for(name):
    unit = ROOT / f"etc/systemd/system/{name}.service"
    judged = subprocess.run(
        ["systemd-analyze", "security", "--offline=true", "--threshold=20", unit],
        capture_output=True,
        text=True,
        check=False,
    )

    assert judged.returncode == 0, judged.stdout


def test_the_root_is_never_written_and_only_the_card_s_two_other_partitions_are():
    assert "ro" in options("/")
    assert mounts()["/"][5] == "0"  # what is never written is never repaired
    on_card = {place for place, fields in mounts().items() if fields[0] != "tmpfs"}
    assert on_card == {"/", "/boot/firmware", "/var/lib/regard"}
    assert "ro" in (ROOT / "etc/default/raspi-extra-cmdline").read_text().split()


def test_the_data_partition_is_checked_journalled_grown_and_does_not_hold_up_the_screen():
    device, _, kind, _, _, order = mounts()["/var/lib/regard"]
    grown = (ROOT / "etc/systemd/system/regard-grow-data.service").read_text()

    assert (kind, order) == ("ext4", "2")
    assert f"/dev/disk/by-partuuid/{device.removeprefix('PARTUUID=')}\n" in grown
    assert {
        "nofail",
        "errors=remount-ro",
        "data=ordered",
        "barrier=1",
        "x-systemd.growfs",
    } <= set(options("/var/lib/regard"))
    assert "nofail" in options("/boot/firmware")


def test_a_kiosk_begins_again_when_its_data_partition_comes_late(bare):
    place = "/var/lib/regard"
    partition = mounts()[place][0].removeprefix("PARTUUID=")
    escaped = partition.replace("-", r"\x2d")
    device = rf"dev-disk-by\x2dpartuuid-{escaped}.device"
    resumed = (ROOT / "etc/systemd/system/regard-resume.service").read_text()

    assert f"etc/systemd/system/{device}.wants/regard-resume.service" in furnish(bare)
    assert f"\nConditionPathExists=/dev/disk/by-partuuid/{partition}\nAfter={device}\n" in resumed
    assert re.findall("systemctl start (.*)", resumed) == [
        f"{place.removeprefix('/').replace('/', '-')}.mount",
        "--no-block regard-kiosk.service regard-agent.service",
    ]


def test_partitions_are_known_by_the_card_s_table_not_by_names_that_a_stick_may_have_too():
    signature = re.search("disk-signature = 0x([0-9a-f]{8})\n", (IMAGE / "card.cfg").read_text())[1]
    on_card = {place: fields[0] for place, fields in mounts().items() if fields[0] != "tmpfs"}

    assert on_card == {
        "/boot/firmware": f"PARTUUID={signature}-01",
        "/": f"PARTUUID={signature}-02",
        "/var/lib/regard": f"PARTUUID={signature}-03",
    }
    assert f"ROOTPART={on_card['/']}" in lines_of("etc/default/raspi-firmware")


def test_nothing_on_a_partition_that_is_written_can_be_run():
    for place in mounts().keys() - {"/"}:
        assert {"nodev", "nosuid", "noexec"} <= set(options(place)), place


def test_the_firewall_is_one_that_the_kernel_takes_and_lets_nothing_in(tmp_path):
    rules = (ROOT / "etc/nftables.conf").read_text()
    copy = tmp_path / "nftables.conf"
    copy.write_text(re.sub("skuid [a-z-]+", "skuid 1", rules))  # who are not known here

    # Root needs no users of its own for that, and in a changed root could not have them.
    own_users = [] if os.getuid() == 0 else ["--user", "--map-root-user"]
    own_network = ["unshare", *own_users, "--net"]
    subprocess.run([*own_network, "nft", "--check", "--file", copy], check=True)
    for chain in ("input", "forward", "output"):
        assert f"hook {chain} priority filter; policy drop;" in rules
    coming_in = rules.split("chain input")[1].split("}")[0]
    assert "tcp dport" not in coming_in


def test_whoever_may_go_out_is_a_user_of_the_package_or_sets_the_clock():
    rules = (ROOT / "etc/nftables.conf").read_text()
    users = (PACKAGE / "usr/lib/sysusers.d/regard-kiosk.conf").read_text()

    assert set(re.findall("skuid ([a-z-]+)", rules)) == {"regard-agent", "systemd-timesync"}
    assert "u regard-agent " in users


def test_no_key_and_no_failure_leads_to_a_console():
    words = (ROOT / "etc/default/raspi-extra-cmdline").read_text().split()
    manager = ConfigParser()
    manager.read(ROOT / "etc/systemd/system.conf.d/image.conf")

    assert {"quiet", "systemd.show_status=no", "vt.global_cursor_default=0"} <= set(words)
    assert "panic=10" in words  # instead of the initrd's shell
    assert lines_of("etc/default/raspi-firmware")[-1] == "CONSOLES=tty3"
    assert manager["Manager"]["CtrlAltDelBurstAction"] == "none"
    assert "kernel.sysrq = 0" in lines_of("etc/sysctl.d/90-regard.conf")
    assert "sulogin" not in (ROOT / "etc/systemd/system/emergency.service").read_text()


def test_the_network_is_only_what_the_stamp_says_and_no_stranger_is_asked_anything():
    network, clock = ConfigParser(), ConfigParser()
    network.read(ROOT / "etc/NetworkManager/conf.d/regard.conf")
    clock.read(ROOT / "etc/systemd/timesyncd.conf.d/regard.conf")
    settle = (PACKAGE / "usr/lib/systemd/system/regard-settle.service").read_text()
    needs = "etc/systemd/system/NetworkManager.service.d/regard.conf"

    assert network["main"]["no-auto-default"] == "*"
    assert network["connectivity"]["enabled"] == "false"
    assert clock["Time"]["FallbackNTP"] == ""
    condition = lines_of(needs)[-1].removeprefix("ConditionDirectoryNotEmpty=")
    assert f"--connections {condition}" in settle


@pytest.fixture
def bare(tmp_path):
    """A Debian as it comes, as far as furnishing it goes."""
    files = {
        "etc/passwd": "root:x:0:0:root:/root:/bin/bash\npi:x:1:1::/home/pi:/bin/bash\n",
        "etc/shadow": "root::1:0:99999:7:::\npi:$y$secret:1:0:99999:7:::\n",
        "etc/shadow-": "root:$y$old:1:0:99999:7:::\n",
        "etc/machine-id": "0123456789abcdef0123456789abcdef\n",
        "usr/lib/systemd/system/nftables.service": "",
        "usr/lib/systemd/system/getty@.service": "",
        "var/lib/dbus/machine-id": "0123456789abcdef0123456789abcdef\n",
        "var/lib/systemd/random-seed": "seed",
        "var/lib/regard/store-key": "key",
        "var/log/dpkg.log": "installed",
        "boot/firmware/kernel8.img": "kernel",
    }
    for name, text in files.items():
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    wants = tmp_path / "etc/systemd/system/getty.target.wants"
    wants.mkdir(parents=True)
    (wants / "getty@tty1.service").symlink_to("/usr/lib/systemd/system/getty@.service")
    return tmp_path


def furnish(root):
    subprocess.run(["cp", "--recursive", "--no-dereference", f"{ROOT}/.", root], check=True)
    environment = {**os.environ, "SOURCE_DATE_EPOCH": str(BUILT)}
    subprocess.run([IMAGE / "furnish", root], check=True, env=environment)
    return {
        str(path.relative_to(root)): os.readlink(path) if path.is_symlink() else path.read_bytes()
        for path in root.rglob("*")
        if path.is_symlink() or path.is_file()
    }


def test_a_furnished_root_has_no_login_no_console_and_nothing_of_one_machine(bare):
    found = furnish(bare)

    accounts = [line.split(":") for line in found["etc/shadow"].decode().splitlines()]
    assert {name: password for name, password, *_ in accounts} == {"root": "!*", "pi": "!*"}
    assert b"root:x:0:0:root:/root:/usr/sbin/nologin\n" in found["etc/passwd"]
    for unit in NEVER:
        assert found[f"etc/systemd/system/{unit}"] == "/dev/null"
    assert not [
        name
        for name in found
        if "getty" in name and found[name] != "/dev/null" and name.startswith("etc/")
    ]
    assert found["etc/machine-id"] == b""
    assert found["etc/resolv.conf"].startswith("/run/")
    gone = {
        "etc/shadow-",
        "var/lib/systemd/random-seed",
        "var/lib/regard/store-key",
        "var/log/dpkg.log",
    }
    assert not gone & found.keys()
    assert found["boot/firmware/kernel8.img"] == b"kernel"
    assert (bare / "usr/lib/clock-epoch").stat().st_mtime == BUILT


def test_what_the_image_starts_is_there_and_furnishing_twice_changes_nothing(bare):
    found = furnish(bare)

    started = {name: target for name, target in found.items() if ".wants/" in name}
    assert {Path(name).name for name in started} >= {
        "nftables.service",
        "regard-one-console.service",
        "regard-grow-data.service",
        "regard-resume.service",
    }
    for target in started.values():
        assert target.removeprefix("/") in found
    assert furnish(bare) == found
