"""Groups for webhooks: what goes in one request, and stays together when it is sent again.

What failed together is due again at one instant, to the microsecond, and nothing else is: so a group needs no name.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime
from itertools import groupby
from typing import Final, NamedTuple

from overnight_models.ledger.connection import Connection
from overnight_models.ledger.deliver import deliver, pace
from overnight_models.ledger.deliver.due import Due
from overnight_models.ledger.deliver.pace import Pace
from overnight_models.ledger.deliver.targets import Target
from overnight_models.ledger.rows import fetch_all
from overnight_models.states import DELIVERY

_BYTES_AT_ONCE: Final = 32_000_000
"""Of messages that are read at once, however large the answers are."""

_LESS_THAN_A_MESSAGE: Final = 600
"""Bytes that an outcome takes less in a body than as a Celery message, which `delivery.size` is about."""


class GroupRules(NamedTuple):
    """How outcomes for one webhook are grouped."""

    items: int
    within_s: float
    """How long the oldest of a group that isn't full waits for others."""
    max_bytes: int
    """About so many bytes in one group; a single one may have more."""
    by_reference: int
    """One with more bytes than that goes without its message, and takes no more room than that."""


class Waiting(NamedTuple):
    """A delivery that is due."""

    item_id: int
    due_at: datetime
    size: int
    tries: int
    waited_s: float


def claim(
    connection: Connection,
    target: Target,
    rules: GroupRules,
    *,
    groups: int,
    rate: Pace | None,
    lease_s: float,
    keyless: dict[str, str] | None = None,
) -> list[list[Due]]:
    """Take groups that are full, or have waited long enough, or are sent again; the oldest first.

    groups: so many at most.
    keyless: as `deliver.take` has it; who waits for a key is in no group.
    """
    allowed = None if rate is None else pace.allowance(connection, target.id, rate)
    if allowed == 0:
        return []
    limit = groups * rules.items
    waiting = fetch_all(
        connection,
        Waiting,
        f"""
        SELECT item_id, due_at, size, tries, extract(epoch FROM now() - due_at)::float AS waited_s FROM delivery
        WHERE {DELIVERY.claim.where} AND due_at <= now() AND target_id = :target_id
        ORDER BY due_at LIMIT :limit FOR UPDATE SKIP LOCKED
        """,
        target_id=target.id,
        limit=limit,
    )
    # by their index they come in the order of their times; many have one time, which needn't be sorted for each claim
    waiting.sort(key=lambda delivery: (delivery.due_at, delivery.item_id))
    chosen: list[list[Waiting]] = []
    size = 0
    for group in grouped(waiting, rules, is_cut=len(waiting) == limit)[:groups]:
        size += sum(delivery.size for delivery in group)
        if chosen and size > _BYTES_AT_ONCE:
            break
        if allowed is None or sum(map(len, chosen)) + len(group) <= allowed:
            chosen.append(group)
    taken = {
        delivery.item_id: delivery
        for delivery in deliver.take(
            connection,
            {waits.item_id: waits.due_at for group in chosen for waits in group},
            lease_s=lease_s,
            keyless=keyless,
        )
    }
    if rate is not None and taken:
        pace.spend(connection, target.id, rate, len(taken))
    groups_taken = [[taken[waits.item_id] for waits in group if waits.item_id in taken] for group in chosen]
    return [group for group in groups_taken if group]


def grouped(waiting: Sequence[Waiting], rules: GroupRules, *, is_cut: bool) -> list[list[Waiting]]:
    """The groups that may be sent now. No I/O.

    waiting: in the order in which they are due.
    is_cut: more may be due, so that the last of those that failed together may be missing here.
    """
    groups: list[list[Waiting]] = []
    fresh = [delivery for delivery in waiting if not delivery.tries]
    again = [delivery for delivery in waiting if delivery.tries]
    for due_at, together in groupby(again, key=lambda delivery: delivery.due_at):
        if not is_cut or due_at != waiting[-1].due_at or due_at == waiting[0].due_at:
            groups += _pieces(list(together), rules)
    pieces = list(_pieces(fresh, rules))
    if pieces and len(pieces[-1]) < rules.items and pieces[-1][0].waited_s < rules.within_s:
        pieces.pop()
    return sorted(groups + pieces, key=lambda group: group[0].due_at)


def _pieces(deliveries: Sequence[Waiting], rules: GroupRules) -> Iterator[list[Waiting]]:
    """As many as fit one request, and again."""
    piece: list[Waiting] = []
    size = 0
    for delivery in deliveries:
        takes = min(delivery.size - _LESS_THAN_A_MESSAGE, rules.by_reference)
        if piece and (len(piece) == rules.items or size + takes > rules.max_bytes):
            yield piece
            piece, size = [], 0
        piece.append(delivery)
        size += takes
    if piece:
        yield piece
