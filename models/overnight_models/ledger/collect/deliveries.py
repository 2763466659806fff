"""Deliveries of what has just been recorded: a row each, or a hand-over for all that go at once."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import NamedTuple

from overnight_models.ledger import hand_overs
from overnight_models.ledger.connection import Connection
from overnight_models.ledger.copying import copy_lines
from overnight_models.ledger.rows import fetch_only


class Finalized(NamedTuple):
    """An item that has just become final."""

    id: int
    lane_id: int
    batch_id: int | None
    tenant_id: int | None
    run_id: int | None
    target_id: int | None
    callback_size: int
    attempts: int
    cancel_wanted: bool
    deadline: datetime | None
    purged: bool
    """Nothing of its answer is kept: only what it cost."""

    @property
    def is_delivered(self) -> bool:
        """Somebody wants its outcome."""
        return self.target_id is not None and not self.cancel_wanted

    def message_size(self, answer_size: int) -> int:
        """About how many bytes its message has: quotes escaped, in its envelope."""
        return (answer_size + self.callback_size) * 21 // 20 + 1700


class _Times(NamedTuple):
    """When deliveries are due, as COPY takes it: those that wait, and those that somebody has claimed."""

    now: str
    lapses: str


def begin_hand_overs(
    connection: Connection, items: Sequence[Finalized], sizes: Mapping[int, int], lease_s: float
) -> dict[int, int]:
    """What the caller hands over, together by lane and queue. Returns the hand-over of each item that is in one."""
    together: dict[tuple[int, int], dict[int, int]] = {}
    for item in items:
        if item.target_id is not None and item.is_delivered:
            together.setdefault((item.lane_id, item.target_id), {})[item.id] = item.message_size(sizes[item.id])
    handed: dict[int, int] = {}
    for (lane_id, target_id), messages in sorted(together.items()):
        begun = hand_overs.begin(connection, lane_id, target_id, messages, lease_s=lease_s)
        if begun is not None:
            handed |= dict.fromkeys(messages, begun)
    return handed


def write(
    connection: Connection,
    wanted: Sequence[Finalized],
    sizes: Mapping[int, int],
    claim: Collection[int],
    lease_s: float,
) -> None:
    """A row each: due now, or being sent already."""
    if not wanted:
        return
    times = fetch_only(
        connection,
        _Times,
        "SELECT now()::text AS now, (now() + make_interval(secs => :lease_s))::text AS lapses",
        lease_s=lease_s,
    )
    due = b"due\t%b\t0" % times.now.encode()
    sending = b"sending\t%b\t1" % times.lapses.encode()
    lines = (
        b"%d\t%d\t%d\t%d\t%b\n"
        % (
            item.id,
            item.lane_id,
            item.target_id,
            item.message_size(sizes[item.id]),
            sending if item.target_id in claim else due,
        )
        for item in wanted
        if item.target_id is not None
    )
    copy_lines(connection, "delivery (item_id, lane_id, target_id, size, state, due_at, tries)", b"".join(lines))
