"""One rate limit for all workers: what may be sent now, by workspace and pool of models; kept in Redis.

Requests, input tokens and output tokens a minute are three buckets of one pool (`buckets.lua`, one round trip for many
requests). A request reserves what it will take and settles what it took. Where Redis is away, each worker goes on with
its share of what Redis said last (`alone.py`). Nothing here raises for want of Redis.
"""

from __future__ import annotations

import math
import secrets
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from importlib.resources import files
from typing import Any, Final

import orjson
import redis

from overnight_models import routes
from overnight_models.money import rate_limits
from overnight_workers.limiter.alone import Known, Share
from overnight_workers.limiter.headers import Shown, shown_in
from overnight_workers.limiter.limits import PoolLimits
from overnight_workers.limiter.needs import BUCKETS, Answer, Bucket, Grant, Need, Obstacle, TooLarge, Used, Wait

SCRIPT: Final = files("overnight_workers.limiter").joinpath("buckets.lua").read_text("utf-8")
_MICRO: Final = 1_000_000
_OBSTACLES: Final[tuple[Obstacle, ...]] = (*BUCKETS, "pause")
_ASKED_AGAIN_S: Final = 1.0
"""After a failure, Redis isn't asked for so long: a connection that hangs costs seconds each time."""
_SAYS_IT_LIVES_EVERY_S: Final = 5.0
_UNTOLD_PAUSE_S: Final = 1.0
"""After a 429 or 529 that doesn't say how long."""
_LONGEST_PAUSE_S: Final = 30 * 86_400.0
_SCARCE: Final = 0.3
"""Of a limit: with less than that left, every answer's headers are told to the others, otherwise some."""
_TOLD_EVERY_S: Final = (0.1, 5.0)
_SHORT_FOR_S: Final = 10.0


@dataclass(frozen=True, slots=True)
class BucketUse:
    """One bucket, now."""

    limit: int
    """A minute, as it is kept to: the account's own, or the smaller one of the settings."""
    used: int
    """In the last minute, more or less."""
    wait_s: float
    """Until it lets something through."""
    is_short: bool
    """Requests had to wait for it in the last ten seconds."""
    left: int | None
    """What the account has left by its own word; None where no answer said so in the last minute."""


@dataclass(frozen=True, slots=True)
class PoolUse:
    """One pool of models of one workspace, now."""

    workspace: str
    pool: str
    paused_s: float
    """What is left of a retry-after."""
    factor: float
    """1, or less for a while after a 429 or 529: the share of the limit that is used."""
    workers: int
    """That asked in the last half minute."""
    buckets: Mapping[Bucket, BucketUse]


