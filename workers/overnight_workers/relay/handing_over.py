"""Handing over: messages of an inbox are accepted, and each comes back with its verdict.

It is accept's own code in this process, and no Redis stands between: the ledger says in its own transaction what became
of a message, by the message's id. So a message that is handed over again, because its relay died before it could delete
the row, finds its verdict there, and nothing is accepted twice.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Final
from uuid import UUID

import orjson

from overnight_models.errors import TransientError
from overnight_models.ledger import answer
from overnight_models.ledger.connection import Connection
from overnight_models.ledger.relays import seen
from overnight_models.ledger.relays.inbox import Waiting
from overnight_models.wire.verdict import VerdictDocument
from overnight_workers import process
from overnight_workers.stages.accept import accept
from overnight_workers.stages.accept.gather import Beside, Message
from overnight_workers.telemetry import logs

_ALONE_S: Final = 10.0
"""For messages that go alone. The product's rows are locked meanwhile, in a transaction that Postgres ends after a
minute in which nothing is said there: a relay that died may have left 2,000 of them to a busy machine."""

log = logs.get(__name__)


def hand_over(
    waiting: Sequence[Waiting], *, relay: str, before_writing: Callable[[], object], alone_s: float = _ALONE_S
) -> dict[int, VerdictDocument]:
    """What became of messages, by their rows; one that has no verdict yet is to be handed over again.

    relay: its name; it is said to have taken on their items in the transaction in which they are written.
    before_writing: called when messages are read and checked, before anything of them is in the ledger.
    alone_s: seconds after which no further message goes alone; the others have their turn the next time.

    Whatever was tried before goes alone: one that ends its process takes no others along, and is turned down when it
    has done so a few times. Raises TransientError when the ledger is away.
    """
    tried = _verdicts(waiting)
    fresh = [message for message in waiting if str(message.message_id) not in tried]
    again = [message for message in waiting if tried.get(str(message.message_id), "") is None]
    beside = Beside(before_writing, _counting(relay, waiting))
    if fresh and not _accepted(fresh, beside):
        again += fresh
    ends_at = time.monotonic() + alone_s
    for message in again:
        _accepted([message], beside)
        if time.monotonic() >= ends_at:
            break
    verdicts = _verdicts(waiting) if fresh or again else tried
    return {
        message.id: orjson.loads(verdict)
        for message in waiting
        if (verdict := verdicts.get(str(message.message_id))) is not None
    }


def _verdicts(waiting: Sequence[Waiting]) -> dict[str, str | None]:
    with process.database().transaction() as connection:
        return answer.verdicts(connection, [message.message_id for message in waiting])


def _counting(relay: str, waiting: Sequence[Waiting]) -> Callable[[Connection, Sequence[UUID]], object]:
    """Counts items of messages for their relay: with the messages, so that no death makes the count wrong."""
    items = {message.message_id: message.item_count for message in waiting}
    return lambda connection, ids: seen.note_items(connection, relay, sum(items[message_id] for message_id in ids))


def _accepted(waiting: Sequence[Waiting], beside: Beside) -> bool:
    """Accept them, all or none. Returns whether that was possible. Raises TransientError."""
    # a message that lies in two rows is one
    messages = {message.message_id: _message(message) for message in waiting}
    try:
        accept.take_in(list(messages.values()), beside=beside)
    except TransientError:
        raise
    except Exception as error:
        # each try is counted in the ledger, so this ends
        first = str(waiting[0].message_id)
        log.exception("messages not accepted", messages=len(waiting), first=first, error=str(error))
        return False
    return True


def _message(row: Waiting) -> Message:
    return Message(row.v, row.message_id, row.lane, row.items, row.encoding, row.run)
