"""A pace that several threads keep together: so many calls a minute, and a pause when the API asks for one."""

from __future__ import annotations

import threading
from typing import Final

_BURST_S: Final = 1.0
"""The API may enforce a minute's limit by the second, so no more than a second's calls are made at once."""


class Pace:
    """A bucket of calls that fills steadily. Times are seconds of any clock that doesn't go back."""

    def __init__(self, per_minute: int, now: float) -> None:
        self._per_s = per_minute / 60
        self._burst = max(self._per_s * _BURST_S, 1.0)
        self._left = self._burst
        self._at = now
        self._lock = threading.Lock()

    def take(self, now: float) -> float:
        """Take a place in the line; returns the seconds until its call may be made."""
        with self._lock:
            if now > self._at:
                self._left = min(self._left + (now - self._at) * self._per_s, self._burst)
                self._at = now
            self._left -= 1
            ready_in = max(-self._left / self._per_s, 0.0)
            return ready_in + max(self._at - now, 0.0)

    def pause(self, now: float, pause_s: float) -> None:
        """Nobody calls for so long; then the line goes on as if it had just begun."""
        with self._lock:
            if now + pause_s > self._at:
                self._at, self._left = now + pause_s, 0.0
