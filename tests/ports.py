"""Ports for servers that tests start, end, and start again at the same port."""

from __future__ import annotations

import random
from typing import Final

from overnight_workers.one_machine.embedded.remembered import is_free

_PORTS: Final = range(10_000, 20_000)
"""Below those that Linux gives to outgoing connections, of which a session of tests has some at any moment: one of them
could take the port before its server does, or while that is down, or even be connected to itself. And below those of
`overnight up`."""
_given: Final = set[int]()


def free_port() -> int:
    """A port that nobody listens on, and that no other server of this process was given."""
    chance = random.SystemRandom()  # a test that seeds `random` would send two processes to the same ports
    while True:
        port = chance.choice(_PORTS)
        if port not in _given and is_free(port):
            _given.add(port)
            return port
