"""Callback messages: an outcome as an ordinary Celery message in a product's own queue."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final, NamedTuple

import orjson

from overnight_models import exact_json
from overnight_models.ledger.deliver.due import Due
from overnight_models.wire import acknowledgement, traceparent
from overnight_models.wire.envelope import NO_CANVAS, write_envelope

_NO_CANVAS: Final = orjson.dumps(NO_CANVAS)


class Call(NamedTuple):
    """A callback's task, and what it is called with."""

    task: str
    task_id: str
    outcome: dict[str, object]
    """Its first argument: the outcome's document, for orjson to write."""
    others: Sequence[object]
    """The arguments after it."""
    kwargs: Mapping[str, object]
    headers: dict[str, object]
    shown: str
    """What Flower and logs show of its arguments: whose outcome it is, and not what it says."""


def call(due: Due, by_reference_above: int | None = None) -> Call:
    """A callback, as it is to be sent. Raises KeyError when it names no task, ValueError without a readable answer.

    by_reference_above: bytes; a larger answer isn't in it, and the product reads it.
    """
    outcome, callback = due.outcome, due.callback
    headers: dict[str, object] = {"overnight_generation": due.generation}
    headers |= traceparent.fields(outcome.traceparent, outcome.tracestate)
    if due.wants_ack:
        headers[acknowledgement.HEADER] = due.acknowledgement.write()
    document = due.document(by_reference_above)
    return Call(
        task=callback["task"],
        task_id=str(document["delivery_id"]),
        outcome=document,
        others=callback.get("args") or (),
        kwargs=callback.get("kwargs") or {},
        headers=headers,
        shown=f"(outcome of {outcome.key!r},)",
    )


def enveloped(queue: str, due: Due, by_reference_above: int | None = None) -> bytes:
    """One callback as a message for a Redis. Raises KeyError, TypeError or ValueError when none can be made of it."""
    return enveloped_call(queue, call(due, by_reference_above))


def enveloped_call(queue: str, to: Call) -> bytes:
    """A call as a message for a Redis. Raises TypeError or ValueError when none can be made of it."""
    # the outcome holds a message as it is; what its product asked to be told may have integers of any length
    others = b"".join(b",%b" % exact_json.dumps(argument) for argument in to.others)
    kwargs = exact_json.dumps(to.kwargs) if to.kwargs else b"{}"
    body = b"[[%b%b],%b,%b]" % (orjson.dumps(to.outcome), others, kwargs, _NO_CANVAS)
    return write_envelope(to.task, body, queue=queue, task_id=to.task_id, shown=to.shown, headers=to.headers)
