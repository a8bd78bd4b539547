"""What the kiosk and its agent tell each other through the store: all but the records.

The publications in force, begun from the stamp; the counters of each day until its record is put;
and the agent's few facts.
"""

from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import date
from typing import Final, Self

from sqlalchemy import Connection, Engine, text

from sync_service.contract.error import ContractError, SignatureError, StaleError
from sync_service.contract.publication import (
    Assignment,
    Keys,
    Publication,
    PublicationKind,
    Replies,
    key_document,
    parse_key,
)
from sync_service.contract.questionnaire import Questionnaire
from sync_service.contract.sealing import SealingKey
from sync_service.contract.signing import Context, Envelope, VerifyingKey
from sync_service.contract.stamp import Stamp, StampError
from sync_service.outbox.clock import Times, Told
from sync_service.outbox.database import OutboxError, reading, writing
from sync_service.outbox.fact import keep_fact, read_fact

_MOST: Final = 65535  # that a day record counts to
_SIGNED: Final = "signed_time"
_SEEN: Final = "seen_time"
_PUBLISHED_AT: Final = "published_at"
_RETIRING: Final = "retiring"


class ForeignPublicationError(ContractError):
    """A publication that is meant for another kiosk, site or questionnaire; don't use it."""


class ForeignStampError(StampError):
    """The stamp is of another centre than the store's. Stamp the kiosk anew, or empty its store."""


class UnstampedError(OutboxError):
    """No stamp was ever given to this store. Call `State.begin` with one first."""


@dataclass(frozen=True, slots=True)
class Held:
    """The publications in force: the questionnaire is the one assigned, the replies the site's."""

    questionnaire: Publication
    assignment: Publication
    keys: Publication
    replies: Publication | None


@dataclass(frozen=True, slots=True)
class DayCount:
    """What was counted of one day, by the date of the kiosk's clock at the site.

    ``assignment`` is the serial of the one that was in force: a kiosk that is moved in the middle
    of a day has two counts of it. So it has if the clock was ``sure`` for some of the day only.
    """

    day: date
    assignment: int
    minutes_available: int
    minutes_out_of_service: int
    sessions_begun: int
    approaches: int | None = None
    sure: bool = True


