import json
import re
import time
from dataclasses import replace
from datetime import UTC, datetime

import pytest
from cards import card_image, put
from lone_centre import LoneCentre
from views import questionnaire

from sync_service.collector.__main__ import main
from sync_service.collector.config import DATABASE
from sync_service.collector.publishing import DEFAULT_QUESTIONNAIRES
from sync_service.collector.pull.instalments import close_instalment
from sync_service.contract.signing import SigningKey, fingerprint
from sync_service.settings import read_stamp

REPLIES = """\
site = "central"

[[replies]]
kind = "answer"
code = 2
said.en = "You said it was cold."
said.cy = "Dywedoch chi ei bod yn oer."
outcome = "will"
reply.en = "We will mend the heating."
reply.cy = "Byddwn ni'n trwsio'r gwres."
due = 2026-05-01
signed_by.en = "The manager"
signed_by.cy = "Y rheolwr"
expires = 2099-12-31

[[replies]]
kind = "invitation"
code = 3
what.en = "Help us plan the reading room."
what.cy = "Helpwch ni i gynllunio'r ystafell ddarllen."
when.en = "Tuesdays at four"
when.cy = "Dydd Mawrth am bedwar"
whom.en = "See northvale.gov.uk/room"
whom.cy = "Gofynnwch wrth y ddesg"
"""


@pytest.fixture
def says(capsys):
    """Runs a command that succeeds, and gives what it says."""

    def run(*argv):
        code = main([*map(str, argv)])
        said = capsys.readouterr()
        assert (code, said.err) == (0, ""), said.err
        return said.out

    return run


@pytest.fixture
def refuses(capsys):
    """Runs a command that can't be done, and gives why."""

    def run(*argv):
        code = main([*map(str, argv)])
        said = capsys.readouterr()
        assert (code, said.out) == (2, "")
        return said.err

    return run


def test_a_newcomer_gets_from_nothing_to_a_stamp_by_what_the_help_says(
    says, refuses, tmp_path, monkeypatch
):
    folder = tmp_path / "regard"
    said = says("init", folder, "--address", "https://collector.example:8443")
    assert f"regard-collector serve --folder {folder}" in said
    assert "safe place" in said
    assert len([*(folder / "recovery-sheets").iterdir()]) == 1
    assert "in use already" in refuses("init", folder, "--address", "https://c.example")

    monkeypatch.chdir(folder)
    says("organisation", "add", "council", "Northvale Council")
    says("place", "add", "E07000999", "Northvale")
    says("service", "add", "libraries", "Libraries", "--organisation", "council")
    site = ("site", "add", "central", "Central Library", "--service", "libraries")
    site += ("--place", "E07000999", "--languages", "en", "cy", "--stands", "exit")
    says(*site, "--questionnaire", "library")
    assert "Central Library" in says("site", "list")
    assert "council" in says("organisation", "list")
    assert "libraries" in says("service", "list")
    assert "E07000999" in says("place", "list")

    said = says("stamp", "central", "desk-1", tmp_path / "stamp")
    stamp = read_stamp(tmp_path / "stamp")
    assert stamp.collector == "https://collector.example:8443"
    assert stamp.enrolment_code not in said
    assert "Print each sheet, then delete it" in said
    assert re.search(r"central +desk-1 +- +never seen +-", says("kiosk", "list"))


