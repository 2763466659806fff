"""Two hosts on one machine: the second copies of everything reach the servers by an address whose packets can vanish.

It needs a network of its own, which root can have: `python -m tests.chaos` starts itself again in one where it can.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from random import Random
from threading import Event
from typing import Final
from urllib.parse import urlsplit

from overnight_models.embedded_urls import read_urls
from tests.faults.installed import Installed
from tests.networks import has_networks

FAR: Final = "127.0.0.2"
"""Where the second host finds the servers, which listen at 127.0.0.1."""
_NEAR: Final = "127.0.0.1"
_SECOND: Final = "-2"
_OWN_NETWORK: Final = "CHAOS_NETWORK"
"""The variable that is set in a network of our own."""
_never = Event()


def in_a_network_of_its_own(argv: Sequence[str]) -> None:
    """Start this program again where packets may be dropped, if this machine lets us; else go on without."""
    if _OWN_NETWORK in os.environ:
        # a new network's loopback is down, and the first servers listen there before anybody asks for hosts
        subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
        return
    if not has_networks():
        return
    os.environ[_OWN_NETWORK] = "1"
    os.execvp("unshare", ["unshare", "--net", sys.executable, "-m", "tests.chaos", *argv])


def are_apart() -> bool:
    """Whether the hosts of an installation can be cut from servers here. In a network that is ours it is made so."""
    if _OWN_NETWORK not in os.environ:
        return False
    nat = ["-t", "nat", "{}", "OUTPUT", "-p", "tcp", "-d", FAR, "-j", "DNAT", "--to-destination", _NEAR]
    if _iptables(nat, "-C"):
        return True
    return _iptables(nat, "-A")


def is_far(process: str) -> bool:
    """Whether a process of an installation is on the second host."""
    return process.endswith(_SECOND)


def as_seen_from_afar(environment: Mapping[str, str]) -> dict[str, str]:
    """The variables of a process of the second host."""
    urls = ("OVERNIGHT_DATABASE_URL", "OVERNIGHT_REDIS_URL")
    return {name: value.replace(_NEAR, FAR) if name in urls else value for name, value in environment.items()}


@contextmanager
def cut(server_url: str) -> Iterator[None]:
    """No packet passes between the second host and a server, and nobody is told.

    They are dropped where they come in: what netfilter drops on its way out, TCP doesn't count as sent.
    """
    port = str(urlsplit(server_url).port)
    place = ["--ctorigdst", FAR, "--ctorigdstport", port]
    rule = ["{}", "INPUT", "-p", "tcp", "-m", "conntrack", *place, "-j", "DROP"]
    _iptables(rule, "-A")
    try:
        yield
    finally:
        _iptables(rule, "-D")


def _iptables(rule: Sequence[str], deed: str) -> bool:
    words = [word.format(deed) for word in rule]
    return not subprocess.run(["iptables", "-w", *words], check=False, stderr=subprocess.DEVNULL).returncode


# --- attacks ---------------------------------------------------------------------------------------------------------


def freeze_a_host(overnight: Installed, draw: Random) -> None:
    """All of its workers and its beat, until their leases are over; it wakes up with all that it held."""
    far = draw.random() < 0.5
    names = [name for name in overnight.workers() if is_far(name) == far]
    with overnight.frozen(*overnight.processes(*names)):
        _never.wait(draw.uniform(13, 18))


def cut_a_host_from_postgres(overnight: Installed, draw: Random) -> None:
    """At times until both ends have given their connections up."""
    with cut(read_urls(overnight.data_dir)["database_url"]):
        _never.wait(draw.uniform(3, 36))


def cut_a_host_from_redis(overnight: Installed, draw: Random) -> None:
    with cut(read_urls(overnight.data_dir)["redis_url"]):
        _never.wait(draw.uniform(3, 36))
