"""A batch as the sandbox keeps it, and as the API shows it."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from overnight_workers.sandbox.clock import DAY, rfc3339

LIFETIME_US = DAY
RESULTS_KEPT_US = 29 * DAY
#: What is on its way through a model when a cancel comes is finished first.
IN_FLIGHT_SHARE = 0.02


@dataclass(frozen=True, slots=True)
class Batch:
    """One row of `batch`. Times are sandbox time in microseconds, `*_real_s` are ours in seconds."""

    ordinal: int
    id: str
    workspace: str
    requests: int
    version: str
    betas: frozenset[str]
    created_at: int
    accepted_real_s: float
    drawn_us: int
    due_at: int
    cancel_at: int | None
    faults: tuple[Mapping[str, Any], ...]
    seen_before: Mapping[str, int]
    settled_real_s: float | None
    succeeded: int
    errored: int
    canceled: int
    expired: int
    archived_at: int | None
    stranger: bool
    fate: int

    @classmethod
    def of(cls, row: sqlite3.Row) -> Batch:
        """Read a row."""
        return cls(
            ordinal=row["ordinal"],
            id=row["id"],
            workspace=row["workspace"],
            requests=row["requests"],
            version=row["version"],
            betas=frozenset(json.loads(row["betas"])),
            created_at=row["created_at"],
            accepted_real_s=row["accepted_real_s"],
            drawn_us=row["drawn_us"],
            due_at=row["due_at"],
            cancel_at=row["cancel_at"],
            faults=tuple(json.loads(row["faults"])),
            seen_before=json.loads(row["seen_before"]),
            settled_real_s=row["settled_real_s"],
            succeeded=row["succeeded"],
            errored=row["errored"],
            canceled=row["canceled"],
            expired=row["expired"],
            archived_at=row["archived_at"],
            stranger=bool(row["stranger"]),
            fate=row["fate"],
        )

    @property
    def ended(self) -> bool:
        """Whether it has ended: its counts are known and its results can be read."""
        return self.settled_real_s is not None

    @property
    def status(self) -> str:
        """The API's `processing_status`."""
        if self.ended:
            return "ended"
        return "in_progress" if self.cancel_at is None else "canceling"

    @property
    def done_share(self) -> float:
        """The share of its requests that get processed before it is stopped."""
        if self.cancel_at is not None:
            return (self.cancel_at - self.created_at) / max(1, self.drawn_us) + IN_FLIGHT_SHARE
        return LIFETIME_US / self.drawn_us if self.drawn_us > LIFETIME_US else 1.0

    def archived(self, now_us: int) -> int | None:
        """When its results became unavailable, if they have."""
        if self.archived_at is not None:
            return self.archived_at
        gone_at = self.created_at + RESULTS_KEPT_US
        return gone_at if self.ended and now_us >= gone_at else None

    def shown(self, base_url: str, now_us: int) -> dict[str, Any]:
        """The API's MessageBatch object. Counts stay in `processing` until the whole batch has ended."""
        ended, archived = self.ended, self.archived(now_us)
        return {
            "id": self.id,
            "type": "message_batch",
            "processing_status": self.status,
            "request_counts": {
                "processing": 0 if ended else self.requests,
                "succeeded": self.succeeded,
                "errored": self.errored,
                "canceled": self.canceled,
                "expired": self.expired,
            },
            "ended_at": rfc3339(self.due_at) if ended else None,
            "created_at": rfc3339(self.created_at),
            "expires_at": rfc3339(self.created_at + LIFETIME_US),
            "archived_at": None if archived is None else rfc3339(archived),
            "cancel_initiated_at": None if self.cancel_at is None else rfc3339(self.cancel_at),
            "results_url": f"{base_url}/v1/messages/batches/{self.id}/results" if ended and archived is None else None,
        }
