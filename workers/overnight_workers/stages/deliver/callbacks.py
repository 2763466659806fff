"""Callback messages: an outcome as an ordinary Celery message in a product's own queue."""

from __future__ import annotations

from typing import Any, Final

import orjson

from overnight_models import exact_json
from overnight_models.ledger import documents
from overnight_models.ledger.deliver.deliver import Due
from overnight_models.wire import acknowledgement
from overnight_models.wire.envelope import NO_CANVAS, write_envelope

_NO_CANVAS: Final = orjson.dumps(NO_CANVAS)


def call(due: Due) -> tuple[list[Any], dict[str, Any], str, dict[str, Any]]:
    """Arguments, keyword arguments, task and headers of one callback."""
    args = [documents.document(due.outcome), *(due.callback.get("args") or [])]
    headers: dict[str, Any] = {"overnight_generation": due.generation}
    if due.wants_ack:
        headers[acknowledgement.HEADER] = due.acknowledgement.write()
    return args, due.callback.get("kwargs") or {}, due.callback["task"], headers


def shown(outcome: dict[str, Any]) -> str:
    """What Flower and logs show of it: whose it is, and not what it says."""
    return f"(outcome of {outcome['key']!r},)"


def enveloped(queue: str, due: Due) -> bytes:
    """One callback as a message for a Redis. Raises KeyError, TypeError or ValueError when none can be made of it."""
    args, kwargs, task, headers = call(due)
    outcome, *others = args
    # the outcome holds a message as it is; what its product asked to be told may have integers of any length
    rest = b"".join(b",%b" % exact_json.dumps(one) for one in others)
    body = b"[[%b%b],%b,%b]" % (orjson.dumps(outcome), rest, exact_json.dumps(kwargs) if kwargs else b"{}", _NO_CANVAS)
    return write_envelope(
        task, body, queue=queue, task_id=args[0]["delivery_id"], shown=shown(args[0]), headers=headers
    )
