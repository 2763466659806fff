"""Requests: what a claim asks, as it is sent: prefix and own part put together, and the prefix marked where it pays."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy import Connection

from overnight_models.ledger import prefixes
from overnight_models.ledger.collect import caching
from overnight_models.ledger.direct.claim import Asked, Claim
from overnight_models.ledger.direct.places import Place
from overnight_models.ledger.prefixes import StoredPrefix
from overnight_models.money.forecast import Lifetime
from overnight_models.request.prefix import has_room_for_a_breakpoint
from overnight_workers.limiter import Grant
from overnight_workers.stages.pack import cache_choices


@dataclass(frozen=True)
class Request:
    """One request, ready to be sent."""

    claim: Claim
    asked: Asked
    body: bytes
    headers: Mapping[str, str]
    grant: Grant | None = None
    """What the rate limit has reserved for it; it may be sent a moment later."""
    send_by: float = math.inf
    """By the monotonic clock: later its bytes aren't written, since its process may have been taken for dead."""

    @property
    def call(self) -> tuple[int, int]:
        """The numbers of its claim and of its item."""
        return self.claim.id, self.asked.item_id


def headers(place: Place) -> dict[str, str]:
    """The headers of requests that go there."""
    headers_ = {"anthropic-version": place.api_version, "content-type": "application/json"}
    return headers_ | {"anthropic-beta": place.betas} if place.betas else headers_


def requests(connection: Connection, claim: Claim, asked: Sequence[Asked]) -> list[Request]:
    """What is asked, whole."""
    sent_headers = headers(claim.place)
    if all(item.prefix_id is None for item in asked):
        return [Request(claim, item, item.params, sent_headers) for item in asked]
    lifetimes = _choose(connection, claim, asked)
    stored: dict[int, StoredPrefix] = {}
    for item in asked:
        if item.prefix_id is not None and item.prefix_id not in stored:
            stored[item.prefix_id] = prefixes.read(connection, item.prefix_id)
    marked = {
        prefix_id: prefix.marked_head(lifetime)
        for prefix_id, prefix in stored.items()
        if (lifetime := lifetimes.get(prefix_id)) is not None
    }
    return [Request(claim, item, _whole(item, stored, marked, lifetimes), sent_headers) for item in asked]


def _choose(connection: Connection, claim: Claim, asked: Sequence[Asked]) -> dict[int, Lifetime | None]:
    """For how long each prefix is cached; None: it isn't."""
    shared = Counter(item.prefix_id for item in asked if item.prefix_id is not None)
    groups = caching.groups_of_items(connection, [item.item_id for item in asked if item.prefix_id is not None])
    rates = caching.hit_rates(connection, claim.place.lane)
    choices = [cache_choices.choose(group, rates) for group in groups]
    caching.note_calls(connection, claim.id, claim.place.lane_id, choices, shared)
    return {choice.group.prefix_id: choice.lifetime for choice in choices}


def _whole(
    item: Asked,
    stored: Mapping[int, StoredPrefix],
    marked: Mapping[int, bytes | None],
    lifetimes: Mapping[int, Lifetime | None],
) -> bytes:
    own = item.params
    if item.prefix_id is None:
        return own
    prefix, head, lifetime = stored[item.prefix_id], marked.get(item.prefix_id), lifetimes.get(item.prefix_id)
    if head is not None and lifetime is not None and has_room_for_a_breakpoint(own, lifetime):
        return head + prefix.after_head(own)
    return prefix.splice(own)
