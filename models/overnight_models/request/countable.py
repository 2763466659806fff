"""What `count_tokens` counts of a request, and what it refuses although batches take it.

Refused are the tools that Anthropic runs (the advisor apart), the MCP connector, and images, documents and files that
are named by URL or by file id. Source: the API's page on token counting.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final, NamedTuple

_SERVER_TOOLS: Final = ("web_search", "web_fetch", "code_execution", "tool_search_tool")
_BY_NAME: Final = ("url", "file")
"""Types of a source whose content isn't in the request."""
_TELLING: Final = re.compile(
    rb'"mcp_servers"|"type"\s*:\s*"(url|file|container_upload|mcp_toolset|web_search|web_fetch|code_execution'
    rb"|tool_search_tool)"
)
_NOTHING: Final = {"type": "text", "text": "."}
"""What stands where a message would be left without content."""


class Countable(NamedTuple):
    """A request, divided."""

    rest: dict[str, object]
    """What can be counted: the request itself where that is all of it."""
    left_out: tuple[str, ...]
    """What can't be counted, each kind once; empty for most requests."""


def may_hold_uncountable(document: bytes) -> bool:
    """Whether a part of a request, as JSON, may hold what can't be counted: a cheap look. Its no is always right."""
    return _TELLING.search(document) is not None


def is_plain(params: Mapping[str, object]) -> bool:
    """Whether a request is texts alone, without tools, as most are: then all of it can be counted."""
    if "tools" in params or "mcp_servers" in params or isinstance(params.get("system"), list):
        return False
    messages = params.get("messages")
    if not isinstance(messages, list):
        return False
    for message in messages:
        if not isinstance(message, dict) or not isinstance(message.get("content"), str):
            return False
    return True


def divide(params: Mapping[str, object]) -> Countable:
    """A request without what can't be counted. It may be anything JSON; the given one is left as it is."""
    left_out: dict[str, None] = {}
    rest = dict(params)
    tools = params.get("tools")
    if isinstance(tools, list):
        kept = [tool for tool in tools if not _is_left_out(_of_tool(tool), left_out)]
        if len(kept) < len(tools):
            # what is deferred is loaded by a tool that searches: it is in no prompt from the start
            rest["tools"] = [tool for tool in kept if not (isinstance(tool, Mapping) and tool.get("defer_loading"))]
            rest.pop("tool_choice", None)
            if not rest["tools"]:
                del rest["tools"]
    if params.get("mcp_servers"):
        left_out["mcp_servers"] = None
        del rest["mcp_servers"]
    for name in ("system", "messages"):
        parts = params.get(name)
        if isinstance(parts, list):
            rest[name] = [_without(part, left_out, whole=name == "messages") for part in parts]
    return Countable(rest, tuple(left_out)) if left_out else Countable(dict(params), ())


def _of_tool(tool: object) -> str | None:
    """The kind of a tool that can't be counted; None for others."""
    kind = tool.get("type") if isinstance(tool, Mapping) else None
    is_uncountable = isinstance(kind, str) and (kind.startswith(_SERVER_TOOLS) or kind == "mcp_toolset")
    return f"the tool {kind}" if is_uncountable else None


def _of_block(block: object) -> str | None:
    """The kind of a block that can't be counted; None for others."""
    if not isinstance(block, Mapping):
        return None
    source, kind = block.get("source"), block.get("type")
    if isinstance(source, Mapping) and source.get("type") in _BY_NAME:
        return f"{kind} blocks by {source['type']}"
    return "container_upload blocks" if kind == "container_upload" else None


def _is_left_out(kind: str | None, left_out: dict[str, None]) -> bool:
    if kind is not None:
        left_out[kind] = None
    return kind is not None


def _without(part: object, left_out: dict[str, None], *, whole: bool) -> object:
    """A message or a block without the blocks inside that can't be counted. whole: it may not be left empty."""
    if not isinstance(part, Mapping):
        return part
    source = part.get("source")
    if isinstance(source, Mapping) and isinstance(source.get("content"), list):
        part = {**part, "source": _without(source, left_out, whole=True)}
    content = part.get("content")
    if not isinstance(content, list):
        return part
    kept = [_without(block, left_out, whole=False) for block in content if not _is_left_out(_of_block(block), left_out)]
    if len(kept) < len(content) and not kept and whole:
        kept = [_NOTHING]
    return {**part, "content": kept}
