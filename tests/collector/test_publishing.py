from dataclasses import replace

import pytest
from sqlalchemy import select

from sync_service.collector import tables
from sync_service.collector.enrolment import revoke
from sync_service.collector.error import OfficeError
from sync_service.collector.keyring import Signs
from sync_service.collector.publishing import (
    DEFAULT_QUESTIONNAIRES,
    MAX_LOST,
    read_questionnaire,
)
from sync_service.contract.publication import (
    MAX_SERIAL,
    Invitation,
    Keys,
    Publication,
    PublicationKind,
    Replies,
    publication_digest,
)
from sync_service.contract.questionnaire import Questionnaire, QuestionnaireError

INVITATION = Invitation(
    code=3,
    what={"en": "Help us plan the reading room."},
    when={"en": "Tuesdays at four"},
    whom={"en": "Ask at the desk"},
)
GP, LIBRARY = (read_questionnaire(path) for path in DEFAULT_QUESTIONNAIRES)


def verified(rig, edition):
    return Publication.verify(edition.signed, rig.keyring.publishing_keys()[0])


# Serials


def test_what_is_published_is_signed_and_kept_under_its_digest(rig):
    edition = rig.publish("replies", Replies("central", ()), now=77)

    assert (edition.kind, edition.serial, edition.is_new) == (PublicationKind.REPLIES, 1, True)
    assert verified(rig, edition) == Publication(1, 77, Replies("central", ()))
    [row] = rig.read(select(tables.publication).where(tables.publication.c.kind == "replies"))
    assert (row.signed, row.digest) == (edition.signed, publication_digest(edition.signed))
    assert (row.site, row.published_at) == ("central", 77)


def test_a_serial_is_the_highest_of_its_kind_and_one(rig):
    first = rig.publish("replies", Replies("central", ()))
    second = rig.publish("replies", Replies("surgery", ()))
    gp = rig.publish("questionnaire", replace(GP, version=2))

    assert (first.serial, second.serial) == (1, 2)
    assert gp.serial == len(DEFAULT_QUESTIONNAIRES) + 1


def hold(rig, kiosk, serial):
    rig.hear(kiosk.signed_status(publications={PublicationKind.REPLIES: serial}))


def test_no_serial_is_used_twice_that_a_kiosk_still_holds_from_before_a_restore(rig):
    kiosk = rig.kiosk()
    rig.publish("replies", Replies("central", ()))
    hold(rig, kiosk, 7)

    assert rig.publish("replies", Replies("surgery", ())).serial == 8
    assert rig.publish("replies", Replies("surgery", (INVITATION,))).serial == 9
    assert rig.publish("questionnaire", replace(GP, version=2)).serial == 3


def test_a_kiosk_can_not_use_up_the_serials_by_a_lie(rig):
    liar = rig.kiosk()
    hold(rig, liar, MAX_SERIAL)
    assert rig.publish("replies", Replies("central", ())).serial == 1
    hold(rig, liar, 1 + MAX_LOST)
    rig.run(revoke(rig.engine, liar.kiosk_id, 0))
    assert rig.publish("replies", Replies("surgery", ())).serial == 2


def test_the_same_again_is_not_published_again(rig):
    for what, body in (
        ("questionnaire", GP),
        ("replies", Replies("central", ())),
        ("keys", rig.keyring.public_keys(*rig.keyring.opening_keys())),
    ):
        first = rig.publish(what, body)
        again = rig.publish(what, body)

        assert not again.is_new
        assert (again.serial, again.signed) == (first.serial, first.signed)


def test_what_was_replaced_can_be_published_once_more(rig):
    empty, other = Replies("central", ()), Replies("central", (INVITATION,))
    serials = [rig.publish("replies", body).serial for body in (empty, other, empty)]

    assert serials == [1, 2, 3]


def test_the_keys_in_force_are_published_from_the_beginning(rig):
    [row] = rig.read(select(tables.publication).where(tables.publication.c.kind == "keys"))

    keys = Publication.verify(row.signed, rig.keyring.publishing_keys()[0]).body

    [opening_key] = rig.keyring.opening_keys()
    assert keys == Keys(
        opening_key.sealing_key,
        rig.keyring.signing_keys(Signs.RECEIPTS)[0].verifying_key,
        rig.keyring.signing_keys(Signs.PUBLICATIONS)[0].verifying_key,
    )


# Questionnaires


def test_a_published_version_never_changes(rig):
    changed = replace(GP, title={**GP.title, "en": "Another title"})

    with pytest.raises(QuestionnaireError, match="give a higher version"):
        rig.publish("questionnaire", changed)
    assert rig.publish("questionnaire", replace(changed, version=2)).is_new


def test_a_lower_version_is_refused(rig):
    rig.publish("questionnaire", replace(GP, version=3))

    with pytest.raises(QuestionnaireError, match="lower than 3"):
        rig.publish("questionnaire", replace(GP, version=2))


def test_a_code_keeps_its_meaning_through_versions_that_did_not_have_it(rig):
    first, *rest = GP.items
    asked = tuple(step for step in GP.ask if first.name not in step)
    rig.publish("questionnaire", replace(GP, version=2, items=tuple(rest), ask=asked))
    reused = replace(first, name="another")

    with pytest.raises(QuestionnaireError, match="never used here"):
        rig.publish("questionnaire", replace(GP, version=3, items=(reused, *rest), ask=asked))


def test_a_publication_too_large_for_a_kiosk_is_refused(rig):
    item = GP.items[0]
    many = tuple(
        replace(
            item,
            code=100 + number,
            name=f"item_{number}",
            source="s" * 500,
            options=tuple(
                replace(option, text=dict.fromkeys(GP.languages, "ŵ" * 500))
                for option in item.options
            ),
        )
        for number in range(59)
    )
    huge = replace(GP, id="huge", items=many, ask=(("item_0",),))
    assert Questionnaire.from_document(huge.to_document()) == huge

    with pytest.raises(OfficeError, match="shorten its texts"):
        rig.publish("questionnaire", huge)


# Files


def test_the_default_questionnaires_can_be_read():
    assert [GP.id, LIBRARY.id] == ["gp", "library"]


def test_every_problem_of_a_questionnaires_file_is_named_with_its_place(written):
    path = written('id = "x"\nversion = 0\nlanguages = ["en"]\n')

    with pytest.raises(OfficeError) as caught:
        read_questionnaire(path)

    lines = str(caught.value).splitlines()
    assert len(lines) > 2
    assert all(line.startswith(f"{path}: ") for line in lines)


def test_a_file_that_can_not_be_read_is_named(tmp_path, written):
    with pytest.raises(OfficeError, match="can't be read: No such file"):
        read_questionnaire(tmp_path / "nowhere.toml")
    written("").write_bytes(b"\xff\xfe")
    with pytest.raises(OfficeError, match="not TOML"):
        read_questionnaire(tmp_path / "written.toml")


def test_replies_of_a_site_that_is_not_there_are_refused(rig):
    with pytest.raises(OfficeError, match="there is no site nowhere"):
        rig.publish("replies", Replies("nowhere", ()))
