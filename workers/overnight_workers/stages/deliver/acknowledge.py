"""Acknowledge: what callbacks pushed into Overnight's Redis when they were done is recorded; a part of the sweep."""

from __future__ import annotations

from typing import Any, Final

import redis

from overnight_models.crash_points import reach
from overnight_models.errors import TransientError
from overnight_models.ledger.deliver import acknowledge as ledger
from overnight_models.routes import ACKS_KEY
from overnight_models.wire.acknowledgement import read_acknowledgements
from overnight_workers import process
from overnight_workers.telemetry import logs

_AT_ONCE: Final = 1000
_GROUPS: Final = 50
"""The rest is for the next sweep."""

log = logs.get(__name__)


def drain() -> int:
    """Record what came, group by group. Returns how many deliveries that ended.

    One that is lost between Redis and Postgres costs one more message with the same delivery id, and nothing else.
    """
    ended = 0
    for _ in range(_GROUPS):
        reach("before taking acknowledgements")
        try:
            popped: Any = process.redis_client().rpop(ACKS_KEY, _AT_ONCE)
        except redis.RedisError as error:
            log.warning("acknowledgements not read, the next sweep will", error=str(error))
            break
        reach("after taking acknowledgements")
        words: list[bytes] = popped or []
        if words:
            ended += _record(words)
        if len(words) < _AT_ONCE:
            break
    return ended


def _record(words: list[bytes]) -> int:
    read = [acknowledgement for word in words for acknowledgement in read_acknowledgements(word)]
    acknowledged = [acknowledgement for acknowledgement in read if acknowledgement is not None]
    if len(acknowledged) < len(read):
        log.error("not acknowledgements", words=len(read) - len(acknowledged))
    try:
        with process.database().transaction() as connection:
            return ledger.acknowledge(connection, acknowledged)
    except TransientError:
        _requeue(words)
        raise


def _requeue(words: list[bytes]) -> None:
    reach("before putting acknowledgements back")
    try:
        process.redis_client().rpush(ACKS_KEY, *words)
        reach("after putting acknowledgements back")
    except redis.RedisError as error:
        log.warning("acknowledgements lost: their messages come again", words=len(words), error=str(error))
