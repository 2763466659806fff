"""The wire to the workers: Celery messages into Overnight's Redis, answers out of it, and never a hang.

Messages are pushed with redis-py, because its timeouts hold whatever Redis does: kombu's publish waits for ever on
a Redis that is frozen (findings/kombu-redis-has-no-socket-timeout.sh).
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final
from uuid import uuid4

import orjson
import redis

from overnight_models import exact_json, routes
from overnight_models.errors import Unreachable
from overnight_models.request.prefix import KEPT_S, Cutter, Prefix
from overnight_models.wire import message
from overnight_models.wire.envelope import NO_CANVAS, write_envelope
from overnight_models.wire.message import Line
from overnight_models.wire.policy import Policy
from overnight_models.wire.redis_client import redis_client
from overnight_models.wire.redis_place import read_redis_url
from overnight_models.wire.verdict import VerdictDocument

_TIMEOUT_S: Final = 1.5
"""For connecting and for each command, so that a dead Redis is known within two seconds."""
_POLICY_KEPT_S: Final = 30.0
_NO_POLICY_KEPT_S: Final = 1.0
_AWAY_S: Final = 10.0
_ASKED_AT_ONCE: Final = 100


class Wire:
    """A connection to Overnight's Redis; safe in threads, and after a fork. Raises BadSettings on a wrong URL.

    ca_file, master_name: as in `overnight_models.wire.redis_place.read_redis_url`.
    """

    def __init__(self, url: str, *, ca_file: str = "", master_name: str = "") -> None:
        self.url = url
        self._place = read_redis_url(url, ca_file=ca_file, master_name=master_name)
        self._redis = redis_client(self._place, timeout_s=_TIMEOUT_S, connect_timeout_s=_TIMEOUT_S)
        self._policy: tuple[float, Policy | None] | None = None
        """Until when it is good, and what it is."""
        self._away_until = 0.0
        """Until when nobody who doesn't need Redis waits for it, by the monotonic clock."""
        self.cutter = Cutter()

    def send(self, task: str, arguments: Mapping[str, object], *, shown: str) -> None:
        """Put one task's message into its queue. Raises Unreachable; then it may have got through all the same.

        shown: what Flower shows as its arguments; never a request's body.
        """
        written = envelope(task, arguments, shown=shown)
        try:
            self._redis.lpush(task, written)
        except redis.RedisError as error:
            raise self._unreachable(error) from error

    def leave_prefixes(self, prefixes: Iterable[Prefix]) -> None:
        """Have these lie in Redis before a message that needs them: each is sent once, unless Redis has lost it."""
        by_key = {routes.PREFIX_KEY.format(prefix.hash): prefix.document for prefix in prefixes}
        if not by_key:
            return
        try:
            with self._redis.pipeline(transaction=False) as pipe:
                for key in by_key:
                    pipe.expire(key, KEPT_S)
                there = pipe.execute()
                for (key, document), is_there in zip(by_key.items(), there, strict=True):
                    if not is_there:
                        pipe.set(key, document, ex=KEPT_S)
                pipe.execute()
        except redis.RedisError as error:
            raise self._unreachable(error) from error

    def ask(self, question: str, about: Mapping[str, object], *, timeout_s: float) -> Any:
        """Ask the workers. Raises Unreachable, or TimeoutError when none answers in time."""
        reply_to = str(uuid4())
        self.send(routes.ANSWER, {"question": question, "reply_to": reply_to, "about": about}, shown=question)
        stop_at = time.monotonic() + timeout_s
        key = routes.REPLY_KEY.format(reply_to)
        while (left_s := stop_at - time.monotonic()) > 0:
            try:
                popped = self._redis.blpop([key], timeout=min(left_s, 1.0))
            except redis.RedisError as error:
                raise self._unreachable(error) from error
            if popped is not None:
                reply = exact_json.loads(popped[1])
                if "error" in reply:
                    raise TimeoutError(reply["error"])
                return reply["answer"]
        raise TimeoutError(f"no worker answered within {timeout_s:g} s")

    def policy(self) -> Policy | None:
        """What the workers published, at most half a minute ago; None when nothing is published (yet)."""
        kept = self._policy
        if kept is not None and time.monotonic() < kept[0]:
            return kept[1]
        try:
            published = self._redis.get(routes.POLICY_KEY)
        except redis.RedisError as error:
            raise self._unreachable(error) from error
        policy = Policy.load(published) if isinstance(published, bytes) else None
        self._policy = (time.monotonic() + (_POLICY_KEPT_S if policy else _NO_POLICY_KEPT_S), policy)
        return policy

    def last_policy(self) -> Policy | None:
        """The same for who doesn't need Redis: while it is away, the last that was read, or None. Never raises."""
        if time.monotonic() < self._away_until:
            return None if self._policy is None else self._policy[1]
        try:
            return self.policy()
        except Unreachable:
            self._away_until = time.monotonic() + _AWAY_S
            return None if self._policy is None else self._policy[1]

    def close(self) -> None:
        """Close the connections."""
        self._redis.close()

    def _unreachable(self, error: Exception) -> Unreachable:
        return Unreachable(
            f"Overnight's Redis at {self._place.shown} can't be reached"
            f" ({type(error).__name__}: {error}). Nothing is lost: enqueue the same again"
        )


def send_lines(wire: Wire, message_id: str, lane: str, run: str | None, lines: Sequence[Line]) -> None:
    """Send one accept message (`overnight_models.wire.message`). Raises Unreachable."""
    wire.leave_prefixes(line.prefix for line in lines if line.prefix is not None)
    arguments = {
        "v": message.VERSION,
        "message_id": message_id,
        "lane": lane,
        "run": run,
        **message.write_items(lines),
    }
    wire.send(routes.ACCEPT, arguments, shown=f"{lane}: {len(lines)} items, message {message_id[:8]}")


def ask_verdicts(wire: Wire, message_ids: Iterable[str], *, timeout_s: float) -> dict[str, VerdictDocument]:
    """What became of messages, those without a verdict yet left out; asks after a hundred at most."""
    asked = list(message_ids)[:_ASKED_AT_ONCE]
    answer = wire.ask("confirm", {"message_ids": asked}, timeout_s=timeout_s)
    return {message_id: verdict for message_id, verdict in answer.items() if verdict is not None}


def envelope(task: str, arguments: Mapping[str, object], *, shown: str) -> bytes:
    """A message for one of Overnight's own tasks, with these keyword arguments."""
    body = orjson.dumps([[], arguments, NO_CANVAS])
    return write_envelope(task, body, queue=task, task_id=str(uuid4()), shown=f"({shown})")