@pytest.mark.sqlite_alone
def test_a_list_of_kiosks_is_stamped_whole_or_not_at_all(rig, says, refuses, tmp_path):
    here = ("--folder", rig.centre.folder)
    path = tmp_path / "kiosks.csv"
    stamp = ("stamp", "--csv", path, tmp_path / "out", *here)
    lines = ["site,name,panel,call,link", "central,desk-1,7-800x480,Ana,none", "nowhere,desk-1,,,"]
    path.write_text("\n".join([*lines, "surgery,desk-1,9-1x1,,", ""]))

    said = refuses(*stamp).splitlines()

    assert said[0].startswith(f"{path}, line 3: site: there is no site nowhere")
    assert said[1].startswith(f"{path}, line 4: panel: no kiosk would start from this stamp")
    assert len(said) == 2
    assert not (tmp_path / "out").exists()
    path.write_text("\n".join([lines[0], lines[1], "surgery,desk-1,,,", ""]))
    assert "sheets of 2 kiosks are in" in says(*stamp)
    parcels = sorted((tmp_path / "out").iterdir())
    facts = [*map(json.loads, says("inspect", "--json", *parcels).splitlines())]
    assert [(each["kiosk"], each["panel"], each["link"], each["faults"]) for each in facts] == [
        ("desk-1", "7-800x480", "none", []),
        ("desk-1", "the usual one", "what its machine finds", []),
    ]
    assert "Ana" in (parcels[0] / "sheet.html").read_text()
    assert "name only the folder" in refuses(*stamp, "--call", "Ana")
    assert "name the site, the kiosk and a folder" in refuses("stamp", tmp_path / "out", *here)


@pytest.mark.sqlite_alone
def test_a_stamp_is_put_onto_an_image_or_nothing_is_made(rig, says, refuses, tmp_path):
    here = ("--folder", rig.centre.folder)
    image = card_image(tmp_path / "regard.img")
    (tmp_path / "net.toml").write_text(
        'link = "wifi"\nssid = "Council"\npassphrase = "quiet words"'
    )
    network = ("--network", tmp_path / "net.toml", "--call", "Ana", *here)
    onto = ("--image", image, "--rotation", 180, *network)

    assert "flash a card with that" in says("stamp", "central", "a", tmp_path / "a", *onto)

    told = says("inspect", image)
    assert re.search(r"kiosk +a\n", told)
    assert re.search(r"ssid +Council\n", told)
    assert re.search(r"rotation +180 degrees\n", told)
    assert "quiet words" not in told
    assert "holds a stamp already" in refuses("stamp", "central", "b", tmp_path / "b", *onto)
    full = card_image(tmp_path / "full.img")
    put(full, "filling", bytes(2**21 - 22_000))
    said = refuses("stamp", "central", "b", tmp_path / "b", "--image", full, *network)
    assert "its boot partition can't be used" in said
    assert not (tmp_path / "b").exists()
    assert says("stamp", "central", "b", tmp_path / "b", *here)


def test_a_collector_says_whether_a_stamps_code_is_good_still(rig, says, stamped, capsys, tmp_path):
    kiosk = stamped()
    (tmp_path / "regard.stamp").write_bytes(kiosk.stamp.pack())
    inspect = ("inspect", "--folder", str(rig.centre.folder), str(tmp_path))
    assert "=> nothing is wrong with it" in says(*inspect)
    rig.enrol(kiosk.signed_enrolment())
    assert main([*inspect]) == 1
    assert "=> its enrolment code was used already by the kiosk" in capsys.readouterr().out
    strange = replace(LoneCentre().stamp(questionnaire("library")), authority=kiosk.stamp.authority)
    (tmp_path / "regard.stamp").write_bytes(strange.pack())
    assert main([*inspect]) == 1
    assert "=> this collector made no such stamp" in capsys.readouterr().out


def test_what_is_wrong_with_a_stamp_is_told_by_the_exit_status(tmp_path, capsys):
    (tmp_path / "regard.stamp").write_bytes(b"damaged")
    assert main(["inspect", str(tmp_path)]) == 1
    assert "=> regard.stamp: damaged, or no stamp: copy it anew" in capsys.readouterr().out


