"""A centre on its own: its keys and what they sign. Enough to stamp a kiosk, with no collector.

For pictures of the screens and for tests. Nothing here is fit for a real site: the keys are new
with each centre and kept nowhere.
"""

from dataclasses import dataclass, field
from pathlib import Path

from sync_service.contract.publication import (
    Assignment,
    Body,
    Keys,
    Publication,
    PublicationKind,
    Stands,
)
from sync_service.contract.questionnaire import Questionnaire
from sync_service.contract.sealing import OpeningKey, generate_opening_key
from sync_service.contract.signing import SigningKey, generate_signing_key
from sync_service.contract.stamp import Stamp

STAMP_ID = bytes(range(16))


@dataclass
class LoneCentre:
    """The keys of a centre, and the serials it has given out."""

    opening: OpeningKey = field(default_factory=lambda: OpeningKey(generate_opening_key()))
    receipt: SigningKey = field(default_factory=lambda: SigningKey(generate_signing_key()))
    publishing: SigningKey = field(default_factory=lambda: SigningKey(generate_signing_key()))
    _serials: dict[PublicationKind, int] = field(default_factory=dict)

    def publish(self, body: Body) -> bytes:
        """Sign a publication under the next serial of its kind, as of a time before any."""
        kind = Publication(1, 0, body).kind
        self._serials[kind] = self._serials.get(kind, 0) + 1
        return Publication(self._serials[kind], 0, body).sign(self.publishing)

    def stamp(
        self,
        questionnaire: Questionnaire,
        *,
        site_name: str = "Central Library",
        languages: tuple[str, ...] = ("en",),
        stands: Stands = Stands.EXIT,
    ) -> Stamp:
        """A stamp for one site that asks a questionnaire."""
        keys = Keys(
            self.opening.sealing_key, self.receipt.verifying_key, self.publishing.verifying_key
        )
        assignment = Assignment(
            stamp_id=STAMP_ID,
            site="central-library",
            site_name=site_name,
            service="libraries",
            organisation="council",
            place="W06000015",
            timezone="Europe/London",
            languages=languages,
            stands=stands,
            questionnaire=questionnaire.id,
        )
        return Stamp(
            collector="https://collector.invalid",
            stamp_id=STAMP_ID,
            enrolment_code="none",
            publishing_key=self.publishing.verifying_key,
            authority=b"",
            keys=self.publish(keys),
            assignment=self.publish(assignment),
            questionnaire=self.publish(questionnaire),
        )


def write_stamp(stamp: Stamp, folder: Path) -> None:
    """Write a stamp's files into a folder."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in stamp.to_files().items():
        (folder / name).write_bytes(content)
