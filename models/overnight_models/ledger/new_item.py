"""A new item: one that was read and checked, ready to be a row."""

from __future__ import annotations

from datetime import datetime
from typing import NamedTuple

from overnight_models.ledger.prefixes import StoredPrefix


class NewItem(NamedTuple):
    """One checked item, ready to be a row."""

    position: int
    """In its message, counted from 0."""
    receipt: str
    """A UUID."""
    key: str
    key_hash: bytes
    """16 bytes."""
    content_hash: bytes
    """16 bytes, of all that makes it the same item; in another order of fields the same content may differ in it."""
    headers_id: int
    tenant_id: int | None
    model_id: int
    schema_id: int | None
    shape_id: int | None
    target_id: int | None
    prefix: StoredPrefix | None
    params: bytes
    """JSON; what goes on from the prefix."""
    size: int
    """Bytes of the whole request."""
    max_tokens: int
    tenant: str | None
    trace_id: str | None
    callback: bytes | None
    """JSON."""
    may_be_too_long: bool = False
    """It is to be counted before it is packed."""
    cuttable: str | None = None
    """The place of the text that may be cut then."""
    model_why: str | None = None
    """Why its lane has chosen the model; None where the item names it."""
    is_between_models: bool = False
    """Its size is near a limit: the model is chosen when the API has counted it."""
    deadline: datetime | None = None
    give_up_at: datetime | None = None
    direct_at: datetime | None = None
    """Since when it is to be sent in real time; None: it waits for a batch."""
    batch_chance: int | None = None
    """In percent, how likely a batch is in time for its deadline; None where that decides nothing."""
    if_known: str = "conflict"
    """What becomes of it when its key is there already: one of `wire.message.IF_KNOWN`."""
    traceparent: str | None = None
    """The span within which it was enqueued."""
    tracestate: str | None = None
    """What tracing systems add to that."""
    chain_id: int | None = None
    """Of one with a trace, in a lane that says what all items of a trace may cost together."""
