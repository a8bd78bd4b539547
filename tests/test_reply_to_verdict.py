"""From reply to verdict: what the centre publishes is on a running kiosk, and is judged there."""

import csv
import json
from random import Random

from chain import SITE, Chain
from citizen import Citizen
from journey import Journey

from sync_service.collector.publishing import DEFAULT_QUESTIONNAIRES, read_questionnaire

LIBRARY = next(path for path in DEFAULT_QUESTIONNAIRES if path.stem == "library")
DRAIN_S = 60
REPLIES = f"""
site = "{SITE}"

[[replies]]
kind = "answer"
code = 7
said.en = "You said that the reading room was too cold."
said.cy = "Dywedoch chi fod yr ystafell ddarllen yn rhy oer."
outcome = "did"
reply.en = "We mended the heating."
reply.cy = "Fe wnaethon ni drwsio'r gwres."
signed_by.en = "Morwenna Pascoe, library manager"
signed_by.cy = "Morwenna Pascoe, rheolwr y llyfrgell"
"""


def test_a_reply_is_on_a_running_kiosk_at_the_next_contact_and_its_verdict_in_the_export(tmp_path):
    said = []
    with Chain(tmp_path / "chain") as chain:
        chain.found()
        chain.open_site()
        chain.stamp_kiosk()
        chain.start_collector()
        window = chain.start_kiosk()
        chain.start_agent()
        assert "replies-en" not in window.wait_for("attract").buttons
        replies = chain.folder / "replies.toml"
        replies.write_text(REPLIES, encoding="utf-8")
        chain.collector("publish", "replies", str(replies))
        assert "replies-en" in window.next_view().buttons
        citizen = Citizen(window, read_questionnaire(LIBRARY), "exit", Random(3))
        citizen.respond("en")
        window.wait_for("verdict")
        window.tap("verdict-partly")
        window.wait_for("attract")
        assert window.terminate() == 0
        journey = Journey(
            chain.data / "store.db",
            chain.store_key,
            chain.centre / "collector.db",
            lambda who, what: said.append((who, what)),
        )
        journey.start()
        assert journey.wait_for_all(2, DRAIN_S), said  # and the verdict
        journey.stop()
        chain.stop_agent()
        chain.stop_collector()
        exported = chain.export(chain.folder / "export")
    with (exported / "verdicts.csv").open(encoding="utf-8", newline="") as file:
        [verdict] = csv.DictReader(file)
    told = (verdict["site"], verdict["reply"], verdict["fairness"], verdict["language"])
    assert told == (SITE, "7", "partly", "en")
    published = json.loads((exported / "replies.json").read_text(encoding="utf-8"))
    [judged] = published[verdict["replies"]]["replies"]
    assert (judged["code"], judged["reply"]["en"]) == (7, "We mended the heating.")
    with (exported / "responses.csv").open(encoding="utf-8", newline="") as file:
        assert len(list(csv.DictReader(file))) == 1
