"""The envelope: a Celery task message (protocol 2) as kombu's Redis transport reads it.

Written here and not by Celery because it is pushed by the thousand, and with timeouts that hold; a test compares it
with Celery's own, field by field.
"""

from __future__ import annotations

import base64
import os
import socket
import sys
from itertools import count
from typing import Any, Final
from uuid import uuid4

import orjson

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

NO_CANVAS: Final = {"callbacks": None, "errbacks": None, "chain": None, "chord": None}
"""The third part of a task's body: nothing follows it."""

_COMPRESS_ABOVE_BYTES: Final = 2_000
_ORIGIN: Final = f"{os.getpid()}@{socket.gethostname()}"
_RANDOM: Final = uuid4().hex
_NO_LIMIT: Final = (None, None)
_numbers = count()


def write_envelope(
    task: str,
    body: bytes,
    *,
    queue: str,
    task_id: str,
    shown: str,
    headers: dict[str, Any] | None = None,
    compress: bool = False,
) -> bytes:
    """One message, ready to be pushed onto the queue's list.

    body: JSON, `[args, kwargs, NO_CANVAS]`.
    shown: what Flower and logs show as its arguments; never a request's body.
    headers: more headers.
    compress: large bodies, by zstd; for readers that are known to have it.
    """
    told: dict[str, Any] = {
        "lang": "py",
        "task": task,
        "id": task_id,
        "root_id": task_id,
        "parent_id": None,
        "group": None,
        "retries": 0,
        "eta": None,
        "expires": None,
        "timelimit": _NO_LIMIT,
        "argsrepr": shown,
        "kwargsrepr": "{}",
        "origin": _ORIGIN,
        "ignore_result": True,
    }
    if headers:
        told |= headers
    properties: dict[str, Any] = {
        "correlation_id": task_id,
        "reply_to": "",
        "delivery_mode": 2,
        "delivery_info": {"exchange": "", "routing_key": queue},
        "priority": 0,
        # unlike any other's, in whichever process: a broker knows messages that are being worked on by it
        "delivery_tag": f"{_RANDOM}-{os.getpid()}-{next(_numbers)}",
    }
    if compress and len(body) > _COMPRESS_ABOVE_BYTES:
        told["compression"] = "application/zstd"
        properties["body_encoding"] = "base64"
        body = base64.b64encode(zstd.compress(body, 3))
    # JSON in JSON is smaller than base64, and sooner read
    return orjson.dumps(
        {
            "body": body.decode(),
            "content-encoding": "utf-8",
            "content-type": "application/json",
            "headers": told,
            "properties": properties,
        }
    )


def read_envelope(message: bytes) -> tuple[str, dict[str, Any]] | None:
    """A message's task and keyword arguments; None when it takes more than this to read it, which Celery does."""
    try:
        envelope = orjson.loads(message)
        told, body = envelope["headers"], envelope["body"]
        if envelope["properties"].get("body_encoding") == "base64":
            body = base64.b64decode(body)
        if "compression" in told:
            body = zstd.decompress(body)
        args, arguments, _ = orjson.loads(body)
        return None if args else (told["task"], {**arguments})
    except (ValueError, TypeError, KeyError, AttributeError, zstd.ZstdError):
        return None
