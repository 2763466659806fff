"""Params as a product has them: the SDK's own objects are taken as the SDK takes them, and what isn't JSON is named."""

from __future__ import annotations

import enum
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Decimal
from types import MappingProxyType
from typing import Any
from uuid import UUID

import anthropic
import httpx2
import orjson
import pytest
from anthropic.types import Message

from overnight_models.errors import BadItem
from overnight_producers import Item
from overnight_producers.item import line_of
from overnight_producers.params import as_sent
from tests.driving import params

URL = "redis://127.0.0.1:1/0"
ANSWER = {
    "id": "msg_1", "type": "message", "role": "assistant", "model": "m",
    "stop_reason": "tool_use", "stop_sequence": None,
    "usage": {"input_tokens": 1, "output_tokens": 1},
    "content": [
        {"type": "thinking", "thinking": "Hm.", "signature": "s"},
        {"type": "text", "text": "I look it up.", "citations": None},
        {"type": "tool_use", "id": "t", "name": "look_up", "input": {"q": 1.5, "none": None}},
    ],
}  # fmt: skip


def sent_by_the_sdk(**given: Any) -> Any:
    """The body that the SDK itself sends for these params."""
    bodies: list[bytes] = []

    def answer(request: httpx2.Request) -> httpx2.Response:
        bodies.append(request.content)
        return httpx2.Response(200, json=ANSWER)

    http = httpx2.Client(transport=httpx2.MockTransport(answer))
    anthropic.Anthropic(api_key="x", base_url="http://127.0.0.1:1", http_client=http).messages.create(**given)
    return orjson.loads(bodies[0])


def test_what_a_product_passes_on_is_sent_as_the_sdk_sends_it() -> None:
    response = Message.model_validate(ANSWER)
    messages = [
        {"role": "user", "content": "Which kettle?"},
        {"role": "assistant", "content": response.content},
        {"role": "user", "content": ({"type": "text", "text": "Go on."} for _ in range(1))},
    ]
    given = params() | {"messages": messages[:2], "system": anthropic.NOT_GIVEN, "tools": anthropic.omit}
    assert as_sent(given) == sent_by_the_sdk(**given)
    sent = as_sent({"messages": messages[2:]})
    assert sent == {"messages": [{"role": "user", "content": [{"type": "text", "text": "Go on."}]}]}


def test_an_item_with_the_sdks_objects_travels() -> None:
    response = Message.model_validate(ANSWER)
    asked = params() | {
        "messages": [{"role": "user", "content": "a"}, {"role": "assistant", "content": response.content}],
        "stop_sequences": anthropic.NOT_GIVEN,
    }
    line, written = line_of(Item(params=asked, betas="files-api-2025-04-14"), redis_url=URL)
    assert "stop_sequences" not in line["params"]
    assert line["params"]["messages"][1]["content"][0]["type"] == "thinking"
    assert line["betas"] == ["files-api-2025-04-14"]
    assert orjson.loads(written)["params"] == line["params"]


class Colour(enum.Enum):
    RED = "red"


@dataclass
class Block:
    type: str
    text: str


@pytest.mark.parametrize(
    ("value", "sent"),
    [
        (Colour.RED, "red"),
        (Block("text", "a"), {"type": "text", "text": "a"}),
        (MappingProxyType({"a": (1, 2)}), {"a": [1, 2]}),
        (UUID(int=1), "00000000-0000-0000-0000-000000000001"),
        ("null", "null"),
        ({"a": None}, {"a": None}),
        (2**64 - 1, 2**64 - 1),
    ],
)
def test_what_stands_for_json_is_taken(value: Any, sent: Any) -> None:
    assert orjson.loads(orjson.dumps(as_sent({"x": [value]}))) == {"x": [sent]}


@pytest.mark.parametrize(
    ("value", "why"),
    [
        (float("nan"), "nan isn't a number in JSON"),
        (float("-inf"), "-inf isn't a number in JSON"),
        (datetime(2026, 1, 1, tzinfo=UTC), "a datetime isn't JSON: write it as a text (.isoformat())"),
        (date(2026, 1, 1), "a date isn't JSON"),
        (b"x", "a bytes isn't JSON: write it as a text (base64"),
        ({1, 2}, "a set isn't JSON: it has no order"),
        (Decimal("1.5"), "a Decimal isn't JSON"),
        (object(), "a object isn't JSON: pass what"),
        pytest.param(10**4300, "more than 4,300 digits", id="a long number"),
        ("\ud800", "a lone surrogate"),
        ({1: "a"}, "the name 1 must be a text"),
    ],
)
def test_what_is_not_json_is_refused_with_its_place(value: Any, why: str) -> None:
    content = [{"type": "image", "source": {"data": value}}]
    asked: Mapping[str, Any] = params() | {"messages": [{"role": "user", "content": content}]}
    with pytest.raises(BadItem) as caught:
        line_of(Item(params=asked, key="k"), redis_url=URL)
    assert "`messages.0.content.0.source.data`: " in str(caught.value)
    assert why in str(caught.value)


def test_every_place_is_named_at_once_and_a_circle_ends() -> None:
    circle: dict[str, Any] = {}
    circle["again"] = circle
    with pytest.raises(ValueError, match="nested 200 deep"):
        as_sent(circle)
    with pytest.raises(ValueError, match=r"`a`: nan.*`b`: a bytes"):
        as_sent({"a": float("nan"), "b": b""})
