"""Prompt caching: which part of a prompt was read from a cache, and which was written to one.

Entries are prefixes that end at a breakpoint, by workspace, with a lifetime on the sandbox's clock that each
read renews. Requests of one batch run side by side, so that a prefix this batch wrote is points by chance
(`hit_rate`); one that was there before is nearly always points (`warm_hit_rate`). What /v1/messages wrote is
not points by batches, as measured by users of the real API; the other way round it is.
"""

from __future__ import annotations

from collections.abc import Iterator
from hashlib import blake2b
from sqlite3 import Connection
from typing import NamedTuple

import orjson

from overnight_models.money.prices import Model
from overnight_workers.sandbox.answers.checked import Block, Request, Tool
from overnight_workers.sandbox.answers.weights import (
    BYTES_PER_TOKEN,
    MESSAGE_TOKENS,
    TOOLS_TOKENS,
    block_weight,
    text_bytes,
)
from overnight_workers.sandbox.clock import SECOND
from overnight_workers.sandbox.draws import draw
from overnight_workers.sandbox.store import Store

LIFETIME_US = {"5m": 300 * SECOND, "1h": 3600 * SECOND}
MAX_BREAKPOINTS = 4
_NEVER_CACHED = frozenset({"thinking", "redacted_thinking", "fallback"})


class Breakpoint(NamedTuple):
    """A prefix that may be cached: its hash, its tokens, its lifetime."""

    prefix: bytes
    tokens: int
    lifetime: str


class Split(NamedTuple):
    """How the tokens of one prompt are billed."""

    uncached: int
    write_5m: int
    write_1h: int
    read: int


