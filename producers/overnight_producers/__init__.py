"""Overnight for products: hand over single requests, get each outcome back at your own callback.

overnight = Overnight()
receipt = overnight.enqueue({"model": ..., "max_tokens": ..., "messages": [...]}, callback=save_copy.s(sku="A1"))
overnight.confirm(receipt)

Everything here works with a Redis URL and the base install. Importing it connects to nothing.
"""

from overnight_models.errors import (
    BadItem,
    NotConfirmed,
    NotFinished,
    NotYet,
    OvernightError,
    Rejected,
    UnknownItem,
    UnknownRun,
    Unreachable,
)
from overnight_models.wire.outcome import Outcome
from overnight_producers.callbacks import callback, task
from overnight_producers.item import Item
from overnight_producers.overnight import Overnight
from overnight_producers.receipts import Receipt

__all__ = [
    "BadItem",
    "Item",
    "NotConfirmed",
    "NotFinished",
    "NotYet",
    "Outcome",
    "Overnight",
    "OvernightError",
    "Receipt",
    "Rejected",
    "UnknownItem",
    "UnknownRun",
    "Unreachable",
    "callback",
    "task",
]
