"""Golden files: what version 1 of the contract wrote must be read for ever.

Each was written once, and is never written again: `golden/version-1.json` by this version's first
code, one with a month in its name when publications got members that may be left out, records
another way to be sealed, or stamps a form in one file. Encodings
that are deterministic must still give the very same bytes; sealed records, which never seal the
same way twice, must still open.
"""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from sync_service.contract.chain import first_link
from sync_service.contract.publication import Publication
from sync_service.contract.record import (
    ClockEvidence,
    DayRecord,
    Ending,
    Fairness,
    Helped,
    InputMode,
    Misuse,
    Moment,
    Response,
    Verdict,
    decode_record,
    encode_record,
)
from sync_service.contract.sealing import OpeningKey, SealingAlgorithm
from sync_service.contract.signing import Context, Envelope, SigningKey
from sync_service.contract.stamp import Settled, Stamp
from sync_service.contract.wire import Batch, Receipt, Recorded

FOLDER = Path(__file__).parent / "golden"
GOLDEN = json.loads((FOLDER / "version-1.json").read_text())
PACKED = json.loads((FOLDER / "version-1-2026-11-packed-stamp.json").read_text())
QUANTUM_SAFE = json.loads((FOLDER / "version-1-2026-11-mlkem768.json").read_text())
COUNTED = json.loads((FOLDER / "version-1-2026-11-approaches.json").read_text())
PUBLICATIONS = {
    name: signed
    for path in FOLDER.glob("*.json")
    for name, signed in json.loads(path.read_text())["publications"].items()
}
QUANTUM_SAFE_KEY = OpeningKey(bytes([1] * 32), SealingAlgorithm.MLKEM768_X25519)
LOG = bytes.fromhex(GOLDEN["log_id"])
KIOSK = SigningKey(bytes([4] * 32))

RECORDS = {
    "response": Response(
        assignment=2,
        moment=Moment(41_052),
        language="en",
        questionnaire=3,
        offered=(1, 2, 9),
        answers={1: 1, 2: 3},
        skipped=(9,),
    ),
    "response with everything": Response(
        assignment=2,
        moment=Moment(41_053, ClockEvidence(b"\x01\x02\x03\x04", 27)),
        language="cy",
        questionnaire=3,
        offered=(2, 1, 300),
        answers={300: "Diolch yn fawr – ŵ ŷ", 1: 70_000},
        skipped=(2,),
        ending=Ending.ABANDONED,
        input_mode=InputMode.KEYPAD,
        single_tap=True,
        text_size=2,
        helped=Helped.YES,
        age_band=3,
        misuse=Misuse.TOO_FAST | Misuse.REPEATED,
        unknown={1000: ["of a later version", None, True, -1, b"\x00"]},
    ),
    "verdict": Verdict(
        assignment=2,
        moment=Moment(41_052),
        language="cy",
        replies=4,
        reply=1,
        fairness=Fairness.PARTLY,
    ),
    "day": DayRecord(
        assignment=2,
        moment=Moment(41_053),
        minutes_available=600,
        minutes_out_of_service=15,
        sessions_begun=42,
    ),
}


def test_there_is_a_golden_record_of_each_kind():
    assert set(GOLDEN["records"]) == set(RECORDS)


@pytest.mark.parametrize("name", RECORDS)
def test_a_golden_record_is_read_and_written_as_it_was(name):
    padded = bytes.fromhex(GOLDEN["records"][name]["padded"])
    assert decode_record(padded) == RECORDS[name]
    assert encode_record(RECORDS[name]) == padded


def test_the_golden_day_that_counts_approaches_is_read_and_written_as_it_was():
    padded = bytes.fromhex(COUNTED["day with approaches"])
    day = replace(RECORDS["day"], approaches=61)
    assert decode_record(padded) == day
    assert encode_record(day) == padded


@pytest.mark.parametrize("name", RECORDS)
def test_a_golden_sealed_record_still_opens(name, centre):
    sealed = bytes.fromhex(GOLDEN["records"][name]["sealed"])
    assert decode_record(centre.opening.open(sealed, LOG)) == RECORDS[name]


