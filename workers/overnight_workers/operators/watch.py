"""The watch: after a sweep a worker looks at the ledger as operators do, and leaves what it saw in Redis.

So `overnight doctor` says within a moment which alarms are on, by the settings of the workers, whose policy is in
force. Whoever wants to be told has a command or a webhook in the settings.
"""

from __future__ import annotations

import socket
import time
from dataclasses import dataclass
from typing import Final

import orjson
import redis

from overnight_models import routes
from overnight_models.errors import OvernightError
from overnight_workers import process
from overnight_workers.held import held
from overnight_workers.operators import telling, words, workers
from overnight_workers.operators.for_everybody import for_everybody
from overnight_workers.operators.redis_look import Watch, WatchedAlarm
from overnight_workers.operators.snapshot import Snapshot, take_snapshot
from overnight_workers.settings import settings
from overnight_workers.telemetry import logs

_EVERY_S: Final = 10.0
_KEPT_S: Final = 30

log = logs.get(__name__)


@dataclass
class _Looked:
    at: float = float("-inf")
    """When this process last looked, by the monotonic clock."""


@held
def _last() -> _Looked:
    return _Looked()


def watch() -> None:
    """Look, at most every 10 s, and leave what was seen. What fails is in the log, and the next look tries again."""
    last = _last()
    if time.monotonic() - last.at < _EVERY_S:
        return
    last.at = time.monotonic()
    try:
        client = process.redis_client()
        snapshot = take_snapshot(process.database(), client)
        seen = _seen(snapshot)
        client.set(routes.WATCH_KEY, orjson.dumps(seen), ex=_KEPT_S)
        about = {"host": seen["host"], "deployment": seen["deployment"]}
        # what is told ends in others' systems: without what an error may quote of a request
        telling.tell(client, settings().alarms, settings().webhooks, _alarms(for_everybody(snapshot)), about)
        workers.forget_gone(client)
    except (redis.RedisError, OvernightError) as error:
        log.warning("nothing seen", why=str(error))


def _seen(snapshot: Snapshot) -> Watch:
    return {
        "host": socket.gethostname(),
        "deployment": str(process.deployment()),
        "alarms": _alarms(snapshot),
        "relays": {relay.name: words.of_relay(relay) for relay in snapshot.troubles.relays},
    }


def _alarms(snapshot: Snapshot) -> list[WatchedAlarm]:
    return [
        {"alarm": alarm.kind, "urgent": alarm.urgent, "text": alarm.text, "do": alarm.do}
        for alarm in snapshot.alarms(settings())
    ]
