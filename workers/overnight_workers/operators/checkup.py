"""The check-up: what `overnight doctor` and `overnight health` look at, for a person and as a probe.

A probe runs every minute, so the way on which all is well imports neither SQLAlchemy nor Celery nor redis-py nor the
API's SDK: one connection to Redis, where the workers show themselves and leave what they saw, and one to Postgres.
What isn't well there is looked at again, thoroughly.
"""

from __future__ import annotations

import socket
import time
from collections.abc import Sequence

from overnight_models.errors import BadSettings, PermanentError
from overnight_models.quantities import spoken
from overnight_models.routes import DELIVER, QUEUES, SUBMIT, WEBHOOKS
from overnight_workers.celery_worker.temporary_directory import temporary_directory_fault
from overnight_workers.configuration.broker_settings import without_urls
from overnight_workers.configuration.webhook_settings import without_secrets
from overnight_workers.configuration.workspace_settings import Workspace
from overnight_workers.local_time import rules_version
from overnight_workers.operators import workers
from overnight_workers.operators.findings import (
    FAULT,
    NOTE,
    OK,
    UNKNOWN,
    Finding,
    clock,
    deployment,
    kept,
    lock_room,
    relays,
)
from overnight_workers.operators.redis_look import Redis, look
from overnight_workers.settings import Settings, settings


def exit_code(findings: Sequence[Finding]) -> int:
    """0: nobody is needed; 1: somebody is; 2: it can't be told."""
    states = {finding.state for finding in findings}
    return 1 if FAULT in states else 2 if UNKNOWN in states else 0


def doctor() -> list[Finding]:
    """Everything there is to look at, from here."""
    try:
        current = settings()
    except BadSettings as error:
        return _bad_settings(error)
    redis = look(current) if current.redis_url else None
    return [
        Finding("configuration", OK, f"lanes: {', '.join(current.lanes)}"),
        Finding("time zones", OK, f"schedules go by the rules of tzdata {rules_version()}"),
        *_ledger(current, redis),
        *_redis(redis),
        *_policy(current, redis),
        *_workers(redis),
        *_keys(current, redis),
        *_encryption_keys(current, redis),
        *_brokers(current, redis),
        *_secrets(current, redis),
        *_temporary_directory(),
    ]


def health(queues: Sequence[str]) -> list[Finding]:
    """Whether this host has, for each of these queues, a worker that lives and takes work from it.

    Raises PermanentError for a queue that isn't there.
    """
    unknown = [queue for queue in queues if queue not in QUEUES]
    if unknown or not queues:
        asked = f"there is no queue {', '.join(unknown)}" if unknown else "which queue? Say --queue"
        raise PermanentError(f"{asked}: {', '.join(QUEUES)}")
    try:
        current = settings()
    except BadSettings as error:
        return _bad_settings(error)
    if not current.redis_url:
        return _redis(None)
    redis = look(current)
    if redis.health.is_away:
        return [Finding("workers", UNKNOWN, f"Redis, where they show themselves: {redis.health.fault}")]
    return [_of_queue(queue, redis) for queue in queues]


def _of_queue(queue: str, redis: Redis) -> Finding:
    host = socket.gethostname()
    here = [sign for sign in redis.signs if sign.host == host and queue in sign.queues]
    if not here:
        why = f"no worker of this host ({host}) shows that it takes work: it ended, stands still, or has no Redis"
        return Finding(queue, FAULT, why, f"start it anew, or a worker with -Q {queue}")
    if not any(sign.takes_work for sign in here):
        why = f"messages have waited for {spoken(here[0].stuck_s)} in {here[0].worker}, and its processes begin none"
        return Finding(queue, FAULT, why, "start it anew: its processes are frozen")
    return Finding(queue, OK, ", ".join(sign.worker for sign in here if sign.takes_work))


