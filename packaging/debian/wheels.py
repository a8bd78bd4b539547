"""Says which wheels pip installed: wheels.py REPORT prints name, version and SHA-256 of each."""

import json
import sys
from pathlib import Path


def main(report: Path) -> None:
    """Print a line for each wheel, in the order of their names."""
    for line in sorted(
        f"{each['metadata']['name'].lower()} {each['metadata']['version']}"
        f" {each['download_info']['archive_info']['hashes']['sha256']}"
        for each in json.loads(report.read_text())["install"]
    ):
        print(line)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
