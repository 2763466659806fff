"""What products enqueue while an installation is attacked."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator
from concurrent.futures import Future
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Final

import orjson

from overnight_producers import Item, task
from overnight_producers.receipts import Confirmation

Json = dict[str, Any]

MODEL: Final = "claude-haiku-5-5"


@dataclass(frozen=True)
class Meter:
    """What the API accepted and billed in one workspace."""

    creates: int
    requests: int
    billed: int
    nanodollars: int


@dataclass
class Order:
    """Items under one run, being enqueued by a product in the background."""

    run: str
    lane: str
    workspace: str
    """As the API calls it."""
    queue: str
    items: int
    meter: Meter
    """What the API had accepted and billed before."""
    began: float
    confirmed: Future[Confirmation]

    @property
    def age_s(self) -> float:
        """Since its first item was handed over."""
        return time.monotonic() - self.began


def items_of(
    run: str, items: int, queue: str, bytes_each: int = 0, *, ack: bool = False, deadline: datetime | None = None
) -> Iterator[Item]:
    """So many different requests. ack: their callback acknowledges. deadline: when all of them are wanted."""
    more = "x" * bytes_each
    for number in range(items):
        yield Item(
            key=f"{run}-{number}",
            params={
                "model": MODEL,
                "max_tokens": 256,
                "messages": [{"role": "user", "content": f"Describe article {number} of {run}{more}"}],
            },
            callback=task("shop.save", queue=queue, ack=ack),
            deadline=deadline,
        )


def write_file(path: Path, items: Iterable[Item]) -> Path:
    """As `overnight enqueue` reads it."""
    lines = [orjson.dumps({"key": item.key, "params": item.params, "callback": item.callback}) for item in items]
    path.write_bytes(b"\n".join(lines))
    return path


def delivery_of(message: bytes) -> str:
    """The delivery id in a callback's message."""
    envelope = orjson.loads(message)
    document = orjson.loads(envelope["body"])
    batch_id = document[0][0]["delivery_id"]
    assert batch_id == envelope["headers"]["id"]
    return str(batch_id)


def paced(items: Iterator[Item], number: int, seconds: float) -> Iterator[Item]:
    """A product that has its items only bit by bit."""
    began = time.monotonic()
    for position, item in enumerate(items):
        ahead_s = seconds * position / number - (time.monotonic() - began)
        if ahead_s > 0.05:
            time.sleep(ahead_s)  # this is a product's own pace, and nothing that a test waits for
        yield item
