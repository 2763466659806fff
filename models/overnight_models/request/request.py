"""What a request must be to go into a batch, checked before anything is paid.

The API validates `params` only after the whole batch has ended, so what can be known earlier is told earlier:
at enqueue, and again at accept (another language may have enqueued). Source of the rules: the Message Batches
guide and the migration notes of API version 2026-10-21.
"""

from __future__ import annotations

import difflib
from collections.abc import Collection, Mapping
from typing import Final

from overnight_models.request.quoted import quoted

LATEST_API_VERSION: Final = "2026-10-21"
API_VERSIONS: Final = ("2023-06-01", LATEST_API_VERSION)

MAX_BATCH_ITEMS: Final = 100_000
MAX_BATCH_BYTES: Final = 256_000_000

_NOT_IN_A_BATCH: Final = {
    "stream": "a batch can't stream: leave `stream` out",
    "speed": "fast mode is not available in batches: leave `speed` out",
    "fallbacks": "batches refuse `fallbacks`: leave it out",
    "store": "batches refuse `store`: leave it out",
    "previous_thread_event_id": "batches refuse `previous_thread_event_id`: leave it out",
    "cache_hint": "batches refuse `cache_hint`: leave it out",
    "context_hint": "batches refuse `context_hint`: leave it out",
    "betas": "`betas` is no request parameter: pass `betas=[...]` beside `params`",
    "extra_headers": "`extra_headers` belongs to the SDK's call, not to the request: leave it out",
    "extra_body": "`extra_body` belongs to the SDK's call: put its fields into `params` itself",
    "timeout": "`timeout` belongs to the SDK's call, not to the request: leave it out",
}
PARAMETERS: Final = frozenset(
    {
        *("billing_policy", "cache_control", "compaction", "container", "context_management", "diagnostics"),
        *("fallback_credit_token", "inference_geo", "max_tokens", "mcp_servers", "messages", "metadata", "model"),
        *("output_config", "service_tier", "stop_sequences", "system", "temperature", "thinking", "thread"),
        *("tool_choice", "tools", "top_k", "top_p", "user_profile_id"),
        *_NOT_IN_A_BATCH,
    }
)
"""What the API takes, and what is refused here by its own words."""
_SAMPLING: Final = ("temperature", "top_p", "top_k")
_UNSUSPECTED: Final = PARAMETERS - {*_NOT_IN_A_BATCH, *_SAMPLING, "thinking"}
"""Parameters that are never a fault by their name, as most requests have no others."""
_MAPPING: Final = (dict, Mapping)
"""For isinstance, which looks at a dict's own type soon, and takes five times as long for Mapping alone."""
_NONE: Final[frozenset[str]] = frozenset()
_NEAR: Final = 0.85
"""How alike a name has to be to a known one to be taken for a slip of the pen: `max_token`, `messsages`."""
ROLES: Final = ("user", "assistant", "system")
_INTERLEAVED: Final = "interleaved-thinking"
"""With this beta thinking may have more tokens than an answer."""
_MOST_TOKENS: Final = 1_000_000
"""More than any model answers."""


def faults(
    params: object,
    *,
    models: Collection[str] | None,
    api_version: str,
    betas: Collection[str] = (),
    names_model: bool = True,
) -> list[str]:
    """Everything that is known to be wrong with a request, one sentence each, saying what to do.

    models: the model names that have a price; None when they aren't known here.
    names_model: False where its lane chooses a model for a request that leaves `model` out.
    """
    if not isinstance(params, _MAPPING):
        return [f"`params` must be a dict as for client.messages.create(**params), not {type(params).__name__}"]
    named = [] if _UNSUSPECTED.issuperset(params) else _faults_by_name(params, api_version, betas)
    of_model = [] if not names_model and "model" not in params else _model_faults(params, models)
    return [*named, *of_model, *_max_tokens_faults(params), *_messages_faults(params)]


def _faults_by_name(params: Mapping[str, object], api_version: str, betas: Collection[str]) -> list[str]:
    """What is wrong with parameters that not every request has."""
    faults = [why for name, why in _NOT_IN_A_BATCH.items() if params.get(name) not in (None, False)]
    if api_version == LATEST_API_VERSION:
        faults += [
            f"API version {api_version} has no `{name}`: leave it out, or set the lane's api_version to 2023-06-01"
            for name in _SAMPLING
            if name in params
        ]
    return faults + _slips(params) + _thinking_faults(params, betas)


