"""Publications: signed, of one kind each, and read back as they were."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sync_service.contract.codec import decode, encode
from sync_service.contract.error import ContractError, MalformedError, SignatureError
from sync_service.contract.publication import (
    Assignment,
    Keys,
    Publication,
    PublicationKind,
    Replies,
    key_document,
    parse_key,
)
from sync_service.contract.signing import Context, Envelope, SigningKey


@pytest.fixture
def publications(centre, assignment, assignment_in_full, questionnaire, replies):
    return [
        centre.keys(),
        Publication(2, 1_773_480_000, assignment),
        Publication(2, 1_773_480_000, assignment_in_full),
        Publication(3, 1_773_480_000, questionnaire),
        Publication(4, 1_773_480_000, replies),
    ]


def test_every_kind_comes_back_as_it_was(publications, centre):
    for publication in publications:
        signed = publication.sign(centre.publishing)
        assert Publication.verify(signed, centre.publishing.verifying_key) == publication
    assert {publication.kind for publication in publications} == set(PublicationKind)


def test_only_the_publishing_key_is_believed(publications, centre):
    for publication in publications:
        signed = publication.sign(SigningKey(bytes([9] * 32)))
        with pytest.raises(SignatureError):
            Publication.verify(signed, centre.publishing.verifying_key)


def altered(publication, centre, **changes):
    """A publication signed by the right key whose body breaks the rules."""
    payload = decode(Envelope.unpack(publication.sign(centre.publishing)).payload)
    payload[4] = {**payload[4], **changes}
    return centre.publishing.sign(Context.PUBLICATION, encode(payload))


@pytest.mark.parametrize(
    "changes",
    [
        {"stands": "garden"},
        {"timezone": "Europe/Atlantis"},
        {"timezone": "/etc/passwd"},
        {"timezone": "../UTC"},
        {"languages": []},
        {"languages": ["en", "en"]},
        {"stamp_id": b"short"},
        {"organisation_name": ""},
        {"contact": {}},
        {"contact": {"en": "x" * 201}},
        {"kept_months": 0},
        {"kept_months": True},
        {"colour": "blue"},
    ],
)
def test_an_assignment_that_breaks_the_rules_is_malformed(changes, assignment, centre):
    signed = altered(Publication(1, 0, assignment), centre, **changes)
    with pytest.raises(MalformedError, match="assignment"):
        Publication.verify(signed, centre.publishing.verifying_key)


def test_what_an_assignment_does_not_say_is_not_written(assignment, assignment_in_full):
    more = assignment_in_full.to_document().keys() - assignment.to_document().keys()
    assert more == {"organisation_name", "contact", "kept_months"}


def test_a_reply_that_breaks_the_rules_is_named_by_its_place(replies, centre):
    documents = replies.to_document()["replies"]
    for change in ({"kind": "promise"}, {"due": "soon"}, {"said": {}}, {"code": 0}, {"more": 1}):
        broken = [documents[1], {**documents[0], **change}]
        signed = altered(Publication(1, 0, replies), centre, replies=broken)
        with pytest.raises(MalformedError, match=r"replies\[1\]"):
            Publication.verify(signed, centre.publishing.verifying_key)


def test_two_replies_may_not_share_a_code(replies):
    with pytest.raises(MalformedError, match="twice"):
        Replies.from_document(replace(replies, replies=(replies.replies[0],) * 2).to_document())


def test_keys_of_an_unknown_algorithm_are_malformed(centre):
    document = centre.keys().body.to_document()
    for name, value in document.items():
        with pytest.raises(MalformedError):
            Keys.from_document({**document, name: b"\x63" + value[1:]})


def test_a_key_document_says_its_algorithm(centre):
    key = centre.receipt.verifying_key
    assert parse_key(key_document(key)) == key
    with pytest.raises(MalformedError):
        parse_key(key.public)


documents = st.dictionaries(
    st.sampled_from([*Assignment.__dataclass_fields__, "replies", "sealing", "receipt", "x"]),
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(max_size=9) | st.binary(max_size=40),
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.dictionaries(st.sampled_from(["kind", "code", "said", "en"]), inner, max_size=3)
        ),
        max_leaves=8,
    ),
)


@given(documents, st.sampled_from([Assignment, Keys, Replies]))
def test_any_document_gives_a_body_or_the_named_error(document, kind):
    try:
        body = kind.from_document(document)
    except ContractError:
        return
    assert kind.from_document(body.to_document()) == body
