"""A breakpoint of the prompt cache: which block of a request may bear one.

The API turns a whole request down for one breakpoint in the wrong place, so a kind of block that isn't known here
bears none. Source of the kinds: the API's description, and its pages on caching and on tool search.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final, Literal

_BEARING: Final = frozenset(
    {
        "advisor_tool_result",
        "bash_code_execution_tool_result",
        "browser_state",
        "code_execution_tool_result",
        "compaction",
        "container_upload",
        "document",
        "image",
        "mcp_tool_result",
        "mcp_tool_use",
        "search_result",
        "server_tool_use",
        "text",
        "text_editor_code_execution_tool_result",
        "tool_reference",
        "tool_result",
        "tool_search_tool_result",
        "tool_use",
        "web_fetch_tool_result",
        "web_search_tool_result",
    }
)
"""Kinds of blocks in messages and in `system` that may bear one: thoughts, for instance, may not."""


def mark_last(fields: Mapping[str, object], lifetime: Literal["5m", "1h"]) -> bool:
    """Mark the last block that may bear a breakpoint; False where none may, and then nothing is changed.

    fields: `tools`, `system` and `messages` of a request, or some of them; changed in place. A text that is marked
    becomes the block that it stands for.
    """
    for holder, key, content in _backwards(fields):
        is_text = isinstance(content, str) and key != "tools"
        block = {"type": "text", "text": content} if is_text else content
        if isinstance(block, dict) and (may_load(block) if key == "tools" else may_bear(block)):
            block["cache_control"] = {"type": "ephemeral", "ttl": lifetime}
            if is_text:
                holder[key] = [block]
            return True
    return False


def may_bear(block: Mapping[str, object]) -> bool:
    """Whether a block of a message or of `system` may bear a breakpoint: it is of a known kind, and no blank text."""
    kind, text = block.get("type"), block.get("text")
    return (
        isinstance(kind, str)
        and kind in _BEARING
        and not (kind == "text" and not (isinstance(text, str) and text.strip()))
    )


def may_load(tool: Mapping[str, object]) -> bool:
    """Whether a tool may bear a breakpoint: it is in the prompt from the start.

    A deferred tool isn't. A toolset expands into several tools, and the breakpoint goes to the last of them, which may
    be any: so one deferred or disabled tool is enough.
    """
    configs = tool.get("configs")
    listed = configs.values() if isinstance(configs, Mapping) else configs if isinstance(configs, list) else ()
    every = [tool, tool.get("default_config"), *listed]
    return not any(
        isinstance(part, Mapping) and (part.get("defer_loading") or part.get("enabled") is False) for part in every
    )


def _backwards(fields: Mapping[str, object]) -> Iterator[tuple[dict[str, object], str, object]]:
    """The blocks of a request from its end, each with what holds it and under which name; a text is one block."""
    messages = fields.get("messages")
    holders = [(message, "content") for message in reversed(messages)] if isinstance(messages, list) else []
    for holder, key in [*holders, (fields, "system"), (fields, "tools")]:
        blocks = holder.get(key) if isinstance(holder, dict) else None
        for block in reversed(blocks) if isinstance(blocks, list) else [blocks] if isinstance(blocks, str) else ():
            yield holder, key, block
