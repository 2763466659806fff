"""Doorbells: a message that says "there is work", and nothing else.

It may be lost (the sweep rings again) or heard twice (every stage claims its rows). While a bell rings unheard, ringing
it again does nothing, so that 200 accepted messages don't become 200 looks for work.
"""

from __future__ import annotations

from typing import Final

import kombu.exceptions
import redis

from overnight_models import routes
from overnight_models.crash_points import reach
from overnight_workers import process
from overnight_workers.celery_worker.celery_app import app
from overnight_workers.stages import pulse
from overnight_workers.telemetry import logs

_RINGING: Final = "overnight:ringing:{}"
_PATIENCE_MS: Final = 2000

log = logs.get(__name__)


def ring(stage: str) -> None:
    """Wake a stage. Called after the commit of what it should see; never raises."""
    reach("before ring")
    try:
        if process.redis_client().set(_RINGING.format(stage), 1, nx=True, px=_PATIENCE_MS):
            reach("in the ring")
            app.send_task(stage, queue=stage, expires=routes.STALE_S)
            reach("after ring")
    except (kombu.exceptions.KombuError, redis.RedisError, OSError) as error:
        log.warning("doorbell not rung, the sweep will", stage=stage, error=str(error))


def heard(stage: str) -> None:
    """The stage is awake and hasn't looked yet: what happens from now on needs another ring.

    Raises DatabaseUnavailable.
    """
    pulse.at_work(stage)
    reach("before hearing")
    try:
        process.redis_client().delete(_RINGING.format(stage))
        reach("after hearing")
    except redis.RedisError as error:
        log.warning("doorbell not reset", stage=stage, error=str(error))
