"""Deliveries: an outcome becomes a message, and the product's task takes it, as in one of its workers."""

from __future__ import annotations

import inspect
import socket
from collections.abc import Callable, Generator, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Final, TypeAlias
from uuid import UUID, uuid5

from celery import Celery, _state
from celery.app.task import Task
from celery.app.trace import build_tracer
from celery.canvas import Signature
from celery.exceptions import Retry
from kombu.utils import json

from overnight_models import exact_json
from overnight_models.wire.acknowledgement import HEADER
from overnight_models.wire.envelope import NO_CANVAS, write_envelope
from overnight_models.wire.message import CallbackLine
from overnight_models.wire.outcome import Outcome
from overnight_models.wire.signature import read_secrets, signed_headers
from overnight_models.wire.webhook import write_body
from overnight_producers.testing.items import Enqueued

_OUR_OWN: Final = "celery."
_MOST_RETRIES: Final = 100
"""Of a task without `max_retries`."""

Found: TypeAlias = tuple[Celery, Task[..., object]]
"""A task and its app."""


@dataclass(frozen=True)
class Delivery:
    """One outcome that was handed over. In an event loop `await` it: then an `async def` callback has returned."""

    item: Enqueued
    outcome: Outcome
    result: object = None
    """What the task returned; None without a callback."""
    acknowledged: bool = False
    """The callback has said that it is done (`ack=True`); else its message would come again."""
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    """Of an item whose callback is a webhook: the request's headers, signed with the kit's `webhook_secret`."""
    body: bytes = field(default=b"", repr=False)
    """The body of that request, which the test posts to the product's endpoint."""

    def __await__(self) -> Generator[object, None, Delivery]:
        if inspect.isawaitable(self.result):
            result = yield from self.result.__await__()
            return replace(self, result=result)
        return self


def delivery_id(item: Enqueued) -> str:
    """The same for every delivery of this outcome."""
    return str(uuid5(UUID(item.item_id), f"delivery {item.redos}"))


def call(item: Enqueued, document: Mapping[str, object], word: str) -> object:
    """Call the task that the item's callback names, with what its message holds. Returns what it returns.

    Where it asks to be retried it is called again at once, whatever its countdown, as often as its `max_retries` says.

    word: what the callback has to acknowledge with, where it is asked to.

    Raises AssertionError when no app of this process has the task, and whatever the task raises at last.
    """
    callback = item.callback
    assert callback is not None
    app, task = task_of(callback)
    args, kwargs, headers = _received(callback, document, delivery_id(item), word)
    request = {
        "id": headers["id"],
        "task": task.name,
        "root_id": headers["id"],
        "is_eager": True,  # a retry sends no message
        "hostname": socket.gethostname(),
        "delivery_info": {"is_eager": True, "exchange": "", "routing_key": callback["queue"], "redelivered": False},
        "ignore_result": True,
    }
    asked = {HEADER: headers[HEADER]} if HEADER in headers else {}
    tracer = build_tracer(task.name, task, eager=True, propagate=True, app=app)
    for retries in range(_MOST_RETRIES):
        try:
            return tracer(str(headers["id"]), args, kwargs, request | asked | {"retries": retries}).retval
        except Retry as retry:
            again: Signature[object] | None = vars(retry).get("sig")  # the stubs don't know it
            if again is None:  # raised by itself, and not by `Task.retry`
                raise
            args, kwargs = list(again.args), dict(again.kwargs)
    raise AssertionError(f"{task.name!r} asks to be retried without an end (max_retries): {item}")


def request_of(item: Enqueued, document: Mapping[str, object], secret: str) -> tuple[dict[str, str], bytes]:
    """The headers and the body that the item's webhook gets."""
    context = (item.callback or {}).get("context")
    data = dict(document) if context is None else {**document, "context": context}
    now = datetime.now(UTC)
    body = write_body([data], at=now)
    signed = signed_headers(read_secrets(secret), delivery_id(item), now, body)
    return {"content-type": "application/json", **signed}, body


def task_of(callback: CallbackLine) -> Found:
    """The task and its app. Raises AssertionError when no app of this process has it."""
    name = callback["task"]
    named = next(_tasks(name), None)
    if named is None:
        for app in _apps():
            app.loader.import_default_modules()  # as a worker does when it starts
        named = next(_tasks(name), None)
    if named is None:
        known = {task for app in _apps() for task in app.tasks if not task.startswith(_OUR_OWN)}
        raise AssertionError(
            f"no Celery app in this process has a task {name!r}: import the module that has it, or correct the name."
            f" There are {', '.join(sorted(known)) or 'none'}"
        )
    return named


def _apps() -> list[Celery]:
    """The Celery apps of this process."""
    # by the weak set that Celery keeps, where one that nobody holds any more may still be; the stubs don't know it
    active: Callable[[], Iterator[Celery]] = vars(_state)["_get_active_apps"]
    return list(active())


def _tasks(name: str) -> Iterator[Found]:
    """Tasks of that name. A shared one is in every app: its own goes first."""
    having = [(app, app.tasks[name]) for app in _apps() if name in app.tasks]
    return iter(sorted(having, key=lambda each: each[1].app is not each[0]))


def _received(
    callback: CallbackLine, document: Mapping[str, object], task_id: str, word: str
) -> tuple[list[object], dict[str, object], dict[str, object]]:
    """What a worker reads out of the message: arguments and headers."""
    headers = {"overnight_generation": 0} | ({HEADER: word} if callback.get("ack") else {})
    arguments = [[document, *callback.get("args", ())], callback.get("kwargs", {}), NO_CANVAS]
    message = json.loads(
        write_envelope(
            callback["task"],
            exact_json.dumps(arguments),
            queue=callback["queue"],
            task_id=task_id,
            shown=f"(outcome of {document['key']!r},)",
            headers=headers,
        )
    )
    args, kwargs, _ = json.loads(message["body"])
    return args, kwargs, message["headers"]
