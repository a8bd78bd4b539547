"""Papers hold for the key that signed them and for the very words."""

import json

import msgspec
import pytest

from sync_service.collector.proof.papers import read_paper, write_paper
from sync_service.contract.error import ContractError, MalformedError, SignatureError
from sync_service.contract.signing import Context, Envelope, SigningKey, VerifyingKey

KEY, OTHER = SigningKey(bytes([1] * 32)), SigningKey(bytes([2] * 32))
CONTEXT = Context.STATEMENT


class Note(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    of: int
    words: str


NOTE = Note(7, "“Bore da”, she said")


def written():
    return json.loads(write_paper(KEY, CONTEXT, NOTE))


def read(paper, *keys, context=CONTEXT):
    return read_paper(
        json.dumps(paper), context, Note, [key.verifying_key for key in keys or [KEY]]
    )


def test_a_paper_is_read_by_the_key_that_signed_it():
    assert read(written()) == NOTE
    assert read(written(), OTHER, KEY) == NOTE


def test_a_paper_may_be_laid_out_anew():
    paper = written()
    shuffled = {name: paper[name] for name in reversed(paper)}
    shuffled["statement"] = {name: paper["statement"][name] for name in ("words", "of")}
    assert (
        read_paper(
            json.dumps(shuffled, indent=8, ensure_ascii=False), CONTEXT, Note, [KEY.verifying_key]
        )
        == NOTE
    )


def test_a_paper_can_be_checked_with_nothing_of_ours():
    """As docs/proof.md says it."""
    paper = written()
    words = json.dumps(paper["statement"], sort_keys=True, separators=(",", ":")).encode()
    key = VerifyingKey(bytes.fromhex(paper["signed_by"]))
    key.verify(Envelope(1, words, bytes.fromhex(paper["signature"])), CONTEXT)


def test_a_paper_signed_by_another_is_refused():
    with pytest.raises(SignatureError, match="not signed by the centre"):
        read(written(), OTHER)
    with pytest.raises(SignatureError):
        read(written() | {"signed_by": OTHER.verifying_key.public.hex()}, OTHER)


@pytest.mark.parametrize(("name", "value"), [("of", 8), ("words", "“Bore da”")])
def test_an_altered_paper_is_refused(name, value):
    paper = written()
    paper["statement"][name] = value
    with pytest.raises(SignatureError, match="altered"):
        read(paper)


def test_what_was_signed_as_something_else_is_no_paper():
    words = json.dumps(written()["statement"], sort_keys=True, separators=(",", ":")).encode()
    signed = Envelope.unpack(KEY.sign(Context.RECEIPT, words))
    with pytest.raises(SignatureError):
        read(written() | {"signature": signed.signature.hex()})


@pytest.mark.parametrize(
    "text",
    [
        *("", "[]", "null", '"statement"', "{}", "\x00", "[" * 100_000, "NaN"),
        '{"statement": {}, "algorithm": 1, "signature": ""}',
        '{"statement": {"of": 7, "words": "", "more": 1}, "algorithm": 1, "signature": ""}',
        '{"statement": {"of": "7", "words": ""}, "algorithm": 1, "signature": ""}',
        '{"statement": {"of": 7, "words": ""}, "algorithm": 1, "signature": "xyz"}',
        '{"statement": {"of": 7, "words": ""}, "algorithm": 1, "signature": 5}',
        '{"statement": {"of": 7, "words": ""}, "signature": ""}',
    ],
)
def test_what_is_no_paper_is_malformed(text):
    with pytest.raises(MalformedError, match="not a signed statement"):
        read_paper(text, CONTEXT, Note, [KEY.verifying_key])


@pytest.mark.parametrize(
    ("name", "value"),
    [("algorithm", 2), ("algorithm", "1"), ("signature", ""), ("signature", "00" * 64)],
)
def test_a_signature_that_is_none_is_refused(name, value):
    with pytest.raises(ContractError):
        read(written() | {name: value})
