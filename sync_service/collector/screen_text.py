"""Texts that the central team writes for screens, and what may not stand in them.

A screen shows plain text, and whoever reads an address there types it elsewhere. So it is looks
that count: whatever looks like an address is refused unless all of it is one that is allowed.
"""

import re
from collections.abc import Collection, Iterator
from typing import Final
from unicodedata import category, normalize

_BREAKS: Final = {"Cc", "Zl", "Zp"}
"""What ends a line, and other controls: Unicode's categories."""

_AROUND: Final = ".,:;!?…()[]{}<>\"'“”‘’«»"
"""What stands around an address and is not of it."""

_LOOKS_SO: Final = re.compile(
    r"://|\w@\w"  # of any scheme; an e-mail address, or who logs in
    r"|[^\s.]\.[^\W\d_]{2}"  # a name with a dot in it, whatever its script
    r"|\d+\.\d+\.\d+\.\d+"  # an IP address
)
_PLAIN: Final = re.compile(
    r"(https?://|[a-z0-9._+-]+@)?"
    r"(?P<host>([a-z0-9]([a-z0-9-]*[a-z0-9])?\.)+[a-z]([a-z0-9-]*[a-z0-9]))"
    r"(/[!-~]*)?",
    re.ASCII | re.IGNORECASE,
)
"""An address without anything by which it could lead elsewhere than it seems to."""

_OTHER_DOTS: Final = str.maketrans("。｡", "..")  # a browser takes them for dots, as those of NFKC
_UNSEEN: Final = {"Cf", "Mn", "Mc", "Me"}


def faults_of(text: str, links: Collection[str]) -> Iterator[str]:
    """What is wrong with a text for a screen. ``links`` are the domains that it may lead to."""
    if not text.strip():
        yield "is blank"
    if any(category(sign) in _BREAKS for sign in text):
        yield "must be on one line"
    if (link := forbidden_link(text, links)) is not None:
        where = f"to {', '.join(sorted(links))} alone" if links else "nowhere"
        yield (
            f"{link!r} looks like an address, and texts may lead {where}; the setting `links` says"
            " so. If it is none, put a blank after its full stop"
        )


def forbidden_link(text: str, allowed: Collection[str]) -> str | None:
    """The first word of a text that leads, or seems to, to no domain that is allowed.

    ``allowed`` are domains in small letters; what is under one is allowed with it. An e-mail
    address leads to its domain.
    """
    for word in text.split():
        bare = word.strip(_AROUND)
        if _LOOKS_SO.search(_as_read(bare)) and not _leads_to(bare, allowed):
            return bare
    return None


def _as_read(word: str) -> str:
    """A word by its looks: one dot for every kind of dot, and nothing that can't be seen."""
    composed = normalize("NFKC", word.translate(_OTHER_DOTS))
    return "".join(sign for sign in composed if category(sign) not in _UNSEEN)


def _leads_to(word: str, allowed: Collection[str]) -> bool:
    address = _PLAIN.fullmatch(word)
    if address is None:
        return False
    host = address["host"].lower()
    return any(host == domain or host.endswith(f".{domain}") for domain in allowed)
