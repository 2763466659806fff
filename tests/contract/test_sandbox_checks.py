"""What the sandbox refuses of a request, as the API does: at once as a message, in the results of a batch."""

from collections.abc import Iterator
from itertools import count
from typing import Any

import anthropic
import pytest

from overnight_workers.sandbox.process import Running
from tests.contract.calling import ask, batched, sdk
from tests.sandboxes import forked_sandbox

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


_MARK = {"type": "ephemeral"}
WRONG: list[tuple[str, dict[str, Any], str]] = [
    ("model", {"model": "claude-nobody"}, "model: claude-nobody"),
    ("retired", {"model": "claude-3-5-haiku-20241022"}, "model: claude-3-5-haiku-20241022"),
    ("no model", {"model": None}, "model: Field required"),
    ("max_tokens 0", {"max_tokens": 0}, "max_tokens: Input should be greater than or equal to 1"),
    ("max_tokens", {"max_tokens": 128_001}, "max_tokens: 128001 > 128000, which is the maximum allowed number"),
    ("no max_tokens", {"max_tokens": None}, "max_tokens: Field required"),
    ("temperature", {"temperature": 1.0}, "temperature: Extra inputs are not permitted"),
    ("top_k", {"top_k": 5}, "top_k: Extra inputs are not permitted"),
    ("betas", {"betas": ["x"]}, "betas: Extra inputs are not permitted"),
    ("no messages", {"messages": []}, "at least one message is required"),
    ("role", {"messages": [{"role": "robot", "content": "x"}]}, "messages.0.role"),
    ("assistant first", {"messages": [{"role": "assistant", "content": "x"}]}, 'must use the "user" role'),
    ("empty", {"messages": [{"role": "user", "content": ""}]}, "non-empty content"),
    ("blank", {"messages": [{"role": "user", "content": " \n"}]}, "non-empty content"),
    (
        "empty block",
        {"messages": [{"role": "user", "content": [{"type": "text", "text": ""}]}]},
        "must contain non-whitespace",
    ),
    (
        "prefill",
        {"messages": [{"role": "user", "content": "x"}, {"role": "assistant", "content": "y"}]},
        "assistant message prefill",
    ),
    (
        "citations",
        {"messages": [{"role": "user", "content": [{"type": "text", "text": "x", "citations": [{}]}]}]},
        "citations: Extra inputs",
    ),
    ("thinking enabled", {"thinking": {"type": "enabled", "budget_tokens": 2000}}, "thinking.type"),
    ("always thinking", {"model": "claude-opus-5-5", "thinking": {"type": "disabled"}}, "thinking.type"),
    (
        "forced tool",
        {
            "model": "claude-opus-5-5",
            "tools": [{"name": "a", "input_schema": {"type": "object"}}],
            "tool_choice": {"type": "any"},
        },
        "tool_choice",
    ),
    ("tool schema", {"tools": [{"name": "a", "input_schema": {"type": "string"}}]}, "tools.0.custom.input_schema.type"),
    ("missing tool", {"tools": [], "tool_choice": {"type": "tool", "name": "a"}}, "tool_choice"),
    ("geography", {"model": "claude-haiku-4-5", "inference_geo": "us"}, "inference_geo"),
    ("format", {"output_config": {"format": {"type": "xml"}}}, "output_config.format.type"),
    ("schema", {"output_config": {"format": {"type": "json_schema", "schema": {"enum": []}}}}, "can't fit this schema"),
    ("metadata", {"metadata": {"user_id": 5}}, "metadata.user_id"),
    ("service tier", {"service_tier": "batch"}, "service_tier"),
    (
        "five breakpoints",
        {"system": [{"type": "text", "text": "x", "cache_control": {"type": "ephemeral"}}] * 5},
        "A maximum of 4 blocks with cache_control",
    ),
    (
        "short before long",
        {
            "system": [
                {"type": "text", "text": "x", "cache_control": {"type": "ephemeral"}},
                {"type": "text", "text": "x", "cache_control": {"type": "ephemeral", "ttl": "1h"}},
            ]
        },
        "ttl",
    ),
    (
        "breakpoint on a deferred tool",
        {
            "tools": [
                {"name": "a", "input_schema": {"type": "object"}, "defer_loading": True, "cache_control": _MARK},
            ]
        },
        "tools.0: Tool 'a' cannot have both defer_loading=true and cache_control set",
    ),
    (
        "breakpoint on a deferred toolset",
        {
            "tools": [
                {
                    "type": "mcp_toolset",
                    "mcp_server_name": "a",
                    "default_config": {"defer_loading": True},
                    "cache_control": _MARK,
                },
            ]
        },
        "cannot have both defer_loading=true and cache_control set",
    ),
    (
        "breakpoint on a thought",
        {
            "messages": [
                {"role": "user", "content": "x"},
                {"role": "assistant", "content": [{"type": "thinking", "thinking": "x", "cache_control": _MARK}]},
                {"role": "user", "content": "x"},
            ]
        },
        "messages.1.content.0.thinking.cache_control: Extra inputs are not permitted",
    ),
]


