"""Where webhooks don't go, as a table beside what this Python says: `python -m tests.refused_addresses`."""

from __future__ import annotations

import ipaddress
import sys

from overnight_workers.configuration.addresses import REFUSED, why_refused

_ISATAP = "2a00:1450::5efe:127.0.0.1"


def main() -> None:
    """Print it, with how many of the addresses Python calls global."""
    print(f"{'network':<20} {'what it is':<45} first and last address: ours / is_global of {sys.version.split()[0]}")
    let_through = 0
    for network, why in (*REFUSED, (f"{_ISATAP}/128", "IPv4 in IPv6 (ISATAP)"), ("4000::/3", "reserved")):
        read = ipaddress.ip_network(network)
        ours = [why_refused(address) is not None for address in (read[0], read[-1])]
        pythons = [address.is_global for address in (read[0], read[-1])]
        let_through += any(pythons)
        print(f"{network:<20} {why:<45} {'refused' if all(ours) else 'GOES'} / {pythons[0]}, {pythons[1]}")
    print(f"{let_through} networks that is_global alone would let through")


if __name__ == "__main__":
    main()
