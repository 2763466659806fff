"""The workers' app, of which a task stands still at one point: `celery -A tests.faults.held worker`."""

from __future__ import annotations

import os
import re
import threading
from pathlib import Path
from typing import Any, Final

from celery.signals import worker_process_init

from overnight_workers.app import app
from tests.chaos import points

__all__ = ["app"]

AT: Final = "HELD_AT"
"""The variable that says where: a pattern for the point's name, from its stage on."""
AFTER: Final = "HELD_AFTER"
"""The variable that says how often it goes on there before."""
SIGN: Final = "HELD_SIGN"
"""The variable that names the file which is there when it stands still."""


@worker_process_init.connect
def _arm(**_told: Any) -> None:
    at = re.compile(os.environ[AT])
    passes = int(os.environ[AFTER])

    def reach(point: str) -> None:
        nonlocal passes
        if at.fullmatch(point):
            passes -= 1
            if passes < 0:
                Path(os.environ[SIGN]).touch()
                threading.Event().wait()

    points.arm(reach)
