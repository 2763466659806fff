"""The envelope: a Celery task message (protocol 2) as kombu's Redis transport reads it.

Written here and not by Celery because it is pushed by the thousand, and with timeouts that hold; a test compares it
with Celery's own, field by field.
"""

from __future__ import annotations

import base64
import os
import socket
from collections.abc import Mapping
from functools import lru_cache
from itertools import count
from typing import Any, Final, Literal, NotRequired
from uuid import uuid4

import orjson
from typing_extensions import TypedDict

_ORIGIN: Final = f"{os.getpid()}@{socket.gethostname()}"
_RANDOM: Final = uuid4().hex
_NO_LIMIT: Final = (None, None)
_FILLED_IN: Final = f"<{_RANDOM}>"
_numbers = count()


class DeliveryInfo(TypedDict):
    """Where a message was put, and goes again when its worker dies."""

    exchange: str
    """Empty: the default one, whose queues are lists of their own names."""
    routing_key: str
    """The queue."""


class Properties(TypedDict):
    """The message's properties, as AMQP has them."""

    correlation_id: NotRequired[str]
    reply_to: NotRequired[str]
    delivery_mode: NotRequired[int]
    delivery_info: DeliveryInfo
    priority: NotRequired[int]
    delivery_tag: str
    """Unlike any other's: the broker knows by it which messages are being worked on."""
    body_encoding: NotRequired[str]
    """"base64" where the body is written in that; absent: it is text."""


class Headers(TypedDict):
    """The task, by Celery's message protocol 2. Celery knows more of them; what isn't here is passed over."""

    lang: NotRequired[str]
    task: str
    """The task's name."""
    id: str
    """The call's id: a UUID. Of a callback it is the delivery id."""
    root_id: NotRequired[str | None]
    parent_id: NotRequired[str | None]
    group: NotRequired[str | None]
    retries: NotRequired[int]
    eta: NotRequired[str | None]
    expires: NotRequired[str | None]
    timelimit: NotRequired[tuple[float | None, float | None]]
    argsrepr: NotRequired[str]
    """What logs and Flower show as its arguments: never what somebody asked or was answered."""
    kwargsrepr: NotRequired[str]
    origin: NotRequired[str]
    ignore_result: NotRequired[bool]
    traceparent: NotRequired[str]
    """Of a callback: the span within which its item was enqueued (W3C Trace Context)."""
    tracestate: NotRequired[str]
    """… and what tracing systems add to that."""
    overnight_generation: NotRequired[int]
    """Of a callback: how often its outcome was sent again by somebody's word (`replay`)."""
    overnight_ack: NotRequired[str]
    """Of a callback that asks for it: push this onto `overnight:acks` when the work is done."""


Envelope = TypedDict(
    "Envelope",
    {
        "body": str,
        "content-encoding": Literal["utf-8"],
        "content-type": Literal["application/json"],
        "headers": Headers,
        "properties": Properties,
    },
)
"""A message as it lies in a queue, which is a list of the queue's name: pushed on its left, taken from its right."""


class Canvas(TypedDict):
    """What follows a task: nothing."""

    callbacks: NotRequired[None]
    errbacks: NotRequired[None]
    chain: NotRequired[None]
    chord: NotRequired[None]


NO_CANVAS: Final[Canvas] = {"callbacks": None, "errbacks": None, "chain": None, "chord": None}
"""The third part of a task's body: nothing follows it."""


def write_envelope(
    task: str,
    body: bytes,
    *,
    queue: str,
    task_id: str,
    shown: str,
    headers: Mapping[str, object] | None = None,
) -> bytes:
    """One message, ready to be pushed onto the queue's list.

    body: JSON, `[args, kwargs, NO_CANVAS]`.
    shown: what Flower and logs show as its arguments; never a request's body.
    headers: more headers.
    """
    own_id = orjson.dumps(task_id)
    return _form(task, queue, orjson.dumps(headers or {})) % (
        # JSON in JSON is smaller than base64, and sooner read
        orjson.dumps(body.decode()),
        own_id,
        own_id,
        orjson.dumps(shown),
        own_id,
        # unlike any other's, in whichever process: a broker knows messages that are being worked on by it
        b'"%b-%d-%d"' % (_RANDOM.encode(), os.getpid(), next(_numbers)),
    )


@lru_cache(maxsize=1000)
def _form(task: str, queue: str, headers: bytes) -> bytes:
    """What messages of a kind have in common, to be filled in: written once, and not again for each of thousands.

    To be filled in, in this order: the body, the id, the id as root, what is shown, the id as correlation, the tag.
    """
    own_headers: Headers = {
        "lang": "py",
        "task": task,
        "id": _FILLED_IN,
        "root_id": _FILLED_IN,
        "parent_id": None,
        "group": None,
        "retries": 0,
        "eta": None,
        "expires": None,
        "timelimit": _NO_LIMIT,
        "argsrepr": _FILLED_IN,
        "kwargsrepr": "{}",
        "origin": _ORIGIN,
        "ignore_result": True,
    }
    properties: Properties = {
        "correlation_id": _FILLED_IN,
        "reply_to": "",
        "delivery_mode": 2,
        "delivery_info": {"exchange": "", "routing_key": queue},
        "priority": 0,
        "delivery_tag": _FILLED_IN,
    }
    form = {
        "body": _FILLED_IN,
        "content-encoding": "utf-8",
        "content-type": "application/json",
        "headers": {**own_headers, **orjson.loads(headers)},
        "properties": properties,
    }
    return orjson.dumps(form).replace(b"%", b"%%").replace(orjson.dumps(_FILLED_IN), b"%b")


def read_envelope(message: bytes) -> tuple[str, dict[str, Any]] | None:
    """A message's task and keyword arguments; None when it takes more than this to read it, which Celery does."""
    try:
        envelope = orjson.loads(message)
        headers, body = envelope["headers"], envelope["body"]
        if envelope["properties"].get("body_encoding") == "base64":
            body = base64.b64decode(body)
        args, arguments, _ = orjson.loads(body)
        return None if args else (headers["task"], {**arguments})
    except (ValueError, TypeError, KeyError, AttributeError):
        return None