def _bad_settings(error: BadSettings) -> list[Finding]:
    return [Finding("configuration", FAULT, fault, "mend overnight.toml or the environment") for fault in error.faults]


def _ledger(current: Settings, redis: Redis | None) -> list[Finding]:
    """The ledger and its alarms: quickly where all is well and a worker has just looked, otherwise thoroughly."""
    if not current.database_url:
        return [Finding("database", FAULT, "no URL", "set OVERNIGHT_DATABASE_URL, or start `overnight up`")]
    from overnight_models.ledger.probe import probe

    began_s = time.time()
    server = None if current.presence_url else probe(current.database_url)
    watch = None if redis is None else redis.watch
    if server is None or watch is None or current.deployment not in (None, server.deployment):
        from overnight_workers.operators import thorough

        return thorough.ledger(current, None if redis is None else redis.policy)
    apart_s = abs(server.now_s - (began_s + time.time()) / 2)
    alarms = [
        Finding(alarm["alarm"], FAULT if alarm["urgent"] else NOTE, alarm["text"], alarm["do"])
        for alarm in watch["alarms"]
        if alarm["alarm"] != workers.MISSING  # seen from here, and newer
    ]
    return [
        Finding("database", OK, f"PostgreSQL {server.server_version}"),
        Finding("presence", OK, "processes can show that they live"),
        Finding("schema", OK, f"revision {server.revision}"),
        deployment(str(server.deployment), watch["deployment"]),
        clock(apart_s),
        lock_room(server.locks),
        *kept(current, server.waits_for),
        *relays(watch.get("relays", {})),
        *(alarms or [Finding("alarms", OK, f"none is on, as {watch['host']} sees it")]),
    ]


def _redis(redis: Redis | None) -> list[Finding]:
    if redis is None:
        return [Finding("redis", FAULT, "no URL", "set OVERNIGHT_REDIS_URL, or start `overnight up`")]
    if redis.health.fault is None:
        return [Finding("redis", OK, redis.health.version)]
    state = UNKNOWN if redis.health.is_away else FAULT
    alarm = "redis refuses writes" if redis.health.lets_in else "redis away"
    return [Finding("redis", state, redis.health.fault, f"see `{alarm}` in workers/docs/alarms.md")]


def _policy(current: Settings, redis: Redis | None) -> list[Finding]:
    """Whose word holds: the workers' settings, and not those of the directory that this is asked in."""
    if redis is None or redis.health.is_away:
        return []
    policy = redis.policy
    if policy is None:
        return [Finding("policy", NOTE, "none is published", "a worker with -Q overnight.rescue does, and a beat")]
    published = policy.published
    by_whom = f"{published}, {published.at[:19].replace('T', ' ')} UTC" if published else "of an older version"
    whose = f"in force: {', '.join(policy.lanes)} ({by_whom})"
    if set(policy.lanes) == set(current.lanes):
        return [Finding("policy", OK, whose)]
    only = f"the configuration here has {', '.join(current.lanes)}"
    return [Finding("policy", NOTE, f"{whose}; {only}", "what is asked here by lane is by another overnight.toml")]


def _workers(redis: Redis | None) -> list[Finding]:
    if redis is None or redis.health.is_away:
        return [Finding("workers", UNKNOWN, "they show themselves in Redis", "start Redis first")]
    if not redis.health.takes_writes:
        return [Finding("workers", UNKNOWN, "they show themselves in Redis, which takes no writes", "mend Redis first")]
    if not redis.signs:
        start = "start `overnight up`, or celery -A overnight_workers.app worker"
        return [Finding("workers", FAULT, "none shows that it lives", start)]
    stuck = [sign.worker for sign in redis.signs if not sign.takes_work]
    findings = [
        Finding("workers", FAULT, f"{name} takes messages and begins none", "start it anew: its processes are frozen")
        for name in stuck
    ]
    if silent := workers.without_worker(redis.signs):
        findings.append(
            Finding("workers", FAULT, f"nobody works on {', '.join(silent)}", "start a worker with -Q for them")
        )
    names = sorted(sign.worker for sign in redis.signs)
    return findings or [Finding("workers", OK, f"{len(names)} show that they live: {', '.join(names)}")]


