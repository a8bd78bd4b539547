"""The commands that an analyst's way to the rows begins with, and the collector as it is served."""

import json
import ssl
import subprocess
import sys
import time

import httpx
import pytest

from sync_service.collector.__main__ import main
from sync_service.collector.insight.writers import Format

PATIENCE_S = 60

pytestmark = pytest.mark.sqlite_alone


@pytest.fixture
def regard(rig, capsys):
    """Runs a command in the collector's folder; gives its code, and what it says."""

    def run(*argv):
        code = main([*map(str, argv), "--folder", str(rig.centre.folder)])
        said = capsys.readouterr()
        return code, said.out + said.err

    return run


def test_a_token_is_shown_once_listed_by_name_and_revoked(regard):
    code, said = regard("token", "add", "ana-laptop")
    token = said.splitlines()[0]
    assert (code, token[:7]) == (0, "regard_")
    assert "shown this once" in said

    code, said = regard("token", "list")
    assert [line.split()[0] for line in said.splitlines()] == ["name", "ana-laptop"]
    assert token not in said
    assert said.splitlines()[1].split()[2:] == ["-", "-"]

    assert regard("token", "revoke", "ana-laptop") == (0, "The token ana-laptop is revoked.\n")
    code, said = regard("token", "revoke", "ana-laptop")
    assert (code, said) == (2, "there is no token ana-laptop in force\n")
    code, said = regard("token", "add", "ana-laptop")
    assert (code, "take another name" in said) == (2, True)


@pytest.mark.parametrize("kind", Format)
def test_an_export_is_in_the_format_asked_for(rig, regard, tmp_path, kind):
    rig.deliver(rig.kiosk().record(5))
    assert regard("open")[0] == 0
    code, said = regard("export", tmp_path / "export", "--format", kind)
    assert (code, "5 days" in said) == (0, True)
    package = json.loads((tmp_path / "export/datapackage.json").read_text(encoding="utf-8"))
    [days] = [each for each in package["resources"] if each["name"] == "days"]
    assert days["format"] == kind
    assert (tmp_path / "export" / days["path"]).stat().st_size == days["bytes"]


def test_a_format_that_there_is_not_is_refused(regard, tmp_path, capsys):
    with pytest.raises(SystemExit):
        regard("export", tmp_path / "export", "--format", "pdf")
    assert "choose from csv, ndjson, parquet, xlsx" in capsys.readouterr().err.replace("'", "")


def test_who_serves_closes_instalments_and_lets_them_be_pulled_over_tls(rig, regard):
    """What arrived long ago is handed out as soon as the collector is there."""
    kiosk = rig.kiosk().record(5)
    rig.deliver(kiosk)
    assert regard("open")[0] == 0
    headers = {"Authorization": f"Bearer {regard('token', 'add', 'ana')[1].splitlines()[0]}"}
    trust = ssl.create_default_context(cadata=kiosk.stamp.authority.decode())
    command = ("-m", "sync_service.collector", "serve", "--folder", str(rig.centre.folder))
    with subprocess.Popen([sys.executable, *command], stdout=subprocess.PIPE, text=True) as process:
        try:
            port = process.stdout.readline().rpartition("=")[2].strip()
            with httpx.Client(verify=trust, trust_env=False, headers=headers) as client:
                url = f"https://localhost:{port}/v1/pull/days.csv"
                give_up_at = time.monotonic() + PATIENCE_S
                while (rows := client.get(url).headers["Regard-Rows"]) == "0":
                    assert time.monotonic() < give_up_at
                    time.sleep(0.02)
        finally:
            process.terminate()
    assert (rows, process.returncode) == ("5", 0)
