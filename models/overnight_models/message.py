"""The accept message: how items travel from a product to the workers. Versions 1 and 2.

A Celery task message for `overnight.accept` with these keyword arguments, so that any language can enqueue:

    v           1; or 2, when one of its items has a `prefix`, so that older workers turn it down
    message_id  a UUID; the same message sent twice is accepted once
    lane        the lane's name
    run         the run's name, or null
    items       JSON Lines in one string, at most 500 lines or about 1 MB (one larger item may stand alone):
        id        a UUID: the receipt
        key       the caller's own name for the item, unique in the lane
        params    what `POST /v1/messages` takes
        betas     names for the anthropic-beta header, or absent
        output    a JSON schema that the answer's text must fit, or absent
        callback  {"task", "queue", "args", "kwargs", "broker", "ack"} or absent. `ack` true: its message is sent again
                  until it is acknowledged (acknowledgement.py says how)
        tenant    on whose behalf, or absent
        trace_id  passed through to the outcome, or absent
        prefix    the hash, in hex, of what its params go on from (prefix.py), which lies in Redis as
                  `overnight:prefix:<hash>` until the workers have it; or absent. Whoever sends whole requests loses
                  nothing by it but bytes: accept itself finds what they have in common

The items are a string and not a list because Celery's JSON decoder would otherwise walk through every request.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, Final, NamedTuple, TypedDict

import orjson

from overnight_models.prefix import Prefix

VERSION: Final = 2
PLAIN_VERSION: Final = 1
"""Of a message without prefixes."""
VERSIONS: Final = (PLAIN_VERSION, VERSION)
MAX_ITEMS: Final = 500
MAX_BYTES: Final = 1_000_000


class CallbackLine(TypedDict, total=False):
    """Where an item's outcome goes: a Celery task of the product."""

    task: str
    queue: str
    args: list[Any]
    kwargs: dict[str, Any]
    broker: str
    ack: bool


class ItemLine(TypedDict, total=False):
    """One item of a message, as it is on the wire."""

    id: str
    key: str
    params: dict[str, Any]
    betas: list[str]
    output: dict[str, Any]
    callback: CallbackLine
    tenant: str
    trace_id: str
    prefix: str


class Line(NamedTuple):
    """One item as it is sent."""

    index: int
    """Where it stands in what was enqueued."""
    text: bytes
    prefix: Prefix | None = None
    """What its params go on from."""


def write_line(item: ItemLine) -> bytes:
    """One item as a line, without its newline. Raises TypeError or ValueError when it isn't JSON."""
    return orjson.dumps(item)


def read_lines(items: str) -> Iterator[str]:
    """The lines of a message's items; blank ones are passed over."""
    return (line for line in items.split("\n") if line.strip())


def fill(lines: Iterable[Line]) -> Iterator[list[Line]]:
    """Lines in groups that fit one message each. Flat: holds one group at a time, and each of its prefixes once."""
    group: list[Line] = []
    prefixes: set[bytes] = set()
    size = 0
    for line in lines:
        new = 0 if line.prefix is None or line.prefix.hash in prefixes else len(line.prefix.document)
        if group and (len(group) == MAX_ITEMS or size + len(line.text) + new > MAX_BYTES):
            yield group
            group, prefixes, size = [], set(), 0
            new = 0 if line.prefix is None else len(line.prefix.document)
        if line.prefix is not None:
            prefixes.add(line.prefix.hash)
        group.append(line)
        size += len(line.text) + new
    if group:
        yield group


def prefixes_of(lines: Iterable[Line]) -> list[Prefix]:
    """The prefixes of lines, each once."""
    return list({line.prefix.hash: line.prefix for line in lines if line.prefix is not None}.values())
