"""Bills of materials: each Debian package and each wheel of an image, with version and hash."""

import hashlib
from datetime import UTC, date, datetime

from bill import bill
from lock import Lock, Package

MADE = datetime(2026, 11, 25, 22, 0, tzinfo=UTC)
TZDATA = Package("tzdata", "2026b-0+deb13u1", "all", 1, "0a" * 32, "pool/main/t/tzdata/t_all.deb")


def test_a_bill_names_our_package_debians_and_the_wheels_with_their_hashes(tmp_path):
    package = tmp_path / "regard-kiosk_0.1.0_arm64.deb"
    package.write_bytes(b"ours")
    lock = Lock(date(2026, 11, 25), (TZDATA,))

    made = bill(lock, f"kivy 2.3.1 {'0b' * 32}\n", package, "regard-0.1.0", MADE)

    assert (made["bomFormat"], made["specVersion"]) == ("CycloneDX", "1.5")
    assert made["metadata"]["timestamp"] == "2026-11-25T22:00:00Z"
    assert [
        (each["name"], each["version"], each["hashes"][0]["content"]) for each in made["components"]
    ] == [
        ("regard-kiosk", "0.1.0", hashlib.sha256(b"ours").hexdigest()),
        ("tzdata", "2026b-0+deb13u1", "0a" * 32),
        ("kivy", "2.3.1", "0b" * 32),
    ]
    assert made["components"][1]["purl"] == ("pkg:deb/debian/tzdata@2026b-0%2Bdeb13u1?arch=all")
