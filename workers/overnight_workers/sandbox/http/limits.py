"""What an account may do in a minute: the limits of /v1/messages and of count_tokens, and the headers that show them.

Messages are limited as the API's tiers say: requests, input tokens (those read from a cache aren't counted) and output
tokens, each in a bucket that holds a minute's worth and fills steadily, by workspace and pool of models. A prompt has
to fit into what is left; an answer is counted when it is given, and what is too much then is owed.

Beside the buckets stands what was let through in the worst minute: `GET /sandbox/limits`.
"""

from __future__ import annotations

import math
import threading
from collections import deque
from dataclasses import dataclass, field

from overnight_models.money.rate_limits import MessageLimits, message_limits, pool
from overnight_workers.sandbox.clock import SECOND, Clock, rfc3339
from overnight_workers.sandbox.errors import Refusal
from overnight_workers.sandbox.options import Options

_MINUTE = 60 * SECOND
_KINDS = ("requests", "input-tokens", "output-tokens")


class Bucket:
    """A bucket that fills steadily, on the sandbox's clock. Not safe between threads."""

    def __init__(self, now_us: int, per_minute: int) -> None:
        self.per_minute = per_minute
        self.left = float(per_minute)
        self._at = now_us

    def wait_s(self, amount: float, now_us: int) -> float:
        """Seconds until so much is in it, or it is full; 0 when it is."""
        self._fill(now_us)
        missing = min(amount, self.per_minute) - self.left
        return max(0.0, missing * 60 / self.per_minute)

    def take(self, amount: float, now_us: int) -> None:
        """Take so much, be it there or not."""
        self._fill(now_us)
        self.left -= amount

    def full_at(self) -> int:
        """When it will be full."""
        return self._at + int((self.per_minute - self.left) * _MINUTE / self.per_minute)

    def _fill(self, now_us: int) -> None:
        self.left = min(float(self.per_minute), self.left + (now_us - self._at) * self.per_minute / _MINUTE)
        self._at = now_us


class Window:
    """What was let through in the last minute, and in the worst one."""

    def __init__(self) -> None:
        self._taken: deque[tuple[int, int]] = deque()
        self._sum = 0
        self.worst = 0
        self.total = 0

    def add(self, amount: int, now_us: int) -> None:
        """So much was let through now."""
        while self._taken and self._taken[0][0] <= now_us - _MINUTE:
            self._sum -= self._taken.popleft()[1]
        self._taken.append((now_us, amount))
        self._sum += amount
        self.total += amount
        self.worst = max(self.worst, self._sum)


@dataclass(slots=True)
class Account:
    """One pool of models of one workspace. `enforced`: the kinds that are refused when they are used up."""

    buckets: dict[str, Bucket]
    enforced: frozenset[str]
    windows: dict[str, Window] = field(default_factory=lambda: {kind: Window() for kind in _KINDS})
    refused: dict[str, int] = field(default_factory=lambda: dict.fromkeys(_KINDS, 0))