@pytest.mark.parametrize("name", RECORDS)
def test_a_golden_record_sealed_against_quantum_computers_still_opens(name):
    sealed = bytes.fromhex(QUANTUM_SAFE["sealed by mlkem768_x25519"][name])
    assert decode_record(QUANTUM_SAFE_KEY.open(sealed, LOG)) == RECORDS[name]


def golden_batch():
    sealed = [bytes.fromhex(record["sealed"]) for record in GOLDEN["records"].values()]
    return Batch(KIOSK.verifying_key.kiosk_id, LOG, 1, first_link(LOG), tuple(sealed), bytes(8))


def golden_receipt():
    batch = golden_batch()
    outcomes = (
        Recorded.ACCEPTED,
        Recorded.DUPLICATE,
        Recorded.REFUSED_KEY,
        Recorded.ACCEPTED,
    )
    return Receipt(batch.kiosk_id, batch.nonce, LOG, 1, batch.head.link, outcomes, batch.head)


def test_the_golden_batch_is_read_and_written_as_it_was():
    signed = bytes.fromhex(GOLDEN["batch"])
    payload = KIOSK.verifying_key.verify(Envelope.unpack(signed), Context.BATCH)
    assert Batch.decode(payload) == golden_batch()
    assert KIOSK.sign(Context.BATCH, golden_batch().encode()) == signed


def test_the_golden_receipt_is_read_and_written_as_it_was(centre):
    signed = bytes.fromhex(GOLDEN["receipt"])
    payload = centre.receipt.verifying_key.verify(Envelope.unpack(signed), Context.RECEIPT)
    assert Receipt.decode(payload) == golden_receipt()
    assert centre.receipt.sign(Context.RECEIPT, golden_receipt().encode()) == signed


@pytest.fixture
def publications(centre, assignment, assignment_in_full, questionnaire, replies):
    keys = replace(centre.keys().body, sealing=QUANTUM_SAFE_KEY.sealing_key)
    bodies = {
        "keys of mlkem768_x25519": Publication(5, 1_773_480_000, keys),
        "assignment": Publication(2, 1_773_480_000, assignment),
        "assignment in full": Publication(2, 1_773_480_000, assignment_in_full),
        "questionnaire": Publication(3, 1_773_480_000, questionnaire),
        "replies": Publication(4, 1_773_480_000, replies),
    }
    return {"keys": centre.keys(), **bodies}


def test_the_golden_publications_are_read_and_written_as_they_were(publications, centre):
    assert set(PUBLICATIONS) == set(publications)
    for name, publication in publications.items():
        signed = bytes.fromhex(PUBLICATIONS[name])
        assert Publication.verify(signed, centre.publishing.verifying_key) == publication
        assert publication.sign(centre.publishing) == signed


def test_the_golden_stamp_is_read(assignment):
    files = {name: bytes.fromhex(data) for name, data in GOLDEN["stamp"].items()}
    stamp = Stamp.from_files(files)
    assert stamp.stamp_id == assignment.stamp_id
    assert stamp.enrolment_code == "ABCD-EFGH-JKMN"
    assert stamp.to_files() == files


def test_the_golden_packed_stamp_is_read_and_written_as_it_was(assignment):
    packed = bytes.fromhex(PACKED["packed_stamp"])
    stamp = Stamp.unpack(packed)
    assert stamp.pack() == packed
    assert (stamp.stamp_id, stamp.name) == (assignment.stamp_id, "Wrth y drws")
    assert (stamp.panel, stamp.rotation) == ("10.1-800x1280", 270)
    assert stamp.staff_pin.matches(PACKED["staff_pin"])
    assert stamp.network.link.password == "quiet words"
    assert stamp.network.proxy == "http://proxy.example.org:3128"
    left = Settled.from_file(PACKED["settled"].encode())
    assert left == Settled.of(stamp)