def breakpoints_of(params: Request, model: Model) -> list[Breakpoint]:
    """The prefixes of a prompt that end at a breakpoint and are large enough, shortest first."""
    hasher = blake2b(model.name.encode(), digest_size=16)
    size = extra = 0
    points: list[Breakpoint] = []
    last: Breakpoint | None = None
    for block, weight, message_tokens in _blocks(params):
        hasher.update(orjson.dumps(block))
        size += weight[0]
        extra += weight[1] + message_tokens
        control = block.get("cache_control")
        here = Breakpoint(hasher.digest(), extra + -(-size // BYTES_PER_TOKEN), _lifetime(control))
        last = here
        if control:
            points.append(here)
    automatic = params.get("cache_control")
    if automatic and last is not None and (not points or points[-1].prefix != last.prefix):
        points.append(last._replace(lifetime=_lifetime(automatic)))
    return [point for point in points if point.tokens >= model.min_cacheable_tokens]


def problem_of(params: Request) -> str | None:
    """What the API says about breakpoints it doesn't take."""
    controls = [block["cache_control"] for block, _, _ in _blocks(params) if block.get("cache_control")]
    automatic = params.get("cache_control")
    lifetimes = [_lifetime(control) for control in controls]
    if automatic:
        last = list(_blocks(params))[-1][0].get("cache_control")
        if last and _lifetime(last) != _lifetime(automatic):
            return "cache_control: ttl differs from that of the last block"
        controls += [] if last else [automatic]
        lifetimes += [] if last else [_lifetime(automatic)]
    if len(controls) > MAX_BREAKPOINTS:
        return f"A maximum of {MAX_BREAKPOINTS} blocks with cache_control may be provided. Found {len(controls)}."
    if any(not isinstance(control, dict) or control.get("type") != "ephemeral" for control in controls):
        return "cache_control.type: Input should be 'ephemeral'"
    if any(lifetime not in LIFETIME_US for lifetime in lifetimes):
        return "cache_control.ephemeral.ttl: Input should be '5m' or '1h'"
    if sorted(lifetimes) != lifetimes:  # "1h" sorts before "5m", which is the order the API asks for
        return "cache_control: a ttl='1h' block must not come after a ttl='5m' block"
    return _misplaced(params)


def _misplaced(params: Request) -> str | None:
    """What the API says about a breakpoint on a block that can't have one."""
    for number, tool in enumerate(params.get("tools") or ()):
        defaults = tool.get("default_config") or {}
        if tool.get("cache_control") and (tool.get("defer_loading") or defaults.get("defer_loading")):
            name = tool.get("name") or tool.get("mcp_server_name")
            return (
                f"tools.{number}: Tool '{name}' cannot have both defer_loading=true and cache_control set."
                " Tools with defer_loading cannot use prompt caching."
            )
    contents = [("system", params.get("system"))]
    contents += [(f"messages.{n}.content", message["content"]) for n, message in enumerate(params["messages"])]
    for where, blocks in contents:
        for number, block in enumerate(blocks if isinstance(blocks, list) else ()):
            if block.get("cache_control") and block["type"] == "text" and not block["text"].strip():
                return f"{where}.{number}.text: cache_control cannot be set for empty text blocks"
            if "cache_control" in block and block["type"] in _NEVER_CACHED:
                return f"{where}.{number}.{block['type']}.cache_control: Extra inputs are not permitted"
    return None


class Cache:
    """The entries of one workspace, as a batch or a call goes through them. Changes are kept by `save`."""

    def __init__(self, store: Store, workspace: str, road: str, seed: int) -> None:
        self._store = store
        self._workspace = workspace
        self._road = road
        self._seed = seed
        self._known: dict[bytes, int] = {}
        self._fresh: set[bytes] = set()

    def depth_read(
        self, points: list[Breakpoint], at_us: int, hit_rate: float, warm_hit_rate: float, *salt: int
    ) -> int:
        """How many of the breakpoints lie within what is read; the rest is written."""
        read = 0
        for depth in range(len(points), 0, -1):
            prefix = points[depth - 1].prefix
            if self._expiry(prefix) > at_us:
                rate = hit_rate if prefix in self._fresh else warm_hit_rate
                if draw(self._seed, *salt) < rate:
                    read = depth
                    break
        for depth, point in enumerate(points, 1):
            if depth > read and self._known.get(point.prefix, 0) <= at_us:
                self._fresh.add(point.prefix)
            self._known[point.prefix] = max(self._known.get(point.prefix, 0), at_us + LIFETIME_US[point.lifetime])
        return read

    def _expiry(self, prefix: bytes) -> int:
        known = self._known.get(prefix)
        if known is None:
            roads = ("batch",) if self._road == "batch" else ("batch", "direct")
            rows = self._store.reader.execute(
                "SELECT road, expires_at FROM cache_entry WHERE workspace = ? AND prefix = ?",
                (self._workspace, prefix),
            )
            known = max((row["expires_at"] for row in rows if row["road"] in roads), default=0)
            self._known[prefix] = known
        return known

    def save(self, db: Connection, now_us: int) -> None:
        """Keep the entries, and drop those of everybody that are over."""
        db.executemany(
            "INSERT OR REPLACE INTO cache_entry VALUES (?, ?, ?, ?)",
            [(self._workspace, prefix, self._road, expires) for prefix, expires in self._known.items()],
        )
        db.execute("DELETE FROM cache_entry WHERE expires_at < ?", (now_us - LIFETIME_US["1h"],))


def split(total: int, points: list[Breakpoint], read_depth: int) -> Split:
    """The bill of a prompt of `total` tokens of which the first `read_depth` breakpoints were read."""
    read = points[read_depth - 1].tokens if read_depth else 0
    written = {"5m": 0, "1h": 0}
    done = read
    for point in points[read_depth:]:
        written[point.lifetime] += point.tokens - done
        done = point.tokens
    return Split(max(0, total - done), written["5m"], written["1h"], read)


def _blocks(params: Request) -> Iterator[tuple[Block | Tool, tuple[int, int], int]]:
    """Every block in the order of the prompt, with its weight and the tokens its message adds."""
    tools = params.get("tools") or ()
    for number, tool in enumerate(tools):
        yield tool, (len(orjson.dumps(tool)), TOOLS_TOKENS if number == 0 else 0), 0
    system = params.get("system")
    if isinstance(system, str):
        yield {"type": "text", "text": system}, (text_bytes(system), 0), 0
    else:
        for block in system or ():
            yield block, block_weight(block), 0
    for message in params["messages"]:
        content = message["content"]
        blocks: list[Block] = [{"type": "text", "text": content}] if isinstance(content, str) else content
        for number, block in enumerate(blocks):
            yield block, block_weight(block), MESSAGE_TOKENS if number == 0 else 0


def _lifetime(control: object) -> str:
    return str(control.get("ttl") or "5m") if isinstance(control, dict) else "5m"
