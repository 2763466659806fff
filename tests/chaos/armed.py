"""The workers' app, armed: their processes are killed at a point now and then. `celery -A tests.chaos.armed worker`."""

from __future__ import annotations

import os
from pathlib import Path
from random import Random
from typing import Any, Final

from celery.signals import worker_process_init

from overnight_workers.app import app
from tests.chaos import points

__all__ = ["app"]

HOME: Final = "CHAOS_HOME"
"""The variable that names the directory in which deaths are written down."""
SEED: Final = "CHAOS_SEED"
RATE: Final = "CHAOS_RATE"
"""How likely each point is to be deadly."""


def deaths(home: Path) -> Path:
    """Where each point is written down at which a process was killed, a line each."""
    return home / "deaths"


def calm(home: Path) -> Path:
    """When this file is there, nobody is killed any more."""
    return home / "calm"


def _births(home: Path) -> Path:
    return home / "births"


@worker_process_init.connect
def _arm(**_: Any) -> None:
    home, rate = Path(os.environ[HOME]), float(os.environ[RATE])
    draw = Random(f"{os.environ[SEED]} {_write(_births(home), '.')}")

    def reach(point: str) -> None:
        if draw.random() < rate and not calm(home).exists():
            _write(deaths(home), f"{point}\n")
            points.die()

    points.arm(reach)


def _write(path: Path, text: str) -> int:
    """Add to a file that many processes write. Returns its size by then."""
    handle = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    try:
        os.write(handle, text.encode())
        return os.lseek(handle, 0, os.SEEK_CUR)
    finally:
        os.close(handle)
