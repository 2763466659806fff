"""The wire to the workers: what is put into Overnight's Redis, and how its answers are read. No I/O in here.

Messages are pushed with redis-py, because its timeouts hold whatever Redis does: kombu's publish waits for ever on
a Redis that is frozen (findings/kombu-redis-has-no-socket-timeout.sh).
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping, Sequence
from typing import Final
from uuid import uuid4

import orjson

from overnight_models import exact_json, routes
from overnight_models.errors import KeyMissing, Unreachable
from overnight_models.request.prefix import KEPT_S, Cutter, Prefix
from overnight_models.wire import message
from overnight_models.wire.envelope import NO_CANVAS, write_envelope
from overnight_models.wire.message import Line
from overnight_models.wire.policy import Policy
from overnight_models.wire.verdict import VerdictDocument
from overnight_producers.steps import Command, Commands, Pop, Reply, Steps

_POLICY_KEPT_S: Final = 30.0
_NO_POLICY_KEPT_S: Final = 1.0
_AWAY_S: Final = 10.0
_ASKED_AT_ONCE: Final = 100
_LONGEST_POP_S: Final = 1.0
"""Less than a command may take, so that a Redis that is frozen is told from a worker that is slow."""
_ASKED_AGAIN_S: Final = 1.0
"""After so long a question is put again, then after twice as long, …"""
_LONGEST_SILENCE_S: Final = 4.0
"""… and at last each time after so long."""


class Wire:
    """What a process knows of one Redis: its policy, and which prefixes it has met; safe in threads.

    url: where it is; None: nobody knows, so that no callback can be on another broker.
    fixed_policy: what is known without asking.
    """

    def __init__(self, url: str | None, fixed_policy: Policy | None = None) -> None:
        self.url = url
        self._fixed_policy = fixed_policy
        self._policy: tuple[float, Policy | None] | None = None
        """Until when it is good, and what it is."""
        self._away_until = 0.0
        """Until when nobody who doesn't need Redis waits for it, by the monotonic clock."""
        self.cutter = Cutter()

    def send(self, task: str, arguments: Mapping[str, object], *, shown: str) -> Steps[None]:
        """Put one task's message into its queue. Raises Unreachable; then it may have got through all the same.

        shown: what Flower shows as its arguments; never a request's body.
        """
        yield Commands((("LPUSH", task, envelope(task, arguments, shown=shown)),))

    def leave_prefixes(self, prefixes: Iterable[Prefix]) -> Steps[None]:
        """Have these lie in Redis before a message that needs them: each is sent once, unless Redis has lost it."""
        by_key = {routes.PREFIX_KEY.format(prefix.hash): prefix.document for prefix in prefixes}
        if not by_key:
            return
        there = yield Commands(tuple(("EXPIRE", key, KEPT_S) for key in by_key))
        missing: list[Command] = [
            ("SET", key, document, "EX", KEPT_S)
            for (key, document), is_there in zip(by_key.items(), there, strict=True)
            if not is_there
        ]
        if missing:
            yield Commands(tuple(missing))

    def ask(self, question: str, about: Mapping[str, object], *, timeout_s: float) -> Steps[Reply]:
        """Ask the workers. Raises Unreachable, KeyMissing, or TimeoutError when none answers in time.

        A question can get lost, so it is put again, ever less often. All answers come by one list, and the first is as
        good as the last: a pile of questions delays it without losing it.
        """
        reply_to = str(uuid4())
        asking = {"question": question, "reply_to": reply_to, "about": about}
        stop_at = time.monotonic() + timeout_s
        again_at, pause_s = time.monotonic(), _ASKED_AGAIN_S
        while (left_s := stop_at - time.monotonic()) > 0:
            if time.monotonic() >= again_at:
                yield from self.send(routes.ANSWER, asking, shown=question)
                again_at, pause_s = time.monotonic() + pause_s, min(2 * pause_s, _LONGEST_SILENCE_S)
            popped = yield Pop(routes.REPLY_KEY.format(reply_to), min(left_s, _LONGEST_POP_S))
            if popped is not None:
                return _answer(popped)
        raise TimeoutError(f"no worker answered within {round(timeout_s, 1):g} s")

    def policy(self) -> Steps[Policy | None]:
        """What the workers published, at most half a minute ago; None when nothing is published (yet)."""
        if self._fixed_policy is not None:
            return self._fixed_policy
        kept = self._policy
        if kept is not None and time.monotonic() < kept[0]:
            return kept[1]
        (published,) = yield Commands((("GET", routes.POLICY_KEY),))
        policy = Policy.load(published) if isinstance(published, bytes) else None
        self._policy = (time.monotonic() + (_POLICY_KEPT_S if policy else _NO_POLICY_KEPT_S), policy)
        return policy

    def last_policy(self) -> Steps[Policy | None]:
        """The same for who doesn't need Redis: while it is away, the last that was read, or None. Never raises."""
        if time.monotonic() < self._away_until:
            return None if self._policy is None else self._policy[1]
        try:
            return (yield from self.policy())
        except Unreachable:
            self._away_until = time.monotonic() + _AWAY_S
            return None if self._policy is None else self._policy[1]

    def send_lines(self, message_id: str, lane: str, run: str | None, lines: Sequence[Line]) -> Steps[None]:
        """Send one accept message (`overnight_models.wire.message`). Raises Unreachable."""
        yield from self.leave_prefixes(line.prefix for line in lines if line.prefix is not None)
        arguments = {
            "v": message.VERSION,
            "message_id": message_id,
            "lane": lane,
            "run": run,
            **message.write_items(lines),
        }
        yield from self.send(routes.ACCEPT, arguments, shown=f"{lane}: {len(lines)} items, message {message_id[:8]}")

    def ask_verdicts(self, message_ids: Iterable[str], *, timeout_s: float) -> Steps[dict[str, VerdictDocument]]:
        """What became of messages, those without a verdict yet left out; asks after a hundred at most."""
        asked = list(message_ids)[:_ASKED_AT_ONCE]
        answer = yield from self.ask("confirm", {"message_ids": asked}, timeout_s=timeout_s)
        return {message_id: verdict for message_id, verdict in answer.items() if verdict is not None}


def _answer(popped: bytes) -> Reply:
    reply = exact_json.loads(popped)
    if reply.get("key_missing"):
        raise KeyMissing(f"{reply['error']}. Ask again once the workers have it: nothing is lost")
    if "error" in reply:
        raise TimeoutError(reply["error"])
    return reply["answer"]


def envelope(task: str, arguments: Mapping[str, object], *, shown: str) -> bytes:
    """A message for one of Overnight's own tasks, with these keyword arguments."""
    body = orjson.dumps([[], arguments, NO_CANVAS])
    return write_envelope(task, body, queue=task, task_id=str(uuid4()), shown=f"({shown})")
