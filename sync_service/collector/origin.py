"""Where a request comes from: what is counted where somebody could ask too often."""

import ipaddress
from typing import Final

from starlette.requests import Request

_IPV6_NETWORK: Final = 64  # one household or office has at least as many addresses


def address_of(request: Request, *, behind_proxy: bool) -> str:
    """The address that a request comes from; a proxy says it last in ``X-Forwarded-For``."""
    forwarded = request.headers.getlist("X-Forwarded-For")
    if behind_proxy and forwarded:
        return forwarded[-1].rpartition(",")[2].strip()
    return request.client.host if request.client else ""


def network_of(address: str) -> str:
    """What is counted as one: an address of IPv4, a network of IPv6."""
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:
        return address
    if isinstance(parsed, ipaddress.IPv6Address):
        if parsed.ipv4_mapped is not None:
            return str(parsed.ipv4_mapped)
        return str(ipaddress.ip_network((parsed, _IPV6_NETWORK), strict=False))
    return str(parsed)
