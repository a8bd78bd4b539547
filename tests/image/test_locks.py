"""The image's locks: they hold what is asked for, and nothing but packages by their hashes."""

import re
import subprocess
from datetime import date
from pathlib import Path

import pytest
from lock import Lock, LockError, Package, read_needed, read_wanted

ROOT = Path(__file__).parents[2]
IMAGE = ROOT / "packaging" / "image"
KIOSK = ROOT / "packaging/debian/regard-kiosk/DEBIAN/control"
MORE = {"workshop": ["workshop.txt"], "packages": ["packages.txt"]}
MORE["pi5"] = [*MORE["packages"], "pi5.txt"]
LINE = f"zstd 1.5.7+dfsg-1 arm64 584 {'0a' * 32} pool/main/libz/libzstd/zstd_1.5.7_arm64.deb"

each_lock = pytest.mark.parametrize("name", MORE)


def lock_of(tmp_path, *lines):
    path = tmp_path / "some.lock"
    path.write_text("".join(f"{line}\n" for line in ("resolved 2026-11-25", *lines)))
    return path


@each_lock
def test_a_lock_holds_what_is_asked_for_and_for_one_architecture(name):
    asked = read_wanted(IMAGE / each for each in MORE[name])
    if name != "workshop":
        asked += read_needed(KIOSK)
    packages = Lock.read(IMAGE / f"{name}.lock").packages

    missing = {each.partition("/")[0] for each in asked} - {package.name for package in packages}
    assert not missing, "run `make image-lock`"
    assert {package.architecture for package in packages} <= {
        "all",
        "amd64" if name == "workshop" else "arm64",
    }


@each_lock
def test_a_lock_is_in_the_order_of_names(name):
    names = [package.name for package in Lock.read(IMAGE / f"{name}.lock").packages]

    assert names == sorted(names)


def test_the_pi_5_differs_by_its_kernel_alone():
    ours, theirs = (set(Lock.read(IMAGE / f"{name}.lock").packages) for name in ("packages", "pi5"))

    assert all(package.name.startswith("linux-") for package in ours ^ theirs)


def test_a_lock_is_written_as_it_was_read(tmp_path):
    lock = Lock.read(lock_of(tmp_path, LINE))
    lock.write(tmp_path / "again.lock")

    assert lock.day == date(2026, 11, 25)
    assert lock.packages[0].to_line() == LINE
    assert Lock.read(tmp_path / "again.lock") == lock


@pytest.mark.parametrize(
    "line",
    [
        "",
        LINE.replace("0a", "0g"),
        LINE.replace("arm64 584", "armhf 584"),
        LINE.replace(" 584 ", " 0 "),
        LINE.replace("pool/", "http://mirror.example/pool/"),
        LINE.replace("pool/main", "pool/../main/.."),
        LINE.replace("_arm64.deb", "_arm64.deb; reboot"),
    ],
)
def test_a_line_that_is_not_a_locks_is_named(tmp_path, line):
    with pytest.raises(LockError, match="line 3"):
        Lock.read(lock_of(tmp_path, LINE, line))


def test_no_package_is_named_twice(tmp_path):
    with pytest.raises(LockError, match="line 3"):
        Lock.read(lock_of(tmp_path, LINE, LINE))


def test_a_lock_says_of_which_day_it_is(tmp_path):
    path = tmp_path / "some.lock"
    path.write_text(f"{LINE}\n")

    with pytest.raises(LockError, match="which day"):
        Lock.read(path)


def test_a_later_list_replaces_what_an_earlier_one_says(tmp_path):
    first, second = tmp_path / "first.txt", tmp_path / "second.txt"
    first.write_text("# two\nkernel   # starts\nudev\n\n")
    second.write_text("kernel/trixie-backports  # a newer one\n")

    assert read_wanted([first, second]) == ("kernel/trixie-backports", "udev")


def test_a_list_names_packages_only(tmp_path):
    (tmp_path / "some.txt").write_text("udev\n--allow-unauthenticated\n")

    with pytest.raises(LockError, match="line 2"):
        read_wanted([tmp_path / "some.txt"])


def test_a_package_is_told_from_its_line():
    assert Package.read(LINE) == Package(
        "zstd",
        "1.5.7+dfsg-1",
        "arm64",
        584,
        "0a" * 32,
        "pool/main/libz/libzstd/zstd_1.5.7_arm64.deb",
    )


def test_the_recipe_names_no_host_and_its_scripts_can_be_read():
    recipe = [path for path in IMAGE.rglob("*") if path.is_file() and path.suffix != ".pyc"]
    named = re.compile(r"[a-z]+://[a-z0-9-]+\.[a-z]", re.IGNORECASE)

    assert [path for path in recipe if named.search(path.read_text())] == []
    for path in recipe:
        shell = re.match(r"#!/bin/(ba)?sh\n", path.read_text())
        if shell:
            subprocess.run(["bash", "-n", path], check=True)
