"""Redis is away when the next of many items comes: it is waited for, as it is by those that were sent before."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from overnight_models import routes
from overnight_producers import Item, NotConfirmed, Overnight
from tests.driving import params
from tests.faults.redis_servers import Server

POLICY_IS_OLD_S = 1.1
"""After so long a policy that nobody published is asked for again."""


def test_items_that_come_while_redis_is_away_are_sent_when_it_is_back(tmp_path: Path) -> None:
    server = Server(tmp_path / "redis").start().wait()

    def items() -> Iterator[Item]:
        yield Item(params=params("before"), key="before")
        server.stop()
        time.sleep(POLICY_IS_OLD_S)  # so that the next item has it asked for again
        yield Item(params=params("while it is away"), key="while it is away")
        server.start().wait()

    product = Overnight(server.url)
    try:
        # no worker takes them in, so none is confirmed
        with pytest.raises(NotConfirmed):
            product.enqueue_confirmed(items(), timeout=2)
        with server.client() as client:
            (message,) = client.lrange(routes.ACCEPT, 0, -1)
            assert b"while it is away" in message
    finally:
        product.close()
        server.stop()
