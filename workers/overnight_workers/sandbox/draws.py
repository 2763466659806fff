"""Chance that is the same every time: numbers drawn from whole numbers."""

from __future__ import annotations

import math

_GOLDEN = 0x9E3779B97F4A7C15


def draw(*parts: int) -> float:
    """A number in [0, 1) that depends on `parts` only: hashes of integers, unlike strings', aren't salted."""
    mixed = hash(parts) & 0xFFFFFFFFFFFFFFFF
    mixed = (mixed ^ (mixed >> 31)) * _GOLDEN & 0xFFFFFFFFFFFFFFFF
    return (mixed ^ (mixed >> 29)) % 4294967296 / 4294967296


def log_normal(median: float, sigma: float, *parts: int) -> float:
    """A duration: half of them below the median, with a tail."""
    u, v = draw(1, *parts), draw(2, *parts)
    normal = math.sqrt(-2.0 * math.log(1.0 - u)) * math.cos(2.0 * math.pi * v)
    return median * math.exp(sigma * normal)
