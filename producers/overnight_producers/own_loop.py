"""The event loop of a worker that has none: coroutines of its tasks are run to their end, all in one loop."""

from __future__ import annotations

import asyncio
import atexit
import os
import threading
from collections.abc import Coroutine
from typing import TypeVar

T = TypeVar("T")


class _Own(threading.local):
    """The loop of one thread."""

    runner: asyncio.Runner | None = None
    pid = 0


_own = _Own()


def is_in_a_loop() -> bool:
    """Whether this thread runs an event loop just now."""
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return False
    return True


def run_to_its_end(work: Coroutine[object, None, T]) -> T:
    """What a coroutine comes to. The loop is kept: what a task opened in it, the next may use."""
    if _own.runner is None or _own.pid != os.getpid():
        # a fork has its parent's object, and must not touch what is registered in it
        _own.runner, _own.pid = asyncio.Runner(), os.getpid()
        atexit.register(_own.runner.close)
    return _own.runner.run(work)
