"""Accept messages that nobody has accepted yet: where in Redis whole requests lie, and how one is taken out of them.

They wait in the queue's list; the messages that a worker is accepting, or that a dead one was, are where kombu keeps
what isn't acknowledged. An item that is taken out leaves a line that is turned down: its producer is told so.
"""

from __future__ import annotations

import base64
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final, NamedTuple, cast
from uuid import UUID

import orjson
import redis

from overnight_models import routes
from overnight_models.crash_points import reach
from overnight_models.ledger.answer import key_hash
from overnight_models.wire import message
from overnight_models.wire.envelope import read_envelope
from overnight_models.wire.message import Line

_AT_ONCE: Final = 20
"""Messages that are read at once: each may have a megabyte."""
_REPLACE: Final = """
    local place = redis.call('LPOS', KEYS[1], ARGV[1])
    if not place then return 0 end
    redis.call('LSET', KEYS[1], place, ARGV[2])
    redis.call('INCRBY', KEYS[2], ARGV[3])
    redis.call('EXPIRE', KEYS[2], ARGV[4])
    return 1
"""
"""Another message in the place of one that still waits; how many items that takes out is added in the same moment."""
_COUNTED_FOR_S: Final = 7 * 24 * 3600


@dataclass(frozen=True)
class Wanted:
    """Whose items; what is None doesn't matter."""

    lane: str | None
    tenant: str | None
    run: str | None
    key_hash: bytes | None

    def fits(self, arguments: Mapping[str, object], item: Mapping[str, object]) -> bool:
        """Whether an item of a message is meant."""
        key = item.get("key")
        return (
            self.lane in (None, arguments.get("lane"))
            and self.run in (None, arguments.get("run"))
            and self.tenant in (None, item.get("tenant"))
            and (self.key_hash is None or (isinstance(key, str) and key_hash(key) == self.key_hash))
        )


class Waiting(NamedTuple):
    """Items that aren't accepted yet."""

    queued: int
    """They wait in the queue."""
    being_accepted: int
    """A worker has them, or had them when it died: they are items in a moment, or wait again."""


def look(client: redis.Redis, wanted: Wanted) -> Waiting:
    """How many items there are. Raises RedisError."""
    return Waiting(sum(there for _, there, _ in _messages(client, wanted)), _unacknowledged(client, wanted))


def take_out(client: redis.Redis, wanted: Wanted, action_id: int) -> int:
    """Take the items in the queue out of their messages; how many that action has taken out. Raises RedisError.

    Killed in the middle and done again, it counts those that were taken out before.
    """
    counter = routes.TAKEN_OUT_KEY.format(action_id)
    for raw, there, rest in _messages(client, wanted):
        reach("before taking items out of a message")
        client.eval(_REPLACE, 2, routes.ACCEPT, counter, raw, rest, str(there), str(_COUNTED_FOR_S))
        reach("after taking items out of a message")
    return int(cast("bytes | None", client.get(counter)) or 0)


def _messages(client: redis.Redis, wanted: Wanted) -> Iterator[tuple[bytes, int, bytes]]:
    """The messages in the queue with such items: each with how many, and without them.

    From the newest to the oldest: what comes meanwhile, or is accepted, hides no message from who looks.
    """
    place = 0
    while page := cast("list[bytes]", client.lrange(routes.ACCEPT, place, place + _AT_ONCE - 1)):
        place += len(page)
        for raw in page:
            there, rest = _without(raw, wanted)
            if there:
                yield raw, there, rest


def _unacknowledged(client: redis.Redis, wanted: Wanted) -> int:
    from overnight_workers.celery_worker.celery_app import app

    held = 0
    for _, entry in client.hscan_iter(app.conf.broker_transport_options["unacked_key"], count=_AT_ONCE):
        try:
            envelope, _, queue = orjson.loads(entry)
        except ValueError:
            continue
        if queue == routes.ACCEPT:
            held += _without(orjson.dumps(envelope), wanted)[0]
    return held


def _without(raw: bytes, wanted: Wanted) -> tuple[int, bytes]:
    """How many items of a message are meant, and the message without them."""
    read = read_envelope(raw)
    if read is None or read[0] != routes.ACCEPT:
        return 0, raw
    arguments = read[1]
    try:
        lines = message.read_lines(arguments["items"], arguments.get("encoding"))
    except (ValueError, TypeError, KeyError, AttributeError):
        return 0, raw
    written = [_taken_out(line, arguments, wanted) for line in lines]
    there = sum(line is not None for line in written)
    if not there:
        return 0, raw
    left = [Line(n, lines[n].encode() if line is None else line, None) for n, line in enumerate(written)]
    return there, _with_items(raw, message.write_items(left))


def fitting(wanted: Wanted, arguments: Mapping[str, object], items: str, encoding: str | None) -> int:
    """How many items of a message are meant; 0 where nobody can read it."""
    try:
        lines = message.read_lines(items, encoding)
    except (ValueError, TypeError):
        return 0
    return sum(_taken_out(line, arguments, wanted) is not None for line in lines)


def _taken_out(line: str, arguments: Mapping[str, object], wanted: Wanted) -> bytes | None:
    """What stands in the place of an item that is meant; None for another."""
    try:
        item = orjson.loads(line)
        if not isinstance(item, dict) or not wanted.fits(arguments, item):
            return None
        return orjson.dumps({"id": str(UUID(item["id"])), "key": "purged", "purged": True})
    except (ValueError, TypeError, KeyError, AttributeError):
        return None


def _with_items(raw: bytes, items: dict[str, str]) -> bytes:
    """The same message with other items."""
    envelope = orjson.loads(raw)
    is_base64 = envelope["properties"].get("body_encoding") == "base64"
    args, arguments, rest = orjson.loads(base64.b64decode(envelope["body"]) if is_base64 else envelope["body"])
    arguments.pop("encoding", None)
    body = orjson.dumps([args, arguments | items, rest])
    envelope["body"] = base64.b64encode(body).decode() if is_base64 else body.decode()
    return orjson.dumps(envelope)
