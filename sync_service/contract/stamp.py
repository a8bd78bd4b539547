"""The stamp: the folder of small files that makes a kiosk one site's kiosk.

It is enough to record from the first boot, with no network ever: where the collector is and which
certificate authority to trust for it, the publishing key, the keys, the assignment and the first
questionnaire (each a signed publication), and the enrolment code. It holds no private key.
"""

import json
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Self
from urllib.parse import urlsplit

from sync_service.contract.codec import Fields
from sync_service.contract.error import ContractError, MalformedError
from sync_service.contract.publication import (
    STAMP_ID_LENGTH,
    Assignment,
    Keys,
    Publication,
    key_document,
    parse_key,
)
from sync_service.contract.questionnaire import Questionnaire
from sync_service.contract.signing import VerifyingKey
from sync_service.contract.wire import MAX_CODE_LENGTH

STAMP_FILE: Final = "stamp.toml"
AUTHORITY_FILE: Final = "collector-ca.pem"
KEYS_FILE: Final = "keys.publication"
ASSIGNMENT_FILE: Final = "assignment.publication"
QUESTIONNAIRE_FILE: Final = "questionnaire.publication"
FILES: Final = (STAMP_FILE, AUTHORITY_FILE, KEYS_FILE, ASSIGNMENT_FILE, QUESTIONNAIRE_FILE)
"""The names of a stamp's files."""

MAX_PANEL: Final = 64

MAX_FILE_LENGTH: Final = 256 * 1024
"""The largest file of a stamp, in bytes."""


class StampError(ContractError):
    """A stamp that no kiosk should start from; the message names the file. Stamp the kiosk anew."""


@dataclass(frozen=True, slots=True)
class Stamp:
    """What a kiosk starts from.

    ``collector`` is the collector's address, ``authority`` the PEM of the certificate authority
    pinned for it. The three publications are kept signed, as the kiosk will store them. ``panel``
    names the panel that the stamp was made for; older stamps name none.
    """

    collector: str
    stamp_id: bytes
    enrolment_code: str
    publishing_key: VerifyingKey
    authority: bytes
    keys: bytes
    assignment: bytes
    questionnaire: bytes
    panel: str | None = None

    @classmethod
    def from_files(cls, files: Mapping[str, bytes]) -> Self:
        """Read a stamp's files and check that they belong together.

        Raises:
            StampError: a file is missing, altered, or does not fit the others.
        """
        for name in FILES:
            if name not in files:
                raise StampError(f"{name}: missing from the stamp")
            if len(files[name]) > MAX_FILE_LENGTH:
                raise StampError(f"{name}: larger than {MAX_FILE_LENGTH} bytes")
        try:
            stamp = cls._read(files)
        except (MalformedError, UnicodeDecodeError, tomllib.TOMLDecodeError, ValueError) as error:
            raise StampError(f"{STAMP_FILE}: {error}") from None
        stamp._check_publications()
        return stamp

    @classmethod
    def _read(cls, files: Mapping[str, bytes]) -> Self:
        fields = Fields(tomllib.loads(files[STAMP_FILE].decode()), "stamp")
        fields.integer("format", low=1, high=1)
        stamp = cls(
            collector=fields.text("collector", 500),
            stamp_id=bytes.fromhex(fields.text("stamp_id", 2 * STAMP_ID_LENGTH)),
            enrolment_code=fields.text("enrolment_code", MAX_CODE_LENGTH),
            publishing_key=parse_key(bytes.fromhex(fields.text("publishing_key", 200))),
            authority=files[AUTHORITY_FILE],
            keys=files[KEYS_FILE],
            assignment=files[ASSIGNMENT_FILE],
            questionnaire=files[QUESTIONNAIRE_FILE],
            panel=fields.text("panel", MAX_PANEL) if "panel" in fields else None,
        )
        fields.nothing_else()
        address = urlsplit(stamp.collector)
        if address.scheme != "https" or not address.hostname:
            raise MalformedError("collector must be an address that begins with https://")
        if len(stamp.stamp_id) != STAMP_ID_LENGTH:
            raise MalformedError(f"stamp_id must be {2 * STAMP_ID_LENGTH} hexadecimal digits")
        return stamp

    def _check_publications(self) -> None:
        keys = self._verify(KEYS_FILE, self.keys)
        if not isinstance(keys.body, Keys):
            raise StampError(f"{KEYS_FILE}: holds another kind of publication")
        assignment = self._verify(ASSIGNMENT_FILE, self.assignment).body
        if not isinstance(assignment, Assignment):
            raise StampError(f"{ASSIGNMENT_FILE}: holds another kind of publication")
        if assignment.stamp_id != self.stamp_id:
            raise StampError(f"{ASSIGNMENT_FILE}: meant for another kiosk")
        questionnaire = self._verify(QUESTIONNAIRE_FILE, self.questionnaire).body
        if not isinstance(questionnaire, Questionnaire):
            raise StampError(f"{QUESTIONNAIRE_FILE}: holds another kind of publication")
        if questionnaire.id != assignment.questionnaire:
            raise StampError(f"{QUESTIONNAIRE_FILE}: not the questionnaire that is assigned")
        missing = sorted(set(assignment.languages) - set(questionnaire.languages))
        if missing:
            raise StampError(f"{QUESTIONNAIRE_FILE}: not in the languages {', '.join(missing)}")

    def _verify(self, name: str, signed: bytes) -> Publication:
        try:
            return Publication.verify(signed, self.publishing_key)
        except ContractError as error:
            raise StampError(f"{name}: {error}") from None

    def to_files(self) -> dict[str, bytes]:
        """The stamp's files by name."""
        members = {
            "collector": self.collector,
            "stamp_id": self.stamp_id.hex(),
            "enrolment_code": self.enrolment_code,
            "publishing_key": key_document(self.publishing_key).hex(),
        }
        if self.panel is not None:
            members["panel"] = self.panel
        # A JSON string in ASCII is a TOML string, as long as it needs no surrogates.
        lines = ["format = 1", *(f"{key} = {json.dumps(text)}" for key, text in members.items())]
        return {
            STAMP_FILE: ("\n".join(lines) + "\n").encode(),
            AUTHORITY_FILE: self.authority,
            KEYS_FILE: self.keys,
            ASSIGNMENT_FILE: self.assignment,
            QUESTIONNAIRE_FILE: self.questionnaire,
        }
