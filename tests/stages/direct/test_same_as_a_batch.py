"""Whatever a request holds, in real time it brings the same message and usage as in a batch, whole or as a stream."""

from __future__ import annotations

import json
from typing import Any

import pytest

from overnight_workers.stages.collect.collect import collect
from overnight_workers.stages.direct.direct import direct
from overnight_workers.stages.pack.pack import pack
from overnight_workers.stages.poll.poll import poll
from overnight_workers.stages.submit.submit import submit
from tests.driving import Service, item, params, text_of
from tests.service.ledger import Json

PIXEL = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
PDF = "JVBERi0xLjEKJeLjz9MKMSAwIG9iago8PC9UeXBlL0NhdGFsb2c+PgplbmRvYmoKdHJhaWxlcjw8L1Jvb3QgMSAwIFI+PgolJUVPRgo="
SCHEMA = {
    "type": "object",
    "properties": {"name": {"type": "string"}, "price": {"type": "number"}},
    "required": ["name", "price"],
    "additionalProperties": False,
}
TOOL = {"name": "save", "description": "Save a product", "input_schema": SCHEMA}


def shown(kind: str, source: Json) -> list[Json]:
    """A message with something to look at."""
    content = [{"type": kind, "source": source}, {"type": "text", "text": text_of("what is shown")}]
    return [{"role": "user", "content": content}]


def with_base64(kind: str, media_type: str, data: str) -> Json:
    return {"messages": shown(kind, {"type": "base64", "media_type": media_type, "data": data})}


REQUESTS: dict[str, Json] = {
    "an image in base64": with_base64("image", "image/png", PIXEL),
    "an image by URL": {"messages": shown("image", {"type": "url", "url": "https://example.com/kettle.png"})},
    "a PDF in base64": with_base64("document", "application/pdf", PDF),
    "a PDF by URL": {"messages": shown("document", {"type": "url", "url": "https://example.com/kettle.pdf"})},
    "a tool that has to be called": {"tools": [TOOL], "tool_choice": {"type": "tool", "name": "save"}},
    "thinking": {"model": "claude-sonnet-5", "max_tokens": 20_000, "thinking": {"type": "adaptive"}},
    "structured output": {"output_config": {"format": {"type": "json_schema", "schema": SCHEMA}}},
    "64,000 tokens": {"max_tokens": 64_000},
    "128,000 tokens": {"model": "claude-sonnet-5", "max_tokens": 128_000},
}
"""Each sent as it is, and once more as a stream."""
BY_FILE: Json = {"type": "file", "file_id": "file_011CNha8iCJcU1wXNR6q4V8w"}


def answered(service: Service, more: Json, **wish: Any) -> tuple[Json, Json]:
    """The same request in real time and in a batch: both outcomes."""
    service.configure(
        lane={"check_first": False},
        lanes={"fast": {"road": "direct"}},
        workspaces={"default": {"limits": {"*": {"input_tokens": 10_000_000, "output_tokens": 10_000_000}}}},
    )
    asked = params(text_of("kettle")) | more
    for lane, key in (("fast", "direct"), ("default", "batch")):
        assert service.accept(item(key, params=asked, **wish), lane=lane)["rejected"] == []
    for stage in (direct, pack, submit, poll, collect):
        stage()
    return service.ledger.item("direct"), service.ledger.item("batch")


def without_what_is_its_own(message: str | bytes | Json) -> Json:
    """A message without its number, and without the tier that says how it was sent."""
    document: Json = dict(message) if isinstance(message, dict) else json.loads(message)
    usage = {name: value for name, value in document.pop("usage").items() if name != "service_tier"}
    return {**document, "id": "", "usage": usage}


@pytest.mark.parametrize("streamed", [False, True], ids=["as it is", "as a stream"])
@pytest.mark.parametrize("more", REQUESTS.values(), ids=REQUESTS.keys())
def test_the_same_message_and_usage_as_in_a_batch(service: Service, more: Json, streamed: bool) -> None:
    longer = {"max_tokens": max(more.get("max_tokens", 0), 9_000)} if streamed else {}
    direct_one, batched = answered(service, more | longer)
    for outcome in (direct_one, batched):
        assert outcome["ok"], outcome["detail"]
    assert without_what_is_its_own(direct_one["message"]) == without_what_is_its_own(batched["message"])
    assert direct_one["cost_nano"] == 2 * batched["cost_nano"]
    assert direct_one["cost_nano"] + batched["cost_nano"] == service.api.meter()["nano"]


@pytest.mark.parametrize("kind", ["image", "document"])
def test_what_is_named_by_a_file_brings_the_same_as_in_a_batch(service: Service, kind: str) -> None:
    more = {"messages": shown(kind, BY_FILE)}
    direct_one, batched = answered(service, more, betas=["files-api-2025-04-14"])
    assert (direct_one["ok"], direct_one["detail"]) == (batched["ok"], batched["detail"]) == (True, None)
    assert without_what_is_its_own(direct_one["message"]) == without_what_is_its_own(batched["message"])
