"""The breakpoint: at the last block that may bear one, or nowhere; a wrong one would invalidate the whole request."""

from __future__ import annotations

from typing import Any

import orjson
import pytest

from overnight_models.request.prefix import Prefix

PLAIN: dict[str, Any] = {"name": "look_up", "input_schema": {"type": "object"}}
DEFERRED = {**PLAIN, "name": "rare", "defer_loading": True}
THOUGHT = {"type": "thinking", "thinking": "Hm.", "signature": "s"}
TOOLSET = {"type": "mcp_toolset", "mcp_server_name": "m"}
MARK = {"type": "ephemeral", "ttl": "5m"}


def marked(**fields: Any) -> dict[str, Any] | None:
    """The fields of a prefix as they are sent with a breakpoint."""
    head = Prefix.of(fields).marked_head("5m")
    if head is None:
        return None
    document: dict[str, Any] = orjson.loads(head.removesuffix(b",") + (b"]}" if "messages" in fields else b"}"))
    return document


def places(part: Any, at: str = "") -> list[str]:
    """Where breakpoints stand."""
    if isinstance(part, list):
        return [place for n, part_ in enumerate(part) for place in places(part_, f"{at}.{n}")]
    if not isinstance(part, dict):
        return []
    inner = [place for name, part_ in part.items() for place in places(part_, f"{at}.{name}".lstrip("."))]
    return [at, *inner] if part.get("cache_control") == MARK else inner


@pytest.mark.parametrize(
    ("fields", "place"),
    [
        ({"tools": [PLAIN, DEFERRED]}, "tools.0"),
        ({"tools": [PLAIN, DEFERRED, PLAIN]}, "tools.2"),
        ({"tools": [PLAIN, TOOLSET]}, "tools.1"),
        ({"tools": [PLAIN, TOOLSET | {"default_config": {"defer_loading": True}}]}, "tools.0"),
        ({"tools": [PLAIN, TOOLSET | {"configs": {"x": {"defer_loading": True}}}]}, "tools.0"),
        ({"tools": [PLAIN], "system": "  \n"}, "tools.0"),
        ({"tools": [DEFERRED], "system": "Be brief."}, "system.0"),
        ({"system": [{"type": "text", "text": "Be brief."}, {"type": "text", "text": " "}]}, "system.0"),
        ({"system": "S", "messages": [{"role": "assistant", "content": [THOUGHT]}]}, "system.0"),
        (
            {"messages": [{"role": "user", "content": "Hello"}, {"role": "assistant", "content": [THOUGHT]}]},
            "messages.0.content.0",
        ),
        (
            {"messages": [{"role": "user", "content": [{"type": "text", "text": "a"}, {"type": "new_kind"}]}]},
            "messages.0.content.0",
        ),
    ],
)  # fmt: skip
def test_the_last_block_that_may_bear_it_is_marked(fields: dict[str, Any], place: str) -> None:
    assert places(marked(**fields)) == [place]


@pytest.mark.parametrize(
    "fields",
    [
        {"tools": [DEFERRED, DEFERRED]},
        {"system": " "},
        {"messages": [{"role": "assistant", "content": [THOUGHT, {"type": "redacted_thinking", "data": "x"}]}]},
        {"system": [{"type": "text", "text": "caller's", "cache_control": MARK}, {"type": "text", "text": "more"}]},
    ],
)
def test_where_no_block_may_bear_it_there_is_none(fields: dict[str, Any]) -> None:
    assert marked(**fields) is None


@pytest.mark.parametrize("odd", [None, 5, "x", {"a": 1}, [None], ["x"], [[]], [{}], [{"type": []}], [{"configs": 3}]])
@pytest.mark.parametrize("name", ["tools", "system"])
def test_what_is_no_block_is_left_as_it_is(name: str, odd: Any) -> None:
    Prefix.of({name: odd}).marked_head("5m")
