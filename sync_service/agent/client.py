"""The collector, as an agent sees it. The only module that speaks HTTP.

TLS hides what travels; it is trusted for nothing else. Every request is signed by the kiosk and
every reply by the collector's receipt key, and a reply repeats the nonce of its request. Whatever
is not provably from our collector, such as a captive portal's page, counts as no reply at all.

::

    ContactError
    ├── UnreachableError         no reply that can be believed: try again later, for ever
    │   ├── TooMuchError         timed out or cut off in mid-exchange: ask for less at a time
    │   └── UnprovenError        signed by a key not held: take newer keys, if it offers any
    ├── NotAdmittedError         not enrolled under its stamp: send no records, ask in a day
    └── ContractBrokenError      one side has a bug: say it once, try again seldom

Problems are not signed, for a collector has to refuse what it can't read. So `NotAdmittedError`
and `ContractBrokenError` may come from something on the way: they slow an agent, and must never
make it drop anything or believe anything.
"""

import ssl
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from http import HTTPStatus
from typing import Final, Self, TypeVar

import httpx
import msgspec

from sync_service.contract.error import MalformedError, SignatureError
from sync_service.contract.publication import PublicationKind
from sync_service.contract.signing import Context, Envelope, SigningKey
from sync_service.contract.wire import (
    BATCHES_PATH,
    ENROLMENTS_PATH,
    MAX_MESSAGE_LENGTH,
    MAX_PUBLICATION_LENGTH,
    MEDIA_TYPE,
    PROBLEM_MEDIA_TYPE,
    PROBLEMS,
    PUBLICATIONS_PATH,
    STATUS_PATH,
    Batch,
    Enrolment,
    EnrolmentReply,
    Offer,
    Receipt,
    Status,
    StatusReply,
)
from sync_service.outbox.clock import Clock

NOT_ADMITTED: Final = frozenset({"unknown-kiosk", "held-kiosk", "revoked-kiosk", "too-many-held"})
"""The problems that say what a kiosk is to the collector."""

_TOO_MUCH: Final = frozenset(
    {
        HTTPStatus.REQUEST_TIMEOUT,
        HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
        HTTPStatus.GATEWAY_TIMEOUT,
    }
)
_MAX_RETRY_DIGITS: Final = 9
_NO_CHECK_TIME: Final = ssl.VerifyFlags(0x200000)  # OpenSSL's; Python has no name for it


@dataclass(frozen=True, slots=True)
class _Span:
    """From when until when a certificate is good, in seconds since 1970."""

    begins: int
    ends: int


class _Trust(ssl.SSLContext):
    """Shows each certificate that it trusts to ``examine``, before anything is sent."""

    def __new__(cls, examine: Callable[[_Span], None]) -> Self:
        trust = super().__new__(cls, ssl.PROTOCOL_TLS_CLIENT)
        trust.examine = examine
        trust.sslsocket_class = _ExaminedSocket
        return trust

    examine: Callable[[_Span], None]


class _ExaminedSocket(ssl.SSLSocket):
    """A connection of a `_Trust`'s."""

    def do_handshake(self, block: bool = False) -> None:
        super().do_handshake(block)
        assert isinstance(self.context, _Trust)
        found = self.getpeercert()
        assert found is not None
        begins, ends = (ssl.cert_time_to_seconds(str(found[k])) for k in ("notBefore", "notAfter"))
        self.context.examine(_Span(begins, ends))


T = TypeVar("T", StatusReply, EnrolmentReply, Receipt)


class ContactError(Exception):
    """A request had no good end. ``code`` says why in a word or two, fit for a status."""

    def __init__(self, code: str, detail: str = "") -> None:
        super().__init__(f"{code}: {detail}" if detail else code)
        self.code = code
        self.detail = detail


class UnreachableError(ContactError):
    """Nothing that is provably the collector's came back; try again later, for ever.

    What was sent may have arrived. ``retry_after_s`` is how long the other side asks to be left
    alone, in seconds; it is not signed either, so cap it.
    """

    def __init__(self, code: str, detail: str = "", retry_after_s: int | None = None) -> None:
        super().__init__(code, detail)
        self.retry_after_s = retry_after_s


class TooMuchError(UnreachableError):
    """Timed out, cut off or too large in mid-exchange; less at a time may get through."""


class UnprovenError(UnreachableError):
    """A reply that the receipt key held did not sign: forged, or the key was replaced.

    ``keys`` are the newer keys that a status reply offers. Publications prove themselves, so an
    unproven offer may be followed; nothing else in the reply may be believed.
    """

    def __init__(self, keys: Sequence[Offer]) -> None:
        super().__init__("unproven-reply", "not signed by the receipt key held")
        self.keys = keys


