"""The gate: who may see the pages.

Whoever is signed in to an account. As long as there is no account at all: whoever sits at the
collector's own machine. A form is taken only from a page that we gave to the same browser.
"""

import hmac
import ipaddress
import secrets
from collections.abc import Callable
from dataclasses import dataclass
from hashlib import sha256
from typing import Final

from starlette.requests import Request
from starlette.responses import Response

from sync_service.collector.accounts import TOKEN_LENGTH, Accounts
from sync_service.collector.origin import address_of

COOKIE: Final = "__Host-regard"
"""The browser's token. Its prefix binds it to this host, to HTTPS and to the whole site."""

_OWN_NAMES: Final = frozenset({"localhost", "127.0.0.1", "[::1]"})


@dataclass(frozen=True, slots=True)
class Visitor:
    """Someone who may see the pages. Without an account, because there is none yet.

    ``form_token`` goes into every form.
    """

    account: str | None
    form_token: str


class NoAccountYetError(Exception):
    """There is no account, and the visitor is not at the collector's own machine."""


class NotSignedInError(Exception):
    """There are accounts, and the visitor is signed in to none: let them sign in."""


class Gate:
    """Lets visitors in. ``behind_proxy``: everyone comes by way of a proxy on this machine.

    ``clock`` gives seconds since 1970.
    """

    def __init__(
        self, accounts: Accounts, clock: Callable[[], float], *, behind_proxy: bool
    ) -> None:
        self._accounts = accounts
        self._clock = clock
        self._behind_proxy = behind_proxy

    async def admit(self, request: Request) -> Visitor:
        """The visitor of a request.

        Raises:
            NotSignedInError: there are accounts.
            NoAccountYetError: there is none.
        """
        token = read_token(request)
        account = await self._accounts.signed_in(token, int(self._clock())) if token else None
        if account is not None:
            return Visitor(account, form_token(token))
        if await self._accounts.exist():
            raise NotSignedInError
        if not self._is_own_machine(request):
            raise NoAccountYetError
        return Visitor(None, "")

    def address(self, request: Request) -> str:
        """Where a request comes from."""
        return address_of(request, behind_proxy=self._behind_proxy)

    def _is_own_machine(self, request: Request) -> bool:
        """Whether a person at this machine asks for it by its own name.

        Another name would be that of a proxy, or of a page elsewhere that had it pointed here.
        """
        if self._behind_proxy or {"forwarded", "x-forwarded-for", "via"} & set(request.headers):
            return False
        name = request.headers.get("Host", "")
        port = name.rpartition(":")[2]
        if port.isdecimal():
            name = name.removesuffix(f":{port}")
        try:
            peer = ipaddress.ip_address(request.client.host if request.client else "")
        except ValueError:
            return False
        return peer.is_loopback and name in _OWN_NAMES


def read_token(request: Request) -> bytes:
    """The browser's token; empty if it has none."""
    try:
        token = bytes.fromhex(request.cookies.get(COOKIE, ""))
    except ValueError:
        return b""
    return token if len(token) == TOKEN_LENGTH else b""


def new_token() -> bytes:
    """A token for a browser that is not signed in, so that it can send the form to do so."""
    return secrets.token_bytes(TOKEN_LENGTH)


def give_token(reply: Response, token: bytes) -> None:
    """Let a browser keep a token until it is closed."""
    reply.set_cookie(COOKIE, token.hex(), path="/", secure=True, httponly=True, samesite="strict")


def take_token(reply: Response) -> None:
    """Let a browser forget its token."""
    reply.delete_cookie(COOKIE, path="/", secure=True, httponly=True, samesite="strict")


def form_token(token: bytes) -> str:
    """What a form holds to show that the page it is from was given to the browser of a token."""
    return sha256(b"regard form\x00" + token).hexdigest()


def is_own_form(token: bytes, given: str) -> bool:
    """Whether a form came from a page given to the browser of a token."""
    return bool(token) and hmac.compare_digest(form_token(token), given)
