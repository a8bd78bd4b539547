"""Each benchmark runs, in miniature, and tells its figures; what they are is not judged here."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).parent
TESTS = HERE.parent


@pytest.mark.parametrize(
    ("name", "args"),
    [
        ("store", ("--rounds", "5")),
        ("wire", ()),
        ("intake", ("--records", "40000", "--opening-s", "1")),
        ("export", ("--records", "500", "--rounds", "1")),
        ("stamp", ("--kiosks", "1")),
        ("kiosk", ("--rounds", "1", "--taps", "2", "--idle", "1")),
    ],
)
def test_a_benchmark_ends_with_one_line_of_figures(name, args):
    python_path = f"{TESTS}:{TESTS.parent / 'packaging' / 'demo'}"
    run = subprocess.run(
        [sys.executable, HERE / f"{name}.py", *args],
        env={"PATH": "/usr/bin:/bin", "PYTHONPATH": python_path},
        check=True,
        capture_output=True,
        text=True,
    )
    told = json.loads(run.stdout.splitlines()[-1])
    assert told["bench"] == name
    assert told["figures"]
