from dataclasses import replace
from datetime import date

import pytest

from sync_service.contract.error import MalformedError, SignatureError, StaleError
from sync_service.contract.publication import (
    Assignment,
    Keys,
    Publication,
    PublicationKind,
    Replies,
    Stands,
)
from sync_service.contract.questionnaire import Questionnaire
from sync_service.contract.sealing import OpeningKey
from sync_service.contract.signing import SigningKey
from sync_service.contract.stamp import Stamp
from sync_service.outbox.clock import Clock, Times, Told
from sync_service.outbox.database import open_store
from sync_service.outbox.state import (
    DayCount,
    ForeignPublicationError,
    ForeignStampError,
    State,
    UnstampedError,
)

STAMP_ID, OTHER_STAMP_ID = bytes(range(16)), bytes(16)
PUBLISHING, NEXT_PUBLISHING, STRANGER = (SigningKey(bytes([n] * 32)) for n in (1, 2, 3))
RECEIPT = SigningKey(bytes([4] * 32))
SEALING = OpeningKey(bytes([5] * 32)).sealing_key
MONDAY, TUESDAY, WEDNESDAY, THURSDAY, FRIDAY = (date(2026, 3, day) for day in range(16, 21))
ASSIGNMENT, NEXT_ASSIGNMENT = 1, 2


def keys(serial, publishing=PUBLISHING):
    body = Keys(SEALING, RECEIPT.verifying_key, publishing.verifying_key)
    return Publication(serial, 1_773_480_000, body)


def assignment(serial, questionnaire="visit", site="central-library", stamp_id=STAMP_ID):
    body = Assignment(
        stamp_id=stamp_id,
        site=site,
        site_name="Central Library",
        service="libraries",
        organisation="council",
        place="W06000015",
        timezone="Europe/London",
        languages=("en",),
        stands=Stands.EXIT,
        questionnaire=questionnaire,
    )
    return Publication(serial, 1_773_480_000, body)


def questionnaire(serial, name="visit"):
    body = Questionnaire.from_document(
        {
            "id": name,
            "version": serial,
            "title": {"en": "Your visit"},
            "languages": ["en"],
            "ask": [["dignity"]],
            "items": [
                {
                    "code": 1,
                    "name": "dignity",
                    "kind": "rating",
                    "provenance": "New",
                    "text": {"en": "Were you treated with respect?"},
                    "options": [
                        {"code": 1, "name": "yes", "text": {"en": "Yes"}},
                        {"code": 2, "name": "no", "text": {"en": "No"}},
                    ],
                }
            ],
        }
    )
    return Publication(serial, 1_773_480_000, body)


def replies(serial, site="central-library"):
    return Publication(serial, 1_773_480_000, Replies(site, ()))


def stamp(*publications, stamp_id=STAMP_ID, publishing=PUBLISHING):
    """A stamp of the central library's kiosk, but for the publications given."""
    held = {
        publication.kind: publication
        for publication in (
            keys(1, publishing),
            assignment(1, stamp_id=stamp_id),
            questionnaire(1),
            *publications,
        )
    }
    signed = {kind: publication.sign(publishing) for kind, publication in held.items()}
    made = Stamp(
        collector="https://collector.example",
        stamp_id=stamp_id,
        enrolment_code="code",
        publishing_key=publishing.verifying_key,
        authority=b"pem",
        keys=signed[PublicationKind.KEYS],
        assignment=signed[PublicationKind.ASSIGNMENT],
        questionnaire=signed[PublicationKind.QUESTIONNAIRE],
    )
    return Stamp.from_files(made.to_files())


def serials(state):
    return {kind.value: serial for kind, serial in state.serials().items()}


def in_force(state):
    held = state.publications()
    return held.keys.serial, held.assignment.serial, held.questionnaire.serial


@pytest.fixture
def stamped(state):
    state.begin(stamp())
    return state


# The stamp


def test_a_stamp_is_enough_to_begin(stamped):
    held = stamped.publications()

    assert held.keys == keys(1)
    assert held.assignment == assignment(1)
    assert held.questionnaire == questionnaire(1)
    assert held.replies is None
    assert serials(stamped) == {"keys": 1, "assignment": 1, "questionnaire": 1}


def test_without_a_stamp_there_is_nothing_to_go_by(state):
    for ask in (state.publications, state.serials, lambda: state.take(keys(1).sign(PUBLISHING))):
        with pytest.raises(UnstampedError):
            ask()


