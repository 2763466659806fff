"""Overnight for products: hand over single requests, get each outcome back at your own callback.

overnight = Overnight()
receipt = overnight.enqueue({"model": ..., "max_tokens": ..., "messages": [...]}, callback=save_copy.s(sku="A1"))
overnight.confirm(receipt)

Everything here works with a Redis URL and the base install. Importing it connects to nothing.
"""

from overnight_models.errors import (
    BadItem,
    BadOutput,
    BadSession,
    BadSettings,
    BadSignature,
    KeyMissing,
    NotConfirmed,
    NotFinished,
    NotYet,
    OvernightError,
    PermanentError,
    Rejected,
    TransientError,
    UnknownItem,
    UnknownRun,
    Unreachable,
)
from overnight_models.wire.message import CallbackLine
from overnight_models.wire.outcome import Outcome
from overnight_models.wire.outcome import ProblemName as Problem
from overnight_models.wire.webhook import WebhookBody
from overnight_producers.async_overnight import AsyncOvernight
from overnight_producers.callbacks import callback, task, webhook
from overnight_producers.following_up import follow_up
from overnight_producers.item import IfKnown, Item, Moment
from overnight_producers.overnight import Overnight
from overnight_producers.receipts import Confirmation, Receipt, Rejection, Sent
from overnight_producers.structured import OutputModel
from overnight_producers.verifying import verify

__all__ = [
    "AsyncOvernight",
    "BadItem",
    "BadOutput",
    "BadSession",
    "BadSettings",
    "BadSignature",
    "CallbackLine",
    "Confirmation",
    "IfKnown",
    "Item",
    "KeyMissing",
    "Moment",
    "NotConfirmed",
    "NotFinished",
    "NotYet",
    "Outcome",
    "OutputModel",
    "Overnight",
    "OvernightError",
    "PermanentError",
    "Problem",
    "Receipt",
    "Rejected",
    "Rejection",
    "Sent",
    "TransientError",
    "UnknownItem",
    "UnknownRun",
    "Unreachable",
    "WebhookBody",
    "callback",
    "follow_up",
    "task",
    "verify",
    "webhook",
]
