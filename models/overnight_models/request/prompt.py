"""A prompt taken apart: its pieces in the order in which the API caches them, and how much text is in each."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final, NamedTuple

from overnight_models import exact_json
from overnight_models.money.forecast import Lifetime

_CLOSING: Final = {"role": "user", "content": "."}
"""What a prompt is ended with that was cut off before its end."""

COUNTED: Final = (
    "model",
    "messages",
    "system",
    "tools",
    "tool_choice",
    "thinking",
    "output_config",
    "cache_control",
    "mcp_servers",
    "context_management",
)
"""What count_tokens takes; everything else of a request costs no tokens, and is an error there."""
_CHECKED: Final = tuple(name for name in COUNTED if name not in ("messages", "system"))
_RARE: Final = frozenset(_CHECKED) - {"model"}
"""Most requests have none of them."""


class Piece(NamedTuple):
    """A tool, a block of the system prompt, or a block of a message."""

    content: bytes
    """The same for pieces that are the same to a cache."""
    size: int
    """Bytes of text; images and documents have none, since their bytes say nothing about their tokens."""
    media: bool
    """There is an image or a document in it."""
    mark: Lifetime | None
    """The caller's own cache_control."""


def pieces(params: Mapping[str, object]) -> Iterator[Piece]:
    """The pieces of a prompt, tools first. What isn't as the API wants it counts as text."""
    for tool in _list(params.get("tools")):
        yield _piece(b"tool", tool)
    yield from _pieces_of(b"system", params.get("system"))
    for message in _list(params.get("messages")):
        if isinstance(message, Mapping):
            yield from _pieces_of(str(message.get("role")).encode(), message.get("content"))


def counted(params: Mapping[str, object]) -> dict[str, object]:
    """The part of a request that count_tokens takes."""
    return {name: params[name] for name in COUNTED if name in params}


def shape_of(params: Mapping[str, object]) -> bytes:
    """What is checked of a request beside its text: equal for requests that the API takes or refuses alike."""
    names = ("model",) if _RARE.isdisjoint(params) else _CHECKED
    return exact_json.dumps({name: params[name] for name in names if name in params})


def head(params: Mapping[str, object], length: int) -> dict[str, object]:
    """The first so many pieces of a prompt, as a request whose tokens can be counted; compare it with `nothing`."""
    tools, system = _list(params.get("tools")), params.get("system")
    blocks = system if isinstance(system, list) else [system] if system is not None else []
    cut = nothing(params)
    if tools:
        cut["tools"] = tools[:length]
        length -= min(length, len(tools))
    if blocks and length > 0:
        cut["system"] = system if isinstance(system, str) else blocks[:length]
        length -= min(length, len(blocks))
    messages = []
    for message in _list(params.get("messages")):
        if length <= 0:
            break
        if not isinstance(message, Mapping):
            continue
        content = message.get("content")
        messages.append({**message, "content": content[:length]} if isinstance(content, list) else message)
        length -= min(length, len(content)) if isinstance(content, list) else 1
    return cut | {"messages": [*messages, _CLOSING]}


def nothing(params: Mapping[str, object]) -> dict[str, object]:
    """A request to the same model that says nothing."""
    return {"model": params["model"], "messages": [_CLOSING]}


def _pieces_of(place: bytes, content: object) -> Iterator[Piece]:
    if isinstance(content, str):
        # to a cache, a string is the block that it stands for
        yield _piece(place, {"type": "text", "text": content})
        return
    for block in _list(content):
        yield _piece(place, block)


def _piece(place: bytes, block: object) -> Piece:
    size, media = _weight(block)
    mark: Lifetime | None = None
    control = block.get("cache_control") if isinstance(block, Mapping) else None
    if isinstance(control, Mapping):
        mark = "1h" if control.get("ttl") == "1h" else "5m"
    return Piece(place + exact_json.dumps(block), size, media, mark)


def _weight(block: object) -> tuple[int, bool]:
    if not isinstance(block, Mapping):
        return len(exact_json.dumps(block)), False
    kind, source = block.get("type"), block.get("source")
    if kind == "text" and isinstance(block.get("text"), str):
        text = block["text"]
        return len(text) if text.isascii() else len(text.encode(errors="replace")), False
    if kind in ("image", "document") and isinstance(source, Mapping) and source.get("type") != "text":
        return 0, True
    if isinstance(block.get("content"), list):
        inner = [_weight(part) for part in block["content"]]
        return sum(size for size, _ in inner), any(media for _, media in inner)
    return len(exact_json.dumps(block)), False


def _list(value: object) -> list[object]:
    return value if isinstance(value, list) else []
