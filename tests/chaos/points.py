"""Points: the names of the places where a process may be killed, found by reaching them and not listed anywhere.

A name says the stage that runs, the function that reaches the point, and what is done there:
`submit.created:178 after commit`; `poll submit.created:178 after commit` when another stage is what calls it.
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable
from types import FrameType
from typing import Final, NoReturn

from overnight_models import crash_points

_PACKAGE: Final = "overnight_workers."
_GATEWAYS: Final = frozenset({"api", "brokers", "doorbell", "process"})
"""Modules through which many functions reach the outside: of interest is who goes through them."""

_AROUND: Final = "overnight_workers.celery_worker.celery_app"
"""What is around every task: the stage is what it calls."""


def here(what: str) -> str:
    """The name of the point that was just reached; for what is called by `reach`."""
    calling = list(_callers(sys._getframe(3)))
    if not calling:
        return f"outside a stage: {what}"
    own = next((frame for frame in calling if _module(frame) not in _GATEWAYS), calling[0])
    stage, module = _module(calling[-1]), _module(own)
    site = f"{module}.{own.f_code.co_qualname}:{own.f_lineno} {what}"
    return site if stage == module else f"{stage} {site}"


def _callers(frame: FrameType | None) -> list[FrameType]:
    """Frames of the workers' own code, the innermost first."""
    points_ = []
    while frame is not None:
        name = str(frame.f_globals.get("__name__", ""))
        if name.startswith(_PACKAGE) and name != _AROUND:
            points_.append(frame)
        frame = frame.f_back
    return points_


def _module(frame: FrameType) -> str:
    return str(frame.f_globals["__name__"]).rpartition(".")[2]


def die() -> NoReturn:
    """As `kill -9` does: nothing is cleaned up, nothing is said."""
    os.kill(os.getpid(), signal.SIGKILL)
    raise AssertionError("still there")


def arm(reach: Callable[[str], None]) -> None:
    """Tell of every point that this process reaches from now on, by its name, before it goes on."""

    def reached(what: str) -> None:
        reach(here(what))

    crash_points.armed = reached


def disarm() -> None:
    """From now on this process is as any other."""
    crash_points.armed = None
