"""What the API checks inside `params`: at once on /v1/messages, after the end in a batch.

Each check yields the error type and message that the caller sees, or nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any, NamedTuple

from overnight_models.money.prices import Model, Prices
from overnight_workers.sandbox.answers import schemas
from overnight_workers.sandbox.clock import SECOND

LONG_OUTPUT_BETA = "output-300k-2026-03-24"
LONG_OUTPUT_TOKENS = 300_000
MAX_MESSAGES = 100_000
_INVALID = "invalid_request_error"
_KNOWN = frozenset(
    [
        "billing_policy",
        "cache_control",
        "compaction",
        "container",
        "context_management",
        "diagnostics",
        "fallback_credit_token",
        "fallbacks",
        "inference_geo",
        "max_tokens",
        "mcp_servers",
        "messages",
        "metadata",
        "model",
        "output_config",
        "service_tier",
        "speed",
        "stop_sequences",
        "stream",
        "system",
        "temperature",
        "thinking",
        "thread",
        "tool_choice",
        "tools",
        "top_k",
        "top_p",
        "user_profile_id",
    ]
)
_SAMPLING = ("temperature", "top_p", "top_k")
_FORCING = ("any", "tool")


class Problem(NamedTuple):
    """What is wrong with a request: the API's error type and message."""

    type: str
    message: str


class Terms(NamedTuple):
    """Under which terms a request is looked at."""

    prices: Prices
    batch: bool
    strict: bool  # API version 2026-10-21
    betas: frozenset[str]
    now_us: int


def problem_of_rest(rest: Mapping[str, object], terms: Terms) -> Problem | None:
    """The first thing that is wrong with a request, its messages apart, as the API would put it."""
    unknown = rest.keys() - _KNOWN
    if unknown:
        return Problem(_INVALID, f"{min(unknown)}: Extra inputs are not permitted")
    name = rest.get("model")
    if not isinstance(name, str) or not name:
        return Problem(_INVALID, "model: Field required" if name is None else "model: Input should be a valid string")
    model = terms.prices.model(name)
    if model is None or ended(model, terms.now_us):
        return Problem("not_found_error", f"model: {name}")
    message = _limits(rest, model, terms)
    if message is not None:
        return Problem(_INVALID, message)
    for key in rest:
        check = _CHECKS.get(key)
        message = None if check is None else check(rest, model, terms)
        if message is not None:
            return Problem(_INVALID, message)
    return None


