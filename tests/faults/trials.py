"""The faults that a line between a kiosk and its collector can have, and how a rig gets them."""

from collections.abc import Callable
from dataclasses import dataclass

from line import Way
from middleman import page
from rig import Rig

SLOW_BYTES_PER_S = 3000
SLOW_RESPONSES = 20

REQUESTS = 9000
REPLIES = 5000
"""Somewhere in the first so many bytes of a connection it is cut, or altered: in TLS's handshake,
or in one of some messages."""


@dataclass(frozen=True)
class Trial:
    """A fault, and how a rig is given it.

    ``tried`` counts how often it was met; one that is ``said_once`` is counted once. Where it
    ``blocks``, nothing gets through until the line is mended. Where it takes long, it is tried
    with so many responses at the ``most``.
    """

    fault: str
    begin: Callable[[Rig], None]
    tried: Callable[[Rig], int] = lambda rig: rig.line.tried
    blocks: bool = False
    said_once: bool = False
    most: int | None = None


def late(rig: Rig) -> None:
    def way() -> Way:
        return Way(delay_s=rig.random.uniform(0, 0.2))

    rig.carry(way, way)


def slow(rig: Rig) -> None:
    def way() -> Way:
        return Way(bytes_per_s=SLOW_BYTES_PER_S)

    rig.carry(way, way)


def cut_request(rig: Rig) -> None:
    rig.carry(there=lambda: Way(ends_at=rig.random.randrange(REQUESTS)))


def cut_reply(rig: Rig) -> None:
    rig.carry(back=lambda: Way(ends_at=rig.random.randrange(REPLIES)))


def reset(rig: Rig) -> None:
    rig.carry(back=lambda: Way(ends_at=rig.random.randrange(REPLIES)), resets=True)


def corrupt(rig: Rig) -> None:
    rig.carry(
        lambda: Way(altered_at=rig.random.randrange(REQUESTS)),
        lambda: Way(altered_at=rig.random.randrange(REPLIES)),
    )


def lose_name(rig: Rig) -> None:
    rig.start_agent_anew(stamp=str(rig.nowhere))


def go_by_proxy(rig: Rig) -> None:
    rig.gate.refusal = None
    rig.start_agent_anew(proxy=f"http://127.0.0.1:{rig.gate.port}")


def go_by_locked_proxy(rig: Rig) -> None:
    go_by_proxy(rig)
    rig.gate.refusal = b"HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 0\r\n\r\n"


def go_by_lost_proxy(rig: Rig) -> None:
    go_by_proxy(rig)
    rig.gate.refusal = b"HTTP/1.1 502 Bad Gateway\r\nContent-Length: 0\r\n\r\n"


def go_by_welcoming_proxy(rig: Rig) -> None:
    go_by_proxy(rig)
    rig.gate.refusal = page()


def tried_gate(rig: Rig) -> int:
    return rig.gate.tried


def tried_middleman(rig: Rig) -> int:
    return rig.middleman.tried


def tried_name(rig: Rig) -> int:
    """It is said once, however often it is tried. Such an error of names has a number below 0."""
    return sum("no-connection" in line and "[Errno -" in line for line in rig.said)


TRIALS = (
    Trial("no fault", Rig.mend),
    Trial("latency of up to 0.4 s", late),
    Trial("cut in mid-request", cut_request),
    Trial("cut in mid-reply", cut_reply),
    Trial("reset", reset),
    Trial("bytes altered outside TLS", corrupt),
    Trial("3 kB/s", slow, most=SLOW_RESPONSES),
    Trial(
        "every request sent twice",
        lambda rig: rig.let_pass(rig.middleman, rig.middleman.twice),
        tried_middleman,
    ),
    Trial(
        "bytes altered inside TLS",
        lambda rig: rig.let_pass(rig.middleman, rig.middleman.alter),
        tried_middleman,
    ),
    Trial(
        "old replies shown again",
        lambda rig: rig.let_pass(rig.middleman, rig.middleman.replay),
        tried_middleman,
    ),
    Trial("nobody answers", Rig.break_off, blocks=True),
    Trial("captive portal", lambda rig: rig.lead_to(rig.portal), blocks=True),
    Trial(
        "captive portal with a certificate of its own",
        lambda rig: rig.let_pass(rig.stranger, rig.stranger.welcome),
        blocks=True,
    ),
    Trial(
        "captive portal with the collector's certificate",
        lambda rig: rig.let_pass(rig.middleman, rig.middleman.welcome),
        tried=tried_middleman,
        blocks=True,
    ),
    Trial(
        "intercepted with another certificate",
        lambda rig: rig.let_pass(rig.stranger, rig.stranger.none),
        blocks=True,
    ),
    Trial("a name that does not resolve", lose_name, tried_name, blocks=True, said_once=True),
    Trial("an HTTP proxy that wants a password", go_by_locked_proxy, tried_gate, blocks=True),
    Trial("an HTTP proxy that gets nowhere", go_by_lost_proxy, tried_gate, blocks=True),
    Trial("an HTTP proxy that shows a page", go_by_welcoming_proxy, tried_gate, blocks=True),
    Trial("an HTTP proxy in the way", go_by_proxy, tried_gate),
)