def _keys(current: Settings, redis: Redis | None) -> list[Finding]:
    """The keys, as far as they are known here: only the workers that speak to the API need them."""
    elsewhere = redis is not None and any(SUBMIT in sign.queues for sign in redis.signs)
    findings = []
    for name, workspace in current.workspaces.items():
        findings.append(_key(name, workspace, elsewhere=elsewhere, redis=redis))
    return findings


def _key(name: str, workspace: Workspace, *, elsewhere: bool, redis: Redis | None) -> Finding:
    from overnight_workers.keys import api_keys

    check, source = f"key of workspace {name}", workspace.key_source
    try:
        api_keys.key_of(name, workspace)
    except BadSettings as error:
        why = error.faults[0].partition(": ")[2]
    else:
        return Finding(check, OK, f"{source.spoken} {'is set' if source.kind == 'env' else 'has one'}")
    if source.kind != "env":
        # whoever runs the workers may read what this user can't
        word = NOTE if elsewhere else FAULT
        return Finding(check, word, why, "the workers that submit read it by themselves: mend it for them")
    if elsewhere:
        return Finding(check, OK, f"{source.place} isn't set here; the workers that submit have their own")
    if redis is not None and redis.health.is_away:
        unseen = f"{source.place} isn't set here; whether a worker that submits has it shows in Redis"
        return Finding(check, UNKNOWN, unseen, "start Redis first")
    return Finding(check, FAULT, f"{source.place} isn't set here", f"set {source.place} for the workers")


def _encryption_keys(current: Settings, redis: Redis | None) -> list[Finding]:
    """The keys by which lanes encrypt, as far as they are known here: every worker that writes or reads needs them."""
    if not current.encryption:
        return []
    from overnight_workers.operators.encryption import key_lines  # only where a lane encrypts: it needs the ledger

    word = NOTE if redis is not None and redis.signs else FAULT
    do = "mend it for every worker: without it nothing of these lanes is written or read, and all of it waits"
    return [
        Finding(f"encryption {name}", OK, stands) if why is None else Finding(f"encryption {name}", word, why, do)
        for name, why, stands in key_lines()
    ]


def _brokers(current: Settings, redis: Redis | None) -> list[Finding]:
    """Where brokers are, as far as it is known here: the workers that deliver need it."""
    lines = without_urls(current.brokers)
    return _seen_from_here("urls of brokers", DELIVER, list(current.brokers), lines, redis)


def _secrets(current: Settings, redis: Redis | None) -> list[Finding]:
    """The secrets of webhooks, as far as they are known here: the workers that send them need them."""
    lines = without_secrets(current.webhooks)
    return _seen_from_here("secrets of webhooks", WEBHOOKS, list(current.webhooks), lines, redis)


def _seen_from_here(
    check: str, queue: str, names: Sequence[str], lines: Sequence[str], redis: Redis | None
) -> list[Finding]:
    """What is wrong here may be right where the workers of that queue run; only a note where there are some."""
    if not names:
        return []
    if not lines:
        return [Finding(check, OK, f"can be read: {', '.join(names)}")]
    word = NOTE if redis is not None and any(queue in sign.queues for sign in redis.signs) else FAULT
    do = f"mend it where the workers with -Q {queue} run"
    return [Finding(check, word, f"as seen from here: {line}", do) for line in lines]


def _temporary_directory() -> list[Finding]:
    """Only a note: the workers that send may be on other hosts, and say it at their start."""
    fault = temporary_directory_fault()
    words = "has room for the largest batch" if fault is None else f"on this host, {fault}"
    return [Finding("temporary directory", OK if fault is None else NOTE, words)]
