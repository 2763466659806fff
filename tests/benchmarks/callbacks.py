"""The product's queue: each callback as it arrives."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import orjson
import redis


@dataclass(frozen=True)
class Arrived:
    """One outcome in the product's queue."""

    key: str
    api_batch_id: str
    at: float


def arriving(product: redis.Redis, callbacks: int, *, within_s: float) -> Iterator[Arrived]:
    """So many callbacks, each as soon as it is in the queue `bench`."""
    deadline = time.monotonic() + within_s
    for number in range(callbacks):
        popped: Any = None
        while popped is None:  # for a second at a time: the client gives up a longer silence as a lost connection
            assert time.monotonic() < deadline, f"{number} of {callbacks} callbacks within {within_s:g} s"
            popped = product.brpop(["bench"], timeout=1)
        arrived_at = time.time()
        outcome = orjson.loads(orjson.loads(popped[1])["body"])[0][0]
        assert outcome["ok"], outcome
        yield Arrived(outcome["key"], outcome["batch_id"], arrived_at)
