"""Inspection: what a card, an image or a stamp holds, with nothing secret in it."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from cryptography import x509

from kiosk_app.layout.fit import StampJudge
from sync_service.collector.card_image import MARK_FILE, CardImage, Mark
from sync_service.collector.error import OfficeError
from sync_service.contract.network import SECRETS, Network
from sync_service.contract.publication import Keys, Publication
from sync_service.contract.questionnaire import Questionnaire
from sync_service.contract.stamp import (
    FILES,
    MAX_PACKED_LENGTH,
    PACKED_FILE,
    SETTLED_FILE,
    STAMP_FILE,
    Settled,
    Stamp,
    StampError,
)

HIDDEN: Final = "hidden"

_MAP_OF_THREE: Final = 0xA3  # how a packed stamp begins
_AUTHORITIES: Final = ("wifi_authority", "extra_authority")

Facts = Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Found:
    """What was found at a path: ``facts`` by their names, what is wrong, and the stamp, if any."""

    path: Path
    facts: Facts
    faults: tuple[str, ...]
    stamp: Stamp | None = None

    def to_text(self) -> str:
        """It all in plain words."""
        width = max(map(len, self.facts), default=0)
        lines = [f"  {key.replace('_', ' '):{width}}  {fact}" for key, fact in self.facts.items()]
        faults = self.faults or ("nothing is wrong with it",)
        return "\n".join([f"{self.path}", *lines, *(f"  => {fault}" for fault in faults), ""])

    def to_json(self) -> str:
        """It all as a line of JSON."""
        found = {"path": str(self.path), **self.facts, "faults": self.faults}
        return json.dumps(found, ensure_ascii=False)


class Inspector:
    """Looks at cards, images and stamps, one after the other."""

    def __init__(self) -> None:
        self._judge = StampJudge()

    def inspect(self, path: Path) -> Found:
        """Look at a stamp's file or folder, a card's boot drive, or an image.

        Raises:
            OfficeError: there is nothing to look at, or it is no image of ours.
        """
        if path.is_dir():
            return self._look(path, lambda name: _read(path / name))
        head = _read(path)
        if head is None:
            raise OfficeError(f"{path}: is not there")
        if len(head) <= MAX_PACKED_LENGTH and head[:1] == bytes([_MAP_OF_THREE]):
            return self._look(path, {PACKED_FILE: head}.get)
        return self._look(path, CardImage.open(path).read)

    def _look(self, path: Path, read: Callable[[str], bytes | None]) -> Found:
        facts: dict[str, str] = {}
        faults: list[str] = []
        stamp = None
        try:
            if (content := read(MARK_FILE)) is not None:
                mark = Mark.read(content)
                facts["image"] = f"Regard {mark.version}, built on {mark.built}"
            if (content := read(SETTLED_FILE)) is not None:
                facts["used_by"] = _told_settled(Settled.from_file(content))
            stamp = _find_stamp(read)
            if stamp is not None:
                facts |= _told_stamp(stamp)
                refused = self._judge.why_refused(stamp)
                faults += [] if refused is None else [refused]
            elif not facts:
                faults.append("holds no stamp, and is no card of ours")
            elif "used_by" not in facts:
                facts["stamp"] = "none yet"
        except (StampError, OfficeError) as error:
            faults.append(str(error))
        return Found(path, facts, tuple(faults), stamp)


def _read(path: Path) -> bytes | None:
    try:
        with path.open("rb") as file:
            return file.read(MAX_PACKED_LENGTH + 1)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise OfficeError(f"{path}: can't be read: {error.strerror}") from None


def _find_stamp(read: Callable[[str], bytes | None]) -> Stamp | None:
    packed = read(PACKED_FILE)
    if packed is not None:
        return Stamp.unpack(packed)
    if read(STAMP_FILE) is None:
        return None
    found = {name: read(name) for name in FILES}
    return Stamp.from_files({name: each for name, each in found.items() if each is not None})


def _told_settled(settled: Settled) -> str:
    name = settled.name or "a kiosk"
    return f"{name} at {settled.site_name} ({settled.site}); its records may be on this card"


def _told_stamp(stamp: Stamp) -> dict[str, str]:
    keys, asked = (
        Publication.verify(signed, stamp.publishing_key)
        for signed in (stamp.keys, stamp.questionnaire)
    )
    assert isinstance(keys.body, Keys)
    assert isinstance(asked.body, Questionnaire)
    assigned = stamp.assigned
    return {
        "kiosk": stamp.name or "not named",
        "site": f"{assigned.site_name} ({assigned.site})",
        "service": assigned.service,
        "organisation": assigned.organisation_name or assigned.organisation,
        "place": assigned.place,
        "stands": assigned.stands.value,
        "languages": ", ".join(assigned.languages),
        "timezone": assigned.timezone,
        "asks": f"{asked.body.id}, version {asked.body.version} (serial {asked.serial})",
        "panel": stamp.panel or "the usual one",
        "rotation": f"{stamp.rotation} degrees",
        "collector": stamp.collector,
        "authority": _told_certificates(stamp.authority),
        "publishing_key": stamp.publishing_key.public.hex()[:16],
        "sealing_key": f"{keys.body.sealing.key_id.hex()} (keys, serial {keys.serial})",
        "stamp_id": stamp.stamp_id.hex(),
        "enrolment_code": HIDDEN,
        "staff_pin": "none" if stamp.staff_pin is None else HIDDEN,
        **_told_network(stamp.network),
    }


def _told_network(network: Network | None) -> dict[str, str]:
    if network is None:
        return {"link": "what its machine finds"}
    told = {key: HIDDEN if key in SECRETS else text for key, text in network.to_document().items()}
    for key in _AUTHORITIES:
        if key in told:
            told[key] = _told_certificates(told[key].encode())
    if network.proxy is not None:
        address = urlsplit(network.proxy)
        whose = f"{HIDDEN}@" if "@" in address.netloc else ""
        told["proxy"] = f"{address.scheme}://{whose}{address.netloc.rpartition('@')[2]}"
    return told


def _told_certificates(pem: bytes) -> str:
    try:
        found = x509.load_pem_x509_certificates(pem)
    except ValueError:
        raise OfficeError("the certificate authority for the collector is no certificate") from None
    return "; ".join(
        f"{each.subject.rfc4514_string()}, until {each.not_valid_after_utc.date()}"
        for each in found
    )