def unknown_parameters(params: Mapping[str, object]) -> frozenset[str]:
    """Names that the API wasn't known to take when this version was made."""
    return _NONE if PARAMETERS.issuperset(params) else frozenset(params.keys() - PARAMETERS)


def _slips(params: Mapping[str, object]) -> list[str]:
    """Unknown parameters that are nearly the name of a known one. Others are sent: the API may take them by now."""
    slips = []
    for name in sorted(map(str, unknown_parameters(params))):
        near = difflib.get_close_matches(name, PARAMETERS, n=1, cutoff=_NEAR)
        if near:
            slips.append(f"unknown parameter `{name}`: did you mean `{near[0]}`?")
    return slips


def _thinking_faults(params: Mapping[str, object], betas: Collection[str]) -> list[str]:
    thinking, max_tokens = params.get("thinking"), params.get("max_tokens")
    budget = thinking.get("budget_tokens") if isinstance(thinking, Mapping) else None
    if not isinstance(budget, int) or not isinstance(max_tokens, int) or budget < max_tokens:
        return []
    if any(str(beta).startswith(_INTERLEAVED) for beta in betas):
        return []
    return [f"`thinking.budget_tokens` ({budget:,}) must be below `max_tokens` ({max_tokens:,}), which it is a part of"]


def _model_faults(params: Mapping[str, object], models: Collection[str] | None) -> list[str]:
    model = params.get("model")
    if not isinstance(model, str) or not model:
        return ["`model` is missing: name one, such as claude-haiku-5-5"]
    return unknown_model(params, models)


def unknown_model(params: Mapping[str, object], models: Collection[str] | None) -> list[str]:
    """The fault of naming a model that isn't among these; none if they aren't known, or no model is named."""
    model = params.get("model")
    if models is None or not isinstance(model, str) or not model or model in models:
        return []
    near = difflib.get_close_matches(model, models, n=3)
    hint = f"did you mean {' or '.join(near)}?" if near else f"known are {', '.join(sorted(models))}"
    return [f"unknown model {quoted(model)}: {hint}"]


def _max_tokens_faults(params: Mapping[str, object]) -> list[str]:
    if "max_tokens" not in params:
        return ["`max_tokens` is missing: say how long an answer may get, such as 1024"]
    limit = params["max_tokens"]
    if not isinstance(limit, int) or isinstance(limit, bool) or not 1 <= limit <= _MOST_TOKENS:
        return [f"`max_tokens` must be a whole number from 1 to {_MOST_TOKENS:,} in a batch, not {quoted(limit)}"]
    return []


def _messages_faults(params: Mapping[str, object]) -> list[str]:
    messages = params.get("messages")
    if not isinstance(messages, (list, tuple)) or not messages:
        return ["`messages` is missing or empty: it needs at least one user message"]
    for position, message in enumerate(messages):
        if not isinstance(message, _MAPPING) or "role" not in message or "content" not in message:
            return [f"`messages[{position}]` must be a dict with `role` and `content`"]
        role = message["role"]
        if role not in ROLES:
            near = difflib.get_close_matches(str(role), ROLES, n=1)
            hint = f"did you mean {near[0]!r}?" if near else f"known are {', '.join(ROLES)}"
            return [f"`messages[{position}]` has the unknown role {quoted(role)}: {hint}"]
        # an answer that is begun for the model may be empty
        is_begun = role == "assistant" and position == len(messages) - 1
        empty = None if is_begun else _empty(message["content"])
        if empty is not None:
            return [f"`messages[{position}]` {empty}: leave it out, or say something"]
    return []


def _empty(content: object) -> str | None:
    """What the API finds empty in a message's content; None when nothing is."""
    if isinstance(content, str):
        return "is empty" if not content or content.isspace() else None
    if not isinstance(content, (list, tuple)):
        return None
    if not content:
        return "has no content"
    for number, block in enumerate(content):
        text = block.get("text") if isinstance(block, _MAPPING) and block.get("type") == "text" else None
        if isinstance(text, str) and (not text or text.isspace()):
            return f"has an empty text in `content[{number}]`"
    return None
