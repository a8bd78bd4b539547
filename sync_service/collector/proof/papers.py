"""Papers: what the centre puts in writing about logs, as JSON that it signs.

::

    {"statement": {...}, "algorithm": 1, "signed_by": "ab12...", "signature": "cd34..."}

The signature is over the member that the paper is named for, written as JSON without blanks, in
ASCII, with its keys sorted; so any language can check it. ``signed_by`` says which key to look up,
and proves nothing.
"""

import json
from collections.abc import Iterable
from typing import Annotated, TypeAlias, TypeVar

import msgspec

from sync_service.contract.error import MalformedError, SignatureError
from sync_service.contract.signing import Context, Envelope, SigningKey, VerifyingKey

S = TypeVar("S", bound=msgspec.Struct)

Hex: TypeAlias = Annotated[str, msgspec.Meta(pattern="^([0-9a-f]{2})*$")]
"""Bytes, as papers have them."""


def write_paper(key: SigningKey, context: Context, body: msgspec.Struct) -> str:
    """The text of a signed paper."""
    document = msgspec.to_builtins(body)
    envelope = Envelope.unpack(key.sign(context, _signed_bytes(document)))
    paper = {
        _name(context): document,
        "algorithm": envelope.algorithm,
        "signed_by": key.verifying_key.public.hex(),
        "signature": envelope.signature.hex(),
    }
    return json.dumps(paper, indent=1) + "\n"


def read_paper(
    text: str | bytes, context: Context, kind: type[S], keys: Iterable[VerifyingKey]
) -> S:
    """What a paper says, if one of the keys signed it.

    Raises:
        MalformedError: not a paper of this kind.
        SignatureError: signed by none of the keys, or altered since.
    """
    try:
        paper = json.loads(text)
        document = paper[_name(context)]
        envelope = Envelope(
            paper["algorithm"], _signed_bytes(document), bytes.fromhex(paper["signature"])
        )
        body = msgspec.convert(document, kind)
    except (ValueError, TypeError, KeyError, RecursionError, msgspec.ValidationError):
        raise MalformedError(f"not a signed {_name(context)} of ours") from None
    for key in keys:
        try:
            key.verify(envelope, context)
        except SignatureError:
            continue
        return body
    raise SignatureError(
        f"this {_name(context)} was altered after it was signed, or not signed by the centre"
    )


def _name(context: Context) -> str:
    return context.name.lower()


def _signed_bytes(document: object) -> bytes:
    return json.dumps(document, sort_keys=True, separators=(",", ":")).encode("ascii")
