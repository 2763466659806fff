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
from typing import Any, Final
from uuid import uuid4

import orjson

NO_CANVAS: Final = {"callbacks": None, "errbacks": None, "chain": None, "chord": None}
"""The third part of a task's body: nothing follows it."""

_ORIGIN: Final = f"{os.getpid()}@{socket.gethostname()}"
_RANDOM: Final = uuid4().hex
_NO_LIMIT: Final = (None, None)
_FILLED_IN: Final = f"<{_RANDOM}>"
_numbers = count()


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
    own_headers: dict[str, object] = {
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
    properties: dict[str, object] = {
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
        "headers": own_headers | orjson.loads(headers),
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
