"""The workers' app on a machine whose clock is minutes behind: `celery -A tests.faults.slow_clock worker|beat`."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Final

from overnight_workers.app import app

__all__ = ["app"]

BEHIND: Final = timedelta(minutes=4)


def _now() -> datetime:
    return datetime.now(UTC) - BEHIND


# the clock by which Celery writes when a message expires
app.now = _now  # type: ignore[method-assign]