class State:
    """What the two processes of a kiosk share beside the log.

    Every method may raise an `OutboxError`. Those that need a stamp to have been given raise
    `UnstampedError` before.
    """

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def begin(self, stamp: Stamp) -> None:
        """Start under a stamp: take what it holds that is newer. Safe at every start.

        A stamp with another id moves the kiosk: it starts from that stamp's publications.

        Raises:
            ForeignStampError: its publishing key is neither the one in force nor the one that
                the store began with. Nothing was changed.
        """
        with writing(self._engine) as connection:
            shelf = _Shelf.load(connection)
            anchor = key_document(stamp.publishing_key)
            _refuse_foreign(connection, shelf, anchor)
            moved = stamp.stamp_id != read_fact(connection, "stamp_id")
            begun = _Shelf(keys=shelf.keys, superseded=shelf.superseded) if moved else shelf
            for signed in (stamp.keys, stamp.assignment, stamp.questionnaire):
                # What was published since the stamp was made stays.
                with suppress(StaleError, ForeignPublicationError):
                    begun = begun.take(_Taken.verify(signed, stamp.publishing_key), stamp.stamp_id)
            keep_fact(connection, "stamp_id", stamp.stamp_id)
            keep_fact(connection, "anchor", anchor)
            if begun != shelf:
                begun.save(connection)

    def check(self, stamp: Stamp) -> None:
        """See that `begin` would start under a stamp, and change nothing.

        Raises:
            ForeignStampError: it would not.
        """
        with reading(self._engine) as connection:
            anchor = key_document(stamp.publishing_key)
            _refuse_foreign(connection, _Shelf.load(connection), anchor)

    @property
    def sealing_key(self) -> SealingKey:
        """What is sealed to the centre from now on is sealed to this key."""
        keys = self.publications().keys.body
        assert isinstance(keys, Keys)
        return keys.sealing

    @property
    def stamp_id(self) -> bytes | None:
        """The id of the stamp that the store is under; `None` if it was given none."""
        with reading(self._engine) as connection:
            stamp_id: bytes | None = read_fact(connection, "stamp_id")
        return stamp_id

    def take(self, signed: bytes) -> Publication:
        """Take a publication, if it is signed, newer, and meant for this kiosk.

        New keys verify whatever is taken after them. An assignment that asks another
        questionnaire is in force once that questionnaire is held too.

        Raises:
            SignatureError: the publishing key in force did not sign it.
            MalformedError: signed, but not a publication of this version.
            StaleError: its serial is not above that of the one it would replace.
            ForeignPublicationError: meant for another kiosk, another site, or a questionnaire
                that is not assigned.
        """
        with writing(self._engine) as connection:
            shelf = _Shelf.load(connection)
            taken = _Taken.verify(signed, shelf.publishing_key)
            shelf.take(taken, read_fact(connection, "stamp_id")).save(connection)
        return taken.publication

    def publications(self) -> Held:
        """The publications in force."""
        with reading(self._engine) as connection:
            return _Shelf.load(connection).in_force()

    def believe(self, envelope: Envelope, context: Context) -> bytes:
        """The payload of what a receipt key of the centre signed: see `_Shelf.superseded`.

        Raises:
            SignatureError: signed by none that is believed.
        """
        with reading(self._engine) as connection:
            believed = _Shelf.load(connection).believed()
        for keys in believed:
            with suppress(SignatureError):
                payload = _receipt_key(keys).verify(envelope, context)
                if keys is not believed[-1]:
                    self._forget_before(keys.publication.serial)
                return payload
        raise SignatureError(f"not signed by the key of this {context.name.lower()}")

    def _forget_before(self, serial: int) -> None:
        """Believe no receipt key any more that was replaced by the keys of this serial."""
        with writing(self._engine) as connection:
            shelf = _Shelf.load(connection)
            kept = (keys for keys in shelf.superseded if keys.publication.serial >= serial)
            replace(shelf, superseded=tuple(kept)).save(connection)

    def serials(self) -> dict[PublicationKind, int]:
        """The serial held of each kind, for the newest assignment: what the collector is told.

        A kind is left out while nothing that fits that assignment is held.
        """
        with reading(self._engine) as connection:
            return _Shelf.load(connection).serials()

    def revision(self) -> int:
        """A number that rises whenever the publications change; cheap to ask for."""
        with reading(self._engine) as connection:
            return read_fact(connection, "revision") or 0

    def count_minutes(self, counted: DayCount, seen: Told) -> None:
        """Add to what was counted of a day, and keep what the clock said just now."""
        with writing(self._engine) as connection:
            _count(connection, counted)
            keep_fact(connection, _SEEN, seen.encode())

    def count_session(self, day: date, assignment: int, *, sure: bool = True) -> None:
        """Add a session begun."""
        with writing(self._engine) as connection:
            _count(connection, DayCount(day, assignment, 0, 0, 1, None, sure))

    def count_approach(self, day: date, assignment: int, *, sure: bool = True) -> None:
        """Add that someone came near."""
        with writing(self._engine) as connection:
            _count(connection, DayCount(day, assignment, 0, 0, 0, 1, sure))

    def finished_days(self, today: date | None) -> list[DayCount]:
        """What was counted of other days than this, oldest first; see `Outbox.put_day`.

        A clock that was wrong may have counted days that are still to come. `None`: all days are
        over, for a kiosk that is being retired.
        """
        with reading(self._engine) as connection:
            rows = connection.execute(
                text(
                    "SELECT *, 1 AS sure FROM day WHERE day IS NOT :today"
                    " UNION ALL SELECT *, 0 FROM unsure_day WHERE day IS NOT :today"
                    " ORDER BY day, assignment, sure"
                ),
                {"today": today and today.isoformat()},
            ).all()
        return [
            DayCount(
                date.fromisoformat(row.day),
                row.assignment,
                row.minutes_available,
                row.minutes_out_of_service,
                row.sessions_begun,
                row.approaches,
                bool(row.sure),
            )
            for row in rows
        ]

    @property
    def retiring(self) -> bool:
        """Whether the kiosk is being retired: it asks no more, and counts no more."""
        with reading(self._engine) as connection:
            return read_fact(connection, _RETIRING) is not None

    def note_retiring(self, retiring: bool) -> None:
        """Keep whether the kiosk is being retired."""
        with writing(self._engine) as connection:
            keep_fact(connection, _RETIRING, 1 if retiring else None)

    def times(self) -> Times:
        """What is known here of the time."""
        with reading(self._engine) as connection:
            signed, seen = read_fact(connection, _SIGNED), read_fact(connection, _SEEN)
            return Times(
                None if signed is None else Told.decode(signed),
                None if seen is None else Told.decode(seen),
                read_fact(connection, _PUBLISHED_AT) or 0,
            )

    def note_signed_time(self, told: Told) -> None:
        """Keep a time that the centre signed, in the place of the one before."""
        with writing(self._engine) as connection:
            keep_fact(connection, _SIGNED, told.encode())

    @property
    def last_error(self) -> str | None:
        """The short code of what last went wrong at the agent, until something went well."""
        with reading(self._engine) as connection:
            code: str | None = read_fact(connection, "last_error")
        return code

    def note_error(self, code: str | None) -> None:
        """Keep the short code of what went wrong; `None` when all is well again."""
        with writing(self._engine) as connection:
            keep_fact(connection, "last_error", code)

    @property
    def troubles(self) -> tuple[str, ...]:
        """The short codes of all that is wrong with what is bolted to the kiosk."""
        with reading(self._engine) as connection:
            codes: str = read_fact(connection, "troubles") or ""
        return tuple(codes.split())

    def note_troubles(self, codes: Sequence[str]) -> None:
        """Keep the short codes of all that is wrong with what is bolted to the kiosk."""
        with writing(self._engine) as connection:
            keep_fact(connection, "troubles", " ".join(codes) or None)

    @property
    def last_contact(self) -> date | None:
        """The day on which the collector last answered."""
        with reading(self._engine) as connection:
            day = read_fact(connection, "last_contact")
        return None if day is None else date.fromisoformat(day)

    def note_contact(self, day: date) -> None:
        """Keep the day on which the collector answered."""
        with writing(self._engine) as connection:
            keep_fact(connection, "last_contact", day.isoformat())


