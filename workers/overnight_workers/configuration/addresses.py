"""Addresses that a webhook may go to.

By a list of networks of our own: Python's `is_global` lets multicast and several forms of IPv4 in IPv6 through, and
differs from one of its versions to the next.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Sequence
from typing import Final

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Network = ipaddress.IPv4Network | ipaddress.IPv6Network

REFUSED: Final[tuple[tuple[str, str], ...]] = (
    ("0.0.0.0/8", "this host"),
    ("10.0.0.0/8", "private"),
    ("100.64.0.0/10", "shared by a carrier's customers (CGNAT)"),
    ("127.0.0.0/8", "loopback"),
    ("168.63.129.16/32", "services of a cloud for its machines"),
    ("169.254.0.0/16", "link-local, with the metadata of clouds"),
    ("172.16.0.0/12", "private"),
    ("192.0.0.0/24", "for protocols"),
    ("192.0.2.0/24", "documentation"),
    ("192.31.196.0/24", "for protocols (AS112)"),
    ("192.52.193.0/24", "for protocols (AMT)"),
    ("192.88.99.0/24", "relays from IPv6 to IPv4"),
    ("192.168.0.0/16", "private"),
    ("192.175.48.0/24", "for protocols (AS112)"),
    ("198.18.0.0/15", "for benchmarks"),
    ("198.51.100.0/24", "documentation"),
    ("203.0.113.0/24", "documentation"),
    ("224.0.0.0/4", "multicast"),
    ("240.0.0.0/4", "reserved, and broadcast"),
    ("::/128", "unspecified"),
    ("::1/128", "loopback"),
    ("::/96", "IPv4 in IPv6 (compatible)"),
    ("::ffff:0:0/96", "IPv4 in IPv6 (mapped)"),
    ("::ffff:0:0:0/96", "IPv4 in IPv6 (translated)"),
    ("64:ff9b::/96", "IPv4 in IPv6 (NAT64)"),
    ("64:ff9b:1::/48", "IPv4 in IPv6 (local NAT64)"),
    ("100::/64", "discarded"),
    ("100:0:0:1::/64", "for protocols"),
    ("2001::/32", "IPv4 in IPv6 (Teredo)"),
    ("2001::/23", "for protocols"),
    ("2001:db8::/32", "documentation"),
    ("2002::/16", "IPv4 in IPv6 (6to4)"),
    ("2620:4f:8000::/48", "for protocols (AS112)"),
    ("3fff::/20", "documentation"),
    ("5f00::/16", "segment routing"),
    ("fc00::/7", "private"),
    ("fe80::/10", "link-local"),
    ("fec0::/10", "site-local"),
    ("ff00::/8", "multicast"),
)
"""Networks, and what they are; the first that holds an address names it."""

_REFUSED: Final = tuple((ipaddress.ip_network(network), why) for network, why in REFUSED)
_PUBLIC_V6: Final = ipaddress.IPv6Network("2000::/3")
"""The only part of IPv6 that is given to anybody; what lies outside is refused, whether it stands above or not."""
_ISATAP: Final = (0x00005EFE, 0x02005EFE)
"""In the lower half of an address: the rest is an IPv4 address."""
_NEVER: Final = tuple(
    ipaddress.ip_network(network) for network in ("169.254.0.0/16", "168.63.129.16/32", "224.0.0.0/4", "ff00::/8")
)
_WIDEST: Final = {4: 8, 6: 7}
"""Bits of the widest networks that are private."""


def why_refused(address: Address, allowed: Sequence[Network] = ()) -> str | None:
    """What keeps webhooks from an address; None where they may go there.

    allowed: private networks that are meant.
    """
    if isinstance(address, ipaddress.IPv6Address) and address.scope_id is not None:
        return "link-local, by its zone"
    if any(address in network for network in _NEVER if network.version == address.version):
        return _named(address)
    if any(address in network for network in allowed if network.version == address.version):
        return None
    return _named(address)


def _named(address: Address) -> str | None:
    for network, why in _REFUSED:
        if network.version == address.version and address in network:
            return why
    if isinstance(address, ipaddress.IPv6Address):
        if address not in _PUBLIC_V6:
            return "reserved"
        if (int(address) >> 32) & 0xFFFFFFFF in _ISATAP:
            return "IPv4 in IPv6 (ISATAP)"
    return None


def may_be_allowed(network: Network) -> bool:
    """Whether a configuration may open a network: not one with a cloud's metadata, and not simply everything."""
    if network.prefixlen < _WIDEST[network.version]:
        return False
    return not any(network.version == never.version and network.overlaps(never) for never in _NEVER)
