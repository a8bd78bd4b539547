"""The stamp: the small files that make a kiosk one site's kiosk, in a folder or packed into one.

It is enough to record from the first boot, with no network ever: where the collector is and which
certificate authority to trust for it, the publishing key, the keys, the assignment and the first
questionnaire (each a signed publication), and the enrolment code. It holds no private key.
"""

import json
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from hashlib import sha256
from typing import Final, Self
from urllib.parse import urlsplit

from sync_service.contract.codec import Fields, Value, decode, encode
from sync_service.contract.error import ContractError, MalformedError
from sync_service.contract.network import Network
from sync_service.contract.pin import MAX_PIN_HASH, PinHash
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

PACKED_FILE: Final = "regard.stamp"
"""The name of a stamp that is packed into one file, to be dragged onto a card's boot drive."""

SETTLED_FILE: Final = "regard-settled.toml"
"""The name of what a kiosk leaves on the boot drive in place of the stamp that it took."""

_ROTATIONS: Final = (0, 90, 180, 270)

MAX_PANEL: Final = 64
MAX_KIOSK_NAME: Final = 200

MAX_FILE_LENGTH: Final = 256 * 1024
"""The largest file of a stamp, in bytes."""

MAX_PACKED_LENGTH: Final = len(FILES) * MAX_FILE_LENGTH + 4096
"""The largest packed stamp, in bytes."""


class StampError(ContractError):
    """A stamp that no kiosk should start from; the message names the file. Stamp the kiosk anew."""


class MissingStampError(StampError):
    """There is no stamp, or a file of it is missing. Give the kiosk its stamp."""


class NewerStampError(StampError):
    """The stamp is of a later version than this. Use a newer version of Regard for it."""