class MessageRates:
    """The limits of /v1/messages, kept. Raises Refusal(429) for what is over them."""

    def __init__(self, clock: Clock, options: Options) -> None:
        self._clock = clock
        self._options = options
        self._accounts: dict[tuple[str, str], Account] = {}
        self._lock = threading.Lock()

    def take_request(self, workspace: str, model: str) -> None:
        """Let one request in."""
        self._take(workspace, model, "requests", 1, needed=1)

    def take_input(self, workspace: str, model: str, tokens: int) -> None:
        """Let a prompt in, of so many tokens that don't come from a cache; not while answers are owed."""
        with self._lock:
            account, now = self._account(workspace, model), self._clock.now()
            self._refuse(account, "output-tokens", 1, now)
        self._take(workspace, model, "input-tokens", tokens, needed=tokens)

    def give_output(self, workspace: str, model: str, tokens: int) -> None:
        """An answer was given."""
        self._take(workspace, model, "output-tokens", tokens, needed=0)

    def _take(self, workspace: str, model: str, kind: str, amount: int, *, needed: int) -> None:
        with self._lock:
            account, now = self._account(workspace, model), self._clock.now()
            self._refuse(account, kind, needed, now)
            account.buckets[kind].take(amount, now)
            account.windows[kind].add(amount, now)

    @staticmethod
    def _refuse(account: Account, kind: str, needed: int, now_us: int) -> None:
        wait_s = account.buckets[kind].wait_s(needed, now_us) if kind in account.enforced else 0.0
        if wait_s > 0:
            account.refused[kind] += 1
            raise Refusal(429, retry_after=math.ceil(wait_s))

    def headers(self, workspace: str, model: str) -> dict[str, str]:
        """The limits as the API shows them. Tokens are rounded to thousands."""
        with self._lock:
            account, now = self._account(workspace, model), self._clock.now()
            shown: dict[str, tuple[float, float, int]] = {}
            for kind in _KINDS:
                bucket = account.buckets[kind]
                bucket.wait_s(0, now)
                # what isn't enforced is shown as never used
                left, full_at = (
                    (bucket.left, bucket.full_at()) if kind in account.enforced else (bucket.per_minute, now)
                )
                shown[kind] = (bucket.per_minute, left, full_at)
        into, out = shown["input-tokens"], shown["output-tokens"]
        shown["tokens"] = (into[0] + out[0], into[1] + out[1], max(into[2], out[2]))
        headers: dict[str, str] = {}
        for kind, (limit, left, full_at) in shown.items():
            remaining = max(0, int(left))
            headers[f"anthropic-ratelimit-{kind}-limit"] = str(int(limit))
            headers[f"anthropic-ratelimit-{kind}-remaining"] = str(
                remaining if kind == "requests" else round(remaining, -3)
            )
            headers[f"anthropic-ratelimit-{kind}-reset"] = rfc3339(full_at)
        return headers

    def shown(self) -> list[dict[str, object]]:
        """Each pool of each workspace: its limits, what was let through in all and in the worst minute, and refused."""
        with self._lock:
            return [
                {
                    "workspace": workspace,
                    "pool": name,
                    **{
                        kind.replace("-", "_"): {
                            "limit": account.buckets[kind].per_minute,
                            "enforced": kind in account.enforced,
                            "total": account.windows[kind].total,
                            "worst_minute": account.windows[kind].worst,
                            "refused": account.refused[kind],
                        }
                        for kind in _KINDS
                    },
                }
                for (workspace, name), account in self._accounts.items()
            ]

    def reset(self) -> None:
        """Begin again, with full buckets."""
        with self._lock:
            self._accounts.clear()

    def _account(self, workspace: str, model: str) -> Account:
        key = workspace, pool(model)
        account = self._accounts.get(key)
        if account is None:
            limits, enforced = _limits(self._options, model)
            per_minute = (limits.requests, limits.input_tokens, limits.output_tokens)
            now = self._clock.now()
            buckets = {kind: Bucket(now, limit) for kind, limit in zip(_KINDS, per_minute, strict=True)}
            account = self._accounts[key] = Account(buckets, enforced)
        return account


def _limits(options: Options, model: str) -> tuple[MessageLimits, frozenset[str]]:
    """What one pool may do, and which of it is enforced: all of a tier, and whatever has a number of its own."""
    of_tier = message_limits(model, options.tier or "scale")
    given = (options.messages_per_minute, options.input_tokens_per_minute, options.output_tokens_per_minute)
    usual = (of_tier.requests if options.tier else 10_000, of_tier.input_tokens, of_tier.output_tokens)
    enforced = {kind for kind, number in zip(_KINDS, given, strict=True) if options.tier or number is not None}
    numbers = [own if own is not None else by_tier for own, by_tier in zip(given, usual, strict=True)]
    return MessageLimits(*numbers), frozenset(enforced | {"requests"})
