"""The parts of a request that answers are made of, as they are after the checks."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Required, TypedDict


class Block(TypedDict, total=False):
    """A part of a message, or of the system prompt."""

    type: Required[str]
    text: str
    """There in a block of text."""
    cache_control: object


class Message(TypedDict):
    """One turn."""

    role: str
    content: str | list[Block]


class Tool(TypedDict, total=False):
    """A tool, or a set of them."""

    name: str
    type: str
    mcp_server_name: str
    input_schema: Mapping[str, object]
    cache_control: object
    defer_loading: bool
    default_config: Mapping[str, object] | None


class ToolChoice(TypedDict, total=False):
    """Which tool is to be called."""

    type: Required[str]
    name: str


class Format(TypedDict):
    """What the answer has to fit."""

    type: str
    schema: Mapping[str, object]


class OutputConfig(TypedDict, total=False):
    """What is asked of the answer."""

    format: Format | None


class Thinking(TypedDict, total=False):
    """Whether the model thinks before it answers."""

    type: Required[str]


class Rest(TypedDict, total=False):
    """A request without its messages."""

    model: Required[str]
    max_tokens: Required[int]
    system: str | list[Block] | None
    tools: list[Tool] | None
    tool_choice: ToolChoice | None
    thinking: Thinking | None
    output_config: OutputConfig | None
    inference_geo: str | None
    cache_control: object


class Request(Rest):
    """A whole request."""

    messages: list[Message]
