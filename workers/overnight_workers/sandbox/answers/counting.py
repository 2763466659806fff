"""What count_tokens doesn't count, although messages and batches take it; in the API's words."""

from __future__ import annotations

from collections.abc import Mapping

_USE_MESSAGES = "Use the /v1/messages endpoint instead."
_BY_THE_API = ("web_search", "web_fetch", "code_execution", "tool_search_tool")
_NOT_HERE = {
    "file": "File sources are not supported in the token counting endpoint.",
    "url": "URL sources are not supported in the token counting endpoint.",
}


def refusal(params: Mapping[str, object]) -> str | None:
    """Why a request isn't counted; None when it is."""
    if params.get("mcp_servers"):
        return "MCP servers are not supported in the token counting endpoint."
    tools = params.get("tools")
    for tool in tools if isinstance(tools, list) else ():
        kind = str(tool.get("type")) if isinstance(tool, dict) else ""
        if kind.startswith(_BY_THE_API):
            return f"Server tools are not supported in the count_tokens endpoint: {kind}. {_USE_MESSAGES}"
        if kind == "mcp_toolset":
            return "MCP servers are not supported in the token counting endpoint."
    return _of_sources(params.get("messages"))


def _of_sources(part: object) -> str | None:
    """The first source inside that is only named."""
    if isinstance(part, list):
        return next((words for inner in part if (words := _of_sources(inner)) is not None), None)
    if not isinstance(part, dict):
        return None
    if part.get("type") == "container_upload":
        return _NOT_HERE["file"]
    source = part.get("source")
    if isinstance(source, dict) and source.get("type") in _NOT_HERE:
        return _NOT_HERE[source["type"]]
    return _of_sources(part.get("content")) or _of_sources(source)