def test_beginning_again_under_the_same_stamp_changes_nothing(stamped):
    stamped.take(questionnaire(2).sign(PUBLISHING))
    revision = stamped.revision()

    stamped.begin(stamp())

    assert in_force(stamped) == (1, 1, 2)
    assert stamped.revision() == revision


def test_a_stamp_made_anew_brings_what_is_newer(stamped):
    stamped.take(questionnaire(3).sign(PUBLISHING))

    stamped.begin(stamp(keys(2), assignment(4), questionnaire(2)))

    assert in_force(stamped) == (2, 4, 3)


def test_a_kiosk_is_moved_by_another_stamp_of_its_centre(stamped):
    stamped.take(questionnaire(5).sign(PUBLISHING))
    stamped.take(assignment(6).sign(PUBLISHING))
    stamped.take(replies(2).sign(PUBLISHING))

    stamped.begin(
        stamp(
            assignment(3, "gp", "surgery", OTHER_STAMP_ID),
            questionnaire(4, "gp"),
            stamp_id=OTHER_STAMP_ID,
        )
    )

    held = stamped.publications()
    assert held.assignment.body.site == "surgery"
    assert held.questionnaire.body.id == "gp"
    assert held.replies is None
    assert serials(stamped) == {"keys": 1, "assignment": 3, "questionnaire": 4}
    with pytest.raises(ForeignPublicationError):
        stamped.take(assignment(9).sign(PUBLISHING))


def test_a_moved_kiosk_keeps_the_newer_keys(stamped):
    stamped.take(keys(2, NEXT_PUBLISHING).sign(PUBLISHING))

    stamped.begin(stamp(stamp_id=OTHER_STAMP_ID))

    assert stamped.publications().keys == keys(2, NEXT_PUBLISHING)
    stamped.take(replies(1).sign(NEXT_PUBLISHING))


def test_a_stamp_signed_by_the_key_now_in_force_is_of_the_same_centre(stamped):
    stamped.take(keys(2, NEXT_PUBLISHING).sign(PUBLISHING))

    stamped.begin(stamp(keys(2, NEXT_PUBLISHING), assignment(2), publishing=NEXT_PUBLISHING))

    assert in_force(stamped) == (2, 2, 1)


def test_a_stamp_of_another_centre_is_refused_and_changes_nothing(stamped):
    with pytest.raises(ForeignStampError, match="give it an empty store"):
        stamped.begin(stamp(keys(9, STRANGER), stamp_id=OTHER_STAMP_ID, publishing=STRANGER))

    assert in_force(stamped) == (1, 1, 1)
    stamped.take(assignment(2).sign(PUBLISHING))


# Taking


def test_a_newer_publication_replaces_the_older(stamped):
    for publication in (keys(2), assignment(3), questionnaire(4), replies(5), replies(6)):
        assert stamped.take(publication.sign(PUBLISHING)) == publication

    assert in_force(stamped) == (2, 3, 4)
    assert stamped.publications().replies == replies(6)
    assert serials(stamped) == {"keys": 2, "assignment": 3, "questionnaire": 4, "replies": 6}


def test_what_was_taken_is_there_after_a_restart(path, key):
    engine = open_store(path, key)
    State(engine).begin(stamp())
    State(engine).take(replies(5).sign(PUBLISHING))
    held = State(engine).publications()
    engine.dispose()

    engine = open_store(path, key)
    assert State(engine).publications() == held
    engine.dispose()


@pytest.mark.parametrize(
    "publication", [keys(2), assignment(2), questionnaire(2), replies(2)], ids=lambda p: p.kind
)
def test_a_serial_that_is_not_higher_is_stale(stamped, publication):
    stamped.take(publication.sign(PUBLISHING))
    before = stamped.publications(), stamped.revision()

    for serial in (2, 1):
        with pytest.raises(StaleError, match="2 is held already"):
            stamped.take(replace(publication, serial=serial).sign(PUBLISHING))
    assert (stamped.publications(), stamped.revision()) == before


def test_what_another_key_signed_is_refused(stamped):
    with pytest.raises(SignatureError):
        stamped.take(replies(1).sign(STRANGER))
    with pytest.raises(MalformedError):
        stamped.take(b"not signed at all")

    assert stamped.publications().replies is None


