"""A batch's results: lines made while they are sent, in an order that isn't the requests'."""

from __future__ import annotations

from collections.abc import Iterator
from math import gcd
from typing import Any

import orjson

from overnight_models.money.prices import Prices
from overnight_workers.sandbox.answers.caching import Breakpoint
from overnight_workers.sandbox.answers.odd_contents import ODD_CONTENTS
from overnight_workers.sandbox.answers.work import Done, Work, message_of
from overnight_workers.sandbox.batch import Batch
from overnight_workers.sandbox.batches.bodies import Bodies
from overnight_workers.sandbox.batches.settling import noted_depths
from overnight_workers.sandbox.errors import envelope
from overnight_workers.sandbox.options import Options
from overnight_workers.sandbox.store import Store

_BLOCK = 128
_OPTIONAL_USAGE = (
    "cache_creation_input_tokens",
    "cache_read_input_tokens",
    "cache_creation",
    "output_tokens_details",
    "server_tool_use",
    "service_tier",
    "inference_geo",
)


def shuffled(count: int, seed: int) -> Iterator[int]:
    """Every number below `count` once, in an order that takes no memory."""
    step = max(1, int(count * 0.618)) | 1
    while gcd(step, count) != 1:
        step += 2
    at = (seed * 7919 + count // 3) % count
    for _ in range(count):
        yield at
        at = (at + step) % count


def lines_of(store: Store, prices: Prices, options: Options, batch: Batch, shapes: frozenset[str]) -> Iterator[bytes]:
    """The lines of the results, without line ends. `shapes` are the faults in what a line looks like."""
    path = store.body_path(batch.id)
    depths = noted_depths(path, batch.requests)

    def depth(position: int, _points: list[Breakpoint]) -> int:
        return depths[position]

    work = Work(prices, options.seed, options.answer_bytes, batch, depth)
    salt = b"msg_01" + batch.id[len("msgbatch_01") :].encode()
    with Bodies(path) as bodies:
        if "expired_first" in shapes:
            for raw in bodies.in_order():
                yield b'{"custom_id":%b,"result":{"type":"expired"}}' % orjson.dumps(orjson.loads(raw)["custom_id"])
        # Neighbours are read together: the order of blocks is shuffled, and the order within each.
        blocks = -(-batch.requests // _BLOCK)
        for block in shuffled(blocks, batch.fate):
            first = block * _BLOCK
            requests = bodies.block(first, min(_BLOCK, batch.requests - first))
            for within in shuffled(len(requests), batch.fate):
                position = first + within
                done = work.done(position, requests[within])
                if done.line_deed == "missing":
                    continue
                line = _line(done, b"%b%06x" % (salt, position), shapes)
                yield line
                if done.line_deed == "duplicate_line":
                    yield line


def _line(done: Done, message_id: bytes, shapes: frozenset[str]) -> bytes:
    if done.line_deed == "unknown_type":
        result = b'{"type":"made_up_by_the_sandbox","detail":"a result type that nobody knows yet"}'
    elif done.kind == "succeeded":
        if done.line_deed in ODD_CONTENTS and done.answer is not None:
            done = done._replace(answer=done.answer._replace(content=ODD_CONTENTS[done.line_deed]))
            shapes = frozenset()  # what can't be read isn't written again
        result = b'{"type":"succeeded","message":%b}' % message_of(done, message_id)
    elif done.problem is not None:
        result = b'{"type":"errored","error":%b}' % orjson.dumps(envelope(*done.problem, None))
    else:
        result = b'{"type":"%b"}' % done.kind.encode()
    # A custom_id has no character that JSON would escape.
    line = b'{"custom_id":"%b","result":%b}' % (done.custom_id.encode(), result)
    line = _reshaped(line, shapes) if shapes else line
    return line[: len(line) * 2 // 3] if done.line_deed == "cut_line" else line


def _reshaped(raw: bytes, shapes: frozenset[str]) -> bytes:
    line: dict[str, Any] = orjson.loads(raw)
    result = line["result"]
    if "once_nested" in shapes and result["type"] == "errored":
        result["error"] = result["error"]["error"]
    if "no_message" in shapes and "message" in result:
        result["message"] = None
    message = result.get("message")
    if message is not None and "bare_usage" in shapes:
        for key in _OPTIONAL_USAGE:
            message["usage"].pop(key, None)
    if "extra_keys" in shapes:
        line["added_tomorrow"] = {"by": "the sandbox"}
        result["added_tomorrow"] = True
        if message is not None:
            message["added_tomorrow"] = []
            message["usage"]["added_tomorrow_tokens"] = 1
    return orjson.dumps(line)
