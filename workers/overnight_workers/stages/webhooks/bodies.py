"""Bodies of webhooks: a group of outcomes as one signed document."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import blake2b
from typing import Final, cast

import orjson

from overnight_models import exact_json
from overnight_models.ledger import documents
from overnight_models.ledger.deliver.due import Due
from overnight_models.wire import traceparent
from overnight_models.wire.webhook import write_body
from overnight_workers.links.making import link_to

BY_REFERENCE: Final = 256_000
"""A message with more bytes isn't sent: its outcome says how large it is, and the product reads it."""
MOST_BYTES: Final = 1_000_000
"""Of one body; about."""
_NO_DOCUMENT: Final = (AttributeError, KeyError, TypeError, ValueError)


@dataclass(frozen=True)
class Body:
    """One request's body, and whose outcomes are in it."""

    message_id: str
    """The same for the same deliveries, however often they are sent."""
    text: bytes
    due: Mapping[str, Due]
    """By delivery id."""
    unwritable: tuple[tuple[Due, str], ...] = ()
    """Those that no document can be made of, and why."""


def write(group: Sequence[Due]) -> Body:
    """The body of a group. One that can't be written hurts itself only."""
    due: dict[str, Due] = {}
    entries: list[orjson.Fragment] = []
    unwritable = []
    for delivery in group:
        try:
            entries.append(orjson.Fragment(orjson.dumps(_entry(delivery))))
        except _NO_DOCUMENT as error:
            unwritable.append((delivery, f"no document can be made of it: {type(error).__name__}: {error}"))
        else:
            due[documents.delivery_id(delivery.outcome.receipt, delivery.outcome.redos)] = delivery
    # they are documents already, which write_body passes through
    text = write_body(cast("list[Mapping[str, object]]", entries), at=datetime.now(UTC))
    return Body(message_id(list(due)), text, due, tuple(unwritable))


def message_id(delivery_ids: Sequence[str]) -> str:
    """The `webhook-id` of these deliveries: of a single one its own id."""
    if len(delivery_ids) == 1:
        return delivery_ids[0]
    digest = blake2b(" ".join(sorted(delivery_ids)).encode(), digest_size=16, person=b"overnight").hexdigest()
    return f"{digest[:8]}-{digest[8:12]}-{digest[12:16]}-{digest[16:20]}-{digest[20:]}"


def _entry(due: Due) -> dict[str, object]:
    entry = due.document(BY_REFERENCE)
    claim = entry.get("claim")
    if isinstance(claim, dict):
        claim |= link_to(due.item_id, due.outcome.receipt, claim["bytes"])
    entry |= traceparent.fields(due.outcome.traceparent, due.outcome.tracestate)
    context = due.callback.get("context")
    if context is not None:
        entry["context"] = orjson.Fragment(exact_json.dumps(context))
    return entry
