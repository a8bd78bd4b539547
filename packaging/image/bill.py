"""Bills of materials: what is on a card, as CycloneDX JSON: bill.py LOCK PACKAGE NAME

LOCK names the Debian packages, and PACKAGE, ours, holds the list of its Python wheels; each has its
hash. NAME is the image's. What is printed has the time $SOURCE_DATE_EPOCH.
"""

import hashlib
import json
import os
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Final
from urllib.parse import quote

from lock import Lock

WHEELS: Final = "./usr/lib/regard-kiosk/wheels.txt"

Component = dict[str, object]


def bill(lock: Lock, wheels: str, package: Path, name: str, made: datetime) -> Component:
    """The bill of an image.

    ``wheels`` has a line for each: name, version and SHA-256. ``made`` is when the image's commit
    was.
    """
    debian = [
        _component(
            each.name,
            each.version,
            each.sha256,
            f"pkg:deb/debian/{quote(each.name)}@{quote(each.version)}?arch={each.architecture}",
        )
        for each in lock.packages
    ]
    python = [
        _component(wheel, version, sha256, f"pkg:pypi/{wheel}@{quote(version)}")
        for wheel, version, sha256 in map(str.split, wheels.splitlines())
    ]
    ours, version, architecture = package.stem.split("_")
    sha256 = hashlib.sha256(package.read_bytes()).hexdigest()
    own = _component(ours, version, sha256, f"pkg:generic/{ours}@{version}?arch={architecture}")
    return {
        "bomFormat": "CycloneDX",
        "specVersion": "1.5",
        "version": 1,
        "metadata": {
            "timestamp": made.strftime("%Y-%m-%dT%H:%M:%SZ"),
            "component": {"type": "operating-system", "name": name, "version": version},
        },
        "components": [own, *debian, *python],
    }


def _component(name: str, version: str, sha256: str, purl: str) -> Component:
    return {
        "type": "library",
        "bom-ref": purl,
        "name": name,
        "version": version,
        "hashes": [{"alg": "SHA-256", "content": sha256}],
        "purl": purl,
    }


def read_wheels(package: Path) -> str:
    """The list of wheels that is in our package."""
    files = subprocess.run(
        ["dpkg-deb", "--fsys-tarfile", package], capture_output=True, check=True
    ).stdout
    return subprocess.run(
        ["tar", "--extract", "--to-stdout", WHEELS], input=files, capture_output=True, check=True
    ).stdout.decode()


def main(lock: Path, package: Path, name: str) -> None:
    """Print the bill."""
    made = datetime.fromtimestamp(int(os.environ["SOURCE_DATE_EPOCH"]), UTC)
    print(json.dumps(bill(Lock.read(lock), read_wheels(package), package, name, made), indent=1))


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3])