@pytest.mark.parametrize(("change", "complaint"), [row[1:] for row in WRONG], ids=[row[0] for row in WRONG])
def test_what_is_wrong_shows_at_once_or_in_the_results(
    client: anthropic.Anthropic, change: dict[str, Any], complaint: str
) -> None:
    params = {key: value for key, value in {**ask(), **change}.items() if value is not None}
    with pytest.raises(anthropic.APIStatusError) as caught:
        client.post("/v1/messages", cast_to=object, body=params)
    assert caught.value.status_code in (400, 404)
    assert complaint in str(caught.value)
    good, result = batched(client, ask(), params)
    assert good.type == "succeeded"
    assert result.type == "errored"
    assert result.error.error.type in ("invalid_request_error", "not_found_error")
    assert complaint in result.error.error.message


@pytest.mark.parametrize("change", [{"stream": True}, {"speed": "fast"}, {"fallbacks": []}])
def test_what_batches_do_not_take(client: anthropic.Anthropic, change: dict[str, Any]) -> None:
    (result,) = batched(client, ask(**change))
    assert result.type == "errored"
    assert next(iter(change)) in result.error.error.message


def test_a_beta_raises_max_tokens_in_batches(client: anthropic.Anthropic) -> None:
    beta = {"anthropic-beta": "output-300k-2026-03-24"}
    assert batched(client, ask(max_tokens=300_000), headers=beta)[0].type == "succeeded"
    assert batched(client, ask(max_tokens=300_001), headers=beta)[0].type == "errored"
    assert batched(client, ask(max_tokens=300_000))[0].type == "errored"


@pytest.mark.parametrize(
    ("more", "words"),
    [
        ({"tools": [{"type": "web_search_20260318", "name": "web_search"}]}, "Server tools are not supported"),
        ({"tools": [{"type": "mcp_toolset", "mcp_server_name": "m"}]}, "MCP servers are not supported"),
        (
            {"messages": [{"role": "user", "content": [{"type": "image", "source": {"type": "url", "url": "u"}}]}]},
            "URL sources are not supported in the token counting endpoint",
        ),
        (
            {
                "messages": [
                    {
                        "role": "user",
                        "content": [
                            {
                                "type": "tool_result",
                                "content": [{"type": "document", "source": {"type": "file", "file_id": "f"}}],
                            }
                        ],
                    }
                ]
            },
            "File sources are not supported in the token counting endpoint",
        ),
    ],
)
def test_what_messages_take_and_counting_does_not_is_refused_by_the_count_alone(
    client: anthropic.Anthropic, more: dict[str, Any], words: str
) -> None:
    asked = {**ask(), **more}
    client.post("/v1/messages", cast_to=object, body=asked)
    asked.pop("max_tokens")
    with pytest.raises(anthropic.BadRequestError, match=words):
        client.post("/v1/messages/count_tokens", cast_to=object, body=asked)
