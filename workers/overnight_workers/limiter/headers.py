"""The headers in which an answer shows its account's limits: `anthropic-ratelimit-…`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

_NAMES = ("requests", "input-tokens", "output-tokens")


class Shown(NamedTuple):
    """Limits and what is left of them: requests, input tokens, output tokens. -1: not shown."""

    limits: tuple[int, int, int]
    left: tuple[int, int, int]

    @property
    def is_nothing(self) -> bool:
        """Whether no header was there."""
        return max(*self.limits, *self.left) < 0


def shown_in(headers: Mapping[str, str]) -> Shown:
    """What the headers show. What can't be read isn't there."""
    limits, left = ([_number(headers, f"{name}-{kind}") for name in _NAMES] for kind in ("limit", "remaining"))
    return Shown((limits[0], limits[1], limits[2]), (left[0], left[1], left[2]))


def _number(headers: Mapping[str, str], name: str) -> int:
    text = headers.get(f"anthropic-ratelimit-{name}") or ""
    return int(text) if text.isascii() and text.isdecimal() and len(text) < 16 else -1
