"""The Debian packages' locks: they hold what pyproject.toml asks for, as it was tested."""

import re
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PIN = re.compile(r"(?m)^([a-z0-9.-]+)==([^ ;\\]+)")


def pins_in(path):
    return set(PIN.findall((ROOT / path).read_text()))


@pytest.mark.parametrize(
    ("package", "extras"),
    [("regard-kiosk", ("outbox", "kiosk", "agent")), ("regard-collector", ("collector",))],
    ids=["kiosk", "collector"],
)
def test_a_packages_lock_holds_what_is_asked_for_in_the_versions_that_were_tested(package, extras):
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    asked = [*project["dependencies"]]
    for extra in extras:
        asked += project["optional-dependencies"][extra]
    names = {re.match(r"[a-z0-9-]+", each)[0] for each in asked} - {"regard"}
    pins = pins_in(f"packaging/debian/{package}.lock")

    assert names <= {name for name, _ in pins}, "run `make lock`"
    assert pins <= pins_in("packaging/development/requirements.lock"), "run `make lock`"