def test_the_fleet_is_kept_by_commands(rig, says, refuses, stamped):
    kiosk = stamped().record(1)
    here = ("--folder", rig.centre.folder)
    name = fingerprint(kiosk.kiosk_id)
    rig.enrol(kiosk.signed_enrolment(code="AAAA"))
    assert f"{name}  held: its enrolment code is not the one" in says("kiosk", "list", *here)

    said = says("kiosk", "approve", name, *here)
    assert "is enrolled. It asks again within a day, or at once after its agent is" in said
    assert "Revoke them" not in said
    assert "is not held" in refuses("kiosk", "approve", name, *here)
    assert "silent since it was enrolled" in says("kiosk", "list", *here)
    rig.hear(kiosk.signed_status(depth=10, last_error="timed-out", clock_at=0), now=3600)
    told = r"silent since 1970-01-01 01:00 UTC +regard/test +1 hour slow +10 or more +- +a request"
    assert re.search(told, says("kiosk", "list", *here))
    rig.hear(
        kiosk.signed_status(clock_at=int(time.time()), troubles=["lamp-1-failed"]),
        now=int(time.time()),
    )
    told = (
        r"in contact 20..-..-.. ..:.. UTC +regard/test +right +nothing +lamp 1 does not work +-\n"
    )
    assert re.search(told, says("kiosk", "list", *here))
    kiosk.sealed[0] = kiosk.sealed[0][:-1]
    rig.deliver(kiosk)
    assert "contact: 1." in says("kiosk", "ask-again", name, *here)
    assert "from its next contact" in says("kiosk", "move", "central", "desk-1", "surgery", *here)
    assert "already" in says("kiosk", "move", "surgery", "desk-1", "surgery", *here)
    assert "is withdrawn" in says("code", "withdraw", "surgery", "desk-1", *here)
    kiosk.key = SigningKey(bytes(32))
    kiosk.kiosk_id = kiosk.key.verifying_key.kiosk_id
    rig.enrol(kiosk.signed_enrolment(code="AAAA"))
    said = says("kiosk", "approve", fingerprint(kiosk.kiosk_id), *here)
    assert f"under the same stamp: {name}. Revoke them if this one replaces them." in said
    assert "is revoked" in says("kiosk", "revoke", name, *here)
    assert "not a whole fingerprint" in refuses("kiosk", "revoke", "ABCD", *here)


def test_what_a_kiosk_sent_after_it_was_stolen_is_kept_apart_by_command(rig, says, refuses):
    here = ("--folder", rig.centre.folder)
    kiosk = rig.kiosk().record(5)
    name = fingerprint(kiosk.kiosk_id)
    stolen = datetime(2026, 3, 10, tzinfo=UTC).timestamp()
    rig.take(kiosk.signed_batch(1, 2), now=int(stolen) - 1)
    rig.take(kiosk.signed_batch(3), now=int(stolen))
    assert says("open", *here) == "All records: opened 5.\n"
    rig.run(close_instalment(rig.engine, datetime.now(UTC)))

    assert "still to come" in refuses("kiosk", "revoke", name, "--since", "9999-01-01", *here)
    said = says("kiosk", "revoke", name, "--since", "2026-03-10", *here)

    assert "kept apart, as they came on 2026-03-10 or later: 3.\n" in said
    assert "Of these, 3 could be pulled before" in said
    assert re.search(r"revoked 20.+ UTC; 3 records kept apart", says("kiosk", "list", *here))
    assert says("open", "--again", *here) == "All records: opened 2, apart 3.\n"
    assert "wait now to be opened like any other: 3." in says("kiosk", "accept", name, *here)
    assert says("open", *here) == "All records: opened 5.\n"
    assert "is enrolled again" in says("kiosk", "reinstate", name, *here)
    rig.deliver(kiosk.record(1), 6)
    with pytest.raises(SystemExit):
        main(["kiosk", "revoke", name, "--since", "yesterday"])


