"""The request limits of /v1/messages and of count_tokens, and the headers that show the former."""

from __future__ import annotations

import threading

from overnight_workers.sandbox.clock import SECOND, Clock, rfc3339

_TOKENS_PER_MINUTE = {"input-tokens": 10_000_000, "output-tokens": 2_000_000, "tokens": 12_000_000}


class Bucket:
    """A bucket of requests that fills steadily, on the sandbox's clock. Tokens are shown, never short."""

    def __init__(self, clock: Clock, per_minute: int) -> None:
        self._clock = clock
        self._per_minute = per_minute
        self._left = float(per_minute)
        self._at = clock.now()
        self._lock = threading.Lock()

    def take(self) -> float:
        """Take one request; the seconds to wait if none is left."""
        with self._lock:
            now = self._clock.now()
            per_us = self._per_minute / (60 * SECOND)
            self._left = min(float(self._per_minute), self._left + (now - self._at) * per_us)
            self._at = now
            if self._left < 1.0:
                return (1.0 - self._left) / per_us / SECOND
            self._left -= 1.0
            return 0.0

    def headers(self) -> dict[str, str]:
        """The limit as the API shows it."""
        missing = self._per_minute - self._left
        full_at = rfc3339(self._at + int(missing * 60 * SECOND / self._per_minute))
        headers = {
            "anthropic-ratelimit-requests-limit": str(self._per_minute),
            "anthropic-ratelimit-requests-remaining": str(int(self._left)),
            "anthropic-ratelimit-requests-reset": full_at,
        }
        for name, limit in _TOKENS_PER_MINUTE.items():
            headers[f"anthropic-ratelimit-{name}-limit"] = str(limit)
            headers[f"anthropic-ratelimit-{name}-remaining"] = str(limit)
            headers[f"anthropic-ratelimit-{name}-reset"] = rfc3339(self._at)
        return headers
