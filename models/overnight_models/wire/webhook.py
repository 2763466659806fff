"""The webhook: outcomes as one HTTP request to a product's endpoint, and what the endpoint answers. Version 1.

    POST <the endpoint's URL>
    content-type: application/json
    webhook-id, webhook-timestamp, webhook-signature    (signature.py)

    {"type": "overnight.outcomes", "v": 1, "timestamp": "2026-11-30T08:00:00Z", "data": [<outcome>, …]}

`data` is a list, also of one. Each is an outcome's document (outcome.py); what is too large for a webhook has `claim`
in the place of its `message`. Who takes it acts once for each `delivery_id`, and answers with a status of 2xx: by that
all of them are delivered. Who took only some says so in the answer's body, by delivery id:

    {"delivered": ["…"]}                only these; the others come again
    {"failed": {"…": "why"}}            all but these; these come again
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Final, Literal, NotRequired

import orjson
from typing_extensions import TypedDict

VERSION: Final = 1
OUTCOMES: Final = "overnight.outcomes"
TEST: Final = "overnight.test"
"""The type of one that asks whether the endpoint is there and verifies what it gets: its `data` is empty."""
ALARM: Final = "overnight.alarm"
"""The type of one that tells operators of alarms: its `data` is one document of what began and what is over."""

_LONGEST_REASON: Final = 500
_UNREADABLE: Final = "its answer looks like JSON and can't be read, so nothing of the webhook counts as taken"
_UNNAMED: Final = "the endpoint's answer doesn't name it among what was delivered"


class Claim(TypedDict):
    """Where an answer is that is too large to be sent along: `Overnight.outcome(key=…)` has it, and its link if any."""

    bytes: int
    """How large the message is, as JSON."""
    url: NotRequired[str]
    """A link that has the outcome's document with its message, without further credentials."""
    until: NotRequired[str]
    """Until when the link is good: ISO 8601."""


class BesideOutcome(TypedDict):
    """What an outcome's document has at a webhook and nowhere else."""

    claim: NotRequired[Claim]
    """There where the answer is too large; then `message` is null."""
    traceparent: NotRequired[str]
    """The span within which its item was enqueued (W3C Trace Context)."""
    tracestate: NotRequired[str]
    """What tracing systems add to that."""
    context: NotRequired[dict[str, object]]
    """What the item's callback said that the outcome shall come with."""


class WebhookBody(TypedDict):
    """The body of a webhook."""

    type: Literal["overnight.outcomes", "overnight.test", "overnight.alarm"]
    """What `data` has. A later version may send another type: answer 2xx and pass over it."""
    v: int
    """The version of this body; fields may be added within one."""
    timestamp: str
    """When it was made: ISO 8601 in UTC."""
    data: list[dict[str, object]]
    """Outcomes, each with its `delivery_id`, and with `claim` where its message is too large."""


class WebhookReply(TypedDict):
    """What an endpoint may answer with a status of 2xx; an empty body means that all were taken."""

    delivered: NotRequired[list[str]]
    """The delivery ids that were taken; what isn't among them comes again. Absent: all but `failed`."""
    failed: NotRequired[dict[str, str]]
    """By delivery id, why it wasn't taken; it comes again."""


def write_body(documents: Sequence[Mapping[str, object]], *, at: datetime, kind: str = OUTCOMES) -> bytes:
    """A webhook's body. Raises TypeError or ValueError where a document can't be written.

    documents: outcomes, as `overnight_models.ledger.documents.document` has them.
    at: aware.
    """
    timestamp = at.astimezone(UTC).isoformat().replace("+00:00", "Z")
    return orjson.dumps({"type": kind, "v": VERSION, "timestamp": timestamp, "data": list(documents)})


@dataclass
class Taken:
    """What an endpoint took of a webhook, by delivery id."""

    delivered: set[str] = field(default_factory=set)
    failed: dict[str, str] = field(default_factory=dict)
    """Why; each comes again."""


def read_reply(sent: Collection[str], body: bytes) -> Taken:
    """What became of these delivery ids by the body of an answer with a status of 2xx. Never raises.

    Where the body isn't a reply, as "ok" or `{"status": "ok"}`, all were taken. What begins as JSON and can't be read,
    or doesn't have the form of a reply, takes nothing: twice is better than never.
    """
    try:
        reply = orjson.loads(body)
    except ValueError:
        return _none(sent) if body.lstrip()[:1] == b"{" else Taken(set(sent))
    if not isinstance(reply, dict):
        return Taken(set(sent))
    failed = reply.get("failed")
    named = reply.get("delivered")
    if not isinstance(failed, dict | None) or not isinstance(named, list | None):
        return _none(sent)
    why = (
        {
            delivery_id: str(failed[delivery_id])[:_LONGEST_REASON]
            for delivery_id in sent
            if delivery_id in (failed or {})
        }
        if failed
        else {}
    )
    if named is not None:
        said = {word for word in named if isinstance(word, str)}
        why |= {delivery_id: _UNNAMED for delivery_id in sent if delivery_id not in said and delivery_id not in why}
    return Taken({delivery_id for delivery_id in sent if delivery_id not in why}, why)


def _none(sent: Collection[str]) -> Taken:
    return Taken(set(), dict.fromkeys(sent, _UNREADABLE))