@dataclass(frozen=True, slots=True)
class _Taken:
    """A publication as it is stored: its signed bytes, and the key they were verified by."""

    signed: bytes
    signed_by: VerifyingKey
    publication: Publication

    @classmethod
    def verify(cls, signed: bytes, key: VerifyingKey) -> Self:
        return cls(signed, key, Publication.verify(signed, key))

    def instead_of(self, held: "_Taken | None") -> Self:
        """This publication, if it may replace the one held."""
        if held is not None and self.publication.serial <= held.publication.serial:
            kind, serial = self.publication.kind.value, self.publication.serial
            raise StaleError(f"{kind} {serial}: {held.publication.serial} is held already")
        return self


@dataclass(frozen=True, slots=True)
class _Shelf:
    """The publications a store keeps: the newest of each kind, for records need no older ones.

    A serial rises within what it replaces: the assignments of a stamp, the versions of one
    questionnaire, the replies of one site. While the newest ``assignment`` waits for its
    questionnaire, the one ``before`` it is kept too, and in force.

    The collector may go on signing by an older receipt key for a while after a newer one was
    published. So keys that were ``superseded`` stay, newest first, and their receipt keys are
    believed, until something has come that newer ones signed.
    """

    keys: _Taken | None = None
    assignment: _Taken | None = None
    before: _Taken | None = None
    questionnaire: _Taken | None = None
    replies: _Taken | None = None
    superseded: tuple[_Taken, ...] = ()

    @classmethod
    def load(cls, connection: Connection) -> Self:
        shelf = cls()
        for row in connection.execute(text("SELECT * FROM publication ORDER BY kind, serial")):
            taken = _Taken.verify(row.signed, parse_key(row.signed_by))
            if row.kind == PublicationKind.ASSIGNMENT:
                shelf = replace(shelf, before=shelf.assignment, assignment=taken)
            elif row.kind == PublicationKind.KEYS:
                shelf = replace(shelf, keys=taken, superseded=shelf.believed())
            elif row.kind == PublicationKind.QUESTIONNAIRE:
                shelf = replace(shelf, questionnaire=taken)
            else:
                shelf = replace(shelf, replies=taken)
        return shelf

    def save(self, connection: Connection) -> None:
        connection.execute(text("DELETE FROM publication"))
        connection.execute(
            text(
                "INSERT INTO publication (kind, serial, signed, signed_by)"
                " VALUES (:kind, :serial, :signed, :signed_by)"
            ),
            [
                {
                    "kind": taken.publication.kind.value,
                    "serial": taken.publication.serial,
                    "signed": taken.signed,
                    "signed_by": key_document(taken.signed_by),
                }
                for taken in self
            ],
        )
        keep_fact(connection, "revision", (read_fact(connection, "revision") or 0) + 1)
        keep_fact(connection, _PUBLISHED_AT, max(taken.publication.published_at for taken in self))

    def __iter__(self) -> Iterator[_Taken]:
        rest = (self.assignment, self.before, self.questionnaire, self.replies)
        return (taken for taken in (*self.believed(), *rest) if taken is not None)

    def believed(self) -> tuple[_Taken, ...]:
        """The keys whose receipt keys are believed, newest first."""
        return () if self.keys is None else (self.keys, *self.superseded)

    @property
    def publishing_key(self) -> VerifyingKey:
        """The key in force for publications."""
        match self.keys:
            case _Taken(publication=Publication(body=Keys() as keys)):
                return keys.publishing
        raise UnstampedError("no stamp was given to this store yet")

    def take(self, taken: _Taken, stamp_id: bytes) -> Self:
        """The shelf with a publication put in its place."""
        match taken.publication.body:
            case Keys():
                return replace(self, keys=taken.instead_of(self.keys), superseded=self.believed())
            case Assignment() as assigned:
                if assigned.stamp_id != stamp_id:
                    raise ForeignPublicationError("the assignment is meant for another kiosk")
                waits = self._questionnaire_of(assigned) is None
                return replace(
                    self,
                    assignment=taken.instead_of(self.assignment),
                    before=(self.before or self.assignment) if waits else None,
                )
            case Questionnaire() as questionnaire:
                assigned = _assigned(self.assignment)
                if questionnaire.id != assigned.questionnaire:
                    raise ForeignPublicationError(
                        f"the questionnaire is {questionnaire.id}, and {assigned.questionnaire}"
                        " is assigned"
                    )
                held = self._questionnaire_of(assigned)
                return replace(self, questionnaire=taken.instead_of(held), before=None)
            case Replies() as replies:
                assigned = _assigned(self.assignment)
                if replies.site != assigned.site:
                    raise ForeignPublicationError("the replies are meant for another site")
                return replace(self, replies=taken.instead_of(self._replies_to(assigned)))

    def in_force(self) -> Held:
        """What the kiosk goes by."""
        assignment = self.before or self.assignment
        if assignment is None or self.keys is None or self.questionnaire is None:
            raise UnstampedError("no stamp was given to this store yet")
        replies = self._replies_to(_assigned(assignment))
        return Held(
            questionnaire=self.questionnaire.publication,
            assignment=assignment.publication,
            keys=self.keys.publication,
            replies=None if replies is None else replies.publication,
        )

    def serials(self) -> dict[PublicationKind, int]:
        """The serials of what fits the newest assignment."""
        assigned = _assigned(self.assignment)
        fitting = _Shelf(
            keys=self.keys,
            assignment=self.assignment,
            questionnaire=self._questionnaire_of(assigned),
            replies=self._replies_to(assigned),
        )
        return {taken.publication.kind: taken.publication.serial for taken in fitting}

    def _questionnaire_of(self, assigned: Assignment) -> _Taken | None:
        match self.questionnaire:
            case _Taken(publication=Publication(body=Questionnaire(id=assigned.questionnaire))):
                return self.questionnaire
        return None

    def _replies_to(self, assigned: Assignment) -> _Taken | None:
        match self.replies:
            case _Taken(publication=Publication(body=Replies(site=assigned.site))):
                return self.replies
        return None


