"""Messages, token counts, models, checks, usage and prompt caching as the sandbox plays them."""

import json
from collections.abc import Iterator
from itertools import count
from pathlib import Path
from typing import Any

import anthropic
import httpx2
import jsonschema_rs
import pytest

from overnight_models.money import prices
from overnight_models.money.prices import Usage
from overnight_workers.sandbox.process import Running
from tests.contract.calling import HAIKU, SONNET, ask, batched, sdk
from tests.sandboxes import forked_sandbox

OPENAPI = Path(__file__).resolve().parents[2].parent / "shared" / "anthropic-openapi.json"
_names = count()


@pytest.fixture(scope="module")
def sandbox(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    with forked_sandbox(tmp_path_factory.mktemp("sandbox"), "--instant") as sandbox:
        yield sandbox


@pytest.fixture
def client(sandbox: Running) -> Iterator[anthropic.Anthropic]:
    """The SDK, in a workspace that no other test uses."""
    key = f"sk-sandbox-messages{next(_names)}"
    with sdk(sandbox, key) as client:
        yield client


def test_a_message(client: anthropic.Anthropic) -> None:
    raw = client.messages.with_raw_response.create(**ask())
    message = raw.parse()
    assert message.stop_reason == "end_turn"
    assert message.usage.service_tier == "standard"
    block = message.content[-1]
    assert block.type == "text"
    assert block.text.startswith("Made-up sandbox answer about: Name a colour.")
    limit = int(raw.headers["anthropic-ratelimit-requests-limit"])
    # it fills within milliseconds again
    assert limit - 1 <= int(raw.headers["anthropic-ratelimit-requests-remaining"]) <= limit
    assert "anthropic-ratelimit-tokens-reset" in raw.headers


def test_answers_depend_on_the_request_and_the_seed(client: anthropic.Anthropic, tmp_path: Path) -> None:
    def said(client: anthropic.Anthropic, text: str) -> Any:
        return client.messages.create(**ask(messages=[{"role": "user", "content": text}])).content

    first = said(client, "Name a colour")
    assert said(client, "Name a colour") == first
    assert batched(client, ask())[0].message.content == first
    assert said(client, "Name a shape") != first
    with (
        forked_sandbox(tmp_path, "--seed", "7") as other,
        sdk(other, "k") as seeded,
    ):
        assert said(seeded, "Name a colour") != first


def test_an_answer_fits_the_schema_asked_for(client: anthropic.Anthropic) -> None:
    schema = {
        "type": "object",
        "properties": {"colour": {"enum": ["red", "green"]}, "why": {"type": "string"}},
        "required": ["colour", "why"],
        "additionalProperties": False,
    }
    config = {"format": {"type": "json_schema", "schema": schema}}
    asked = [ask(messages=[{"role": "user", "content": f"Colour {n}?"}], output_config=config) for n in range(20)]
    answers = [json.loads(result.message.content[-1].text) for result in batched(client, *asked)]
    for answer in answers:
        jsonschema_rs.validate(schema, answer)
    assert {answer["colour"] for answer in answers} == {"red", "green"}
    assert answers[3]["why"] == "Made-up sandbox answer about: Colour 3?"


def test_a_forced_tool_is_called(client: anthropic.Anthropic) -> None:
    tool: Any = {
        "name": "paint",
        "input_schema": {"type": "object", "properties": {"n": {"type": "integer"}}, "required": ["n"]},
    }
    message = client.messages.create(**ask(tools=[tool], tool_choice={"type": "tool", "name": "paint"}))
    assert message.stop_reason == "tool_use"
    block = message.content[-1]
    assert block.type == "tool_use"
    assert block.name == "paint"
    jsonschema_rs.validate(tool["input_schema"], block.input)


def test_answers_are_cut_at_max_tokens(client: anthropic.Anthropic) -> None:
    message = client.messages.create(**ask(max_tokens=5))
    assert message.stop_reason == "max_tokens"
    assert message.usage.output_tokens == 5


def test_answers_have_the_size_asked_for(client: anthropic.Anthropic) -> None:
    message = client.messages.create(**ask(metadata={"user_id": "sandbox:answer_bytes:600"}))
    block = message.content[-1]
    assert block.type == "text"
    assert len(block.text) == 600


def test_haiku_thinks_now_and_then_unless_told_not_to(client: anthropic.Anthropic) -> None:
    asked = [ask(model=HAIKU, messages=[{"role": "user", "content": f"Colour {n}?"}]) for n in range(30)]
    thought = [result.message.usage.output_tokens_details.thinking_tokens for result in batched(client, *asked)]
    assert 0 < sum(tokens > 0 for tokens in thought) < 30
    silent = [request | {"thinking": {"type": "disabled"}} for request in asked]
    assert {result.message.content[0].type for result in batched(client, *silent)} == {"text"}


def test_counting_agrees_with_the_bill(client: anthropic.Anthropic) -> None:
    asked = ask(system="You name colours.", messages=[{"role": "user", "content": "Nénuphar " * 500}])
    counted = client.messages.count_tokens(**{key: value for key, value in asked.items() if key != "max_tokens"})
    assert counted.input_tokens == client.messages.create(**asked).usage.input_tokens
    assert 1000 < counted.input_tokens < 1400
    with pytest.raises(anthropic.BadRequestError):
        client.post("/v1/messages/count_tokens", cast_to=object, body=asked)


def test_counting_knows_thinking_and_its_budget(client: anthropic.Anthropic) -> None:
    asked = ask(model="claude-sonnet-4-6", thinking={"type": "enabled", "budget_tokens": 2048})
    del asked["max_tokens"]
    assert client.messages.count_tokens(**asked).input_tokens > 0


def test_counting_has_a_limit_of_its_own(tmp_path: Path) -> None:
    asked: Any = {key: value for key, value in ask().items() if key != "max_tokens"}
    with (
        forked_sandbox(tmp_path, "--counts-per-minute", "2") as slow,
        sdk(slow, "k") as client,
    ):
        for _ in range(2):
            client.messages.count_tokens(**asked)
        with pytest.raises(anthropic.RateLimitError) as caught:
            client.messages.count_tokens(**asked)
        assert 25 <= int(caught.value.response.headers["retry-after"]) <= 30
        client.messages.create(**ask())


def test_models(client: anthropic.Anthropic) -> None:
    models = list(client.models.list(limit=3))
    assert [model.id for model in models if model.id == HAIKU] == [HAIKU]
    haiku = client.models.retrieve(HAIKU)
    assert (haiku.max_input_tokens, haiku.max_tokens, haiku.lifecycle) == (1_000_000, 128_000, "active")
    assert haiku.capabilities is not None
    assert haiku.capabilities.batch.supported
    assert client.models.retrieve("claude-haiku-4-5-20251001").id == "claude-haiku-4-5"
    for name in ("claude-nobody", "claude-3-5-haiku-20241022"):
        with pytest.raises(anthropic.NotFoundError):
            client.models.retrieve(name)


def test_what_is_answered_is_as_described(sandbox: Running) -> None:
    if not OPENAPI.exists():
        pytest.skip(f"the official description is not beside the repository ({OPENAPI.name})")
    openapi = json.loads(OPENAPI.read_text(encoding="utf-8"))
    headers = {"x-api-key": "k", "anthropic-version": "2023-06-01"}
    with httpx2.Client(verify=False, base_url=sandbox.url, headers=headers) as client:
        tool = {"name": "paint", "input_schema": {"type": "object"}}
        asked = [
            ("Message", client.post("/v1/messages", json=ask())),
            ("Message", client.post("/v1/messages", json=ask(thinking={"type": "adaptive"}, max_tokens=3))),
            ("Message", client.post("/v1/messages", json=ask(tools=[tool], tool_choice={"type": "any"}))),
            ("Message", client.post("/v1/messages", json=ask(metadata={"user_id": "sandbox:refused"}))),
            ("ErrorResponse", client.post("/v1/messages", json=ask(max_tokens=0))),
            ("ListResponse_ModelInfo_", client.get("/v1/models")),
            ("ModelInfo", client.get(f"/v1/models/{HAIKU}")),
        ]
    for schema, answer in asked:
        whole = {"$ref": f"#/components/schemas/{schema}", "components": openapi["components"]}
        value = answer.json()
        if schema == "Message" and value["stop_details"]:
            # Older than two of the categories.
            value["stop_details"]["category"] = None
        jsonschema_rs.Draft202012Validator(whole).validate(value)


def contract(mark: str, lifetime: str) -> list[Any]:
    """A system prompt of some 2,000 tokens, marked for caching."""
    text = f"{mark} " + "The party of the first part. " * 280
    return [{"type": "text", "text": text, "cache_control": {"type": "ephemeral", "ttl": lifetime}}]


@pytest.mark.parametrize("lifetime", ["5m", "1h"])
def test_a_prefix_is_written_once_and_read_by_chance(client: anthropic.Anthropic, lifetime: str) -> None:
    asked = [
        ask(system=contract(lifetime, lifetime), messages=[{"role": "user", "content": f"Clause {n}?"}])
        for n in range(100)
    ]
    usages = [result.message.usage for result in batched(client, *asked)]
    for usage in usages:
        assert usage.cache_creation is not None
        written = getattr(usage.cache_creation, f"ephemeral_{lifetime}_input_tokens")
        assert usage.cache_creation_input_tokens == written
        assert (written > 2000) != ((usage.cache_read_input_tokens or 0) > 2000)
        assert usage.input_tokens < 20
    assert usages[0].cache_read_input_tokens == 0
    assert 40 < sum(bool(usage.cache_read_input_tokens) for usage in usages) < 80


def test_a_warm_prefix_is_nearly_always_read_until_it_is_over(sandbox: Running, client: anthropic.Anthropic) -> None:
    def share_read() -> float:
        asked = [
            ask(system=contract("warm", "1h"), messages=[{"role": "user", "content": f"Clause {n}?"}])
            for n in range(50)
        ]
        messages = batched(client, *asked)
        return sum(bool(result.message.usage.cache_read_input_tokens) for result in messages) / 50

    client.messages.create(**ask(system=contract("warm", "1h")))
    assert share_read() < 0.9, "what a message wrote is not read by a batch"
    assert share_read() > 0.85
    httpx2.post(f"{sandbox.url}/sandbox/clock", json={"advance_s": 7200}).raise_for_status()
    assert share_read() < 0.9


def test_short_prefixes_are_not_cached(client: anthropic.Anthropic) -> None:
    short = [{"type": "text", "text": "Be brief.", "cache_control": {"type": "ephemeral"}}]
    usage = batched(client, ask(system=short))[0].message.usage
    assert (usage.cache_creation_input_tokens, usage.cache_read_input_tokens) == (0, 0)


def test_the_meter_agrees_with_the_lines(sandbox: Running, client: anthropic.Anthropic) -> None:
    httpx2.post(f"{sandbox.url}/sandbox/meter/reset").raise_for_status()
    asked = [
        ask(model=model, system=contract("meter", "1h"), messages=[{"role": "user", "content": f"Clause {n}?"}])
        for n in range(20)
        for model in (HAIKU, SONNET, "claude-haiku-4-5")
    ]
    asked += [ask(inference_geo="us"), ask(max_tokens=0)]
    known = prices.load()
    batch = realtime = 0
    for result in batched(client, *asked):
        if result.type == "succeeded":
            model = known.model(result.message.model)
            assert model is not None
            usage = Usage.of(result.message.usage.model_dump())
            batch += prices.cost(model, usage, batch=True)
            realtime += prices.cost(model, usage, batch=False)
    direct = 0
    for params in (ask(), ask(model=HAIKU)):
        message = client.messages.create(**params)
        model = known.model(message.model)
        assert model is not None
        direct += prices.cost(model, Usage.of(message.usage.model_dump()), batch=False)
    meter = httpx2.get(f"{sandbox.url}/sandbox/meter").json()
    assert meter["batch_nanodollars"] == batch
    assert meter["batch_realtime_nanodollars"] == realtime
    assert meter["direct_nanodollars"] == direct
    assert meter["nanodollars"] == batch + direct
    assert meter["requests_accepted"] == 62
    assert meter["requests_billed"] == 61
    assert meter["messages_billed"] == 2
    assert meter["requests_accepted_twice"] == 0
    assert meter["calls"]["messages"] == {"200": 2}


def test_calls_are_counted_by_workspace(sandbox: Running) -> None:
    def listed(key: str) -> int:
        headers = {"x-api-key": f"sk-sandbox-{key}", "anthropic-version": "2023-06-01"}
        return httpx2.get(f"{sandbox.url}/v1/messages/batches", headers=headers).status_code

    assert [listed("counted"), listed("counted"), listed("beside"), listed("invalid")] == [200, 200, 200, 401]
    meter = httpx2.get(f"{sandbox.url}/sandbox/meter").json()
    assert meter["workspaces"]["wrkspc_sandbox_counted"]["calls"] == {"batches.list": {"200": 2}}
    assert meter["workspaces"]["wrkspc_sandbox_beside"]["calls"] == {"batches.list": {"200": 1}}
    assert meter["calls"]["batches.list"] == {"200": 3, "401": 1}


def test_messages_have_a_limit(tmp_path: Path) -> None:
    with (
        forked_sandbox(tmp_path, "--messages-per-minute", "2") as tight,
        sdk(tight, "k") as client,
    ):
        client.messages.create(**ask())
        client.messages.create(**ask())
        with pytest.raises(anthropic.RateLimitError) as caught:
            client.messages.create(**ask())
        assert 0 < int(caught.value.response.headers["retry-after"]) <= 30
        assert client.messages.batches.list().data == []
