"""docs/architecture.md under test: every file and name it sends a newcomer to is there."""

import re
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PAGE = (ROOT / "docs" / "architecture.md").read_text()
HOPS = [
    [re.findall(r"`([^`]+)`", cell) for cell in line.split("|")[3:5]]
    for line in PAGE.splitlines()
    if re.match(r"\| \d+ \|", line)
]


def test_every_path_on_the_page_exists():
    paths = {token for token in re.findall(r"`([\w./]+)`", PAGE) if "/" in token}
    assert paths
    assert [path for path in paths if not (ROOT / path).exists()] == []


def test_every_file_in_the_rooms_exists():
    rooms = PAGE[PAGE.index("```\nkiosk_app/") :].split("```")[1]
    folder = Path()
    for line in rooms.strip().splitlines():
        name = line.split()[0]
        folder = folder if line.startswith("  ") else Path(name)
        assert (ROOT / (folder / name if line.startswith("  ") else name)).exists(), line


@pytest.mark.parametrize("hop", range(10))
def test_every_name_of_a_hop_is_in_one_of_its_modules(hop):
    modules, names = HOPS[hop]
    source = "\n".join((ROOT / module).read_text() for module in modules)
    for name in names:
        for part in name.split("."):
            assert re.search(rf"^ *(async )?(class|def) {part}\b", source, re.MULTILINE), name


def test_there_are_ten_hops():
    assert len(HOPS) == 10


def test_each_row_of_who_may_import_whom_is_a_contract():
    table = PAGE[PAGE.index("| package | may import |") :].split("\n\n")[0].splitlines()[2:]
    packages = [name for line in table for name in re.findall("`([^`]+)`", line.split("|")[1])]
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text())
    contracts = settings["tool"]["importlinter"]["contracts"]
    sources = {source for contract in contracts for source in contract.get("source_modules", ())}
    assert set(packages) == sources


def test_every_link_on_the_page_leads_somewhere():
    links = re.findall(r"\]\(([^)#]+)\)", PAGE)
    assert links
    assert [link for link in links if not (ROOT / "docs" / link).resolve().exists()] == []