def _receipt_key(keys: _Taken) -> VerifyingKey:
    assert isinstance(keys.publication.body, Keys)
    return keys.publication.body.receipt


def _refuse_foreign(connection: Connection, shelf: _Shelf, anchor: bytes) -> None:
    """Refuse a publishing key that is not of the centre which the store belongs to."""
    if shelf.keys is not None and anchor not in (
        key_document(shelf.publishing_key),
        read_fact(connection, "anchor"),
    ):
        raise ForeignStampError(
            "the stamp is signed by another centre than the one this store belongs to:"
            " stamp the kiosk anew, or give it an empty store"
        )


def _assigned(assignment: _Taken | None) -> Assignment:
    match assignment:
        case _Taken(publication=Publication(body=Assignment() as assigned)):
            return assigned
    raise UnstampedError("no stamp was given to this store yet")


def _count(connection: Connection, counted: DayCount) -> None:
    if read_fact(connection, _RETIRING) is not None:
        return  # the record of its last day was put
    table = "day" if counted.sure else "unsure_day"
    connection.execute(
        text(
            f"INSERT INTO {table}"
            " (day, assignment, minutes_available, minutes_out_of_service, sessions_begun,"
            " approaches)"
            " VALUES (:day, :assignment, :available, :out_of_service, :sessions, :approaches)"
            " ON CONFLICT (day, assignment) DO UPDATE SET"
            " minutes_available = min(:most, minutes_available + :available),"
            " minutes_out_of_service = min(:most, minutes_out_of_service + :out_of_service),"
            " sessions_begun = min(:most, sessions_begun + :sessions),"
            " approaches = coalesce("
            "min(:most, coalesce(approaches, 0) + :approaches), approaches)"
        ),
        {
            "day": counted.day.isoformat(),
            "assignment": counted.assignment,
            "available": counted.minutes_available,
            "out_of_service": counted.minutes_out_of_service,
            "sessions": counted.sessions_begun,
            "approaches": counted.approaches,
            "most": _MOST,
        },
    )
