"""The work that everybody does here: requests of about 1 KB, answered in about 0.6 KB."""

from __future__ import annotations

from typing import Any, Final

from overnight_producers import Item, task

SANDBOX: Final = ("--instant", "--answer-bytes", "100")
"""Batches end as soon as they are created."""
_TEXT: Final = "word " * 170


def params(number: int, text: str = _TEXT) -> dict[str, Any]:
    """A request of about 1 KB, or of so much text."""
    return {
        "model": "claude-haiku-5-5",
        "max_tokens": 1000,
        "messages": [{"role": "user", "content": f"Describe product {number}. {text}"}],
    }


DONE: Final = task("bench.done", queue="bench", broker="shop")


def item(number: int, text: str = _TEXT) -> Item:
    """The same, on its way to the queue `bench` of the broker `shop`."""
    return Item(params=params(number, text), key=f"item-{number}", callback=DONE)
