"""Answer: a product asks about a message, an item or a run, and reads the answer from a short-lived Redis list."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final
from uuid import UUID

import orjson
import redis

from overnight_models import routes
from overnight_models.crash_points import reach
from overnight_models.ledger import answer as ledger
from overnight_models.ledger import documents
from overnight_models.ledger.operators.cancel import Canceled
from overnight_models.ledger.operators.cancel import cancel as cancel_item
from overnight_workers import logs, process
from overnight_workers.app import app
from overnight_workers.stages import pulse

_KEPT_S: Final = 60

log = logs.get(__name__)


@app.task(name=routes.ANSWER, send_events=False)
def answer(question: str, reply_to: str, about: dict[str, Any], **_later: Any) -> str:
    """Answer one question. An unknown question is answered with an error, not with silence."""
    pulse.at_work(routes.ANSWER)
    ask = _QUESTIONS.get(question)
    document: dict[str, Any] = (
        {"error": f"workers of this version can't answer {question!r}"} if ask is None else {"answer": ask(about)}
    )
    key = routes.REPLY_KEY.format(reply_to)
    reach("before reply")
    try:
        with process.redis_client().pipeline() as pipe:
            pipe.rpush(key, orjson.dumps(document))
            pipe.expire(key, _KEPT_S)
            pipe.execute()
        reach("after reply")
    except redis.RedisError as error:
        log.warning("answer not given, the product will ask again", question=question, error=str(error))
    return question


def _confirm(about: dict[str, Any]) -> dict[str, Any]:
    """Verdicts by message id: null while it isn't done, absent when it never arrived."""
    with process.database().transaction() as connection:
        found = ledger.verdicts(connection, [UUID(message_id) for message_id in about["message_ids"]])
    return {message_id: None if verdict is None else orjson.Fragment(verdict) for message_id, verdict in found.items()}


def _outcome(about: dict[str, Any]) -> dict[str, Any] | None:
    """`{"state", "outcome"}`; null when there is no such item."""
    with process.database().transaction() as connection:
        item_id = ledger.find_item(connection, about["lane"], about["key"])
        row = None if item_id is None else ledger.read_item(connection, item_id)
    if row is None:
        return None
    return {"state": row["state"], "outcome": None if row["ok"] is None else documents.document(row)}


def _cancel(about: dict[str, Any]) -> str:
    with process.database().transaction() as connection:
        item_id = ledger.find_item(connection, about["lane"], about["key"])
        return Canceled.UNKNOWN if item_id is None else cancel_item(connection, item_id)


def _run(about: dict[str, Any]) -> dict[str, int] | None:
    """Items by state; null when there is no such run."""
    with process.database().transaction() as connection:
        return ledger.run_counts(connection, about["run"])


_QUESTIONS: Final[dict[str, Callable[[dict[str, Any]], Any]]] = {
    "confirm": _confirm,
    "outcome": _outcome,
    "cancel": _cancel,
    "run": _run,
}
