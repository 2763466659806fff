"""The envelope: a Celery task message (protocol 2) as kombu's Redis transport reads it.

Written here and not by Celery because it is pushed by the thousand, and with timeouts that hold; a test compares it
with Celery's own, field by field.
"""

from __future__ import annotations

import base64
import os
import socket
import sys
from functools import lru_cache
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
_FILLED_IN: Final = f"<{_RANDOM}>"
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
    compressed = compress and len(body) > _COMPRESS_ABOVE_BYTES
    if compressed:
        body = base64.b64encode(zstd.compress(body, 3))
    own_id = orjson.dumps(task_id)
    return _form(task, queue, orjson.dumps(headers or {}), compressed) % (
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
def _form(task: str, queue: str, headers: bytes, compressed: bool) -> bytes:
    """What messages of a kind have in common, to be filled in: written once, and not again for each of thousands.

    To be filled in, in this order: the body, the id, the id as root, what is shown, the id as correlation, the tag.
    """
    told: dict[str, Any] = {
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
    properties: dict[str, Any] = {
        "correlation_id": _FILLED_IN,
        "reply_to": "",
        "delivery_mode": 2,
        "delivery_info": {"exchange": "", "routing_key": queue},
        "priority": 0,
        "delivery_tag": _FILLED_IN,
    }
    if compressed:
        told["compression"] = "application/zstd"
        properties["body_encoding"] = "base64"
    form = {
        "body": _FILLED_IN,
        "content-encoding": "utf-8",
        "content-type": "application/json",
        "headers": told | orjson.loads(headers),
        "properties": properties,
    }
    return orjson.dumps(form).replace(b"%", b"%%").replace(orjson.dumps(_FILLED_IN), b"%b")
