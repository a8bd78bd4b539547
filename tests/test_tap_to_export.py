"""From tap to export: real taps, real processes, real HTTPS, and the export read."""

from collections import Counter
from random import Random

from chain import Chain
from citizen import ANSWER, BACK, SKIP, Citizen, read_export
from journey import Journey

from sync_service.collector.publishing import DEFAULT_QUESTIONNAIRES, read_questionnaire

LIBRARY = next(path for path in DEFAULT_QUESTIONNAIRES if path.stem == "library")
DRAIN_S = 60


def test_every_thank_you_is_in_the_export_once_though_the_collector_was_away(tmp_path):
    said = []
    with Chain(tmp_path / "chain") as chain:
        chain.found()
        chain.open_site()
        chain.stamp_kiosk()
        window = chain.start_kiosk()
        citizen = Citizen(window, read_questionnaire(LIBRARY), "exit", Random(1))
        chain.start_agent()
        citizen.respond("en")  # no collector yet: nothing is enrolled, and nothing is lost
        chain.start_collector()
        citizen.respond("cy", (ANSWER, SKIP, BACK))
        chain.kill_collector()
        citizen.respond("en", (SKIP,))
        citizen.respond("cy")
        chain.start_collector()
        citizen.respond("en", (ANSWER, BACK))
        journey = Journey(
            chain.data / "store.db",
            chain.store_key,
            chain.centre / "collector.db",
            lambda who, what: said.append((who, what)),
        )
        journey.start()
        assert window.terminate() == 0
        assert journey.wait_for_all(len(citizen.thanked), DRAIN_S), said
        journey.stop()
        chain.stop_agent()
        chain.stop_collector()
        exported = read_export(chain.export(chain.folder / "export"))
    assert Counter(exported.values()) == Counter(citizen.thanked)
    assert len(citizen.thanked) == 5
