"""Alarms are told: a command of the settings is run when one begins, when more of its kind do, and when it is over.

At least once each: the command that ends with another code than 0 is run again at the next look, by whichever worker
looks then. What has been told is in Redis; when it is forgotten, what is on is told again. While Redis is away nobody
looks: the rules for Prometheus (`alerts.yaml`) see that.
"""

from __future__ import annotations

import subprocess
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Final

import orjson
import redis

from overnight_models import routes
from overnight_workers import logs
from overnight_workers.operators.redis_look import WatchedAlarm

_WITHIN_S: Final = 20.0
"""A command that takes longer is killed: the worker has other work."""
_KEPT_S: Final = 30 * 86400
_MOST_SAID: Final = 500
"""Characters of what a failing command wrote that go into the log."""

log = logs.get(__name__)


def tell(client: redis.Redis, command: Sequence[str], seen: Sequence[WatchedAlarm], about: Mapping[str, str]) -> None:
    """Run the command if other alarms are on than were told. about: the host and the deployment, for its document.

    It reads one JSON document: `began` and `over` (kinds of alarms), `alarms` (all that are on, as `overnight doctor
    --json` has them), and what it is about. Raises redis.RedisError.
    """
    if not command or not client.set(routes.TELLING_KEY, "1", nx=True, ex=int(2 * _WITHIN_S)):
        return
    try:
        told = Counter(orjson.loads(client.get(routes.TOLD_KEY) or b"{}"))
        now = Counter(alarm["alarm"] for alarm in seen)
        began, over = sorted(now - told), sorted(set(told) - set(now))
        if (began or over) and not _run(command, {"began": began, "over": over, "alarms": list(seen), **about}):
            return
        client.set(routes.TOLD_KEY, orjson.dumps(now), ex=_KEPT_S)
    finally:
        client.delete(routes.TELLING_KEY)


def _run(command: Sequence[str], document: Mapping[str, object]) -> bool:
    """Whether it ended well; if not, the log says why, and the next look runs it again."""
    try:
        done = subprocess.run(
            command, input=orjson.dumps(document), capture_output=True, timeout=_WITHIN_S, check=False
        )
        why = f"it ended with {done.returncode}: {done.stderr.decode(errors='replace')[-_MOST_SAID:].strip()}"
    except (OSError, subprocess.TimeoutExpired) as error:
        why = str(error)
    else:
        if done.returncode == 0:
            return True
    log.error("alarms not told", command=command[0], why=why)
    return False
