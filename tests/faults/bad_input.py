"""What nobody can read, with a secret in it: messages in a queue, and files that are enqueued."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import orjson

from overnight_models import routes
from tests.planted import free_text, params


def misdirected(body: str) -> Iterator[bytes]:
    """Messages that Celery can't take: of an unknown task, without JSON, of no form at all."""
    properties = {
        "delivery_mode": 2,
        "delivery_info": {"exchange": "", "routing_key": routes.ACCEPT},
        "delivery_tag": str(uuid4()),
    }
    headers = {"id": str(uuid4()), "task": "shop.of_somebody_else", "lang": "py", "root_id": None, "parent_id": None}
    plain = {"content-encoding": "utf-8", "content-type": "application/json", "properties": properties}
    yield orjson.dumps({**plain, "body": body, "headers": headers})
    yield orjson.dumps({**plain, "body": body[:-3], "headers": headers | {"task": routes.ACCEPT}})
    yield orjson.dumps({**plain, "body": body, "headers": {}})


def write_files(where: Path) -> None:
    """What is enqueued: good lines, and lines with everything wrong that a line can have."""
    good = {"key": "from-a-file", "params": params(free_text("prompt"))}
    (where / "work.jsonl").write_bytes(orjson.dumps(good) + b"\n")
    text = free_text("prompt")
    bad: list[Any] = [
        {"key": "a", "params": {**params(), "messages": text}},
        {"key": "b", "params": {**params(), "system": {"text": text}}},
        {"key": "c", "params": {**params(), "messages": [{"role": text, "content": text}]}},
        {"key": "d", "params": text},
        {"key": "e", "params": {**params(), "tools": text}},
        {"key": "f", "params": params(text, stream=True), "callback": {"task": 1, "queue": 2, "args": text}},
        {"key": "g", "params": params(text), "more": text},
        {"key": "h", "params": params(text), "output": {"type": text}},
        {"key": "i", "params": params(text), "callback": text},
        {"params": params(text), "key": 7},
        {"custom_id": "j", "params": {**params(), "max_tokens": text}},
        {"custom_id": "k", "params": {**params(), "model": text}},
        [text],
        text,
    ]
    cut = orjson.dumps(good)[:-9]
    (where / "bad.jsonl").write_bytes(b"\n".join([*map(orjson.dumps, bad), cut, b"\xff" + cut]) + b"\n")