def test_what_is_published_is_said_by_kind_and_serial(rig, says, refuses, tmp_path):
    here = ("--folder", rig.centre.folder)
    gp = DEFAULT_QUESTIONNAIRES[0].read_text(encoding="utf-8")
    path = tmp_path / "gp.toml"
    path.write_text(gp, encoding="utf-8")
    assert "can be published as gp, version 1" in says("questionnaire", "check", path)
    assert "Nothing to do" in says("publish", "questionnaire", path, *here)
    path.write_text(gp.replace("version = 1", "version = 2"), encoding="utf-8")
    assert "Published: questionnaire, serial 3." in says("publish", "questionnaire", path, *here)
    path.write_text(gp.replace("Your visit", "My visit"), encoding="utf-8")
    assert "version: 1 is published and can't be changed" in refuses(
        "publish", "questionnaire", path, *here
    )
    path.write_text("", encoding="utf-8")
    assert "languages: missing" in refuses("questionnaire", "check", path)


def test_each_kind_of_key_is_rotated_by_command(rig, says):
    here = ("--folder", rig.centre.folder)
    assert "sealing key is published, as keys, serial 2." in says(
        "keys", "rotate", "sealing", *here
    )
    assert len(rig.keyring.opening_keys()) == 2
    assert "receipt key is published, as keys, serial 3." in says(
        "keys", "rotate", "receipt", *here
    )
    assert (rig.centre.keys / "receipt-2.key").stat().st_mode & 0o777 == 0o600
    said = says("keys", "rotate", "publishing", *here)
    assert "publishing key is published, as keys, serial 5." in said
    assert (rig.centre.keys / "publishing-2.key").exists()


def test_a_sealing_key_that_was_lost_comes_back_from_its_recovery_sheets(
    rig, says, refuses, tmp_path
):
    here = ("--folder", rig.centre.folder)
    [sealing] = rig.centre.keys.glob("sealing-*.key")
    [sheet] = (rig.centre.folder / "recovery-sheets").iterdir()
    assert "which is here already" in says("keys", "recover", sheet, *here)
    says("keys", "sheet", tmp_path / "split", "--split", *here)
    one, two, three = sorted((tmp_path / "split").iterdir())
    rig.deliver(rig.kiosk().record(2))
    content = sealing.read_bytes()

    for sheets in ([sheet], [three, one]):
        sealing.unlink()
        assert "needs 2 different sheets" in refuses("keys", "recover", two, *here)
        assert f"is back, in {sealing}" in says("keys", "recover", *sheets, *here)
        assert sealing.read_bytes() == content
        assert sealing.stat().st_mode & 0o777 == 0o600
    assert says("open", *here) == "All records: opened 2.\n"


def test_a_recovery_sheet_is_of_the_sealing_key_in_force(rig, says, refuses, tmp_path):
    here = ("--folder", rig.centre.folder)
    [old] = rig.centre.keys.glob("sealing-*.key")
    says("keys", "rotate", "sealing", *here)
    [new] = {*rig.centre.keys.glob("sealing-*.key")} - {old}

    says("keys", "sheet", tmp_path / "sheet", *here)

    [sheet] = (tmp_path / "sheet").iterdir()
    assert sheet.stem.removeprefix("recovery") == new.stem.removeprefix("sealing")
    new.unlink()
    assert "in force is not here" in refuses("keys", "sheet", tmp_path / "other", *here)


def test_a_collector_can_begin_with_a_sealing_key_that_is_split(says, tmp_path):
    folder = tmp_path / "regard"
    says("init", folder, "--address", "https://collector.example:8443", "--split")

    one, _, three = sorted((folder / "recovery-sheets").iterdir())

    assert "which is here already" in says("keys", "recover", one, three, "--folder", folder)


