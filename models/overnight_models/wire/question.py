"""Questions of a product to the workers, and their answers. They come by Overnight's Redis, as JSON.

A question is a message for the task `overnight.answer`. Its answer lies for a minute on a list of its own, which the
question names: `overnight:reply:<reply_to>`. A question can get lost, and so can its answer: whoever gets none asks
again, with another `reply_to`. Products of Python ask more than is published here.
"""

from __future__ import annotations

from typing import Final, Literal, NotRequired

from typing_extensions import TypedDict

from overnight_models.wire.outcome import Outcome
from overnight_models.wire.verdict import VerdictDocument

VERSION: Final = 1


class Messages(TypedDict):
    """Which messages a question is about."""

    message_ids: list[str]
    """The `message_id`s of accept messages, a hundred at most."""


class ConfirmArguments(TypedDict):
    """A question: what became of accept messages."""

    question: Literal["confirm"]
    reply_to: str
    """A new UUID: the answer comes to the list `overnight:reply:<reply_to>`."""
    about: Messages


class ConfirmReply(TypedDict):
    """What became of them, or why that can't be said."""

    answer: NotRequired[dict[str, VerdictDocument | None]]
    """By `message_id`. null: a worker has it and isn't done. Absent: no worker has seen it; ask again, and after a
    while enqueue the same once more, which is free. What has a verdict can't be lost."""
    error: NotRequired[str]
    """Why the question can't be answered."""


class ItemAbout(TypedDict):
    """Which item a question is about: that of a receipt, or whatever has the key."""

    lane: str
    key: str
    id: NotRequired[str]
    """The item's own `id`, as it was enqueued: then no other item is meant that has the key."""
    message_id: NotRequired[str]
    """Of the message that it was enqueued in; beside `id`."""


class OutcomeArguments(TypedDict):
    """A question: what came back for an item. So a large answer is read too that came as a `claim`."""

    question: Literal["outcome"]
    reply_to: str
    """A new UUID: the answer comes to the list `overnight:reply:<reply_to>`."""
    about: ItemAbout


class ItemAnswer(TypedDict):
    """How it stands with an item."""

    state: NotRequired[str]
    """Its state; it has an outcome as soon as that is final."""
    outcome: NotRequired[Outcome | None]
    """null while there is none."""
    rejected: NotRequired[str]
    """It was turned down: why."""
    not_yet: NotRequired[str]
    """Nothing can be said yet: why."""


class OutcomeReply(TypedDict):
    """How it stands with it, or why that can't be said."""

    answer: NotRequired[ItemAnswer | None]
    """null: there is no such item."""
    error: NotRequired[str]
    """Why the question can't be answered."""