class NotAdmittedError(ContactError):
    """The kiosk is not enrolled under its stamp: send no records, keep recording, ask in a day."""


class ContractBrokenError(ContactError):
    """One side breaks the contract, and trying again won't mend it: say it once, try seldom."""


class Collector:
    """The collector of a stamp.

    ``authority`` is the PEM of the certificate authorities trusted for it. ``believe`` gives the
    payload of what a receipt key of the centre signed, or raises `SignatureError`. While
    ``clock_synced`` says no, the dates of certificates are not judged; the host name always is.

    Raises:
        ValueError: the address, the authority or the proxy can't be used.
    """

    def __init__(
        self,
        address: str,
        authority: bytes,
        *,
        signing_key: SigningKey,
        believe: Callable[[Envelope, Context], bytes],
        clock: Clock,
        software: str,
        timeout_s: float,
        proxy: str | None = None,
    ) -> None:
        self._address = address
        self._authority = authority
        self._signing_key = signing_key
        self._believed = believe
        self._clock = clock
        self._software = software
        self._timeout_s = timeout_s
        self._proxy = proxy
        self._dates_judged = clock.synced()
        self._certificate: _Span | None = None
        self._client = self._connect()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Hang up."""
        self._client.close()

    def vouches_for(self, at: float) -> bool:
        """Whether its certificate is good at a time: a collector whose is not has a wrong clock."""
        return self._certificate is None or self._certificate.begins <= at <= self._certificate.ends

    def status(self, status: Status) -> StatusReply:
        """Say how the kiosk is, and hear what the collector wants.

        Raises:
            UnprovenError: the receipt key held did not sign the reply; it may offer newer keys.
            ContactError: no status reply.
        """
        signed = self._post(STATUS_PATH, Context.STATUS, status.encode())
        return self._believe(signed, Context.STATUS_REPLY, StatusReply, status.nonce)

    def enrol(self, enrolment: Enrolment) -> EnrolmentReply:
        """Ask to be known.

        Raises:
            ContactError: no reply to the enrolment.
        """
        signed = self._post(ENROLMENTS_PATH, Context.ENROLMENT, enrolment.encode())
        return self._believe(signed, Context.ENROLMENT_REPLY, EnrolmentReply, enrolment.nonce)

    def deliver(self, batch: Batch) -> Receipt:
        """Send a batch and get its receipt: signed by the receipt key, and of this very batch.

        Raises:
            TooMuchError: a smaller batch may get through.
            ContactError: no receipt.
        """
        signed = self._post(BATCHES_PATH, Context.BATCH, batch.encode())
        receipt = self._believe(signed, Context.RECEIPT, Receipt, batch.nonce)
        if not receipt.answers(batch):
            raise UnreachableError("replayed-reply", "the receipt of another batch")
        return receipt

    def publication(self, digest: bytes) -> bytes:
        """The bytes kept under that digest, not yet checked against it.

        Raises:
            ContactError: they can't be had.
        """
        return self._exchange("GET", PUBLICATIONS_PATH + digest.hex(), MAX_PUBLICATION_LENGTH)

    def _post(self, path: str, context: Context, payload: bytes) -> bytes:
        signed = self._signing_key.sign(context, payload)
        return self._exchange("POST", path, MAX_MESSAGE_LENGTH, signed)

    def _believe(self, signed: bytes, context: Context, kind: type[T], nonce: bytes) -> T:
        asked = (self._signing_key.verifying_key.kiosk_id, nonce)
        return believe_reply(signed, context, kind, asked, self._believed)

    def _exchange(
        self, method: str, path: str, max_length: int, content: bytes | None = None
    ) -> bytes:
        if self._clock.synced() != self._dates_judged:
            self._dates_judged = not self._dates_judged
            self.close()  # a connection must not outlive the trust it was made under
            self._client = self._connect()
        headers = {} if content is None else {"Content-Type": MEDIA_TYPE}
        try:
            with self._client.stream(method, path, content=content, headers=headers) as reply:
                if reply.status_code == HTTPStatus.OK and _media_type(reply) == MEDIA_TYPE:
                    return _read(reply, max_length)
                raise _refusal(reply)
        except (httpx.ReadTimeout, httpx.WriteTimeout):
            raise TooMuchError("timed-out") from None
        except (httpx.ReadError, httpx.WriteError, httpx.RemoteProtocolError) as error:
            raise TooMuchError("cut-off", str(error)) from None
        except httpx.HTTPError as error:
            raise UnreachableError("no-connection", str(error)) from None

    def _examine(self, certificate: "_Span") -> None:
        """Judge a certificate of the authority's by what the centre signed of the time.

        Raises:
            ssl.SSLCertVerificationError: it had ended before.
        """
        if certificate.ends < self._clock.not_before():
            raise ssl.SSLCertVerificationError(
                "the certificate had ended when the centre last spoke"
            )
        self._certificate = certificate

    def _connect(self) -> httpx.Client:
        trust = _Trust(self._examine)
        trust.minimum_version = ssl.TLSVersion.TLSv1_2
        if not self._dates_judged:
            trust.verify_flags |= _NO_CHECK_TIME
        try:
            trust.load_verify_locations(cadata=self._authority.decode("ascii"))
            client = httpx.Client(
                base_url=self._address,
                verify=trust,
                proxy=self._proxy,
                timeout=self._timeout_s,
                trust_env=False,
            )
        except (ssl.SSLError, httpx.InvalidURL) as error:
            raise ValueError(str(error)) from None
        # Bytes cost money on a SIM card; HTTP/1.1 needs none of httpx's other headers.
        client.headers = httpx.Headers({"User-Agent": self._software})
        for header in ("Accept", "Accept-Encoding", "Connection"):
            client.headers.pop(header, None)
        return client


def believe_reply(
    signed: bytes,
    context: Context,
    kind: type[T],
    asked: tuple[bytes, bytes],
    believe: Callable[[Envelope, Context], bytes],
) -> T:
    """The message of that kind, if a receipt key signed it in reply to what was ``asked``.

    That is, by this kiosk under this nonce. ``believe`` is as for `Collector`.

    Raises:
        UnprovenError: the receipt key held did not sign it; a status reply may offer newer keys.
        ContactError: it can't be believed.
    """
    try:
        payload = believe(Envelope.unpack(signed), context)
    except MalformedError as error:
        raise UnreachableError("not-ours", str(error)) from None
    except SignatureError:
        raise UnprovenError(_offered_keys(signed)) from None
    try:
        message = kind.decode(payload)
    except MalformedError as error:
        # Signed, so it is the collector's own: no accident on the way.
        raise ContractBrokenError("malformed-reply", str(error)) from None
    if (message.kiosk_id, message.nonce) != asked:
        raise UnreachableError("replayed-reply", "a reply to another request")
    return message


def _media_type(reply: httpx.Response) -> str:
    value: str = reply.headers.get("Content-Type", "")
    return value.partition(";")[0].strip().lower()


def _read(reply: httpx.Response, max_length: int) -> bytes:
    body = bytearray()
    for chunk in reply.iter_raw():
        body += chunk
        if len(body) > max_length:
            raise UnreachableError("not-ours", f"a reply of more than {max_length} bytes")
    return bytes(body)


def _refusal(reply: httpx.Response) -> ContactError:
    """What a reply that is no message of the contract means."""
    status = reply.status_code
    problem = _problem_code(reply)
    code = problem or f"http-{status}"
    if status in _TOO_MUCH:
        return TooMuchError(code, retry_after_s=_retry_after_s(reply))
    if status == HTTPStatus.TOO_MANY_REQUESTS or status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        return UnreachableError(code, retry_after_s=_retry_after_s(reply))
    if problem is None:
        return UnreachableError("not-ours", f"HTTP {status}, {_media_type(reply) or 'no type'}")
    if problem in NOT_ADMITTED:
        return NotAdmittedError(problem)
    return ContractBrokenError(problem)


class _ProblemBody(msgspec.Struct, frozen=True):
    code: str


def _problem_code(reply: httpx.Response) -> str | None:
    """The code of a problem of the contract, if the reply is one."""
    if _media_type(reply) != PROBLEM_MEDIA_TYPE:
        return None
    try:
        code = msgspec.json.decode(_read(reply, MAX_MESSAGE_LENGTH), type=_ProblemBody).code
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError, UnreachableError):
        return None
    kind = PROBLEMS.get(code)
    return code if kind is not None and kind.status == reply.status_code else None


def _retry_after_s(reply: httpx.Response) -> int | None:
    """Only seconds are understood: the other form is a date, and our clock may be years wrong."""
    text = reply.headers.get("Retry-After", "").strip()
    if text.isascii() and text.isdecimal() and len(text) <= _MAX_RETRY_DIGITS:
        return int(text)
    return None


def _offered_keys(signed: bytes) -> list[Offer]:
    """The keys that an unproven status reply offers."""
    try:
        offers = StatusReply.decode(Envelope.unpack(signed).payload).offers
    except MalformedError:
        return []
    return [offer for offer in offers if offer.kind is PublicationKind.KEYS]
