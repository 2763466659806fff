"""The accept message: how items travel from a product to the workers. Version 1.

A Celery task message for `overnight.accept` (envelope.py) whose keyword arguments are `AcceptArguments`; its items are
JSON Lines of `ItemLine`. Any language can write one: `overnight schema accept` prints its JSON Schema (schemas.py).

Who cuts prefixes leaves them in Redis as `overnight:prefix:<hash>` first; who sends whole requests loses nothing by it
but bytes. The items are a string and not a list because Celery's JSON decoder would otherwise walk through every
request. They are compressed here and not by Celery because its main process would decompress them, and pass ten times
as much to a child.
"""

from __future__ import annotations

import base64
import math
import sys
from collections.abc import Mapping, Sequence
from typing import Any, Final, Literal, NamedTuple, NotRequired, Required

from typing_extensions import TypedDict

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
WEBHOOK: Final = "webhook:"
"""Before a webhook's name where that stands in the place of a task or of a broker: no broker's name has a colon."""
_COMPRESS_ABOVE_BYTES: Final = 2_000


class CallbackLine(TypedDict, total=False):
    """Where an item's outcome goes: a Celery task of the product, or a webhook by its name."""

    task: str
    """The task's name. It is called with the outcome, then `args` and `kwargs`."""
    queue: str
    """The queue that its workers listen on."""
    args: Sequence[object]
    kwargs: Mapping[str, object]
    broker: str
    """A `[brokers.NAME]` of Overnight's configuration; absent: Overnight's own Redis. Never a URL."""
    ack: bool
    """Its message is sent again until it is acknowledged (`overnight schema acknowledgement`)."""
    webhook: str
    """The `[webhooks.NAME]` of the workers' configuration; then there is no `task` and no `queue`."""
    context: Mapping[str, object]
    """What the outcome comes with at a webhook, as `context`."""


def place_of(callback: CallbackLine) -> tuple[str, str]:
    """Where that callback's outcomes go: a broker and a queue. A webhook's broker is `webhook:NAME`."""
    name = callback.get("webhook")
    if name is not None:
        return f"{WEBHOOK}{name}", name
    return callback.get("broker") or "", callback["queue"]


class ItemLine(TypedDict, total=False):
    """One item of a message, as it is on the wire."""

    id: Required[str]
    """A UUID: the receipt."""
    key: Required[str]
    """The caller's own name for the item, unique in the lane: 1 to 512 characters, without NUL."""
    params: Required[dict[str, Any]]
    """What `POST /v1/messages` takes, and where `prefix` is there what follows it."""
    betas: list[str]
    """Names for the anthropic-beta header."""
    output: Mapping[str, object]
    """A JSON schema that the answer's text must fit. It is checked when the answer is back; that the model is asked for
    it is said in `params` (`output_config.format`)."""
    callback: CallbackLine
    """Where the outcome goes; absent: it is read later by the key."""
    tenant: str
    """On whose behalf: for fairness, budgets and bills."""
    trace_id: str
    """Passed through to the outcome."""
    cuttable: str
    """The place of a text of `params` that may be cut where its lane cuts what is too long: `system`,
    `messages.0.content`, `messages.0.content.1.text`."""
    if_known: Literal["conflict", "deliver", "redo"]
    """What becomes of it when its key has an item already. "conflict" (also where it is absent): known when that asks
    the same for the same callback, run, tenant and trace_id, else turned down. "deliver": where only those differ, the
    outcome of the item that is there comes to this one's too, and is paid once. "redo": it takes the place of one that
    failed or was canceled; of callback, tenant, trace_id and run, what isn't told stays as it was."""
    deadline: str
    """By when its answer is wanted: a date, a time and an offset from UTC, "2026-11-30T08:00:00+01:00". Absent: its
    lane's, counted from when it is accepted, if the lane has one."""
    give_up_at: str
    """From when on its answer is of no use: it isn't bought any more then. In the form of `deadline`."""
    traceparent: str
    """The span within which it was enqueued, as W3C Trace Context writes it. Its callback's message has a header of
    this name, and its outcome at a webhook a field."""
    tracestate: str
    """What tracing systems add to that, as W3C Trace Context writes it: at most 512 characters. It goes wherever
    `traceparent` goes; what isn't of its form is left out, and costs nobody the item."""
    prefix: str
    """The SHA-256, in hex, of the JSON that its params go on from: an object of `tools`, `system` and `messages`, which
    lies in Redis as `overnight:prefix:<hash>`. Where the prefix has messages, those of params follow them."""


class AcceptArguments(TypedDict):
    """The keyword arguments of an accept message."""

    v: Literal[1]
    """The version; a worker that doesn't know it turns the message down."""
    message_id: str
    """A UUID. The same message sent twice is accepted once."""
    lane: str
    """The lane's name."""
    run: NotRequired[str | None]
    """The run's name: one progress and one bill for all of its items."""
    encoding: NotRequired[Literal["zstd"] | None]
    """"zstd" when `items` is compressed with zstd and written in base64."""
    items: str
    """Items as JSON Lines in one string, at most 500 lines or about 1 MB before it is compressed; one larger item may
    stand alone."""


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


class Filling:
    """Lines that are gathered until they fill a message. Flat: holds one message's at a time."""

    def __init__(self) -> None:
        self._group: list[Line] = []
        self._size = 0

    def add(self, line: Line) -> list[Line] | None:
        """One more line. Returns the group that was full without it; None while there is room."""
        full = None
        if self._group and (len(self._group) == MAX_ITEMS or self._size + len(line.text) > MAX_BYTES):
            full = self.rest()
        self._group.append(line)
        self._size += len(line.text)
        return full

    def rest(self) -> list[Line]:
        """What is gathered and fills no message; nothing is gathered then."""
        group, self._group, self._size = self._group, [], 0
        return group
