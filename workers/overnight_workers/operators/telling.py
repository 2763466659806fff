"""Alarms are told when one begins, when more of its kind do, and when it is over: to a command, and to a webhook.

At least once each: what isn't taken (a command that ends with another code than 0, an answer that isn't 2xx) is told
again at the next look, by whichever worker looks then, to both. What has been told is in Redis; when it is forgotten,
what is on is told again. While Redis is away nobody looks: the rules for Prometheus (`alerts.yaml`) see that.
"""

from __future__ import annotations

import subprocess
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Final
from uuid import uuid4

import orjson
import redis

from overnight_models import routes
from overnight_models.errors import BadSettings
from overnight_models.wire.webhook import ALARM, write_body
from overnight_workers.configuration.operator_settings import AlarmsTold
from overnight_workers.configuration.webhook_settings import Webhook
from overnight_workers.operators.foreign_texts import plain_words
from overnight_workers.operators.redis_look import WatchedAlarm
from overnight_workers.telemetry import logs
from overnight_workers.webhooks.once import post

_WITHIN_S: Final = 20.0
"""A command that takes longer is killed: the worker has other work."""
_KEPT_S: Final = 30 * 86400
_MOST_SAID: Final = 500
"""Characters of what a failing command wrote that go into the log."""

log = logs.get(__name__)


def tell(
    client: redis.Redis,
    to: AlarmsTold,
    webhooks: Mapping[str, Webhook],
    seen: Sequence[WatchedAlarm],
    about: Mapping[str, str],
) -> None:
    """Tell them if other alarms are on than were told. about: the host and the deployment, for the document.

    It is one JSON document: `began` and `over` (kinds of alarms), `alarms` (all that are on, as `overnight doctor
    --json` has them), and what it is about. Raises redis.RedisError.
    """
    webhook = webhooks.get(to.webhook)
    if (not to.command and webhook is None) or not client.set(routes.TELLING_KEY, "1", nx=True, ex=int(2 * _WITHIN_S)):
        return
    try:
        before = Counter(orjson.loads(client.get(routes.TOLD_KEY) or b"{}"))
        now = Counter(alarm["alarm"] for alarm in seen)
        began, over = sorted(now - before), sorted(set(before) - set(now))
        document = {"began": began, "over": over, "alarms": list(seen), **about}
        if (began or over) and not _have_taken(to.command, webhook, document):
            return
        client.set(routes.TOLD_KEY, orjson.dumps(now), ex=_KEPT_S)
    finally:
        client.delete(routes.TELLING_KEY)


def _have_taken(command: Sequence[str], webhook: Webhook | None, document: Mapping[str, object]) -> bool:
    """Whether all that are to be told took it; one that is away keeps it from no other."""
    taken = [_run(command, document)] if command else []
    taken += [_post(webhook, document)] if webhook is not None else []
    return all(taken)


def _post(webhook: Webhook, document: Mapping[str, object]) -> bool:
    """Whether the endpoint took it, in one signed request."""
    limited = replace(webhook, timeout=min(webhook.timeout, _WITHIN_S / 2))
    try:
        answer = post(limited, str(uuid4()), write_body([document], at=datetime.now(UTC), kind=ALARM))
    except BadSettings as error:
        why = "; ".join(error.faults)
    else:
        if answer.is_taken:
            return True
        why = answer.why
    log.error("alarms not told", webhook=webhook.place, why=why)
    return False


def _run(command: Sequence[str], document: Mapping[str, object]) -> bool:
    """Whether it ended well; if not, the log says why, and the next look runs it again."""
    try:
        done = subprocess.run(
            command, input=orjson.dumps(document), capture_output=True, timeout=_WITHIN_S, check=False
        )
        # its arguments and what it writes may hold the token of a pager: plain words only
        said = plain_words(done.stderr.decode(errors="replace")[-_MOST_SAID:])
        why = f"it ended with {done.returncode}: {said}"
    except subprocess.TimeoutExpired:
        why = f"it didn't end within {_WITHIN_S:.0f} s"
    except OSError as error:
        why = f"it can't be run: {error.strerror}"
    else:
        if done.returncode == 0:
            return True
    log.error("alarms not told", command=command[0], why=why)
    return False