@pytest.mark.parametrize(
    "publication",
    [
        assignment(2, stamp_id=OTHER_STAMP_ID),
        questionnaire(2, "gp"),
        replies(2, "surgery"),
    ],
    ids=lambda p: p.kind,
)
def test_what_is_meant_for_another_kiosk_is_refused(stamped, publication):
    with pytest.raises(ForeignPublicationError):
        stamped.take(publication.sign(PUBLISHING))

    assert in_force(stamped) == (1, 1, 1)
    assert stamped.publications().replies is None


def test_a_new_publishing_key_takes_over_from_the_one_that_signed_it(stamped):
    stamped.take(keys(2, NEXT_PUBLISHING).sign(PUBLISHING))

    with pytest.raises(SignatureError):
        stamped.take(assignment(2).sign(PUBLISHING))
    stamped.take(assignment(2).sign(NEXT_PUBLISHING))
    assert in_force(stamped) == (2, 2, 1)


def test_a_new_publishing_key_must_be_signed_by_the_one_before(stamped):
    with pytest.raises(SignatureError):
        stamped.take(keys(2, STRANGER).sign(STRANGER))


# Another questionnaire


def test_another_questionnaire_is_asked_from_when_it_is_held(stamped):
    stamped.take(assignment(2, "gp").sign(PUBLISHING))
    assert in_force(stamped) == (1, 1, 1)  # it can't be asked yet
    assert serials(stamped) == {"keys": 1, "assignment": 2}  # so that it is offered

    stamped.take(questionnaire(2, "gp").sign(PUBLISHING))
    assert in_force(stamped) == (1, 2, 2)
    assert serials(stamped) == {"keys": 1, "assignment": 2, "questionnaire": 2}


def test_a_questionnaire_published_long_ago_may_follow_another_one(stamped):
    stamped.take(questionnaire(7).sign(PUBLISHING))
    stamped.take(assignment(8, "gp").sign(PUBLISHING))

    stamped.take(questionnaire(4, "gp").sign(PUBLISHING))

    assert in_force(stamped) == (1, 8, 4)


def test_an_assignment_that_is_taken_back_in_time_changes_nothing_asked(stamped):
    stamped.take(assignment(2, "gp").sign(PUBLISHING))
    stamped.take(assignment(3, "library").sign(PUBLISHING))
    assert in_force(stamped) == (1, 1, 1)

    stamped.take(assignment(4, "visit").sign(PUBLISHING))
    assert in_force(stamped) == (1, 4, 1)


def test_a_restart_does_not_bring_the_stamp_s_questionnaire_back(stamped):
    stamped.take(assignment(2, "gp").sign(PUBLISHING))
    stamped.begin(stamp())
    assert in_force(stamped) == (1, 1, 1)

    stamped.take(questionnaire(2, "gp").sign(PUBLISHING))
    stamped.begin(stamp())
    assert in_force(stamped) == (1, 2, 2)


def test_replies_of_the_site_before_are_not_shown_at_the_next(stamped):
    stamped.take(replies(5).sign(PUBLISHING))
    stamped.take(assignment(2, site="branch-library").sign(PUBLISHING))
    assert stamped.publications().replies is None
    assert "replies" not in serials(stamped)

    stamped.take(replies(3, "branch-library").sign(PUBLISHING))
    assert stamped.publications().replies == replies(3, "branch-library")


def test_the_revision_rises_only_when_publications_change(stamped, outbox):
    revisions = [stamped.revision()]
    stamped.take(replies(1).sign(PUBLISHING))
    revisions.append(stamped.revision())
    outbox.put(bytes(120), half_day=0)
    stamped.note_error("too-slow")
    revisions.append(stamped.revision())

    assert revisions == [revisions[0], revisions[0] + 1, revisions[0] + 1]


# Days


def count_minutes(state, day, assignment, available, out_of_service, *, watched=False, sure=True):
    came = 0 if watched else None
    counted = DayCount(day, assignment, available, out_of_service, 0, came, sure)
    state.count_minutes(counted, Clock().seen())


def test_a_day_counts_minutes_and_sessions(state):
    count_minutes(state, MONDAY, ASSIGNMENT, 1, 0)
    count_minutes(state, MONDAY, ASSIGNMENT, 10, 5)
    state.count_session(MONDAY, ASSIGNMENT)
    state.count_session(MONDAY, ASSIGNMENT)
    count_minutes(state, TUESDAY, ASSIGNMENT, 0, 1)

    assert state.finished_days(today=WEDNESDAY) == [
        DayCount(MONDAY, ASSIGNMENT, 11, 5, 2),
        DayCount(TUESDAY, ASSIGNMENT, 0, 1, 0),
    ]


