"""The sandbox's clock: ahead of ours or behind when told, faster when told, jumps when told, outlives its process."""

from __future__ import annotations

import json
import threading
import time
from datetime import UTC, datetime

from overnight_workers.sandbox.store import Store

SECOND = 1_000_000
HOUR = 3600 * SECOND
DAY = 24 * HOUR


class Clock:
    """Sandbox time in whole microseconds since the epoch.

    Only the anchor is kept (our time, sandbox time, speed), so time goes on while the sandbox is down.
    """

    def __init__(self, store: Store, speed: float, offset_s: float = 0.0) -> None:
        self._store = store
        self._lock = threading.Lock()
        kept = store.get("clock")
        now = _real_us()
        anchor: tuple[int, int, float] = (now, now + round(offset_s * SECOND), speed)
        if kept is not None:
            real, sandbox, kept_speed = json.loads(kept)
            anchor = (now, int(sandbox + (now - real) * kept_speed), speed)
        self._set(anchor)

    def _set(self, anchor: tuple[int, int, float]) -> None:
        self._anchor = anchor
        self._store.put("clock", json.dumps(anchor))

    @property
    def speed(self) -> float:
        """How many sandbox seconds pass in one of ours."""
        return self._anchor[2]

    def now(self) -> int:
        """Microseconds since the epoch, in sandbox time."""
        real, sandbox, speed = self._anchor
        return int(sandbox + (_real_us() - real) * speed)

    def change(self, *, advance_s: float = 0.0, speed: float | None = None) -> None:
        """Jump forward and change speed; a clock never goes back."""
        with self._lock:
            now = self.now() + round(max(0.0, advance_s) * SECOND)
            self._set((_real_us(), now, self.speed if speed is None else speed))


def rfc3339(us: int) -> str:
    """The API's way to write a time: microseconds always, and `+00:00` for UTC."""
    return datetime.fromtimestamp(us // SECOND, UTC).replace(microsecond=us % SECOND).isoformat(timespec="microseconds")


def http_date(us: int) -> str:
    """The `Date` header's way to write a time."""
    return datetime.fromtimestamp(us // SECOND, UTC).strftime("%a, %d %b %Y %H:%M:%S GMT")


def _real_us() -> int:
    return time.time_ns() // 1000