class Limiter:
    """The limiter of one process. `limits_of` says what a workspace's model may do in a minute."""

    def __init__(self, client: redis.Redis, limits_of: Callable[[str, str], PoolLimits], script: str = SCRIPT) -> None:
        self._script = client.register_script(script)
        self._client = client
        self._limits_of = limits_of
        self._name = secrets.token_hex(8)
        self._remembered: dict[str, dict[str, object]] = {}
        self._known: dict[str, Known] = {}
        self._shares: dict[str, Share] = {}
        self._said_at: dict[str, float] = {}
        self._shown: dict[str, tuple[Shown, float]] = {}
        self._asked_from = -math.inf

    def acquire(self, workspace: str, model: str, needs: Sequence[Need], ahead_s: float = 0.0) -> list[Answer]:
        """Whether each request may be sent now, or how long it waits. One round trip.

        needs: in the order in which they shall be sent: none is let through before those that stand before it.
        ahead_s: a request that may be sent within so many seconds is granted, and says when it starts.
        """
        if not needs:
            return []
        pool = rate_limits.pool(model)
        job = {
            "op": "acquire",
            "needs": [(max(0, need.input_tokens), max(0, need.output_tokens)) for need in needs],
            "ahead": round(ahead_s * _MICRO),
        }
        done = self._run([(workspace, pool, job)])
        if done is None:
            key = _key(workspace, pool)
            share = self._shares.setdefault(key, Share())
            return share.acquire(self._known.get(key), workspace, pool, needs, time.monotonic(), ahead_s)
        now, (answers,) = done
        return [_answer(workspace, pool, need, answer, now) for need, answer in zip(needs, answers, strict=True)]

    def settle(self, settled: Sequence[tuple[Grant, Used | None]]) -> None:
        """Give back what wasn't used, and owe what was used beyond. One round trip.

        Used: what the API counted; None: it took nothing (the request wasn't sent, or was refused).
        """
        calls: dict[tuple[str, str], list[Mapping[str, object]]] = {}
        for grant, used in settled:
            took = (0, 0, 0) if used is None else (1, max(0, used.input_tokens), max(0, used.output_tokens))
            if grant.at:
                call = {"costs": grant.costs, "charges": grant.charges, "used": took, "at": grant.at}
                calls.setdefault((grant.workspace, grant.pool), []).append(call)
                continue
            key = _key(grant.workspace, grant.pool)
            known, share = self._known.get(key), self._shares.get(key)
            if known is not None and share is not None:
                share.settle(known, grant.costs, took)
        if calls:
            self._run([(*place, {"op": "settle", "calls": of_pool}) for place, of_pool in calls.items()])

    def observe(self, workspace: str, model: str, headers: Mapping[str, str]) -> None:
        """Note what an answer's headers say of the account: its limits go over ours, and others may use it too."""
        shown = shown_in(headers)
        if shown.is_nothing:
            return
        pool = rate_limits.pool(model)
        key = _key(workspace, pool)
        before, now = self._shown.get(key), time.monotonic()
        scarce = any(0 <= left < limit * _SCARCE for left, limit in zip(shown.left, shown.limits, strict=True))
        if before is not None and before[0].limits == shown.limits and now - before[1] < _TOLD_EVERY_S[not scarce]:
            return
        self._shown[key] = (shown, now)
        self._run([(workspace, pool, {"op": "observe", "account": shown.limits, "left": shown.left})])

    def throttled(self, workspace: str, model: str, retry_after_s: float | None) -> None:
        """The API said 429 or 529: nothing is sent for as long as it says, and then at half the pace, growing back."""
        pause_s = _UNTOLD_PAUSE_S if retry_after_s is None else min(max(retry_after_s, 0.0), _LONGEST_PAUSE_S)
        pool = rate_limits.pool(model)
        known = self._known.get(_key(workspace, pool))
        if known is not None:
            known.paused_until = max(known.paused_until, time.monotonic() + pause_s)
        self._run([(workspace, pool, {"op": "throttle", "pause": math.ceil(pause_s * _MICRO)})])

    def use(self) -> list[PoolUse]:
        """How much of each bucket is used, of every pool that was used in the last day; empty while Redis is away."""
        try:
            names = self._client.hvals(routes.LIMITER_POOLS_KEY)
        except redis.RedisError:
            return []
        places = sorted(tuple(name.decode().split(" ", 1)) for name in names)  # type: ignore[union-attr]
        done = self._run([(workspace, pool, {"op": "look"}) for workspace, pool in places]) if places else None
        if done is None:
            return []
        return [self._use(workspace, pool, answers) for (workspace, pool), answers in zip(places, done[1], strict=True)]

    def _use(self, workspace: str, pool: str, answers: Sequence[Sequence[int]]) -> PoolUse:
        known = self._known[_key(workspace, pool)]
        buckets = {
            name: BucketUse(limit, used, wait / _MICRO, 0 <= short < _SHORT_FOR_S * _MICRO, left if left >= 0 else None)
            for name, (limit, used, wait, short, left) in zip(BUCKETS, answers, strict=True)
        }
        paused_s = max(0.0, known.paused_until - time.monotonic())
        return PoolUse(workspace, pool, paused_s, known.factor, known.workers, buckets)

    def _run(self, jobs: Sequence[tuple[str, str, Mapping[str, object]]]) -> tuple[int, list[Any]] | None:
        """Do jobs in Redis: its time and the answers of each. None: it is away."""
        started = time.monotonic()
        if started < self._asked_from:
            return None
        keys, arguments = [routes.LIMITER_POOLS_KEY], []
        for workspace, pool, job in jobs:
            key, limits = _key(workspace, pool), self._limits_of(workspace, pool)
            keys += [key, f"{key}:workers"]
            more = {"limits": limits.per_minute, "set": limits.is_set, "known": self._remembered.get(key)}
            if job["op"] == "acquire" and started - self._said_at.get(key, -math.inf) > _SAYS_IT_LIVES_EVERY_S:
                self._said_at[key] = started
                arguments.append({**job, **more, "worker": self._name, "name": f"{workspace} {pool}"})
            else:
                arguments.append({**job, **more})
        try:
            now, replies = self._script(keys=keys, args=[orjson.dumps(arguments)])
        except redis.RedisError:
            self._asked_from = time.monotonic() + _ASKED_AGAIN_S
            self._said_at.clear()
            return None
        for (workspace, pool, _), (_, known, workers) in zip(jobs, replies, strict=True):
            self._remember(workspace, pool, known, workers, now)
        return now, [reply[0] for reply in replies]

    def _remember(self, workspace: str, pool: str, known: list[int], workers: int, now: int) -> None:
        """What goes on without Redis, and goes over a Redis that was emptied."""
        born, blocked, factor, *rest = known
        key, usual = _key(workspace, pool), self._limits_of(workspace, pool)
        tats, limits = rest[:3], rest[3:]
        before = self._remembered.get(key)
        if before is not None and before["born"] != born:
            # an emptied Redis doesn't know yet how many there are
            self._said_at.pop(key, None)
            workers = max(workers, self._known[key].workers)
        self._remembered[key] = {
            "born": born, "blocked": blocked, "factor": factor / _MICRO, "tats": tats, "limits": limits,
        }  # fmt: skip
        kept = [
            own if not account else min(own, account) if is_set else account
            for own, account, is_set in zip(usual.per_minute, limits, usual.is_set, strict=True)
        ]
        paused_until = time.monotonic() + max(0, blocked - now) / _MICRO
        self._known[key] = Known((kept[0], kept[1], kept[2]), max(1, workers), factor / _MICRO, paused_until)
        self._shares.pop(key, None)


def _answer(workspace: str, pool: str, need: Need, answer: list[int], now: int) -> Answer:
    match answer:
        case [1, start, *charges, output_tokens]:
            costs = (1, max(0, need.input_tokens), output_tokens)
            return Grant(workspace, pool, costs, (charges[0], charges[1], charges[2]), now, start / _MICRO)
        case [0, wait, obstacle]:
            return Wait(wait / _MICRO, _OBSTACLES[obstacle - 1])
        case _:
            return TooLarge(need.input_tokens, answer[1])


def _key(workspace: str, pool: str) -> str:
    return routes.LIMITER_KEY.format(workspace, pool)
