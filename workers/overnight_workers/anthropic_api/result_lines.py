"""The results of a batch as they come: bytes into lines, and no longer than they come at some speed."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Final

from overnight_models.crash_points import reach

STALL_S: Final = 60.0
"""Without a byte of the results: then they are read again, later."""
_SLOWEST_BYTES_S: Final = 1000
"""Slower, they are read again, later."""


def steady(chunks: Iterator[bytes]) -> Iterator[bytes]:
    """The same, as long as they don't come so slowly that others' results would wait for hours."""
    since, size = time.monotonic(), 0
    for chunk in chunks:
        yield chunk
        size += len(chunk)
        took_s = time.monotonic() - since
        if took_s > STALL_S:
            if size < took_s * _SLOWEST_BYTES_S:
                raise TimeoutError(f"{size:,} bytes in {took_s:.0f} s")
            since, size = time.monotonic(), 0


def lines(chunks: Iterator[bytes]) -> Iterator[bytes]:
    """The lines that are not blank, without their ends; the last needs none."""
    rest = b""
    for chunk in chunks:
        reach("in the results")
        *whole, rest = (rest + chunk).split(b"\n")
        yield from (line for line in whole if line.strip())
    if rest.strip():
        yield rest
