"""Whether this worker was told to stop, as its children see it: Celery tells its parent alone.

A byte of memory that parent and children share: it is there before the fork.
"""

from __future__ import annotations

import mmap
from typing import Final

_STOP: Final = mmap.mmap(-1, 1)


def is_stopping() -> bool:
    """Whether this worker was told to stop: what has begun is ended, and nothing new is begun."""
    return _STOP[0] != 0


def set_stopping(stop: bool = True) -> None:
    """Tell every process of this worker. stop: False takes it back, for tests."""
    _STOP[0] = int(stop)
