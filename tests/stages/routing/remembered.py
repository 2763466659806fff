"""Lanes by deadline, and what the ledger remembers of earlier batches."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from overnight_workers import process
from overnight_workers.roads import memory
from tests.driving import Service

HOUR: Final = 3600.0
ONE_TO_SIX_HOURS: Final = [1 + n / 4 for n in range(21)]


def by_deadline(service: Service, **more: Any) -> None:
    """The lane is by deadline."""
    service.configure(lane={"road": "by_deadline", "max_wait": "1h", **more})


def batches_took(service: Service, hours: Sequence[float], *, items: int = 10) -> None:
    """The ledger remembers earlier batches, each of which took so many hours."""
    names = process.names()
    lane_id, headers_id = names.lane("default"), names.headers("default", (), "2026-10-21")
    for n, each in enumerate(hours):
        batch_id = service.ledger.fetch_one(
            """INSERT INTO batch (lane_id, headers_id, state, items, size)
               VALUES (%s, %s, 'collected', %s, 0) RETURNING id""",
            lane_id,
            headers_id,
            items,
        )["id"]
        service.ledger.execute(
            """INSERT INTO submission (batch_id, token, state, items, api_id, api_created_at, ended_at)
               VALUES (%s, %s, 'done', %s, %s, now() - interval '2 days',
                       now() - interval '2 days' + make_interval(secs => %s))""",
            batch_id,
            f"token{batch_id}",
            items,
            f"msgbatch_{n}_{batch_id}",
            each * HOUR,
        )
    memory.forget()


def within(hours: float) -> str:
    """A moment so many hours from now."""
    return (datetime.now(UTC) + timedelta(hours=hours)).isoformat()
