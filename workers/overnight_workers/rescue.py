"""Rescue: on the beat. Brings strays home, rings for whatever has work, and keeps the books short.

Everything that was rung for and not heard, or begun and not ended, is found here: a lost message costs one sweep.
"""

from __future__ import annotations

import time
from typing import Any, Final

import redis

from overnight_models import routes
from overnight_models.crash_points import reach
from overnight_models.ledger import deliver, partitions, rescue, submit
from overnight_workers import doorbell, logs, process, restored
from overnight_workers.app import app

_HOUSEKEEPING_EVERY_S: Final = 60.0

log = logs.get(__name__)
_housekept_at = 0.0


@app.task(name=routes.RESCUE, send_events=False)  # ticks would hide the work in Flower
def sweep(**_later: Any) -> str:
    """One sweep. Any number at once does no harm."""
    restored.notice()
    with process.database().transaction() as connection:
        voided = rescue.void_abandoned(connection)
        doubted = rescue.doubt_abandoned(connection)
        freed = deliver.free_lapsed(connection)
        for submission_id in rescue.noted_but_not_open(connection):
            submit.open_submission(connection, submission_id)
        stages = rescue.stages_with_work(connection)
    for stage in stages:
        doorbell.ring(stage)
    if voided or doubted or freed:
        log.warning("brought home", submissions_void=voided, submissions_unclear=doubted, deliveries_due=freed)
    publish_policy()
    _keep_house()
    return f"rang {', '.join(stages)}" if stages else "nothing to ring for"


def publish_policy() -> None:
    """Tell products what they may enqueue; again and again, since Redis forgets."""
    reach("before policy")
    try:
        process.redis_client().set(routes.POLICY_KEY, process.policy().dump())
        reach("after policy")
    except redis.RedisError as error:
        log.warning("policy not published", error=str(error))


def _keep_house() -> None:
    global _housekept_at
    if time.monotonic() - _housekept_at < _HOUSEKEEPING_EVERY_S and _housekept_at:
        return
    _housekept_at = time.monotonic()
    with process.database().transaction() as connection:
        rescue.fold_tally(connection)
        rescue.forget_messages(connection)
        partitions.make_partitions(connection)