def test_a_collector_can_begin_with_sealing_that_withstands_quantum_computers(
    says, refuses, tmp_path
):
    folder = tmp_path / "regard"
    here = ("--folder", folder)
    address = ("--address", "https://collector.example:8443")
    says("init", folder, *address, "--sealing", "mlkem768-x25519")
    [sealing] = (folder / "keys").glob("sealing-*.key")
    [sheet] = (folder / "recovery-sheets").iterdir()
    content = sealing.read_bytes()
    assert content.startswith(b"02")

    sealing.unlink()
    assert f"is back, in {sealing}" in says("keys", "recover", sheet, *here)

    assert sealing.read_bytes() == content
    other = ("keys", "rotate", "receipt", "--sealing", "x25519")
    assert "goes with no other key" in refuses(*other, *here)
    says("keys", "rotate", "sealing", "--sealing", "x25519", *here)
    [new] = {*(folder / "keys").glob("sealing-*.key")} - {sealing}
    assert new.read_bytes().startswith(b"01")


def test_what_an_organisation_tells_is_changed_by_command(rig, says, refuses):
    here = ("--folder", rig.centre.folder)
    change = ("organisation", "change", "council", *here)
    rig.stamp()
    desk = ("--contact", "en", "the desk", "--contact", "cy", "y ddesg")
    assert "at their next contact: 1." in says(*change, "--kept-months", 24, *desk)
    listed = says("organisation", "list", *here)
    assert re.search(r'Northvale Council +24 +{"cy": "y ddesg", "en": "the desk"}', listed)

    assert "contact: 1." in says(*change, "--name", "Northvale", "--contact", "cy", "")
    assert re.search(r'Northvale +24 +{"en": "the desk"}', says("organisation", "list", *here))
    assert "contact: 1." in says(*change, "--kept-months", 0, "--contact", "en", "")
    assert re.search(r"Northvale +- +-\n", says("organisation", "list", *here))
    assert "contact: 0." in says(*change)

    assert "texts may lead nowhere" in refuses(*change, "--contact", "en", "a@evil.example")
    assert "not 601" in refuses(*change, "--kept-months", 601)
    assert "there is no organisation x" in refuses("organisation", "change", "x", *here)


def test_replies_are_checked_and_published(rig, says, refuses, tmp_path):
    here = ("--folder", rig.centre.folder)
    path = tmp_path / "central.toml"
    path.write_text(REPLIES, encoding="utf-8")
    for command in ("replies", "check"), ("publish", "replies"):
        assert "texts may lead nowhere" in refuses(*command, path, *here)

    settings = rig.centre.folder / "collector.toml"
    settings.write_text(settings.read_text().replace("links = []", 'links = ["northvale.gov.uk"]'))
    said = says("replies", "check", path, *here)
    assert "Its kiosks will show:\n\n2. answer, will, due 2026-05-01, until 2099-12-31\n" in said
    assert "\n\n3. invitation\n" in said
    assert "  whom.en: See northvale.gov.uk/room\n" in said
    assert "Published: replies, serial 1." in says("publish", "replies", path, *here)
    assert "Nothing to do" in says("publish", "replies", path, *here)
    path.write_text(REPLIES.replace("central", "nowhere"), encoding="utf-8")
    assert "no site nowhere" in refuses("publish", "replies", path, *here)


def test_what_was_delivered_is_opened_and_exported(rig, says, refuses, tmp_path):
    here = ("--folder", rig.centre.folder)
    rig.deliver(rig.kiosk().record(5))
    assert says("open", *here) == "All records: opened 5.\n"

    said = says("export", *here, tmp_path / "export")

    assert "0 responses, 0 verdicts, 5 days" in said
    assert (tmp_path / "export/datapackage.json").exists()
    assert "exists already" in refuses("export", *here, tmp_path / "export")


def test_records_whose_key_was_missing_are_opened_once_it_is_here(rig, says, tmp_path):
    here = ("--folder", rig.centre.folder)
    [sealing] = rig.centre.keys.glob("sealing-*.key")
    kiosk = rig.kiosk().record(2)
    rig.new_sealing_key()
    rig.deliver(kiosk)
    away = sealing.rename(tmp_path / "away")
    assert says("open", *here) == "All records: unknown key 2.\n"

    away.rename(sealing)

    assert says("open", *here) == "All records: opened 2.\n"