def ended(model: Model, now_us: int) -> bool:
    """Whether a model's life is over."""
    return model.end_of_life is not None and datetime.fromtimestamp(now_us // SECOND, UTC).date() > model.end_of_life


def _limits(params: Mapping[str, object], model: Model, terms: Terms) -> str | None:
    max_tokens = params.get("max_tokens")
    if not isinstance(max_tokens, int) or isinstance(max_tokens, bool):
        return "max_tokens: Field required" if max_tokens is None else "max_tokens: Input should be a valid integer"
    if max_tokens < 1:
        return "max_tokens: Input should be greater than or equal to 1"
    limit = model.max_output_tokens
    if terms.batch and model.long_output and LONG_OUTPUT_BETA in terms.betas:
        limit = LONG_OUTPUT_TOKENS
    if max_tokens > limit:
        return (
            f"max_tokens: {max_tokens} > {limit}, which is the maximum allowed number of output tokens for {model.name}"
        )
    return None


def problem_of_messages(messages: object, model: Model, *, strict: bool) -> str | None:
    """The first thing that is wrong with the messages."""
    if not isinstance(messages, list):
        return "messages: Field required" if messages is None else "messages: Input should be a valid list"
    if not messages:
        return "messages: at least one message is required"
    if len(messages) > MAX_MESSAGES:
        return f"messages: List should have at most {MAX_MESSAGES} items after validation"
    for number, message in enumerate(messages):
        if not isinstance(message, dict):
            return f"messages.{number}: Input should be a valid dictionary or object"
        role = message.get("role")
        if role != "user":
            if role not in ("assistant", "system"):
                return f"messages.{number}.role: Input should be 'user', 'assistant' or 'system'"
            if number == 0:
                return 'messages: first message must use the "user" role'
        content = message.get("content")
        if not isinstance(content, str):
            problem = _blocks(content, f"messages.{number}.content", role, strict=strict)
            if problem is not None:
                return problem
        elif not content.strip() and (role != "assistant" or number < len(messages) - 1):
            return f"messages.{number}: all messages must have non-empty content"
    if messages[-1]["role"] == "assistant" and "prefill" in model.rejects:
        return "This model does not support assistant message prefill. The conversation must end with a user message."
    return None


def _blocks(content: object, where: str, role: str, *, strict: bool) -> str | None:
    if not isinstance(content, list):
        return f"{where}: Field required" if content is None else f"{where}: Input should be a valid list"
    if not content:
        return f"{where}: at least one content block is required"
    for number, block in enumerate(content):
        if not isinstance(block, dict) or not isinstance(block.get("type"), str):
            return f"{where}.{number}.type: Field required"
        type_ = block["type"]
        if type_ == "text":
            text = block.get("text")
            if not isinstance(text, str):
                return f"{where}.{number}.text.text: Field required"
            if not text.strip():
                return f"{where}.{number}: text content blocks must contain non-whitespace text"
            if strict and role == "user" and block.get("citations"):
                return f"{where}.{number}.text.citations: Extra inputs are not permitted"
        elif strict and type_ == "document" and role == "assistant":
            return f"{where}.{number}: document blocks are not permitted in assistant messages"
    return None


def _sampling(params: Mapping[str, object], _model: Model, terms: Terms) -> str | None:
    key = next(key for key in _SAMPLING if key in params)
    value = params[key]
    if terms.strict:
        return f"{key}: Extra inputs are not permitted"
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return f"{key}: Input should be a valid number"
    if value < 0 or (key != "top_k" and value > 1):
        return f"{key}: range: 0..1"
    return None


def _stream(params: Mapping[str, object], _model: Model, terms: Terms) -> str | None:
    if not isinstance(params["stream"], bool | None):
        return "stream: Input should be a valid boolean"
    if params["stream"] and terms.batch:
        return "stream: streaming is not supported in batch requests"
    return None


def _speed(params: Mapping[str, object], _model: Model, terms: Terms) -> str | None:
    if terms.batch:
        return "speed: fast mode is not supported in batch requests"
    return None if params["speed"] in ("standard", "fast") else "speed: Input should be 'standard' or 'fast'"


def _fallbacks(_params: Mapping[str, object], _model: Model, terms: Terms) -> str | None:
    return "fallbacks: not supported in batch requests" if terms.batch else None


def _billing_policy(params: Mapping[str, object], _model: Model, terms: Terms) -> str | None:
    policy = params["billing_policy"]
    if terms.batch and isinstance(policy, dict) and policy.get("bill_to") == "user_profile":
        return "billing_policy.bill_to: user_profile is not supported in batch requests"
    return None


def _geography(params: Mapping[str, object], model: Model, _terms: Terms) -> str | None:
    geo = params["inference_geo"]
    if geo is None or geo == "global":
        return None
    if not model.geography:
        return f"inference_geo: not supported by {model.name}"
    return None if geo in model.geography else f"inference_geo: '{geo}' is not a known geography"


def _thinking(params: Mapping[str, object], model: Model, terms: Terms) -> str | None:
    thinking = params["thinking"]
    thinking = thinking if isinstance(thinking, dict) else {}
    type_ = thinking.get("type")
    if type_ not in ("enabled", "disabled", "adaptive"):
        return "thinking: Input tag does not match any of the expected tags: 'adaptive', 'disabled', 'enabled'"
    if f"thinking_{type_}" in model.rejects:
        return f'thinking.type: "{type_}" is not supported by {model.name}; use "adaptive"'
    if type_ == "enabled":
        budget = thinking.get("budget_tokens")
        if not isinstance(budget, int) or budget < 1024:
            return "thinking.enabled.budget_tokens: Input should be greater than or equal to 1024"
        interleaved = any(beta.startswith("interleaved-thinking") for beta in terms.betas)
        max_tokens = params["max_tokens"]
        if isinstance(max_tokens, int) and budget >= max_tokens and not interleaved:
            return "max_tokens: must be greater than thinking.budget_tokens"
    return None


def _tools(params: Mapping[str, object], _model: Model, _terms: Terms) -> str | None:
    tools = params["tools"]
    if not isinstance(tools, list):
        return "tools: Input should be a valid list"
    names = set()
    for number, tool in enumerate(tools):
        name = _name_of(tool) if isinstance(tool, dict) else None
        if not isinstance(name, str) or not 0 < len(name) <= 128:
            return f"tools.{number}.name: Field required"
        if name in names:
            return "tools: Tool names must be unique."
        names.add(name)
        schema = tool.get("input_schema")
        if tool.get("type", "custom") == "custom" and not (isinstance(schema, dict) and schema.get("type") == "object"):
            return f"tools.{number}.custom.input_schema.type: Input should be 'object'"
    return None


def _name_of(tool: Mapping[str, object]) -> object:
    """A tool's name; a set of tools goes by its server's, or by its own type."""
    if "toolset" not in str(tool.get("type")):
        return tool.get("name")
    return tool.get("mcp_server_name") if tool["type"] == "mcp_toolset" else tool["type"]


def _tool_choice(params: Mapping[str, Any], model: Model, terms: Terms) -> str | None:
    choice = params["tool_choice"]
    type_ = choice.get("type") if isinstance(choice, dict) else None
    if type_ not in ("auto", "none", *_FORCING):
        return "tool_choice: Input tag does not match any of the expected tags: 'any', 'auto', 'none', 'tool'"
    if type_ in _FORCING and "forced_tools" in model.rejects:
        return f'tool_choice: "{type_}" is not supported by {model.name}; use "auto"'
    tools = params.get("tools", [])
    if (problem := _tools({"tools": tools}, model, terms)) is not None:
        return problem
    if type_ in _FORCING and not tools:
        return "tool_choice: may only be specified while providing tools."
    if type_ == "tool" and all(tool.get("name") != choice.get("name") for tool in tools):
        return f"tool_choice: Tool '{choice.get('name')}' not found in provided tools"
    return None


def _output_config(params: Mapping[str, object], _model: Model, _terms: Terms) -> str | None:
    config = params["output_config"]
    if not isinstance(config, dict):
        return "output_config: Input should be a valid dictionary or object"
    format_ = config.get("format")
    if format_ is None:
        return None
    if not isinstance(format_, dict) or format_.get("type") != "json_schema":
        return "output_config.format.type: Input should be 'json_schema'"
    if not isinstance(format_.get("schema"), dict):
        return "output_config.format.schema: Field required"
    return schemas.problem_of(format_["schema"])


def _metadata(params: Mapping[str, object], _model: Model, _terms: Terms) -> str | None:
    metadata = params["metadata"]
    if not isinstance(metadata, dict):
        return "metadata: Input should be a valid dictionary or object"
    user = metadata.get("user_id")
    if user is not None and not isinstance(user, str):
        return "metadata.user_id: Input should be a valid string"
    if user is not None and len(user) > 512:
        return "metadata.user_id: String should have at most 512 characters"
    return None


def _system(params: Mapping[str, object], _model: Model, terms: Terms) -> str | None:
    system = params["system"]
    return None if isinstance(system, str) else _blocks(system, "system", "system", strict=terms.strict)


def _stop_sequences(params: Mapping[str, object], _model: Model, _terms: Terms) -> str | None:
    stops = params["stop_sequences"]
    if not isinstance(stops, list) or not all(isinstance(stop, str) for stop in stops):
        return "stop_sequences: Input should be a valid list of strings"
    if any(not stop.strip() for stop in stops):
        return "stop_sequences: each stop sequence must contain non-whitespace"
    return None


def _service_tier(params: Mapping[str, object], _model: Model, _terms: Terms) -> str | None:
    known = params["service_tier"] in ("auto", "standard_only")
    return None if known else "service_tier: Input should be 'auto' or 'standard_only'"


_CHECKS: dict[str, Callable[[Mapping[str, object], Model, Terms], str | None]] = {
    **dict.fromkeys(_SAMPLING, _sampling),
    "stream": _stream,
    "speed": _speed,
    "fallbacks": _fallbacks,
    "billing_policy": _billing_policy,
    "inference_geo": _geography,
    "thinking": _thinking,
    "tools": _tools,
    "tool_choice": _tool_choice,
    "output_config": _output_config,
    "metadata": _metadata,
    "system": _system,
    "stop_sequences": _stop_sequences,
    "service_tier": _service_tier,
}
