"""What a purge does outside Postgres: before its first group, and behind its last one; the sweep does it, too."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import orjson
import redis

from overnight_models import routes
from overnight_models.crash_points import reach
from overnight_models.errors import TransientError
from overnight_models.ledger.operators import actions
from overnight_models.ledger.operators.purge import steps
from overnight_models.ledger.operators.purge.wanted import Purge
from overnight_workers import process
from overnight_workers.stages import waiting_messages


class RedisAway(TransientError):
    """A purge waits for Redis; nothing else has to."""


def prepare(action_id: int) -> None:
    """Before the first group of a purge: take out of Redis what waits to be accepted. Again, it changes nothing more.

    Raises RedisAway: then nothing of the purge is done.
    """
    action = _read(action_id)
    if action.name != "purge" or action.removed is not None or action.ended_at is not None:
        return
    purge = Purge.of(orjson.loads(action.wish))
    taken_out = _take_out(purge, action_id) if purge.cancel else 0
    with process.database().transaction() as connection:
        steps.prepare(connection, action.id, taken_out)


def tidy(action_id: int) -> None:
    """Behind the last group of a purge: prefixes that nobody goes on from any more go from Redis, too.

    Raises RedisAway.
    """
    hashes = removed(_read(action_id)).get("prefix_hashes")
    if not isinstance(hashes, list) or not hashes:
        return
    reach("before deleting prefixes")
    try:
        process.redis_client().delete(*(routes.PREFIX_KEY.format(hash_) for hash_ in hashes))
        reach("after deleting prefixes")
    except redis.RedisError as error:
        raise RedisAway(f"prefixes can't be deleted from Redis now, the sweep tries again: {error}") from error
    with process.database().transaction() as connection:
        steps.note_tidied(connection, action_id)


def _read(action_id: int) -> actions.ActionView:
    with process.database().transaction() as connection:
        action = actions.action(connection, action_id)
    assert action is not None
    return action


def removed(action: actions.ActionView) -> Mapping[str, object]:
    """What a purge has removed so far, by kind."""
    document: Mapping[str, object] = orjson.loads(action.removed or "{}")
    return document


def counts(action: actions.ActionView) -> dict[str, int]:
    """The same, how many of each kind."""
    return {kind: n for kind, n in removed(action).items() if isinstance(n, int)}


def in_redis(purge: Purge) -> waiting_messages.Waiting:
    """Items of messages that nobody has accepted yet. Those of a time that is over are all accepted after it.

    Raises RedisAway.
    """
    if purge.items.enqueued_before is not None:
        return waiting_messages.Waiting(0, 0)
    with _looking():
        return waiting_messages.look(process.redis_client(), _wanted(purge))


def _take_out(purge: Purge, action_id: int) -> int:
    """Take them out of the messages that nobody has yet; how many."""
    if purge.items.enqueued_before is not None:
        return 0
    with _looking():
        return waiting_messages.take_out(process.redis_client(), _wanted(purge), action_id)


def _wanted(purge: Purge) -> waiting_messages.Wanted:
    return waiting_messages.Wanted(purge.items.lane, purge.items.tenant, purge.items.run, purge.key_hash)


@contextmanager
def _looking() -> Iterator[None]:
    try:
        yield
    except redis.RedisError as error:
        raise RedisAway(f"Redis can't be looked at, where items may wait to be accepted: {error}") from error