@dataclass(frozen=True, slots=True)
class Stamp:
    """What a kiosk starts from.

    ``collector`` is the collector's address, ``authority`` the PEM of the certificate authority
    pinned for it. The three publications are kept signed, as the kiosk will store them. ``panel``
    names the panel that the stamp was made for, ``rotation`` says by how many degrees the picture
    is turned on the screen, against the clock. ``name`` tells the site's kiosks apart,
    ``staff_pin`` checks the PIN of the staff, ``network`` is what leads out. Older stamps say none
    of these; without a network, the kiosk takes what its machine finds.
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
    rotation: int = 0
    name: str | None = None
    staff_pin: PinHash | None = None
    network: Network | None = None

    @classmethod
    def unpack(cls, packed: bytes) -> Self:
        """Read a stamp that is packed into one file.

        Raises:
            StampError: it is damaged, of a later version, or not one to start from.
        """
        if len(packed) > MAX_PACKED_LENGTH:
            raise StampError(f"{PACKED_FILE}: larger than {MAX_PACKED_LENGTH} bytes: no stamp")
        try:
            fields = Fields(decode(packed), "stamp")
            version = fields.integer("format")
            if version != 1:
                raise NewerStampError(
                    f"{PACKED_FILE}: of format {version}, and this version of Regard knows format 1"
                    " only: use a newer one"
                )
            files, digest = fields.document("files"), fields.octets("digest", 32)
            fields.nothing_else()
        except MalformedError as error:
            raise StampError(
                f"{PACKED_FILE}: damaged, or no stamp: copy it anew ({error})"
            ) from None
        if digest != _digest(files):
            raise StampError(f"{PACKED_FILE}: damaged on its way: copy it anew")
        return cls.from_files(
            {name: content for name, content in files.items() if isinstance(content, bytes)}
        )

    def pack(self) -> bytes:
        """The stamp as one file."""
        files: dict[str, Value] = {**self.to_files()}
        return encode({"format": 1, "files": files, "digest": _digest(files)})

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
            rotation=_read_rotation(fields) if "rotation" in fields else 0,
            name=fields.text("name", MAX_KIOSK_NAME) if "name" in fields else None,
            staff_pin=(
                PinHash.parse(fields.line("staff_pin", MAX_PIN_HASH))
                if "staff_pin" in fields
                else None
            ),
            network=(
                Network.from_document(fields.document("network")) if "network" in fields else None
            ),
        )
        fields.nothing_else()
        address = urlsplit(stamp.collector)
        if address.scheme != "https" or not address.hostname:
            raise MalformedError("collector must be an address that begins with https://")
        if len(stamp.stamp_id) != STAMP_ID_LENGTH:
            raise MalformedError(f"stamp_id must be {2 * STAMP_ID_LENGTH} hexadecimal digits")
        return stamp

    @property
    def trusted(self) -> bytes:
        """The PEM of all authorities that are trusted for the collector."""
        extra = self.network.extra_authority if self.network is not None else None
        return self.authority if extra is None else self.authority + b"\n" + extra.encode()

    @property
    def assigned(self) -> Assignment:
        """The assignment that it holds."""
        body = self._verify(ASSIGNMENT_FILE, self.assignment).body
        assert isinstance(body, Assignment)  # as was checked when it was read
        return body

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
        return {
            STAMP_FILE: "".join(f"{line}\n" for line in self._lines()).encode(),
            AUTHORITY_FILE: self.authority,
            KEYS_FILE: self.keys,
            ASSIGNMENT_FILE: self.assignment,
            QUESTIONNAIRE_FILE: self.questionnaire,
        }

    def _lines(self) -> Iterator[str]:
        yield "format = 1"
        yield _line("collector", self.collector)
        yield _line("stamp_id", self.stamp_id.hex())
        yield _line("enrolment_code", self.enrolment_code)
        yield _line("publishing_key", key_document(self.publishing_key).hex())
        if self.panel is not None:
            yield _line("panel", self.panel)
        if self.rotation:
            yield f"rotation = {self.rotation}"
        if self.name is not None:
            yield _line("name", self.name)
        if self.staff_pin is not None:
            yield _line("staff_pin", self.staff_pin.to_text())
        if self.network is not None:
            yield "[network]"
            for key, text in self.network.to_document().items():
                yield _line(key, text)


@dataclass(frozen=True, slots=True)
class Settled:
    """What a kiosk leaves on the boot drive: whose card this is, and nothing secret.

    Its data partition may hold records from then on.
    """

    stamp_id: bytes
    site: str
    site_name: str
    name: str | None

    @classmethod
    def of(cls, stamp: Stamp) -> Self:
        """What is left of a stamp."""
        assigned = stamp.assigned
        return cls(stamp.stamp_id, assigned.site, assigned.site_name, stamp.name)

    @classmethod
    def from_file(cls, content: bytes) -> Self:
        """Read the file.

        Raises:
            StampError: it is damaged.
        """
        try:
            fields = Fields(tomllib.loads(content.decode()), "settled")
            fields.integer("format", low=1, high=1)
            settled = cls(
                stamp_id=bytes.fromhex(fields.text("stamp_id", 2 * STAMP_ID_LENGTH)),
                site=fields.text("site", 64),
                site_name=fields.text("site_name", 200),
                name=fields.text("name", MAX_KIOSK_NAME) if "name" in fields else None,
            )
            fields.nothing_else()
        except (MalformedError, UnicodeDecodeError, tomllib.TOMLDecodeError, ValueError) as error:
            raise StampError(f"{SETTLED_FILE}: {error}") from None
        return settled

    def to_file(self) -> bytes:
        """The file's content."""
        lines = [
            "# This card is a kiosk's: its records may be on it.",
            "format = 1",
            _line("stamp_id", self.stamp_id.hex()),
            _line("site", self.site),
            _line("site_name", self.site_name),
        ]
        if self.name is not None:
            lines.append(_line("name", self.name))
        return "".join(f"{line}\n" for line in lines).encode()


def _read_rotation(fields: Fields) -> int:
    rotation = fields.integer("rotation")
    if rotation not in _ROTATIONS:
        raise MalformedError(f"rotation must be one of {', '.join(map(str, _ROTATIONS))}")
    return rotation


def _digest(files: Mapping[str, Value]) -> bytes:
    return sha256(encode(files)).digest()


def _line(key: str, text: str) -> str:
    """A line of TOML: a JSON string is one of TOML's, but for a character that nobody types."""
    return f"{key} = {json.dumps(text, ensure_ascii=False)}".replace("\x7f", "\\u007f")
