"""Keys for tests, and items whose texts are looked for."""

from __future__ import annotations

import base64
import os
from pathlib import Path
from typing import Any

import orjson

from overnight_models.ledger.answer import Asked, locate, read_item
from overnight_workers import process
from tests import finding
from tests.driving import Service, callback, item

SECRET = "pl4nt3d"
Json = dict[str, Any]


def new_key() -> str:
    return base64.b64encode(os.urandom(32)).decode()


def write(path: Path, *keys: str) -> None:
    """As a secret's mount does it: another file takes the place of the old one."""
    fresh = path.with_suffix(".new")
    fresh.write_text("\n".join(keys) + "\n")
    fresh.replace(path)


def secret(key: str, **more: Any) -> Json:
    """An item with the secret in its prompt and in its callback's arguments; the sandbox repeats it in its answer."""
    return item(key, f"Describe the {SECRET} of {key}", callback=callback(kwargs={"word": SECRET}), **more)


def places_with_secret(service: Service) -> set[str]:
    return finding.in_tables(service.database_url, SECRET)


def answer(service: Service, key: str) -> str | None:
    """What `outcome()` says of a key."""
    with process.database().transaction() as connection:
        item_id = locate(connection, Asked("default", key)).item_id
        assert item_id is not None
        row = read_item(connection, item_id)
    assert row is not None
    return row.message.decode() if isinstance(row.message, bytes) else row.message


def message_saying(text: str) -> bytes:
    """The API's answer in real time."""
    message: Json = {
        "id": "msg_1",
        "type": "message",
        "role": "assistant",
        "model": "claude-haiku-5-5",
        "content": [{"type": "text", "text": text}],
        "stop_reason": "end_turn",
        "stop_sequence": None,
        "usage": {"input_tokens": 10, "output_tokens": 10},
    }
    return orjson.dumps(message)
