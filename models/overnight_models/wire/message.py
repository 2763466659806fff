"""The accept message: how items travel from a product to the workers. Version 1.

A Celery task message for `overnight.accept` with these keyword arguments, so that any language can enqueue:

    v           1
    message_id  a UUID; the same message sent twice is accepted once
    lane        the lane's name
    run         the run's name, or null
    encoding    "zstd" when `items` is compressed with zstd and written in base64; or absent
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
        cuttable  the place of a text of params that may be cut where its lane cuts what is too long (cuttable.py), or
                  absent
        if_known  what becomes of it when its key has an item already: "conflict" (also where it is absent): known when
                  that asks the same for the same callback, run, tenant and trace_id, else turned down. "deliver": where
                  only those differ, the outcome of the item that is there comes to this one's too, and is paid once.
                  "redo": it takes the place of one that failed or was canceled; of callback, tenant, trace_id and run,
                  what isn't told stays as it was
        deadline  by when its answer is wanted: a date, a time and an offset from UTC, "2026-11-30T08:00:00+01:00"; or
                  absent: its lane's, counted from when it is accepted, if the lane has one
        give_up_at  from when on its answer is of no use: it isn't bought any more then; in the same form, or absent
        prefix    the SHA-256, in hex, of the JSON that its params go on from: an object of `tools`, `system` and
                  `messages`, which lies in Redis as `overnight:prefix:<hash>`; or absent. Where the prefix has
                  messages, those of params follow them. Who sends whole requests loses nothing by it but bytes

The items are a string and not a list because Celery's JSON decoder would otherwise walk through every request. They are
compressed here and not by Celery because its main process would decompress them, and pass ten times as much to a child.
"""

from __future__ import annotations

import base64
import math
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Final, NamedTuple, TypedDict

from overnight_models import exact_json
from overnight_models.request.prefix import Prefix

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

VERSION: Final = 1
MAX_ITEMS: Final = 500
MAX_BYTES: Final = 1_000_000
ZSTD: Final = "zstd"
IF_KNOWN: Final = ("conflict", "deliver", "redo")
_COMPRESS_ABOVE_BYTES: Final = 2_000


class CallbackLine(TypedDict, total=False):
    """Where an item's outcome goes: a Celery task of the product."""

    task: str
    queue: str
    args: Sequence[object]
    kwargs: Mapping[str, object]
    broker: str
    ack: bool


class ItemLine(TypedDict, total=False):
    """One item of a message, as it is on the wire."""

    id: str
    key: str
    params: dict[str, Any]
    betas: list[str]
    output: Mapping[str, object]
    callback: CallbackLine
    tenant: str
    trace_id: str
    cuttable: str
    if_known: str
    deadline: str
    give_up_at: str
    prefix: str


class Line(NamedTuple):
    """One item as it is sent."""

    position: int
    """Where it stands in what was enqueued."""
    text: bytes
    prefix: Prefix | None
    """What its params go on from; it is sent apart."""


def write_line(item: ItemLine) -> bytes:
    """One item as a line, without its newline. Raises TypeError or ValueError when it isn't JSON."""
    return exact_json.dumps(item)


def write_items(lines: Sequence[Line]) -> dict[str, str]:
    """The arguments `items` and, if it says more than nothing, `encoding`."""
    text = b"\n".join(line.text for line in lines)
    if len(text) <= _COMPRESS_ABOVE_BYTES:
        return {"items": text.decode()}
    return {"items": base64.b64encode(zstd.compress(text, 3)).decode(), "encoding": ZSTD}


def bytes_of(items: str, encoding: str | None) -> float:
    """How many bytes a message's lines have, without decompressing them; infinite where that can't be told."""
    if encoding is None:
        return len(items)
    try:
        # the beginning says it
        size = zstd.get_frame_info(base64.b64decode(items[:32])).decompressed_size
    except (ValueError, TypeError, zstd.ZstdError):
        return math.inf
    return size or math.inf


def read_lines(items: str, encoding: str | None = None) -> list[str]:
    """The lines of a message's items; blank ones are passed over.

    Raises ValueError when they aren't encoded like that.
    """
    if encoding is not None:
        if encoding != ZSTD:
            raise ValueError(f"the encoding {encoding!r} isn't known here: update the workers")
        try:
            items = zstd.decompress(base64.b64decode(items, validate=True)).decode()
        except (ValueError, zstd.ZstdError) as error:
            raise ValueError(f"its items are no text in zstd and base64: {error}") from error
    return [line for line in items.split("\n") if line.strip()]


def fill(lines: Iterable[Line]) -> Iterator[list[Line]]:
    """Lines in groups that fit one message each. Flat: holds one group at a time."""
    group: list[Line] = []
    size = 0
    for line in lines:
        if group and (len(group) == MAX_ITEMS or size + len(line.text) > MAX_BYTES):
            yield group
            group, size = [], 0
        group.append(line)
        size += len(line.text)
    if group:
        yield group
