"""One small centre for the contract's tests: its keys, and one publication of each kind."""

from dataclasses import dataclass, replace
from datetime import date

import pytest

from sync_service.contract.publication import (
    Answer,
    Assignment,
    Invitation,
    Keys,
    Outcome,
    Owed,
    Publication,
    Replies,
    Stands,
)
from sync_service.contract.questionnaire import Questionnaire
from sync_service.contract.sealing import OpeningKey
from sync_service.contract.signing import SigningKey

STAMP_ID = bytes(range(16))


@dataclass(frozen=True)
class Centre:
    """Keys that never change, so that golden files can be made from them."""

    opening: OpeningKey
    receipt: SigningKey
    publishing: SigningKey

    def keys(self, serial=1):
        keys = Keys(
            self.opening.sealing_key, self.receipt.verifying_key, self.publishing.verifying_key
        )
        return Publication(serial, 1_773_480_000, keys)


@pytest.fixture(scope="session")
def centre():
    return Centre(
        OpeningKey(bytes([1] * 32)), SigningKey(bytes([2] * 32)), SigningKey(bytes([3] * 32))
    )


@pytest.fixture(scope="session")
def assignment():
    return Assignment(
        stamp_id=STAMP_ID,
        site="central-library",
        site_name="Central Library",
        service="libraries",
        organisation="council",
        place="W06000015",
        timezone="Europe/London",
        languages=("en", "cy"),
        stands=Stands.EXIT,
        questionnaire="visit",
    )


@pytest.fixture(scope="session")
def assignment_in_full(assignment):
    return replace(
        assignment,
        organisation_name="Northvale Council",
        contact={"en": "feedback@northvale.example", "cy": "adborth@northvale.example"},
        kept_months=24,
    )


@pytest.fixture(scope="session")
def questionnaire():
    def both(text):
        return {"en": text, "cy": f"{text} (Cymraeg)"}

    return Questionnaire.from_document(
        {
            "id": "visit",
            "version": 1,
            "title": both("Your visit"),
            "languages": ["en", "cy"],
            "ask": [["dignity"], ["comment"]],
            "items": [
                {
                    "code": 1,
                    "name": "dignity",
                    "kind": "rating",
                    "provenance": "New",
                    "source": "for the tests",
                    "text": both("Were you treated with respect?"),
                    "options": [
                        {"code": 1, "name": "yes", "text": both("Yes")},
                        {"code": 2, "name": "no", "text": both("No")},
                    ],
                },
                {
                    "code": 2,
                    "name": "comment",
                    "kind": "text",
                    "provenance": "New",
                    "source": "for the tests",
                    "max_length": 200,
                    "text": both("Anything else?"),
                },
            ],
        }
    )


@pytest.fixture(scope="session")
def replies():
    def both(text):
        return {"en": text, "cy": f"{text} (Cymraeg)"}

    return Replies(
        "central-library",
        (
            Owed(
                code=1,
                said=both("125 people told us they were not involved."),
                due=date(2026, 3, 14),
                signed_by=both("The library manager"),
                expires=date(2026, 9, 30),
            ),
            Answer(
                code=2,
                said=both("You said the desk was hard to find."),
                outcome=Outcome.DID,
                reply=both("We put up a sign."),
                signed_by=both("The library manager"),
            ),
            Answer(
                code=3,
                said=both("You said it was cold."),
                outcome=Outcome.WILL,
                reply=both("We will mend the heating."),
                signed_by=both("The library manager"),
                due=date(2026, 5, 1),
            ),
            Invitation(
                code=4,
                what=both("Help us plan the new reading room."),
                when=both("Tuesdays at four"),
                whom=both("Ask at the desk"),
            ),
        ),
    )
