"""Which submissions have results to read."""

from __future__ import annotations

from typing import Final

READABLE: Final = """
    (state IN ('open', 'lost') AND api_id IS NOT NULL AND ended_at IS NOT NULL
     OR state = 'void' AND api_id IS NOT NULL AND ended_at IS NOT NULL)
"""
"""The guard: it has ended and isn't recorded; two halves, since each has an index of its own."""