def test_what_could_not_be_opened_is_tried_anew_when_asked(rig, says):
    here = ("--folder", rig.centre.folder)
    kiosk = rig.kiosk()
    kiosk.sealed = [kiosk.sealing_key.seal(bytes(64), kiosk.log_id)]
    rig.deliver(kiosk)

    assert says("open", *here) == "All records: malformed 1.\n"
    assert says("open", "--again", *here) == "All records: malformed 1.\n"


def test_a_command_without_a_collector_says_where_it_looked(refuses, tmp_path):
    assert "there is no collector here" in refuses("kiosk", "list", "--folder", tmp_path)


def test_a_missing_key_is_named(rig, refuses):
    (rig.centre.keys / "publishing.key").unlink()

    said = refuses("keys", "rotate", "sealing", "--folder", rig.centre.folder)

    assert "publishing.key: can't be read" in said


@pytest.mark.sqlite_alone
def test_a_database_that_is_none_is_said_to_be_none(rig, refuses):
    (rig.centre.folder / "collector.db").write_bytes(b"no database" * 1000)

    said = refuses("kiosk", "list", "--folder", rig.centre.folder)

    assert said.startswith("The database can't be used: ")
    assert len(said.splitlines()) == 1


@pytest.mark.sqlite_alone
def test_a_database_that_can_not_be_reached_is_said_in_a_line(rig, refuses, tmp_path):
    settings = rig.centre.folder / "collector.toml"
    away = f"postgresql+asyncpg://regard:secret@/regard?host={tmp_path / 'nowhere'}"
    settings.write_text(settings.read_text().replace(DATABASE, away))

    said = refuses("kiosk", "list", "--folder", rig.centre.folder)

    assert said.startswith("the database can't be reached: ")
    assert "secret" not in said
    assert len(said.splitlines()) == 1


def test_a_proxy_needs_its_authority(refuses, tmp_path):
    init = ("init", tmp_path / "c", "--address", "https://collector.example", "--behind-proxy")

    assert "--authority" in refuses(*init)
    assert "can't be read" in refuses(*init, "--authority", tmp_path / "nowhere.pem")
    assert "address must be" in refuses("init", tmp_path / "c", "--address", "collector.example")


@pytest.mark.parametrize(
    "argv",
    [
        *((), ("init",), ("serve",), ("open",), ("stamp",), ("inspect",), ("export",)),
        *(("organisation", "add"), ("service", "add"), ("place", "add"), ("site", "add")),
        *(("organisation", "list"), ("service", "list"), ("place", "list"), ("site", "list")),
        *(("kiosk", "list"), ("kiosk", "approve"), ("kiosk", "revoke"), ("kiosk", "move")),
        *(("kiosk", "ask-again"), ("code", "withdraw"), ("questionnaire", "check")),
        *(("replies", "check"), ("organisation", "change")),
        *(
            ("publish", "questionnaire"),
            ("publish", "replies"),
            ("keys", "rotate"),
            ("keys", "sheet"),
            ("keys", "recover"),
        ),
    ],
)
def test_every_command_explains_itself(capsys, argv):
    with pytest.raises(SystemExit) as ended:
        main([*argv, "--help"])

    assert ended.value.code == 0
    usage, _, rest = capsys.readouterr().out.partition("\n\n")
    assert usage.startswith("usage: regard-collector")
    assert re.match(r"[A-Z]", rest)


def test_a_stranger_is_not_enrolled_by_another_kiosks_fingerprint(rig, refuses):
    stranger = SigningKey(bytes(32)).verifying_key.kiosk_id

    said = refuses("kiosk", "approve", fingerprint(stranger), "--folder", rig.centre.folder)

    assert "has asked to be enrolled" in said