def test_a_kiosk_that_is_moved_in_the_middle_of_a_day_has_two_counts_of_it(state):
    state.count_session(MONDAY, ASSIGNMENT)
    state.count_session(MONDAY, NEXT_ASSIGNMENT)
    count_minutes(state, MONDAY, NEXT_ASSIGNMENT, 5, 0)

    assert state.finished_days(today=TUESDAY) == [
        DayCount(MONDAY, ASSIGNMENT, 0, 0, 1),
        DayCount(MONDAY, NEXT_ASSIGNMENT, 5, 0, 1),
    ]


def test_a_day_counts_who_came_near_where_that_is_noticed(state):
    count_minutes(state, MONDAY, ASSIGNMENT, 1, 0)
    count_minutes(state, TUESDAY, ASSIGNMENT, 1, 0, watched=True)
    for day in (TUESDAY, WEDNESDAY, WEDNESDAY):
        state.count_approach(day, ASSIGNMENT)
    count_minutes(state, WEDNESDAY, ASSIGNMENT, 1, 0, watched=True)
    count_minutes(state, WEDNESDAY, ASSIGNMENT, 1, 0)
    count_minutes(state, THURSDAY, ASSIGNMENT, 1, 0, watched=True)

    came = [day.approaches for day in state.finished_days(today=FRIDAY)]
    assert came == [None, 1, 2, 0]


def test_a_day_that_goes_on_is_not_finished(state):
    state.count_session(MONDAY, ASSIGNMENT)

    assert state.finished_days(today=MONDAY) == []


def test_a_day_that_never_ends_still_fits_its_record(state):
    """As on a kiosk whose clock begins in 1970 after every power cut."""
    for _ in range(3):
        count_minutes(state, MONDAY, ASSIGNMENT, 40_000, 30_000)

    assert state.finished_days(today=TUESDAY) == [DayCount(MONDAY, ASSIGNMENT, 65_535, 65_535, 0)]


def test_what_is_counted_by_an_unsure_clock_is_kept_apart_whatever_day_it_says(state, outbox):
    count_minutes(state, TUESDAY, ASSIGNMENT, 10, 0)
    count_minutes(state, TUESDAY, ASSIGNMENT, 1, 0, sure=False)
    state.count_session(TUESDAY, ASSIGNMENT, sure=False)

    assert state.finished_days(today=MONDAY) == [
        DayCount(TUESDAY, ASSIGNMENT, 1, 0, 1, sure=False),
        DayCount(TUESDAY, ASSIGNMENT, 10, 0, 0),
    ]
    outbox.put_day(bytes(121), 0, TUESDAY, ASSIGNMENT, sure=False)
    assert state.finished_days(today=MONDAY) == [DayCount(TUESDAY, ASSIGNMENT, 10, 0, 0)]


# The time


def test_a_store_knows_that_it_is_later_than_its_newest_publication(state, stamped):
    held = stamped.publications()
    newest = max(each.published_at for each in (held.keys, held.assignment, held.questionnaire))
    assert stamped.times() == Times(published_at=newest)

    stamped.take(replace(replies(1), published_at=newest + 7).sign(PUBLISHING))
    assert stamped.times() == Times(published_at=newest + 7)


def test_the_centre_s_last_word_on_the_time_and_the_clock_s_own_are_kept(state):
    later, earlier = (Told(at, b"boot", 1.5, 2.0) for at in (2000, 1000))
    for told in (later, earlier):
        state.note_signed_time(told)
        state.count_minutes(DayCount(MONDAY, ASSIGNMENT, 1, 0, 0), told)

    assert state.times() == Times(signed=earlier, seen=earlier)


def test_what_is_wrong_with_what_is_bolted_on_stands_until_it_is_otherwise(state):
    assert state.troubles == ()
    state.note_troubles(["button-2-stuck", "case-open"])
    assert state.troubles == ("button-2-stuck", "case-open")
    state.note_troubles([])
    assert state.troubles == ()


# The agent's facts


def test_the_last_error_stands_until_all_is_well(state):
    assert state.last_error is None
    state.note_error("unreachable")
    state.note_error("busy")
    assert state.last_error == "busy"
    state.note_error(None)
    assert state.last_error is None


def test_the_last_contact_is_known_by_the_day(state):
    assert state.last_contact is None
    state.note_contact(MONDAY)
    state.note_contact(TUESDAY)
    assert state.last_contact == TUESDAY
